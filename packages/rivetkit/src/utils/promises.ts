export interface PromiseWithResolvers<T> {
	readonly promise: Promise<T>;
	readonly resolve: (value: T | PromiseLike<T>) => void;
	readonly reject: (reason?: unknown) => void;
}

/** A promise with its ends. `onReject` hears of a rejection, which then counts as handled. */
export function promiseWithResolvers<T>(
	onReject: (reason: unknown) => void,
): PromiseWithResolvers<T> {
	let resolve!: PromiseWithResolvers<T>["resolve"];
	let reject!: PromiseWithResolvers<T>["reject"];
	const promise = new Promise<T>((onResolve, onFail) => {
		resolve = onResolve;
		reject = onFail;
	});
	promise.catch(onReject);
	return { promise, resolve, reject };
}

/**
 * Runs one operation at a time and keeps only the newest that waits: for work where a later run covers
 * what an earlier one would have done, such as saving. The promise of a waiting operation that was
 * replaced settles with the operation that replaced it.
 */
export class SinglePromiseQueue {
	#running: Promise<void> | null = null;
	#waiting: { operation: () => Promise<void>; done: Promise<void> } | null = null;

	enqueue(operation: () => Promise<void>): Promise<void> {
		if (this.#waiting) this.#waiting.operation = operation;
		else if (!this.#running) return this.#run(operation);
		else this.#waiting = { operation, done: this.#running.then(this.#next, this.#next) };
		return this.#waiting.done;
	}

	/** Whether an operation is running. */
	get running(): boolean {
		return this.#running !== null;
	}

	#next = (): Promise<void> => {
		const { operation } = this.#waiting!;
		this.#waiting = null;
		return this.#run(operation);
	};

	#run(operation: () => Promise<void>): Promise<void> {
		const done = (async () => operation())().finally(() => {
			if (this.#running === done) this.#running = null;
		});
		this.#running = done;
		return done;
	}
}
