import {
	ActorGone,
	catalogueError,
	encodeCbor,
	encodeJson,
	toWireError,
	type WireError,
} from "@rivetkit/protocol";
import { FencedOff } from "../../backends/backend.ts";
import type { ActorInstance } from "./instance.ts";

/**
 * What a caller may know of an error. Public errors go out as they are; of all others the caller sees a
 * fixed text (unless errors are exposed), and the log gets everything.
 */
export function describeError(
	instance: ActorInstance,
	thrown: unknown,
	operation: Readonly<Record<string, unknown>>,
): WireError {
	const error =
		thrown instanceof ActorGone || thrown instanceof FencedOff
			? catalogueError("actor.stopping", { actorId: instance.actorId })
			: thrown;
	const wire = toWireError(error, { expose: instance.services.exposeErrors() });
	const obstacle = obstacleTo(wire.metadata);
	if (obstacle !== null) {
		instance.log.error(
			{ ...operation, err: error, obstacle },
			"an error's metadata cannot be encoded; the caller gets the error without it",
		);
		return { ...wire, metadata: undefined };
	}
	if (wire.statusCode < 500) {
		instance.log.debug({ ...operation, code: `${wire.group}.${wire.code}` }, wire.message);
	} else {
		instance.log.error({ ...operation, err: error }, "internal error");
	}
	return wire;
}

/** Why metadata cannot travel in every encoding; null when it can. */
function obstacleTo(metadata: unknown): unknown {
	if (
		typeof metadata !== "object" &&
		typeof metadata !== "function" &&
		typeof metadata !== "symbol"
	) {
		return null;
	}
	try {
		encodeCbor(metadata);
		encodeJson(metadata);
		return null;
	} catch (obstacle) {
		return obstacle;
	}
}
