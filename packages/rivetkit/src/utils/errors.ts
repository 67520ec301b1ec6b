import { VERSION } from "./version.ts";

/** Fields for log lines of errors that should not happen. */
export const EXTRA_ERROR_LOG = {
	issues: "https://github.com/rivet-dev/rivetkit/issues",
	support: "https://rivet.dev/discord",
	version: VERSION,
} as const;

/** A thrown value as one line of text. Never throws. */
export function stringifyError(error: unknown): string {
	if (error instanceof Error) return `${error.name}: ${error.message}`;
	if (typeof error === "string") return error;
	try {
		const text = JSON.stringify(error);
		if (text !== undefined) return text;
	} catch {
		// A cycle, a bigint, or a throwing toJSON: its plain text form has to do.
	}
	try {
		return `Unknown error: ${String(error)}`;
	} catch {
		return "Unknown error";
	}
}

/** The end of an exhaustive switch. */
export function assertUnreachable(value: never): never {
	throw new Error(`Unreachable case: ${String(value)}`);
}

/** Prints a value with the place of the call and returns it. */
export function dbg<T>(value: T): T {
	console.trace("=== DEBUG ===", value);
	return value;
}
