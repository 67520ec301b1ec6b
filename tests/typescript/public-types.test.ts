import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { check } from "./5.9/type-errors.ts";

// The type tests of the repository's own TypeScript run with `npm run typecheck`; these are the others
// that users have (contract: api 4.2, 22).
const here = dirname(fileURLToPath(import.meta.url));

describe("public types", () => {
	it.each(["5.7", "5.9"])(
		"infer the same on TypeScript %s",
		(version) => {
			const project = join(here, version);
			const compiler = createRequire(join(project, "package.json"))("typescript");
			expect(compiler.version.startsWith(`${version}.`)).toBe(true);
			const { files, errors } = check(compiler, join(project, "tsconfig.json"));
			expect(errors).toEqual([]);
			expect(files.filter((file) => file.endsWith(".test-d.ts")).length).toBeGreaterThan(5);
		},
		300_000,
	);
});
