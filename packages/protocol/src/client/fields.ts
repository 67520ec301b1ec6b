/** Checks of decoded CBOR and JSON messages, and the reading and writing of their common parts. */
import { type ByteCursor, readBool } from "../bare/runtime.ts";
import { decodeCbor } from "../cbor/decode.ts";
import { encodeCborTransient } from "../cbor/encode.ts";
import { EncodeError } from "../encode-error.ts";
import { malformed } from "../errors/common.ts";
import { readActorSpecifier } from "../generated/client-protocol-v4.ts";
import { decodeJson } from "../json/decode.ts";
import { encodeJson, TAGGED_UNDEFINED } from "../json/encode.ts";
import { copyToSend } from "../slab.ts";
import type { ActorSpecifier, HttpResponseError, MessageId } from "./messages.ts";

/** The encodings that carry plain objects. */
export type ObjectEncoding = "cbor" | "json";
export type Fields = Readonly<Record<string, unknown>>;

const U64_MAX = 0xffff_ffff_ffff_ffffn;

export function encodeObject(encoding: ObjectEncoding, fields: Fields): string | Uint8Array {
	try {
		if (encoding === "json") return encodeJson(fields);
		const bytes = encodeCborTransient(fields);
		return copyToSend(bytes, bytes.length);
	} catch (error) {
		if (!(error instanceof EncodeError)) throw error;
		// Paths start at the payload, as they do in BARE.
		throw new EncodeError(error.path.replace(/^(\.body\.val)?\.\w+/, ""), error.reason);
	}
}

export function decodeObject(encoding: ObjectEncoding, data: string | Uint8Array): Fields {
	if (encoding === "json") return record("message", decodeJson(textOf(data)));
	if (typeof data === "string") throw malformed("text where binary is expected");
	return record("message", decodeCbor(data));
}

const STRICT_DECODER = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true });

function textOf(data: string | Uint8Array): string {
	if (typeof data === "string") return data;
	try {
		return STRICT_DECODER.decode(data);
	} catch {
		throw malformed("invalid UTF-8");
	}
}

export function record(name: string, value: unknown): Fields {
	if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
	throw wrong(name, "an object");
}

export function text(fields: Fields, name: string): string {
	const value = fields[name];
	if (typeof value === "string") return value;
	throw wrong(name, "text");
}

export function flag(fields: Fields, name: string): boolean {
	const value = fields[name];
	if (typeof value === "boolean") return value;
	throw wrong(name, "a boolean");
}

export function list(name: string, value: unknown): unknown[] {
	if (Array.isArray(value)) return value;
	throw wrong(name, "a list");
}

/** An unsigned 64-bit integer, as number when it is safe. */
export function id(fields: Fields, name: string): MessageId {
	const value = fields[name];
	if (typeof value === "bigint" && value >= 0n && value <= U64_MAX) {
		return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
	}
	if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
	throw wrong(name, "an unsigned integer");
}

/** Reads a field that may be absent; `null` is not absent. */
export function optional<T>(
	fields: Fields,
	name: string,
	read: (fields: Fields, name: string) => T,
): T | undefined {
	return fields[name] === undefined ? undefined : read(fields, name);
}

function actorSpecifier(fields: Fields, name: string): ActorSpecifier {
	const actor = record(name, fields[name]);
	return withoutAbsentKey({
		actorId: text(actor, "actorId"),
		generation: id(actor, "generation"),
		key: actor.key === null ? undefined : optional(actor, "key", text),
	});
}

export function wrong(name: string, expected: string): Error {
	return malformed(`${name} is not ${expected}`);
}

/** The `actor` of version 4 as its BARE struct, where an absent key is a field all the same. */
export function bareActor({ actorId, generation, key }: ActorSpecifier): BareActor {
	return { actorId, generation, key };
}

export interface BareActor {
	readonly actorId: string;
	readonly generation: MessageId;
	readonly key: string | undefined;
}

/** What version 4 adds behind each error of version 3. */
export function readActor(cursor: ByteCursor): BareActor | undefined {
	return readBool(cursor) ? readActorSpecifier(cursor) : undefined;
}

/** An error as BARE has it, in version 3 or 4. */
export interface BareErrorFields {
	readonly group: string;
	readonly code: string;
	readonly message: string;
	readonly metadata: Uint8Array | undefined;
	readonly actor?: BareActor | undefined;
}

export function fromBareError({
	group,
	code,
	message,
	...extras
}: BareErrorFields): HttpResponseError {
	const { metadata, actor } = extras;
	return {
		group,
		code,
		message,
		...errorExtras(decodeOptional(metadata), actor && withoutAbsentKey(actor)),
	};
}

/** The fields that an error has in every message. */
export function errorFields(fields: Fields): HttpResponseError {
	return {
		group: text(fields, "group"),
		code: text(fields, "code"),
		message: text(fields, "message"),
		...errorExtras(fields.metadata, optional(fields, "actor", actorSpecifier)),
	};
}

function withoutAbsentKey({ key, ...actor }: BareActor): ActorSpecifier {
	return key === undefined ? actor : { ...actor, key };
}

/**
 * JSON leaves a key out when its value is undefined; peers need it, so it becomes null there, or the tag
 * that only some of them know.
 */
export function present(encoding: ObjectEncoding, value: unknown, tagUndefined = false): unknown {
	if (encoding !== "json" || value !== undefined) return value;
	return tagUndefined ? TAGGED_UNDEFINED : null;
}

/** The fields of an error that are there only when they are set. */
export function errorExtras(
	metadata: unknown,
	actor: ActorSpecifier | undefined,
): { metadata?: unknown; actor?: ActorSpecifier } {
	return {
		...(metadata === undefined ? {} : { metadata }),
		...(actor === undefined ? {} : { actor }),
	};
}

/** An absent value stays absent; anything else, `null` included, is one CBOR item. */
export function encodeOptional(value: unknown): Uint8Array | undefined {
	return value === undefined ? undefined : encodeCborTransient(value);
}

export function decodeOptional(bytes: Uint8Array | undefined): unknown {
	return bytes === undefined ? undefined : decodeCbor(bytes);
}

/** Objects carry ids as 64-bit integers whatever their size (contract 1.6). */
export function wideId(value: MessageId): bigint {
	return BigInt(value);
}
