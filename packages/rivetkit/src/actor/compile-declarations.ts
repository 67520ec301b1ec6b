import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ErasedEvent, ErasedQueue } from "./erased.ts";
import { isStandardSchema } from "./standard-schema.ts";
import { eventOptionsOf, queueOptionsOf } from "./tokens.ts";

/** First delay and ceiling of redelivery when only a number is given: the delay stays the same. */
function retryDelay(value: unknown): ErasedQueue["retryDelay"] {
	if (value === undefined) return undefined;
	if (typeof value === "number") return { initialMs: value, maxMs: value };
	const { initial, max } = value as { initial: number; max: number };
	return { initialMs: initial, maxMs: max };
}

/** `undefined` when the value is no event declaration. */
export function compileEvent(declaration: unknown): ErasedEvent | undefined {
	const token = eventOptionsOf(declaration);
	if (token) return defined({ schema: token.schema, canSubscribe: token.canSubscribe });
	if (isStandardSchema(declaration)) return { schema: declaration };
	if (!isRecord(declaration)) return undefined;
	const { schema, canSubscribe } = declaration;
	const inner = eventOptionsOf(schema);
	if (!inner && !isStandardSchema(schema)) return undefined;
	return defined({
		schema: inner ? inner.schema : (schema as StandardSchemaV1),
		canSubscribe: (canSubscribe ?? inner?.canSubscribe) as ErasedEvent["canSubscribe"],
	});
}

/** `undefined` when the value is no queue declaration. */
export function compileQueue(declaration: unknown): ErasedQueue | undefined {
	if (isStandardSchema(declaration)) return { message: declaration };
	const options = queueOptionsOf(declaration) ?? declaration;
	if (!isRecord(options) || eventOptionsOf(declaration)) return undefined;
	if (options === declaration && !isStandardSchema(options.message)) return undefined;
	return defined({
		message: options.message,
		complete: options.complete,
		canPublish: options.canPublish,
		maxSize: options.maxSize,
		maxAttempts: options.maxAttempts,
		retryDelay: retryDelay(options.retryDelay),
		deadLetter: options.deadLetter,
	}) as ErasedQueue;
}

export function compileEvents(events: object): ReadonlyMap<string, ErasedEvent> {
	return new Map(
		Object.entries(events).map(([name, declaration]) => [name, compileEvent(declaration) ?? {}]),
	);
}

export function compileQueues(queues: object): ReadonlyMap<string, ErasedQueue> {
	return new Map(
		Object.entries(queues).map(([name, declaration]) => [name, compileQueue(declaration) ?? {}]),
	);
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

/** The same object without its undefined properties. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	return Object.fromEntries(
		Object.entries(value).filter(([, property]) => property !== undefined),
	) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
