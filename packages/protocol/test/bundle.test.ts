import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "tsdown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The client as a whole must stay under 20 kB; this is our share. */
const GZIP_BYTES_MAX = 11_000;

describe("what a browser client bundles of this package", () => {
	const outDir = mkdtempSync(join(tmpdir(), "rivetkit-bundle-"));
	let code = "";

	beforeAll(async () => {
		await build({
			config: false,
			entry: { client: fileURLToPath(new URL("support/client-entry.ts", import.meta.url)) },
			outDir,
			format: "esm",
			platform: "browser",
			minify: true,
			dts: false,
			logLevel: "error",
		});
		const [file = ""] = readdirSync(outDir);
		code = readFileSync(join(outDir, file), "utf8");
	});
	afterAll(() => rmSync(outDir, { recursive: true, force: true }));

	it(`has at most ${GZIP_BYTES_MAX} bytes gzipped`, () => {
		const { length } = gzipSync(code, { level: 9 });
		expect(length).toBeLessThanOrEqual(GZIP_BYTES_MAX);
		expect(length).toBeGreaterThan(5000);
	});

	it("holds neither the catalogue nor the inspector nor the server's half", () => {
		for (const text of ["Raw WebSocket handler", "ScheduleDelete", "rvt-x", "query_missing_pool"]) {
			expect(code).not.toContain(text);
		}
	});

	it("runs without Node", () => {
		expect(code).not.toMatch(/\bimport\b[^(]*\bfrom\b/);
		expect(code).not.toMatch(/\bprocess\b|\brequire\(|\bnode:/);
	});
});
