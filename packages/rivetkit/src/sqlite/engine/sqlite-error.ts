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

/** Extended result codes that are worth telling apart. */
const EXTENDED: Readonly<Record<number, string>> = {
	267: "CORRUPT_VTAB",
	275: "CONSTRAINT_CHECK",
	531: "CONSTRAINT_COMMITHOOK",
	787: "CONSTRAINT_FOREIGNKEY",
	1043: "CONSTRAINT_FUNCTION",
	1299: "CONSTRAINT_NOTNULL",
	1555: "CONSTRAINT_PRIMARYKEY",
	1811: "CONSTRAINT_TRIGGER",
	2067: "CONSTRAINT_UNIQUE",
	2323: "CONSTRAINT_VTAB",
	2579: "CONSTRAINT_ROWID",
	2835: "CONSTRAINT_PINNED",
	3091: "CONSTRAINT_DATATYPE",
};

export const SQLITE_IOERR = 10;
export const SQLITE_CORRUPT = 11;
/** A virtual table is not consistent in itself: an FTS5 index that does not fit its content table. */
export const SQLITE_CORRUPT_VTAB = 267;
export const SQLITE_FULL = 13;
export const SQLITE_CANTOPEN = 14;
export const SQLITE_CONSTRAINT = 19;
export const SQLITE_NOTADB = 26;

/** The primary result code: what is in the low byte of an extended one. */
export function primaryCode(error: SqliteError): number {
	return error.errcode & 0xff;
}

function codeName(errcode: number): string {
	return `SQLITE_${EXTENDED[errcode] ?? PRIMARY[errcode & 0xff] ?? errcode}`;
}
