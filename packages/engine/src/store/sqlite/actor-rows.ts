import { compareText } from "../order.ts";
import {
	type ActorRecord,
	type AlarmPosition,
	type CommitBatch,
	type ListActors,
	type NewActor,
	StaleGenerationError,
} from "../store.ts";
import { fromStoredText, toStoredBytes, toStoredText } from "../stored-values.ts";
import { ActorCache, type LiveActor } from "./actor-cache.ts";
import {
	prepareListQuery,
	type SqliteConnection,
	type SqliteListQuery,
	type SqliteStatement,
	type SqliteValue,
} from "./engine.ts";
import { RaisedGenerations } from "./raised-generations.ts";
import { IS_LEFT_RUNNING } from "./schema.ts";

const CACHED_ACTORS_MAX = 65_536;

/** What {@link ActorRow} lists. */
const COLUMNS = `row_id, id, namespace, name, key, runner_name_selector, crash_policy, datacenter,
	(SELECT input FROM inputs WHERE actor = row_id) AS input, create_ts, generation, initialised, start_ts,
	connectable_ts, sleep_ts, destroy_ts, alarm_ts, connected`;

/** Each half has an index of its own, in this order: as one condition it would read all actors. */
export const TO_RESUME = `SELECT id FROM actors WHERE connected = 1 AND id > ?
	UNION SELECT id FROM actors WHERE ${IS_LEFT_RUNNING} AND id > ?
	ORDER BY id LIMIT ?`;

type ActorRow = [
	rowId: number,
	id: string,
	namespace: string,
	name: string,
	key: string,
	runnerNameSelector: string,
	crashPolicy: string,
	datacenter: string,
	input: Uint8Array | null,
	createTs: number,
	generation: number,
	initialised: number,
	startTs: number | null,
	connectableTs: number | null,
	sleepTs: number | null,
	destroyTs: number | null,
	alarmTs: number | null,
	connected: number,
];

/** The `actors` and `inputs` tables. Everything here runs inside the caller's transaction. */
export class ActorRows {
	readonly #connection: SqliteConnection;
	readonly #cache = new ActorCache(CACHED_ACTORS_MAX);
	readonly #raised = new RaisedGenerations();
	readonly #insert: SqliteStatement;
	readonly #insertInput: SqliteStatement;
	readonly #deleteInput: SqliteStatement;
	readonly #live: SqliteListQuery;
	readonly #byId: SqliteListQuery;
	readonly #byKey: SqliteListQuery;
	readonly #liveById: SqliteListQuery;
	readonly #setGeneration: SqliteStatement;
	readonly #delete: SqliteStatement;
	readonly #dueAlarms: SqliteStatement;
	readonly #nextAlarm: SqliteStatement;
	readonly #toResume: SqliteStatement;
	readonly #updates = new Map<string, SqliteStatement>();
	readonly #lists = new Map<string, SqliteListQuery>();
	#nextRowId: number;

	constructor(connection: SqliteConnection) {
		this.#connection = connection;
		this.#insert = connection.prepare(
			`INSERT INTO actors (row_id, id, namespace, name, key, runner_name_selector, crash_policy,
			datacenter, create_ts, generation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`,
		);
		this.#insertInput = connection.prepare("INSERT INTO inputs VALUES (?, ?)");
		this.#deleteInput = connection.prepare("DELETE FROM inputs WHERE actor = ?");
		this.#live = prepareListQuery(
			connection,
			"SELECT row_id, generation FROM actors WHERE id = ? AND destroy_ts IS NULL",
		);
		const records = (condition: string) =>
			prepareListQuery(connection, `SELECT ${COLUMNS} FROM actors WHERE ${condition}`);
		this.#byId = records("id = ?");
		this.#byKey = records("namespace = ? AND name = ? AND key = ? AND destroy_ts IS NULL");
		this.#liveById = records("id = ? AND destroy_ts IS NULL");
		this.#setGeneration = connection.prepare("UPDATE actors SET generation = ? WHERE row_id = ?");
		this.#delete = connection.prepare("DELETE FROM actors WHERE row_id = ?");
		this.#dueAlarms = connection.prepare(
			`SELECT id, alarm_ts FROM actors
			WHERE alarm_ts IS NOT NULL AND (alarm_ts, id) > (?, ?) AND alarm_ts <= ?
			ORDER BY alarm_ts, id LIMIT ?`,
		);
		this.#nextAlarm = connection.prepare(
			"SELECT alarm_ts FROM actors WHERE alarm_ts IS NOT NULL ORDER BY alarm_ts, id LIMIT 1",
		);
		this.#toResume = connection.prepare(TO_RESUME);
		// Numbers of rows whose data is still being removed must not be used again.
		this.#nextRowId = connection
			.prepare(
				`SELECT 1 + max((SELECT ifnull(max(row_id), 0) FROM actors),
				(SELECT ifnull(max(actor), 0) FROM removals)) AS next`,
			)
			.get()!.next as number;
	}

	/** Call after a transaction was rolled back: what is remembered of it never happened. */
	forget(): void {
		this.#cache.clear();
		this.#raised.rolledBack();
	}

	/** Call after a transaction committed. */
	committed(): void {
		this.#raised.committed();
	}

	/** The new actor's record, or undefined when its key or its id is taken. */
	insert(actor: NewActor, generation: number): ActorRecord | undefined {
		const rowId = this.#nextRowId;
		// RETURNING would cost half as much again as the insert.
		const { changes } = this.#insert.run(
			rowId,
			toStoredText(actor.actorId),
			toStoredText(actor.namespace),
			toStoredText(actor.name),
			toStoredText(actor.key),
			toStoredText(actor.runnerNameSelector),
			toStoredText(actor.crashPolicy),
			toStoredText(actor.datacenter),
			actor.createTs,
			generation,
		);
		if (changes === 0) {
			return undefined;
		}
		this.#nextRowId += 1;
		if (actor.input !== null) {
			this.#insertInput.get(rowId, toStoredBytes(actor.input));
		}
		this.#cache.set(actor.actorId, { rowId, generation });
		return {
			actorId: actor.actorId,
			namespace: actor.namespace,
			name: actor.name,
			key: actor.key,
			runnerNameSelector: actor.runnerNameSelector,
			crashPolicy: actor.crashPolicy,
			datacenter: actor.datacenter,
			input: actor.input === null ? null : new Uint8Array(actor.input),
			createTs: actor.createTs,
			generation,
			initialised: false,
			startTs: null,
			connectableTs: null,
			sleepTs: null,
			destroyTs: null,
			alarmTs: null,
			connected: false,
		};
	}

	live(actorId: string): LiveActor | undefined {
		const known = this.#raised.get(actorId) ?? this.#cache.get(actorId);
		if (known !== undefined) {
			return known;
		}
		const row = this.#live.get(toStoredText(actorId)) as [number, number] | undefined | null;
		return row ? this.#cache.set(actorId, { rowId: row[0], generation: row[1] }) : undefined;
	}

	byId(actorId: string): ActorRecord | undefined {
		const row = this.#byId.get(toStoredText(actorId));
		return row ? this.#record(row) : undefined;
	}

	byKey(namespace: string, name: string, key: string): ActorRecord | undefined {
		const row = this.#byKey.get(toStoredText(namespace), toStoredText(name), toStoredText(key));
		return row ? this.#record(row) : undefined;
	}

	/**
	 * Only reads: the new generation is written with the actor's next commit, or by
	 * {@link writeGenerations}. Throws `StaleGenerationError` when there is no live actor with this id.
	 */
	raiseGeneration(actorId: string): ActorRecord {
		const row = this.#liveById.get(toStoredText(actorId));
		if (!row) {
			// Raised in a transaction that inserted it and was rolled back.
			this.#raised.delete(actorId);
			throw new StaleGenerationError(actorId, -1);
		}
		const record = this.#record(row);
		record.generation += 1;
		this.#raised.set(actorId, { rowId: row[0] as number, generation: record.generation });
		return record;
	}

	/** Generations that were raised and are not written. */
	get unwrittenGenerations(): number {
		return this.#raised.size;
	}

	writeGenerations(): void {
		for (const [actorId] of this.#raised.entries()) {
			this.writeGeneration(actorId);
		}
	}

	/** Writes the actor's generation, if that has not been done. */
	writeGeneration(actorId: string): void {
		const raised = this.#raised.get(actorId);
		if (raised !== undefined) {
			this.#setGeneration.get(raised.generation, raised.rowId);
			this.#raised.settle(actorId);
			this.#cache.set(actorId, raised);
		}
	}

	/** Writes what the batch says about the record, the alarm and the destruction. */
	update(actorId: string, rowId: number, batch: CommitBatch): void {
		const values: Record<string, SqliteValue> = {};
		const { record, alarmTs, destroyTs } = batch;
		if (record?.initialised !== undefined) {
			values.initialised = 1;
		}
		if (record?.startTs !== undefined) {
			values.start_ts = record.startTs;
		}
		if (record?.connectableTs !== undefined) {
			values.connectable_ts = record.connectableTs;
		}
		if (record?.sleepTs !== undefined) {
			values.sleep_ts = record.sleepTs;
		}
		if (record?.connected !== undefined) {
			values.connected = record.connected ? 1 : 0;
		}
		if (record?.sleepTs != null) {
			// A sleeping actor takes no memory; its next start looks its row up again.
			this.#cache.delete(actorId);
		}
		if (alarmTs !== undefined) {
			values.alarm_ts = alarmTs;
		}
		if (destroyTs !== undefined) {
			values.alarm_ts = null;
			values.connected = 0;
			values.destroy_ts = destroyTs;
			this.#deleteInput.get(rowId);
			this.#cache.delete(actorId);
		}
		const columns = Object.keys(values);
		if (columns.length > 0) {
			this.#updateOf(columns).get(...Object.values(values), rowId);
		}
	}

	remove(actorId: string, rowId: number): void {
		this.#delete.get(rowId);
		this.#deleteInput.get(rowId);
		this.#cache.delete(actorId);
		this.#raised.settle(actorId);
	}

	list(query: ListActors): ActorRecord[] {
		if (query.includeDestroyed !== true) {
			return this.#listWhere(query, "IS NULL");
		}
		if (query.name === undefined || query.key === undefined) {
			return this.#listWhere(query, undefined);
		}
		// Live and destroyed holders of a key have an index each.
		return [...this.#listWhere(query, "IS NULL"), ...this.#listWhere(query, "IS NOT NULL")]
			.sort((a, b) => b.createTs - a.createTs || compareText(b.actorId, a.actorId))
			.slice(0, Math.max(0, query.limit));
	}

	dueAlarms(nowMs: number, limit: number, after: AlarmPosition): AlarmPosition[] {
		const place = [after.alarmTs, toStoredText(after.actorId)];
		return this.#dueAlarms.all(...place, nowMs, Math.max(0, limit)).map((row) => ({
			actorId: fromStoredText(row.id as string),
			alarmTs: row.alarm_ts as number,
		}));
	}

	toResume(limit: number, after: string): string[] {
		const place = toStoredText(after);
		return this.#toResume
			.all(place, place, Math.max(0, limit))
			.map((row) => fromStoredText(row.id as string));
	}

	nextAlarmTs(): number | null {
		return (this.#nextAlarm.get()?.alarm_ts ?? null) as number | null;
	}

	#listWhere(query: ListActors, destroyed: string | undefined): ActorRecord[] {
		const conditions = ["namespace = ?"];
		const values: SqliteValue[] = [toStoredText(query.namespace)];
		if (query.name !== undefined) {
			conditions.push("name = ?");
			values.push(toStoredText(query.name));
		}
		if (query.key !== undefined) {
			conditions.push("key = ?");
			values.push(toStoredText(query.key));
		}
		if (destroyed !== undefined) {
			conditions.push(`destroy_ts ${destroyed}`);
		}
		if (query.before !== undefined) {
			conditions.push("(create_ts, id) < (?, ?)");
			values.push(query.before.createTs, toStoredText(query.before.actorId ?? ""));
		}
		const where = conditions.join(" AND ");
		let statement = this.#lists.get(where);
		if (statement === undefined) {
			statement = prepareListQuery(
				this.#connection,
				`SELECT ${COLUMNS} FROM actors WHERE ${where} ORDER BY create_ts DESC, id DESC LIMIT ?`,
			);
			this.#lists.set(where, statement);
		}
		return statement.all(...values, Math.max(0, query.limit)).map((row) => this.#record(row));
	}

	#record(row: SqliteValue[]): MutableRecord {
		const record = toRecord(row as ActorRow);
		const raised = this.#raised.get(record.actorId);
		if (raised !== undefined) {
			record.generation = raised.generation;
		}
		return record;
	}

	#updateOf(columns: readonly string[]): SqliteStatement {
		const assignments = columns.map((column) => `${column} = ?`).join(", ");
		let statement = this.#updates.get(assignments);
		if (statement === undefined) {
			statement = this.#connection.prepare(`UPDATE actors SET ${assignments} WHERE row_id = ?`);
			this.#updates.set(assignments, statement);
		}
		return statement;
	}
}

type MutableRecord = { -readonly [Field in keyof ActorRecord]: ActorRecord[Field] };

function toRecord(row: ActorRow): MutableRecord {
	const [
		,
		id,
		namespace,
		name,
		key,
		runnerNameSelector,
		crashPolicy,
		datacenter,
		input,
		createTs,
		generation,
		initialised,
		startTs,
		connectableTs,
		sleepTs,
		destroyTs,
		alarmTs,
		connected,
	] = row;
	return {
		actorId: fromStoredText(id),
		namespace: fromStoredText(namespace),
		name: fromStoredText(name),
		key: fromStoredText(key),
		runnerNameSelector: fromStoredText(runnerNameSelector),
		crashPolicy: fromStoredText(crashPolicy),
		datacenter: fromStoredText(datacenter),
		input,
		createTs,
		generation,
		initialised: initialised === 1,
		startTs,
		connectableTs,
		sleepTs,
		destroyTs,
		alarmTs,
		connected: connected === 1,
	};
}
