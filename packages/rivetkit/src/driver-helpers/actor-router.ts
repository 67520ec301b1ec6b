import {
	ActorGone,
	type ActorHost,
	type ActorResponse,
	catalogueError,
	HEADER_ENCODING,
	parseEncoding,
	toWireError,
} from "@rivetkit/protocol";
import {
	DEFAULT_LIMITS,
	FetchRequest,
	fetchPreflight,
	fetchResponse,
} from "../backends/embedded/engine.ts";
import { errorResponse } from "../runtime/router/error-response.ts";

/** The HTTP routes of one actor, fetch style. */
export interface ActorRouter {
	fetch(request: Request): Promise<Response>;
}

/**
 * The routes of one actor (contract: protocol 2.2) for a server that has found it: `/action/…`, `/queue`,
 * `/request/…`, `/health`, `/metadata`, and CORS as in 4.9. A request's path is what remains behind the
 * server's own prefix; bodies have up to 128 MiB. Errors are responses; only a host that does not run the
 * actor makes `fetch` reject, with `ActorGone`: start the actor and pass the same request on again. A
 * sender whose wait for a queue message is cut by the actor's stop gets 503
 * `guard.actor_stopped_while_waiting`, upon which our client asks again.
 *
 * @param host - takes the calls: a host, or an engine
 */
export function createActorRouter(host: Pick<ActorHost, "request">, actorId: string): ActorRouter {
	return {
		async fetch(request) {
			if (request.method === "OPTIONS") return fetchPreflight(request);
			const inbound = new FetchRequest(request, DEFAULT_LIMITS.httpBodyBytesMax);
			const answer = await host.request(actorId, inbound).catch((error: unknown) => {
				if (error instanceof ActorGone && error.resume) return stoppedWhileWaiting(request);
				throw error;
			});
			return fetchResponse(request, answer);
		},
	};
}

/** The body has been read: only the sender can bring the request again. */
function stoppedWhileWaiting(request: Request): ActorResponse {
	const encoding = parseEncoding(request.headers.get(HEADER_ENCODING));
	const error = catalogueError("guard.actor_stopped_while_waiting");
	return errorResponse(encoding, toWireError(error, { expose: false }));
}
