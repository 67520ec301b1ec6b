import { isActorError } from "@rivetkit/protocol";
import { ActorSchedulingError } from "../errors.ts";
import type { ActorQuery } from "../transport/transport.ts";

/**
 * What a failed attempt to connect means (contract: api 15.5, rulings 3 and 5).
 *
 * - `permanent`: trying again would only fail again. The connection ends.
 * - `refusal`: the server answered, and the next attempt may end otherwise: a masked error of a hook or of
 *   the actor's start. Waiting calls get it, as they would over HTTP; attempts go on with back-off.
 * - `outage`: nobody answered, or a server on its way up or down did. Waiting calls go on waiting.
 */
export type FailureKind = "permanent" | "refusal" | "outage";

/** Groups of engines, gateways and ourselves: they say nothing about actor or caller. */
const OUTAGE_GROUPS = new Set(["guard", "core", "ws", "client"]);

/** Errors of an actor or server that is on its way up or down. */
const OUTAGE_CODES = new Set([
	"actor.stopping",
	"actor.aborted",
	"actor.starting",
	"actor.restarting",
	"actor.dropped_reply",
	"request.timed_out",
]);

/** `error` as it came: what this side wrapped into an `ActorError` would look like an answer. */
export function failureKind(error: unknown, query: ActorQuery): FailureKind {
	if (!isActorError(error)) return "outage";
	const { group, code } = error;
	const name = `${group}.${code}`;
	const isMasked = group === "rivetkit" || name === "actor.internal_error";
	if (isMasked || error instanceof ActorSchedulingError) return "refusal";
	if (OUTAGE_GROUPS.has(group) || OUTAGE_CODES.has(name)) return "outage";
	const isGone = group === "actor" && (code === "not_found" || code.startsWith("destroyed_"));
	return isGone && query.kind === "getOrCreate" ? "outage" : "permanent";
}
