import type { SqlSession } from "../../sqlite/sql/session.ts";
import { callInProgress } from "../calls/call-scope.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";

/** How long a transaction that was begun by hand may be open (ms). */
const TIMEOUT_MS = 60_000;

interface Open {
	/** The call, or attempt of `run`, it was begun in; undefined elsewhere. */
	readonly owner: object | undefined;
	readonly over: Promise<void>;
	readonly resolve: () => void;
	readonly timer: WheelTimer;
}

/** The transaction that a statement of the user's began, if one is open (contract: W-DB-3). */
export class ByHandTransaction {
	readonly #instance: ActorInstance;
	#session: SqlSession | null = null;
	#open: Open | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	get isOpen(): boolean {
		return this.#open !== null;
	}

	/** Whether the code that is running belongs to the call that began it. */
	get isOfThisCall(): boolean {
		const owner = this.#open?.owner;
		return owner !== undefined && owner === callInProgress()?.owner;
	}

	/** Resolves when it has ended, however; at once when none is open. */
	async over(): Promise<void> {
		await this.#open?.over;
	}

	/** To be called after each statement: it may have begun or ended one. */
	follow(session: SqlSession): void {
		if (session.state !== "byHand") {
			this.end();
		} else if (this.#open === null) {
			const { promise: over, resolve } = promiseWithResolvers();
			const timer = this.#instance.services.timers.schedule(TIMEOUT_MS, () =>
				this.rollBack(`it was open for ${TIMEOUT_MS} ms`),
			);
			this.#session = session;
			this.#open = { owner: callInProgress()?.owner, over, resolve, timer };
		}
	}

	/** A call has ended: what it left open is rolled back. */
	callEnded(call: object): void {
		if (this.#open?.owner === call) this.rollBack("the call that began it has ended");
	}

	rollBack(reason: string): void {
		const session = this.#session;
		if (session === null) return;
		this.#instance.log.error(
			{ reason },
			"a transaction that was begun with BEGIN and not ended is rolled back; use c.db.transaction()",
		);
		session.rollBack();
		this.end();
	}

	/** It is over, or its session is. */
	end(): void {
		const open = this.#open;
		this.#open = null;
		this.#session = null;
		open?.timer.cancel();
		open?.resolve();
	}
}

function promiseWithResolvers(): { promise: Promise<void>; resolve: () => void } {
	let resolve!: () => void;
	const promise = new Promise<void>((settle) => {
		resolve = settle;
	});
	return { promise, resolve };
}
