import type { SqliteConnection, SqliteStatement } from "../engine/engine.ts";

/** Transaction control of ours, compiled once: it runs around everything else. */
export class ControlStatements {
	readonly #connection: SqliteConnection;
	readonly #statements = new Map<string, SqliteStatement>();

	constructor(connection: SqliteConnection) {
		this.#connection = connection;
	}

	run(sql: string): void {
		let statement = this.#statements.get(sql);
		if (statement === undefined) {
			statement = this.#connection.prepare(sql);
			this.#statements.set(sql, statement);
		}
		statement.run([]);
	}

	/**
	 * Runs work inside a savepoint, which is undone when it throws.
	 *
	 * @param keeps - whether what was written before this error stays
	 */
	inSavepoint<T>(name: string, work: () => T, keeps: (error: unknown) => boolean = () => false): T {
		this.run(`SAVEPOINT ${name}`);
		try {
			const result = work();
			this.run(`RELEASE ${name}`);
			return result;
		} catch (error) {
			// The error may have ended the transaction, and the savepoint with it.
			if (this.#connection.inTransaction) {
				if (!keeps(error)) this.run(`ROLLBACK TO ${name}`);
				this.run(`RELEASE ${name}`);
			}
			throw error;
		}
	}

	finalize(): void {
		for (const statement of this.#statements.values()) statement.finalize();
		this.#statements.clear();
	}
}
