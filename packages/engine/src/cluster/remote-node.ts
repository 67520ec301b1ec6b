import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	HEADER_CALL_ID,
	type StopIntent,
} from "@rivetkit/protocol";
import {
	hostGone,
	LinkLost,
	type ReadyAnswer,
	type SocketDeed,
	type SocketOffer,
} from "./link-messages.ts";
import type { NodeLink, Streamed } from "./node-link.ts";

/** A socket of this node's clients that an actor over there has. */
interface Offered {
	readonly socket: ActorSocket;
	readonly actorId: string;
	isHeld: boolean;
}

/** Calls that were taken up again once: a second loss is told. */
const repeated = new WeakSet<object>();

/** Actors that another node runs, as the gateway of this one sees them. */
export class RemoteNode implements ActorHost {
	readonly link: NodeLink;
	readonly #bodyBytesMax: number;
	/** Sockets of this node's clients that actors over there have, by their key on the link. */
	readonly #sockets = new Map<number, Offered>();
	readonly #keys = new Map<string, Set<number>>();
	#lastKey = 0;

	constructor(link: NodeLink, bodyBytesMax: number) {
		this.link = link;
		this.#bodyBytesMax = bodyBytesMax;
	}

	ready(actorId: string, waitMs: number): Promise<ReadyAnswer> {
		return this.link.call<ReadyAnswer>({ do: "ready", actorId, waitMs });
	}

	/** Placement of the other node starts actors, not this one. */
	start(_assignment: ActorAssignment): Promise<void> {
		return Promise.reject(new Error("An actor is started by the node that runs it"));
	}

	/** Whoever stops an actor looks whether it is stopped: a node that is lost says nothing. */
	async stop(actorId: string, intent: StopIntent): Promise<void> {
		await this.link.call({ do: "stop", actorId, intent }).catch((error: unknown) => {
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
		const body = await request.body.bytes(this.#bodyBytesMax);
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
				signal,
			);
			return "stream" in answer ? streamedResponse(answer) : plainResponse(answer);
		} catch (error) {
			throw error instanceof LinkLost ? this.#afterLoss(actorId, request) : error;
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
			await this.link.call({
				do: "openSocket",
				actorId,
				generation,
				path,
				headers: [...headers.entries()],
				protocols,
				socket: offer,
			});
		} catch (error) {
			throw error instanceof LinkLost ? new ActorGone(actorId) : error;
		}
	}

	offer(actorId: string, socket: ActorSocket): SocketOffer {
		const key = ++this.#lastKey;
		this.#sockets.set(key, { socket, actorId, isHeld: false });
		const keys = this.#keys.get(actorId) ?? new Set();
		this.#keys.set(actorId, keys.add(key));
		const { id, protocol, sentCount, isInterrupted, canHibernate } = socket;
		return { key, id, protocol, sentCount, isInterrupted, canHibernate };
	}

	/** The actor over there does something with a client's socket. */
	deed(key: number, deed: SocketDeed): void {
		const offered = this.#sockets.get(key);
		if (offered === undefined) {
			return;
		}
		const { socket } = offered;
		switch (deed.do) {
			case "send":
				socket.send(deed.message);
				return;
			case "acknowledge":
				socket.acknowledge(deed.index);
				return;
			case "close":
				socket.close(deed.code, deed.reason);
				return;
			case "listen":
				socket.listen({
					onMessage: (message, index) => this.link.news(key, { message, index }),
					onClose: (...closed) => {
						this.link.news(key, { closed });
						// One that is held has yet to be released.
						if (!offered.isHeld) {
							this.#drop(key, offered);
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
				this.#drop(key, offered);
				socket.release();
				return;
		}
	}

	#drop(key: number, { actorId }: Offered): void {
		this.#sockets.delete(key);
		const keys = this.#keys.get(actorId);
		if (keys?.delete(key) && keys.size === 0) {
			this.#keys.delete(actorId);
		}
	}

	/** The incarnation over there is gone: its sockets are another's. */
	forget(actorId: string): void {
		for (const key of this.#keys.get(actorId) ?? []) {
			this.#sockets.delete(key);
		}
		this.#keys.delete(actorId);
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
