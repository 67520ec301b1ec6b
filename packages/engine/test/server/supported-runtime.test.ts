import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { unsupportedRuntime } from "@rivetkit/protocol";
import { expect, test } from "vitest";

test.each([
	["22.13.0", false],
	["22.20.1", false],
	["23.0.0", false],
	["24.21.0", false],
	["22.12.9", true],
	["20.20.2", true],
	["18.0.0", true],
	[undefined, false],
])("Node %s is refused: %s", (version, refused) => {
	expect(unsupportedRuntime(version) !== undefined).toBe(refused);
});

test("a process on an older Node ends with one sentence and exit code 1", async () => {
	const module = new URL("../../src/server/supported-runtime.ts", import.meta.url);
	const script = `
		Object.defineProperty(process, "versions", { value: { node: "20.20.2" } });
		const { assertSupportedRuntime } = await import(${JSON.stringify(module.href)});
		assertSupportedRuntime();
		console.log("went on");
	`;
	const outcome = await new Promise((resolve) => {
		execFile(
			process.execPath,
			[
				"--conditions=@rivetkit/source",
				"--no-warnings",
				"--experimental-strip-types",
				"--input-type=module",
				"-e",
				script,
			],
			(error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }),
		);
	});
	expect(outcome).toEqual({
		code: 1,
		stdout: "",
		stderr:
			"RivetKit needs Node.js 22.13 or newer; this is Node.js 20.20.2. Install a newer Node.js (https://nodejs.org) and run the same command again.\n",
	});
});

test("the module imports nothing that an older Node could stumble over", () => {
	const path = fileURLToPath(
		new URL("../../../protocol/src/supported-runtime.ts", import.meta.url),
	);
	expect(readFileSync(path, "utf8")).not.toMatch(/^import /m);
});
