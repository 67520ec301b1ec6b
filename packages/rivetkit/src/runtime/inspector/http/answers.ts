import {
	type ActorResponse,
	catalogueError,
	EncodeError,
	encodeCbor,
	NestedTooDeep,
	type WireError,
} from "@rivetkit/protocol";
import { untracked } from "../../state/index.ts";
import { toPlainJson } from "../plain-json.ts";

const COMMON = {
	// Tokens may be in the address of whoever shows this.
	"referrer-policy": "no-referrer",
	"cache-control": "no-store",
} as const;

const JSON_HEADERS = { "content-type": "application/json", ...COMMON } as const;
const CBOR_HEADERS = { "content-type": "application/cbor", ...COMMON } as const;

/**
 * Members that are undefined are left out. Throws `inspector.too_deep` for what CBOR carries alone, but not in an answer,
 * and an `EncodeError` for what cannot be encoded.
 */
export function answer(value: object, asCbor: boolean): ActorResponse {
	try {
		return {
			status: 200,
			headers: asCbor ? CBOR_HEADERS : JSON_HEADERS,
			body: encoded(value, asCbor),
		};
	} catch (error) {
		throw asCbor && error instanceof NestedTooDeep ? catalogueError("inspector.too_deep") : error;
	}
}

function encoded(value: object, asCbor: boolean): Uint8Array | string {
	return asCbor ? encodeCbor(untracked(value)) : toPlainJson(value);
}

/** One that is encoded already. */
export class ReadyAnswer {
	readonly response: ActorResponse;

	constructor(response: ActorResponse) {
		this.response = response;
	}
}

/** Whether {@link answer} can be given. */
export function canAnswer(value: object, asCbor: boolean): boolean {
	try {
		encoded(value, asCbor);
		return true;
	} catch (error) {
		if (error instanceof EncodeError || error instanceof RangeError) return false;
		throw error;
	}
}

/** One with the version of what it is about, for `If-Match`. */
export function versionedAnswer(value: object, asCbor: boolean, version: string): ReadyAnswer {
	const { headers, ...rest } = answer(value, asCbor);
	return new ReadyAnswer({ ...rest, headers: { ...headers, etag: version } });
}

/** What is neither JSON nor CBOR, whatever was asked for. */
export class TextAnswer {
	readonly type: string;
	readonly text: string;

	constructor(type: string, text: string) {
		this.type = type;
		this.text = text;
	}
}

export function textAnswer({ type, text }: TextAnswer): ActorResponse {
	return { status: 200, headers: { "content-type": type, ...COMMON }, body: text };
}

/** A structured error; in plain JSON whatever was asked for, so that everybody can read it. */
export function errorAnswer({ statusCode, ...error }: WireError): ActorResponse {
	const { group, code, message, metadata = null } = error;
	return {
		status: statusCode,
		headers: JSON_HEADERS,
		body: toPlainJson({ group, code, message, metadata }),
	};
}

/** What a call of the actor failed with, in the form that callers may see; it has been logged. */
export class CallFailed extends Error {
	override readonly name = "CallFailed";
	readonly wire: WireError;

	constructor(wire: WireError) {
		super(wire.message);
		this.wire = wire;
	}
}
