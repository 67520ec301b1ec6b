import { catalogueError } from "@rivetkit/protocol";
import type { DeadLetterChoice } from "./dead-letters.ts";
import type { ReceiveRequest } from "./pending-receive.ts";

type ReceiveOption = "names" | "completable" | "count" | "signal" | "timeout";

/**
 * What a receive asks for, of which this form of it takes `allowed`. Throws `queue.invalid_option`, also
 * for names no form has: a misspelt option would silently do nothing.
 */
export function readReceiveOptions(
	raw: unknown,
	allowed: readonly ReceiveOption[],
): ReceiveRequest {
	const { names, completable, count, signal, timeout } = fieldsOf(raw, allowed);
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

function fieldsOf(raw: unknown, allowed: readonly string[]): Readonly<Record<string, unknown>> {
	if (raw === undefined) return {};
	if (typeof raw !== "object" || raw === null) throw invalid("options", "an object", raw);
	const unknown = Object.keys(raw).find((name) => !allowed.includes(name));
	if (unknown !== undefined) {
		throw invalid(unknown, `one of ${allowed.join(", ")}`, "an option this call does not take");
	}
	return raw as Readonly<Record<string, unknown>>;
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
const isSignal = (value: unknown): value is AbortSignal => value instanceof AbortSignal;
const isListOfText = (value: unknown): value is string[] =>
	Array.isArray(value) && value.every(isText);
const isListOfIds = (value: unknown): value is bigint[] =>
	Array.isArray(value) && value.every((id) => typeof id === "bigint");

function invalid(option: string, expected: string, found: unknown): Error {
	const shown = typeof found === "string" ? found : typeof found;
	return catalogueError("queue.invalid_option", { option, expected, found: shown });
}
