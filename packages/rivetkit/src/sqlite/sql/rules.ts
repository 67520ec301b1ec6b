import { catalogueError } from "@rivetkit/protocol";
import type { Authorizer } from "../engine/engine.ts";
import type { Token } from "./lexer.ts";
import type { ParsedStatement } from "./statements.ts";

/** Pragmas that may be read and set: they stay inside the database, or inside its connection. */
const SETTABLE: ReadonlySet<string> = new Set([
	"analysis_limit",
	"application_id",
	"auto_vacuum",
	"automatic_index",
	"case_sensitive_like",
	"cell_size_check",
	"checkpoint_fullfsync",
	"defer_foreign_keys",
	"encoding",
	"foreign_keys",
	"ignore_check_constraints",
	"legacy_alter_table",
	"recursive_triggers",
	"reverse_unordered_selects",
	"secure_delete",
	"trusted_schema",
	"user_version",
]);

/** Pragmas that do work on the database. */
const WORKING: ReadonlySet<string> = new Set(["incremental_vacuum", "optimize"]);

/** Pragmas that may take an argument and set nothing with it. */
const CALLABLE: ReadonlySet<string> = new Set([
	...WORKING,
	"collation_list",
	"compile_options",
	"foreign_key_check",
	"foreign_key_list",
	"function_list",
	"index_info",
	"index_list",
	"index_xinfo",
	"integrity_check",
	"module_list",
	"pragma_list",
	"quick_check",
	"shrink_memory",
	"table_info",
	"table_list",
	"table_xinfo",
]);

/** Pragmas that may only be read: their values are the runtime's business. */
const READABLE: ReadonlySet<string> = new Set([
	"busy_timeout",
	"cache_size",
	"cache_spill",
	"data_version",
	"database_list",
	"freelist_count",
	"fullfsync",
	"journal_mode",
	"journal_size_limit",
	"locking_mode",
	"max_page_count",
	"mmap_size",
	"page_count",
	"page_size",
	"query_only",
	"read_uncommitted",
	"schema_version",
	"synchronous",
	"temp_store",
	"threads",
	"wal_autocheckpoint",
]);

const MANAGED = "the runtime manages it: what an actor commits depends on it";

export interface Pragma {
	/** In lower case. */
	readonly name: string;
	/** Whether it is given a value or an argument. */
	readonly hasArgument: boolean;
}

/** Whether a PRAGMA may write. */
export function writesDatabase({ name, hasArgument }: Pragma): boolean {
	return WORKING.has(name) || (hasArgument && SETTABLE.has(name));
}

/** What a PRAGMA statement is about. Null when it has no name. */
export function readPragma(head: readonly Token[]): Pragma | null {
	const rest = head.slice(1);
	// `PRAGMA schema.name`
	const nameAt = rest[1]?.text === "." ? 2 : 0;
	const name = rest[nameAt];
	if (name === undefined) return null;
	return {
		name: plainName(name.text),
		hasArgument: rest.length > nameAt + 1,
	};
}

/** Pragmas that are kept in the file, or end with the transaction, and not with the connection. */
const NOT_OF_CONNECTION: ReadonlySet<string> = new Set([
	"application_id",
	"auto_vacuum",
	"defer_foreign_keys",
	"encoding",
	"user_version",
]);

/** Whether a PRAGMA changes a setting of the connection, which is lost when the connection closes. */
export function setsConnection({ name, hasArgument }: Pragma): boolean {
	return hasArgument && SETTABLE.has(name) && !NOT_OF_CONNECTION.has(name);
}

/**
 * Refuses what would take the database out of the runtime's hands (`database.statement_refused`): other
 * files, and settings that durability depends on. Only listed pragmas pass.
 */
export function assertAllowedStatement({ kind, head, text }: ParsedStatement): void {
	switch (kind) {
		case "read":
			assertAllowedExplain(head, text);
			break;
		case "attach":
			refuse(
				"ATTACH",
				"an actor's data is one database; other files would not be committed with it",
			);
			break;
		case "detach":
			refuse("DETACH", "nothing can be attached");
			break;
		case "vacuum":
			if (head.some((token) => token.kind === "word" && token.text === "INTO")) {
				refuse("VACUUM INTO", "it writes a file outside the actor's storage");
			}
			break;
		case "pragma":
			assertAllowedPragma(readPragma(head), text);
			break;
		default:
			break;
	}
}

/** Explained pragmas may be set nevertheless: SQLite carries some out while it compiles them. */
function assertAllowedExplain(head: readonly Token[], text: string): void {
	if (head[0]?.text !== "EXPLAIN") return;
	const at = head[1]?.text === "QUERY" ? 3 : 1;
	if (head[at]?.text === "PRAGMA") assertAllowedPragma(readPragma(head.slice(at)), text);
}

function assertAllowedPragma(pragma: Pragma | null, text: string): void {
	if (pragma === null) return;
	const { name, hasArgument } = pragma;
	if (SETTABLE.has(name) || CALLABLE.has(name)) return;
	if (READABLE.has(name)) {
		if (hasArgument) refuse(`PRAGMA ${name} with a value`, MANAGED);
		return;
	}
	const known = [...SETTABLE, ...CALLABLE, ...READABLE].sort().join(", ");
	refuse(
		text.length > 80 ? `PRAGMA ${name}` : text,
		`only pragmas that cannot break durability are allowed: ${known}`,
	);
}

function refuse(statement: string, reason: string): never {
	throw catalogueError("database.statement_refused", { statement, reason });
}

/** Action codes of https://sqlite.org/c3ref/c_alter_table.html. */
const SQLITE_PRAGMA = 19;
const SQLITE_ATTACH = 24;
const SQLITE_FUNCTION = 31;

/**
 * The same rules where the engine asks while it compiles: a second lock behind the first. Functions are
 * named by the second argument.
 */
export const allowsAction: Authorizer = (action, first, second) => {
	switch (action) {
		case SQLITE_ATTACH:
			// VACUUM attaches a nameless temporary file; VACUUM INTO one with a name.
			return first === "";
		case SQLITE_PRAGMA: {
			const name = first?.toLowerCase() ?? "";
			if (SETTABLE.has(name) || CALLABLE.has(name)) return true;
			return READABLE.has(name) && second === null;
		}
		case SQLITE_FUNCTION:
			return second?.toLowerCase() !== "load_extension";
		default:
			return true;
	}
};

function plainName(text: string): string {
	return text.replace(/^["'`[]|["'`\]]$/g, "").toLowerCase();
}
