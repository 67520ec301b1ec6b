/** The SQL that is measured, the same for every server. Returns how long it took inside (ms). */
export interface Sql {
	execute(sql: string, ...parameters: (number | string)[]): Promise<unknown[]> | unknown[];
	/** Runs work between BEGIN and COMMIT. */
	transaction(work: (sql: Pick<Sql, "execute">) => Promise<void>): Promise<void>;
}

export const ROWS = 100_000;

export const SCHEMA =
	"CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT, amount INTEGER)";
const INSERT = "INSERT INTO items (name, amount) VALUES (?, ?)";
const SELECT = "SELECT * FROM items WHERE id = ?";
const UPDATE = "UPDATE items SET amount = amount + 1 WHERE id = ?";

export type WorkName =
	| "fill"
	| "inserts"
	| "insertsTogether"
	| "selects"
	| "updates"
	| "scan"
	| "one";

/** Rows that are looked up or updated: far from each other, and the same for everybody. */
const rowAt = (index: number) => 1 + ((index * 7_919) % ROWS);

export async function doWork(sql: Sql, name: WorkName, count: number): Promise<number> {
	const began = performance.now();
	switch (name) {
		case "fill":
			await sql.execute(
				`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO items (name, amount) SELECT 'name' || i, i FROM n`,
			);
			break;
		case "inserts":
			for (let index = 0; index < count; index++) await sql.execute(INSERT, `name${index}`, index);
			break;
		case "insertsTogether":
			await sql.transaction(async (tx) => {
				for (let index = 0; index < count; index++) await tx.execute(INSERT, `name${index}`, index);
			});
			break;
		case "selects":
			for (let index = 0; index < count; index++) await sql.execute(SELECT, rowAt(index));
			break;
		case "updates":
			for (let index = 0; index < count; index++) await sql.execute(UPDATE, rowAt(index));
			break;
		case "scan": {
			const rows = await sql.execute(`SELECT * FROM items LIMIT ${count}`);
			if (rows.length !== count) throw new Error(`${rows.length} rows`);
			break;
		}
		case "one":
			await sql.execute(INSERT, "one", count);
			break;
	}
	return performance.now() - began;
}
