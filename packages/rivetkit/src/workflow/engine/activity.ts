interface ActivityOwner {
	/** Work has begun, or none is left. */
	activityChanged(isIdle: boolean): void;
}

/** How many strands are at work; waiting ones are not. */
export class Activity {
	readonly #parent: Activity | null;
	readonly #owner: ActivityOwner;
	#count = 0;

	constructor(parent: Activity | null, owner: ActivityOwner) {
		this.#parent = parent;
		this.#owner = owner;
	}

	get isIdle(): boolean {
		return this.#count === 0;
	}

	begin(): void {
		if (this.#count++ > 0) return;
		this.#parent?.begin();
		this.#owner.activityChanged(false);
	}

	end(): void {
		if (--this.#count > 0) return;
		this.#owner.activityChanged(true);
		this.#parent?.end();
	}
}
