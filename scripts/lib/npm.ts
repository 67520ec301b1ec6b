import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const QUIETLY = ["--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];

/** Runs npm in a folder, with what its cache has. Rejects with what it printed when it fails. */
export async function npm(cwd: string, ...commandArguments: string[]): Promise<void> {
	// First: what stands behind `--` is for the script.
	await run("npm", [...QUIETLY, ...commandArguments], { cwd });
}
