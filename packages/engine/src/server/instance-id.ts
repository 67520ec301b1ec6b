import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { resolve } from "node:path";

/** What callers on this machine may know about a server: which process it is and whose data it serves. */
export interface ServerInstance {
	readonly pid: number;
	/** Fingerprint of the data directory's path; absent for a store without one. */
	readonly data?: string;
}

/** The same for every process that uses this directory, and silent about where it is. */
export function dataDirectoryFingerprint(directory: string): string {
	let path = resolve(directory);
	try {
		path = realpathSync(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
			throw error;
		}
	}
	return createHash("sha256").update(`rivetkit data directory\n${path}`).digest("hex").slice(0, 32);
}
