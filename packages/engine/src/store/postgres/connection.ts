import type { Client, ClientConfig, QueryResult } from "pg";
import { StoreError } from "../store.ts";
import { toStoreError } from "./errors.ts";

/** One statement. With a name it is prepared once per connection. */
export interface Statement {
	readonly name?: string;
	readonly text: string;
	readonly values?: readonly unknown[];
}

export type Row = Record<string, unknown>;

export interface ConnectOptions {
	readonly config: ClientConfig;
	readonly address: string;
	/** Shows up in `pg_stat_activity`. */
	readonly applicationName: string;
	/** How long one statement may take (ms). */
	readonly statementTimeoutMs: number;
	/** Told of what other sessions say on a channel that this one listens to. */
	readonly onNotification?: (payload: string) => void;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** How long after its limit a statement may be answered. */
const ANSWER_MS = 5_000;
/** An open transaction of a client that vanished ends after this: what it holds must not be held for ever. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/** One session, statements of which are sent without waiting for the answers to those before. */
export class PostgresConnection {
	readonly #client: Client;
	readonly #silenceMs: number;
	/** What rejects the statements that are not answered. */
	readonly #unanswered = new Set<(error: Error) => void>();
	#lost: Error | undefined;
	/** Ends a connection that does not answer, though its server would have given up by then. */
	#watch: ReturnType<typeof setTimeout> | undefined;

	private constructor(client: Client, silenceMs: number) {
		this.#client = client;
		this.#silenceMs = silenceMs;
		client.on("error", (error) => this.#lose(error));
		client.on("end", () => this.#lose(new Error("the connection has ended")));
	}

	#lose(error: Error): void {
		this.#lost ??= error;
		clearTimeout(this.#watch);
		for (const reject of this.#unanswered) {
			reject(this.#lost);
		}
		this.#unanswered.clear();
	}

	#answered(): void {
		clearTimeout(this.#watch);
		this.#watch = undefined;
		this.#expect();
	}

	/** The server answers in time whatever is asked, if only that it took too long. */
	#expect(): void {
		if (this.#unanswered.size > 0 && this.#lost === undefined) {
			this.#watch ??= setTimeout(() => {
				this.#lose(new Error(`the server did not answer for ${this.#silenceMs} ms`));
				this.destroy();
			}, this.#silenceMs).unref();
		}
	}

	/** Rejects with a `StoreError`: `unavailable`, or `pooled` when something else than PostgreSQL answers. */
	static async open(options: ConnectOptions): Promise<PostgresConnection> {
		const { config, address, applicationName, statementTimeoutMs } = options;
		const { Client, types } = (await import("pg")).default;
		const client = new Client({
			...config,
			application_name: applicationName,
			connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
			keepAlive: true,
			keepAliveInitialDelayMillis: 5_000,
			pipeline: true,
			types: {
				getTypeParser: ((oid: number, format: "text") =>
					oid === INT8 ? Number : types.getTypeParser(oid, format)) as never,
			},
		});
		client.on("notification", ({ payload }) => options.onNotification?.(payload ?? ""));
		const connection = new PostgresConnection(client, statementTimeoutMs + ANSWER_MS);
		try {
			await client.connect();
			const [rows] = await Promise.all([
				connection.query<{ pid: number; version: number }>({
					text: "SELECT pg_backend_pid() AS pid, current_setting('server_version_num')::int AS version",
				}),
				connection.query({
					text:
						`SET statement_timeout = ${statementTimeoutMs};` +
						`SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS};` +
						// A bitmap is made of all that matches before the first row comes; who asks for a few in order waits for it.
						"SET enable_bitmapscan = off;" +
						"SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;" +
						"SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning",
				}),
			]);
			checkServer(rows[0]!, client as unknown as { processID: number }, address);
			return connection;
		} catch (error) {
			connection.destroy();
			throw toStoreError(error, address, "Cannot connect to PostgreSQL");
		}
	}

	/** Why it cannot be used any more. */
	get lost(): Error | undefined {
		return this.#lost;
	}

	/** Number of the server process behind it. */
	get backendPid(): number {
		return (this.#client as unknown as { processID: number }).processID;
	}

	async query<R extends Row = Row>(statement: Statement): Promise<R[]> {
		return (await this.run<R>(statement)).rows;
	}

	/** As {@link query}, with what the server says about the command. */
	async run<R extends Row = Row>({ name, text, values }: Statement): Promise<QueryResult<R>> {
		if (this.#lost !== undefined) {
			throw this.#lost;
		}
		const answer = this.#client.query<R>({
			text,
			...(name === undefined ? undefined : { name }),
			...(values === undefined ? undefined : { values: values as unknown[] }),
		});
		return new Promise<QueryResult<R>>((resolve, reject) => {
			this.#unanswered.add(reject);
			this.#expect();
			answer.then(resolve, reject).finally(() => {
				this.#unanswered.delete(reject);
				this.#answered();
			});
		});
	}

	/** Lets what was sent be answered, then ends the session; cuts it when the server does not. */
	async close(): Promise<void> {
		if (this.#lost !== undefined) {
			return;
		}
		const overdue = setTimeout(() => this.destroy(), this.#silenceMs);
		// A session that breaks while it ends has ended.
		await this.#client.end().catch(() => {});
		clearTimeout(overdue);
	}

	/** Cuts the connection. */
	destroy(): void {
		this.#lose(new Error("the connection was given up"));
		(
			this.#client as unknown as { connection: { stream: { destroy(): void } } }
		).connection.stream.destroy();
	}
}

const INT8 = 20;
const VERSION_MIN = 140_000;

function checkServer(
	{ pid, version }: { readonly pid: number; readonly version: number },
	client: { readonly processID: number },
	address: string,
): void {
	// Whoever stands between hands out numbers of its own for cancelling, or has given another session.
	if (pid !== client.processID) {
		throw new StoreError(
			"pooled",
			address,
			`There is a connection pooler at ${address}: session ${client.processID} is served by PostgreSQL's ` +
				`process ${pid}. RivetKit needs sessions of its own (prepared statements, LISTEN, settings): set ` +
				"database.postgres.url to the address of PostgreSQL itself. RivetKit opens few connections.",
		);
	}
	if (version < VERSION_MIN) {
		throw new StoreError(
			"unsupported",
			address,
			`The PostgreSQL at ${address} is version ${Math.floor(version / 10_000)}; RivetKit needs 14 or newer.`,
		);
	}
}
