import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { EngineLimits } from "../common/limits.ts";
import type { NodeFront } from "../gateway/node-front.ts";
import type { ServerInstance } from "./instance-id.ts";
import {
	identifyOccupant,
	listenError,
	originOf,
	PortTakenError,
	type WantedAddress,
} from "./port-taken.ts";

/** How often Node looks for requests that take too long to arrive. */
const CONNECTIONS_CHECK_MS = 5_000;
/** How long at most a client may take to answer the close of its WebSocket. */
const CLOSE_ANSWER_MS = 5_000;

/** A server that listens. */
export interface ListeningServer {
	readonly host: string;
	/** The actual port, also when 0 was asked for. */
	readonly port: number;
	/** `http://host:port` with base path, as a client on this machine reaches it; no trailing slash. */
	readonly url: string;
	/** WebSockets that are open now. */
	readonly socketCount: number;
	/** Takes no new connections; what is open stays open. Idempotent. */
	stopAccepting(): void;
	/**
	 * Stops accepting connections, waits for calls in flight, closes every WebSocket with 1001 and cuts
	 * what is left after `limits.closeGraceMs`. Idempotent.
	 */
	close(): Promise<void>;
}

/** Binds the address. Throws a `ListenError`; never picks another port by itself. */
export async function listenOn(
	front: NodeFront,
	wanted: WantedAddress,
	instance: ServerInstance,
	limits: EngineLimits,
): Promise<ListeningServer> {
	const server = createServer({
		headersTimeout: limits.headersTimeoutMs,
		requestTimeout: Math.max(limits.requestTimeoutMs, limits.headersTimeoutMs),
		keepAliveTimeout: limits.keepAliveTimeoutMs,
		maxHeaderSize: limits.headerBytesMax,
		connectionsCheckingInterval: Math.min(CONNECTIONS_CHECK_MS, limits.headersTimeoutMs),
		shouldUpgradeCallback: (message) => message.headers.upgrade?.toLowerCase() === "websocket",
	});
	if (limits.connectionsMax > 0) {
		server.maxConnections = limits.connectionsMax;
	}
	server.on("request", front.onRequest);
	server.on("upgrade", front.onUpgrade);
	await bind(server, wanted, instance);
	const { port } = server.address() as AddressInfo;
	let stopped: Promise<void> | undefined;
	const stopAccepting = () => {
		stopped ??= new Promise<void>((resolve) => {
			server.close(() => resolve());
		});
		return stopped;
	};
	let closed: Promise<void> | undefined;
	return {
		host: wanted.host,
		port,
		url: originOf({ host: wanted.host, port }) + wanted.basePath,
		get socketCount() {
			return front.socketCount;
		},
		stopAccepting() {
			void stopAccepting();
		},
		close() {
			closed ??= closeServer(server, front, stopAccepting(), limits.closeGraceMs);
			return closed;
		},
	};
}

/** Throws a `ListenError`. */
export async function bind(
	server: Server,
	wanted: WantedAddress,
	instance: Partial<ServerInstance>,
): Promise<void> {
	try {
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen({ host: wanted.host, port: wanted.port }, () => {
				server.off("error", reject);
				resolve();
			});
		});
	} catch (error) {
		const failure = error as NodeJS.ErrnoException;
		if (failure.code !== "EADDRINUSE") {
			throw listenError(wanted, failure);
		}
		throw new PortTakenError(wanted, await identifyOccupant(wanted, instance), { cause: error });
	}
}

async function closeServer(
	server: Server,
	front: NodeFront,
	stopped: Promise<void>,
	graceMs: number,
): Promise<void> {
	await front.drained(graceMs);
	server.closeIdleConnections();
	await front.closeSockets(Math.min(graceMs, CLOSE_ANSWER_MS));
	server.closeAllConnections();
	await stopped;
}
