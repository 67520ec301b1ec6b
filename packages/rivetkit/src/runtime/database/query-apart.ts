import type { Query } from "../../sqlite/apart/query-processes.ts";
import { toBindings } from "../../sqlite/sql/parameters.ts";
import { assertAllowedStatement } from "../../sqlite/sql/rules.ts";
import { parseStatements } from "../../sqlite/sql/statements.ts";

/** What these tell is about the connection they are asked on. */
const ABOUT_CONNECTION = /\b(?:last_insert_rowid|changes|total_changes)\b/i;

/**
 * The statements of a text, for another connection; null when it does more than read, or asks about the connection.
 * Throws `database.statement_refused` and `database.invalid_parameter`.
 */
export function statementsApart(sql: string, parameters: unknown[]): Query["statements"] | null {
	const parsed = parseStatements(sql);
	const isPlain = parsed.length === 1 || parameters.length === 0;
	if (!isPlain || parsed.some(({ kind }) => kind !== "read")) return null;
	if (ABOUT_CONNECTION.test(sql)) return null;
	return parsed.map((statement) => {
		assertAllowedStatement(statement);
		const bindings = toBindings(statement.parameters, parameters);
		const { numbered } = statement.parameters;
		if (!numbered || !Array.isArray(bindings)) return { text: statement.text, bindings };
		// Node.js before 22.16 takes `?1` for a name.
		const named = bindings.map((value, index) => [`?${index + 1}`, value]);
		return { text: statement.text, bindings: Object.fromEntries(named) };
	});
}
