import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "example-support/free-port";
import { afterEach, expect, it } from "vitest";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Runs a file of the example; resolves with its output when `until` matches, or when it ends. */
async function run(file: string, env: NodeJS.ProcessEnv, until: RegExp) {
	const child = spawn(process.execPath, [join(folder, "src", file)], {
		cwd: env.EXAMPLE_DATA,
		env: { ...process.env, NODE_ENV: "", ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	cleanUps.push(() => end(child, "SIGKILL"));
	let output = "";
	const found = await new Promise<RegExpExecArray>((resolve, reject) => {
		const hear = (chunk: Buffer) => {
			output += chunk.toString();
			const match = until.exec(output);
			if (match) resolve(match);
		};
		child.stdout.on("data", hear);
		child.stderr.on("data", hear);
		child.on("close", (code) => reject(new Error(`${file} ended with ${code}:\n${output}`)));
	});
	return { child, found };
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
	return new Promise((resolve) => {
		child.once("exit", () => resolve());
		child.kill(signal);
	});
}

it("counts with the curl it prints and with the client, and goes on counting after kill -9", async () => {
	const data = await mkdtemp(join(tmpdir(), "hello-world-"));
	cleanUps.push(() => rm(data, { recursive: true, force: true }));
	const env = { PORT: String(await freePort()), RIVETKIT_STORAGE_PATH: data, EXAMPLE_DATA: data };

	const first = await run("server.ts", env, /curl -X POST '([^']+)' -d '([^']+)'/);
	const [, url, body] = first.found;
	const post = async (sent = body!) => (await fetch(url!, { method: "POST", body: sent })).json();
	expect(await post()).toEqual({ output: 1 });
	expect(await post('{"args":["x"]}')).toMatchObject({
		code: "invalid_amount",
		message: "amount must be a whole number",
	});

	const client = await run("client.ts", env, /from the event: (\d+)/);
	expect(client.found[1]).toBe("12");
	await end(first.child, "SIGKILL");

	const second = await run("server.ts", env, /curl -X POST/);
	expect(await post()).toEqual({ output: 13 });
	await end(second.child, "SIGTERM");
	expect(second.child.exitCode).toBe(0);
});
