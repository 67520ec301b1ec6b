import { decodeStreamFrame, type Encoding, streamFrameEnd } from "@rivetkit/protocol";
import { anySignal, untilAborted } from "./abort.ts";
import { ActorError, asActorError, isRivetErrorCode } from "./errors.ts";

/** A call of an action by its wire name. */
export interface ActionInput {
	readonly name: string;
	readonly args: readonly unknown[];
	readonly signal?: AbortSignal;
}

/** What a call of an action gives: its result, or what it streams, for who iterates it at once. */
export interface ActionResult<Result = unknown> extends Promise<Result>, AsyncIterable<Result> {}

/** How one call is made. */
export interface ActionRequest {
	readonly encoding: Encoding;
	/** Of the caller. */
	signal(): AbortSignal | undefined;
	/** Makes the call for its result. `isStream` is asked when it is about to be sent. */
	run(isStream: () => boolean): Promise<unknown>;
	/** Makes the call for what it streams. */
	open(signal: AbortSignal | undefined): Promise<ReadableStream<Uint8Array>>;
}

/**
 * Nothing tells a client whether an action streams, but what the caller does with the call: iterated at once
 * it is made as a stream, else for its result, which actions that stream refuse (decision record 0029).
 */
export function actionResult(request: ActionRequest): ActionResult {
	let iterator: AsyncIterator<unknown> | undefined;
	const result = new Promise((resolve, reject) => {
		request
			.run(() => iterator !== undefined)
			.then(resolve, (error) => {
				// Nobody looks at it who iterates, and a generator that nobody iterates is no mistake.
				if (iterator || isRivetErrorCode(error, ...IS_STREAM)) result.catch(() => {});
				reject(error);
			});
	});
	const iterate = () => {
		iterator ??= itemsOf(request);
		return iterator;
	};
	return Object.assign(result, { [Symbol.asyncIterator]: iterate });
}

const IS_STREAM = ["action", "is_stream"] as const;

/** What the result of a call rejects with that is read as a stream. */
export function isStreamError(): ActorError {
	return new ActorError(...IS_STREAM, "Read as a stream");
}

function itemsOf(request: ActionRequest): AsyncIterator<unknown> {
	const stop = new AbortController();
	const items = readItems(request, stop.signal);
	return {
		next: () => items.next(),
		// A generator's own would wait for the next item.
		return(value) {
			stop.abort();
			return items.return(value);
		},
	};
}

async function* readItems(request: ActionRequest, stop: AbortSignal): AsyncGenerator<unknown> {
	const { encoding } = request;
	const caller = request.signal();
	const signal = anySignal(caller, stop);
	let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
	let bytes = new Uint8Array();
	try {
		reader = (await untilAborted(request.open(signal), signal)).getReader();
		for (;;) {
			const end = streamFrameEnd(encoding, bytes);
			if (end > 0) {
				const { error, done, value } = decodeStreamFrame(encoding, bytes.subarray(0, end));
				bytes = bytes.subarray(end);
				if (error) throw asActorError({ __type: "ActorError", ...error });
				if (done) return value;
				yield value;
			} else {
				const chunk = await untilAborted(reader.read(), signal).catch(broken);
				if (!chunk.value) broken();
				bytes = concat(bytes, chunk.value);
			}
		}
	} catch (error) {
		caller?.throwIfAborted();
		if (!stop.aborted) throw asActorError(error);
	} finally {
		reader?.cancel().catch(() => {});
	}
}

function broken(cause?: unknown): never {
	throw new ActorError(
		"action",
		"stream_broken",
		"Connection lost before the stream ended",
		undefined,
		{ cause },
	);
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
	const bytes = new Uint8Array(left.length + right.length);
	bytes.set(left);
	bytes.set(right, left.length);
	return bytes;
}
