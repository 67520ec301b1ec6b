/** Frames from clients to servers (contract 1.4, 1.6). */

import { decodeEnvelope, encodeEnvelope, type Readers } from "../bare/envelope.ts";
import { decodeCbor } from "../cbor/decode.ts";
import { encodeCborTransient } from "../cbor/encode.ts";
import type { Encoding } from "../encoding.ts";
import { malformed } from "../errors/common.ts";
import * as v3 from "../generated/client-protocol-v3.ts";
import {
	decodeObject,
	encodeObject,
	type Fields,
	flag,
	id,
	list,
	record,
	text,
	wideId,
} from "./fields.ts";
import { CLIENT_PROTOCOL_VERSION, type ToServer } from "./messages.ts";

/**
 * One frame. Throws `EncodeError` for arguments that cannot be encoded. The bytes may share memory with
 * other messages: send or copy them, never transfer their buffer.
 */
export function encodeToServer(encoding: Encoding, message: ToServer): string | Uint8Array {
	if (encoding === "bare") {
		return encodeEnvelope(CLIENT_PROTOCOL_VERSION, v3.writeToServer, { body: toBare(message) });
	}
	const { tag, ...fields } = message;
	const val: Fields =
		message.tag === "ActionRequest" ? { ...fields, id: wideId(message.id) } : fields;
	return encodeObject(encoding, { body: { tag, val } });
}

function toBare(message: ToServer): v3.ToServerBody {
	if (message.tag === "SubscriptionRequest") return { tag: message.tag, val: message };
	const { id, name, args } = message;
	return { tag: message.tag, val: { id, name, args: encodeCborTransient(args) } };
}

/** Every version has the same layout here; a test holds the schemas to that. */
const READERS: Readers<v3.ToServer> = {
	1: v3.readToServer,
	2: v3.readToServer,
	3: v3.readToServer,
	4: v3.readToServer,
};

/** Throws `message.malformed` and nothing else. */
export function decodeToServer(encoding: Encoding, data: string | Uint8Array): ToServer {
	if (encoding === "bare") return decodeEnvelope(data, READERS, fromBare);
	const body = record("body", decodeObject(encoding, data).body);
	const val = record("val", body.val);
	switch (body.tag) {
		case "ActionRequest":
			return {
				tag: body.tag,
				id: id(val, "id"),
				name: text(val, "name"),
				args: list("args", val.args),
			};
		case "SubscriptionRequest":
			return {
				tag: body.tag,
				eventName: text(val, "eventName"),
				subscribe: flag(val, "subscribe"),
			};
		default:
			throw malformed("unknown message");
	}
}

function fromBare({ body: { tag, val } }: v3.ToServer): ToServer {
	return tag === "ActionRequest"
		? { tag, id: val.id, name: val.name, args: list("args", decodeCbor(val.args)) }
		: { tag, eventName: val.eventName, subscribe: val.subscribe };
}
