import type { ActorHost, StopIntent } from "@rivetkit/protocol";
import type { PoolName } from "../common/pool-state.ts";
import type { Deferred } from "./deferred.ts";
import type { Phase } from "./phases.ts";

/** How an incarnation ended: the actor goes on, it is gone, or the host was lost in the middle of it. */
export type IncarnationEnd = "stopped" | "destroyed" | "lost";

/** One incarnation. The gateway keeps it to tell which one answered. */
export interface Incarnation {
	readonly host: ActorHost;
	readonly generation: number;
	readonly phase: Phase;
}

/** One that this node has, or is about to have. */
export interface Placed extends Incarnation {
	readonly actorId: string;
	generation: number;
	phase: Phase;
	/** Of the actor, once they are known. */
	crashPolicy: string | undefined;
	pool: PoolName | undefined;
	/** Known as soon as the incarnation is stopping. */
	intent: StopIntent | undefined;
	/** Under what the live incarnation is found by key; empty before it is live. */
	liveKey: string;
	/** Name and serialized key of the actor, once they are known. */
	place: { readonly name: string; readonly key: string } | undefined;
	/** Settles at the next change of phase that waiting callers care about. */
	changed: Deferred<void> | undefined;
	/** Settles with the first of: it waits for room at its host, it is live, it is gone. */
	begun: Deferred<void> | undefined;
	/** Its host has told that its start waits for room. */
	isWaiting: boolean;
	/** Callers that wait for a change now. */
	waiterCount: number;
}

/** One whose generation is not known yet. */
export function newPlaced(
	actorId: string,
	host: ActorHost,
	begins: Pick<Placed, "phase" | "intent">,
): Placed {
	return {
		actorId,
		host,
		generation: -1,
		phase: begins.phase,
		crashPolicy: undefined,
		pool: undefined,
		intent: begins.intent,
		liveKey: "",
		place: undefined,
		changed: undefined,
		begun: undefined,
		isWaiting: false,
		waiterCount: 0,
	};
}
