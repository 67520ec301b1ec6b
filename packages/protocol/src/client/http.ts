/**
 * HTTP bodies of actor calls (contract 1.4, 1.6, 2.3 to 2.6). Encoders throw `EncodeError` for payloads
 * that cannot be encoded; their bytes may share memory with other messages: send or copy them, never
 * transfer their buffer. Decoders throw `message.malformed` and nothing else.
 */
import { decodeEnvelope, encodeEnvelope, type Readers } from "../bare/envelope.ts";
import { decodeCbor } from "../cbor/decode.ts";
import { encodeCbor, encodeCborTransient } from "../cbor/encode.ts";
import type { Encoding } from "../encoding.ts";
import * as v3 from "../generated/client-protocol-v3.ts";
import * as v4 from "../generated/client-protocol-v4.ts";
import {
	type BareErrorFields,
	bareActor,
	decodeObject,
	decodeOptional,
	encodeObject,
	encodeOptional,
	errorFields,
	type Fields,
	flag,
	fromBareError,
	list,
	optional,
	present,
	readActor,
	text,
	wrong,
} from "./fields.ts";
import {
	ANY_CLIENT,
	CLIENT_PROTOCOL_VERSION,
	type ClientAbilities,
	type HttpActionRequest,
	type HttpActionResponse,
	type HttpQueueSendRequest,
	type HttpQueueSendResponse,
	type HttpResponseError,
} from "./messages.ts";

type Body = string | Uint8Array;

const ACTION_REQUEST: Readers<v3.HttpActionRequest> = {
	1: v3.readHttpActionRequest,
	2: v3.readHttpActionRequest,
	3: v3.readHttpActionRequest,
	4: v3.readHttpActionRequest,
};

export function encodeHttpActionRequest(
	encoding: Encoding,
	{ args }: { readonly args: readonly unknown[] },
): Body {
	if (encoding !== "bare") return encodeObject(encoding, { args });
	const request = { args: encodeCborTransient(args) };
	return encodeEnvelope(CLIENT_PROTOCOL_VERSION, v3.writeHttpActionRequest, request);
}

export function decodeHttpActionRequest(encoding: Encoding, data: Body): HttpActionRequest {
	if (encoding !== "bare") return { args: list("args", decodeObject(encoding, data).args) };
	return decodeEnvelope(data, ACTION_REQUEST, ({ args }) => ({
		args: list("args", decodeCbor(args)),
	}));
}

const ACTION_RESPONSE: Readers<v3.HttpActionResponse> = {
	1: v3.readHttpActionResponse,
	2: v3.readHttpActionResponse,
	3: v3.readHttpActionResponse,
	4: v3.readHttpActionResponse,
};

export function encodeHttpActionResponse(
	encoding: Encoding,
	{ output }: HttpActionResponse,
	{ tagsUndefined }: ClientAbilities = ANY_CLIENT,
): Body {
	if (encoding !== "bare") {
		return encodeObject(encoding, { output: present(encoding, output, tagsUndefined) });
	}
	const response = { output: encodeCborTransient(output) };
	return encodeEnvelope(CLIENT_PROTOCOL_VERSION, v3.writeHttpActionResponse, response);
}

/** An absent `output` is `undefined`: older servers leave it out in JSON. */
export function decodeHttpActionResponse(encoding: Encoding, data: Body): HttpActionResponse {
	if (encoding !== "bare") return { output: decodeObject(encoding, data).output };
	return decodeEnvelope(data, ACTION_RESPONSE, ({ output }) => ({ output: decodeCbor(output) }));
}

const QUEUE_SEND_REQUEST: Readers<v3.HttpQueueSendRequest> = {
	3: v3.readHttpQueueSendRequest,
	4: v3.readHttpQueueSendRequest,
};

export function encodeHttpQueueSendRequest(
	encoding: Encoding,
	{ timeout, ...message }: HttpQueueSendRequest,
): Body {
	return httpQueueSendRequestEncoder(encoding, message)(timeout);
}

/**
 * For a request that is sent again when less time is left: takes the body as it is now, and gives the
 * encoded request for each timeout (ms).
 */
export function httpQueueSendRequestEncoder(
	encoding: Encoding,
	{ body, name, wait }: Omit<HttpQueueSendRequest, "timeout">,
): (timeout: number | undefined) => Body {
	if (encoding !== "bare") {
		const untimed = encodeObject(encoding, {
			body: present(encoding, body),
			...only("name", name),
			...only("wait", wait),
		});
		return (timeout) =>
			timeout === undefined
				? untimed
				: encodeObject(encoding, { ...decodeObject(encoding, untimed), timeout });
	}
	const bytes = encodeCbor(body);
	return (timeout) =>
		encodeEnvelope(CLIENT_PROTOCOL_VERSION, v3.writeHttpQueueSendRequest, {
			body: bytes,
			name,
			wait,
			timeout: timeout === undefined ? undefined : Math.max(0, Math.ceil(timeout)),
		});
}

export function decodeHttpQueueSendRequest(encoding: Encoding, data: Body): HttpQueueSendRequest {
	if (encoding === "bare") {
		return decodeEnvelope(data, QUEUE_SEND_REQUEST, ({ body, name, wait, timeout }) => ({
			body: decodeCbor(body),
			...only("name", name),
			...only("wait", wait),
			...only("timeout", timeout === undefined ? undefined : Number(timeout)),
		}));
	}
	const fields = decodeObject(encoding, data);
	if (!Object.hasOwn(fields, "body")) throw wrong("body", "there");
	return {
		body: fields.body,
		...only("name", optional(fields, "name", text)),
		...only("wait", optional(fields, "wait", flag)),
		...only("timeout", optional(fields, "timeout", milliseconds)),
	};
}

function milliseconds(fields: Fields, name: string): number {
	const value = fields[name];
	if (typeof value === "number" && Number.isFinite(value)) return value;
	if (typeof value === "bigint") return Number(value);
	throw wrong(name, "a number");
}

const QUEUE_SEND_RESPONSE: Readers<v3.HttpQueueSendResponse> = {
	3: v3.readHttpQueueSendResponse,
	4: v3.readHttpQueueSendResponse,
};

export function encodeHttpQueueSendResponse(
	encoding: Encoding,
	{ status, response }: HttpQueueSendResponse,
): Body {
	if (encoding !== "bare") return encodeObject(encoding, { status, response });
	return encodeEnvelope(CLIENT_PROTOCOL_VERSION, v3.writeHttpQueueSendResponse, {
		status,
		response: encodeOptional(response),
	});
}

export function decodeHttpQueueSendResponse(encoding: Encoding, data: Body): HttpQueueSendResponse {
	if (encoding === "bare") {
		return decodeEnvelope(data, QUEUE_SEND_RESPONSE, ({ status, response }) => ({
			status: queueStatus(status),
			...only("response", decodeOptional(response)),
		}));
	}
	const fields = decodeObject(encoding, data);
	return { status: queueStatus(fields.status), ...only("response", fields.response) };
}

function queueStatus(value: unknown): HttpQueueSendResponse["status"] {
	if (value === "completed" || value === "timedOut") return value;
	throw wrong("status", "completed or timedOut");
}

const RESPONSE_ERROR: Readers<BareErrorFields> = {
	1: v3.readHttpResponseError,
	2: v3.readHttpResponseError,
	3: v3.readHttpResponseError,
	4: (cursor) => ({ ...v3.readHttpResponseError(cursor), actor: readActor(cursor) }),
};

/** Version 4 is for BARE peers known to speak it; `actor` needs it, and is left out otherwise. */
export function encodeHttpResponseError(
	encoding: Encoding,
	error: HttpResponseError,
	{ version = CLIENT_PROTOCOL_VERSION }: ClientAbilities = ANY_CLIENT,
): Body {
	const { group, code, message, metadata } = error;
	const actor = version === 4 ? error.actor : undefined;
	if (encoding !== "bare") {
		return encodeObject(encoding, { group, code, message, metadata, ...only("actor", actor) });
	}
	const bare = { group, code, message, metadata: encodeOptional(metadata) };
	return version === 4
		? encodeEnvelope(version, v4.writeHttpResponseError, {
				...bare,
				actor: actor && bareActor(actor),
			})
		: encodeEnvelope(version, v3.writeHttpResponseError, bare);
}

export function decodeHttpResponseError(encoding: Encoding, data: Body): HttpResponseError {
	if (encoding === "bare") {
		return decodeEnvelope(data, RESPONSE_ERROR, fromBareError);
	}
	return errorFields(decodeObject(encoding, data));
}

/** `{ [name]: value }`, or nothing when there is no value. */
function only<K extends string, V>(name: K, value: V | undefined): { [N in K]?: V } {
	return value === undefined ? {} : ({ [name]: value } as { [N in K]?: V });
}
