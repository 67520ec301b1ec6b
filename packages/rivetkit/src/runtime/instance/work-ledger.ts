const plural = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`;

/** What an instance can be busy with, and how that reads. */
const WORDS = {
	action: (n: number) => `${plural(n, "action", "actions")} in progress`,
	scheduled: (n: number) => `${plural(n, "scheduled action", "scheduled actions")} running`,
	request: (n: number) => `${plural(n, "request", "requests")} in progress`,
	sender: (n: number) => `${plural(n, "queue sender waits", "queue senders wait")} for an answer`,
	guard: (n: number) =>
		`${plural(n, "canSubscribe or canPublish hook", "canSubscribe or canPublish hooks")} deciding`,
	onDisconnect: (n: number) => `${plural(n, "onDisconnect hook", "onDisconnect hooks")} running`,
	socketListener: (n: number) =>
		`${plural(n, "WebSocket listener", "WebSocket listeners")} working`,
	keepAwake: (n: number) => `${plural(n, "promise", "promises")} of c.keepAwake pending`,
	atomic: () => "c.atomic in progress",
	socket: (n: number) => `${plural(n, "open socket", "open sockets")} that cannot hibernate`,
	run: () => "the run handler is working",
	runRestart: () => "the run handler failed and is about to be restarted",
};

export type WorkKind = keyof typeof WORDS;

const KINDS = Object.keys(WORDS) as readonly WorkKind[];
/** Keep an actor awake without being anything that a stop could wait for: it ends them. */
const ENDED_BY_STOP: readonly WorkKind[] = ["sender", "socket", "run", "runRestart"];

/** Names that follow a kind in messages, at most. */
const NAMES_MAX = 10;

/** What is in progress by name, for the log and the inspector. */
export interface NamedWork {
	readonly kind: WorkKind;
	readonly name: string;
}

/** Who hears that nothing keeps the actor awake any more. */
export interface LedgerOwner {
	fellIdle(): void;
}

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
	/** Requests that do nothing but wait for what becomes of a message. */
	sender = 0;
	guard = 0;
	onDisconnect = 0;
	socketListener = 0;
	keepAwake = 0;
	/** 1 while a `c.atomic` is under way. */
	atomic = 0;
	/** Connections that cannot hibernate, for as long as they are open. */
	socket = 0;
	/** 1 while the `run` handler is active. */
	run = 0;
	/** 1 while `run` failed a short while ago and waits to be restarted. */
	runRestart = 0;
	readonly #owner: LedgerOwner;
	/** All that keeps the actor awake: the sum of the above, without a `run` that waits. */
	#awake = 0;
	/** Receives that wait for a message; meanwhile `run` is not at work. */
	#runWaits = 0;
	#whenDone: (() => void)[] | null = null;
	#sources: readonly WaitingWork[] | null = null;

	constructor(owner: LedgerOwner) {
		this.#owner = owner;
	}

	/** Adds to what is asked before the actor sleeps. */
	addWaitingWork(source: WaitingWork): void {
		// A list that is pushed to gets room for seventeen.
		this.#sources = (this.#sources ?? []).concat(source);
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
		const run = this.#runWaits === 0 ? this.run : 0;
		return this.#awake - this.sender - this.socket - run - this.runRestart;
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
		if (this.#awake === 0) this.#owner.fellIdle();
	}

	/** A receive begins to wait for a message: while one does, `run` does not count as work. */
	beginRunWait(): void {
		if (this.#runWaits++ > 0 || this.run === 0) return;
		this.#awake -= this.run;
		if (this.#awake === 0) this.#owner.fellIdle();
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

	/** What keeps the actor awake, in words: `2 actions in progress: add, sum`. */
	awakeBecause(named: Iterable<NamedWork> = []): string[] {
		return [...this.#describe(KINDS, named), ...this.waiting()];
	}

	/** What a stop waits for, in words. */
	unfinished(named: Iterable<NamedWork> = []): string[] {
		return this.#describe(
			KINDS.filter((kind) => !ENDED_BY_STOP.includes(kind)),
			named,
		);
	}

	#describe(kinds: readonly WorkKind[], named: Iterable<NamedWork>): string[] {
		const names = new Map<WorkKind, Set<string>>();
		for (const { kind, name } of named) {
			names.set(kind, (names.get(kind) ?? new Set()).add(name));
		}
		return kinds
			.filter((kind) => this[kind] > 0 && (kind !== "run" || this.#runWaits === 0))
			.map((kind) => {
				const known = [...(names.get(kind) ?? [])].slice(0, NAMES_MAX);
				return WORDS[kind](this[kind]) + (known.length > 0 ? `: ${known.join(", ")}` : "");
			});
	}

	#tellDone(waiting: readonly (() => void)[]): void {
		this.#whenDone = null;
		for (const resolve of waiting) resolve();
	}
}
