/** The frame around every top-level BARE message: a version, u16 little-endian (contract 1.2). */
import { asMalformed, malformed } from "../errors/common.ts";
import { copyToSend } from "../slab.ts";
import { ByteCursor } from "./runtime.ts";

const VERSION_BYTES = 2;
const START_BYTES = 1024;
/** A buffer that grew beyond this for one large message is not kept. */
const KEPT_BYTES_MAX = 1024 * 1024;

export type Write<T> = (bc: ByteCursor, message: T) => void;
export type Read<T> = (bc: ByteCursor) => T;
/** How to read each version that is accepted. */
export type Readers<T> = Readonly<Record<number, Read<T>>>;

/** Writing calls no code of users, so one buffer serves all messages. */
const scratch = /* @__PURE__ */ new ByteCursor(/* @__PURE__ */ new Uint8Array(START_BYTES));

/** Version prefix and message. */
export function encodeEnvelope<T>(version: number, write: Write<T>, message: T): Uint8Array {
	scratch.bytes[0] = version;
	scratch.bytes[1] = version >> 8;
	return encodeFrom(VERSION_BYTES, write, message);
}

/** The message alone. */
export function encodeBare<T>(write: Write<T>, message: T): Uint8Array {
	return encodeFrom(0, write, message);
}

function encodeFrom<T>(offset: number, write: Write<T>, message: T): Uint8Array {
	scratch.offset = offset;
	write(scratch, message);
	const result = copyToSend(scratch.bytes, scratch.offset);
	if (scratch.bytes.length > KEPT_BYTES_MAX) scratch.bytes = new Uint8Array(START_BYTES);
	return result;
}

/**
 * Reads version and message. An unknown version, undecodable bytes, bytes behind the message and text
 * throw `message.malformed`; so does what `convert` throws.
 */
export function decodeEnvelope<T, R>(
	data: string | Uint8Array,
	readers: Readers<T>,
	convert: (message: T, version: number) => R,
): R {
	if (typeof data === "string") throw malformed("text where binary is expected");
	const version =
		data.length < VERSION_BYTES ? -1 : (data[0] as number) | ((data[1] as number) << 8);
	const read = readers[version];
	if (read === undefined) throw malformed("unknown protocol version");
	return decodeFrom(data, VERSION_BYTES, read, (message) => convert(message, version));
}

/** Reads a message without a version prefix, with the errors of {@link decodeEnvelope}. */
export function decodeBare<T>(data: Uint8Array, read: Read<T>): T {
	return decodeFrom(data, 0, read, (message) => message);
}

function decodeFrom<T, R>(
	data: Uint8Array,
	offset: number,
	read: Read<T>,
	convert: (message: T) => R,
): R {
	try {
		const bc = new ByteCursor(data, offset);
		const message = read(bc);
		if (bc.offset !== data.length) throw malformed("trailing bytes");
		return convert(message);
	} catch (error) {
		throw asMalformed(error);
	}
}
