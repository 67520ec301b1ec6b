import { type Token, tokenize } from "./lexer.ts";

/** What a statement does, as far as its text tells. */
export type StatementKind =
	/** Only reads: SELECT, VALUES, EXPLAIN. */
	| "read"
	/** Changes rows. */
	| "write"
	/** Changes the schema, or the statistics that plans are made from. */
	| "schema"
	| "pragma"
	/** Cannot run inside a transaction. */
	| "vacuum"
	| "attach"
	| "detach"
	/** Transaction control. */
	| "begin"
	| "commit"
	| "rollback"
	| "savepoint"
	| "release"
	| "rollbackTo"
	/** Unknown: SQLite says what it thinks of it. */
	| "other";

export interface Parameters {
	/** How many `?`, or the highest number of `?1`. */
	readonly positional: number;
	/** Whether they are written `?1`. */
	readonly numbered: boolean;
	/** Full names in the order of their first appearance: `:id`. */
	readonly names: readonly string[];
	/** More than one kind: SQLite numbers them together, and nobody can read what that means. */
	readonly mixed: boolean;
}

/** One statement of a text, without its semicolon. */
export interface ParsedStatement {
	readonly text: string;
	readonly kind: StatementKind;
	readonly parameters: Parameters;
	/** Its first tokens, for who needs to look closer. */
	readonly head: readonly Token[];
	/** RETURNING appears in it. */
	readonly returning: boolean;
	/** What it does about conflicts, if it says so: INSERT OR IGNORE, REPLACE. */
	readonly onConflict: "ABORT" | "FAIL" | "IGNORE" | "REPLACE" | "ROLLBACK" | null;
	/** ROLLBACK appears in it as more than its first word: a conflict may end the transaction. */
	readonly mayRollBack: boolean;
	/** It creates something in the temporary schema, which lives as long as the connection. */
	readonly temporary: boolean;
}

/** Tokens kept of each statement: enough for every rule, little for a long script. */
const HEAD_TOKENS = 16;

const KINDS: Readonly<Record<string, StatementKind>> = {
	SELECT: "read",
	VALUES: "read",
	EXPLAIN: "read",
	INSERT: "write",
	REPLACE: "write",
	UPDATE: "write",
	DELETE: "write",
	CREATE: "schema",
	ALTER: "schema",
	DROP: "schema",
	REINDEX: "schema",
	ANALYZE: "schema",
	PRAGMA: "pragma",
	VACUUM: "vacuum",
	ATTACH: "attach",
	DETACH: "detach",
	BEGIN: "begin",
	COMMIT: "commit",
	END: "commit",
	ROLLBACK: "rollback",
	SAVEPOINT: "savepoint",
	RELEASE: "release",
};

const RESOLUTIONS = new Set(["ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"]);

/** Verbs that may follow a WITH clause. */
const WITH_VERBS = new Set(["SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"]);

/**
 * Cuts SQL into its statements. A text without any (comments only) gives none. Semicolons inside strings
 * and the bodies of triggers separate nothing.
 */
export function parseStatements(sql: string): ParsedStatement[] {
	const statements: ParsedStatement[] = [];
	let reader = new StatementReader();
	for (const token of tokenize(sql)) {
		if (reader.endsAt(token)) {
			if (!reader.isEmpty) statements.push(reader.finish(sql));
			reader = new StatementReader();
		} else {
			reader.add(token);
		}
	}
	if (!reader.isEmpty) statements.push(reader.finish(sql));
	return statements;
}

/** Gathers what is worth knowing of one statement while its tokens pass. */
class StatementReader {
	readonly #head: Token[] = [];
	#end = 0;
	#depth = 0;
	#verb: string | null = null;
	#isTrigger = false;
	/** Inside a trigger: whether the last token was a semicolon, and then whether END followed it. */
	#afterSemicolon = false;
	#afterEnd = false;
	#positional = 0;
	#numbered = false;
	#plain = false;
	readonly #names: string[] = [];
	#returning = false;
	#mayRollBack = false;
	#onConflict: ParsedStatement["onConflict"] = null;
	#previous = "";

	get isEmpty(): boolean {
		return this.#head.length === 0;
	}

	/** Whether this token is the semicolon that ends the statement. */
	endsAt(token: Token): boolean {
		if (token.kind !== "symbol" || token.text !== ";") return false;
		return !this.#isTrigger || this.#afterEnd;
	}

	add(token: Token): void {
		const isFirst = this.#head.length === 0;
		if (this.#head.length < HEAD_TOKENS) this.#head.push(token);
		this.#end = token.end;
		if (token.kind !== "word") this.#previous = token.kind === "symbol" ? token.text : "";
		const isSemicolon = token.kind === "symbol" && token.text === ";";
		this.#afterEnd = this.#afterSemicolon && token.kind === "word" && token.text === "END";
		this.#afterSemicolon = isSemicolon;
		if (token.kind === "symbol") {
			if (token.text === "(") this.#depth++;
			if (token.text === ")") this.#depth--;
		} else if (token.kind === "parameter") {
			this.#parameter(token.text);
		} else if (token.kind === "word") {
			this.#word(token.text, isFirst);
		}
	}

	#word(word: string, isFirst: boolean): void {
		if (this.#verb === null && word !== "WITH" && (isFirst || this.#isVerbOfWith(word))) {
			this.#verb = word;
			if (word === "REPLACE") this.#onConflict = "REPLACE";
		}
		if (this.#previous === "OR" && RESOLUTIONS.has(word) && this.#depth === 0) {
			this.#onConflict ??= word as NonNullable<ParsedStatement["onConflict"]>;
		}
		if (word === "TRIGGER" && this.#verb === "CREATE") this.#isTrigger = this.#head.length <= 3;
		if (word === "RETURNING") this.#returning = true;
		if (word === "ROLLBACK" && !isFirst) this.#mayRollBack = true;
		this.#previous = word;
	}

	/** It stands behind the last common table; one of these words may also be the name of such a table. */
	#isVerbOfWith(word: string): boolean {
		if (this.#depth > 0 || this.#previous !== ")") return false;
		return this.#head[0]?.text === "WITH" && WITH_VERBS.has(word);
	}

	#parameter(text: string): void {
		if (!text.startsWith("?")) {
			if (!this.#names.includes(text)) this.#names.push(text);
		} else if (text.length === 1) {
			this.#plain = true;
			this.#positional++;
		} else {
			this.#numbered = true;
			this.#positional = Math.max(this.#positional, Number(text.slice(1)));
		}
	}

	finish(sql: string): ParsedStatement {
		const head = this.#head;
		const kind = this.#kind();
		return {
			text: sql.slice(head[0]!.start, this.#end),
			kind,
			parameters: {
				positional: this.#positional,
				numbered: this.#numbered,
				names: this.#names,
				mixed: [this.#plain, this.#numbered, this.#names.length > 0].filter(Boolean).length > 1,
			},
			head,
			returning: this.#returning,
			onConflict: kind === "write" ? this.#onConflict : null,
			mayRollBack: this.#mayRollBack && kind !== "rollback" && kind !== "rollbackTo",
			temporary: kind === "schema" && /^TEMP(ORARY)?$/.test(head[1]?.text ?? ""),
		};
	}

	#kind(): StatementKind {
		const kind = KINDS[this.#verb ?? ""] ?? "other";
		if (kind === "rollback" && this.#head.some(({ text }) => text === "TO")) return "rollbackTo";
		return kind;
	}
}
