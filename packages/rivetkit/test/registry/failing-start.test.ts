import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { ServerProcess } from "../crash/server-process.ts";

/** What a program prints that cannot start because of its surroundings: one sentence, once. */

const PROGRAM = "../registry/started-server.ts";

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function directory(): Promise<string> {
	const path = await mkdtemp(join(tmpdir(), "failing-start-"));
	cleanUps.push(() => rm(path, { recursive: true, force: true }));
	return path;
}

/** A program that runs, with its data directory and port. */
let first: ServerProcess;
let data: string;
let port: string;

beforeAll(async () => {
	data = await mkdtemp(join(tmpdir(), "failing-start-"));
	port = String(await freePort());
	first = new ServerProcess(PROGRAM, [data, port, "listen"]);
	await first.start();
});

afterAll(async () => {
	await first.end("SIGKILL");
	await rm(data, { recursive: true, force: true });
});

/** The output of a start that fails, with the exit code before it. */
async function failure(...args: readonly string[]): Promise<string> {
	const process = new ServerProcess(PROGRAM, args, "");
	cleanUps.push(() => process.end("SIGKILL"));
	const error = await process.start().then(
		() => new Error(`it started: ${process.output}`),
		(thrown: Error) => thrown,
	);
	return error.message;
}

// Each starts a process.
describe("a start that fails", () => {
	it.each(["", "start", "start-twice", "listen"])(
		"because the program runs already says where, once (%s)",
		async (how) => {
			expect(await failure(data, port, how)).toBe(
				`ended (1):\nPortTakenError: Port ${port} on 127.0.0.1 is taken by a RivetKit server that already serves this data directory (process ${first.pid}). Use that one at http://127.0.0.1:${port}, or stop it first: kill ${first.pid}\n`,
			);
		},
	);

	it.each(["start", "listen"])(
		"because the data is in use says by whom, once (%s)",
		async (how) => {
			expect(await failure(data, "0", how)).toMatch(
				new RegExp(
					`^ended \\(1\\):\nStoreError: The data directory ${data} is in use by process ${first.pid}\\. [^\n]*RIVETKIT_STORAGE_PATH[^\n]*\n$`,
				),
			);
		},
	);

	it.each(["start", "listen"])(
		"because the port is taken names the ways out, once (%s)",
		async (how) => {
			expect(await failure(await directory(), port, how)).toBe(
				`ended (1):\nPortTakenError: Port ${port} on 127.0.0.1 is taken by another RivetKit server (process ${first.pid}) with other data. Either stop it, or choose another port (setup({ managerPort })).\n`,
			);
		},
	);

	it("because of the address names the setting", async () => {
		const output = await failure(await directory(), "0", "start", "203.0.113.7");
		expect(output).toMatch(/^ended \(1\):\nListenError: [^\n]*setup\(\{ managerHost \}\)[^\n]*\n$/);
	});

	it("because of the environment says which variable, what it holds and what it may", async () => {
		expect(await failure(await directory(), "0", "environment")).toBe(
			`ended (1):\nEnvironmentError: RIVET_ENDPOINT: invalid URL: localhost:6420; it looks like http://[namespace[:token]@]host[:port][/path], or https\nRIVET_TOTAL_SLOTS: expected a whole number from 1 to 4294967295, found "many"\n`,
		);
	});

	it("because of the environment is left to a program that listens for uncaught errors", async () => {
		expect(await failure(await directory(), "0", "environment-heard")).toMatch(
			/^ended \(\d+\):\nheard EnvironmentError\n$/,
		);
	});

	it("because only serve() is called and nobody serves what it returns says what to do", async () => {
		const output = await failure(await directory(), "0", "serve");
		expect(output).toMatch(
			/^ended \(0\):\n[^\n]*nothing listens[^\n]*registry\.listen\(\)[^\n]*\n$/,
		);
		expect(await failure(await directory(), "0", "serve-handled")).toBe("ended (0):\n");
	});

	it("has no stack frames, also where Node itself prints it", async () => {
		const output = await failure(data, "0", "listen-unguarded");
		expect(output).toContain("[StoreError: The data directory");
		expect(output).not.toMatch(/^\s+at /m);
	});
});
