import {
	type ActorResponse,
	catalogueError,
	type Encoding,
	encodeStreamFrame,
	type StreamFrame,
	streamContentType,
	type WireError,
} from "@rivetkit/protocol";
import type { ItemStream } from "../actions/item-stream.ts";
import type { Outcome } from "../calls/call-log.ts";
import { encodeError } from "../instance/describe-error.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { untracked } from "../state/index.ts";
import { errorResponse } from "./error-response.ts";

/**
 * The answer to an action that is read as a stream (ours): one frame per item, each of which leaves when what
 * was written before it is durable. Nothing is asked of the handler before its reader has taken what came
 * before: what is on its way is in the buffers of the sockets.
 */
export class StreamedAnswer {
	readonly #instance: ActorInstance;
	readonly #action: string;
	readonly #encoding: Encoding;
	readonly #respond: (response: ActorResponse) => void;
	#body: ReadableStreamDefaultController<Uint8Array> | null = null;
	/** Ends the pull that waits for an item. */
	#pulled: (() => void) | null = null;

	/** `respond` is called once: when the handler has begun to stream, or has failed before. */
	constructor(
		instance: ActorInstance,
		action: string,
		encoding: Encoding,
		respond: (response: ActorResponse) => void,
	) {
		this.#instance = instance;
		this.#action = action;
		this.#encoding = encoding;
		this.#respond = respond;
	}

	begin(items: ItemStream): void {
		const body = new ReadableStream<Uint8Array>(
			{
				start: (controller) => {
					this.#body = controller;
				},
				pull: () =>
					new Promise<void>((resolve) => {
						this.#pulled = resolve;
						items.next((item) => this.#send(items, item));
					}),
				cancel: (reason) => {
					this.#body = null;
					items.cancel(reason);
				},
			},
			{ highWaterMark: 0 },
		);
		this.#respond({
			status: 200,
			headers: {
				"content-type": streamContentType(this.#encoding),
				// Whatever is in between must neither keep nor collect what passes.
				"cache-control": "no-store, no-transform",
				"x-accel-buffering": "no",
			},
			body,
		});
	}

	/** The call is over. */
	end(outcome: Outcome): void {
		const last = this.#body ? this.#lastFrame(outcome) : null;
		this.#instance.afterDurable((error) => {
			const lost = error === undefined ? null : this.#describe(error);
			const failure = lost ?? (outcome.ok ? null : outcome.error);
			if (last) {
				this.#body?.enqueue(lost ? this.#errorFrame(lost) : last);
				this.#body?.close();
				this.#pulled?.();
			} else if (failure) {
				const response = encodeError(this.#instance, failure, (described) =>
					errorResponse(this.#encoding, described),
				);
				this.#respond(response);
			}
		});
	}

	#send(items: ItemStream, item: unknown): void {
		let frame: Uint8Array;
		try {
			frame = this.#encode({ value: untracked(item) });
		} catch (error) {
			items.fail(error);
			return;
		}
		this.#instance.afterDurable((error) => {
			if (error !== undefined) {
				items.fail(error);
				return;
			}
			items.sent();
			this.#body?.enqueue(frame);
			this.#pulled?.();
		});
	}

	#lastFrame(outcome: Outcome): Uint8Array {
		if (!outcome.ok) return this.#errorFrame(outcome.error);
		try {
			return this.#encode({ done: true, value: outcome.output });
		} catch (error) {
			outcome.call?.notSent(error);
			return this.#errorFrame(this.#describe(error));
		}
	}

	#errorFrame(wire: WireError): Uint8Array {
		return encodeError(this.#instance, wire, ({ group, code, message, metadata }) =>
			encodeStreamFrame(this.#encoding, { error: { group, code, message, metadata } }),
		);
	}

	#encode(frame: StreamFrame): Uint8Array {
		const bytes = encodeStreamFrame(this.#encoding, frame);
		const limit = this.#instance.services.limits.maxOutgoingMessageSize;
		const size = bytes.byteLength;
		if (size > limit) throw catalogueError("message.outgoing_too_long", { size, limit });
		return bytes;
	}

	#describe(error: unknown) {
		return this.#instance.describeError(error, { action: this.#action });
	}
}
