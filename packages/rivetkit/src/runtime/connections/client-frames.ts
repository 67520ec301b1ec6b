import {
	type ClientAbilities,
	catalogueError,
	type Encoding,
	encodeToClient,
	type MessageId,
	utf8Length,
	type WireError,
} from "@rivetkit/protocol";
import type { Outcome } from "../calls/call-log.ts";
import { encodeError } from "../instance/describe-error.ts";
import type { ActorInstance } from "../instance/instance.ts";

/** A frame as it goes over the wire. */
export type Frame = string | Uint8Array;

/** What answers an action; an output that cannot be sent is answered with the error that says so. */
export function answerFrame(
	instance: ActorInstance,
	encoding: Encoding,
	call: { readonly id: MessageId; readonly action: string; readonly client: ClientAbilities },
	outcome: Outcome,
): Frame {
	const { id, action, client } = call;
	if (!outcome.ok) return wireErrorFrame(instance, encoding, outcome.error, id);
	try {
		const { output } = outcome;
		const frame = encodeToClient(encoding, { tag: "ActionResponse", id, output }, client);
		const limit = instance.services.limits.maxOutgoingMessageSize;
		const size = frameSize(frame);
		if (size > limit) throw catalogueError("message.outgoing_too_long", { size, limit });
		return frame;
	} catch (error) {
		outcome.call?.notSent(error);
		return errorFrame(instance, encoding, error, id, action);
	}
}

/** An error of a call, or of the connection when `actionId` is null. */
export function errorFrame(
	instance: ActorInstance,
	encoding: Encoding,
	error: unknown,
	actionId: MessageId | null,
	action?: string,
): Frame {
	const wire = instance.describeError(error, action === undefined ? {} : { action });
	return wireErrorFrame(instance, encoding, wire, actionId);
}

function wireErrorFrame(
	instance: ActorInstance,
	encoding: Encoding,
	wire: WireError,
	actionId: MessageId | null,
): Frame {
	return encodeError(instance, wire, (error) =>
		encodeToClient(encoding, { tag: "Error", ...error, actionId }),
	);
}

export function frameSize(frame: Frame): number {
	return typeof frame === "string" ? utf8Length(frame) : frame.byteLength;
}
