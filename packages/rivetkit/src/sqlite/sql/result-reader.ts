import { catalogueError } from "@rivetkit/protocol";
import type { Bindings, SqliteStatement, SqlRow, SqlValue } from "../engine/engine.ts";
import { rowMaker } from "../engine/rows.ts";
import type { ControlStatements } from "./control-statements.ts";
import type { Prepared, Reading } from "./prepared.ts";

/** Rows between two looks at the clock while a result is read. */
const ROWS_PER_TIME_CHECK = 64;

export interface ResultLimits {
	/** Rows of one result. */
	readonly rowsMax: number;
	/** Bytes of one result. */
	readonly resultBytesMax: number;
	/** Longest time that reading one result may take (ms). */
	readonly timeoutMs: number;
}

/** How rows are handed out: by column, or as lists of values. */
export type RowShape = "rows" | "values";

/** What one shape gives. */
export type Shaped<Shape extends RowShape> = Shape extends "rows" ? SqlRow : SqlValue[];

/** Runs compiled statements and reads what they give, within limits. */
export class ResultReader {
	readonly #limits: ResultLimits;
	readonly #controls: ControlStatements;
	readonly #now: () => number;

	constructor(limits: ResultLimits, controls: ControlStatements, now: () => number) {
		this.#limits = limits;
		this.#controls = controls;
		this.#now = now;
	}

	/**
	 * Throws `SqliteError`, `database.too_many_rows`, `database.result_too_large` or
	 * `database.statement_timed_out`; a statement that writes has not written then.
	 *
	 * @param startMs - when it began; unused for a single row
	 */
	read<Shape extends RowShape>(
		prepared: Prepared,
		bindings: Bindings,
		shape: Shape,
		startMs: number,
	): Shaped<Shape>[] {
		if (prepared.reading === "nothing") {
			prepared.statement.run(bindings);
			return [];
		}
		const { statement } = prepared;
		const source = shape === "rows" ? statement : statement.withEveryColumn;
		const values = this.#values(source, prepared.reading, bindings, startMs);
		if (shape === "values" || values.length === 0) return values as Shaped<Shape>[];
		prepared.toRow ??= rowMaker(statement.columns!);
		const rows = values as unknown[];
		for (let index = 0; index < rows.length; index++) rows[index] = prepared.toRow(values[index]!);
		return rows as Shaped<Shape>[];
	}

	#values(
		source: SqliteStatement,
		reading: Exclude<Reading, "nothing">,
		bindings: Bindings,
		startMs: number,
	): SqlValue[][] {
		switch (reading) {
			case "single row": {
				const row = source.get(bindings);
				if (row === undefined) return [];
				const bytes = sizeOf(row);
				if (bytes > this.#limits.resultBytesMax) refuseBytes(this.#limits.resultBytesMax);
				return [row];
			}
			case "row by row":
				return this.#rowByRow(source, bindings, startMs);
			case "whole":
				return this.#whole(source, bindings);
			case "returned":
				return this.#controls.inSavepoint("rivetkit_rows", () => this.#whole(source, bindings));
		}
	}

	#whole(source: SqliteStatement, bindings: Bindings): SqlValue[][] {
		const { rowsMax, resultBytesMax } = this.#limits;
		const rows = source.all(bindings);
		if (source.columns?.length === 0) return [];
		if (rows.length > rowsMax) refuseRows(rowsMax);
		let bytes = 0;
		for (const row of rows) bytes += sizeOf(row);
		if (bytes > resultBytesMax) refuseBytes(resultBytesMax);
		return rows;
	}

	#rowByRow(source: SqliteStatement, bindings: Bindings, startMs: number): SqlValue[][] {
		const { rowsMax, resultBytesMax, timeoutMs } = this.#limits;
		const rows: SqlValue[][] = [];
		let bytes = 0;
		for (const row of source.iterate(bindings)) {
			rows.push(row);
			bytes += sizeOf(row);
			if (rows.length > rowsMax) refuseRows(rowsMax);
			if (bytes > resultBytesMax) refuseBytes(resultBytesMax);
			if (rows.length % ROWS_PER_TIME_CHECK === 0 && this.#now() - startMs > timeoutMs) {
				throw catalogueError("database.statement_timed_out", { limit: timeoutMs });
			}
		}
		return rows;
	}
}

/** About what a row takes in memory, strings counted by their characters. */
function sizeOf(row: readonly SqlValue[]): number {
	let bytes = 0;
	for (let index = 0; index < row.length; index++) {
		const value = row[index]!;
		if (typeof value === "string") bytes += value.length;
		else if (typeof value === "object" && value !== null) bytes += value.byteLength;
		else bytes += 8;
	}
	return bytes;
}

function refuseRows(limit: number): never {
	throw catalogueError("database.too_many_rows", { limit });
}

function refuseBytes(limit: number): never {
	throw catalogueError("database.result_too_large", { limit });
}
