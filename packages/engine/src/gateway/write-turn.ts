export interface Flushable {
	/** Writes what this turn collected. */
	flush(): void;
}

/**
 * Lets sockets write once per turn of the event loop (a macrotask and all its microtasks): whoever was
 * added is flushed when the turn is over.
 */
export class WriteTurn {
	#waiting: Flushable[] = [];

	/** Called once per socket and turn. */
	add(socket: Flushable): void {
		if (this.#waiting.push(socket) === 1) {
			process.nextTick(this.#flushAll);
		}
	}

	readonly #flushAll = (): void => {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const socket of waiting) {
			socket.flush();
		}
	};
}
