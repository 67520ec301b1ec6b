import type { ActorSocket } from "@rivetkit/protocol";
import type { ActorRecord } from "../store/store.ts";
import type { Incarnation, IncarnationEnd } from "./incarnation.ts";

/** Where an actor's calls go: to an incarnation that another node has, or to one that begins here. */
export type Route =
	| { readonly kind: "remote"; readonly incarnation: Incarnation }
	/** Its start waits for room on another node, where so many of its pool do that no more are to begin if it `isCrowded`. */
	| { readonly kind: "waiting"; readonly isCrowded: boolean }
	/** This node has just acquired the actor; undefined when it has begun here meanwhile. */
	| { readonly kind: "here"; readonly acquired: ActorRecord | undefined };

/**
 * A start that is given up here because another node has room for the actor, and this one has none. One that comes back
 * all the same is not given up again (`ActorAssignment.staysHere`): nothing goes to and fro, whatever nodes think of each other.
 */
export class StartsElsewhere extends Error {
	override readonly name = "StartsElsewhere";
	constructor(actorId: string) {
		super(`Actor ${actorId} starts on another node`);
	}
}

/** How a start on another node waits. */
export interface RouteWait {
	/** For room, however long that takes. */
	readonly isPatient: boolean;
	/** For no more than that it runs or waits for room. */
	readonly onlyBegins: boolean;
}

/** What decides which nodes can run an actor. */
export interface ActorKind {
	readonly name: string;
	readonly namespace: string;
	/** The pool whose runners may have it. */
	readonly pool: string;
}

/** What placement has to know of other nodes; absent where there are none. */
export interface Elsewhere {
	/** Whether this node may run actors now. */
	readonly isServing: boolean;
	/** Whether this node has the actor under the lease that it holds now; it does not when it has lost the one it was acquired under. */
	holds(acquired: ActorRecord): boolean;
	/** Whether this node is to run one such actor more; it is then counted as if it did. */
	takesNext(actor: ActorKind): boolean;
	/** Resolves when this node may run actors. Rejects with `guard.service_unavailable`. */
	serving(deadlineTs: number): Promise<void>;
	/** An incarnation that another node is known to have. */
	live(actorId: string): Incarnation | undefined;
	liveId(name: string, key: string): string | undefined;
	/** Finds out where an actor is, or decides it. Rejects as a start does. */
	route(actorId: string, deadlineTs: number, wait: RouteWait): Promise<Route>;
	/** Another node said that an incarnation is gone. False for one of this node. */
	gone(incarnation: Incarnation): boolean;
	/** The sockets that other nodes hold for an actor that begins here. */
	gather(actor: ActorRecord): Promise<readonly ActorSocket[]>;
	/** An incarnation of this node is gone. */
	ended(actorId: string, generation: number, how: IncarnationEnd): void;
}
