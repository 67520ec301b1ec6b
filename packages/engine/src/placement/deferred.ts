import type { Clock } from "@rivetkit/protocol";

/** A promise that is settled from outside. */
export class Deferred<T> {
	readonly promise: Promise<T>;
	resolve!: (value: T) => void;
	reject!: (reason: unknown) => void;

	constructor() {
		this.promise = new Promise<T>((resolve, reject) => {
			this.resolve = resolve;
			this.reject = reject;
		});
	}

	/** The promise, or a rejection with what `late` makes once `waitMs` have passed. */
	within(clock: Clock, waitMs: number, late: () => unknown): Promise<T> {
		return new Promise<T>((resolve, reject) => {
			const timer = clock.after(waitMs, () => reject(late()));
			this.promise.then(
				(value) => {
					timer.stop();
					resolve(value);
				},
				(reason: unknown) => {
					timer.stop();
					reject(reason);
				},
			);
		});
	}
}
