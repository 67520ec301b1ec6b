import { StoreError } from "../store.ts";
import type { PostgresConnection } from "./connection.ts";
import { codeOf } from "./errors.ts";

/** How long to wait for what a broken connection holds, before its session is ended. */
const SETTLE_LOCK_MS = 1_000;

/** What the writer's row said when the connection took over: its last transaction. */
export interface LastCommitted {
	readonly token: number;
	/** Which of its commits were refused, counted from 1. */
	readonly refused: readonly number[];
}

export interface WriterSessionOptions {
	readonly connect: () => Promise<PostgresConnection>;
	readonly address: string;
}

/**
 * The one connection that a process writes through, and its row in `rivetkit.writers`: whoever takes the row
 * over fences off the connection before it, which can commit nothing any more.
 */
export class WriterSession {
	readonly #options: WriterSessionOptions;
	#connection: PostgresConnection | undefined;
	#writer: { readonly id: number; fence: number; pid: number } | undefined;
	#lastCommitted: LastCommitted | undefined;

	constructor(options: WriterSessionOptions) {
		this.#options = options;
	}

	/** Once it was {@link connected}. */
	get writer(): { readonly id: number; readonly fence: number } {
		return this.#writer!;
	}

	/** Once it was {@link connected}. */
	get lastCommitted(): LastCommitted {
		return this.#lastCommitted!;
	}

	/** The connection; makes another one where it is lost. */
	async connected(): Promise<PostgresConnection> {
		if (this.#connection !== undefined && this.#connection.lost === undefined) {
			return this.#connection;
		}
		const connection = await this.#options.connect();
		try {
			await connection.query({
				text:
					"SELECT set_config('synchronous_commit', 'on', false) " +
					"WHERE current_setting('synchronous_commit') = 'off'",
			});
			await this.#takeOver(connection);
		} catch (error) {
			connection.destroy();
			throw error;
		}
		this.#connection = connection;
		return connection;
	}

	/** From here on the connection before can commit nothing, and what it committed last is known. */
	async #takeOver(connection: PostgresConnection): Promise<void> {
		if (this.#writer === undefined) {
			const [row] = await connection.query<{ id: number }>({
				text: "INSERT INTO rivetkit.writers DEFAULT VALUES RETURNING id",
			});
			this.#writer = { id: row!.id, fence: 0, pid: connection.backendPid };
			this.#lastCommitted = { token: 0, refused: [] };
			return;
		}
		const before = this.#writer;
		await connection.query({ text: `SET lock_timeout = ${SETTLE_LOCK_MS}` });
		const take = () =>
			connection.query<{ fence: number; token: number; refused: string[] }>({
				text: "UPDATE rivetkit.writers SET fence = fence + 1 WHERE id = $1 RETURNING fence, token, refused",
				values: [before.id],
			});
		let rows: { fence: number; token: number; refused: string[] }[];
		try {
			rows = await take();
		} catch (error) {
			if (codeOf(error) !== "55P03") {
				throw error;
			}
			// It may hold its transaction open because it has not noticed that nobody is there any more.
			await connection.query({ text: "SELECT pg_terminate_backend($1)", values: [before.pid] });
			rows = await take();
		}
		await connection.query({ text: "RESET lock_timeout" });
		const [row] = rows;
		if (row === undefined) {
			throw new StoreError(
				"failed",
				this.#options.address,
				`The row of this writer is gone from ${this.#options.address}: was the database replaced? Restart the process.`,
			);
		}
		this.#writer = { id: before.id, fence: row.fence, pid: connection.backendPid };
		this.#lastCommitted = { token: row.token, refused: row.refused.map(Number) };
	}

	/** Ends this connection, or the one there is. */
	giveUp(connection = this.#connection): void {
		connection?.destroy();
		if (this.#connection === connection) {
			this.#connection = undefined;
		}
	}

	async close(): Promise<void> {
		await this.#connection?.close();
	}
}
