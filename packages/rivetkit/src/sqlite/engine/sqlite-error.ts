/** What SQLite said: its message, its result code by name, and the statement it was about. */
export class SqliteError extends Error {
	override readonly name = "SqliteError";
	/** The extended result code: `SQLITE_CONSTRAINT_UNIQUE`. */
	readonly code: string;
	/** The extended result code as a number: 2067. */
	readonly errcode: number;
	/** The statement, cut to 1,000 characters; undefined when no statement was run. */
	readonly sql: string | undefined;

	constructor(message: string, errcode: number, sql?: string, options?: ErrorOptions) {
		super(message, options);
		this.errcode = errcode;
		this.code = codeName(errcode);
		this.sql = sql === undefined || sql.length <= SQL_SHOWN ? sql : `${sql.slice(0, SQL_SHOWN)}…`;
	}
}

const SQL_SHOWN = 1_000;

/** Result codes by number, https://sqlite.org/rescode.html. */
const PRIMARY: Readonly<Record<number, string>> = {
	1: "ERROR",
	2: "INTERNAL",
	3: "PERM",
	4: "ABORT",
	5: "BUSY",
	6: "LOCKED",
	7: "NOMEM",
	8: "READONLY",
	9: "INTERRUPT",
	10: "IOERR",
	11: "CORRUPT",
	12: "NOTFOUND",
	13: "FULL",
	14: "CANTOPEN",
	15: "PROTOCOL",
	17: "SCHEMA",
	18: "TOOBIG",
	19: "CONSTRAINT",
	20: "MISMATCH",
	21: "MISUSE",
	22: "NOLFS",
	23: "AUTH",
	25: "RANGE",
	26: "NOTADB",
};

/** Only constraints are worth telling apart. */
const CONSTRAINT: Readonly<Record<number, string>> = {
	1: "CHECK",
	2: "COMMITHOOK",
	3: "FOREIGNKEY",
	4: "FUNCTION",
	5: "NOTNULL",
	6: "PRIMARYKEY",
	7: "TRIGGER",
	8: "UNIQUE",
	9: "VTAB",
	10: "ROWID",
	11: "PINNED",
	12: "DATATYPE",
};

export const SQLITE_IOERR = 10;
export const SQLITE_CORRUPT = 11;
export const SQLITE_FULL = 13;
export const SQLITE_CANTOPEN = 14;
export const SQLITE_CONSTRAINT = 19;
export const SQLITE_NOTADB = 26;

/** The primary result code: what is in the low byte of an extended one. */
export function primaryCode(error: SqliteError): number {
	return error.errcode & 0xff;
}

function codeName(errcode: number): string {
	const primary = errcode & 0xff;
	const name = `SQLITE_${PRIMARY[primary] ?? errcode}`;
	const detail = primary === 19 ? CONSTRAINT[errcode >> 8] : undefined;
	return detail === undefined ? name : `${name}_${detail}`;
}
