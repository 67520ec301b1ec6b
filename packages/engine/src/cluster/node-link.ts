import { type Clock, catalogueError, type Timer } from "@rivetkit/protocol";
import type { WebSocket } from "ws";
import type { EngineLogger } from "../common/logger.ts";
import type { IncarnationEnd } from "../placement/incarnation.ts";
import type { ClusterCounters } from "./cluster-counters.ts";
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
/** Bytes of one stream that are sent before its reader on the other node has taken them; then it waits. */
const STREAM_WINDOW_BYTES = 1024 * 1024;

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
	/** How many bytes have come over the connection, parts of messages included. */
	readonly bytesRead: () => number;
	/** Of the other node. */
	readonly epoch: number;
	readonly clock: Clock;
	readonly handler: LinkHandler;
	readonly logger: EngineLogger;
	readonly counters: ClusterCounters;
	/** Silence (ms) after which the other node is taken for gone. */
	readonly silenceMs: number;
}

/** How long an answer is waited for: the other node has its own limits, and may forget them. */
export interface CallOptions<T> {
	/** Time until the answer comes, or begins (ms). */
	readonly waitMs: number;
	/** Makes what the call rejects with when no answer came. Default: `guard.tunnel_message_timeout`. */
	readonly late?: () => Error;
	/** Given an answer that comes after all. */
	readonly onLate?: (value: T) => void;
	readonly signal?: AbortSignal;
}

interface Waiting {
	readonly resolve: (value: never) => void;
	readonly reject: (error: unknown) => void;
}

/** A stream from the other node, as far as it has come. */
interface Incoming {
	readonly controller: ReadableStreamDefaultController<Uint8Array>;
	readonly parts: Uint8Array[];
	/** The reader has taken everything and wants more. */
	isWanted: boolean;
	isOver: boolean;
}

/** A stream to the other node. */
interface Outgoing {
	/** Bytes that were sent and not taken. */
	bytes: number;
	/** Called when some were. */
	taken: (() => void) | undefined;
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
	readonly #bytesRead: () => number;
	/** As many as there were when it was last looked. */
	#bytesSeen = 0;
	readonly #clock: Clock;
	readonly #handler: LinkHandler;
	readonly #silenceMs: number;
	readonly #waiting = new Map<number, Waiting>();
	readonly #late = new Map<number, (value: never) => void>();
	readonly #incoming = new Map<number, Incoming>();
	readonly #outgoing = new Map<number, Outgoing>();
	readonly #logger: EngineLogger;
	readonly #counters: ClusterCounters;
	readonly #served = new Map<number, AbortController>();
	#lastId = 0;
	#lost = false;
	#heardAt = performance.now();
	#watch: Timer | undefined;

	constructor(options: NodeLinkOptions) {
		const { socket, bytesRead, epoch, clock, handler, logger, counters, silenceMs } = options;
		this.epoch = epoch;
		this.#socket = socket;
		this.#bytesRead = bytesRead;
		this.#clock = clock;
		this.#handler = handler;
		this.#logger = logger;
		this.#counters = counters;
		this.#silenceMs = silenceMs;
		socket.on("message", (data: Buffer) => {
			this.#heardAt = performance.now();
			this.#received(data);
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

	/** Rejects with {@link LinkLost}, with what the other node says, or when that says nothing for too long. */
	call<T>(call: LinkCall, options: CallOptions<T>): Promise<T> {
		if (this.#lost) {
			return Promise.reject(new LinkLost(this.epoch));
		}
		const { signal, waitMs, late = overdue, onLate } = options;
		const id = ++this.#lastId;
		return new Promise<T>((resolve, reject) => {
			const abort = () => {
				if (this.#waiting.has(id)) {
					this.#send({ is: "abort", id });
				}
			};
			const settle = (outcome: "succeeded" | "failed") => {
				this.#counters.calls[call.do][outcome]++;
				timer.stop();
				signal?.removeEventListener("abort", abort);
			};
			const timer = this.#clock.after(waitMs, () => {
				settle("failed");
				this.#waiting.delete(id);
				if (onLate === undefined) {
					this.#send({ is: "abort", id });
				} else {
					this.#late.set(id, onLate);
				}
				reject(late());
			});
			this.#waiting.set(id, {
				resolve: (value) => {
					settle("succeeded");
					resolve(value);
				},
				reject: (error) => {
					settle("failed");
					reject(error);
				},
			});
			this.#send({ is: "call", id, call });
			if (signal?.aborted) {
				abort();
			} else {
				signal?.addEventListener("abort", abort, { once: true });
			}
		});
	}

	/** As {@link call} for what is answered by a head and perhaps a stream. */
	request(
		call: LinkCall,
		options: Omit<CallOptions<ResponseHead | Streamed>, "onLate">,
	): Promise<ResponseHead | Streamed> {
		return this.call<ResponseHead | Streamed>(call, options);
	}

	/** @param sent - called when it has left this process; perhaps not when the link is lost before */
	news(key: number, news: SocketNews, sent?: () => void): void {
		this.#send({ is: "news", key, news }, sent);
	}

	deed(key: number, deed: SocketDeed): void {
		this.#send({ is: "deed", key, deed });
	}

	ended(actorId: string, generation: number, how: IncarnationEnd): void {
		this.#send({ is: "ended", actorId, generation, how });
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
		this.#late.clear();
		for (const { controller } of this.#incoming.values()) {
			controller.error(error);
		}
		this.#incoming.clear();
		for (const { taken } of this.#outgoing.values()) {
			taken?.();
		}
		for (const controller of this.#served.values()) {
			controller.abort(error);
		}
		this.#served.clear();
		this.#handler.lost(this);
	}

	#listen(): void {
		this.#watch = this.#clock.after(this.#silenceMs / 4, () => {
			// A large message is heard of when it is whole, and so are the pings behind it.
			const bytes = this.#bytesRead();
			if (bytes !== this.#bytesSeen) {
				this.#bytesSeen = bytes;
				this.#heardAt = performance.now();
			}
			if (performance.now() - this.#heardAt > this.#silenceMs) {
				this.close();
				return;
			}
			this.#socket.ping();
			this.#listen();
		});
	}

	#send(message: LinkMessage, sent?: () => void): void {
		if (this.#lost) {
			return;
		}
		if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) {
			this.close();
			return;
		}
		this.#socket.send(encodeMessage(message), sent);
	}

	/** What cannot be dealt with ends the link: whoever waits for it must not wait for ever. */
	#received(data: Buffer): void {
		try {
			this.#heard(decodeMessage(data));
		} catch (error) {
			this.#logger.error(
				{ node: this.epoch, err: error },
				"a message of another node could not be dealt with; the link to it is made again",
			);
			this.close();
		}
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
				this.#answered(message.id, message.value);
				return;
			}
			case "failure": {
				const error = fromFailure(message.failure);
				this.#waiting.get(message.id)?.reject(error);
				this.#waiting.delete(message.id);
				this.#late.delete(message.id);
				this.#incoming.get(message.id)?.controller.error(error);
				this.#incoming.delete(message.id);
				return;
			}
			case "abort":
				this.#served.get(message.id)?.abort(new DOMException("The caller is gone", "AbortError"));
				return;
			case "part":
				this.#part(message.id, message.bytes);
				return;
			case "taken": {
				const outgoing = this.#outgoing.get(message.id);
				if (outgoing !== undefined) {
					outgoing.bytes -= message.bytes;
					outgoing.taken?.();
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

	#answered(id: number, value: unknown): void {
		const waiting = this.#waiting.get(id);
		if (waiting !== undefined) {
			this.#waiting.delete(id);
			waiting.resolve(this.#valueOf(id, value) as never);
			return;
		}
		this.#late.get(id)?.(value as never);
		this.#late.delete(id);
	}

	/** An answer whose body comes in parts gets a stream for it. */
	#valueOf(id: number, value: unknown): unknown {
		if (!(value as { isStream?: boolean } | null)?.isStream) {
			return value;
		}
		const stream = new ReadableStream<Uint8Array>(
			{
				start: (controller) => {
					this.#incoming.set(id, { controller, parts: [], isWanted: false, isOver: false });
				},
				pull: () => {
					const incoming = this.#incoming.get(id);
					if (incoming !== undefined) {
						incoming.isWanted = true;
						this.#give(id, incoming);
					}
				},
				cancel: () => {
					this.#incoming.delete(id);
					this.#send({ is: "abort", id });
				},
			},
			{ highWaterMark: 0 },
		);
		return { head: value, stream };
	}

	#part(id: number, bytes: Uint8Array | null): void {
		const incoming = this.#incoming.get(id);
		if (incoming === undefined) {
			return;
		}
		if (bytes === null) {
			incoming.isOver = true;
		} else {
			incoming.parts.push(bytes);
		}
		this.#give(id, incoming);
	}

	/** One part for each that its reader asks for; the other node sends more when it is told. */
	#give(id: number, incoming: Incoming): void {
		const { controller, parts } = incoming;
		if (incoming.isWanted && parts.length > 0) {
			const bytes = parts.shift()!;
			incoming.isWanted = false;
			controller.enqueue(bytes);
			this.#send({ is: "taken", id, bytes: bytes.byteLength });
		}
		if (incoming.isOver && parts.length === 0) {
			this.#incoming.delete(id);
			controller.close();
		}
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
		const outgoing: Outgoing = { bytes: 0, taken: undefined };
		const abort = () => {
			void reader.cancel(signal.reason).catch(() => {});
			outgoing.taken?.();
		};
		this.#outgoing.set(id, outgoing);
		signal.addEventListener("abort", abort);
		if (signal.aborted) {
			abort();
		}
		try {
			for (;;) {
				const { done, value } = await reader.read();
				if (done) {
					this.#send({ is: "part", id, bytes: null });
					return;
				}
				this.#send({ is: "part", id, bytes: value });
				outgoing.bytes += value.byteLength;
				while (outgoing.bytes > STREAM_WINDOW_BYTES && !this.#lost && !signal.aborted) {
					await new Promise<void>((resolve) => {
						outgoing.taken = resolve;
					});
				}
			}
		} finally {
			this.#outgoing.delete(id);
			signal.removeEventListener("abort", abort);
		}
	}
}

function overdue(): Error {
	return catalogueError("guard.tunnel_message_timeout");
}
