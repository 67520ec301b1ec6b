import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { createClient } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { ServerProcess } from "./server-process.ts";

// Actors on the SQLite store of a process that is killed, and their crash policies (lifecycle 17).

interface Worker {
	ping(): Promise<string>;
	nap(): Promise<void>;
}

let data: string;
let journal: string;
let endpoint: string;
let server: ServerProcess;

beforeEach(async () => {
	data = await mkdtemp(join(tmpdir(), "crash-eager-"));
	journal = join(data, "journal");
	await writeFile(journal, "");
	const port = await freePort();
	endpoint = `http://127.0.0.1:${port}`;
	server = new ServerProcess("eager-server.ts", [join(data, "store"), String(port), journal]);
	await server.start();
});

afterEach(async () => {
	await server.end("SIGKILL");
	await rm(data, { recursive: true, force: true });
});

/** Starts since the last {@link restart}. */
async function journalLines(): Promise<string[]> {
	const text = await readFile(journal, "utf8");
	return text.split("\n").filter(Boolean).sort();
}

async function restart(signal: NodeJS.Signals): Promise<void> {
	await server.end(signal);
	await writeFile(journal, "");
	await server.start();
}

async function create(key: string, crashPolicy: string): Promise<void> {
	const response = await fetch(`${endpoint}/actors`, {
		method: "PUT",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({
			name: "worker",
			key,
			runner_name_selector: "default",
			crash_policy: crashPolicy,
		}),
	});
	expect([response.status, await response.text()]).toEqual([200, expect.any(String)]);
}

async function call<T>(key: string, run: (worker: Worker) => Promise<T>): Promise<T> {
	const client = createClient({ endpoint });
	const result = await run(client.worker!.getOrCreate([key]) as unknown as Worker);
	await client.dispose();
	return result;
}

async function ping(key: string): Promise<void> {
	expect(await call(key, (worker) => worker.ping())).toBe("pong");
}

/** Whether the actor's record says that it sleeps. */
async function sleeps(key: string): Promise<boolean> {
	const query = new URLSearchParams({ name: "worker", key });
	const answer = await (await fetch(`${endpoint}/actors?${query}`)).json();
	return (answer as { actors: { sleep_ts: number | null }[] }).actors[0]?.sleep_ts !== null;
}

it("those of policy `restart` are started again, uncalled, after each kill -9; others are not", async () => {
	for (const key of ["a", "b"]) await create(key, "restart");
	await create("rests", "sleep");
	await create("stays", "destroy");
	expect(await journalLines()).toEqual([
		"started a",
		"started b",
		"started rests",
		"started stays",
	]);
	for (let kill = 0; kill < 2; kill++) {
		await restart("SIGKILL");
		await eventually(async () => expect(await journalLines()).toEqual(["started a", "started b"]));
	}
	// A call comes behind what the process began with.
	await ping("rests");
	expect(await journalLines()).toEqual(["started a", "started b", "started rests"]);
});

it("what a server has put to sleep as it ended is not started, whatever its policy", async () => {
	await create("a", "restart");
	await restart("SIGTERM");
	await create("b", "sleep");
	await restart("SIGKILL");
	await create("last", "restart");
	expect(await journalLines()).toEqual(["started last"]);
});

it("one that has just woken is started again after a kill -9, too", async () => {
	await create("a", "restart");
	await call("a", (worker) => worker.nap());
	await eventually(async () => expect(await sleeps("a")).toBe(true));
	await ping("a");
	await eventually(async () => expect(await sleeps("a")).toBe(false));
	await restart("SIGKILL");
	await eventually(async () => expect(await journalLines()).toEqual(["started a"]));
});
