/** Something to wait for, until the test opens it. */
export class Gate<T = void> {
	readonly passed: Promise<T>;
	#resolve!: (value: T) => void;

	constructor() {
		this.passed = new Promise((resolve) => {
			this.#resolve = resolve;
		});
	}

	readonly open = (value: T): void => this.#resolve(value);
}

/** Rejects when `promise` is not settled within `withinMs`: a hang becomes a failure that says so. */
export function soon<T>(promise: Promise<T>, withinMs = 25_000): Promise<T> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`not settled in ${withinMs} ms`)), withinMs);
		promise.then(resolve, reject).finally(() => clearTimeout(timer));
	});
}
