import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { StartedApp } from "../../scripts/lib/started-app.ts";

const SET_UP = fileURLToPath(new URL("children/set-up.ts", import.meta.url));
const LIMIT_MS = 120_000;

let app: StartedApp | undefined;

/** What npm does: a shell that runs the set-up script, which runs the start script, which runs a server. */
async function start(): Promise<StartedApp> {
	// With something behind it, so that the shell stays.
	app = new StartedApp(`echo "npm $$"; '${process.execPath}' '${SET_UP}'; exit $?`, {
		cwd: import.meta.dirname,
		env: process.env,
	});
	await app.printed(/^server \d+$/m, LIMIT_MS);
	return app;
}

afterEach(() => app?.kill());

it.each(["npm", "set-up", "script"])(
	"the server stops, as does all else, when %s is killed",
	async (victim) => {
		const app = await start();
		const [, pid] = await app.printed(new RegExp(`^${victim} (\\d+)$`, "m"), LIMIT_MS);
		process.kill(Number(pid), "SIGKILL");
		await app.ended(LIMIT_MS);
		expect(app.output).toMatch(/^server stopped$/m);
	},
);

it("Ctrl-C ends all of it", async () => {
	const app = await start();
	await app.interrupt(LIMIT_MS);
	expect(app.output).not.toContain("server stopped");
});
