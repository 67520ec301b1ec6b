/** Callbacks of one kind. One that throws or rejects is reported and does not keep the others from running. */
export class Callbacks<Args extends readonly unknown[]> {
	readonly #registered = new Set<{ readonly callback: (...args: Args) => void }>();
	readonly #failed: (error: unknown) => void;

	constructor(failed: (error: unknown) => void) {
		this.#failed = failed;
	}

	get size(): number {
		return this.#registered.size;
	}

	/** The same function added twice is called twice. Returns how to take it out again. */
	add(callback: (...args: Args) => void): () => void {
		const registration = { callback };
		this.#registered.add(registration);
		return () => {
			this.#registered.delete(registration);
		};
	}

	call(...args: Args): void {
		for (const registration of [...this.#registered]) {
			// One of those before may have taken it out.
			if (!this.#registered.has(registration)) continue;
			void callGuarded(registration.callback, args, this.#failed);
		}
	}
}

/** Calls code of the user's. What it throws goes to `failed` at once, what it rejects with then. */
async function callGuarded<Args extends readonly unknown[]>(
	call: (...args: Args) => unknown,
	args: Args,
	failed: (error: unknown) => void,
): Promise<void> {
	try {
		await call(...args);
	} catch (error) {
		failed(error);
	}
}
