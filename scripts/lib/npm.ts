import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs npm in a folder. Rejects with what it printed when it fails. */
export async function npm(cwd: string, ...commandArguments: string[]): Promise<void> {
	await run("npm", [...commandArguments, "--no-audit", "--no-fund", "--loglevel=error"], { cwd });
}
