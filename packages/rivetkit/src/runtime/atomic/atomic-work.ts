import { AsyncLocalStorage } from "node:async_hooks";
import { catalogueError } from "@rivetkit/protocol";
import type { BatchPart } from "../commit/batch-part.ts";
import type { Release } from "../commit/committer.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { type JournaledState, StateJournal } from "../instance/state-journal.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import { Section } from "./section.ts";

/** Default of `c.atomic(work, { timeout })`. */
const TIMEOUT_MS = 10_000;

/**
 * `c.atomic` (ruling 18): one section at a time, in the order they are asked for. While one is open the
 * batch is not cut, and nothing that the runtime starts for a caller begins: actions, raw requests,
 * messages, connection hooks, alarms, other sections wait in line ({@link whenFree}).
 *
 * Code that was running already goes on. What it writes is in the same batch, and stays when the section
 * is dropped; what it reads includes what the section wrote.
 */
export class AtomicWork {
	readonly #instance: ActorInstance;
	/** Stands for the actor where its work may outlive it. */
	readonly #owner = {};
	readonly #parts: () => readonly BatchPart[];
	#open: Section | null = null;
	/** Ends the open section with an error. */
	#fail: ((error: unknown) => void) | null = null;
	#waiting: (() => void)[] = [];
	/** Of the connections whose state was written since the open section began. */
	readonly #journals = new Map<JournaledState, StateJournal>();
	#isServing = false;

	/** @param parts - what goes into the commits, in that order */
	constructor(instance: ActorInstance, parts: () => readonly BatchPart[]) {
		this.#instance = instance;
		this.#parts = parts;
	}

	/** Whether a call may begin at once: nobody is in line, or it is the turn of whoever asks. */
	get isFree(): boolean {
		return this.#open === null && (this.#waiting.length === 0 || this.#isServing);
	}

	/** Whether the code that is running belongs to the open section. */
	get isRunning(): boolean {
		return this.#open?.isRunning ?? false;
	}

	/** Calls `begin` now, or when its turn comes. `begin` must not throw. */
	whenFree(begin: () => void): void {
		if (this.isFree) begin();
		// A caller's async context is its own, not that of whoever lets it go on.
		else this.#waiting.push(AsyncLocalStorage.bind(begin));
	}

	/** A part that is new: what a section writes to it can be taken back, too. */
	partAdded(part: BatchPart): void {
		if (this.#open) this.#open.savepoints.push(part.savepoint(this.#open));
	}

	/** To be called before each write to the state of a connection. */
	beforeConnectionWrite(state: JournaledState): void {
		const section = this.#open;
		if (section === null) return;
		let journal = this.#journals.get(state);
		if (journal === undefined) {
			journal = new StateJournal(state);
			this.#journals.set(state, journal);
			section.savepoints.push(journal.beginAtomic(section));
		}
		journal.beforeWrite();
	}

	/** The state of a connection is about to go back to what is committed. */
	beforeConnectionReset(state: JournaledState): void {
		this.#journals.get(state)?.rollsBack();
	}

	/** Throws when the code that is running is left over from a section that was dropped. */
	assertNotDropped(): void {
		const section = Section.running(this.#owner);
		if (section?.isDropped) throw catalogueError("atomic.over", {}, { cause: section.failure });
	}

	/** Throws inside a section: `what` would wait until the section ends, which waits for it. */
	assertOutside(what: string): void {
		if (this.isRunning) {
			throw catalogueError("atomic.waits_for_itself", { what });
		}
	}

	/** The release of something that a section shows outside; null for everybody else's. */
	guarded(release: Release, whenDropped?: () => void): Release | null {
		return this.isRunning ? this.#open!.guard(release, whenDropped) : null;
	}

	run<T>(work: () => T | PromiseLike<T>, timeoutMs: number = TIMEOUT_MS): Promise<T> {
		if (typeof work !== "function") {
			return Promise.reject(
				new TypeError("c.atomic takes a function: c.atomic(async () => { … })"),
			);
		}
		if (!(Number.isFinite(timeoutMs) && timeoutMs > 0)) {
			const text = `timeout of c.atomic must be a finite number of milliseconds > 0, not ${timeoutMs}`;
			return Promise.reject(new RangeError(text));
		}
		if (this.isRunning) {
			return Promise.reject(catalogueError("atomic.nested", {}));
		}
		return new Promise((resolve, reject) => {
			this.whenFree(() => this.#begin(work, timeoutMs, resolve, reject));
		});
	}

	/** Drops the open section, and those that begin because of it. */
	giveUp(error: unknown): void {
		while (this.#fail !== null) this.#fail(error);
	}

	#begin<T>(
		work: () => T | PromiseLike<T>,
		timeoutMs: number,
		resolve: (value: T) => void,
		reject: (error: unknown) => void,
	): void {
		const instance = this.#instance;
		try {
			instance.assertAllowed("atomic");
		} catch (error) {
			reject(error);
			return;
		}
		const section = new Section(this.#owner);
		const rollBacksBefore = instance.writes.rollBackCount;
		let timer: WheelTimer | null = null;
		const end = (failure: { readonly error: unknown } | null): void => {
			timer?.cancel();
			this.#end(section, failure);
		};
		const fail = (error: unknown): void => {
			if (!section.isOpen) return;
			end({ error });
			reject(error);
		};
		const succeed = (value: T): void => {
			if (!section.isOpen) return;
			const lost = instance.writes.lostSince(rollBacksBefore);
			if (lost) {
				fail(lost.error);
				return;
			}
			try {
				end(null);
			} catch (error) {
				reject(error);
				return;
			}
			resolve(value);
		};
		this.#open = section;
		this.#fail = fail;
		instance.work.begin("atomic");
		instance.committer.hold();
		try {
			for (const part of this.#parts()) section.savepoints.push(part.savepoint(section));
			const result = section.run(work);
			if (!isPromiseLike(result)) {
				succeed(result);
				return;
			}
			timer = instance.services.timers.schedule(timeoutMs, () =>
				fail(catalogueError("atomic.timed_out", { timeoutMs })),
			);
			result.then(succeed, fail);
		} catch (error) {
			fail(error);
		}
	}

	/** Throws when it cannot be kept. */
	#end(section: Section, failure: { readonly error: unknown } | null): void {
		const instance = this.#instance;
		this.#fail = null;
		try {
			if (failure === null) section.keep();
			else this.#drop(section, failure.error);
		} finally {
			this.#open = null;
			this.#journals.clear();
			instance.committer.letGo();
			instance.work.end("atomic");
			instance.writes.saveSoon();
			this.#serve();
		}
	}

	#drop(section: Section, error: unknown): void {
		const { log, isWritable } = this.#instance;
		try {
			section.drop(error, isWritable);
		} catch (err) {
			log.error({ err }, "what a failed c.atomic wrote could not be taken back");
		}
	}

	/** Lets those in line begin, until one of them opens a section. */
	#serve(): void {
		if (this.#isServing) return;
		this.#isServing = true;
		try {
			while (this.#open === null && this.#waiting.length > 0) this.#waiting.shift()!();
		} finally {
			this.#isServing = false;
		}
	}
}
