/** How many strands are at work; waiting ones are not. */
export class Activity {
	readonly #parent: Activity | null;
	readonly #changed: (isIdle: boolean) => void;
	#count = 0;

	/** @param changed - told when work begins and when none is left */
	constructor(parent: Activity | null, changed: (isIdle: boolean) => void) {
		this.#parent = parent;
		this.#changed = changed;
	}

	get isIdle(): boolean {
		return this.#count === 0;
	}

	begin(): void {
		if (this.#count++ > 0) return;
		this.#parent?.begin();
		this.#changed(false);
	}

	end(): void {
		if (--this.#count > 0) return;
		this.#changed(true);
		this.#parent?.end();
	}
}
