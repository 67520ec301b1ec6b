import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock, HeadersView, RequestBody } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import { bodyTooLong, callerGone, type InboundRequest, pathOfTarget } from "./inbound.ts";

/** Bytes of a streamed request body that may wait for a slow reader. */
const STREAM_BUFFER_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

/** What the objects of one Node server share. */
export interface NodeContext {
	readonly clock: Clock;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
}

/**
 * One request of `node:http`. Request, headers and body are one object, because a call that only reads
 * a small body should cost one.
 */
export class NodeRequest implements InboundRequest, HeadersView, RequestBody {
	method: string;
	path: string;
	headers: HeadersView = this;
	/** Milliseconds since the epoch. */
	readonly startTs: number;
	readonly context: NodeContext;
	readonly message: IncomingMessage;
	readonly response: ServerResponse;
	/** Set when the body was over a limit: the connection must not be used for another request. */
	overLimit = false;
	#controller: AbortController | undefined;
	#bytes: Promise<Uint8Array> | undefined;

	constructor(context: NodeContext, message: IncomingMessage, response: ServerResponse) {
		this.context = context;
		this.message = message;
		this.response = response;
		this.startTs = context.clock.now();
		this.method = message.method!;
		this.path = pathOfTarget(message.url!);
	}

	get peerAddress(): string | undefined {
		return this.message.socket.remoteAddress;
	}

	get body(): RequestBody {
		return this;
	}

	get(name: string): string | null {
		const value: unknown = this.message.headers[name];
		if (typeof value === "string") {
			return value;
		}
		return Array.isArray(value) ? value.join(", ") : null;
	}

	*entries(): Iterable<[name: string, value: string]> {
		for (const [name, value] of Object.entries(this.message.headers)) {
			if (value !== undefined) {
				yield [name, typeof value === "string" ? value : value.join(", ")];
			}
		}
	}

	get signal(): AbortSignal {
		if (this.#controller === undefined) {
			this.#controller = new AbortController();
			if (this.#callerGone()) {
				this.#controller.abort(callerGone());
			} else {
				this.response.once("close", () => {
					if (!this.response.writableFinished) {
						this.#controller!.abort(callerGone());
					}
				});
			}
		}
		return this.#controller.signal;
	}

	/** Aborts the signal, if anybody asked for it. */
	abort(reason: unknown): void {
		this.#controller?.abort(reason);
	}

	bytes(limitBytes: number): Promise<Uint8Array> {
		this.#bytes ??= this.#read(limitBytes);
		return this.#bytes;
	}

	#read(limitBytes: number): Promise<Uint8Array> {
		return new Promise((resolve, reject) => {
			const message = this.message;
			const limit = Math.min(limitBytes, this.context.limits.httpBodyBytesMax);
			const declared = message.headers["content-length"];
			if (declared !== undefined && Number(declared) > limit) {
				reject(this.#tooLong(limitBytes, Number(declared)));
				return;
			}
			if (this.#callerGone()) {
				reject(callerGone());
				return;
			}
			let first: Buffer | undefined;
			let more: Buffer[] | undefined;
			let size = 0;
			let settled = false;
			message.on("data", (chunk: Buffer) => {
				size += chunk.byteLength;
				if (size > limit) {
					if (!settled) {
						settled = true;
						reject(this.#tooLong(limitBytes));
					}
				} else if (first === undefined) {
					first = chunk;
				} else if (more === undefined) {
					more = [first, chunk];
				} else {
					more.push(chunk);
				}
			});
			message.on("end", () => {
				settled = true;
				resolve(more === undefined ? (first ?? EMPTY) : Buffer.concat(more, size));
			});
			// Comes last, whether the message is complete or not.
			message.on("close", () => {
				if (!settled) {
					reject(callerGone());
				}
			});
		});
	}

	stream(): ReadableStream<Uint8Array> | null {
		const message = this.message;
		const { headers } = message;
		const length = headers["content-length"];
		if (headers["transfer-encoding"] === undefined && (length === undefined || length === "0")) {
			return null;
		}
		const limit = this.context.limits.httpBodyBytesMax;
		let size = 0;
		let ended = false;
		let fail = (_reason: unknown) => {};
		const body = new ReadableStream<Uint8Array>(
			{
				start: (controller) => {
					if (length !== undefined && Number(length) > limit) {
						controller.error(this.#tooLong(limit));
						return;
					}
					if (this.#callerGone()) {
						controller.error(callerGone());
						return;
					}
					fail = (reason) => {
						if (!ended) {
							ended = true;
							controller.error(reason);
						}
					};
					message.on("data", (chunk: Buffer) => {
						if (ended) {
							return;
						}
						size += chunk.byteLength;
						if (size > limit) {
							fail(this.#tooLong(limit));
							return;
						}
						controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
						if ((controller.desiredSize ?? 0) <= 0) {
							message.pause();
						}
					});
					message.once("end", () => {
						if (!ended) {
							ended = true;
							controller.close();
						}
					});
					message.on("close", () => {
						if (!ended) {
							fail(callerGone());
						}
					});
				},
				pull: () => {
					message.resume();
				},
				cancel: () => {
					// What still comes is read and dropped, so that the connection stays usable.
					ended = true;
					message.resume();
				},
			},
			new ByteLengthQueuingStrategy({ highWaterMark: STREAM_BUFFER_BYTES }),
		);
		// A body that nobody has begun to read by then would hold up the next request of its connection.
		this.response.once("finish", () => {
			if (!ended && !body.locked) {
				fail(new Error("the request was answered before its body was read"));
				message.resume();
			}
		});
		return body;
	}

	#callerGone(): boolean {
		return this.response.destroyed || (this.message.destroyed && !this.message.readableEnded);
	}

	#tooLong(limitBytes: number, declaredBytes?: number): unknown {
		this.overLimit = true;
		return bodyTooLong(limitBytes, this.context.limits.httpBodyBytesMax, declaredBytes);
	}
}
