import fs from "node:fs";
import os from "node:os";

let bootId: string | null = null;

/**
 * Names the time since the system last started: as long as it is the same, what a killed process wrote is
 * still as it wrote it, synced or not.
 */
export function currentBoot(): string {
	bootId ??= readBootId();
	return bootId;
}

function readBootId(): string {
	try {
		return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch {
		// Not Linux. A boot takes longer than the clock is wrong by; when the clock is set, files that are
		// still good are not recognised, which only costs time.
		const bootedMs = Date.now() - os.uptime() * 1000;
		return `booted at ${Math.round(bootedMs / 10_000)}`;
	}
}
