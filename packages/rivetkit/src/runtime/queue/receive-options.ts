import { catalogueError } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import type { DeadLetterChoice } from "./dead-letters.ts";
import type { ReceiveRequest } from "./pending-receive.ts";
import { warnOnce } from "./warn-once.ts";

type ReceiveOption = "names" | "completable" | "count" | "signal" | "timeout";

/** The forms of receives, with the options they take. */
const RECEIVES = {
	next: ["names", "completable", "signal", "timeout"],
	nextBatch: ["names", "completable", "signal", "timeout", "count"],
	tryNext: ["names", "completable"],
	tryNextBatch: ["names", "completable", "count"],
	iter: ["names", "completable", "signal"],
} as const satisfies Record<string, readonly ReceiveOption[]>;

/**
 * What a receive asks for. Throws `queue.invalid_option`. An option that this form does not take does
 * nothing, as ever, but not silently.
 */
export function readReceiveOptions(
	instance: ActorInstance,
	form: keyof typeof RECEIVES,
	raw: unknown,
): ReceiveRequest {
	const fields = objectOf(raw);
	const takes: readonly string[] = RECEIVES[form];
	for (const option of Object.keys(fields).filter((name) => !takes.includes(name))) {
		warnOnce(
			instance,
			`option ${form} ${option}`,
			{ form: `c.queue.${form}`, option, takes },
			"a receive does not take this option; it does nothing",
		);
	}
	const { names, completable, count, signal, timeout } = takesOnly(fields, takes);
	check("names", "a list of queue names", names, isListOfText);
	check("completable", "true or false", completable, isFlag);
	check("count", "a number", count, isNumber);
	check("timeout", "a number of milliseconds", timeout, isNumber);
	check("signal", "an AbortSignal", signal, isSignal);
	return {
		names: names === undefined || names.length === 0 ? null : [...new Set(names)],
		count: count === undefined ? 1 : Math.max(1, Math.floor(count)),
		completable: completable ?? false,
		timeoutMs: timeout === undefined || timeout === Number.POSITIVE_INFINITY ? null : timeout,
		signal,
	};
}

/** Which dead letters a call is about. Throws `queue.invalid_option`. */
export function readDeadLetterOptions(
	raw: unknown,
	allowed: readonly ("queue" | "limit" | "ids")[],
): DeadLetterChoice {
	const { queue, limit, ids } = fieldsOf(raw, allowed);
	check("queue", "the name of a queue", queue, isText);
	check("limit", "a number, 0 or more", limit, isCount);
	check("ids", "a list of message ids", ids, isListOfIds);
	return { queue, limit: limit === undefined ? undefined : Math.floor(limit), ids };
}

function fieldsOf(raw: unknown, allowed: readonly string[]): Fields {
	const fields = objectOf(raw);
	const unknown = Object.keys(fields).find((name) => !allowed.includes(name));
	if (unknown === undefined) return fields;
	throw invalid(unknown, `one of ${allowed.join(", ")}`, "an option this call does not take");
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(raw: unknown): Fields {
	if (raw === undefined) return {};
	if (typeof raw !== "object" || raw === null) throw invalid("options", "an object", raw);
	return raw as Fields;
}

function takesOnly(fields: Fields, names: readonly string[]): Fields {
	return Object.fromEntries(names.map((name) => [name, fields[name]]));
}

function check<T>(
	option: string,
	expected: string,
	value: unknown,
	is: (value: unknown) => value is T,
): asserts value is T | undefined {
	if (value !== undefined && !is(value)) throw invalid(option, expected, value);
}

const isText = (value: unknown): value is string => typeof value === "string";
const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
const isNumber = (value: unknown): value is number =>
	typeof value === "number" && !Number.isNaN(value);
const isCount = (value: unknown): value is number => isNumber(value) && value >= 0;
// Structural: the signal of another realm or polyfill is one too.
const isSignal = (value: unknown): value is AbortSignal =>
	typeof value === "object" &&
	typeof (value as Partial<AbortSignal> | null)?.aborted === "boolean" &&
	typeof (value as Partial<AbortSignal>).addEventListener === "function";
const isListOfText = (value: unknown): value is string[] =>
	Array.isArray(value) && value.every(isText);
const isListOfIds = (value: unknown): value is bigint[] =>
	Array.isArray(value) && value.every((id) => typeof id === "bigint");

function invalid(option: string, expected: string, found: unknown): Error {
	const isShort = typeof found === "string" || typeof found === "number";
	const shown = isShort ? String(found) : typeof found;
	return catalogueError("queue.invalid_option", { option, expected, found: shown });
}
