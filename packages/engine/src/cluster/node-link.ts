import type { Clock, Timer } from "@rivetkit/protocol";
import type { WebSocket } from "ws";
import type { IncarnationEnd } from "../placement/placement.ts";
import {
	decodeMessage,
	encodeMessage,
	fromFailure,
	type LinkCall,
	LinkLost,
	type LinkMessage,
	type ResponseHead,
	type SocketDeed,
	type SocketNews,
	toFailure,
} from "./link-messages.ts";

/** Bytes that may wait to be sent to one node; a node that does not take them is given up. */
const BUFFERED_BYTES_MAX = 256 * 1024 * 1024;
/** Above this, streams wait. */
const BUFFERED_BYTES_HIGH = 4 * 1024 * 1024;
const DRAIN_LOOK_MS = 5;

/** Who deals with what comes over a link. */
export interface LinkHandler {
	/** Answers a call; what it rejects with goes back. */
	called(link: NodeLink, call: LinkCall, signal: AbortSignal): Promise<unknown>;
	/** Of a socket that was offered here. */
	news(link: NodeLink, key: number, news: SocketNews): void;
	/** With a socket that was offered from here. */
	deed(link: NodeLink, key: number, deed: SocketDeed): void;
	ended(link: NodeLink, actorId: string, generation: number, how: IncarnationEnd): void;
	lost(link: NodeLink): void;
}

export interface NodeLinkOptions {
	readonly socket: WebSocket;
	/** Of the other node. */
	readonly epoch: number;
	readonly clock: Clock;
	readonly handler: LinkHandler;
	/** Silence (ms) after which the other node is taken for gone. */
	readonly silenceMs: number;
}

interface Waiting {
	readonly resolve: (value: never) => void;
	readonly reject: (error: unknown) => void;
}

/** A stream that answers a call and has not been given in whole. */
export interface Streamed {
	readonly head: ResponseHead;
	readonly stream: ReadableStream<Uint8Array>;
}

/** The one connection between two nodes: calls both ways, sockets, and streams, all in order. */
export class NodeLink {
	readonly epoch: number;
	readonly #socket: WebSocket;
	readonly #clock: Clock;
	readonly #handler: LinkHandler;
	readonly #silenceMs: number;
	readonly #waiting = new Map<number, Waiting>();
	readonly #incoming = new Map<number, ReadableStreamDefaultController<Uint8Array>>();
	readonly #served = new Map<number, AbortController>();
	#lastId = 0;
	#lost = false;
	#heardAt = performance.now();
	#watch: Timer | undefined;

	constructor({ socket, epoch, clock, handler, silenceMs }: NodeLinkOptions) {
		this.epoch = epoch;
		this.#socket = socket;
		this.#clock = clock;
		this.#handler = handler;
		this.#silenceMs = silenceMs;
		socket.on("message", (data: Buffer) => {
			this.#heardAt = performance.now();
			this.#heard(decodeMessage(data));
		});
		socket.on("pong", () => {
			this.#heardAt = performance.now();
		});
		socket.on("ping", () => {
			this.#heardAt = performance.now();
		});
		socket.on("error", () => {});
		socket.on("close", () => this.close());
		this.#listen();
	}

	get isLost(): boolean {
		return this.#lost;
	}

	/** Rejects with {@link LinkLost}, or with what the other node says. */
	call<T>(call: LinkCall, signal?: AbortSignal): Promise<T> {
		if (this.#lost) {
			return Promise.reject(new LinkLost(this.epoch));
		}
		const id = ++this.#lastId;
		return new Promise<T>((resolve, reject) => {
			this.#waiting.set(id, { resolve, reject });
			this.#send({ is: "call", id, call });
			signal?.addEventListener("abort", () => {
				if (this.#waiting.has(id)) {
					this.#send({ is: "abort", id });
				}
			});
		});
	}

	/** As {@link call} for what is answered by a head and perhaps a stream. */
	async request(call: LinkCall, signal: AbortSignal): Promise<ResponseHead | Streamed> {
		return this.call<ResponseHead | Streamed>(call, signal);
	}

	news(key: number, news: SocketNews): void {
		this.#send({ is: "news", key, news });
	}

	deed(key: number, deed: SocketDeed): void {
		this.#send({ is: "deed", key, deed });
	}

	ended(actorId: string, generation: number, how: IncarnationEnd): void {
		this.#send({ is: "ended", actorId, generation, how });
	}

	get bufferedBytes(): number {
		return this.#socket.bufferedAmount;
	}

	/** Everything that waits for the other node fails. Idempotent. */
	close(): void {
		if (this.#lost) {
			return;
		}
		this.#lost = true;
		this.#watch?.stop();
		this.#socket.terminate();
		const error = new LinkLost(this.epoch);
		for (const { reject } of this.#waiting.values()) {
			reject(error);
		}
		this.#waiting.clear();
		for (const controller of this.#incoming.values()) {
			controller.error(error);
		}
		this.#incoming.clear();
		for (const controller of this.#served.values()) {
			controller.abort(error);
		}
		this.#served.clear();
		this.#handler.lost(this);
	}

	#listen(): void {
		this.#watch = this.#clock.after(this.#silenceMs / 4, () => {
			if (performance.now() - this.#heardAt > this.#silenceMs) {
				this.close();
				return;
			}
			this.#socket.ping();
			this.#listen();
		});
	}

	#send(message: LinkMessage): void {
		if (this.#lost) {
			return;
		}
		if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) {
			this.close();
			return;
		}
		this.#socket.send(encodeMessage(message));
	}

	#heard(message: LinkMessage): void {
		if (this.#lost) {
			return;
		}
		switch (message.is) {
			case "call":
				void this.#serve(message.id, message.call);
				return;
			case "answer": {
				const waiting = this.#waiting.get(message.id);
				this.#waiting.delete(message.id);
				waiting?.resolve(this.#received(message.id, message.value) as never);
				return;
			}
			case "failure": {
				const error = fromFailure(message.failure);
				this.#waiting.get(message.id)?.reject(error);
				this.#waiting.delete(message.id);
				this.#incoming.get(message.id)?.error(error);
				this.#incoming.delete(message.id);
				return;
			}
			case "abort":
				this.#served.get(message.id)?.abort(new DOMException("The caller is gone", "AbortError"));
				return;
			case "part": {
				const controller = this.#incoming.get(message.id);
				if (message.bytes === null) {
					this.#incoming.delete(message.id);
					controller?.close();
				} else {
					controller?.enqueue(message.bytes);
				}
				return;
			}
			case "news":
				this.#handler.news(this, message.key, message.news);
				return;
			case "deed":
				this.#handler.deed(this, message.key, message.deed);
				return;
			case "ended":
				this.#handler.ended(this, message.actorId, message.generation, message.how);
				return;
			default:
				message satisfies never;
		}
	}

	/** An answer whose body comes in parts gets a stream for it. */
	#received(id: number, value: unknown): unknown {
		if (!(value as { isStream?: boolean } | null)?.isStream) {
			return value;
		}
		const stream = new ReadableStream<Uint8Array>({
			start: (controller) => {
				this.#incoming.set(id, controller);
			},
			cancel: () => {
				this.#incoming.delete(id);
				this.#send({ is: "abort", id });
			},
		});
		return { head: value, stream };
	}

	async #serve(id: number, call: LinkCall): Promise<void> {
		const controller = new AbortController();
		this.#served.set(id, controller);
		try {
			const value = await this.#handler.called(this, call, controller.signal);
			const streamed = value as Streamed | null | undefined;
			if (streamed?.stream instanceof ReadableStream) {
				this.#send({ is: "answer", id, value: streamed.head });
				await this.#pump(id, streamed.stream, controller.signal);
				return;
			}
			this.#send({ is: "answer", id, value: value ?? null });
		} catch (error) {
			this.#send({ is: "failure", id, failure: toFailure(error) });
		} finally {
			this.#served.delete(id);
		}
	}

	async #pump(id: number, stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
		const reader = stream.getReader();
		const abort = () => void reader.cancel(signal.reason).catch(() => {});
		signal.addEventListener("abort", abort);
		try {
			for (;;) {
				const { done, value } = await reader.read();
				if (done) {
					this.#send({ is: "part", id, bytes: null });
					return;
				}
				this.#send({ is: "part", id, bytes: value });
				while (!this.#lost && this.#socket.bufferedAmount > BUFFERED_BYTES_HIGH) {
					await new Promise<void>((resolve) => {
						this.#clock.after(DRAIN_LOOK_MS, resolve);
					});
				}
			}
		} finally {
			signal.removeEventListener("abort", abort);
		}
	}
}
