import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 100;
/** A holder writes its process id right after it made the file; one that never did is dead. */
const NAMELESS_MS_MAX = 5_000;

/**
 * Runs one critical section at a time over all processes of the checkout. The lock is a file that
 * holds the process id of its owner; an owner that is gone is stepped over.
 */
export async function withLock<T>(path: string, section: () => Promise<T>): Promise<T> {
	while (!tryAcquire(path)) await delay(POLL_MS);
	try {
		return await section();
	} finally {
		rmSync(path, { force: true });
	}
}

function tryAcquire(path: string): boolean {
	try {
		writeFileSync(path, String(process.pid), { flag: "wx" });
		return true;
	} catch (error) {
		if (codeOf(error) !== "EEXIST") throw error;
		if (isAbandoned(path)) rmSync(path, { force: true });
		return false;
	}
}

function isAbandoned(path: string): boolean {
	try {
		const owner = Number(readFileSync(path, "utf8"));
		if (owner > 0) return !isAlive(owner);
		return Date.now() - statSync(path).mtimeMs > NAMELESS_MS_MAX;
	} catch (error) {
		if (codeOf(error) === "ENOENT") return false;
		throw error;
	}
}

function isAlive(processId: number): boolean {
	try {
		process.kill(processId, 0);
		return true;
	} catch (error) {
		return codeOf(error) === "EPERM";
	}
}

function codeOf(error: unknown): string | undefined {
	return (error as NodeJS.ErrnoException).code;
}
