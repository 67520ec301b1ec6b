/**
 * What an instance is busy with. One ledger answers both "may it stop now?" and, later, "why is it
 * awake?".
 */
export type WorkKind =
	| "action"
	| "request"
	| "guard"
	| "onDisconnect"
	| "socketListener"
	| "keepAwake";

export class WorkLedger {
	readonly #counts: Record<WorkKind, number> = {
		action: 0,
		request: 0,
		guard: 0,
		onDisconnect: 0,
		socketListener: 0,
		keepAwake: 0,
	};
	#total = 0;
	#whenIdle: (() => void)[] | null = null;

	get total(): number {
		return this.#total;
	}

	/** What is in progress, for the log and the inspector. */
	summary(): Partial<Record<WorkKind, number>> {
		return Object.fromEntries(Object.entries(this.#counts).filter(([, count]) => count > 0));
	}

	begin(kind: WorkKind): WorkKind {
		this.#counts[kind]++;
		this.#total++;
		return kind;
	}

	end(kind: WorkKind): void {
		this.#counts[kind]--;
		if (--this.#total > 0) return;
		const waiting = this.#whenIdle;
		this.#whenIdle = null;
		if (waiting) for (const resolve of waiting) resolve();
	}

	/** Resolves when nothing is in progress. */
	idle(): Promise<void> {
		if (this.#total === 0) return Promise.resolve();
		return new Promise((resolve) => {
			this.#whenIdle ??= [];
			this.#whenIdle.push(resolve);
		});
	}
}
