import { catalogueError } from "@rivetkit/protocol";
import type { Bindings, SqliteConnection } from "../engine/engine.ts";
import { primaryCode, SQLITE_CONSTRAINT, SqliteError } from "../engine/sqlite-error.ts";
import { ControlStatements } from "./control-statements.ts";
import { toBindings } from "./parameters.ts";
import { type Prepared, prepare, tune } from "./prepared.ts";
import { type ResultLimits, ResultReader, type RowShape, type Shaped } from "./result-reader.ts";
import { assertAllowedStatement, readPragma, setsConnection, writesDatabase } from "./rules.ts";
import { StatementCache } from "./statement-cache.ts";
import { type ParsedStatement, parseStatements } from "./statements.ts";

/** Compiled statements that one open database keeps. */
const STATEMENTS_MAX = 128;
/** Statements that are timed one by one after a transaction that took long. */
const STATEMENTS_TIMED = 256;

export interface SqlLimits extends ResultLimits {
	/** From this time on (ms) a statement is reported as slow. */
	readonly slowMs: number;
}

/** Who has to know what statements do. */
export interface SqlObserver {
	/**
	 * A statement outside a transaction of the user's has written, or a transaction that wrote is over. Told
	 * each time, while the caller is on the stack.
	 */
	wrote(): void;
	/** A statement outside a transaction of the user's has failed, and may have kept some of what it wrote. */
	mayHaveWritten(): void;
	/** SQLite ended a transaction by itself; what it had written is lost. */
	lost(error: unknown): void;
	slow(sql: string, ms: number): void;
}

/**
 * - `none`: nothing is open.
 * - `shared`: ours, around statements of whoever comes; ends when the actor commits.
 * - `byHand`: begun by a statement of the user's, also around everybody's statements.
 * - `exclusive`: of `transaction()`, which sees to it that nobody else's statements come in between.
 */
export type TransactionState = "none" | "shared" | "byHand" | "exclusive";

/**
 * SQL of one open database (contract: api 11.1): which transaction a statement runs in, whose it is, and
 * who has to know. Synchronous; knows nothing of pages or commits.
 *
 * Statements outside a transaction share one, which costs far less than one each. Those that must not
 * share (a conflict may roll everything back, a deferred constraint is checked when it ends) stand alone.
 */
export class SqlSession {
	readonly #connection: SqliteConnection;
	readonly #controls: ControlStatements;
	readonly #reader: ResultReader;
	readonly #slowMs: number;
	readonly #observer: SqlObserver;
	readonly #now: () => number;
	readonly #cache = new StatementCache<Prepared>(STATEMENTS_MAX);
	readonly #settings: Map<string, string>;
	#state: TransactionState = "none";
	/** Whether the open transaction has written, and whether it changed the schema. */
	#hasWritten = false;
	#hasChangedSchema = false;
	/** When the open transaction began. */
	#openedMs = 0;
	/** How many statements are still timed one by one. */
	#timed = 0;
	/** Some constraint of the schema says what a conflict does, or is only checked when a transaction ends. */
	#standAlone: boolean;
	/** Statements run so far. */
	statements = 0;
	slowStatements = 0;

	/** @param settings - pragmas that are set on the connection, by name; what is set is added */
	constructor(
		connection: SqliteConnection,
		limits: SqlLimits,
		observer: SqlObserver,
		now: () => number,
		settings = new Map<string, string>(),
	) {
		this.#connection = connection;
		this.#settings = settings;
		this.#controls = new ControlStatements(connection);
		this.#reader = new ResultReader(limits, this.#controls, now);
		this.#slowMs = limits.slowMs;
		this.#observer = observer;
		this.#now = now;
		this.#standAlone = this.#schemaStandsAlone();
	}

	get state(): TransactionState {
		return this.#state;
	}

	/** Whether something lives in the connection alone: a transaction that was begun by hand, temporary tables. */
	get isPersonal(): boolean {
		return this.#state === "byHand" || this.#hasTemporaryObjects;
	}

	get #hasTemporaryObjects(): boolean {
		const statement = this.#connection.prepare("SELECT 1 FROM sqlite_temp_schema LIMIT 1");
		try {
			return statement.get([]) !== undefined;
		} finally {
			statement.finalize();
		}
	}

	/**
	 * Runs one statement, or any number without parameters; their rows follow each other. `given` may be
	 * changed. Throws `SqliteError` or an error of the catalogue.
	 */
	execute<Shape extends RowShape>(sql: string, given: unknown[], shape: Shape): Shaped<Shape>[] {
		const cached = this.#cache.get(sql);
		if (cached !== undefined) {
			if (!cached.isTuned) tune(this.#connection, cached);
			return this.#run(cached, given, shape);
		}
		if (typeof sql !== "string") {
			throw catalogueError("database.invalid_statement", {
				reason: `SQL is a string, not ${sql === null ? "null" : typeof sql}`,
			});
		}
		const parsed = parseStatements(sql);
		if (parsed.length === 1) {
			const prepared = this.#prepare(parsed[0]!);
			let keep = false;
			try {
				const rows = this.#run(prepared, given, shape);
				keep = prepared.isPlain;
				return rows;
			} finally {
				if (keep) this.#cache.set(sql, prepared);
				else prepared.drop();
			}
		}
		return this.#script(parsed, given, shape);
	}

	/** Begins a transaction that only its owner uses, until one of the next two is called. */
	beginExclusive(): void {
		this.endShared();
		this.#controls.run("BEGIN IMMEDIATE");
		this.#open("exclusive");
	}

	/** Throws when SQLite refuses, for a deferred constraint; the transaction is rolled back then. */
	commitExclusive(): void {
		try {
			this.#controls.run("COMMIT");
		} catch (error) {
			this.rollBack();
			throw error;
		}
		this.#ended(true);
	}

	/** Ends our shared transaction, if it is open. */
	endShared(): void {
		if (this.#state !== "shared") return;
		try {
			this.#controls.run("COMMIT");
		} catch (error) {
			const hadWritten = this.#hasWritten;
			this.rollBack();
			if (hadWritten) this.#observer.lost(error);
			throw error;
		}
		this.#open("none");
	}

	/** Rolls back whatever is open. */
	rollBack(): void {
		if (this.#connection.inTransaction) this.#controls.run("ROLLBACK");
		this.#ended(false);
	}

	/** Gives up what was compiled: the connection is about to be closed, which rolls back what is open. */
	forget(): void {
		this.#cache.clear();
		this.#controls.finalize();
		this.#state = "none";
	}

	#script<Shape extends RowShape>(
		parsed: readonly ParsedStatement[],
		given: unknown[],
		shape: Shape,
	): Shaped<Shape>[] {
		if (given.length > 0) {
			throw catalogueError("database.invalid_statement", {
				reason: `with parameters there is one statement, here are ${parsed.length}`,
			});
		}
		const results: Shaped<Shape>[][] = [];
		for (const statement of parsed) {
			const prepared = this.#prepare(statement);
			try {
				results.push(this.#run(prepared, [], shape));
			} finally {
				prepared.drop();
			}
		}
		return results.flat();
	}

	#prepare(parsed: ParsedStatement): Prepared {
		assertAllowedStatement(parsed);
		// Settings take effect when they are compiled, and most not inside a transaction.
		if (parsed.kind === "pragma" && isWritingPragma(parsed)) this.endShared();
		return prepare(this.#connection, parsed);
	}

	#run<Shape extends RowShape>(
		prepared: Prepared,
		given: unknown[],
		shape: Shape,
	): Shaped<Shape>[] {
		const bindings = toBindings(prepared.parsed.parameters, given, prepared.floats);
		this.statements++;
		if (prepared.isFast && this.#timed === 0) return this.#runFast(prepared, bindings, shape);
		if (this.#timed > 0) this.#timed--;
		const startMs = this.#now();
		let rows: Shaped<Shape>[];
		try {
			if (prepared.isPlain && !(prepared.writes && this.#standAlone)) {
				if (this.#state === "none") this.#beginShared();
				if (prepared.writes) this.#hasWritten = true;
				rows =
					prepared.parsed.onConflict !== null && this.#state === "shared"
						? this.#guarded(prepared, bindings, shape, startMs)
						: this.#reader.read(prepared, bindings, shape, startMs);
				if (prepared.writes) this.#wrote();
			} else {
				rows = this.#runApart(prepared, bindings, shape, startMs);
			}
		} catch (error) {
			this.#afterError(error);
			throw error;
		}
		const tookMs = this.#now() - startMs;
		if (tookMs >= this.#slowMs) {
			// From now on each of its runs is timed.
			prepared.isTuned = true;
			prepared.isFast = false;
			this.slowStatements++;
			this.#observer.slow(prepared.parsed.text, tookMs);
		}
		return rows;
	}

	/**
	 * A statement that has run before, and either gives no rows or finds one by its key. Two looks at the
	 * clock would be a fifth of what it costs, so the transaction it is in is timed instead: when that took
	 * long, the next statements are timed one by one, to find out which it is.
	 */
	#runFast<Shape extends RowShape>(
		prepared: Prepared,
		bindings: Bindings,
		shape: Shape,
	): Shaped<Shape>[] {
		try {
			if (this.#state === "none") this.#beginShared();
			if (!prepared.writes) return this.#reader.read(prepared, bindings, shape, 0);
			if (this.#standAlone) return this.#runApart(prepared, bindings, shape, 0);
			this.#hasWritten = true;
			const rows = this.#reader.read(prepared, bindings, shape, 0);
			this.#wrote();
			return rows;
		} catch (error) {
			this.#afterError(error);
			throw error;
		}
	}

	#beginShared(): void {
		this.#controls.run("BEGIN");
		this.#open("shared");
	}

	#open(state: TransactionState): void {
		const nowMs = this.#now();
		const tookMs = this.#state === "none" ? 0 : nowMs - this.#openedMs;
		if (tookMs >= this.#slowMs) this.#timed = STATEMENTS_TIMED;
		this.#openedMs = nowMs;
		this.#state = state;
		this.#hasWritten = false;
		this.#hasChangedSchema = false;
	}

	/** A statement that writes has run. */
	#wrote(): void {
		this.#hasWritten = true;
		if (this.#state === "shared") this.#observer.wrote();
	}

	/**
	 * Alone, a statement that fails leaves nothing behind. Inside a transaction SQLite relies on its journal
	 * of the statement, which it does not keep when the statement says what to do about conflicts, though
	 * it may fail for other reasons.
	 */
	#guarded<Shape extends RowShape>(
		prepared: Prepared,
		bindings: Bindings,
		shape: Shape,
		startMs: number,
	): Shaped<Shape>[] {
		// OR FAIL keeps what came before the conflict.
		const keeps = (error: unknown) => prepared.parsed.onConflict === "FAIL" && isConstraint(error);
		try {
			return this.#controls.inSavepoint(
				"rivetkit_statement",
				() => this.#reader.read(prepared, bindings, shape, startMs),
				keeps,
			);
		} catch (error) {
			if (this.#connection.inTransaction && keeps(error)) this.#wrote();
			throw error;
		}
	}

	/** Statements that are more than reading and writing rows. */
	#runApart<Shape extends RowShape>(
		prepared: Prepared,
		bindings: Bindings,
		shape: Shape,
		startMs: number,
	): Shaped<Shape>[] {
		const { kind, head, text } = prepared.parsed;
		const isOurs = this.#state === "none" || this.#state === "shared";
		const run = () => this.#reader.read(prepared, bindings, shape, startMs);
		switch (kind) {
			case "begin":
			case "savepoint":
				if (isOurs) this.endShared();
				else if (kind === "begin" && this.#state === "exclusive") refuseControl(text);
				run();
				if (isOurs) this.#open("byHand");
				return [];
			case "commit":
			case "rollback":
				if (this.#state === "exclusive") refuseControl(text);
				this.endShared();
				run();
				this.#ended(kind === "commit");
				return [];
			case "release":
			case "rollbackTo":
				this.endShared();
				run();
				if (kind === "rollbackTo" && this.#hasChangedSchema) this.#schemaChanged();
				// The outermost savepoint is a transaction.
				if (this.#state === "byHand" && !this.#connection.inTransaction) this.#ended(true);
				return [];
			case "pragma": {
				if (!isWritingPragma(prepared.parsed)) return run();
				this.endShared();
				const rows = run();
				const pragma = readPragma(head)!;
				// Inside a transaction SQLite takes no notice of some of them.
				const isHeeded = this.#state === "none" || pragma.name !== "foreign_keys";
				if (setsConnection(pragma) && isHeeded) this.#settings.set(pragma.name, text);
				this.#schemaChanged();
				this.#wroteAlone();
				return rows;
			}
			case "schema": {
				if (this.#state === "none") this.#beginShared();
				this.#hasWritten = true;
				const rows = run();
				this.#schemaChanged();
				this.#wrote();
				return rows;
			}
			default: {
				if (!isOurs) {
					this.#hasWritten = true;
					return run();
				}
				this.endShared();
				const rows = run();
				if (kind === "vacuum") this.#schemaChanged();
				this.#wroteAlone();
				return rows;
			}
		}
	}

	/** A statement that was a transaction of its own has written. */
	#wroteAlone(): void {
		if (this.#state === "none") this.#observer.wrote();
		else this.#wrote();
	}

	/** A transaction of the user's is over. */
	#ended(committed: boolean): void {
		const hasWritten = this.#hasWritten;
		const hasChangedSchema = this.#hasChangedSchema;
		this.#open("none");
		if (committed && hasWritten) this.#observer.wrote();
		// Compiled statements may be about tables that are gone again.
		if (!committed && hasChangedSchema) this.#schemaChanged();
	}

	#schemaChanged(): void {
		this.#hasChangedSchema = this.#state !== "none";
		this.#cache.clear();
		this.#standAlone = this.#schemaStandsAlone();
	}

	#schemaStandsAlone(): boolean {
		const statement = this.#connection.prepare(
			`SELECT 1 FROM (SELECT sql FROM sqlite_schema UNION ALL SELECT sql FROM sqlite_temp_schema)
			WHERE sql LIKE '%CONFLICT%' OR sql LIKE '%ROLLBACK%' OR sql LIKE '%DEFERRED%' LIMIT 1`,
		);
		try {
			return statement.get([]) !== undefined;
		} finally {
			statement.finalize();
		}
	}

	/** Some errors end the transaction they happen in, with all that was written in it before. */
	#afterError(error: unknown): void {
		if (this.#hasWritten && this.#state === "shared") this.#observer.mayHaveWritten();
		if (this.#state === "none" || this.#connection.inTransaction) return;
		const hadWritten = this.#hasWritten;
		const wasShared = this.#state === "shared";
		this.#ended(false);
		if (hadWritten && wasShared) this.#observer.lost(error);
	}
}

function isConstraint(error: unknown): boolean {
	return error instanceof SqliteError && primaryCode(error) === SQLITE_CONSTRAINT;
}

function isWritingPragma({ head }: ParsedStatement): boolean {
	const pragma = readPragma(head);
	return pragma !== null && writesDatabase(pragma);
}

function refuseControl(statement: string): never {
	throw catalogueError("database.statement_refused", {
		statement,
		reason: "a transaction ends when its function returns or throws; SAVEPOINT works inside it",
	});
}
