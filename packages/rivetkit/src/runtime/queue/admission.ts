import { catalogueError, EncodeError, encodeCbor, utf8Length } from "@rivetkit/protocol";
import { type ErasedActorConfig, type ErasedQueue, queueDeclaration } from "../../actor/erased.ts";
import { plainIssues } from "../actions/plain-issues.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { findUnstorable, untracked } from "../state/index.ts";
import { DEDUPE_KEY_BYTES_MAX } from "./limits.ts";
import type { MessageIndex } from "./message-index.ts";

/** A message that may be stored, as far as it is for the message itself to say. */
export interface AdmittedMessage {
	readonly name: string;
	/** What the queue's schema made of it. */
	readonly body: unknown;
	/** CBOR of the body. */
	readonly bytes: Uint8Array;
	readonly delayMs: number;
	readonly priority: number;
	readonly ttlMs: number | null;
	readonly dedupeKey: string | null;
}

/** Options of a send, checked and with their defaults. */
export type SendOptions = Pick<AdmittedMessage, "delayMs" | "priority" | "ttlMs" | "dedupeKey">;

export const DEFAULT_SEND_OPTIONS: SendOptions = {
	delayMs: 0,
	priority: 0,
	ttlMs: null,
	dedupeKey: null,
};

const OPTION_NAMES = ["delay", "priority", "ttl", "dedupeKey"];

/** Throws `queue.full` when a queue may not have so many messages more. */
export function assertRoomIn(
	config: ErasedActorConfig,
	index: MessageIndex,
	name: string,
	count: number,
): void {
	const limit = queueDeclaration(config, name)?.maxSize;
	if (limit !== undefined && index.sizeOf(name) + count > limit) {
		throw catalogueError("queue.full", { limit, queue: name });
	}
}

/** Checks what a sender wrote. Throws `queue.invalid_option`. */
export function readSendOptions(raw: unknown): SendOptions {
	if (raw === undefined) return DEFAULT_SEND_OPTIONS;
	if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
		throw invalid("options", "an object", raw);
	}
	const unknown = Object.keys(raw).find((name) => !OPTION_NAMES.includes(name));
	if (unknown !== undefined) {
		throw invalid(unknown, `one of ${OPTION_NAMES.join(", ")}`, "an unknown option");
	}
	const { delay = 0, priority = 0, ttl, dedupeKey } = raw as Record<string, unknown>;
	if (!isMilliseconds(delay)) throw invalid("delay", "milliseconds, 0 or more", delay);
	if (!Number.isSafeInteger(priority)) throw invalid("priority", "a whole number", priority);
	if (ttl !== undefined && (!isMilliseconds(ttl) || ttl === 0)) {
		throw invalid("ttl", "milliseconds, more than 0", ttl);
	}
	if (dedupeKey !== undefined) checkDedupeKey(dedupeKey);
	return {
		delayMs: Math.ceil(delay),
		priority: priority as number,
		ttlMs: ttl === undefined ? null : Math.ceil(ttl as number),
		dedupeKey: (dedupeKey as string | undefined) ?? null,
	};
}

/** Longest delay or time to live, so that times stay whole numbers: about 3,000 years. */
const MILLISECONDS_MAX = 1e14;

function isMilliseconds(value: unknown): value is number {
	return typeof value === "number" && value >= 0 && value <= MILLISECONDS_MAX;
}

function checkDedupeKey(key: unknown): void {
	const expected = `text of 1 to ${DEDUPE_KEY_BYTES_MAX} bytes`;
	if (typeof key !== "string" || key === "") throw invalid("dedupeKey", expected, key);
	if (utf8Length(key) > DEDUPE_KEY_BYTES_MAX) {
		throw invalid("dedupeKey", expected, `${utf8Length(key)} bytes`);
	}
}

function invalid(option: string, expected: string, found: unknown): Error {
	const shown = typeof found === "string" ? found : describe(found);
	return catalogueError("queue.invalid_option", { option, expected, found: shown });
}

function describe(value: unknown): string {
	return value === null || typeof value !== "object" ? String(value) : typeof value;
}

/**
 * Validates a body and encodes it; asynchronous when the queue's schema is. Throws
 * `queue.invalid_payload`, `queue.message_invalid` and `queue.message_too_large`.
 */
export function admit(
	instance: ActorInstance,
	name: string,
	body: unknown,
	options: SendOptions,
): AdmittedMessage | Promise<AdmittedMessage> {
	const declaration = queueDeclaration(instance.config, name);
	const validated = validate(declaration?.message, untracked(body), (issues) =>
		catalogueError("queue.invalid_payload", { name, issues }),
	);
	return isPromiseLike(validated)
		? (validated as Promise<unknown>).then((value) => encoded(instance, name, value, options))
		: encoded(instance, name, validated, options);
}

/**
 * The response given to `complete`, as it is stored; null for none. Throws
 * `queue.invalid_completion_payload` and `message.outgoing_too_long`.
 */
export function admitResponse(
	instance: ActorInstance,
	name: string,
	response: unknown,
): Uint8Array | null | Promise<Uint8Array | null> {
	const declaration = queueDeclaration(instance.config, name);
	const refuse = (issues: unknown) =>
		catalogueError("queue.invalid_completion_payload", { name, issues });
	const limit = instance.services.limits.maxOutgoingMessageSize;
	const encode = (value: unknown) => {
		if (value === undefined) return null;
		try {
			const bytes = encodeCbor(untracked(value));
			if (bytes.byteLength <= limit) return bytes;
			throw catalogueError("message.outgoing_too_long", { size: bytes.byteLength, limit });
		} catch (error) {
			if (!(error instanceof EncodeError)) throw error;
			throw refuse([{ message: error.reason, path: error.path === "" ? [] : [error.path] }]);
		}
	};
	const validated = validate(declaration?.complete, response, refuse);
	return isPromiseLike(validated)
		? (validated as Promise<unknown>).then(encode)
		: encode(validated);
}

function encoded(
	instance: ActorInstance,
	name: string,
	body: unknown,
	options: SendOptions,
): AdmittedMessage {
	const fault = findUnstorable(body);
	if (fault) {
		const path = fault.path.replace(/^\./, "");
		throw catalogueError("queue.message_invalid", path === "" ? {} : { path });
	}
	const bytes = encodeCbor(body);
	const size = bytes.byteLength + utf8Length(name);
	const limit = instance.options.maxQueueMessageSize;
	if (size > limit) throw catalogueError("queue.message_too_large", { size, limit });
	return { name, body, bytes, ...options };
}

type Schema = NonNullable<ErasedQueue["message"]>;

/** The output of a Standard Schema; the value itself without one. */
function validate(
	schema: Schema | undefined,
	value: unknown,
	refuse: (issues: unknown) => Error,
): unknown {
	if (!schema) return value;
	const accept = (result: { readonly value?: unknown; readonly issues?: readonly unknown[] }) => {
		if (result.issues) throw refuse(plainIssues(result.issues));
		return untracked(result.value);
	};
	const result: unknown = schema["~standard"].validate(value);
	return isPromiseLike(result)
		? (result as Promise<never>).then(accept)
		: accept(result as { readonly value?: unknown });
}
