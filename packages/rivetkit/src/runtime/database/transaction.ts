import { AsyncLocalStorage } from "node:async_hooks";
import { catalogueError } from "@rivetkit/protocol";
import type { SqlValuesExecutor } from "../../actor/database.types.ts";
import type { RowShape } from "../../sqlite/sql/result-reader.ts";
import type { SqlSession } from "../../sqlite/sql/session.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";

const current = new AsyncLocalStorage<Transaction>();

/** One run of `c.db.transaction()`: who may use the database until it is over. */
export class Transaction {
	/** The database it belongs to. */
	readonly database: object;
	#over: { readonly error: unknown } | null = null;
	readonly #aborted: Promise<never>;
	#reject!: (error: unknown) => void;

	constructor(database: object) {
		this.database = database;
		this.#aborted = new Promise((_resolve, reject) => {
			this.#reject = reject;
		});
		this.#aborted.catch(() => {});
	}

	get isOver(): boolean {
		return this.#over !== null;
	}

	/** Runs what is in the transaction, so that it is recognised across its waits. Rejects when aborted. */
	run<T>(work: () => T | Promise<T>): Promise<T> {
		return Promise.race([current.run(this, async () => work()), this.#aborted]);
	}

	/** Nothing more may be done in it. */
	end(): void {
		this.#over ??= { error: catalogueError("database.transaction_over", {}) };
	}

	/** Ends it from outside: its work, and whoever waits for it, are told why. */
	abort(error: unknown): void {
		if (this.#over) return;
		this.#over = { error };
		this.#reject(error);
	}

	/** Throws why it is over. */
	assertOpen(): void {
		if (this.#over) throw this.#over.error;
	}
}

/**
 * Throws `database.nested_transaction` inside a transaction of the same database: what waits for the
 * transaction to end must not be waited for in it.
 */
export function assertOutsideTransaction(database: object, operation: string): void {
	const transaction = current.getStore();
	if (transaction === undefined || transaction.database !== database || transaction.isOver) return;
	throw catalogueError("database.nested_transaction", { operation });
}

/**
 * Runs the work of a transaction; begins and ends none. Rejects when its time is over, too.
 *
 * @param explain - makes an error of the session what the caller should be told
 */
export async function runTransaction<T>(
	transaction: Transaction,
	work: (tx: SqlValuesExecutor) => T | Promise<T>,
	session: SqlSession,
	{
		timers,
		timeoutMs,
		explain,
	}: { timers: TimerWheel; timeoutMs: number; explain: (error: unknown) => unknown },
): Promise<T> {
	// A promise that is made by hand costs half of what an async function does.
	const execute = (sql: string, parameters: unknown[], shape: RowShape) => {
		try {
			transaction.assertOpen();
			return Promise.resolve(session.execute(sql, parameters, shape));
		} catch (error) {
			const told = transaction.isOver ? error : explain(error);
			// A conflict may roll the whole transaction back (ON CONFLICT ROLLBACK).
			if (session.state !== "exclusive") transaction.abort(told);
			return Promise.reject(told);
		}
	};
	const executor = {
		execute: (sql: string, ...parameters: unknown[]) => execute(sql, parameters, "rows"),
		values: (sql: string, ...parameters: unknown[]) => execute(sql, parameters, "values"),
	} as SqlValuesExecutor;
	const timer = timers.schedule(timeoutMs, () =>
		transaction.abort(catalogueError("database.transaction_timed_out", { limit: timeoutMs })),
	);
	try {
		const result = await transaction.run(() => work(executor));
		transaction.assertOpen();
		return result;
	} finally {
		timer.cancel();
	}
}
