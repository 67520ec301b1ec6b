import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock, Random, Timer } from "@rivetkit/protocol";
import { WebSocket, WebSocketServer } from "ws";
import type { EngineLogger } from "../common/logger.ts";
import { Deferred } from "../placement/deferred.ts";
import type { NodeRow } from "../store/postgres/node-rows.ts";
import type { ClusterCounters } from "./cluster-counters.ts";
import { Handshake, type Hello, type Introduction, type Welcome } from "./handshake.ts";
import { LinkLost } from "./link-messages.ts";
import { type LinkHandler, NodeLink } from "./node-link.ts";

const PATH = "/rivetkit/node";
const HANDSHAKE_MS = 3_000;
/** Bytes of one message: the largest body, and room. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
const REDIAL_FIRST_MS = 50;
const REDIAL_MAX_MS = 1_000;
/** Connections of strangers that have not shown the secret yet. */
const STRANGERS_MAX = 64;

export interface LinksOptions {
	readonly secret: string;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: EngineLogger;
	readonly counters: ClusterCounters;
	readonly silenceMs: number;
	/** The current life of this node; undefined while it has none. */
	readonly epoch: () => number | undefined;
	readonly handler: LinkHandler;
	/** Told of each link that is made. */
	readonly onOpen: (link: NodeLink) => void;
}

interface Peer {
	address: string;
	link: NodeLink | undefined;
	opened: Deferred<NodeLink>;
	isDialing: boolean;
	redialMs: number;
	timer: Timer | undefined;
}

/**
 * The links to all other nodes, one each: the younger node (the greater epoch) calls the older one, and calls again
 * for as long as the other lives.
 */
export class Links {
	readonly #options: LinksOptions;
	readonly #handshake: Handshake;
	readonly #peers = new Map<number, Peer>();
	readonly #server: Server;
	readonly #sockets: WebSocketServer;
	readonly #all = new Set<NodeLink>();
	/** On their way to become links. */
	readonly #calling = new Set<WebSocket>();
	#strangers = 0;
	#closed = false;

	constructor(options: LinksOptions) {
		this.#options = options;
		this.#handshake = new Handshake(options.secret, options.random);
		this.#server = createServer((_request, response) => {
			response.writeHead(404).end();
		});
		this.#sockets = new WebSocketServer({
			server: this.#server,
			path: PATH,
			maxPayload: MESSAGE_BYTES_MAX,
			perMessageDeflate: false,
			verifyClient: () => this.#strangers < STRANGERS_MAX,
		});
		this.#sockets.on(
			"connection",
			(socket, { socket: stream }) => void this.#called(socket, stream),
		);
		// It repeats errors of the server, which whoever listens is told of: unheard, they end the process.
		this.#sockets.on("error", () => {});
	}

	/** Resolves with the port. */
	async listen(host: string, port: number): Promise<number> {
		await new Promise<void>((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(port, host, () => {
				this.#server.off("error", reject);
				resolve();
			});
		});
		return (this.#server.address() as { port: number }).port;
	}

	/** Who lives now: links to others are closed, those to younger ones are waited for. */
	know(nodes: readonly NodeRow[]): void {
		const living = new Set(nodes.map(({ epoch }) => epoch));
		for (const [epoch, peer] of this.#peers) {
			if (!living.has(epoch)) {
				this.#peers.delete(epoch);
				peer.timer?.stop();
				peer.opened.reject(new LinkLost(epoch));
				peer.link?.close();
			}
		}
		for (const { epoch, address } of nodes) {
			const peer = this.#peer(epoch);
			peer.address = address;
			this.#dial(epoch, peer);
		}
	}

	isOpen(epoch: number): boolean {
		return this.#peers.get(epoch)?.link !== undefined;
	}

	/** Rejects with {@link LinkLost} when there is none within `waitMs`. */
	async to(epoch: number, waitMs: number): Promise<NodeLink> {
		const peer = this.#peer(epoch);
		if (peer.link !== undefined) {
			return peer.link;
		}
		this.#dial(epoch, peer);
		return peer.opened.within(this.#options.clock, waitMs, () => new LinkLost(epoch));
	}

	/** Cuts every link; new ones are made under the next epoch. */
	closeAll(): void {
		for (const peer of this.#peers.values()) {
			peer.timer?.stop();
			peer.opened.reject(new LinkLost(0));
		}
		this.#peers.clear();
		for (const link of [...this.#all]) {
			link.close();
		}
	}

	async close(): Promise<void> {
		this.#closed = true;
		this.closeAll();
		for (const socket of this.#sockets.clients) {
			socket.terminate();
		}
		for (const socket of this.#calling) {
			socket.terminate();
		}
		this.#sockets.close();
		const closed = new Promise((resolve) => this.#server.close(resolve));
		// Also of strangers who say nothing.
		this.#server.closeAllConnections();
		await closed;
	}

	#peer(epoch: number): Peer {
		let peer = this.#peers.get(epoch);
		if (peer === undefined) {
			peer = {
				address: "",
				link: undefined,
				opened: new Deferred<NodeLink>(),
				isDialing: false,
				redialMs: REDIAL_FIRST_MS,
				timer: undefined,
			};
			peer.opened.promise.catch(() => {});
			this.#peers.set(epoch, peer);
		}
		return peer;
	}

	#dial(epoch: number, peer: Peer): void {
		const own = this.#options.epoch();
		const isOurs = own !== undefined && own > epoch && peer.address !== "";
		if (!isOurs || peer.link !== undefined || peer.isDialing || this.#closed) {
			return;
		}
		peer.isDialing = true;
		this.#call(own, epoch, peer.address)
			.then(() => {
				peer.redialMs = REDIAL_FIRST_MS;
			})
			.catch((error: unknown) => {
				this.#options.logger.debug(
					{ node: epoch, address: peer.address, err: error },
					"a node cannot be reached",
				);
			})
			.finally(() => {
				peer.isDialing = false;
				this.#redial(epoch, peer);
			});
	}

	#redial(epoch: number, peer: Peer): void {
		if (this.#closed || peer.link !== undefined || this.#peers.get(epoch) !== peer) {
			return;
		}
		peer.timer?.stop();
		peer.timer = this.#options.clock.after(peer.redialMs, () => this.#dial(epoch, peer));
		peer.redialMs = Math.min(peer.redialMs * 2, REDIAL_MAX_MS);
	}

	/** Resolves when there is a link. */
	async #call(own: number, epoch: number, address: string): Promise<void> {
		const socket = new WebSocket(`ws://${address}${PATH}`, {
			maxPayload: MESSAGE_BYTES_MAX,
			perMessageDeflate: false,
			handshakeTimeout: HANDSHAKE_MS,
		});
		this.#calling.add(socket);
		let stream: Socket | undefined;
		socket.once("upgrade", (response) => {
			stream = response.socket;
		});
		try {
			await this.#next(socket, (hello: Hello) => {
				const introduction = this.#handshake.introduce(hello, own, epoch);
				const welcomed = this.#next(socket, (welcome: Welcome) => {
					if (!this.#handshake.isWelcome(hello, introduction, welcome)) {
						throw new Error(`the node at ${address} does not know the cluster's secret`);
					}
					if (this.#options.epoch() !== own) {
						throw new Error("this node has begun another life meanwhile");
					}
					this.#open(epoch, socket, stream);
				});
				socket.send(JSON.stringify(introduction));
				return welcomed;
			});
		} catch (error) {
			socket.on("error", () => {});
			socket.terminate();
			throw error;
		} finally {
			this.#calling.delete(socket);
		}
	}

	async #called(socket: WebSocket, stream: Socket): Promise<void> {
		this.#strangers++;
		try {
			const hello = this.#handshake.hello();
			const introduced = this.#next(socket, (introduction: Introduction) => {
				const welcome = this.#handshake.welcome(hello, introduction);
				if (welcome === undefined || introduction.to !== this.#options.epoch()) {
					throw new Error("a stranger, or one that looks for another life of this node");
				}
				socket.send(JSON.stringify(welcome));
				this.#open(introduction.from, socket, stream);
			});
			socket.send(JSON.stringify(hello));
			await introduced;
		} catch (error) {
			this.#options.logger.warn({ err: error }, "a connection to this node was refused");
			socket.on("error", () => {});
			socket.terminate();
		} finally {
			this.#strangers--;
		}
	}

	/** @param stream - what the socket is on */
	#open(epoch: number, socket: WebSocket, stream: Socket | undefined): void {
		if (this.#closed) {
			socket.terminate();
			return;
		}
		const { clock, silenceMs, handler, logger, counters, onOpen } = this.#options;
		const peer = this.#peer(epoch);
		peer.link?.close();
		const link: NodeLink = new NodeLink({
			socket,
			bytesRead: () => stream?.bytesRead ?? 0,
			epoch,
			clock,
			logger,
			counters,
			silenceMs,
			handler: {
				called: (...args) => handler.called(...args),
				news: (...args) => handler.news(...args),
				deed: (...args) => handler.deed(...args),
				ended: (...args) => handler.ended(...args),
				lost: (lost) => {
					this.#all.delete(lost);
					counters.linksLost++;
					const current = this.#peers.get(epoch);
					if (current !== undefined && current.link === lost) {
						current.link = undefined;
						current.opened = new Deferred<NodeLink>();
						current.opened.promise.catch(() => {});
						this.#redial(epoch, current);
					}
					handler.lost(lost);
				},
			},
		});
		this.#all.add(link);
		peer.link = link;
		peer.opened.resolve(link);
		onOpen(link);
	}

	/**
	 * What `take` makes of the next message of a handshake. It is called while that message is dealt with: the one
	 * behind it may come in the same turn, and is the link's already.
	 */
	#next<Message, T>(socket: WebSocket, take: (message: Message) => T | Promise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			const timer = this.#options.clock.after(HANDSHAKE_MS, () =>
				fail(new Error("the handshake took too long")),
			);
			const settle = () => {
				timer.stop();
				socket.off("message", heard);
				socket.off("close", ended);
				socket.off("error", fail);
			};
			const heard = (data: Buffer) => {
				settle();
				try {
					resolve(take(JSON.parse(data.toString("utf8")) as Message));
				} catch (error) {
					reject(error);
				}
			};
			const fail = (error: Error) => {
				settle();
				reject(error);
			};
			const ended = () => fail(new Error("the connection was closed during the handshake"));
			socket.on("message", heard);
			socket.on("close", ended);
			socket.on("error", fail);
		});
	}
}
