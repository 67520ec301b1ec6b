import type { Query } from "../../../src/sqlite/apart/query-processes.ts";

/** A query that computes until somebody ends it, within ten minutes. */
export function endless(path: string): Query {
	const text =
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
	return {
		path,
		settings: [],
		statements: [{ text, bindings: [] }],
		limits: { rowsMax: 10, resultBytesMax: 1_000, timeoutMs: 600_000 },
	};
}
