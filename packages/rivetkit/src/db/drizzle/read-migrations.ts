import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DrizzleMigrations } from "./migrate.ts";

/**
 * What drizzle-kit wrote into a folder (its `out`), for `migrations` of {@link db}. The `migrations.js` in
 * it imports SQL files, which only bundlers can do; this reads the same files. Throws when one is missing.
 *
 * @param folder - a path, or a URL such as `new URL("../drizzle", import.meta.url)`
 */
export function readMigrations(folder: string | URL): DrizzleMigrations {
	const path = typeof folder === "string" ? folder : fileURLToPath(folder);
	const journal = JSON.parse(
		readFileSync(join(path, "meta", "_journal.json"), "utf8"),
	) as DrizzleMigrations["journal"];
	const migrations = Object.fromEntries(
		journal.entries.map(({ idx, tag }) => [
			`m${String(idx).padStart(4, "0")}`,
			readFileSync(join(path, `${tag}.sql`), "utf8"),
		]),
	);
	return { journal, migrations };
}
