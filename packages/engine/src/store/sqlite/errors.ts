import { StoreError, type StoreErrorCode } from "../store.ts";

/** Primary result codes of SQLite that mean something to the store (https://sqlite.org/rescode.html). */
const RESULT = {
	busy: 5,
	locked: 6,
	readOnly: 8,
	ioError: 10,
	corrupt: 11,
	full: 13,
	cannotOpen: 14,
	notADatabase: 26,
} as const;

/** Growing the wal-index failed; on a full disk this comes before `full` does. */
const IO_ERROR_SHM_SIZE = 10 | (19 << 8);

/** Deno leaves the code out of some errors; SQLite's own texts stand in for it. */
const RESULT_OF_MESSAGE: readonly (readonly [text: string, code: number])[] = [
	["database is locked", RESULT.busy],
	["database table is locked", RESULT.locked],
	["attempt to write a readonly database", RESULT.readOnly],
	["disk I/O error", RESULT.ioError],
	["database disk image is malformed", RESULT.corrupt],
	["database or disk is full", RESULT.full],
	["unable to open database file", RESULT.cannotOpen],
	["file is not a database", RESULT.notADatabase],
];

/** SQLite's (extended) result code of an error that one of the engines threw. */
export function resultCodeOf(error: unknown): number | undefined {
	if (!(error instanceof Error)) {
		return undefined;
	}
	const { errcode, errno } = error as { errcode?: unknown; errno?: unknown };
	if (typeof errcode === "number") {
		return errcode;
	}
	if (typeof errno === "number" && error.name === "SQLiteError") {
		return errno;
	}
	return RESULT_OF_MESSAGE.find(([text]) => error.message.startsWith(text))?.[1];
}

/** Whether somebody else holds a lock that the statement needed: worth another try. */
export function isBusy(error: unknown): boolean {
	const code = resultCodeOf(error);
	return code !== undefined && ((code & 0xff) === RESULT.busy || (code & 0xff) === RESULT.locked);
}

/**
 * What the caller of the store is told about an engine's or the file system's error. Errors that are
 * neither are passed through: they are mistakes in this package, not conditions of the disk.
 */
export function toStoreError(error: unknown, path: string, doing: string): Error {
	if (error instanceof StoreError) {
		return error;
	}
	const code = storeErrorCodeOf(error);
	if (code === undefined) {
		return error instanceof Error ? error : new Error(String(error));
	}
	const reason = (error as Error).message;
	const advice = isFileInTheWay(error) ? FILE_IN_THE_WAY : ADVICE[code];
	return new StoreError(code, path, `${doing} ${path}: ${reason}. ${advice}`, { cause: error });
}

const FILE_IN_THE_WAY =
	"A file is where a directory should be: choose another directory (RIVETKIT_STORAGE_PATH), or move the file away.";

function isFileInTheWay(error: unknown): boolean {
	const { code } = error as { code?: unknown };
	return code === "ENOTDIR" || code === "EEXIST";
}

/** Those that a store in a file can have. */
type SqliteErrorCode = Exclude<StoreErrorCode, "unavailable" | "pooled">;

const ADVICE: Record<SqliteErrorCode, string> = {
	locked:
		"Another program has locked it, perhaps an SQLite tool with an open transaction: end that transaction or close the program.",
	full: "There is no space left: free some on this disk (or raise its quota). What was already confirmed is safe.",
	read_only:
		"It cannot be written: make the directory and the files in it writable for this user, or choose another directory (RIVETKIT_STORAGE_PATH).",
	damaged:
		"The file is damaged. Nothing was overwritten: restore the whole directory from a backup, or move it away to start empty.",
	newer_format:
		"Use the newer version that wrote it, or another directory (RIVETKIT_STORAGE_PATH).",
	failed:
		"What is on disk is now unknown, so nothing more is accepted: check the disk and restart the process.",
	unsupported: "Use Node.js 22.13 or newer, Bun or Deno.",
	closed: "Open the store again.",
};

function storeErrorCodeOf(error: unknown): SqliteErrorCode | undefined {
	const systemCode = (error as { code?: unknown } | null)?.code;
	switch (systemCode) {
		case "ENOSPC":
		case "EDQUOT":
			return "full";
		case "EACCES":
		case "EPERM":
		case "EROFS":
		case "ENOTDIR":
		case "EEXIST":
		case "ENOENT":
			return "read_only";
	}
	const result = resultCodeOf(error);
	if (result === undefined) {
		return undefined;
	}
	if (result === IO_ERROR_SHM_SIZE) {
		return "full";
	}
	switch (result & 0xff) {
		case RESULT.busy:
		case RESULT.locked:
			return "locked";
		case RESULT.readOnly:
		case RESULT.cannotOpen:
			return "read_only";
		case RESULT.corrupt:
		case RESULT.notADatabase:
			return "damaged";
		case RESULT.full:
			return "full";
		case RESULT.ioError:
			return "failed";
		default:
			return undefined;
	}
}
