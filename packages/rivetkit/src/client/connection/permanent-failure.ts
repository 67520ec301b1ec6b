import { ActorError } from "../errors.ts";
import type { ActorQuery } from "../transport/transport.ts";

/** Groups whose errors say nothing about the caller: masked errors, engines, gateways, ourselves. */
const TRANSIENT_GROUPS = new Set(["rivetkit", "guard", "core", "ws", "client"]);

/** Errors of an actor or server that is on its way up or down. */
const TRANSIENT_CODES = new Set([
	"actor.internal_error",
	"actor.stopping",
	"actor.aborted",
	"actor.starting",
	"actor.restarting",
	"actor.dropped_reply",
	"request.timed_out",
]);

/**
 * Whether trying again would only fail again: the actor's own refusal, bad params, or an actor that
 * does not exist and that the query would not create (contract: api 15.5, ruling 3).
 */
export function isPermanentFailure(error: unknown, query: ActorQuery): boolean {
	if (!(error instanceof ActorError)) return false;
	const { group, code } = error;
	if (TRANSIENT_GROUPS.has(group)) return false;
	if (group === "actor" && code === "not_found") return query.kind !== "getOrCreate";
	if (group === "actor" && code.startsWith("destroyed_")) return query.kind !== "getOrCreate";
	return !TRANSIENT_CODES.has(`${group}.${code}`);
}
