// A history of changes to a database that only depends on its seed, for whoever carries it out: an actor
// in a process that is killed, and a model in memory.

import { createHash } from "node:crypto";

export type Run = (sql: string, ...parameters: (string | number | Uint8Array | null)[]) => unknown;

export const SCHEMA = `
	CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, value TEXT, data BLOB, step INTEGER);
	CREATE TABLE IF NOT EXISTS steps (step INTEGER PRIMARY KEY) WITHOUT ROWID;
	CREATE TABLE IF NOT EXISTS handled (step INTEGER PRIMARY KEY) WITHOUT ROWID;
`;

/** One step: what it does depends on seed and number alone. `run` may return promises. */
export async function takeStep(run: Run, seed: number, step: number): Promise<void> {
	const random = randomOf(seed * 100_003 + step);
	const upTo = (limit: number) => Math.floor(random() * limit);
	await run("INSERT INTO steps VALUES (?)", step);
	switch (upTo(9)) {
		case 0:
		case 1:
			for (let row = upTo(12); row >= 0; row--) {
				await run(
					"INSERT INTO items (value, data, step) VALUES (?, zeroblob(?), ?)",
					`v${step}-${row}`,
					upTo(200),
					step,
				);
			}
			return;
		case 2:
			await run(
				"UPDATE items SET value = value || ?, step = ? WHERE id % 7 = ?",
				`+${step}`,
				step,
				upTo(7),
			);
			return;
		case 3:
			await run("DELETE FROM items WHERE id % 11 = ?", upTo(11));
			return;
		case 4:
			await run(
				"INSERT INTO items (value, data, step) VALUES ('large', ?, ?)",
				new Uint8Array(upTo(40_000)).fill(step),
				step,
			);
			return;
		case 5:
			await run(
				upTo(2)
					? "CREATE INDEX IF NOT EXISTS by_value ON items (value)"
					: "DROP INDEX IF EXISTS by_value",
			);
			return;
		case 6:
			await run(
				"INSERT INTO items (value, step) SELECT value || 'c', ? FROM items ORDER BY id LIMIT ?",
				step,
				upTo(300),
			);
			return;
		case 7:
			await run("UPDATE items SET step = ? WHERE id = (SELECT max(id) FROM items)", step);
			return;
		default:
			if (step % 5 === 0) await run("DELETE FROM items WHERE id > ?", 400 + upTo(200));
			else await run("UPDATE items SET data = NULL WHERE id % 5 = ?", upTo(5));
	}
}

/** Equal for databases with equal content. */
export async function digestOf(
	rows: (sql: string) => Promise<unknown[]> | unknown[],
): Promise<string> {
	const hash = createHash("sha256");
	for (const sql of [
		"SELECT id, value, hex(data) AS data, step FROM items ORDER BY id",
		"SELECT step FROM steps ORDER BY step",
		"SELECT name FROM sqlite_schema ORDER BY name",
	]) {
		for (const row of await rows(sql)) hash.update(JSON.stringify(row));
	}
	return hash.digest("hex");
}

/** Numbers from 0 to 1 (mulberry32). */
export function randomOf(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
