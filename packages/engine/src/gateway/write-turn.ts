import type { Socket } from "node:net";

/** Above this, frames are handed to the kernel as they are instead of being copied together. */
const JOIN_BYTES_MAX = 64 * 1024;

export interface Flushable {
	/** Writes what this turn collected. */
	flush(): void;
}

/**
 * Collects what sockets send during one turn of the event loop (a macrotask and all its microtasks) and
 * writes it when the turn is over, one write per socket.
 */
export class WriteTurn {
	#waiting: Flushable[] = [];
	#lastFrames: readonly Buffer[] = [];
	#lastJoined: Buffer | undefined;

	/** Flushes the socket at the end of this turn. Called once per socket and turn. */
	add(socket: Flushable): void {
		if (this.#waiting.push(socket) === 1) {
			process.nextTick(this.#flushAll);
		}
	}

	/** Writes all frames at once. Sockets with the same frames one after another share the joined copy. */
	write(socket: Socket, frames: readonly Buffer[]): void {
		if (frames.length === 1) {
			socket.write(frames[0]!);
			return;
		}
		if (this.#lastJoined !== undefined && sameFrames(this.#lastFrames, frames)) {
			socket.write(this.#lastJoined);
			return;
		}
		let size = 0;
		for (const frame of frames) {
			size += frame.byteLength;
		}
		if (size > JOIN_BYTES_MAX) {
			socket.cork();
			for (const frame of frames) {
				socket.write(frame);
			}
			socket.uncork();
			return;
		}
		this.#lastFrames = frames;
		this.#lastJoined = Buffer.concat(frames, size);
		socket.write(this.#lastJoined);
	}

	readonly #flushAll = (): void => {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const socket of waiting) {
			socket.flush();
		}
		this.#lastFrames = [];
		this.#lastJoined = undefined;
	};
}

function sameFrames(a: readonly Buffer[], b: readonly Buffer[]): boolean {
	if (a.length !== b.length) {
		return false;
	}
	for (let index = 0; index < a.length; index++) {
		if (a[index] !== b[index]) {
			return false;
		}
	}
	return true;
}
