import type { DeadLetterChoice } from "../../queue/dead-letters.ts";
import type { QueuedMessage } from "../../queue/message.ts";
import { invalid } from "../invalid.ts";
import type { InspectorCall } from "./call.ts";

type Body = Readonly<Record<string, unknown>>;

/** Of a change of the state. Throws `request.invalid` without one. */
export function newState(body: Body): unknown {
	if (!Object.hasOwn(body, "state")) throw invalid("the body must have a member 'state'");
	return body.state;
}

/** Which dead letters are meant. Throws `request.invalid`. */
export function redriveChoice({ queue, ids, limit }: Body): DeadLetterChoice {
	if (queue !== undefined && typeof queue !== "string") throw invalid("queue must be a text");
	if (limit !== undefined && !isCount(limit)) throw invalid("limit must be a whole number");
	return { queue, limit, ids: messageIds(ids) };
}

function messageIds(ids: unknown): bigint[] | undefined {
	if (ids === undefined) return undefined;
	if (Array.isArray(ids) && ids.every(isCount)) return ids.map((id) => BigInt(id));
	throw invalid("ids must be a list of ids of messages");
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The message of the path. */
export function messageChoice({ parameters }: InspectorCall): (message: QueuedMessage) => boolean {
	const id = Number(parameters[0]);
	return (message) => message.id === id;
}
