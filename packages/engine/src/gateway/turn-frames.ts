import { frameMessage, frameSize, messageSize, writeFrame } from "./websocket-frame.ts";

/** Small frames of one turn are put into one buffer; one that is larger is a buffer of its own. */
const JOINED_BYTES_MAX = 4096;
const CHUNK_BYTES = 1024;
const CHUNK_BYTES_MAX = 64 * 1024;

/**
 * The frames that one socket sends in one turn, in order and in few buffers: a write costs the stream and
 * the kernel something per buffer, and answers are small.
 */
export class TurnFrames {
	#done: Buffer[] = [];
	/** The only small frame so far; most turns have no second one. */
	#single: Buffer | undefined;
	#chunk: Buffer | undefined;
	#used = 0;
	/** Bytes that wait to be taken. */
	byteLength = 0;

	/** Copies the message. */
	add(message: string | Uint8Array): void {
		const payloadBytes = messageSize(message);
		const frameBytes = frameSize(payloadBytes);
		if (frameBytes > JOINED_BYTES_MAX || this.byteLength === 0) {
			this.addFrame(frameMessage(message, payloadBytes));
			return;
		}
		this.byteLength += frameBytes;
		const chunk = this.#room(frameBytes);
		writeFrame(chunk, this.#used, message, payloadBytes);
		this.#used += frameBytes;
	}

	/** Keeps the frame, which must not change any more. */
	addFrame(frame: Buffer): void {
		const isFirst = this.byteLength === 0;
		this.byteLength += frame.length;
		if (frame.length > JOINED_BYTES_MAX) {
			this.#endChunk();
			this.#done.push(frame);
		} else if (isFirst) {
			this.#single = frame;
		} else {
			const chunk = this.#room(frame.length);
			chunk.set(frame, this.#used);
			this.#used += frame.length;
		}
	}

	/** What was added since the last call. */
	take(): readonly Buffer[] {
		this.#endChunk();
		const taken = this.#done;
		this.#done = [];
		this.byteLength = 0;
		return taken;
	}

	/** A chunk with this many free bytes at `#used`; small frames that came before are in front. */
	#room(bytes: number): Buffer {
		const single = this.#single;
		if (single !== undefined) {
			this.#single = undefined;
			this.#chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, single.length + bytes));
			this.#chunk.set(single);
			this.#used = single.length;
			return this.#chunk;
		}
		const chunk = this.#chunk;
		if (chunk === undefined) {
			this.#chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, bytes));
			return this.#chunk;
		}
		if (this.#used + bytes <= chunk.length) return chunk;
		if (chunk.length >= CHUNK_BYTES_MAX) {
			this.#endChunk();
			this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES_MAX);
			return this.#chunk;
		}
		const grown = Buffer.allocUnsafe(Math.max(chunk.length * 2, this.#used + bytes));
		grown.set(chunk.subarray(0, this.#used));
		this.#chunk = grown;
		return grown;
	}

	#endChunk(): void {
		if (this.#single !== undefined) {
			this.#done.push(this.#single);
			this.#single = undefined;
		} else if (this.#chunk !== undefined) {
			this.#done.push(this.#chunk.subarray(0, this.#used));
			this.#chunk = undefined;
			this.#used = 0;
		}
	}
}
