import type { SqliteConnection, SqliteStatement, SqlRow, SqlValue } from "../engine/engine.ts";
import { floatParameters } from "./float-parameters.ts";
import { givesSingleRow } from "./single-row.ts";
import type { CachedEntry } from "./statement-cache.ts";
import type { ParsedStatement } from "./statements.ts";

/** How the rows of a statement are read. */
export type Reading = "nothing" | "single row" | "row by row" | "whole" | "returned";

/** A compiled statement, and how it is run. */
export interface Prepared extends CachedEntry {
	readonly parsed: ParsedStatement;
	readonly statement: SqliteStatement;
	/** Whether the next three are known; not worth the while for what runs once. */
	isTuned: boolean;
	/** See `float-parameters.ts`. */
	floats: number;
	reading: Reading;
	/** It need not be timed by itself. */
	isFast: boolean;
	/** Made with the first row. */
	toRow: ((values: readonly SqlValue[]) => SqlRow) | null;
	/** Reads or writes rows and nothing else, and can share a transaction with others. */
	readonly isPlain: boolean;
	readonly writes: boolean;
}

/** Compiles a statement that runs once, as far as anybody knows. Throws `SqliteError`. */
export function prepare(connection: SqliteConnection, parsed: ParsedStatement): Prepared {
	const { kind, text, parameters, returning } = parsed;
	const statement = connection.prepare(text, {
		numbered: parameters.numbered,
		runsOnce: returning || kind === "other",
	});
	const isPlain = kind === "read" || kind === "write" || kind === "other";
	return {
		parsed,
		statement,
		isTuned: false,
		floats: 0,
		toRow: null,
		isPlain: isPlain && !parsed.mayRollBack,
		writes: kind !== "read",
		reading: readingOf(parsed, statement),
		isFast: false,
		used: false,
		drop: () => statement.finalize(),
	};
}

/** A statement is used again: from now on it runs the fastest way that is right for it. */
export function tune(connection: SqliteConnection, prepared: Prepared): void {
	const { parsed, isPlain, writes } = prepared;
	prepared.isTuned = true;
	prepared.floats = floatParameters(connection, parsed);
	const isQuery = !writes && !/^EXPLAIN\b/i.test(parsed.text);
	if (isQuery && givesSingleRow(connection, parsed.text)) prepared.reading = "single row";
	const { reading } = prepared;
	prepared.isFast =
		isPlain && parsed.onConflict === null && (reading === "nothing" || reading === "single row");
}

function readingOf({ kind, returning }: ParsedStatement, { columns }: SqliteStatement): Reading {
	// Also without columns: PRAGMA incremental_vacuum does a page's work per row.
	if (kind === "pragma") return "whole";
	if (columns?.length === 0) return "nothing";
	if (kind === "read") return "row by row";
	if (kind === "other") return "whole";
	// Engines that do not know the columns leave it to the text.
	return columns !== null || returning ? "returned" : "nothing";
}
