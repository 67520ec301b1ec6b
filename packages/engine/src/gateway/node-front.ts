import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
	type ActorResponse,
	CLOSE_GOING_AWAY,
	catalogueError,
	HEADER_RAY_ID,
	type HeadersView,
	loggedPath,
	selectSubprotocol,
	type Timer,
} from "@rivetkit/protocol";
import { type ServerOptions, type Server as SocketServer, WebSocketServer } from "ws";
import type { ErrorAnswers } from "../common/errors.ts";
import { type Front, withoutBasePath } from "./front.ts";
import type { Gateway } from "./gateway.ts";
import { pathOfTarget } from "./inbound.ts";
import { type NodeContext, NodeRequest } from "./node-request.ts";
import { discardBody, refuseUpgrade, writeResponse } from "./node-response.ts";
import { NodeSocket, OrderedWebSocket } from "./node-socket.ts";
import { WriteTurn } from "./write-turn.ts";

/** How often overdue calls are looked for. */
const SWEEP_MS = 1_000;

export interface NodeFrontOptions extends NodeContext {
	readonly front: Front;
	readonly gateway: Gateway;
	readonly errors: ErrorAnswers;
	/** As `normalizeBasePath` returns it. */
	readonly basePath: string;
	/** Another base path, below which the same is answered; as `normalizeBasePath` returns it. */
	readonly aliasPath?: string;
	/** Who takes the sockets of runners, while somebody does. */
	readonly runnerDoor: () => UpgradeTaker | undefined;
}

/** Takes upgrades that are for no actor. */
export interface UpgradeTaker {
	/** Whether this path, with query and without base path, is its own. */
	isFor(path: string): boolean;
	upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/**
 * The engine's HTTP and WebSocket API as listeners of a `node:http` server. Works on the raw message
 * and response objects: no fetch objects, no framework between the socket and the actor.
 */
export class NodeFront {
	readonly #options: NodeFrontOptions;
	readonly #webSockets: SocketServer<typeof OrderedWebSocket>;
	readonly #turn = new WriteTurn();
	/** Of upgrades, for the answers to their handshakes. */
	readonly #rays = new WeakMap<IncomingMessage, string>();
	readonly #sockets = new Set<NodeSocket>();
	/** Sockets that the door for runners has taken. */
	readonly #runnerSockets = new Set<Duplex>();
	/** Calls without an answer, oldest first. */
	readonly #waiting = new Set<NodeRequest>();
	#sweep: Timer | undefined;
	#closing = false;
	#idle: (() => void) | undefined;
	#socketsGone: (() => void) | undefined;

	constructor(options: NodeFrontOptions) {
		this.#options = options;
		const settings: ServerOptions<typeof OrderedWebSocket> & { closeTimeout: number } = {
			noServer: true,
			WebSocket: OrderedWebSocket,
			clientTracking: false,
			perMessageDeflate: false,
			maxPayload: options.limits.webSocketMessageBytesMax,
			closeTimeout: options.limits.webSocketCloseTimeoutMs,
		};
		this.#webSockets = new WebSocketServer(settings);
		this.#webSockets.on("headers", (headers, message) => {
			const ray = this.#rays.get(message);
			if (ray !== undefined) {
				headers.push(`${HEADER_RAY_ID}: ${ray}`);
			}
		});
	}

	/** For `server.on("request", …)`. */
	readonly onRequest = (message: IncomingMessage, response: ServerResponse): void => {
		if (this.#closing) {
			response.shouldKeepAlive = false;
		}
		if (message.method === "OPTIONS") {
			const { front, basePath } = this.#options;
			const headers = headersView(message.headers);
			response.writeHead(204, front.preflight(pathOfTarget(message.url!), headers, basePath)).end();
			return;
		}
		const request = new NodeRequest(this.#options, message, response);
		this.#waiting.add(request);
		this.#sweep ??= this.#options.clock.after(SWEEP_MS, this.#endOverdue);
		this.#options.front.handle(request, this.#basePathOf(request.path)).then(
			(answer) => this.#answer(request, answer),
			(error: unknown) => this.#answer(request, this.#options.errors.response(error, request)),
		);
	};

	#basePathOf(path: string): string {
		const { basePath, aliasPath } = this.#options;
		if (aliasPath === undefined) return basePath;
		return withoutBasePath(path, aliasPath) === undefined ? basePath : aliasPath;
	}

	/** For `server.on("upgrade", …)`. */
	readonly onUpgrade = (message: IncomingMessage, socket: Duplex, head: Buffer): void => {
		const { front, gateway, errors, logger } = this.#options;
		const headers = headersView(message.headers);
		const protocols = offeredProtocols(message.headers);
		const address = message.socket.remoteAddress;
		const path = pathOfTarget(message.url!);
		const basePath = this.#basePathOf(path);
		const door = this.#options.runnerDoor();
		if (door?.isFor(path.startsWith(basePath) ? path.slice(basePath.length) : path)) {
			this.#runnerSockets.add(socket);
			socket.once("close", () => {
				this.#runnerSockets.delete(socket);
				this.#socketGone();
			});
			door.upgrade(message, socket, head);
			return;
		}
		const route = front.routeUpgrade(path, headers, protocols, basePath, address);
		if (route.kind === "refused") {
			refuseUpgrade(socket, route.answer, message.headers.origin);
			return;
		}
		// `ws` is stricter about the list than the contract: it only gets to see what is selected.
		const selected = selectSubprotocol(protocols);
		if (selected === null) {
			delete message.headers["sec-websocket-protocol"];
		} else {
			message.headers["sec-websocket-protocol"] = selected;
		}
		if (route.ray !== undefined) {
			this.#rays.set(message, route.ray);
		}
		this.#webSockets.handleUpgrade(message, socket, head, (ws) => {
			const nodeSocket = new NodeSocket(ws, socket as Socket, this.#turn, logger);
			this.#sockets.add(nodeSocket);
			ws.once("close", () => {
				this.#sockets.delete(nodeSocket);
				this.#socketGone();
			});
			if (this.#closing) {
				nodeSocket.close(CLOSE_GOING_AWAY, "guard.service_unavailable");
			} else if (route.kind === "closed") {
				errors.closeSocket(nodeSocket, route.error, route.upgrade);
			} else {
				void gateway.openSocket(route.target, route.upgrade, nodeSocket);
			}
		});
	};

	get socketCount(): number {
		return this.#sockets.size;
	}

	/** Resolves when every call that came before has its answer, or `graceMs` are over. */
	drained(graceMs: number): Promise<void> {
		this.#closing = true;
		return new Promise((resolve) => {
			if (this.#waiting.size === 0) {
				resolve();
				return;
			}
			const timer = this.#options.clock.after(graceMs, resolve);
			this.#idle = () => {
				timer.stop();
				resolve();
			};
		});
	}

	/**
	 * Closes every open WebSocket with 1001, and cuts those whose peer does not answer in time; runners have been told by
	 * whoever has them.
	 */
	async closeSockets(graceMs: number): Promise<void> {
		this.#closing = true;
		this.#sweep?.stop();
		await new Promise<void>((resolve) => {
			const timer = this.#options.clock.after(graceMs, () => {
				for (const socket of this.#sockets) {
					socket.terminate();
				}
				for (const socket of this.#runnerSockets) {
					socket.destroy();
				}
			});
			this.#socketsGone = () => {
				timer.stop();
				resolve();
			};
			for (const socket of this.#sockets) {
				socket.close(CLOSE_GOING_AWAY, "");
			}
			this.#socketGone();
		});
	}

	#socketGone(): void {
		if (this.#sockets.size === 0 && this.#runnerSockets.size === 0) {
			this.#socketsGone?.();
		}
	}

	#answer(request: NodeRequest, answer: ActorResponse): void {
		if (!this.#waiting.delete(request)) {
			discardBody(answer);
			return;
		}
		writeResponse(request, answer, (error) => {
			this.#options.logger.error(
				{ err: error, method: request.method, path: loggedPath(request.path) },
				"an answer could not be sent",
			);
			return this.#options.errors.response(error, request);
		});
		if (this.#closing && this.#waiting.size === 0) {
			this.#idle?.();
		}
	}

	readonly #endOverdue = (): void => {
		this.#sweep = undefined;
		const { clock, limits, errors } = this.#options;
		const overdueTs = clock.now() - limits.requestTimeoutMs;
		for (const request of this.#waiting) {
			if (request.startTs > overdueTs) {
				break;
			}
			const error = catalogueError("guard.gateway_response_start_timeout");
			request.abort(error);
			this.#answer(request, errors.response(error, request));
		}
		if (this.#waiting.size > 0) {
			this.#sweep = clock.after(SWEEP_MS, this.#endOverdue);
		}
	};
}

function offeredProtocols(headers: IncomingHttpHeaders): string[] {
	return (headers["sec-websocket-protocol"] ?? "")
		.split(",")
		.map((entry) => entry.trim())
		.filter((entry) => entry !== "");
}

function headersView(headers: IncomingHttpHeaders): HeadersView {
	return {
		get(name) {
			const value: unknown = headers[name];
			return typeof value === "string" ? value : Array.isArray(value) ? value.join(", ") : null;
		},
		*entries() {
			for (const [name, value] of Object.entries(headers)) {
				if (value !== undefined) {
					yield [name, typeof value === "string" ? value : value.join(", ")];
				}
			}
		},
	};
}
