// A server process for the tests of failing starts: asked to start in one of the ways there are.
import { actor, setup } from "../../src/index.ts";

const [, , data, port, how, host] = process.argv;
if (how?.startsWith("serve")) process.env.NODE_ENV = "production";
if (how?.startsWith("environment")) {
	process.env.RIVET_TOTAL_SLOTS = "many";
	process.env.RIVET_ENDPOINT = "localhost:6420";
}
if (how === "environment-heard") {
	process.on("uncaughtException", ({ name }) => console.log(`heard ${name}`));
}
const registry = setup({
	use: { counter: actor({}) },
	storagePath: data!,
	managerPort: Number(port),
	noWelcome: true,
	...(host === undefined ? undefined : { managerHost: host }),
	handleSignals: how !== "listen-unguarded",
});
if (how === "start") registry.start();
if (how === "start-twice") {
	registry.start();
	registry.startRunner();
}
if (how?.startsWith("listen")) {
	const { url } = await registry.listen();
	console.log(`listening ${url}`);
}
if (how?.startsWith("serve")) {
	const { fetch } = registry.serve();
	if (how === "serve-handled") await fetch(new Request("http://app.example/api/rivet/health"));
}
