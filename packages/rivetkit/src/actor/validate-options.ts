import { type ConfigIssue, describeValue } from "../config/config-error.ts";
import { unknownKey } from "../config/unknown-key.ts";
import { OPTION_NAMES, OPTION_TABLE, type OptionKind } from "./options.ts";

const EXPECTED: Readonly<Record<OptionKind, string>> = {
	duration: "a number of milliseconds that is finite and greater than 0",
	count: "a number that is finite and greater than 0",
	bytes: "a number of bytes that is finite and greater than 0",
	flag: "true or false",
	text: "a string",
	"flag or function": "true, false, or a function (request) => boolean",
};

export function* validateOptions(options: unknown): Generator<ConfigIssue> {
	if (options === undefined) return;
	if (typeof options !== "object" || options === null || Array.isArray(options)) {
		yield {
			path: ["options"],
			code: "invalid_type",
			message: `expected an object, found ${describeValue(options)}, for example options: { actionTimeout: 10_000 }`,
		};
		return;
	}
	for (const [name, value] of Object.entries(options) as [string, unknown][]) {
		if (!Object.hasOwn(OPTION_TABLE, name)) {
			yield unknownKey(["options", name], name, OPTION_NAMES);
			continue;
		}
		const { kind, fallback } = OPTION_TABLE[name as keyof typeof OPTION_TABLE];
		if (value === undefined || fits(kind, value)) continue;
		const example = fallback === undefined ? "" : `, for example ${name}: ${String(fallback)}`;
		const hint = value === Number.POSITIVE_INFINITY ? "; to never sleep, use noSleep: true" : "";
		yield {
			path: ["options", name],
			code: typeof value === "number" ? "too_small" : "invalid_type",
			message: `expected ${EXPECTED[kind]}, found ${describeValue(value)}${example}${name === "sleepTimeout" ? hint : ""}`,
		};
	}
}

function fits(kind: OptionKind, value: unknown): boolean {
	switch (kind) {
		case "duration":
		case "count":
		case "bytes":
			return typeof value === "number" && Number.isFinite(value) && value > 0;
		case "flag":
			return typeof value === "boolean";
		case "text":
			return typeof value === "string";
		case "flag or function":
			return typeof value === "boolean" || typeof value === "function";
	}
}
