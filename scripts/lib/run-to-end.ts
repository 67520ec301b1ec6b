import { spawn } from "node:child_process";
import "./end-with-starter.ts";

const END_WITH_STARTER = new URL("./end-with-starter.ts", import.meta.url).href;

/**
 * Runs a program of Node's in this one's place: it gets the terminal and what is to stop this process, and this process ends as it
 * does. When this process is killed, or the one that started it, the program is stopped as by SIGTERM.
 */
export function runToEnd(file: string, { cwd }: { readonly cwd: string }): void {
	const program = spawn(process.execPath, ["--import", END_WITH_STARTER, file], {
		cwd,
		stdio: ["inherit", "inherit", "inherit", "ipc"],
	});
	// The terminal signals the program as well; leave when it has shut down in its own way.
	process.on("SIGINT", () => {});
	process.on("SIGTERM", () => program.kill("SIGTERM"));
	program.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}
