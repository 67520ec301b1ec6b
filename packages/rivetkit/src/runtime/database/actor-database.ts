import { catalogueError } from "@rivetkit/protocol";
import type { SqlDatabase, SqlValuesExecutor } from "../../actor/database.types.ts";
import type { SqlRow, TransactionOptions } from "../../db/raw-access.types.ts";
import { canQueryApart, type Query } from "../../sqlite/apart/query-processes.ts";
import {
	primaryCode,
	SQLITE_CANTOPEN,
	SQLITE_CORRUPT,
	SQLITE_CORRUPT_VTAB,
	SQLITE_FULL,
	SQLITE_IOERR,
	SQLITE_NOTADB,
	SqliteError,
} from "../../sqlite/engine/sqlite-error.ts";
import type { RowShape, Shaped } from "../../sqlite/sql/result-reader.ts";
import { type SqlObserver, SqlSession } from "../../sqlite/sql/session.ts";
import { callInProgress } from "../calls/call-scope.ts";
import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { assertStepIsOpen, currentStep } from "../durable/step-work.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { AccessQueue } from "./access-queue.ts";
import { ByHandTransaction } from "./by-hand-transaction.ts";
import { DatabaseContent, WorkingFileLost } from "./database-content.ts";
import type { DatabasePool, PooledDatabase, Suspension } from "./database-pool.ts";
import { ExclusiveAccess } from "./exclusive-access.ts";
import { statementsApart } from "./query-apart.ts";
import { SnapshotStream } from "./snapshot-stream.ts";
import { assertOutsideTransaction } from "./transaction.ts";

/** Default of `c.db.transaction(work, { timeout })`. */
const TRANSACTION_TIMEOUT_MS = 60_000;
/** Streams of one actor that may be open at the same time. */
const STREAMS_MAX = 16;
const DAMAGE: ReadonlySet<number> = new Set([
	SQLITE_IOERR,
	SQLITE_CORRUPT,
	SQLITE_CANTOPEN,
	SQLITE_NOTADB,
]);

/**
 * The SQLite database of one incarnation (contract: api 11, lifecycle 15): runs SQL on the working file,
 * lets its changes land in the actor's commits, and keeps order among those who use it.
 *
 * - D1. Statements run in the order of the calls. What `transaction()` holds nobody else gets in between.
 * - D2. Everything that ran is part of the next batch, whole transactions only. When that batch fails, the
 *   database is back at its last committed content before anything else runs. What only steps of a workflow
 *   have written waits for the batch of their records.
 * - D3. The file is open when somebody uses it and may be closed at any other time, unless something
 *   lives in the connection.
 * - D4. What a `c.atomic` does is one transaction, which ends with it.
 */
export class ActorDatabase implements BatchPart, SqlDatabase, PooledDatabase, SqlObserver {
	readonly #instance: ActorInstance;
	readonly #pool: DatabasePool;
	readonly #content: DatabaseContent;
	readonly #queue = new AccessQueue();
	/** Who reads over a connection of its own. */
	readonly #streams = new Set<{ abort(error: unknown): void }>();
	#session: SqlSession | null = null;
	/** The session, while calls may use it without asking: a call costs one comparison then. */
	#usable: SqlSession | null = null;
	/** Pragmas that were set, by name: they outlive the connection. */
	readonly #settings = new Map<string, string>();
	readonly #byHand: ByHandTransaction;
	readonly #exclusive: ExclusiveAccess;
	/** Each call has to be looked at: some belong to what may not use the database any more. */
	#isWary = false;
	/** Something was written that no batch has. */
	#isDirty = false;
	/** A step of a workflow wrote something that no batch has; nobody else did. */
	#isStepDirty = false;
	/** Why what was written cannot be committed. */
	#lost: { readonly error: unknown } | null = null;
	#isHeldBack = false;
	#recovery: Promise<void> | null = null;
	#closed: Error | null = null;
	#release: (() => void) | null = null;
	#statementsSeen = 0;
	/** Of sessions that are over. */
	#pastStatements = 0;
	#pastSlowStatements = 0;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.#pool = instance.services.databases;
		this.#byHand = new ByHandTransaction(instance);
		this.#exclusive = new ExclusiveAccess({
			queue: this.#queue,
			byHand: this.#byHand,
			timers: instance.services.timers,
			assertUsable: () => this.#assertUsable(),
			opened: () => this.#opened(),
			isOpen: (session) => session === this.#session,
			recovered: async () => void (await this.#recovery),
			explain: (error) => this.#explain(error),
			lost: (error) => this.lost(error),
		});
		const { maxDatabaseSize, maxDatabaseCommitSize } = instance.options;
		this.#content = new DatabaseContent(
			instance.services.backend,
			instance.assignment,
			this.#pool,
			{ databaseBytesMax: maxDatabaseSize, commitBytesMax: maxDatabaseCommitSize },
		);
	}

	/** Reads what is stored and makes the working file ready, which may take long for a large database. */
	async load(): Promise<void> {
		this.#release = await this.#pool.claim(this.#instance.actorId);
		await this.#content.load();
	}

	/** Bytes of the database; statements run so far, and how many of them were slow. */
	get statistics(): { bytes: number; statements: number; slowStatements: number } {
		return {
			bytes: this.#content.bytes,
			statements: this.#pastStatements + (this.#session?.statements ?? 0),
			slowStatements: this.#pastSlowStatements + (this.#session?.slowStatements ?? 0),
		};
	}

	// For users

	execute<Row>(sql: string, ...parameters: unknown[]): Promise<Row[]> {
		return this.#call(sql, parameters, "rows") as Promise<Row[]>;
	}

	values(sql: string, ...parameters: unknown[]): Promise<unknown[][]> {
		return this.#call(sql, parameters, "values");
	}

	async transaction<T>(
		work: (tx: SqlValuesExecutor) => T | Promise<T>,
		{ timeout = TRANSACTION_TIMEOUT_MS }: TransactionOptions = {},
	): Promise<T> {
		if (!(timeout > 0)) {
			throw new RangeError(`timeout must be a number of milliseconds > 0, got ${timeout}`);
		}
		assertOutsideTransaction(this, "c.db.transaction");
		this.#assertUsable();
		return this.#exclusive.transaction(this, work, timeout);
	}

	stream<Row>(sql: string, ...parameters: unknown[]): AsyncIterableIterator<Row> {
		assertOutsideTransaction(this, "c.db.stream");
		// It would see nothing of the section, either.
		this.#instance.atomic.assertOutside("c.db.stream");
		const { timers } = this.#instance.services;
		const stream = new SnapshotStream(sql, parameters, {
			engine: this.#pool.engine,
			timers,
			idleMs: this.#instance.options.queryTimeout,
			ready: async (opened) => (await this.#readyForReader(opened, () => true))!,
			closed: (ended) => void this.#streams.delete(ended),
		});
		return stream as AsyncIterableIterator<unknown> as AsyncIterableIterator<Row>;
	}

	/**
	 * Rows of SQL that only reads, from a process of its own: what it takes is taken from nobody here, and what has no end
	 * ends after `options.queryTimeout`. Sees what was written before its turn. Null when it has to run here.
	 */
	async queryApart(
		sql: string,
		parameters: unknown[],
		signal: AbortSignal,
	): Promise<SqlRow[] | null> {
		if (!canQueryApart()) return null;
		const statements = statementsApart(sql, parameters);
		if (statements === null) return null;
		try {
			return await this.#attemptApart(statements, signal);
		} catch (error) {
			if (!(error instanceof WorkingFileLost)) throw error;
		}
		// The file is being written again, which whoever comes now waits for.
		return this.#attemptApart(statements, signal);
	}

	async #attemptApart(
		statements: Query["statements"],
		signal: AbortSignal,
	): Promise<SqlRow[] | null> {
		const ended = new AbortController();
		const reader = { abort: (error: unknown) => ended.abort(error) };
		const either = AbortSignal.any([ended.signal, signal]);
		try {
			const path = await this.#readyForReader(reader, (session) => !session.isPersonal, either);
			if (path === null) return null;
			const { maxQueryRows, maxQueryBytes, queryTimeout } = this.#instance.options;
			const query: Query = {
				path,
				settings: [...this.#settings.values()],
				statements,
				limits: {
					rowsMax: maxQueryRows,
					resultBytesMax: maxQueryBytes,
					timeoutMs: queryTimeout,
				},
			};
			return await this.#pool.queries.run(query, either);
		} finally {
			this.#streams.delete(reader);
		}
	}

	/** The client is done with it; what was written is still committed. */
	async close(): Promise<void> {
		this.#closed ??= catalogueError("database.closed", {});
		this.#usable = null;
		this.#queue.refuseAll(this.#closed);
	}

	// For the runtime

	/** Begins with an empty database, whatever is stored. */
	startOver(): void {
		this.#content.startOver();
	}

	/** Keeps what is written out of the commits until {@link letGo}. */
	holdBack(): void {
		this.#isHeldBack = true;
	}

	letGo(): void {
		this.#isHeldBack = false;
		if (this.#isDirty) this.#instance.committer.markDirty();
	}

	/** A step that wrote has ended: what it wrote is in the next commit, unless it was in one before. */
	adoptStepChanges(): void {
		if (!this.#isStepDirty) return;
		this.#isStepDirty = false;
		this.#isDirty = true;
		this.#instance.committer.markDirty();
	}

	take(batch: OpenBatch): void {
		if (this.#isHeldBack || this.#recovery !== null) return;
		if (this.#lost) throw this.#lost.error;
		// It waits for the record of the step (workflows 6.5).
		if (this.#isStepDirty && !this.#isDirty) return;
		const session = this.#session;
		if (session === null || !(this.#isDirty || this.#content.isFolding)) return;
		try {
			session.endShared();
			this.#content.take(batch.ops, session.state === "none");
			this.#isDirty = false;
			this.#isStepDirty = false;
		} catch (error) {
			this.#lost ??= { error };
			throw this.#lost.error;
		}
	}

	committed(): void {
		this.#content.committed();
		if (!this.#content.isFolding || !this.#instance.isReady) return;
		// Goes on by itself, a little with each commit.
		this.#instance.committer.markDirty();
		this.#instance.committer.cutSoon();
	}

	rollBack(): void {
		const isClean = !this.#hasWrites && this.#lost === null && !this.#content.hasUnconfirmed;
		if (isClean) return;
		const cause = this.#lost?.error;
		const reason = cause instanceof Error ? cause.message : "the commit of its changes failed";
		this.#recover(catalogueError("database.rolled_back", { reason }, { cause }));
	}

	savepoint(scope: AtomicScope): Savepoint {
		const atomic = this.#exclusive.beginAtomic(scope);
		this.#usable = null;
		return {
			rewind: () => {
				// What is left of the section goes on, and must not write.
				this.#isWary = true;
				this.#exclusive.endAtomic(atomic, false);
				this.#letUse();
			},
			release: () => {
				this.#exclusive.endAtomic(atomic, true);
				this.#letUse();
			},
		};
	}

	/** What began before has had its time: it can use the database no more. */
	revoke(): void {
		this.#isWary = true;
		this.#usable = null;
		this.#byHand.rollBack("the actor stops");
		if (!this.#exclusive.hasTransaction) return;
		this.#exclusive.revoke(catalogueError("actor.stopping", { actorId: this.#instance.actorId }));
		if (this.#session?.state === "exclusive") this.#session.rollBack();
	}

	/** A call has ended: what it began by hand and left open is rolled back (W-DB-3). */
	callEnded(call: object): void {
		this.#byHand.callEnded(call);
	}

	suspend(): Suspension {
		const session = this.#session;
		if (session === null) return "closed";
		if (session.statements !== this.#statementsSeen) {
			this.#statementsSeen = session.statements;
			return "used";
		}
		const isNeeded =
			this.#hasWrites ||
			this.#lost !== null ||
			this.#recovery !== null ||
			!this.#queue.isFree ||
			this.#exclusive.hasAtomic ||
			this.#streams.size > 0 ||
			this.#content.hasUnconfirmed ||
			this.#content.isFolding ||
			session.isPersonal;
		if (isNeeded) return "needed";
		session.endShared();
		this.#dropSession();
		this.#content.suspend();
		return "closed";
	}

	/**
	 * The incarnation is over: `keep` leaves the working file for the next one, without what was not
	 * committed; `remove` leaves nothing. Idempotent.
	 */
	async shutDown(fate: "keep" | "remove"): Promise<void> {
		const release = this.#release;
		this.#release = null;
		await this.close();
		const { log } = this.#instance;
		await this.#recovery;
		const leftOpen = this.#exclusive.hasTransaction || this.#session?.state === "byHand";
		if (leftOpen) log.error({}, "a transaction was open when the actor stopped; it is rolled back");
		const isClean = !this.#hasWrites && this.#lost === null && !this.#content.hasUnconfirmed;
		this.#endUse(this.#closed);
		try {
			if (fate === "remove") {
				this.#content.remove();
			} else if (isClean) {
				await this.#content.close();
			} else {
				await this.#content.recover();
			}
		} catch (error) {
			log.error(
				{ err: error },
				"closing the database failed; its working file will be written again",
			);
		} finally {
			this.#pool.closed(this);
			release?.();
		}
	}

	// Told by the session

	wrote(): void {
		if (this.#notesStep()) return;
		this.mayHaveWritten();
		// Each time: whoever watches for a certain caller's writes has to hear of all of them.
		this.#instance.committer.markDirty();
	}

	mayHaveWritten(): void {
		if (this.#isDirty || this.#notesStep()) return;
		this.#isDirty = true;
		const instance = this.#instance;
		instance.committer.noteDirty();
		// A start commits when it is done.
		if (instance.isReady || instance.isStopping) instance.writes.saveSoon();
	}

	/** Whether a step wrote: no reason to save, because its record is one. */
	#notesStep(): boolean {
		const instance = this.#instance;
		const step = instance.durable ? currentStep(instance) : undefined;
		if (!step?.isOpen || instance.isInAtomic) return false;
		step.changedDatabase = true;
		this.#isStepDirty = true;
		return true;
	}

	/** Whether something was written that no batch has. */
	get #hasWrites(): boolean {
		return this.#isDirty || this.#isStepDirty;
	}

	lost(error: unknown): void {
		const reason = error instanceof Error ? error.message : String(error);
		this.#lost ??= {
			error: catalogueError(
				"database.rolled_back",
				{ reason: `SQLite ended a transaction that others shared (${reason})` },
				{ cause: this.#explain(error) },
			),
		};
		this.#instance.committer.markDirty();
		this.#instance.committer.cutSoon();
	}

	slow(sql: string, ms: number): void {
		this.#instance.log.warn(
			{ ms, sql: sql.length > 500 ? `${sql.slice(0, 500)}…` : sql },
			"a statement was slow, and nothing else ran meanwhile (options.slowQueryThreshold)",
		);
	}

	// Running statements

	#call<Shape extends RowShape>(
		sql: string,
		parameters: unknown[],
		shape: Shape,
	): Promise<Shaped<Shape>[]> {
		if (this.#instance.durable) {
			try {
				assertStepIsOpen(this.#instance, "db");
			} catch (error) {
				return Promise.reject(error);
			}
		}
		if (this.#usable === null || !this.#queue.isFree) return this.#later(sql, parameters, shape);
		try {
			return Promise.resolve(this.#run(this.#usable, sql, parameters, shape));
		} catch (error) {
			if (error instanceof WorkingFileLost) return this.#later(sql, parameters, shape);
			return Promise.reject(error);
		}
	}

	async #later<Shape extends RowShape>(
		sql: string,
		parameters: unknown[],
		shape: Shape,
	): Promise<Shaped<Shape>[]> {
		assertOutsideTransaction(this, "c.db.execute");
		this.#assertUsable();
		const atomic = this.#exclusive.runningAtomic;
		if (atomic) {
			const session = await this.#exclusive.enter(atomic);
			return atomic.queue.run(() => {
				atomic.assertOpen();
				return this.#run(session, sql, parameters, shape);
			});
		}
		const attempt = () => {
			this.#assertUsable();
			return this.#queue.run(() => this.#run(this.#opened(), sql, parameters, shape));
		};
		try {
			return await attempt();
		} catch (error) {
			if (!(error instanceof WorkingFileLost)) throw error;
		}
		// The file is being written again, which whoever comes now waits for.
		return attempt();
	}

	#run<Shape extends RowShape>(
		session: SqlSession,
		sql: string,
		parameters: unknown[],
		shape: Shape,
	): Shaped<Shape>[] {
		let rows: Shaped<Shape>[];
		const { telemetry } = this.#instance;
		const span = telemetry?.beginStatement(sql) ?? null;
		try {
			rows = session.execute(sql, parameters, shape);
			if (span) telemetry!.end(span);
		} catch (error) {
			if (span) telemetry!.end(span, { thrown: error });
			this.#byHand.follow(session);
			throw this.#explain(error);
		}
		if (this.#byHand.isOpen || session.state === "byHand") this.#byHand.follow(session);
		return rows;
	}

	/** The open session; opens the file if need be. Throws {@link WorkingFileLost} when it cannot. */
	#opened(): SqlSession {
		if (this.#session !== null) return this.#session;
		try {
			const { connection } = this.#content.open([...this.#settings.values()]);
			const { maxQueryRows, maxQueryBytes, queryTimeout, slowQueryThreshold } =
				this.#instance.options;
			this.#session = new SqlSession(
				connection,
				{
					rowsMax: maxQueryRows,
					resultBytesMax: maxQueryBytes,
					timeoutMs: queryTimeout,
					slowMs: slowQueryThreshold,
				},
				this,
				() => this.#instance.now(),
				this.#settings,
			);
		} catch (error) {
			throw this.#explain(error);
		}
		this.#letUse();
		this.#statementsSeen = 0;
		this.#pool.opened(this);
		return this.#session;
	}

	/**
	 * What a caller should be told. A damaged working file is written again: what was written since the
	 * last commit is lost with it, and if that is nothing, nobody need know ({@link WorkingFileLost}).
	 */
	#explain(error: unknown): unknown {
		if (error instanceof WorkingFileLost) {
			this.#recover(error);
			return error;
		}
		if (!(error instanceof SqliteError)) return error;
		const code = primaryCode(error);
		if (code === SQLITE_FULL) {
			if (this.#content.isDiskFull) return error;
			const limit = this.#content.limits.databaseBytesMax;
			return catalogueError("database.full", { limit }, { cause: error });
		}
		// What is wrong inside a virtual table is so in the store as well.
		if (!DAMAGE.has(code) || error.errcode === SQLITE_CORRUPT_VTAB) return error;
		this.#content.distrust();
		if (this.#hasWrites || this.#lost !== null) {
			this.#lost ??= { error: catalogueError("database.rolled_back", { reason: error.message }) };
			this.#instance.committer.markDirty();
			this.#instance.committer.cutSoon();
			return error;
		}
		const lost = new WorkingFileLost(error.message, { cause: error });
		this.#recover(lost);
		return lost;
	}

	/** Calls may use the open session without asking, unless each has to be looked at. */
	#letUse(): void {
		const isPlain = this.#closed === null && !this.#exclusive.hasAtomic && !this.#isWary;
		this.#usable = isPlain ? this.#session : null;
	}

	#assertUsable(): void {
		if (this.#closed) throw this.#closed;
		if (!this.#isWary) return;
		this.#instance.atomic.assertNotDropped();
		const call = callInProgress();
		if (call === undefined || call.era === this.#instance.era) return;
		throw catalogueError("actor.stopping", { actorId: this.#instance.actorId });
	}

	// Streams

	/** The file, for who reads it over another connection; null when that would not see what a call sees. */
	#readyForReader(
		reader: { abort(error: unknown): void },
		sees: (session: SqlSession) => boolean,
		signal?: AbortSignal,
	): Promise<string | null> {
		this.#assertUsable();
		if (this.#streams.size >= STREAMS_MAX) {
			throw catalogueError("database.too_many_streams", { limit: STREAMS_MAX });
		}
		this.#streams.add(reader);
		return this.#queue.run(() => {
			const session = this.#opened();
			if (!sees(session)) return null;
			// Its reader sees only what a transaction has ended with.
			session.endShared();
			return this.#content.path;
		}, signal);
	}

	// Going back, and closing

	/** Back to what is committed; nobody gets in before. */
	#recover(error: Error): void {
		if (this.#recovery !== null) return;
		this.#endUse(error);
		this.#queue.shut();
		const { log } = this.#instance;
		const recovered = this.#content.recover().then(
			() => log.warn({ reason: error.message }, "the database is back at its last commit"),
			(failure) =>
				log.error({ err: failure }, "the database could not be taken back to its last commit"),
		);
		this.#recovery = recovered.then(() => {
			this.#recovery = null;
			this.#queue.open();
		});
	}

	/** Whoever uses the connection is told why that is over. */
	#endUse(error: unknown): void {
		this.#exclusive.end(error);
		for (const stream of [...this.#streams]) stream.abort(error);
		this.#byHand.end();
		this.#isDirty = false;
		this.#isStepDirty = false;
		this.#lost = null;
		this.#dropSession();
	}

	#dropSession(): void {
		if (this.#session === null) return;
		this.#pastStatements += this.#session.statements;
		this.#pastSlowStatements += this.#session.slowStatements;
		this.#session.forget();
		this.#session = null;
		this.#usable = null;
		this.#pool.closed(this);
	}
}
