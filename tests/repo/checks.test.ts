import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const HANGING = fileURLToPath(new URL("children/hanging-check.ts", import.meta.url));

it("fails a check that hangs by its name, goes on with the next one, and ends", async () => {
	const ended = promisify(execFile)(process.execPath, [HANGING], { timeout: 60_000 });
	await expect(ended).rejects.toMatchObject({
		code: 1,
		stdout: [
			"FAILED  hangs",
			"        it took over 0.05 s",
			"ok      passes",
			"1 passed, 1 failed",
			"",
		].join("\n"),
	});
});
