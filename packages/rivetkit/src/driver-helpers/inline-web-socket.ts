import type { UniversalWebSocket } from "../actor/web-socket.types.ts";
import { type AcceptedSocket, createSocketPair } from "../backends/embedded/engine.ts";
import { getLogger } from "../log/base-logger.ts";
import type { Logger } from "../log/logger.ts";

export interface InlineWebSocketOptions {
	/** What the client's end reports as its `url`. Default `ws://actor/`. */
	readonly url?: string;
	/** The sub-protocol that was selected. Default none. */
	readonly protocol?: string;
	/** Told of listeners that throw. */
	readonly log?: Logger;
}

/**
 * A WebSocket inside one process, for backends that carry sockets without a network. What is sent arrives
 * in order, on a later turn of the event loop, and as a copy.
 */
export class InlineWebSocketAdapter {
	/** The client's end: a standard-like WebSocket, open on a later turn. */
	readonly clientWebSocket: UniversalWebSocket;
	/** The server's end, for {@link routeWebSocket}. */
	readonly serverSocket: AcceptedSocket;

	constructor({ url, protocol, log = getLogger() }: InlineWebSocketOptions = {}) {
		const { client, server } = createSocketPair({
			logger: log as never,
			...(url === undefined ? undefined : { url }),
			...(protocol === undefined ? undefined : { protocol }),
		});
		this.clientWebSocket = client as unknown as UniversalWebSocket;
		this.serverSocket = server;
	}
}
