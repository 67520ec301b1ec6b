import { decodeBase64 } from "@rivetkit/protocol";

const DEPTH_MAX = 500;

/** Where a text is not a value, and why. */
export class NotationError extends Error {
	override readonly name = "NotationError";
	/** From 1. */
	readonly line: number;
	readonly column: number;

	constructor(reason: string, text: string, at: number) {
		const before = text.slice(0, at).split("\n");
		const [line, column] = [before.length, before.at(-1)!.length + 1];
		super(`Line ${line}, column ${column}: ${reason}`);
		this.line = line;
		this.column = column;
	}
}

/** Reads the notation of `printValue`, which JSON is part of. Throws a {@link NotationError}. */
export function parseValue(text: string): unknown {
	const parser = new Parser(text);
	const value = parser.value(0);
	parser.end();
	return value;
}

/** Values separated by commas, as arguments are written; none for a blank text. Throws a {@link NotationError}. */
export function parseList(text: string): unknown[] {
	const parser = new Parser(text);
	const values = parser.items("", 0);
	parser.end();
	return values;
}

const TYPED_ARRAYS: Readonly<Record<string, (items: readonly unknown[]) => unknown>> = {
	Int8Array: (items) => Int8Array.from(items as number[]),
	Uint8ClampedArray: (items) => Uint8ClampedArray.from(items as number[]),
	Int16Array: (items) => Int16Array.from(items as number[]),
	Uint16Array: (items) => Uint16Array.from(items as number[]),
	Int32Array: (items) => Int32Array.from(items as number[]),
	Uint32Array: (items) => Uint32Array.from(items as number[]),
	Float32Array: (items) => Float32Array.from(items as number[]),
	Float64Array: (items) => Float64Array.from(items as number[]),
	BigInt64Array: (items) => BigInt64Array.from(items as bigint[]),
	BigUint64Array: (items) => BigUint64Array.from(items as bigint[]),
};

const WORDS: Readonly<Record<string, unknown>> = {
	null: null,
	undefined: undefined,
	true: true,
	false: false,
	NaN: Number.NaN,
	Infinity: Number.POSITIVE_INFINITY,
};

class Parser {
	readonly #text: string;
	#at = 0;

	constructor(text: string) {
		this.#text = text;
	}

	value(depth: number): unknown {
		if (depth > DEPTH_MAX) throw this.#error(`nested over ${DEPTH_MAX} levels deep`);
		this.#space();
		const char = this.#text[this.#at];
		if (char === undefined) throw this.#error("a value is missing");
		if (char === "{") return this.#object(depth);
		if (char === "[") return this.#list(depth);
		if (char === '"' || char === "'") return this.#string();
		if (/[-+.\d]/.test(char)) return this.#number();
		if (/[A-Za-z_$]/.test(char)) return this.#word(depth);
		throw this.#error(`"${char}" begins no value`);
	}

	/** Values up to `close`, which is left; a comma may be behind the last. */
	items(close: string, depth: number): unknown[] {
		const items: unknown[] = [];
		while (!this.#sees(close)) {
			items.push(this.value(depth + 1));
			if (!this.#takes(",")) break;
		}
		return items;
	}

	end(): void {
		this.#space();
		if (this.#at < this.#text.length) {
			throw this.#error(`"${this.#text[this.#at]}" is not expected here`);
		}
	}

	#object(depth: number): Record<string, unknown> {
		this.#expect("{");
		const object: Record<string, unknown> = {};
		while (!this.#sees("}")) {
			const at = this.#at;
			const key = this.#key();
			if (Object.hasOwn(object, key)) throw this.#error(`"${key}" is there already`, at);
			this.#expect(":");
			const value = this.value(depth + 1);
			Object.defineProperty(object, key, {
				value,
				enumerable: true,
				writable: true,
				configurable: true,
			});
			if (!this.#takes(",")) break;
		}
		this.#expect("}");
		return object;
	}

	#key(): string {
		this.#space();
		const char = this.#text[this.#at] ?? "";
		if (char === '"' || char === "'") return this.#string();
		const name = /^[\w$]+/.exec(this.#text.slice(this.#at, this.#at + 1_024))?.[0];
		if (name === undefined) throw this.#error("a name is missing");
		this.#at += name.length;
		return name;
	}

	#list(depth: number): unknown[] {
		this.#expect("[");
		const items = this.items("]", depth);
		this.#expect("]");
		return items;
	}

	#string(): string {
		const start = this.#at;
		const quote = this.#text[start]!;
		let at = start + 1;
		for (; this.#text[at] !== quote; at += 1) {
			if (at >= this.#text.length) throw this.#error("the text has no end", start);
			if (this.#text[at] === "\\") at += 1;
			else if (this.#text[at] === "\n") throw this.#error("write \\n for a new line", at);
		}
		this.#at = at + 1;
		const inner = this.#text.slice(start + 1, at);
		const json =
			quote === '"'
				? inner
				: inner.replace(/\\.|"/gs, (part) => (part === '"' ? '\\"' : part === "\\'" ? "'" : part));
		try {
			return JSON.parse(`"${json.replaceAll("\t", "\\t")}"`) as string;
		} catch {
			throw this.#error("the text has an escape or a character that is not allowed", start);
		}
	}

	#number(): number | bigint {
		const start = this.#at;
		const text = /^[-+.\w]+/.exec(this.#text.slice(start))?.[0] ?? "";
		this.#at += text.length;
		if (/^-?\d+n$/.test(text)) return BigInt(text.slice(0, -1));
		if (text === "-Infinity") return Number.NEGATIVE_INFINITY;
		if (/^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number(text);
		throw this.#error(`"${text}" is not a number`, start);
	}

	#word(depth: number): unknown {
		const start = this.#at;
		const word = /^[\w$]+/.exec(this.#text.slice(start, start + 64))![0];
		this.#at += word.length;
		if (Object.hasOwn(WORDS, word)) return WORDS[word];
		if (!this.#takes("(")) {
			throw this.#error(`"${word}" is no value; write texts in quotes`, start);
		}
		const items = this.items(")", depth);
		this.#expect(")");
		try {
			return construct(word, items);
		} catch (error) {
			throw this.#error((error as Error).message, start);
		}
	}

	#sees(token: string): boolean {
		this.#space();
		return token === "" ? this.#at >= this.#text.length : this.#text.startsWith(token, this.#at);
	}

	#takes(token: string): boolean {
		if (!this.#sees(token)) return false;
		this.#at += token.length;
		return true;
	}

	#expect(token: string): void {
		if (!this.#takes(token)) throw this.#error(`"${token}" is missing`);
	}

	#space(): void {
		while (/\s/.test(this.#text[this.#at] ?? "")) this.#at += 1;
	}

	#error(reason: string, at = this.#at): NotationError {
		return new NotationError(reason, this.#text, at);
	}
}

function construct(name: string, items: readonly unknown[]): unknown {
	const [first, second] = items;
	switch (name) {
		case "Date":
			return date(first);
		case "Bytes":
			return bytes(first);
		case "Map":
			return new Map(list(name, first).map(pair));
		case "Set":
			return new Set(list(name, first));
		case "RegExp":
			return new RegExp(text(name, first), second === undefined ? "" : text(name, second));
		case "Error": {
			const error = new Error(text(name, second));
			error.name = text(name, first);
			return error;
		}
	}
	const typed = Object.hasOwn(TYPED_ARRAYS, name) ? TYPED_ARRAYS[name] : undefined;
	if (typed === undefined) throw new TypeError(`there is nothing called ${name}`);
	return typed(list(name, first));
}

function date(value: unknown): Date {
	const made = new Date(value as string | number);
	const isWanted = typeof value === "string" || typeof value === "number";
	if (!isWanted || (Number.isNaN(made.getTime()) && !Number.isNaN(value))) {
		throw new TypeError('Date takes a time such as "2026-01-31T12:00:00Z"');
	}
	return made;
}

function bytes(value: unknown): Uint8Array {
	const decoded = typeof value === "string" ? decodeBase64(value) : null;
	if (decoded === null) throw new TypeError("Bytes takes base64");
	return decoded;
}

function list(name: string, value: unknown): readonly unknown[] {
	if (Array.isArray(value)) return value;
	if (value === undefined) return [];
	throw new TypeError(`${name} takes a list`);
}

function pair(value: unknown): [unknown, unknown] {
	if (Array.isArray(value) && value.length === 2) return [value[0], value[1]];
	throw new TypeError("Map takes a list of pairs: Map([[key, value]])");
}

function text(name: string, value: unknown): string {
	if (typeof value === "string") return value;
	throw new TypeError(`${name} takes texts`);
}
