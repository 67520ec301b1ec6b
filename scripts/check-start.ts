// Does what a newcomer does: runs `npm start`, waits for the command it proposes, and runs that.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Check, runChecks } from "./lib/checks.ts";
import { repoRoot } from "./lib/workspaces.ts";

const START_MS_MAX = 120_000;
const STOP_MS_MAX = 30_000;

const storage = mkdtempSync(join(tmpdir(), "rivetkit-start-"));
const app = spawn("npm", ["start"], {
	cwd: repoRoot,
	// A group of its own: Ctrl-C in a terminal reaches npm, the shell and the app alike.
	detached: true,
	stdio: ["ignore", "pipe", "pipe"],
	env: { ...process.env, RIVETKIT_STORAGE_PATH: storage },
});
let output = "";
const exited = new Promise<number | null>((resolve) => app.on("exit", (code) => resolve(code)));
const proposed = new Promise<string>((resolve, reject) => {
	const hear = (chunk: Buffer): void => {
		output += chunk.toString();
		const command = /^\s*(curl [^\n]*[^\\\n])\n/m.exec(output)?.[1];
		if (command !== undefined) resolve(command);
	};
	app.stdout.on("data", hear);
	app.stderr.on("data", hear);
	exited.then((code) => reject(new Error(`npm start ended with ${code}:\n${output}`)));
});

function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<never>((_, reject) => {
		timer = setTimeout(
			() => reject(new Error(`${what} took over ${limitMs} ms:\n${output}`)),
			limitMs,
		);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

let command = "";
const checks: Check[] = [
	{
		title: "npm start proposes a curl command",
		run: async () => {
			command = await within(proposed, START_MS_MAX, "npm start");
		},
	},
	{
		title: "the proposed command works",
		run: async () => {
			const curl = spawn("bash", [
				"-c",
				`${command} --silent --show-error --fail-with-body --max-time 20`,
			]);
			let answer = "";
			curl.stdout.on("data", (chunk: Buffer) => {
				answer += chunk.toString();
			});
			curl.stderr.on("data", (chunk: Buffer) => {
				answer += chunk.toString();
			});
			const code = await new Promise<number | null>((resolve) => curl.on("close", resolve));
			if (code !== 0) throw new Error(`${command}\nended with ${code}:\n${answer}`);
			console.log(`        ${command}\n        ${answer}`);
		},
	},
	{
		title: "Ctrl-C stops it",
		run: async () => {
			if (app.pid === undefined) throw new Error("npm start has no process");
			process.kill(-app.pid, "SIGINT");
			await within(exited, STOP_MS_MAX, "stopping");
		},
	},
];

try {
	process.exitCode = await runChecks(checks);
} finally {
	if (app.exitCode === null && app.signalCode === null && app.pid !== undefined) {
		process.kill(-app.pid, "SIGKILL");
	}
	rmSync(storage, { recursive: true, force: true });
}
