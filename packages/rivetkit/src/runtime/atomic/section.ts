import { AsyncLocalStorage } from "node:async_hooks";
import type { AtomicScope, Savepoint } from "../commit/batch-part.ts";
import type { Release } from "../commit/committer.ts";

/** Which sections the code that is running belongs to, innermost first, across its waits. */
const current = new AsyncLocalStorage<Section | undefined>();

/** Runs what the host is asked for: it belongs to no section, whoever asks. */
export function outsideSections<T>(work: () => T): T {
	return current.getStore() === undefined ? work() : current.run(undefined, work);
}

/**
 * The work of one `c.atomic` of one actor.
 *
 *     open ─▶ kept
 *       └───▶ dropped
 */
export class Section implements AtomicScope {
	/** Whose it is; in one process an actor's work can call another actor's. */
	readonly #owner: object;
	readonly #outer: Section | undefined = current.getStore();
	savepoints: Savepoint[] = [];
	#phase: "open" | "kept" | "dropped" = "open";
	/** Why it was dropped. */
	failure: unknown = undefined;

	constructor(owner: object) {
		this.#owner = owner;
	}

	/** The innermost section of `owner` that the code that is running belongs to. */
	static running(owner: object): Section | undefined {
		let section = current.getStore();
		while (section !== undefined && section.#owner !== owner) section = section.#outer;
		return section;
	}

	get isOpen(): boolean {
		return this.#phase === "open";
	}

	get isDropped(): boolean {
		return this.#phase === "dropped";
	}

	get isRunning(): boolean {
		return this.#phase === "open" && Section.running(this.#owner) === this;
	}

	run<T>(work: () => T): T {
		return current.run(this, work);
	}

	/** What its work shows outside is seen only if it is kept; else `whenDropped` is called, if given. */
	guard(release: Release, whenDropped?: () => void): Release {
		return (error) => {
			if (error !== undefined || !this.isDropped) release(error);
			else if (whenDropped) whenDropped();
			else release(this.failure);
		};
	}

	/** Throws the first error of a savepoint, when all are ended. */
	keep(): void {
		this.#phase = "kept";
		endAll(this.#takeSavepoints(), (savepoint) => savepoint.release());
	}

	/**
	 * Throws the first error of a savepoint, when all are ended.
	 *
	 * @param rewinds - whether what it wrote is taken back; else it cannot land any more
	 */
	drop(failure: unknown, rewinds: boolean): void {
		this.#phase = "dropped";
		this.failure = failure;
		endAll(this.#takeSavepoints(), (savepoint) => {
			if (rewinds) savepoint.rewind();
			else savepoint.release();
		});
	}

	/** Code that belongs to the section may go on for long; it needs them no more. */
	#takeSavepoints(): readonly Savepoint[] {
		const { savepoints } = this;
		this.savepoints = [];
		return savepoints;
	}
}

/** One that cannot be ended must not leave the others open: their parts would wait for it. */
function endAll(savepoints: readonly Savepoint[], end: (savepoint: Savepoint) => void): void {
	const errors: unknown[] = [];
	for (const savepoint of savepoints) {
		try {
			end(savepoint);
		} catch (error) {
			errors.push(error);
		}
	}
	if (errors.length > 0) throw errors[0];
}
