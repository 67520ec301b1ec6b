import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	CLOSE_ERROR,
	CLOSE_GOING_AWAY,
	type Clock,
	catalogueError,
	countLimitHit,
	HEADER_CALL_ID,
	type PlainSocket,
	type StopIntent,
	type Timer,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { RouteWait } from "../placement/elsewhere.ts";
import {
	hostGone,
	LinkLost,
	type ReadyAnswer,
	type SocketDeed,
	type SocketOffer,
} from "./link-messages.ts";
import { CLOSE_ABNORMAL } from "./link-socket.ts";
import type { NodeLink, Streamed } from "./node-link.ts";
import { type Sender, UnsentBytes } from "./unsent-bytes.ts";

/** From this many bytes on that a client has not taken, its actor's node is told of them. */
const BUFFERED_BYTES_TOLD = 64 * 1024;
/** How often it is told while there are as many (ms). */
const BUFFERED_TOLD_MS = 50;
const BACKLOG_FULL = "guard.tunnel_backlog_full";
/** How long after its limit another node may answer (ms). */
const ANSWER_MS = 2_000;

/** A socket of this node's clients that somebody over there has. */
interface Watched extends Sender {
	readonly socket: PlainSocket;
	/** It has sent too much, and is on its way out. */
	isCut: boolean;
	/** Runs while the client is behind. */
	behind: Timer | undefined;
}

const NEW = { behind: undefined, isCut: false, unsent: 0 } as const;

/** One that an actor has. */
interface Offered extends Watched {
	readonly socket: ActorSocket;
	readonly actorId: string;
	/** Whether the actor hears of its end. */
	isHeard: boolean;
	/** Whether the actor has yet to release it when its client is gone. */
	isHeld: boolean;
}

export interface RemoteNodeOptions {
	readonly link: NodeLink;
	readonly clock: Clock;
	readonly limits: LinkLimits;
}

/** What bounds the waits for another node, and what goes there. */
export type LinkLimits = Pick<
	EngineLimits,
	"httpBodyBytesMax" | "requestTimeoutMs" | "routeTimeoutMs" | "webSocketOpenTimeoutMs"
>;

/** Calls that were taken up again once: a second loss is told. */
const repeated = new WeakSet<object>();

/** Actors that another node runs, as the gateway of this one sees them. */
export class RemoteNode implements ActorHost {
	readonly link: NodeLink;
	readonly #clock: Clock;
	readonly #limits: LinkLimits;
	/** Sockets of this node's clients that actors over there have, by their key on the link. */
	readonly #sockets = new Map<number, Offered>();
	readonly #keys = new Map<string, Set<number>>();
	/** Sockets of who looks at actors over there. */
	readonly #inspectors = new Map<number, Watched>();
	readonly #unsent = new UnsentBytes();
	#lastKey = 0;

	constructor({ link, clock, limits }: RemoteNodeOptions) {
		this.link = link;
		this.#clock = clock;
		this.#limits = limits;
	}

	ready(actorId: string, waitMs: number, wait: RouteWait): Promise<ReadyAnswer> {
		return this.link.call<ReadyAnswer>(
			{ do: "ready", actorId, waitMs, ...wait },
			{
				waitMs: waitMs + ANSWER_MS,
				late: () => catalogueError("guard.actor_ready_timeout", { actor_id: actorId }),
			},
		);
	}

	/** Placement of the other node starts actors, not this one. */
	start(_assignment: ActorAssignment): Promise<void> {
		return Promise.reject(new Error("An actor is started by the node that runs it"));
	}

	/** Whoever stops an actor looks whether it is stopped: a node that is lost says nothing. */
	async stop(actorId: string, intent: StopIntent): Promise<void> {
		const waitMs = this.#limits.routeTimeoutMs;
		await this.link.call({ do: "stop", actorId, intent }, { waitMs }).catch((error: unknown) => {
			if (!(error instanceof LinkLost)) {
				throw error;
			}
		});
	}

	/** Actors over there that have sockets of this node's clients. */
	get offeredActors(): readonly string[] {
		return [...this.#keys.keys()];
	}

	hasSocketsOf(actorId: string): boolean {
		return this.#keys.has(actorId);
	}

	async request(actorId: string, request: ActorRequest, generation = -1): Promise<ActorResponse> {
		const { method, path, headers, signal, peerAddress } = request;
		const body = await request.body.bytes(this.#limits.httpBodyBytesMax);
		try {
			const answer = await this.link.request(
				{
					do: "request",
					actorId,
					generation,
					method,
					path,
					headers: [...headers.entries()],
					body,
					peerAddress: peerAddress ?? null,
				},
				{ signal, waitMs: this.#limits.requestTimeoutMs },
			);
			return "stream" in answer ? streamedResponse(answer) : plainResponse(answer);
		} catch (error) {
			throw error instanceof LinkLost ? this.#afterLoss(actorId, request) : error;
		}
	}

	/** Null when the answer needs an incarnation. Rejects with `guard.service_unavailable` when the link is lost. */
	async look(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const { method, path, headers, signal, peerAddress = null } = request;
		const body = await request.body.bytes(this.#limits.httpBodyBytesMax);
		const answer = await this.link
			.call<Awaited<ReturnType<NodeLink["request"]>> | null>(
				{
					do: "inspect",
					actorId,
					method,
					path,
					headers: [...headers.entries()],
					body,
					peerAddress,
				},
				{ signal, waitMs: this.#limits.requestTimeoutMs },
			)
			.catch(unreachable);
		if (answer === null) {
			return null;
		}
		return "stream" in answer ? streamedResponse(answer) : plainResponse(answer);
	}

	/** When the link is lost the socket is closed: its client is to come again. */
	async openInspector(actorId: string, upgrade: ActorUpgrade, socket: PlainSocket): Promise<void> {
		const key = ++this.#lastKey;
		const { path, headers, protocols } = upgrade;
		this.#inspectors.set(key, { socket, ...NEW });
		try {
			await this.link.call(
				{
					do: "inspectSocket",
					actorId,
					path,
					headers: [...headers.entries()],
					protocols,
					socket: {
						key,
						id: "",
						protocol: "",
						sentCount: 0,
						isInterrupted: false,
						canHibernate: false,
					},
				},
				{ waitMs: this.#limits.webSocketOpenTimeoutMs + ANSWER_MS },
			);
		} catch (error) {
			this.#dropInspector(key);
			// It may be taken over there all the same, later.
			this.link.news(key, { closed: [CLOSE_ABNORMAL, "", false] });
			unreachable(error);
		}
	}

	async openSocket(
		actorId: string,
		upgrade: ActorUpgrade,
		socket: ActorSocket,
		generation = -1,
	): Promise<void> {
		const { path, headers, protocols } = upgrade;
		const offer = this.offer(actorId, socket);
		try {
			await this.link.call(
				{
					do: "openSocket",
					actorId,
					generation,
					path,
					headers: [...headers.entries()],
					protocols,
					socket: offer,
				},
				{ waitMs: this.#limits.webSocketOpenTimeoutMs + ANSWER_MS },
			);
		} catch (error) {
			this.#drop(offer.key);
			throw error instanceof LinkLost ? new ActorGone(actorId) : error;
		}
	}

	offer(actorId: string, socket: ActorSocket): SocketOffer {
		const key = ++this.#lastKey;
		this.#sockets.set(key, {
			socket,
			actorId,
			isHeard: false,
			isHeld: false,
			...NEW,
		});
		const keys = this.#keys.get(actorId) ?? new Set();
		this.#keys.set(actorId, keys.add(key));
		const { id, protocol, sentCount, isInterrupted, canHibernate } = socket;
		return { key, id, protocol, sentCount, isInterrupted, canHibernate };
	}

	/** The actor over there does something with a client's socket. */
	deed(key: number, deed: SocketDeed): void {
		const inspector = this.#inspectors.get(key);
		if (inspector !== undefined) {
			this.#inspectorDeed(key, inspector, deed);
			return;
		}
		const offered = this.#sockets.get(key);
		if (offered === undefined) {
			return;
		}
		const { socket } = offered;
		switch (deed.do) {
			case "send":
				socket.send(deed.message);
				this.#watch(key, offered);
				return;
			case "acknowledge":
				socket.acknowledge(deed.index);
				return;
			case "close":
				socket.close(deed.code, deed.reason);
				if (!offered.isHeard && !offered.isHeld) {
					this.#drop(key);
					this.#closedThere(key, deed);
				}
				// What the actor has closed need not wait for it.
				offered.isHeld = false;
				return;
			case "listen":
				offered.isHeard = true;
				socket.listen({
					onMessage: (...received) => this.#forward(key, offered, ...received),
					onClose: (...closed) => {
						this.link.news(key, { closed });
						// One that is held has yet to be released.
						if (!offered.isHeld) {
							this.#drop(key);
						}
					},
					onPong: () => this.link.news(key, { pong: true }),
				});
				return;
			case "ping":
				socket.ping();
				return;
			case "hold":
				offered.isHeld = true;
				socket.hold();
				return;
			case "release":
				this.#drop(key);
				socket.release();
				return;
		}
	}

	#inspectorDeed(key: number, inspector: Watched, deed: SocketDeed): void {
		const { socket } = inspector;
		switch (deed.do) {
			case "send":
				socket.send(deed.message);
				this.#watch(key, inspector);
				return;
			case "close":
				this.#dropInspector(key);
				socket.close(deed.code, deed.reason);
				this.#closedThere(key, deed);
				return;
			case "listen":
				socket.listen({
					onMessage: (message) => this.#forward(key, inspector, message, 0),
					onClose: (...closed) => {
						this.#dropInspector(key);
						this.link.news(key, { closed });
					},
				});
				return;
			default:
				// What only sockets of actors can.
				return;
		}
	}

	/** What a client sends faster than the link takes it ends with the client: the link is everybody's. */
	#forward(key: number, from: Watched, message: string | Uint8Array, index: number): void {
		if (from.isCut) {
			return;
		}
		const sent = this.#unsent.add(from, Buffer.byteLength(message));
		if (sent === undefined) {
			from.isCut = true;
			countLimitHit(BACKLOG_FULL);
			from.socket.close(CLOSE_ERROR, BACKLOG_FULL);
			return;
		}
		this.link.news(key, { message, index }, sent);
	}

	/** The other end has closed a socket: over the link it is over, also where nobody listens to it. */
	#closedThere(key: number, { code, reason }: Extract<SocketDeed, { do: "close" }>): void {
		this.link.news(key, { closed: [code, reason, true] });
	}

	/** Who has it is told how far the client is behind, and when it no longer is. */
	#watch(key: number, watched: Watched): void {
		if (watched.behind !== undefined || watched.socket.bufferedBytes < BUFFERED_BYTES_TOLD) {
			return;
		}
		const tell = () => {
			const { bufferedBytes } = watched.socket;
			this.link.news(key, { buffered: bufferedBytes });
			watched.behind =
				bufferedBytes < BUFFERED_BYTES_TOLD ? undefined : this.#clock.after(BUFFERED_TOLD_MS, tell);
		};
		tell();
	}

	#drop(key: number): void {
		const offered = this.#sockets.get(key);
		if (offered === undefined) {
			return;
		}
		offered.behind?.stop();
		this.#sockets.delete(key);
		const keys = this.#keys.get(offered.actorId);
		if (keys?.delete(key) && keys.size === 0) {
			this.#keys.delete(offered.actorId);
		}
	}

	#dropInspector(key: number): void {
		this.#inspectors.get(key)?.behind?.stop();
		this.#inspectors.delete(key);
	}

	/** The incarnation over there is gone: its sockets are another's. */
	forget(actorId: string): void {
		for (const key of [...(this.#keys.get(actorId) ?? [])]) {
			this.#drop(key);
		}
	}

	/** Nothing goes over the link any more. */
	close(): void {
		for (const key of [...this.#sockets.keys()]) {
			this.#drop(key);
		}
		for (const [key, { socket }] of [...this.#inspectors]) {
			this.#dropInspector(key);
			socket.close(CLOSE_GOING_AWAY, "");
		}
	}

	/** One that can be answered, not run again, is taken up by whoever has the actor next. Once. */
	#afterLoss(actorId: string, request: ActorRequest): Error {
		const isRepeatable =
			request.headers.get(HEADER_CALL_ID) !== null ||
			request.method === "GET" ||
			request.method === "HEAD";
		const identity = request.body;
		if (!isRepeatable || repeated.has(identity)) {
			return hostGone();
		}
		repeated.add(identity);
		return new ActorGone(actorId);
	}
}

/** What who looks at an actor is told when its node cannot be asked. */
function unreachable(error: unknown): never {
	throw error instanceof LinkLost ? catalogueError("guard.service_unavailable") : error;
}

function plainResponse({
	status,
	statusText,
	headers,
	body,
}: Exclude<Awaited<ReturnType<NodeLink["request"]>>, Streamed>): ActorResponse {
	return { status, headers, body, ...(statusText === null ? undefined : { statusText }) };
}

function streamedResponse({ head, stream }: Streamed): ActorResponse {
	return { ...plainResponse(head), body: stream };
}
