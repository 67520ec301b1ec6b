import { later } from "../common/later.ts";

/** What may be done in one turn of the event loop; the rest is left to the next ones, in its order. */
export class TurnQuota {
	readonly #max: number;
	#used = 0;
	#renewal: Promise<void> | undefined;

	constructor(max: number) {
		this.#max = max;
	}

	get isUsedUp(): boolean {
		return this.#used >= this.#max;
	}

	use(): void {
		this.#used++;
		this.#renewal ??= new Promise((resolve) => {
			later(() => {
				this.#used = 0;
				this.#renewal = undefined;
				resolve();
			});
		});
	}

	/** Resolves in the next turn. */
	async renewed(): Promise<void> {
		await this.#renewal;
	}
}
