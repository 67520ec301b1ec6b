import type { SqliteConnection } from "../engine/engine.ts";

/** Opcodes (https://sqlite.org/opcode.html) that go on with the next one, or end the program. */
const STRAIGHT: ReadonlySet<unknown> = new Set([
	"Add",
	"Affinity",
	"BitAnd",
	"BitOr",
	"Blob",
	"Cast",
	"Close",
	"CollSeq",
	"Column",
	"Concat",
	"Copy",
	"DeferredSeek",
	"Divide",
	"Explain",
	"Function",
	"Halt",
	"IdxRowid",
	"Int64",
	"IntCopy",
	"Integer",
	"Move",
	"Multiply",
	"Noop",
	"Not",
	"Null",
	"OpenRead",
	"PureFunc",
	"Real",
	"RealAffinity",
	"Remainder",
	"ResultRow",
	"Rowid",
	"SCopy",
	"String",
	"String8",
	"Subtract",
	"Transaction",
	"Variable",
]);

/** Opcodes that may jump, and where to in their second operand. */
const JUMPS: ReadonlySet<unknown> = new Set([
	"DecrJumpZero",
	"Eq",
	"Found",
	"Ge",
	"Goto",
	"Gt",
	"IdxGE",
	"IdxGT",
	"IdxLE",
	"IdxLT",
	"If",
	"IfNot",
	"IfPos",
	"Init",
	"IsNull",
	"Le",
	"Lt",
	"MustBeInt",
	"Ne",
	"NotExists",
	"NotFound",
	"NotNull",
	"SeekGE",
	"SeekGT",
	"SeekLE",
	"SeekLT",
	"SeekRowid",
]);

/**
 * Whether a query gives at most one row whatever it is bound to, because nothing in its program can run
 * twice. Decides how the result is read: a single row at once, anything else row by row, so that limits
 * can end it. An opcode that is not known here, say one of a newer SQLite, counts as a loop.
 *
 * Its plan would not do: `id IN (…)`, also from `id = ? OR id = ?` or inside a view, looks like `id = ?`.
 */
export function givesSingleRow(connection: SqliteConnection, query: string): boolean {
	const explain = connection.prepare(`EXPLAIN ${query}`);
	try {
		return runsOnce(explain.all([]));
	} finally {
		explain.finalize();
	}
}

/** @param program - address, opcode, first operand, second operand, … */
function runsOnce(program: readonly (readonly unknown[])[]): boolean {
	let results = 0;
	/** Where the program begins; it then goes back to its first address, once. */
	let begin = Number.POSITIVE_INFINITY;
	for (const [address, opcode, , target] of program) {
		const at = Number(address);
		const to = Number(target);
		if (opcode === "ResultRow") results++;
		if (opcode === "Init") begin = to;
		if (STRAIGHT.has(opcode)) continue;
		if (!JUMPS.has(opcode)) return false;
		const isReturnFromBegin = opcode === "Goto" && to === 1 && at >= begin;
		if (to <= at && !isReturnFromBegin) return false;
	}
	return results === 1;
}
