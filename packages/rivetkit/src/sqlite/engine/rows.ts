import type { SqlRow, SqlValue } from "./engine.ts";

/** Turns lists of values into rows of these columns. */
export function rowMaker(columns: readonly string[]): (values: readonly SqlValue[]) => SqlRow {
	// Assigning to `__proto__` would change the prototype (ruling 24).
	if (columns.includes("__proto__")) {
		return (values) => Object.fromEntries(columns.map((name, index) => [name, values[index]!]));
	}
	const count = columns.length;
	return (values) => {
		const row: SqlRow = {};
		for (let index = 0; index < count; index++) row[columns[index]!] = values[index]!;
		return row;
	};
}

/** Wide integers that fit become numbers, in place. */
export function narrow(values: SqlValue[]): SqlValue[] {
	for (let index = 0; index < values.length; index++) {
		const value = values[index];
		if (typeof value !== "bigint") continue;
		const number = Number(value);
		if (Number.isSafeInteger(number)) values[index] = number;
	}
	return values;
}
