const plural = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

/** What an instance can be busy with, and how that reads. */
const WORDS = {
	action: (n: number) => `${plural(n, "action", "actions")} in progress`,
	scheduled: (n: number) => `${plural(n, "scheduled action", "scheduled actions")} running`,
	request: (n: number) => `${plural(n, "request", "requests")} in progress`,
	guard: (n: number) => `${plural(n, "canSubscribe or canPublish hook", "guards")} deciding`,
	onDisconnect: (n: number) => `${plural(n, "onDisconnect hook", "onDisconnect hooks")} running`,
	socketListener: (n: number) =>
		`${plural(n, "WebSocket listener", "WebSocket listeners")} working`,
	keepAwake: (n: number) => `${plural(n, "keepAwake promise", "keepAwake promises")} pending`,
	socket: (n: number) => `${plural(n, "open socket", "open sockets")} that cannot hibernate`,
	run: () => "run is working",
};

export type WorkKind = keyof typeof WORDS;

const KINDS = Object.keys(WORDS) as readonly WorkKind[];
/** Keep an actor awake without being anything that a stop could wait for: it ends them. */
const ENDED_BY_STOP: readonly WorkKind[] = ["socket", "run"];

/** A part of the actor that may hold work nobody has begun yet, such as messages in its queue. */
export interface WaitingWork {
	/**
	 * What waits for a receive that is waiting for it, in words; null for nothing. Asked when the actor is
	 * about to sleep, which it then does not (W-STOP-7).
	 */
	waitingWork(): string | null;
}

/**
 * What an instance is busy with (contract: lifecycle 5.1). One ledger answers "why is it awake?", "may it
 * sleep?" and "what does its stop wait for?".
 */
export class WorkLedger {
	// Plain counters: an idle actor has to be small, and a busy one must not allocate here.
	action = 0;
	scheduled = 0;
	request = 0;
	guard = 0;
	onDisconnect = 0;
	socketListener = 0;
	keepAwake = 0;
	/** Connections that cannot hibernate, for as long as they are open. */
	socket = 0;
	/** 1 while the `run` handler is active. */
	run = 0;
	/** All that keeps the actor awake: the sum of the above, without a `run` that waits. */
	#awake = 0;
	/** Receives that wait for a message; meanwhile `run` is not at work. */
	#runWaits = 0;
	#whenDone: (() => void)[] | null = null;
	#sources: WaitingWork[] | null = null;

	/** Adds to what is asked before the actor sleeps. */
	addWaitingWork(source: WaitingWork): void {
		this.#sources ??= [];
		this.#sources.push(source);
	}

	/** What somebody waits for and nobody has begun, in words. */
	waiting(): string[] {
		if (!this.#sources) return [];
		return this.#sources.map((source) => source.waitingWork()).filter((what) => what !== null);
	}

	/** Whether nothing in progress keeps the actor awake. */
	get isIdle(): boolean {
		return this.#awake === 0;
	}

	/** Work that a stop waits for. */
	get inProgress(): number {
		return this.#awake - this.socket - (this.#runWaits === 0 ? this.run : 0);
	}

	begin(kind: WorkKind): WorkKind {
		this[kind]++;
		if (kind !== "run" || this.#runWaits === 0) this.#awake++;
		return kind;
	}

	end(kind: WorkKind): void {
		this[kind]--;
		if (kind === "run" && this.#runWaits > 0) return;
		this.#awake--;
		if (this.#whenDone && this.inProgress === 0) this.#tellDone(this.#whenDone);
	}

	/** A receive begins to wait for a message: while one does, `run` does not count as work. */
	beginRunWait(): void {
		if (this.#runWaits++ === 0) this.#awake -= this.run;
	}

	endRunWait(): void {
		if (--this.#runWaits === 0) this.#awake += this.run;
	}

	/** Resolves when nothing is in progress that a stop waits for. */
	done(): Promise<void> {
		if (this.inProgress === 0) return Promise.resolve();
		return new Promise((resolve) => {
			this.#whenDone ??= [];
			this.#whenDone.push(resolve);
		});
	}

	/** What keeps the actor awake, in words: `2 actions in progress`. */
	awakeBecause(): string[] {
		return [...this.#describe(KINDS), ...this.waiting()];
	}

	/** What a stop waits for, in words. */
	unfinished(): string[] {
		return this.#describe(KINDS.filter((kind) => !ENDED_BY_STOP.includes(kind)));
	}

	#describe(kinds: readonly WorkKind[]): string[] {
		return kinds
			.filter((kind) => this[kind] > 0 && (kind !== "run" || this.#runWaits === 0))
			.map((kind) => WORDS[kind](this[kind]));
	}

	#tellDone(waiting: readonly (() => void)[]): void {
		this.#whenDone = null;
		for (const resolve of waiting) resolve();
	}
}
