import type { SqliteConnection } from "../engine/engine.ts";

/**
 * Whether a query gives at most one row, because its plan only looks up unique keys. Decides how the
 * result is read: a single row at once, anything else row by row, so that limits can end it.
 */
export function givesSingleRow(connection: SqliteConnection, query: string): boolean {
	// Plans show `a IN (…)` and `a IS NULL` as `a=?`, and both may find several rows.
	if (/\b(?:IN|IS|ISNULL)\b/i.test(query)) return false;
	const plan = connection.prepare(`EXPLAIN QUERY PLAN ${query}`);
	try {
		// The last column is the one for people.
		const steps = plan.all([]).map((step) => String(step.at(-1)));
		return steps.length > 0 && steps.every((step) => isUniqueSearch(connection, step));
	} finally {
		plan.finalize();
	}
}

/** `SEARCH t USING INTEGER PRIMARY KEY (rowid=?)`, `SEARCH t USING INDEX name (a=? AND b=?)`. */
function isUniqueSearch(connection: SqliteConnection, step: string): boolean {
	if (!step.startsWith("SEARCH ")) return false;
	if (step.endsWith(" USING INTEGER PRIMARY KEY (rowid=?)")) return true;
	const index = / USING (?:COVERING )?INDEX (\S+) \(([^)]*)\)$/.exec(step);
	if (index === null) return false;
	const [, name, terms] = index;
	const equalities = terms!.split(" AND ");
	if (!equalities.every((term) => term.endsWith("=?"))) return false;
	return uniqueKeyLength(connection, name!) === equalities.length;
}

/** How many columns the key of a unique index has; null when it is not unique or is partial. */
function uniqueKeyLength(connection: SqliteConnection, index: string): number | null {
	const found = connection.prepare(
		`SELECT count(*) AS columns FROM sqlite_schema AS tables
		JOIN pragma_index_list(tables.name) AS list ON list.name = ?1 AND list."unique" = 1 AND list.partial = 0
		JOIN pragma_index_info(list.name) WHERE tables.type = 'table'`,
		{ numbered: true },
	);
	try {
		const columns = Number(found.get([index])?.[0]);
		return columns > 0 ? columns : null;
	} finally {
		found.finalize();
	}
}
