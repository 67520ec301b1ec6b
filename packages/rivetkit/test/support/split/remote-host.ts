import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	catalogueError,
	type HostEvents,
	type StopIntent,
} from "@rivetkit/protocol";
import type { ActorBackend } from "../../../src/backends/backend.ts";
import type { MessageLink } from "./link.ts";
import {
	type AnswerMessage,
	answerTo,
	Calls,
	type HostCall,
	type SocketDeed,
	type SocketOffer,
	type ToEngine,
	type ToHost,
} from "./messages.ts";

const BODY_BYTES_MAX = 1024 * 1024;

/** The engine's side of a host in another process: its actors, and the store for them. */
export class RemoteHost implements ActorHost {
	readonly #link: MessageLink<ToHost, ToEngine>;
	readonly #backend: ActorBackend;
	readonly #calls = new Calls();
	readonly #sockets = new Map<number, ActorSocket>();
	/** Resolves when the process is up. */
	readonly ready: Promise<void>;
	#lastKey = 0;
	#isGone = false;
	#events: HostEvents | null = null;

	constructor(link: MessageLink<ToHost, ToEngine>, backend: ActorBackend) {
		this.#link = link;
		this.#backend = backend;
		let tellReady!: () => void;
		let tellGone!: (error: Error) => void;
		this.ready = new Promise<void>((resolve, reject) => {
			tellReady = resolve;
			tellGone = reject;
		});
		// Whoever does not wait for it hears of the loss by its calls.
		this.ready.catch(() => {});
		link.onMessage((message) => {
			if (this.#isGone) return;
			if ("ready" in message) tellReady();
			else if ("answerTo" in message) this.#calls.answered(message);
			else if ("deed" in message) this.#do(message.deed);
			else if ("report" in message) this.#events?.[message.report](...message.args);
			else void this.#store(message.call, message.store);
		});
		link.onGone(() => {
			this.#isGone = true;
			this.#sockets.clear();
			tellGone(new Error("the host's process ended"));
			this.#calls.fail(new HostLost());
			this.#events?.lost();
		});
	}

	attach(events: HostEvents): void {
		this.#events = events;
	}

	async start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): Promise<void> {
		await this.#call({ do: "start", assignment, sockets: sockets.map((s) => this.#offer(s)) });
	}

	async stop(actorId: string, intent: StopIntent): Promise<void> {
		await this.#call({ do: "stop", actorId, intent }).catch((error: unknown) => {
			if (!(error instanceof HostLost)) throw error;
		});
	}

	async request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const { method, path, headers } = request;
		const body = await request.body.bytes(BODY_BYTES_MAX);
		try {
			const forwarded = { actorId, method, path, headers: [...headers.entries()], body };
			return (await this.#call({ do: "request", request: forwarded })) as AnswerMessage;
		} catch (error) {
			// Whether it ran, nobody knows.
			if (error instanceof HostLost) throw catalogueError("guard.tunnel_response_closed");
			throw error;
		}
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		const { path, headers, protocols } = upgrade;
		const forwarded = { actorId, path, headers: [...headers.entries()], protocols };
		const offer = this.#offer(socket);
		try {
			await this.#call({ do: "openSocket", upgrade: forwarded, socket: offer });
		} catch (error) {
			throw error instanceof HostLost ? new ActorGone(actorId) : error;
		}
	}

	#call(host: HostCall): Promise<unknown> {
		if (this.#isGone) return Promise.reject(new HostLost());
		return this.#calls.make((call) => this.#link.send({ call, host }));
	}

	#offer(socket: ActorSocket): SocketOffer {
		const key = ++this.#lastKey;
		this.#sockets.set(key, socket);
		const { id, protocol, sentCount, isInterrupted } = socket;
		return { key, id, protocol, sentCount, isInterrupted };
	}

	#do(deed: SocketDeed): void {
		const socket = this.#sockets.get(deed.socket);
		if (!socket) return;
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
				this.#listen(deed.socket, socket);
				return;
			default:
				socket[deed.do]();
		}
	}

	#listen(key: number, socket: ActorSocket): void {
		socket.listen({
			onMessage: (message, index) => this.#link.send({ news: { socket: key, message, index } }),
			onClose: (...closed) => this.#link.send({ news: { socket: key, closed } }),
			onPong: () => this.#link.send({ news: { socket: key, pong: true } }),
		});
	}

	async #store(call: number, { method, args }: Extract<ToEngine, { store: unknown }>["store"]) {
		const run = this.#backend[method] as (...args: readonly unknown[]) => Promise<unknown>;
		this.#link.send(await answerTo(call, () => run.apply(this.#backend, [...args])));
	}
}

class HostLost extends Error {
	override readonly name = "HostLost";
}
