const KINDS = [
	"action",
	"request",
	"guard",
	"onDisconnect",
	"socketListener",
	"keepAwake",
] as const;

export type WorkKind = (typeof KINDS)[number];

/**
 * What an instance is busy with. One ledger answers both "may it stop now?" and, later, "why is it
 * awake?".
 */
export class WorkLedger {
	// Plain counters: an idle actor has to be small, and a busy one must not allocate here.
	action = 0;
	request = 0;
	guard = 0;
	onDisconnect = 0;
	socketListener = 0;
	keepAwake = 0;
	total = 0;
	#whenIdle: (() => void)[] | null = null;

	/** What is in progress, for the log and the inspector. */
	summary(): Partial<Record<WorkKind, number>> {
		return Object.fromEntries(
			KINDS.map((kind) => [kind, this[kind]] as const).filter(([, count]) => count > 0),
		);
	}

	begin(kind: WorkKind): WorkKind {
		this[kind]++;
		this.total++;
		return kind;
	}

	end(kind: WorkKind): void {
		this[kind]--;
		if (--this.total > 0) return;
		const waiting = this.#whenIdle;
		this.#whenIdle = null;
		if (waiting) for (const resolve of waiting) resolve();
	}

	/** Resolves when nothing is in progress. */
	idle(): Promise<void> {
		if (this.total === 0) return Promise.resolve();
		return new Promise((resolve) => {
			this.#whenIdle ??= [];
			this.#whenIdle.push(resolve);
		});
	}
}
