import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";

/** An empty directory that goes with the test that asked for it. */
export function temporaryDirectory(): string {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), "rivetkit-store-"));
	onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }));
	return directory;
}
