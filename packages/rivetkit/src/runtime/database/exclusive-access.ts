import { catalogueError } from "@rivetkit/protocol";
import type { SqlValuesExecutor } from "../../actor/database.types.ts";
import type { SqlSession } from "../../sqlite/sql/session.ts";
import type { AtomicScope } from "../commit/batch-part.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";
import type { AccessQueue } from "./access-queue.ts";
import { AtomicUse } from "./atomic-use.ts";
import type { ByHandTransaction } from "./by-hand-transaction.ts";
import { WorkingFileLost } from "./database-content.ts";
import { runTransaction, Transaction } from "./transaction.ts";

/** The database it is access to. */
export interface ExclusiveHost {
	readonly queue: AccessQueue;
	readonly byHand: ByHandTransaction;
	readonly timers: TimerWheel;
	/** Throws when the code that is running may not use the database. */
	assertUsable(): void;
	/** The open session; opens one if need be. Throws {@link WorkingFileLost} when it cannot. */
	opened(): SqlSession;
	isOpen(session: SqlSession): boolean;
	/** Resolves when the working file is as it was committed. */
	recovered(): Promise<void>;
	/** What a caller should be told of an error of the session. */
	explain(error: unknown): unknown;
	/** A transaction that cannot be committed belonged to what has to be. */
	lost(error: unknown): void;
}

type Work<T> = (tx: SqlValuesExecutor) => T | Promise<T>;

/** Who has the database alone: one `c.db.transaction`, or one `c.atomic`, at a time. */
export class ExclusiveAccess {
	readonly #host: ExclusiveHost;
	#transaction: Transaction | null = null;
	#atomic: AtomicUse | null = null;

	constructor(host: ExclusiveHost) {
		this.#host = host;
	}

	/** A transaction is open, which is not a section's. */
	get hasTransaction(): boolean {
		return this.#transaction !== null;
	}

	/** A section is open, whether it uses the database or not. */
	get hasAtomic(): boolean {
		return this.#atomic !== null;
	}

	/** The open section, if the code that is running is its work. */
	get runningAtomic(): AtomicUse | null {
		const atomic = this.#atomic;
		return atomic?.scope.isRunning ? atomic : null;
	}

	async transaction<T>(owner: object, work: Work<T>, timeoutMs: number): Promise<T> {
		const transaction = new Transaction(owner);
		const atomic = this.runningAtomic;
		if (atomic) return this.#transactionInside(atomic, transaction, work, timeoutMs);
		const { session, release } = await this.#begin();
		this.#transaction = transaction;
		try {
			const result = await this.#run(transaction, work, session, timeoutMs);
			session.commitExclusive();
			return result;
		} catch (error) {
			if (this.#isIn(session)) session.rollBack();
			throw error;
		} finally {
			transaction.end();
			this.#transaction = null;
			release();
		}
	}

	/** Ends the open transaction, whose work may never settle. */
	revoke(error: unknown): void {
		this.#transaction?.abort(error);
	}

	/** The session is over: tells whoever has it why. */
	end(error: unknown): void {
		this.#transaction?.abort(error);
		this.#atomic?.end(error);
	}

	beginAtomic(scope: AtomicScope): AtomicUse {
		const atomic = new AtomicUse(scope);
		this.#atomic = atomic;
		return atomic;
	}

	/** The session of a section, which has it alone from now on. */
	enter(atomic: AtomicUse): Promise<SqlSession> {
		return atomic.enter(() => this.#begin());
	}

	endAtomic(atomic: AtomicUse, keeps: boolean): void {
		const { session } = atomic;
		// One that the section has not waited for.
		atomic.endTransaction(false);
		if (session !== null && this.#isIn(session)) {
			try {
				if (keeps) session.commitExclusive();
				else session.rollBack();
			} catch (error) {
				// A deferred constraint: the section is kept, and cannot be kept without this.
				this.#host.lost(error);
			}
		}
		this.#atomic = null;
		atomic.end();
	}

	/** A transaction of a section's work is a part of the section's own. */
	async #transactionInside<T>(
		atomic: AtomicUse,
		transaction: Transaction,
		work: Work<T>,
		timeoutMs: number,
	): Promise<T> {
		const session = await this.enter(atomic);
		const release = await atomic.queue.hold();
		try {
			atomic.beginTransaction(transaction);
			const result = await this.#run(transaction, work, session, timeoutMs);
			atomic.endTransaction(true);
			return result;
		} catch (error) {
			atomic.endTransaction(false);
			throw error;
		} finally {
			transaction.end();
			release();
		}
	}

	#run<T>(
		transaction: Transaction,
		work: Work<T>,
		session: SqlSession,
		timeoutMs: number,
	): Promise<T> {
		const { timers } = this.#host;
		const explain = (error: unknown) => this.#host.explain(error);
		return runTransaction(transaction, work, session, { timers, timeoutMs, explain });
	}

	#isIn(session: SqlSession): boolean {
		return this.#host.isOpen(session) && session.state === "exclusive";
	}

	/** The database alone with a transaction begun, and what gives it back to others. */
	async #begin(): Promise<{ session: SqlSession; release: () => void }> {
		const release = await this.#hold();
		try {
			return { session: await this.#beginHeld(), release };
		} catch (error) {
			release();
			throw error;
		}
	}

	/** The database alone, and outside every transaction. */
	async #hold(): Promise<() => void> {
		const { queue, byHand } = this.#host;
		for (;;) {
			this.#host.assertUsable();
			const release = await queue.hold();
			if (!byHand.isOpen) return release;
			release();
			if (byHand.isOfThisCall) {
				throw catalogueError("database.nested_transaction", {
					operation: "A transaction after BEGIN in the same call",
				});
			}
			await byHand.over();
		}
	}

	async #beginHeld(): Promise<SqlSession> {
		try {
			return this.#tryBegin();
		} catch (error) {
			if (!(error instanceof WorkingFileLost)) throw error;
		}
		await this.#host.recovered();
		return this.#tryBegin();
	}

	#tryBegin(): SqlSession {
		this.#host.assertUsable();
		const session = this.#host.opened();
		try {
			session.beginExclusive();
		} catch (error) {
			throw this.#host.explain(error);
		}
		return session;
	}
}
