import type { ActorUpgrade } from "@rivetkit/protocol";

/** Whoever takes WebSockets for actors: an engine, or a host with sockets of its own. */
export interface WebSocketTarget<Socket> {
	openSocket(actorId: string, upgrade: ActorUpgrade, socket: Socket): Promise<void>;
}

/**
 * Hands an accepted WebSocket to an actor (contract: protocol 3). The path of `request` is what remains
 * behind the server's own prefix: `/connect`, `/websocket/…`. Resolves when the actor has the socket; a
 * refusal closes it. Only a host that does not run the actor makes it reject, with `ActorGone`.
 *
 * @param socket - of an {@link InlineWebSocketAdapter}, of {@link acceptWebSocket}, or the target's own kind
 */
export function routeWebSocket<Socket>(
	target: WebSocketTarget<Socket>,
	actorId: string,
	request: Pick<Request, "url" | "headers">,
	socket: Socket,
): Promise<void> {
	return target.openSocket(actorId, upgradeOf(request), socket);
}

function upgradeOf({ url, headers }: Pick<Request, "url" | "headers">): ActorUpgrade {
	const { pathname, search } = new URL(url);
	const offered = headers.get("sec-websocket-protocol") ?? "";
	return {
		path: pathname + search,
		headers: { get: (name) => headers.get(name), entries: () => headers.entries() },
		protocols: offered.split(",").flatMap((entry) => entry.trim() || []),
	};
}
