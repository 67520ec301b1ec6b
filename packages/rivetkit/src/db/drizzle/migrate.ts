import { createHash } from "node:crypto";
import { catalogueError } from "@rivetkit/protocol";
import type { SqlDatabase, SqlValuesExecutor } from "../../actor/database.types.ts";

/** What drizzle-kit's "durable-sqlite" output exports. */
export interface DrizzleMigrations {
	readonly journal: {
		readonly entries: readonly {
			readonly idx: number;
			/** Milliseconds since the epoch. */
			readonly when: number;
			readonly tag: string;
			readonly breakpoints?: boolean;
		}[];
	};
	/** SQL by `m` and the four-digit index: `m0000`. */
	readonly migrations: Readonly<Record<string, string>>;
}

interface Migration {
	readonly tag: string;
	readonly when: number;
	readonly sql: string;
	/** SHA-256 of the SQL, in hex, as drizzle-kit computes it. */
	readonly hash: string;
}

/**
 * Runs the migrations that the database does not have, in the order of the journal, each in a transaction
 * of its own, and records them in `__drizzle_migrations` (api 11.2, lifecycle W-DB-5).
 *
 * Foreign keys are not enforced meanwhile, as drizzle-kit's way of changing a table (a new one, copy, drop
 * the old one, rename) would delete the rows that refer to it; they are checked before each commit.
 */
export async function migrate(database: SqlDatabase, input: DrizzleMigrations): Promise<void> {
	const migrations = readMigrations(input);
	await database.execute(
		"CREATE TABLE IF NOT EXISTS __drizzle_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL, created_at NUMERIC)",
	);
	const applied = await database.execute<{ hash: string; created_at: number }>(
		"SELECT hash, created_at FROM __drizzle_migrations ORDER BY created_at",
	);
	assertUnchanged(migrations, applied);
	const lastWhen = applied.at(-1)?.created_at ?? Number.NEGATIVE_INFINITY;
	const pending = migrations.filter(({ when }) => when > lastWhen);
	if (pending.length === 0) return;
	await database.execute("PRAGMA foreign_keys = OFF");
	try {
		for (const migration of pending) await apply(database, migration);
	} finally {
		await database.execute("PRAGMA foreign_keys = ON");
	}
}

/** Throws a `TypeError` for what drizzle-kit would not write, such as the module around it. */
export function checkMigrations(given: Partial<DrizzleMigrations> | null): void {
	const { journal, migrations } = given ?? {};
	if (Array.isArray(journal?.entries) && typeof migrations === "object") return;
	throw new TypeError(
		"db({ migrations }) takes { journal: { entries }, migrations }: the default export of drizzle-kit's migrations.js, or what readMigrations(folder) returns",
	);
}

function readMigrations({ journal, migrations }: DrizzleMigrations): Migration[] {
	return journal.entries
		.map(({ idx, when, tag }) => {
			const sql = migrations[`m${String(idx).padStart(4, "0")}`];
			if (typeof sql !== "string") {
				throw catalogueError("database.migration_failed", {
					migration: tag,
					reason: `its SQL is missing: expected migrations.m${String(idx).padStart(4, "0")}`,
				});
			}
			return { tag, when, sql, hash: createHash("sha256").update(sql).digest("hex") };
		})
		.sort((a, b) => a.when - b.when);
}

/** Databases of others record no hash; there is nothing to compare then. */
function assertUnchanged(
	migrations: readonly Migration[],
	applied: readonly { hash: string; created_at: number }[],
): void {
	const hashes = new Map(applied.map(({ hash, created_at }) => [Number(created_at), hash]));
	for (const { tag, when, hash } of migrations) {
		const recorded = hashes.get(when);
		if (recorded === undefined || recorded === "" || recorded === hash) continue;
		throw catalogueError("database.migration_changed", { migration: tag });
	}
}

async function apply(database: SqlDatabase, { tag, when, sql, hash }: Migration): Promise<void> {
	try {
		await database.transaction(async (tx) => {
			const before = await brokenReferences(tx);
			await tx.execute(sql);
			const broken = (await brokenReferences(tx)).filter((row) => !before.includes(row));
			if (broken.length > 0) {
				throw new Error(
					`it leaves foreign keys without a target: ${broken.slice(0, 5).join("; ")}`,
				);
			}
			await tx.execute(
				"INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)",
				hash,
				when,
			);
		});
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw catalogueError("database.migration_failed", { migration: tag, reason }, { cause: error });
	}
}

/** "row 3 of comments refers to posts", per violation. */
async function brokenReferences(tx: SqlValuesExecutor): Promise<string[]> {
	const rows = await tx.execute<{ table: string; rowid: number | null; parent: string }>(
		"PRAGMA foreign_key_check",
	);
	return rows.map(
		({ table, rowid, parent }) => `row ${rowid ?? "?"} of ${table} refers to ${parent}`,
	);
}
