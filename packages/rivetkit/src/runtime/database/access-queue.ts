import { AsyncLocalStorage } from "node:async_hooks";
import { catalogueError } from "@rivetkit/protocol";

/** Calls that may wait for one database to become free. */
const WAITING_MAX = 10_000;

interface Waiting {
	/** Runs it; whoever holds the queue afterwards says so. */
	readonly enter: () => void;
	readonly refuse: (error: unknown) => void;
}

/**
 * Who may use a database now. First come, first served: a holder has it alone, short work passes through
 * in between, and while it is shut nobody gets in.
 */
export class AccessQueue {
	#held = false;
	#shut = false;
	/** Who came since `#first` was filled, in order. */
	#waiting: Waiting[] = [];
	/** Who is before them, the next one last: what is taken from the end is let go of, however many wait. */
	#first: Waiting[] = [];

	/** Whether work may run at once, before anybody else. */
	get isFree(): boolean {
		return !this.#held && !this.#shut && this.#waitingCount === 0;
	}

	get #waitingCount(): number {
		return this.#first.length + this.#waiting.length;
	}

	/**
	 * Runs `work` as soon as its turn has come. Rejects with `database.busy` when too many wait, and with the reason of `signal`
	 * when that is aborted before.
	 */
	run<T>(work: () => T, signal?: AbortSignal): Promise<T> {
		if (signal?.aborted) return Promise.reject(signal.reason);
		// Whoever makes room runs it, and what it writes is still its caller's.
		const asCaller = AsyncLocalStorage.snapshot();
		return new Promise<T>((resolve, reject) => {
			const entry: Waiting = {
				enter: () => {
					signal?.removeEventListener("abort", leave);
					try {
						resolve(asCaller(work));
					} catch (error) {
						reject(error);
					}
				},
				refuse: (error) => {
					signal?.removeEventListener("abort", leave);
					reject(error);
				},
			};
			const leave = () => {
				this.#remove(entry);
				reject(signal!.reason);
			};
			signal?.addEventListener("abort", leave, { once: true });
			this.#enqueue(entry);
		});
	}

	/** Resolves when the caller has the database alone, with what gives it back. */
	hold(): Promise<() => void> {
		return new Promise((resolve, reject) => {
			this.#enqueue({
				enter: () => {
					this.#held = true;
					let released = false;
					resolve(() => {
						if (released) return;
						released = true;
						this.#held = false;
						this.#advance();
					});
				},
				refuse: reject,
			});
		});
	}

	/** Lets nobody in until {@link open}. A holder keeps what it has. */
	shut(): void {
		this.#shut = true;
	}

	open(): void {
		this.#shut = false;
		this.#advance();
	}

	/** Refuses everybody who waits. */
	refuseAll(error: unknown): void {
		const waiting = [...this.#first.reverse(), ...this.#waiting];
		this.#waiting = [];
		this.#first = [];
		for (const { refuse } of waiting) refuse(error);
	}

	#enqueue(entry: Waiting): void {
		if (this.#waitingCount >= WAITING_MAX) {
			entry.refuse(catalogueError("database.busy", { limit: WAITING_MAX }));
			return;
		}
		this.#waiting.push(entry);
		this.#advance();
	}

	#remove(entry: Waiting): void {
		for (const list of [this.#first, this.#waiting]) {
			const index = list.indexOf(entry);
			if (index >= 0) list.splice(index, 1);
		}
	}

	#advance(): void {
		while (!this.#held && !this.#shut && this.#waitingCount > 0) {
			if (this.#first.length === 0) {
				this.#first = this.#waiting.reverse();
				this.#waiting = [];
			}
			this.#first.pop()!.enter();
		}
	}
}
