import type { Clock, Random, StorageBatch, StorageRange } from "@rivetkit/protocol";
import { checkBatch, checkNewActor } from "../checks.ts";
import {
	type ActorRecord,
	type ActorSnapshot,
	type AlarmPosition,
	BEFORE_ALL_ALARMS,
	type CommitBatch,
	type InsertedActor,
	type InsertOptions,
	type ListActors,
	type NewActor,
	StaleGenerationError,
	type Store,
	type StoredEntries,
	type TimedEntry,
} from "../store.ts";
import { fromStoredText, toStoredText } from "../stored-values.ts";
import type { TombstoneLimits } from "../tombstones.ts";
import { ActorOrder } from "./actor-order.ts";
import { byteaArray } from "./binary-array.ts";
import type { PostgresConnection, Row } from "./connection.ts";
import { toStoreError } from "./errors.ts";
import { InventoryRows } from "./inventory-rows.ts";
import { getTimedStatement, ROW_ID, scanStatement } from "./kv-statements.ts";
import { PostgresSnapshot } from "./postgres-snapshot.ts";
import { ReadConnections } from "./read-connections.ts";
import { RECORD_COLUMNS, type RecordRow, toBytes, toRecord } from "./records.ts";
import { Removals } from "./removals.ts";
import { RoundTrips } from "./round-trips.ts";
import { commitWrite, IMPORTING, type Outcome, type Write } from "./write-calls.ts";
import { closedError, WriteQueue } from "./write-queue.ts";
import { liveKeyOf } from "./write-statements.ts";

/** An entry of PostgreSQL's index must fit a third of a page. */
const KEY_BYTES_MAX = 2_600;
/** How often an insert is made again that met a holder of its key on its way out. */
const INSERTS_MAX = 5;

export interface PostgresStoreParts {
	readonly connect: () => Promise<PostgresConnection>;
	readonly address: string;
	readonly clock: Clock;
	readonly random: Random;
	readonly tombstones: TombstoneLimits;
}

/** The {@link Store} in a PostgreSQL; see docs/adr/0037-postgresql-store.md. */
export class PostgresStore implements Store {
	/** The lease under which actors are acquired; null for none: then no acquisition is refused. */
	owner: number | null = null;
	readonly inventory = new InventoryRows((text, values) => {
		this.#assertOpen();
		return this.query(text, values);
	});
	readonly #parts: PostgresStoreParts;
	readonly #queue: WriteQueue;
	readonly #reads: ReadConnections;
	readonly #removals: Removals;
	readonly #order = new ActorOrder();
	/** Inserts under way, by live key. */
	readonly #inserting = new Map<string, Set<Promise<unknown>>>();
	/** Writes under way that may free a key. */
	readonly #freeing = new Set<Promise<unknown>>();
	readonly #snapshots = new Set<PostgresSnapshot>();
	readonly roundTrips = { write: new RoundTrips(), read: new RoundTrips() };
	#closing: Promise<void> | undefined;

	constructor(parts: PostgresStoreParts) {
		this.#parts = parts;
		this.#queue = new WriteQueue({ ...parts, roundTrips: this.roundTrips.write });
		this.#reads = new ReadConnections({ ...parts, roundTrips: this.roundTrips.read });
		this.#removals = new Removals(parts, this.#reads);
	}

	/** Rejects when PostgreSQL cannot be reached. */
	async open(): Promise<void> {
		await this.#queue.open();
		this.#removals.start();
	}

	/** For what else is kept beside actors: answered behind nothing. */
	query<R extends Row>(text: string, values: readonly unknown[] = [], name?: string): Promise<R[]> {
		return this.#reads.query<R>({ text, values, ...(name === undefined ? undefined : { name }) });
	}

	/** As {@link query}, but never made again: see {@link ReadConnections.queryOnce}. */
	queryOnce<R extends Row>(text: string, values: readonly unknown[]): Promise<R[]> {
		return this.#reads.queryOnce<R>({ text, values });
	}

	async insertActor(actor: NewActor, options: InsertOptions = {}): Promise<InsertedActor> {
		checkNewActor(actor);
		const isAcquired = options.acquire ?? false;
		const insert: Write = {
			kind: "insert",
			actor,
			generation: isAcquired ? 0 : -1,
			owner: isAcquired ? this.owner : null,
		};
		return this.#insert(actor, () => this.#queue.write([insert]));
	}

	async importActor(actor: NewActor, batch: StorageBatch): Promise<InsertedActor> {
		// One that is there already is at another generation: nothing of the batch is written to it.
		const commit = { ...batch, actorId: actor.actorId, generation: IMPORTING };
		checkNewActor(actor);
		this.#checkBatch(commit);
		const insert: Write = { kind: "insert", actor, generation: IMPORTING, owner: null };
		const inserted = await this.#insert(actor, () =>
			this.#queue.write([insert, commitWrite(commit)]),
		);
		return inserted.created
			? { created: true, actor: (await this.actorById(actor.actorId))! }
			: inserted;
	}

	async openSnapshot(actorId: string): Promise<ActorSnapshot | undefined> {
		this.#assertOpen();
		return this.#order.run(actorId, "read", async () => {
			const connection = await this.#parts.connect();
			try {
				const snapshot = await PostgresSnapshot.open(connection, actorId, (one) =>
					this.#snapshots.delete(one),
				);
				if (snapshot !== undefined) {
					this.#snapshots.add(snapshot);
				}
				return snapshot;
			} catch (error) {
				connection.destroy();
				throw toStoreError(error, this.#parts.address, "Cannot read the actor");
			}
		});
	}

	async actorById(actorId: string): Promise<ActorRecord | undefined> {
		this.#assertOpen();
		return this.#order.run(actorId, "read", async () => {
			const [row] = await this.#reads.query<RecordRow>({
				name: "by_id",
				text: `SELECT ${RECORD_COLUMNS} FROM rivetkit.actors AS a WHERE a.id = $1`,
				values: [toStoredText(actorId)],
			});
			return row && toRecord(row);
		});
	}

	async actorByKey(namespace: string, name: string, key: string): Promise<ActorRecord | undefined> {
		this.#assertOpen();
		const before = this.#inserting.get(liveKeyOf({ namespace, name, key })) ?? [];
		await Promise.allSettled([...before, ...this.#freeing]);
		const [row] = await this.#reads.query<RecordRow>({
			name: "by_key",
			text:
				`SELECT ${RECORD_COLUMNS} FROM rivetkit.actors AS a ` +
				"WHERE a.namespace = $1 AND a.name = $2 AND a.key = $3 AND a.destroy_ts IS NULL",
			values: [toStoredText(namespace), toStoredText(name), toStoredText(key)],
		});
		return row && toRecord(row);
	}

	async listActors(query: ListActors): Promise<ActorRecord[]> {
		// As the index for lists has it; with a key there is a better one.
		const column = (name: string) => (query.key === undefined ? `(a.${name} || '')` : `a.${name}`);
		const conditions = [`${column("namespace")} = $1`];
		const values: unknown[] = [toStoredText(query.namespace)];
		const add = (condition: (parameter: string) => string, value: unknown) => {
			conditions.push(condition(`$${values.push(value)}`));
		};
		if (query.name !== undefined) {
			add((name) => `${column("name")} = ${name}`, toStoredText(query.name));
		}
		if (query.key !== undefined) {
			add((key) => `a.key = ${key}`, toStoredText(query.key));
		}
		if (query.includeDestroyed !== true) {
			conditions.push("a.destroy_ts IS NULL");
		}
		if (query.before !== undefined) {
			const { createTs, actorId = "" } = query.before;
			const ts = `$${values.push(createTs)}::int8`;
			add((id) => `(a.create_ts, a.id) < (${ts}, ${id})`, toStoredText(actorId));
		}
		const limit = `$${values.push(Math.max(0, query.limit))}`;
		const rows = await this.#readAll<RecordRow>(listStatement(query, conditions, limit), values);
		return rows.map(toRecord);
	}

	async countActors(namespace: string): Promise<ReadonlyMap<string, number>> {
		const rows = await this.#readAll<{ name: string; count: number }>(
			"SELECT name, count(*) AS count FROM rivetkit.actors " +
				"WHERE namespace = $1 AND destroy_ts IS NULL GROUP BY name",
			[toStoredText(namespace)],
		);
		return new Map(rows.map(({ name, count }) => [fromStoredText(name), count]));
	}

	async listNames(namespace: string, limit: number, after?: string): Promise<string[]> {
		const rows = await this.#readAll<{ name: string }>(
			"SELECT n.name FROM rivetkit.names AS n WHERE n.namespace = $1 AND ($2::text IS NULL OR n.name > $2) " +
				"AND (n.kept OR EXISTS (SELECT FROM rivetkit.actors AS a " +
				"WHERE (a.namespace || '') = n.namespace AND (a.name || '') = n.name)) ORDER BY n.name LIMIT $3",
			[
				toStoredText(namespace),
				after === undefined ? null : toStoredText(after),
				Math.max(0, limit),
			],
		);
		return rows.map(({ name }) => fromStoredText(name));
	}

	/**
	 * As {@link Store.acquire}. Written when it resolves. With an {@link owner}, also rejects with
	 * `StaleGenerationError` when another one that lives has the actor.
	 */
	async acquire(actorId: string): Promise<ActorRecord> {
		this.#assertOpen();
		const write: Write = { kind: "acquire", actorId, owner: this.owner };
		const outcome = await this.#writeTo(actorId, write);
		if (outcome.kind !== "acquired") {
			throw new StaleGenerationError(actorId, -1);
		}
		return outcome.record;
	}

	/** Nobody runs the actor any more: whoever needs it may acquire it. Does nothing for a stale generation. */
	async release(actorId: string, generation: number): Promise<void> {
		this.#assertOpen();
		await this.#writeTo(actorId, { kind: "release", actorId, generation });
	}

	async discard(actorId: string, generation: number): Promise<void> {
		this.#assertOpen();
		await this.#free(this.#writeTo(actorId, { kind: "discard", actorId, generation }));
		this.#removals.look();
	}

	async get(actorId: string, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		this.#assertOpen();
		const wanted = byteaArray(keys);
		return this.#order.run(actorId, "read", async () => {
			const rows = await this.#reads.query<{ value: Buffer | null }>({
				name: "get",
				text:
					"SELECT k.value FROM unnest($2::bytea[]) WITH ORDINALITY AS w(key, i) " +
					"LEFT JOIN rivetkit.actors AS a ON a.id = $1 AND a.destroy_ts IS NULL " +
					"LEFT JOIN rivetkit.kv AS k ON k.actor = a.row_id AND k.key = w.key ORDER BY w.i",
				values: [toStoredText(actorId), wanted],
			});
			return rows.map(({ value }) => (value === null ? null : toBytes(value)));
		});
	}

	async scan(actorId: string, range: StorageRange): Promise<StoredEntries> {
		this.#assertOpen();
		const statement = scanStatement(actorId, range, false);
		return this.#order.run(actorId, "read", async () => {
			const rows = await this.#reads.query<{ key: Buffer; value: Buffer }>(statement);
			return rows.map(({ key, value }) => [toBytes(key), toBytes(value)]);
		});
	}

	async timedEntries(
		actorId: string,
		which: readonly Uint8Array[] | StorageRange,
	): Promise<TimedEntry[]> {
		this.#assertOpen();
		const statement =
			"start" in which ? scanStatement(actorId, which, true) : getTimedStatement(actorId, which);
		return this.#order.run(actorId, "read", async () => {
			const rows = await this.#reads.query<{ key: Buffer; value: Buffer; put_ts: number | null }>(
				statement,
			);
			return rows.map(({ key, value, put_ts: putTs }) => ({
				key: toBytes(key),
				value: toBytes(value),
				putTs,
			}));
		});
	}

	async storedBytes(actorId: string): Promise<number> {
		this.#assertOpen();
		return this.#order.run(actorId, "read", async () => {
			const [row] = await this.#reads.query<{ bytes: number }>({
				name: "stored_bytes",
				text:
					"SELECT coalesce(sum(octet_length(k.key) + octet_length(k.value)), 0)::int8 AS bytes " +
					`FROM rivetkit.kv AS k WHERE k.actor = ${ROW_ID}`,
				values: [toStoredText(actorId)],
			});
			return row!.bytes;
		});
	}

	async commit(batch: CommitBatch): Promise<void> {
		this.#assertOpen();
		this.#checkBatch(batch);
		const write = commitWrite(batch);
		const isDestruction = batch.destroyTs !== undefined;
		const writing = this.#writeTo(batch.actorId, write);
		const outcome = await (isDestruction ? this.#free(writing) : writing);
		if (outcome.kind === "stale") {
			throw new StaleGenerationError(batch.actorId, batch.generation);
		}
		if (isDestruction) {
			await this.#removals.destroyed();
		}
	}

	endTurn(): void {
		this.#queue.endTurn();
	}

	async sync(): Promise<void> {
		this.#assertOpen();
		await this.#queue.drained();
		// Those that called before hear of it first.
		await new Promise(setImmediate);
	}

	async dueAlarms(
		nowMs: number,
		limit: number,
		after: AlarmPosition = BEFORE_ALL_ALARMS,
	): Promise<AlarmPosition[]> {
		const rows = await this.#readAll<{ id: string; alarm_ts: number }>(
			"SELECT id, alarm_ts FROM rivetkit.actors WHERE alarm_ts IS NOT NULL AND alarm_ts <= $1 " +
				"AND (alarm_ts, id) > ($2::int8, $3) ORDER BY alarm_ts, id LIMIT $4",
			[nowMs, after.alarmTs, toStoredText(after.actorId), Math.max(0, limit)],
		);
		return rows.map(({ id, alarm_ts }) => ({ actorId: fromStoredText(id), alarmTs: alarm_ts }));
	}

	async actorsToResume(limit: number, after = ""): Promise<string[]> {
		const rows = await this.#readAll<{ id: string }>(
			"SELECT id FROM rivetkit.actors WHERE (connected OR crash_policy = 'restart' AND start_ts IS NOT NULL " +
				"AND sleep_ts IS NULL AND destroy_ts IS NULL) AND id > $1 ORDER BY id LIMIT $2",
			[toStoredText(after), Math.max(0, limit)],
		);
		return rows.map(({ id }) => fromStoredText(id));
	}

	async nextAlarmTs(): Promise<number | null> {
		const [row] = await this.#readAll<{ next: number | null }>(
			"SELECT min(alarm_ts) AS next FROM rivetkit.actors WHERE alarm_ts IS NOT NULL",
			[],
		);
		return row!.next;
	}

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		await this.#queue.close();
		for (const snapshot of [...this.#snapshots]) {
			snapshot.close();
		}
		// A removal that waits for the server ends with the reads.
		await Promise.all([this.#removals.close(), this.#reads.close()]);
	}

	async #insert(actor: NewActor, write: () => Promise<Outcome[]>): Promise<InsertedActor> {
		this.#assertOpen();
		const inserting = this.#order.run(actor.actorId, "write", async () => {
			for (let attempt = 1; ; attempt++) {
				const [outcome] = await write();
				if (outcome!.kind === "inserted") {
					return outcome!.result;
				}
				const isTaken = (await this.#holderOfId(actor.actorId)) !== undefined;
				if (isTaken || attempt === INSERTS_MAX) {
					throw new Error(`The actor id ${actor.actorId} is taken by an actor with another key`);
				}
			}
		});
		const liveKey = liveKeyOf(actor);
		const others = this.#inserting.get(liveKey) ?? new Set();
		this.#inserting.set(liveKey, others.add(inserting));
		try {
			return await inserting;
		} finally {
			others.delete(inserting);
			if (others.size === 0) {
				this.#inserting.delete(liveKey);
			}
		}
	}

	async #holderOfId(actorId: string): Promise<Row | undefined> {
		const [row] = await this.#reads.query({
			text: "SELECT FROM rivetkit.actors WHERE id = $1",
			values: [toStoredText(actorId)],
		});
		return row;
	}

	async #writeTo(actorId: string, write: Write): Promise<Outcome> {
		const [outcome] = await this.#order.run(actorId, "write", () => this.#queue.write([write]));
		return outcome!;
	}

	async #free<T>(writing: Promise<T>): Promise<T> {
		this.#freeing.add(writing);
		try {
			return await writing;
		} finally {
			this.#freeing.delete(writing);
		}
	}

	/** A read of many actors: behind everything that was called before. */
	async #readAll<R extends Row>(text: string, values: readonly unknown[]): Promise<R[]> {
		this.#assertOpen();
		await this.#queue.drained();
		return this.#reads.query<R>({ text, values });
	}

	#checkBatch(batch: CommitBatch): void {
		checkBatch(batch);
		for (const op of batch.ops) {
			if (op.op === "put" && op.key.byteLength > KEY_BYTES_MAX) {
				throw new RangeError(
					`Key of ${op.key.byteLength} bytes; at most ${KEY_BYTES_MAX} fit into PostgreSQL's index`,
				);
			}
		}
	}

	#assertOpen(): void {
		if (this.#closing !== undefined) {
			throw closedError(this.#parts.address);
		}
	}
}

/** The newest first. Who holds a key and who held it are in an index each, and no plan takes both for one condition. */
export function listStatement(
	{ key, includeDestroyed = false }: Pick<ListActors, "key" | "includeDestroyed">,
	conditions: readonly string[],
	limit: string,
): string {
	const newest = (...more: readonly string[]) =>
		`SELECT ${RECORD_COLUMNS} FROM rivetkit.actors AS a WHERE ${[...conditions, ...more].join(" AND ")} ` +
		`ORDER BY a.create_ts DESC, a.id DESC LIMIT ${limit}`;
	if (key === undefined || !includeDestroyed) {
		return newest();
	}
	const both = ["a.destroy_ts IS NULL", "a.destroy_ts IS NOT NULL"].map(
		(one) => `(${newest(one)})`,
	);
	return `SELECT * FROM (${both.join(" UNION ALL ")}) AS a ORDER BY a.create_ts DESC, a.id DESC LIMIT ${limit}`;
}
