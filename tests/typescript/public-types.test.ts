import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

// The type tests of the repository's own TypeScript run with `npm run typecheck`; these are the others
// that users have (contract: api 4.2, 22).
const here = dirname(fileURLToPath(import.meta.url));

describe("public types", () => {
	it.each(["5.7", "5.9"])(
		"infer the same on TypeScript %s",
		async (version) => {
			const lines = await compile(version);
			// Users see declarations, which are not checked; so what an older compiler says of our sources
			// does not count.
			expect(lines.filter((line) => line.includes("test/types/"))).toEqual([]);
		},
		120_000,
	);

	it("are checked at all", async () => {
		const lines = await compile("5.7", ["--noUnusedLocals", "--listFilesOnly"]);
		expect(lines.filter((line) => line.endsWith(".test-d.ts")).length).toBeGreaterThan(5);
	}, 120_000);
});

/** What the compiler of one version prints about the type tests. */
function compile(version: string, flags: readonly string[] = []): Promise<string[]> {
	const project = join(here, version);
	const require = createRequire(join(project, "package.json"));
	const manifest = require("typescript/package.json") as { version: string };
	expect(manifest.version.startsWith(`${version}.`)).toBe(true);
	const args = [require.resolve("typescript/lib/tsc.js"), "-p", project, ...flags];
	return new Promise((resolve, reject) => {
		execFile(process.execPath, args, { maxBuffer: 2 ** 26 }, (error, stdout) => {
			// A compiler that found something ends with a code; one that could not be run does not.
			if (error && typeof error.code !== "number") reject(error);
			else resolve(stdout.split("\n"));
		});
	});
}
