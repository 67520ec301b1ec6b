import type { ActorHost } from "@rivetkit/protocol";
import {
	DEFAULT_LIMITS,
	FetchRequest,
	fetchPreflight,
	fetchResponse,
} from "../backends/embedded/engine.ts";

/** The HTTP routes of one actor, fetch style. */
export interface ActorRouter {
	fetch(request: Request): Promise<Response>;
}

/**
 * The routes of one actor (contract: protocol 2.2) for a server that has found it: `/action/…`, `/queue`,
 * `/request/…`, `/health`, `/metadata`, and CORS as in 4.9. A request's path is what remains behind the
 * server's own prefix; bodies have up to 128 MiB. Errors are responses; only a host that does not run the
 * actor makes `fetch` reject, with `ActorGone`: start the actor and pass the same request on again.
 *
 * @param host - takes the calls: a host, or an engine
 */
export function createActorRouter(host: Pick<ActorHost, "request">, actorId: string): ActorRouter {
	return {
		async fetch(request) {
			if (request.method === "OPTIONS") return fetchPreflight(request);
			const inbound = new FetchRequest(request, DEFAULT_LIMITS.httpBodyBytesMax);
			return fetchResponse(request, await host.request(actorId, inbound));
		},
	};
}
