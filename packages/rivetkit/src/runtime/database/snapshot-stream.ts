import { catalogueError } from "@rivetkit/protocol";
import type {
	SqliteConnection,
	SqliteEngine,
	SqliteStatement,
	SqlRow,
	SqlValue,
} from "../../sqlite/engine/engine.ts";
import { rowMaker } from "../../sqlite/engine/rows.ts";
import { toBindings } from "../../sqlite/sql/parameters.ts";
import { assertAllowedStatement } from "../../sqlite/sql/rules.ts";
import { parseStatements } from "../../sqlite/sql/statements.ts";
import type { TimerWheel, WheelTimer } from "../timers/timer-wheel.ts";

/** Rows handed out before other work of the process gets its turn. */
const ROWS_PER_TURN = 512;

// Captured at load, as the committer does: fake timers must not be able to stop reads.
const nextTurn: (fn: () => void) => unknown = globalThis.setImmediate ?? globalThis.setTimeout;

export interface SnapshotOptions {
	readonly engine: SqliteEngine;
	readonly timers: TimerWheel;
	/** How long the stream may wait to be read (ms). */
	readonly idleMs: number;
	/** Resolves with the file's path when everything before the stream is in the file. */
	ready(stream: SnapshotStream): Promise<string>;
	closed(stream: SnapshotStream): void;
}

/**
 * Rows of one query over a connection of its own, which sees the database as it is when the first row is
 * asked for, and nothing that is written later.
 */
export class SnapshotStream implements AsyncIterableIterator<SqlRow> {
	readonly #sql: string;
	readonly #parameters: unknown[];
	readonly #options: SnapshotOptions;
	#connection: SqliteConnection | null = null;
	#rows: Iterator<SqlValue[]> | null = null;
	#statement: SqliteStatement | null = null;
	/** Made with the first row: some engines know the columns only then. */
	#toRow: ((values: SqlValue[]) => SqlRow) | null = null;
	#timer: WheelTimer | null = null;
	#isDone = false;
	#error: { readonly error: unknown } | null = null;
	#read = 0;
	/** Calls of `next` run one after the other. */
	#last: Promise<unknown> = Promise.resolve();

	constructor(sql: string, parameters: unknown[], options: SnapshotOptions) {
		this.#sql = sql;
		this.#parameters = parameters;
		this.#options = options;
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	next(): Promise<IteratorResult<SqlRow, undefined>> {
		const next = this.#last.then(() => this.#next());
		this.#last = next.catch(() => {});
		return next;
	}

	return(): Promise<IteratorResult<SqlRow, undefined>> {
		this.#close();
		return Promise.resolve({ done: true, value: undefined });
	}

	/** Ends it from outside: who reads on gets the error. */
	abort(error: unknown): void {
		if (this.#isDone) return;
		this.#error = { error };
		this.#close();
	}

	async #next(): Promise<IteratorResult<SqlRow, undefined>> {
		try {
			if (!this.#isDone && this.#rows === null) await this.#open();
			if (!this.#isDone && ++this.#read % ROWS_PER_TURN === 0) {
				await new Promise<void>((resolve) => nextTurn(resolve));
			}
			// A stop or a failed commit may have come meanwhile.
			this.#throwAborted();
			if (this.#isDone) return { done: true, value: undefined };
			const result = this.#rows!.next();
			if (result.done) {
				this.#close();
				return { done: true, value: undefined };
			}
			this.#timer!.restart(this.#options.idleMs);
			this.#toRow ??= rowMaker(this.#statement!.columns!);
			return { done: false, value: this.#toRow(result.value) };
		} catch (error) {
			this.#close();
			throw error;
		}
	}

	async #open(): Promise<void> {
		const [parsed, more] = parseStatements(this.#sql);
		if (parsed?.kind !== "read" || more !== undefined) {
			throw catalogueError("database.invalid_statement", {
				reason: "a stream reads the rows of one SELECT",
			});
		}
		assertAllowedStatement(parsed);
		const bindings = toBindings(parsed.parameters, this.#parameters);
		const { engine, timers, idleMs, ready } = this.#options;
		const path = await ready(this);
		if (this.#isDone) return;
		this.#connection = engine.open(path, { readOnly: true });
		this.#statement = this.#connection.prepare(parsed.text, {
			numbered: parsed.parameters.numbered,
		});
		this.#rows = this.#statement.iterate(bindings);
		this.#timer = timers.schedule(idleMs, () =>
			this.abort(catalogueError("database.stream_timed_out", { limit: idleMs })),
		);
	}

	#throwAborted(): void {
		if (this.#error === null) return;
		const { error } = this.#error;
		// Told once; then it is an iterator that has ended.
		this.#error = null;
		throw error;
	}

	#close(): void {
		if (this.#isDone) return;
		this.#isDone = true;
		this.#timer?.cancel();
		this.#rows?.return?.();
		this.#rows = null;
		this.#connection?.close();
		this.#connection = null;
		this.#options.closed(this);
	}
}
