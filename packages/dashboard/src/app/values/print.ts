import { encodeBase64 } from "@rivetkit/protocol";
import { bytesOf, kindOf, type TypedArray } from "./kinds.ts";

/** Up to this many characters a list or an object stays on one line. */
const LINE_CHARS_MAX = 72;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * A value in the notation that {@link parseValue} reads: JSON, and for what JSON cannot say `12n`, `undefined`,
 * `NaN`, `Date("…")`, `Bytes("base64")`, `Map([[key, value]])`, `Set([…])`, `RegExp("…", "flags")`,
 * `Error("name", "message")` and typed arrays by their names. Keys that are identifiers have no quotes.
 */
export function printValue(value: unknown): string {
	return print(value, "");
}

/** The same on one line, cut after about `charsMax` characters: for lists and titles. */
export function printShort(value: unknown, charsMax = 120): string {
	const text = shortened(value, { left: charsMax });
	return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
}

function print(value: unknown, indent: string): string {
	const scalar = printScalar(value);
	if (scalar !== null) return scalar;
	const inner = `${indent}\t`;
	const [open, items, close] = parts(value as object, (child) => print(child, inner));
	if (items.length === 0) return open + close;
	const line = items.join(", ");
	const fits = open.length + line.length + close.length <= LINE_CHARS_MAX && !line.includes("\n");
	if (fits) return open.endsWith("{") ? `${open} ${line} ${close}` : open + line + close;
	return `${open}\n${items.map((item) => inner + item).join(",\n")}\n${indent}${close}`;
}

/** Stops descending when nothing of it would be seen. */
function shortened(value: unknown, budget: { left: number }): string {
	const scalar = printScalar(value, budget.left);
	if (scalar !== null) {
		budget.left -= scalar.length;
		return scalar;
	}
	let isFull = false;
	const [open, items, close] = parts(value as object, (child) => {
		if (budget.left <= 0) {
			isFull = true;
			return "";
		}
		return shortened(child, budget);
	});
	if (items.length === 0) return open + close;
	const shown = isFull ? [...items.slice(0, 20).filter((item) => item !== ""), "…"] : items;
	const line = shown.join(", ");
	return open.endsWith("{") ? `${open} ${line} ${close}` : open + line + close;
}

/** Null for what has parts. */
export function printScalar(value: unknown, charsMax = Number.POSITIVE_INFINITY): string | null {
	switch (kindOf(value)) {
		case "null":
		case "undefined":
		case "boolean":
			return String(value);
		case "number":
			return Object.is(value, -0) ? "-0" : String(value);
		case "bigint":
			return `${value}n`;
		case "string":
			return JSON.stringify((value as string).slice(0, Math.min(charsMax + 1, 2 ** 30)));
		case "date":
			return printDate(value as Date);
		case "bytes":
			return printBytes(bytesOf(value), charsMax);
		case "regexp": {
			const { source, flags } = value as RegExp;
			return `RegExp(${JSON.stringify(source)}, ${JSON.stringify(flags)})`;
		}
		case "error": {
			const { name, message } = value as Error;
			return `Error(${JSON.stringify(name)}, ${JSON.stringify(message)})`;
		}
		case "list":
		case "map":
		case "set":
		case "object":
		case "typed array":
			return null;
	}
}

function printDate(date: Date): string {
	const isValid = !Number.isNaN(date.getTime());
	return isValid ? `Date("${date.toISOString()}")` : "Date(NaN)";
}

function printBytes(bytes: Uint8Array, charsMax: number): string {
	const shown = Math.ceil(Math.min(bytes.byteLength, charsMax));
	return `Bytes("${encodeBase64(bytes.subarray(0, shown))}")`;
}

function parts(
	value: object,
	print: (child: unknown) => string,
): [open: string, items: string[], close: string] {
	if (Array.isArray(value)) return ["[", Array.from(value, print), "]"];
	if (value instanceof Map) {
		const items = Array.from(value, ([key, child]) => `[${print(key)}, ${print(child)}]`);
		return ["Map([", items, "])"];
	}
	if (value instanceof Set) return ["Set([", Array.from(value, print), "])"];
	if (ArrayBuffer.isView(value)) {
		const items = Array.from(value as TypedArray as Iterable<unknown>, print);
		return [`${value.constructor.name}([`, items, "])"];
	}
	const items = Object.entries(value).map(([key, child]) => `${printKey(key)}: ${print(child)}`);
	return ["{", items, "}"];
}

export function printKey(key: string): string {
	return IDENTIFIER.test(key) ? key : JSON.stringify(key);
}
