/** Values in the order they came; `next` waits for one that is still to come. */
export class Mailbox<T> {
	readonly #values: T[] = [];
	readonly #takers: ((value: T) => void)[] = [];

	put(value: T): void {
		const taker = this.#takers.shift();
		if (taker) taker(value);
		else this.#values.push(value);
	}

	next(): Promise<T> {
		const [value] = this.#values;
		if (this.#values.length > 0) {
			this.#values.shift();
			return Promise.resolve(value as T);
		}
		return new Promise((resolve) => {
			this.#takers.push(resolve);
		});
	}

	/** What came and was not taken. */
	get waiting(): readonly T[] {
		return this.#values;
	}
}
