import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { repoRoot } from "./workspaces.ts";

/** What Node is to run for a program: in test runs its bundle (`scripts/vitest-programs.ts`), elsewhere its source. */
export function programFile(source: string): string {
	const bundles = process.env.TEST_PROGRAMS;
	if (bundles === undefined) return source;
	const bundle = join(bundles, relative(repoRoot, source).replace(/\.ts$/, ".mjs"));
	if (!existsSync(bundle)) throw new Error(`scripts/vitest-programs.ts does not name ${source}`);
	return bundle;
}
