import type { ActorQuery } from "@rivetkit/engine";
import type { ActorRequest, ActorResponse, ActorUpgrade } from "@rivetkit/protocol";
import type { ClientSocket } from "../client/transport/transport.ts";

export type { ActorQuery } from "@rivetkit/engine";

/** What a {@link ManagerDriver} found or made. */
export interface ResolvedActor {
	readonly actor: { readonly actorId: string };
	readonly created: boolean;
}

/**
 * What finds actors and carries calls to them inside one process: the other half of a backend, beside
 * `ActorBackend`. An engine of `@rivetkit/engine` is one.
 */
export interface ManagerDriver {
	/**
	 * Finds or makes an actor. Rejects with `actor.not_found`, `actor.duplicate_key`, `request.invalid`, and
	 * with what a start can fail with.
	 */
	resolve(query: ActorQuery): Promise<ResolvedActor>;
	/** One HTTP call to an actor, path behind the gateway prefix. Never rejects: errors are answers. */
	request(actorId: string, request: ActorRequest): Promise<ActorResponse>;
	/** Opens a WebSocket to an actor and returns the client's end. Refusals close it. */
	connect(actorId: string, upgrade: ActorUpgrade, protocol: string): ClientSocket;
	/** The whole local HTTP API: management routes and gateway. Paths outside `basePath` are 404. */
	fetch(request: Request, options?: { readonly basePath?: string }): Promise<Response>;
}
