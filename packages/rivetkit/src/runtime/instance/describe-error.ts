import {
	ActorGone,
	catalogueError,
	encodeCbor,
	encodeJson,
	toWireError,
	type WireError,
} from "@rivetkit/protocol";
import { FencedOff } from "../../backends/backend.ts";
import { untracked } from "../state/index.ts";
import { isCallerGone } from "./caller-gone.ts";
import type { ActorInstance } from "./instance.ts";

/** Levels that an answer, or what is kept of it, may put around the metadata of an error. */
const ENVELOPE_LEVELS = 8;

/**
 * What a caller may know of an error. Public errors go out as they are; of all others the caller sees a
 * fixed text (unless errors are exposed), and the log gets everything. What is returned can be encoded.
 *
 * @param signal - of the caller; that it went away is no error of ours
 */
export function describeError(
	instance: ActorInstance,
	thrown: unknown,
	operation: Readonly<Record<string, unknown>>,
	signal?: () => AbortSignal,
): WireError {
	const error = isEndOfIncarnation(thrown)
		? catalogueError("actor.stopping", { actorId: instance.actorId })
		: thrown;
	const wire = toWireError(error, { expose: instance.services.exposeErrors() });
	if (wire.statusCode < 500) {
		instance.log.debug({ ...operation, code: `${wire.group}.${wire.code}` }, wire.message);
	} else if (signal !== undefined && isCallerGone(error, signal)) {
		instance.log.debug(operation, "the caller went away before its call was complete");
	} else {
		instance.log.error({ ...operation, err: error }, "internal error");
	}
	try {
		return { ...wire, metadata: encodable(wire.metadata) };
	} catch (obstacle) {
		instance.log.error({ ...operation, err: error, obstacle }, UNENCODABLE_METADATA);
		return { ...wire, metadata: undefined };
	}
}

/**
 * What `encode` makes of an error that was described before. Its metadata is the author's object still: where that
 * has become something that cannot be encoded, the error goes without it.
 */
export function encodeError<T>(
	instance: ActorInstance,
	error: WireError,
	encode: (error: WireError) => T,
): T {
	try {
		return encode(error);
	} catch (obstacle) {
		const code = `${error.group}.${error.code}`;
		instance.log.error({ code, obstacle }, UNENCODABLE_METADATA);
		return encode({ ...error, metadata: undefined });
	}
}

const UNENCODABLE_METADATA =
	"an error's metadata cannot be encoded; the caller gets the error without it";

function isEndOfIncarnation(thrown: unknown): boolean {
	try {
		return thrown instanceof ActorGone || thrown instanceof FencedOff;
	} catch {
		// User code threw a proxy that does not want to be looked at.
		return false;
	}
}

/** The value itself, or what it stands for in the state. Throws when an encoding cannot carry it in an answer. */
function encodable(metadata: unknown): unknown {
	if (metadata === undefined) return undefined;
	const plain = untracked(metadata);
	let carried = plain;
	for (let level = 0; level < ENVELOPE_LEVELS; level++) carried = [carried];
	encodeCbor(carried);
	encodeJson(carried);
	return plain;
}
