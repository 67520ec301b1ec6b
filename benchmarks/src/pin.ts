import { execFileSync } from "node:child_process";

/**
 * Has a process, with all its threads, run on one processor. False where that cannot be asked for: without `taskset` (of
 * util-linux), or without that processor.
 */
export function pin(pid: number, processor: number): boolean {
	try {
		execFileSync("taskset", ["-a", "-p", "-c", `${processor}`, `${pid}`], { stdio: "ignore" });
		return true;
	} catch {
		return false;
	}
}
