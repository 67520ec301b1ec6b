import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../../../scripts/lib/free-port.ts";
import { programFile } from "../../../../../scripts/lib/test-programs.ts";
import type { InteropServer } from "./interop-suite.ts";

const SCRIPTS = {
	published: fileURLToPath(new URL("./published-server.ts", import.meta.url)),
	ours: programFile(fileURLToPath(new URL("./own-server.ts", import.meta.url))),
};
const POLL_MS = 50;
const START_TIMEOUT_MS = 60_000;

/** A server as a child process, on a free port, with a storage folder of its own. */
export async function startServerProcess(which: keyof typeof SCRIPTS): Promise<InteropServer> {
	const port = await freePort();
	const endpoint = `http://127.0.0.1:${port}`;
	const storage = await mkdtemp(join(tmpdir(), "interop-"));
	let child = await start(SCRIPTS[which], port, storage);
	const stop = async () => {
		if (child.exitCode !== null || child.signalCode !== null) return;
		const exited = once(child, "exit");
		child.kill("SIGKILL");
		await exited;
	};
	return {
		endpoint,
		stop,
		async restart() {
			child = await start(SCRIPTS[which], port, storage);
		},
		async dispose() {
			await stop();
			await rm(storage, { recursive: true, force: true });
		},
	};
}

async function start(script: string, port: number, storage: string): Promise<ChildProcess> {
	const { NODE_ENV: _, ...env } = process.env;
	for (const name of Object.keys(env)) if (name.startsWith("RIVET_")) delete env[name];
	const child = spawn(process.execPath, ["--conditions=@rivetkit/source", script], {
		cwd: storage,
		env: { ...env, INTEROP_PORT: String(port), RIVETKIT_STORAGE_PATH: storage },
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	child.stdout.on("data", (chunk) => {
		output += chunk;
	});
	child.stderr.on("data", (chunk) => {
		output += chunk;
	});
	const deadline = Date.now() + START_TIMEOUT_MS;
	while (!(await answers(port))) {
		if (child.exitCode !== null || Date.now() > deadline) {
			child.kill("SIGKILL");
			throw new Error(`The server did not start:\n${output}`);
		}
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
	return child;
}

async function answers(port: number): Promise<boolean> {
	return fetch(`http://127.0.0.1:${port}/health`).then(
		(response) => response.ok,
		() => false,
	);
}
