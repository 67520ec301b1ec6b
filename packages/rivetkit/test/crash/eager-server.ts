// A server process for the crash tests of crash policies, on the embedded store. Prints its URL when it listens.
// `eager-server.ts <data directory> <port> <journal>`: starts are noted in the journal, which no crash takes back.
import { appendFileSync } from "node:fs";
import { actor, setup } from "../../src/index.ts";

const [data, port, journal] = process.argv.slice(2) as [string, string, string];

const worker = actor({
	// Nothing is saved by itself before the process is killed.
	options: { noSleep: true, stateSaveInterval: 3_600_000 },
	onWake: (c) => appendFileSync(journal, `started ${c.key.join("/")}\n`),
	actions: { ping: () => "pong", nap: (c) => c.sleep() },
});

const registry = setup({
	use: { worker },
	storagePath: data,
	managerPort: Number(port),
	noWelcome: true,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
