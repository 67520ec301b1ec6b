import { catalogueError } from "@rivetkit/protocol";
import type { SqlSession } from "../../sqlite/sql/session.ts";
import type { AtomicScope } from "../commit/batch-part.ts";
import { AccessQueue } from "./access-queue.ts";
import type { Transaction } from "./transaction.ts";

/**
 * What the work of one `c.atomic` does with the database (ruling 18): from its first statement on it has
 * the database alone, in one transaction, which ends with the section. Others wait.
 *
 *     unused ─▶ entering ─▶ inside ─▶ over
 */
export class AtomicUse {
	readonly scope: AtomicScope;
	/** Keeps the section's own statements and transactions apart. */
	readonly queue = new AccessQueue();
	/** The section's `c.db.transaction` that is open: a savepoint. */
	#transaction: Transaction | null = null;
	#entered: Promise<SqlSession> | null = null;
	#session: SqlSession | null = null;
	#release: (() => void) | null = null;
	#over: { readonly error: unknown } | null = null;

	constructor(scope: AtomicScope) {
		this.scope = scope;
	}

	/** The session once the section has it alone. */
	get session(): SqlSession | null {
		return this.#session;
	}

	/**
	 * Waits for the database, the first time.
	 *
	 * @param hold - resolves when nobody else uses it, with a transaction begun and what gives it back
	 */
	enter(hold: () => Promise<{ session: SqlSession; release: () => void }>): Promise<SqlSession> {
		this.#entered ??= hold().then(({ session, release }) => {
			// The section may have come to its end while it waited.
			if (this.#over) {
				session.rollBack();
				release();
				throw this.#over.error;
			}
			this.#session = session;
			this.#release = release;
			return session;
		});
		return this.#entered;
	}

	/** Throws when the section is over. */
	beginTransaction(transaction: Transaction): void {
		this.assertOpen();
		this.#session!.execute("SAVEPOINT rivetkit_transaction", [], "values");
		this.#transaction = transaction;
	}

	/** Does nothing when none is open any more. */
	endTransaction(keeps: boolean): void {
		const transaction = this.#transaction;
		this.#transaction = null;
		if (transaction === null || this.#session?.state !== "exclusive") return;
		if (!keeps) this.#session.execute("ROLLBACK TO rivetkit_transaction", [], "values");
		this.#session.execute("RELEASE rivetkit_transaction", [], "values");
		transaction.end();
	}

	/** Throws why the section is over. */
	assertOpen(): void {
		if (this.#over) throw this.#over.error;
	}

	/** The section is over; others may use the database again. Its transaction is the caller's to end. */
	end(error: unknown = catalogueError("database.transaction_over", {})): void {
		this.#over ??= { error };
		this.#session = null;
		this.#transaction?.abort(error);
		this.#transaction = null;
		this.queue.refuseAll(this.#over.error);
		this.#release?.();
		this.#release = null;
	}
}
