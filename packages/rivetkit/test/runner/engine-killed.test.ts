import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { programFile } from "../../../../scripts/lib/test-programs.ts";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { createClient } from "../../src/client/index.ts";
import { setup } from "../../src/registry/registry.ts";
import { eventually } from "../support/eventually.ts";

/** Our runner and our clients over a `kill -9` of the engine between them. */

const MAIN = programFile(
	fileURLToPath(new URL("../../../engine/src/cli/main.ts", import.meta.url)),
);

const tally = actor({
	state: { total: 0, left: 0 },
	createVars: () => ({ sinceWake: 0 }),
	onDisconnect: (c, connection) => {
		if (connection.params !== undefined) c.state.left++;
	},
	events: { bumped: event<number>() },
	options: { sleepTimeout: 60_000 },
	actions: {
		bump: (c) => {
			c.state.total++;
			c.broadcast("bumped", c.state.total);
			return [c.state.total, ++c.vars.sinceWake];
		},
		left: (c) => c.state.left,
	},
});

it("an actor on a runner goes on where it was, in memory too, and hears that its client is gone", async () => {
	const directory = mkdtempSync(join(tmpdir(), "rivetkit-engine-killed-"));
	const port = await freePort();
	const endpoint = `http://127.0.0.1:${port}`;
	const children: ChildProcess[] = [];
	const startEngine = async () => {
		const child = spawn(process.execPath, ["--conditions=@rivetkit/source", MAIN, "start"], {
			env: {
				PATH: process.env.PATH,
				RIVET__GUARD__PORT: String(port),
				RIVET__FILE_SYSTEM__PATH: directory,
				// However long the next one takes to start here.
				RIVET__PEGBOARD__RUNNER_LOST_THRESHOLD: "120000",
			},
			stdio: ["ignore", "pipe", "inherit"],
		});
		children.push(child);
		await once(child.stdout!, "data");
		return child;
	};
	const registry = setup({
		use: { tally },
		endpoint,
		handleSignals: false,
		noWelcome: true,
		logging: { level: "silent" },
	});
	const client = createClient<typeof registry>({ endpoint });
	onTestFinished(async () => {
		await client.dispose();
		await registry.shutdown();
		for (const child of children) child.kill("SIGKILL");
		rmSync(directory, { recursive: true, force: true });
	});
	const first = await startEngine();
	registry.startRunner();
	const handle = client.tally.getOrCreate(["a"]);
	// Before the engine knows the runner it refuses, and a connection that is refused does not try again.
	await eventually(async () => expect(await handle.bump()).toEqual([1, 1]));
	const counted = client.tally.getOrCreate(["a"], { params: { isCounted: true } });
	const connection = counted.connect();
	const seen: number[] = [];
	connection.on("bumped", (total) => seen.push(total));
	expect(await connection.bump()).toEqual([2, 2]);
	first.kill("SIGKILL");
	await once(first, "exit");
	await startEngine();
	await eventually(async () => expect(await handle.bump()).toEqual([3, 3]));
	// The client is back by itself, and what it was before has left.
	expect(await connection.bump()).toEqual([4, 4]);
	expect(seen.at(-1)).toBe(4);
	await eventually(async () => expect(await handle.left()).toBe(1));
});
