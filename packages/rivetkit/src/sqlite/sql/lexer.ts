/** One token of SQL. Comments and blanks are none. */
export interface Token {
	readonly kind: "word" | "name" | "string" | "number" | "parameter" | "symbol";
	/** Words in upper case; everything else as it is written, quotes included. */
	readonly text: string;
	readonly start: number;
	readonly end: number;
}

const BLANK = /[\s\uFEFF]/u;
const WORD_START = /[A-Za-z_\u0080-\uFFFF]/;
const WORD = /[A-Za-z0-9_$\u0080-\uFFFF]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*)?(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]+)?)/y;
/** `?`, `?1`, `:name`, `@name`, `$name`, and Tcl's `$name::part(suffix)`. */
const PARAMETER =
	/\?[0-9]*|[:@][A-Za-z0-9_$\u0080-\uFFFF]+|\$[A-Za-z0-9_$\u0080-\uFFFF]+(?:::[A-Za-z0-9_$\u0080-\uFFFF]*)*(?:\([^\s)]*\))?/y;

/**
 * The tokens of SQL, as SQLite's own tokenizer cuts it. It accepts anything: what is not SQL becomes
 * symbols, and SQLite says what is wrong with it.
 */
export function* tokenize(sql: string): Generator<Token, void, void> {
	let at = 0;
	while (at < sql.length) {
		const char = sql[at]!;
		if (BLANK.test(char)) {
			at++;
		} else if (char === "-" && sql[at + 1] === "-") {
			at = after(sql, "\n", at + 2);
		} else if (char === "/" && sql[at + 1] === "*") {
			at = after(sql, "*/", at + 2);
		} else {
			const token = read(sql, at, char);
			yield token;
			at = token.end;
		}
	}
}

function read(sql: string, start: number, char: string): Token {
	if (char === "'") return token(sql, "string", start, afterQuote(sql, "'", start + 1));
	if (char === '"' || char === "`") {
		return token(sql, "name", start, afterQuote(sql, char, start + 1));
	}
	if (char === "[") return token(sql, "name", start, after(sql, "]", start + 1));
	if (/[0-9]/.test(char) || (char === "." && /[0-9]/.test(sql[start + 1] ?? ""))) {
		return token(sql, "number", start, Math.max(start + 1, match(NUMBER, sql, start)));
	}
	if (/[?:@$]/.test(char)) {
		const end = match(PARAMETER, sql, start);
		if (end > start) return token(sql, "parameter", start, end);
	}
	if (WORD_START.test(char)) {
		const end = match(WORD, sql, start);
		// A blob literal is a word that touches a string.
		if (end === start + 1 && /x/i.test(char) && sql[end] === "'") {
			return token(sql, "string", start, afterQuote(sql, "'", end + 1));
		}
		return { kind: "word", text: sql.slice(start, end).toUpperCase(), start, end };
	}
	return token(sql, "symbol", start, start + 1);
}

function token(sql: string, kind: Token["kind"], start: number, end: number): Token {
	return { kind, text: sql.slice(start, end), start, end };
}

function match(pattern: RegExp, sql: string, at: number): number {
	pattern.lastIndex = at;
	return at + (pattern.exec(sql)?.[0].length ?? 0);
}

/** Behind the next `end`; the end of the text when there is none, as SQLite has it for comments. */
function after(sql: string, end: string, from: number): number {
	const found = sql.indexOf(end, from);
	return found < 0 ? sql.length : found + end.length;
}

/** Behind the closing quote; a doubled one stands for itself. */
function afterQuote(sql: string, quote: string, from: number): number {
	for (let at = from; ; at += 2) {
		at = sql.indexOf(quote, at);
		if (at < 0) return sql.length;
		if (sql[at + 1] !== quote) return at + 1;
	}
}
