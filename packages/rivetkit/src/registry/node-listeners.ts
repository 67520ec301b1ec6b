import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import {
	INTERNAL_ERROR_CODE,
	INTERNAL_ERROR_DESCRIPTION,
	INTERNAL_ERROR_GROUP,
	loggedPath,
} from "@rivetkit/protocol";
import { type Engine, type EngineListeners, isBelowBasePath } from "../backends/embedded/engine.ts";
import type { Logger } from "../log/logger.ts";

/** What {@link Registry.nodeListeners} takes. */
export interface NodeListenersOptions {
	/** Default `serverless.basePath` of `setup()`, which is `/api/rivet`. */
	readonly basePath?: string;
	/**
	 * Whether upgrades are handed over, too, so that `/metadata` there has to name no other address for sockets.
	 * Default true; false where the server keeps them, as Nitro does (ruling 7).
	 */
	readonly takesUpgrades?: boolean;
}

/** What {@link Registry.nodeListeners} returns: functions that need no `this`. */
export interface NodeListeners {
	/**
	 * For `server.on("request", …)` and for middleware: answers a request below the base path and returns true.
	 * Returns false, and has touched nothing, when the path is elsewhere. The body must not have been read.
	 */
	readonly onRequest: (request: IncomingMessage, response: ServerResponse) => boolean;
	/**
	 * For `server.on("upgrade", …)`: takes a WebSocket below the base path and returns true. Returns false, and
	 * has touched nothing, when the path is elsewhere: the socket is then another listener's, or to be destroyed.
	 */
	readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => boolean;
}

/** Listeners that can be used before the engine has started: until then requests and sockets wait. */
export function nodeListeners(
	engine: Promise<Pick<Engine, "nodeListeners">>,
	basePath: string,
	log: Logger,
): NodeListeners {
	let started: EngineListeners | null = null;
	const starting = engine.then((it) => {
		started = it.nodeListeners({ basePath });
		return started;
	});
	// Each request reports it.
	starting.catch(() => {});
	const failed = (err: unknown, { url = "/" }: IncomingMessage) =>
		log.error({ err, path: loggedPath(url) }, "the registry could not be started");
	const isOurs = ({ url = "/" }: IncomingMessage) => isBelowBasePath(url, basePath);
	return {
		onRequest(request, response) {
			if (!isOurs(request)) return false;
			if (started) started.onRequest(request, response);
			else {
				starting.then(
					(listeners) => listeners.onRequest(request, response),
					(err: unknown) => {
						failed(err, request);
						response.writeHead(500, { "content-type": "application/json" }).end(START_FAILED);
					},
				);
			}
			return true;
		},
		onUpgrade(request, socket, head) {
			if (!isOurs(request)) return false;
			if (started) started.onUpgrade(request, socket, head);
			else {
				// A client that leaves while it waits must not end the process.
				socket.on("error", ignore);
				starting.then(
					(listeners) => {
						socket.off("error", ignore);
						listeners.onUpgrade(request, socket, head);
					},
					(err: unknown) => {
						failed(err, request);
						socket.destroy();
					},
				);
			}
			return true;
		},
	};
}

const START_FAILED = JSON.stringify({
	group: INTERNAL_ERROR_GROUP,
	code: INTERNAL_ERROR_CODE,
	message: INTERNAL_ERROR_DESCRIPTION,
});

function ignore(): void {}
