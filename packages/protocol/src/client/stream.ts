/**
 * The body of a streamed action's answer (ours: `HEADER_STREAM`): frames, one behind the other, the last of
 * which says how it ended. In JSON a frame is a line; in CBOR and BARE it is CBOR behind its length, an
 * unsigned 32-bit integer with the highest byte first.
 */
import type { Encoding } from "../encoding.ts";
import { decodeObject, encodeObject } from "./fields.ts";
import type { HttpResponseError } from "./messages.ts";

/** What the iterator of a generator gives, or how it failed. An absent value is `undefined`. */
export interface StreamFrame {
	readonly value?: unknown;
	/** The stream ends with this frame; `value` is what its generator returned. */
	readonly done?: boolean;
	/** The stream ends with this error. */
	readonly error?: HttpResponseError;
}

const LENGTH_BYTES = 4;
const LINE_END = 10;

/** The `Content-Type` of a streamed answer. */
export function streamContentType(encoding: Encoding): string {
	return encoding === "json" ? "application/x-ndjson" : "application/x-rivet-stream";
}

/** Throws an `EncodeError` for a value that cannot be encoded. */
export function encodeStreamFrame(encoding: Encoding, frame: StreamFrame): Uint8Array {
	if (encoding === "json") {
		return new TextEncoder().encode(`${encodeObject(encoding, { ...frame })}\n`);
	}
	const body = encodeObject("cbor", { ...frame }) as Uint8Array;
	const bytes = new Uint8Array(LENGTH_BYTES + body.byteLength);
	new DataView(bytes.buffer).setUint32(0, body.byteLength);
	bytes.set(body, LENGTH_BYTES);
	return bytes;
}

/** Where the first frame in `bytes` ends; 0 when it is not whole. */
export function streamFrameEnd(encoding: Encoding, bytes: Uint8Array): number {
	if (encoding === "json") return bytes.indexOf(LINE_END) + 1;
	if (bytes.byteLength < LENGTH_BYTES) return 0;
	const end = LENGTH_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
	return end > bytes.byteLength ? 0 : end;
}

/** Decodes one whole frame, whose fields are not checked. Throws `message.malformed`. */
export function decodeStreamFrame(encoding: Encoding, bytes: Uint8Array): StreamFrame {
	return encoding === "json"
		? decodeObject(encoding, bytes)
		: decodeObject("cbor", bytes.subarray(LENGTH_BYTES));
}
