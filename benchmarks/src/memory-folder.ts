import { statfsSync } from "node:fs";

const SHARED_MEMORY = "/dev/shm";
/** Types of file systems that are in memory, as `statfs` tells them on Linux: tmpfs, ramfs. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x0102_1994, 0x8584_58f6]);

/** Whether files of this folder are in memory. False where that cannot be told. */
export function isInMemory(folder: string): boolean {
	try {
		return process.platform === "linux" && IN_MEMORY.has(statfsSync(folder).type);
	} catch {
		return false;
	}
}

/** A folder in memory; undefined when the machine has none. */
export function memoryFolder(): string | undefined {
	return isInMemory(SHARED_MEMORY) ? SHARED_MEMORY : undefined;
}
