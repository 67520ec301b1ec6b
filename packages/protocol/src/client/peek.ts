import { ByteCursor, readUint } from "../bare/runtime.ts";
import type { Encoding } from "../encoding.ts";
import type { MessageId } from "./messages.ts";

/** The id stands before name and arguments, so it is found in the first bytes or not at all. */
const PREFIX_BYTES = 256;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

const JSON_PREFIX =
	/^\s*\{\s*"body"\s*:\s*\{\s*"tag"\s*:\s*"ActionRequest"\s*,\s*"val"\s*:\s*\{\s*"id"\s*:\s*(?:\[\s*"\$BigInt"\s*,\s*"(\d{1,20})"\s*\]|(\d{1,16})\s*[,}])/;

/** `{body: {tag: "ActionRequest", val: {id:` with any map heads, as Latin-1. */
const CBOR_PREFIX =
	/^(?:[\xa1-\xb7\xbf]|\xb8.|\xb9..)dbody(?:[\xa2-\xb7\xbf]|\xb8.|\xb9..)ctagmActionRequestcval(?:[\xa1-\xb7\xbf]|\xb8.|\xb9..)bid/s;

/**
 * The id of the call in a frame that is too long to be decoded (ruling 2): looks at its first bytes
 * only. `null` when the frame is not an action request, or has its id elsewhere. Never throws.
 */
export function peekActionId(encoding: Encoding, data: string | Uint8Array): MessageId | null {
	try {
		if (encoding === "json") return peekJson(data);
		if (typeof data === "string") return null;
		return encoding === "cbor" ? peekCbor(data) : peekBare(data);
	} catch {
		// The id itself is cut off or over-long: there is nobody to answer.
		return null;
	}
}

function peekJson(data: string | Uint8Array): MessageId | null {
	const head = data.slice(0, PREFIX_BYTES);
	const found = JSON_PREFIX.exec(typeof head === "string" ? head : latin1(head));
	return found === null ? null : normal(BigInt(found[1] ?? found[2] ?? ""));
}

function peekCbor(data: Uint8Array): MessageId | null {
	const head = data.subarray(0, PREFIX_BYTES);
	const found = CBOR_PREFIX.exec(latin1(head));
	if (found === null) return null;
	const at = found[0].length;
	const initial = head[at] ?? 0xff;
	if (initial < 24) return initial;
	if (initial > 27) return null;
	const length = 2 ** (initial - 24);
	let value = 0n;
	for (const byte of head.subarray(at + 1, at + 1 + length)) value = (value << 8n) | BigInt(byte);
	return head.length < at + 1 + length ? null : normal(value);
}

function peekBare(data: Uint8Array): MessageId | null {
	const [low = 0, high, tag] = data;
	if (low < 1 || low > 4 || high !== 0 || tag !== 0) return null;
	return readUint(new ByteCursor(data.subarray(0, PREFIX_BYTES), 3));
}

function normal(id: bigint): MessageId | null {
	if (id > U64_MAX) return null;
	return id <= Number.MAX_SAFE_INTEGER ? Number(id) : id;
}

function latin1(bytes: Uint8Array): string {
	return String.fromCharCode(...bytes);
}
