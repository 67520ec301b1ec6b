interface Executor {
	execute<R>(sql: string, ...parameters: unknown[]): Promise<R[]>;
}

/** Everything a database says of itself, to be compared. */
export interface DatabaseContent {
	readonly schema: { readonly name: string; readonly sql: string }[];
	readonly rows: Readonly<Record<string, string[]>>;
	readonly pragmas: Readonly<Record<string, unknown>>;
	readonly integrity: string[];
}

export async function contentOf(db: Executor): Promise<DatabaseContent> {
	const schema = await db.execute<{ name: string; sql: string; type: string }>(
		"SELECT name, sql, type FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name",
	);
	const rows: Record<string, string[]> = {};
	for (const { name, type } of schema) {
		if (type !== "table") continue;
		const found = await db.execute(`SELECT * FROM "${name.replaceAll('"', '""')}"`);
		rows[name] = found.map((row) => JSON.stringify(row, plain));
	}
	const pragmas: Record<string, unknown> = {};
	for (const name of ["user_version", "application_id", "page_count", "freelist_count"]) {
		pragmas[name] = Object.values((await db.execute<object>(`PRAGMA ${name}`))[0]!)[0];
	}
	const checks = await db.execute<{ integrity_check: string }>("PRAGMA integrity_check");
	return { schema, rows, pragmas, integrity: checks.map((row) => row.integrity_check) };
}

function plain(_key: string, value: unknown): unknown {
	if (typeof value === "bigint") return `${value}n`;
	return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
