// Does what a newcomer does: runs `npm start`, waits for the command it proposes, and runs that.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Check, runChecks } from "./lib/checks.ts";
import { StartedApp } from "./lib/started-app.ts";
import { repoRoot } from "./lib/workspaces.ts";

/** It builds what is stale, everything in a fresh clone. */
const START_MS_MAX = 600_000;
const STOP_MS_MAX = 60_000;

const storage = mkdtempSync(join(tmpdir(), "rivetkit-start-"));
const start = () =>
	new StartedApp("npm start", {
		cwd: repoRoot,
		env: { ...process.env, RIVETKIT_STORAGE_PATH: storage },
	});
const COMMAND = /^\s*(curl [^\n]*[^\\\n])\n/m;

let app = start();
let command = "";
const checks: Check[] = [
	{
		title: "npm start proposes a curl command",
		run: async () => {
			const [, proposed] = await app.printed(COMMAND, START_MS_MAX);
			command = proposed!;
		},
	},
	{
		title: "the proposed command works",
		run: async () => {
			const curl = spawn("bash", [
				"-c",
				`${command} --silent --show-error --fail-with-body --max-time 60`,
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
		run: () => app.interrupt(STOP_MS_MAX),
	},
	{
		title: "nothing of it stays when npm is killed",
		run: async () => {
			app = start();
			await app.printed(COMMAND, START_MS_MAX);
			app.killAlone();
			await app.ended(STOP_MS_MAX);
		},
	},
];

try {
	process.exitCode = await runChecks(checks);
} finally {
	await app.kill();
	rmSync(storage, { recursive: true, force: true });
}
