import type { Clock, Random } from "@rivetkit/protocol";
import type { PostgresConnection, Row, Statement } from "./connection.ts";
import { failureKind, toStoreError } from "./errors.ts";
import type { RoundTrips } from "./round-trips.ts";
import { closedError } from "./write-queue.ts";

/** Sessions for reads; each takes any number at the same time. */
const CONNECTIONS = 2;
/** How long a read waits for PostgreSQL to come back. */
const UNAVAILABLE_AFTER_MS = 30_000;
const RETRY_FIRST_MS = 25;
const RETRY_MAX_MS = 1_000;
/** How often a read is tried that others made fail. */
const ATTEMPTS_MAX = 8;

export interface ReadConnectionsOptions {
	readonly connect: () => Promise<PostgresConnection>;
	readonly address: string;
	readonly clock: Clock;
	readonly random: Random;
	readonly roundTrips: RoundTrips;
}

/** Reads, and what else is sent beside writes: made again on another connection when theirs breaks. */
export class ReadConnections {
	readonly #options: ReadConnectionsOptions;
	readonly #connections: (Promise<PostgresConnection> | undefined)[] =
		Array(CONNECTIONS).fill(undefined);
	#next = 0;
	#closed = false;
	readonly #pauses = new Set<() => void>();

	constructor(options: ReadConnectionsOptions) {
		this.#options = options;
	}

	/** Rejects with a `StoreError`: `unavailable` when PostgreSQL stays away. */
	query<R extends Row>(statement: Statement): Promise<R[]> {
		return this.#query(statement, true);
	}

	/**
	 * As {@link query} for what is something else when it is made again: also rejects with `unavailable` when its connection
	 * breaks after it was sent. Then it may have been done, or still be.
	 */
	queryOnce<R extends Row>(statement: Statement): Promise<R[]> {
		return this.#query(statement, false);
	}

	async #query<R extends Row>(statement: Statement, isRepeatable: boolean): Promise<R[]> {
		const { clock, address, random } = this.#options;
		const startTs = performance.now();
		for (let attempt = 1, pauseMs = RETRY_FIRST_MS; ; attempt++) {
			if (this.#closed) {
				throw closedError(address);
			}
			let isSent = false;
			try {
				const connection = await this.#connection();
				isSent = true;
				return await this.#options.roundTrips.measure(() => connection.query<R>(statement));
			} catch (error) {
				const storeError = toStoreError(error, address, "A read failed");
				const kind = failureKind((storeError.cause as Error | undefined) ?? storeError);
				const isOver =
					kind === "connection"
						? (isSent && !isRepeatable) || performance.now() - startTs > UNAVAILABLE_AFTER_MS
						: kind === "statement" || attempt >= ATTEMPTS_MAX;
				if (isOver || storeError.code === "pooled" || storeError.code === "unsupported") {
					throw storeError;
				}
			}
			await this.#pause(clock, pauseMs * (0.5 + random.fraction()));
			pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
		}
	}

	async close(): Promise<void> {
		this.#closed = true;
		for (const end of this.#pauses) {
			end();
		}
		await Promise.all(
			this.#connections.map((connection) =>
				connection?.then(
					(open) => open.close(),
					() => {},
				),
			),
		);
	}

	async #connection(): Promise<PostgresConnection> {
		const index = this.#next;
		this.#next = (index + 1) % CONNECTIONS;
		const known = this.#connections[index];
		if (known !== undefined) {
			const connection = await known.catch(() => undefined);
			if (connection !== undefined && connection.lost === undefined) {
				return connection;
			}
		}
		if (this.#connections[index] === known) {
			const opening = this.#options.connect();
			opening.catch(() => {});
			this.#connections[index] = opening;
		}
		return this.#connections[index]!;
	}

	async #pause(clock: Clock, ms: number): Promise<void> {
		await new Promise<void>((resolve) => {
			const end = () => {
				timer.stop();
				this.#pauses.delete(end);
				resolve();
			};
			const timer = clock.after(ms, end);
			this.#pauses.add(end);
		});
	}
}
