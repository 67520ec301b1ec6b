import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../../scripts/lib/free-port.ts";

const START_LIMIT_MS = 60_000;
const POLL_MS = 50;

export interface PublishedServer extends AsyncDisposable {
	readonly url: string;
}

/** Starts the published package's server on a free port with storage of its own. */
export async function startPublishedServer(): Promise<PublishedServer> {
	const port = await freePort();
	const storagePath = mkdtempSync(join(tmpdir(), "rivetkit-published-"));
	const script = fileURLToPath(new URL("published-server.mjs", import.meta.url));
	const { PATH, NODE_COMPILE_CACHE } = process.env;
	const child = spawn(process.execPath, [script, String(port), storagePath], {
		env: { PATH, NODE_COMPILE_CACHE, HOME: storagePath },
		stdio: ["ignore", "pipe", "pipe"],
	});
	const output: Buffer[] = [];
	child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
	child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
	const url = `http://127.0.0.1:${port}`;
	const stop = async () => {
		await ended(child);
		rmSync(storagePath, { recursive: true, force: true });
	};
	try {
		await answering(url, child);
	} catch (error) {
		await stop();
		throw new Error(`The published server did not start: ${Buffer.concat(output)}`, {
			cause: error,
		});
	}
	return { url, [Symbol.asyncDispose]: stop };
}

/** It has no signal of being ready, so it is asked until it answers. */
async function answering(url: string, child: ChildProcess): Promise<void> {
	const deadline = Date.now() + START_LIMIT_MS;
	while (Date.now() < deadline) {
		if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}`);
		const response = await fetch(`${url}/metadata`).catch(() => undefined);
		if (response?.ok) return;
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
	throw new Error(`no answer within ${START_LIMIT_MS} ms`);
}

async function ended(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const exit = once(child, "exit");
	child.kill("SIGKILL");
	await exit;
}
