/** Frames from servers to clients (contract 1.4, 1.5, 1.6, 8.1). */
import { decodeEnvelope, encodeEnvelope, type Readers } from "../bare/envelope.ts";
import { type ByteCursor, readString } from "../bare/runtime.ts";
import { decodeCbor } from "../cbor/decode.ts";
import { encodeCborTransient } from "../cbor/encode.ts";
import type { Encoding } from "../encoding.ts";
import { malformed } from "../errors/common.ts";
import * as v3 from "../generated/client-protocol-v3.ts";
import * as v4 from "../generated/client-protocol-v4.ts";
import {
	bareActor,
	decodeObject,
	encodeObject,
	encodeOptional,
	errorExtras,
	errorFields,
	type Fields,
	fromBareError,
	id,
	list,
	type ObjectEncoding,
	present,
	readActor,
	record,
	text,
	wideId,
} from "./fields.ts";
import {
	ANY_CLIENT,
	CLIENT_PROTOCOL_VERSION,
	type ClientAbilities,
	type ToClient,
} from "./messages.ts";

/**
 * One frame. Version 4 is for BARE peers known to speak it; the `actor` of an error needs it, and is
 * left out otherwise. Throws `EncodeError` for payloads that cannot be encoded. The bytes may share
 * memory with other messages: send or copy them, never transfer their buffer.
 */
export function encodeToClient(
	encoding: Encoding,
	message: ToClient,
	client: ClientAbilities = ANY_CLIENT,
): string | Uint8Array {
	const { version = CLIENT_PROTOCOL_VERSION } = client;
	if (encoding !== "bare") {
		return encodeObject(encoding, { body: toObject(encoding, message, client) });
	}
	return version === 4
		? encodeEnvelope(version, v4.writeToClient, { body: toBare(message) })
		: encodeEnvelope(version, v3.writeToClient, { body: toBare(message) });
}

/** Both layouts at once: the writer of version 3 does not look at `actor`. */
function toBare(message: ToClient): v4.ToClientBody {
	switch (message.tag) {
		case "Init":
			return { tag: "Init", val: message };
		case "ActionResponse":
			return {
				tag: "ActionResponse",
				val: { id: message.id, output: encodeCborTransient(message.output) },
			};
		case "Event":
			return { tag: "Event", val: { name: message.name, args: encodeCborTransient(message.args) } };
		case "Error": {
			const { group, code, metadata, actionId, actor } = message;
			return {
				tag: "Error",
				val: {
					group,
					code,
					message: message.message,
					metadata: encodeOptional(metadata),
					actionId: actionId ?? undefined,
					actor: actor && bareActor(actor),
				},
			};
		}
	}
}

function toObject(
	encoding: ObjectEncoding,
	message: ToClient,
	{ version, tagsUndefined }: ClientAbilities,
): Fields {
	switch (message.tag) {
		case "Init": {
			const { tag, actorId, connectionId } = message;
			return { tag, val: { actorId, connectionId } };
		}
		case "ActionResponse":
			return {
				tag: message.tag,
				val: { id: wideId(message.id), output: present(encoding, message.output, tagsUndefined) },
			};
		case "Event":
			return { tag: message.tag, val: { name: message.name, args: message.args } };
		case "Error": {
			const { group, code, metadata, actionId, actor } = message;
			const extras = errorExtras(metadata, version === 4 ? actor : undefined);
			const id = actionId === null ? null : wideId(actionId);
			return {
				tag: "Error",
				val: { group, code, message: message.message, ...extras, actionId: id },
			};
		}
	}
}

const READERS: Readers<v3.ToClient | v4.ToClient> = {
	1: readVersion1,
	2: v3.readToClient,
	3: v3.readToClient,
	4: readVersion4,
};

/** Version 1 has one field more, at the end of Init, and nobody needs it; a test holds the schemas to that. */
function readVersion1(bc: ByteCursor): v3.ToClient {
	const message = v3.readToClient(bc);
	const hasConnectionToken = message.body.tag === "Init";
	if (hasConnectionToken) readString(bc);
	return message;
}

/** Version 4 has one field more, at the end of Error; a test holds the schemas to that, too. */
function readVersion4(bc: ByteCursor): v4.ToClient {
	const { body } = v3.readToClient(bc);
	if (body.tag !== "Error") return { body };
	return { body: { ...body, val: { ...body.val, actor: readActor(bc) } } };
}

/** Throws `message.malformed` and nothing else. An absent `output` is `undefined`. */
export function decodeToClient(encoding: Encoding, data: string | Uint8Array): ToClient {
	if (encoding === "bare") return decodeEnvelope(data, READERS, fromBare);
	const body = record("body", decodeObject(encoding, data).body);
	const val = record("val", body.val);
	switch (body.tag) {
		case "Init":
			return {
				tag: body.tag,
				actorId: text(val, "actorId"),
				connectionId: text(val, "connectionId"),
			};
		case "ActionResponse":
			return { tag: body.tag, id: id(val, "id"), output: val.output };
		case "Event":
			return { tag: body.tag, name: text(val, "name"), args: list("args", val.args) };
		case "Error":
			return {
				tag: body.tag,
				...errorFields(val),
				actionId: val.actionId === null ? null : id(val, "actionId"),
			};
		default:
			throw malformed("unknown message");
	}
}

function fromBare({ body }: v3.ToClient | v4.ToClient): ToClient {
	switch (body.tag) {
		case "Init":
			return { tag: body.tag, ...body.val };
		case "ActionResponse":
			return { tag: body.tag, id: body.val.id, output: decodeCbor(body.val.output) };
		case "Event":
			return { tag: body.tag, name: body.val.name, args: list("args", decodeCbor(body.val.args)) };
		case "Error":
			return { tag: body.tag, ...fromBareError(body.val), actionId: body.val.actionId ?? null };
	}
}
