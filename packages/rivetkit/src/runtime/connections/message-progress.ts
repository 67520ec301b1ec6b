/** Which messages of a client are done with: all up to `through`, whatever the order they end in. */
export class MessageProgress {
	#through: number;
	#hasBegun = false;
	/** Done before one that came earlier; only with actions that run side by side. */
	#ahead: Set<number> | null = null;

	constructor(through: number) {
		this.#through = through;
	}

	get through(): number {
		return this.#through;
	}

	/** A message has come. What precedes the first one is done with: it is not kept any more. */
	came(index: number): void {
		if (this.#hasBegun) return;
		this.#hasBegun = true;
		this.#through = Math.max(this.#through, index - 1);
	}

	/** Notes that a message is done with. Returns whether that moved {@link through}. */
	done(index: number): boolean {
		if (index !== this.#through + 1) {
			if (index > this.#through) {
				this.#ahead ??= new Set();
				this.#ahead.add(index);
			}
			return false;
		}
		this.#through = index;
		if (this.#ahead) {
			while (this.#ahead.delete(this.#through + 1)) this.#through++;
			if (this.#ahead.size === 0) this.#ahead = null;
		}
		return true;
	}
}
