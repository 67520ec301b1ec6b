/**
 * Which handlers were seen to be done when they return, each time so far: what they run in need not be an
 * async context. One that was not once, perhaps with a promise, never is again.
 */
export class Habits {
	readonly #returnsAtOnce = new WeakMap<object, boolean>();

	/** False for one that was not seen before. */
	returnsAtOnce(handler: object): boolean {
		return this.#returnsAtOnce.get(handler) === true;
	}

	saw(handler: object, wentOn: boolean): void {
		const before = this.#returnsAtOnce.get(handler);
		if (wentOn ? before !== false : before === undefined) {
			this.#returnsAtOnce.set(handler, !wentOn);
		}
	}
}
