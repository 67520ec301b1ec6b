import type { ActorInstance } from "../instance/instance.ts";

/** `c.schedule` or `c.cron` as one context has it. */
export class RefusableCalls {
	protected readonly instance: ActorInstance;
	readonly #era: number;

	constructor(instance: ActorInstance) {
		this.instance = instance;
		this.#era = instance.era;
	}

	/** The result of a call. A refusal is a rejection; one that nobody looks at does not end the process. */
	protected refusable<T>(operation: string, work: () => T | Promise<T>): Promise<T> {
		const result = this.#perform(work);
		result.catch((error: unknown) => {
			this.instance.log.warn({ err: error }, `c.${operation} was refused`);
		});
		return result;
	}

	/** Works at once, before the caller goes on: what is scheduled is part of the batch that is open now. */
	async #perform<T>(work: () => T | Promise<T>): Promise<T> {
		this.instance.assertCurrent(this.#era);
		this.instance.assertAllowed("schedule");
		return work();
	}
}
