import type { z } from "zod";
import { configSchema } from "./config-schema.ts";
import { variableOf } from "./environment.ts";

/** Where settings stand. */
export type Source = "environment" | { readonly path: string };

type Issue = z.core.$ZodIssue;

/** Settings whose values are not repeated in messages, nor what stands in their place: they end up in logs. */
const SECRET = /token|password|username|^(postgres|nats|auth)$|^postgres\.url$/;
const SHOWN_LENGTH_MAX = 80;

/** What is wrong with settings, in one line: which, what it may be, what was found. */
export function problemsOf(issues: readonly Issue[], content: unknown, source: Source): string {
	const problems = issues.map((issue) => problemOf(issue, content, source)).join("; ");
	return source === "environment" ? problems : `${source.path}: ${problems}`;
}

function problemOf(issue: Issue, content: unknown, source: Source): string {
	const { value, path } = lookUp(content, issue.path);
	const name = (keys: readonly PropertyKey[]) =>
		source === "environment" ? variableOf(keys) : keys.map(String).join(".");
	if (issue.code === "unrecognized_keys") {
		return issue.keys.map((key) => unknown(path, key, name, source)).join("; ");
	}
	const subject = path.length === 0 ? "" : `${name(path)}: `;
	if (issue.code === "custom") return subject + issue.message;
	const isTree = issue.code === "invalid_type" && issue.expected === "object";
	const expected = `expected ${isTree ? `keys below it (${keysBelow(path)})` : issue.message}`;
	return SECRET.test(path.join("."))
		? subject + expected
		: `${subject}${expected}, found ${shown(value)}`;
}

function unknown(
	path: readonly PropertyKey[],
	key: string,
	name: (keys: readonly PropertyKey[]) => string,
	source: Source,
): string {
	const full = [...path, key];
	const subject = source === "environment" ? `${name(full)}: ` : "";
	const advice =
		full.length === 1 && key === "database"
			? " (the database is configured at the top level: postgres.url or RIVET__POSTGRES__URL, file_system.path or RIVET__FILE_SYSTEM__PATH)"
			: there(keysBelow(path));
	return `${subject}unknown key ${full.join(".")}${advice}`;
}

function there(keys: string): string {
	return keys === "" ? "" : `; there are ${keys}`;
}

/** The keys that there are at a path, with commas; none where they are not known. */
function keysBelow(path: readonly PropertyKey[]): string {
	let at: unknown = configSchema;
	for (const part of path) at = shapeOf(at)?.[part as string];
	return Object.keys(shapeOf(at) ?? {}).join(", ");
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
	const unwrapped = (schema as { unwrap?(): unknown } | undefined)?.unwrap?.() ?? schema;
	return (unwrapped as { shape?: Record<string, unknown> } | undefined)?.shape;
}

/** What was found, and where: lists that are text in an environment are one value. */
function lookUp(content: unknown, path: readonly PropertyKey[]) {
	let value = content;
	for (const [index, part] of path.entries()) {
		if (typeof value === "string") return { value, path: path.slice(0, index) };
		value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
	}
	return { value, path };
}

function shown(value: unknown): string {
	if (value === undefined) return "nothing";
	const text = JSON.stringify(value);
	return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}
