import {
	ActorDeclined,
	ActorGone,
	catalogueError,
	decodeCbor,
	encodeCbor,
	type ResumedCall,
	RivetError,
	type StopIntent,
} from "@rivetkit/protocol";
import type { PoolState } from "../common/pool-state.ts";
import type { RunnerQuestion } from "../common/runner-questions.ts";
import type { IncarnationEnd } from "../placement/incarnation.ts";

/** A client's socket as the node that runs its actor gets it. `key` names it on the link. */
export interface SocketOffer {
	readonly key: number;
	readonly id: string;
	readonly protocol: string;
	readonly sentCount: number;
	readonly isInterrupted: boolean;
	readonly canHibernate: boolean;
}

export type HeaderEntries = readonly (readonly [name: string, value: string])[];

export interface RunnerPool {
	readonly namespace: string;
	readonly pool: string;
}

/** What one node asks of another; each is answered. */
export type LinkCall =
	/** Make sure that an incarnation takes calls; answered by {@link ReadyAnswer}. */
	| {
			readonly do: "ready";
			readonly actorId: string;
			readonly waitMs: number;
			/** Whether a start waits for room however long that takes; nodes of a version before this do not tell it. */
			readonly isPatient?: boolean;
			/** Whether no more is wanted than that it runs or waits for room; the same of those nodes. */
			readonly onlyBegins?: boolean;
	  }
	| {
			readonly do: "request";
			readonly actorId: string;
			readonly generation: number;
			readonly method: string;
			readonly path: string;
			readonly headers: HeaderEntries;
			readonly body: Uint8Array;
			readonly peerAddress: string | null;
	  }
	| {
			readonly do: "openSocket";
			readonly actorId: string;
			readonly generation: number;
			readonly path: string;
			readonly headers: HeaderEntries;
			readonly protocols: readonly string[];
			readonly socket: SocketOffer;
	  }
	/** Looks at an actor there, without waking it; answered as `request` is, or by null where it has to be woken. */
	| {
			readonly do: "inspect";
			readonly actorId: string;
			readonly method: string;
			readonly path: string;
			readonly headers: HeaderEntries;
			readonly body: Uint8Array;
			readonly peerAddress: string | null;
	  }
	| {
			readonly do: "inspectSocket";
			readonly actorId: string;
			readonly path: string;
			readonly headers: HeaderEntries;
			readonly protocols: readonly string[];
			readonly socket: SocketOffer;
	  }
	| { readonly do: "stop"; readonly actorId: string; readonly intent: StopIntent }
	/** A new incarnation goes on with the sockets that the other node holds; answered by the offers. */
	| { readonly do: "gather"; readonly actorId: string; readonly generation: number }
	/** A runner is connected to the node that tells: what it had on the other one goes on elsewhere. */
	| {
			readonly do: "runnerMoved";
			readonly pool: RunnerPool;
			readonly key: string;
			/** Of its code; nodes of a version before this do not tell it. */
			readonly version?: number;
	  }
	/** What the node that tells has for the next actors of its pools, all of it. */
	| { readonly do: "rooms"; readonly rooms: readonly PoolState[] }
	/** What that node knows of its runners; answered by a list. */
	| { readonly do: "askRunners"; readonly question: RunnerQuestion }
	/** An incarnation has gone on without the sockets that the other node holds and nobody has: they are over. */
	| { readonly do: "dropResting"; readonly actorId: string };

export type ReadyAnswer =
	| {
			readonly is: "live";
			readonly generation: number;
			readonly name: string;
			readonly key: string;
	  }
	/** Its start waits for room; only for who wants no more than that. */
	| {
			readonly is: "waiting";
			/** Whether so many of its pool do that no more are to begin; nodes of a version before this do not tell it. */
			readonly isCrowded?: boolean;
	  }
	/** Another node has it, or this one takes none any more. */
	| { readonly is: "elsewhere" };

/** A body that comes in parts, by the number of the call it answers. */
export interface ResponseHead {
	readonly status: number;
	readonly statusText: string | null;
	readonly headers: Record<string, string | readonly string[]>;
	readonly body: string | Uint8Array | null;
	readonly isStream: boolean;
}

/** What the node with the client tells the one with the actor of a socket. */
export type SocketNews =
	| { readonly message: string | Uint8Array; readonly index: number }
	| { readonly closed: readonly [code: number, reason: string, wasClean: boolean] }
	| { readonly pong: true }
	/** Bytes that its client has not taken yet. */
	| { readonly buffered: number };

/** What an actor does with a socket that another node holds. */
export type SocketDeed =
	| { readonly do: "send"; readonly message: string | Uint8Array }
	| { readonly do: "ping" | "listen" | "hold" | "release" }
	| { readonly do: "close"; readonly code: number; readonly reason: string }
	| { readonly do: "acknowledge"; readonly index: number };

export type LinkMessage =
	| { readonly is: "call"; readonly id: number; readonly call: LinkCall }
	| { readonly is: "answer"; readonly id: number; readonly value: unknown }
	| { readonly is: "failure"; readonly id: number; readonly failure: WireFailure }
	| { readonly is: "abort"; readonly id: number }
	/** Part of the body that answers call `id`; null at its end. */
	| { readonly is: "part"; readonly id: number; readonly bytes: Uint8Array | null }
	/** Its reader has taken as many bytes of the body that answers call `id`. */
	| { readonly is: "taken"; readonly id: number; readonly bytes: number }
	| { readonly is: "news"; readonly key: number; readonly news: SocketNews }
	| { readonly is: "deed"; readonly key: number; readonly deed: SocketDeed }
	/** An incarnation that the other node has asked for is gone. */
	| {
			readonly is: "ended";
			readonly actorId: string;
			readonly generation: number;
			readonly how: IncarnationEnd;
	  };

export function encodeMessage(message: LinkMessage): Uint8Array {
	return encodeCbor(message);
}

export function decodeMessage(bytes: Uint8Array): LinkMessage {
	return decodeCbor(bytes) as LinkMessage;
}

/** An error on its way to another node. */
export interface WireFailure {
	readonly kind: "gone" | "error" | "unknown";
	readonly message: string;
	readonly actorId: string | null;
	readonly resume: ResumedCall | null;
	/** Of `gone`: the incarnation lives still. Nodes of versions before do not know it. */
	readonly isDeclined?: boolean;
	readonly group: string;
	readonly code: string;
	readonly isPublic: boolean;
	readonly statusCode: number;
	readonly metadata: unknown;
}

export function toFailure(error: unknown): WireFailure {
	const nothing = {
		actorId: null,
		resume: null,
		group: "",
		code: "",
		isPublic: false,
		statusCode: 500,
		metadata: null,
	};
	if (error instanceof ActorGone) {
		const { message, actorId, resume } = error;
		const isDeclined = error instanceof ActorDeclined;
		return { ...nothing, kind: "gone", message, actorId, resume, isDeclined };
	}
	if (error instanceof RivetError) {
		const { group, code, message, statusCode, metadata } = error;
		return {
			...nothing,
			kind: "error",
			message,
			group,
			code,
			isPublic: error.public,
			statusCode,
			metadata: metadata ?? null,
		};
	}
	return {
		...nothing,
		kind: "unknown",
		message: error instanceof Error ? error.message : String(error),
	};
}

export function fromFailure(failure: WireFailure): Error {
	switch (failure.kind) {
		case "gone":
			return failure.isDeclined
				? new ActorDeclined(failure.actorId ?? "")
				: new ActorGone(failure.actorId ?? "", failure.resume);
		case "error": {
			const { group, code, message, isPublic, statusCode, metadata } = failure;
			return new RivetError(group, code, message, {
				public: isPublic,
				statusCode,
				...(metadata === null ? undefined : { metadata }),
			});
		}
		case "unknown":
			return new Error(failure.message);
	}
}

/** Whether the link broke, rather than the other node answered. */
export class LinkLost extends Error {
	override readonly name = "LinkLost";
	constructor(epoch: number) {
		super(`The link to node ${epoch} is lost`);
	}
}

/** What the caller of a call is told whose node went away with it. */
export function hostGone(): Error {
	return catalogueError("guard.tunnel_response_closed");
}
