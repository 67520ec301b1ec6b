import type { PoolName } from "../../common/pool-state.ts";
import type { ActorRecord } from "../store.ts";
import { fromStoredText, toStoredText } from "../stored-values.ts";
import { type ConnectOptions, PostgresConnection } from "./connection.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { acquiredUnder, RECORD_COLUMNS, type RecordRow, toRecord } from "./records.ts";
import { RoundTrips } from "./round-trips.ts";
import { HAS_LIVE_OWNER } from "./write-statements.ts";

/** What a node says of itself. */
export interface NodeDescription {
	/** For people. */
	readonly name: string;
	/** Where other nodes reach it: `host:port`. */
	readonly address: string;
	readonly version: string;
	/** Names of the actors that it runs, and {@link poolTag}s of the pools that it has runners of. */
	readonly names: readonly string[];
}

/** How a pool is told from a name of actors where nodes say what they run. */
export function poolTag(pool: { readonly namespace: string; readonly pool: string }): string {
	return `${POOL_MARK}${pool.namespace}${POOL_MARK}${pool.pool}`;
}

/** A control character, which no name of an actor has. */
const POOL_MARK = "\u001f";

/** A node whose lease had not ended when it was read. */
export interface NodeRow extends NodeDescription {
	/** One life of a node; a greater one began later. */
	readonly epoch: number;
	/** Actors that it ran when it last renewed its lease. */
	readonly actors: number;
	readonly isDraining: boolean;
}

/** An actor as it was acquired. */
export type Acquired = Pick<ActorRecord, "actorId" | "generation">;

/** Where an actor is. */
export type Whereabouts =
	| { readonly kind: "unknown" }
	/** Nobody who lives runs it; one that died did if it `isLeft`. */
	| {
			readonly kind: "free";
			readonly name: string;
			readonly namespace: string;
			readonly pool: string;
			readonly isLeft: boolean;
			/** It has crashed, and is started again then (ms since the epoch); null for one without a pause. */
			readonly pausedUntilTs: number | null;
	  }
	| { readonly kind: "owned"; readonly epoch: number };

/**
 * What nodes tell each other through the database, so that nobody has to wait for the next look at it. Hints may be
 * lost: whatever they are about is looked at anyway, a little later.
 *
 * - `nodes`: one has come, goes, or is gone
 * - `alarms`: some are due, or will be, that the node that tells does not take itself
 * - `left`: the node that tells has let go of actors that may be to run; those of a version before this do not know it
 */
export type Hint = "nodes" | "alarms" | "left";
const HINTS: readonly string[] = ["nodes", "alarms", "left"] satisfies Hint[];
const CHANNEL = "rivetkit";

/** How long an actor that was woken for its alarm is left to deal with it (ms). */
const WAKE_AGAIN_MS = 1_000;
/** Cut off, not rounded: half a millisecond before its time nothing is due. */
const NOW_MS = "floor(extract(epoch FROM clock_timestamp()) * 1000)::int8";
/**
 * The same when the statement came. What may change from row to row bounds no index: with `clock_timestamp()` each look
 * for due alarms read every actor.
 */
const ASKED_MS = "floor(extract(epoch FROM statement_timestamp()) * 1000)::int8";

/** {@link poolTag} of an actor. */
const POOL_TAG = `('${POOL_MARK}' || a.namespace || '${POOL_MARK}' || a.runner_name_selector)`;

/**
 * Whether an actor that is due is one that a node runs, by name or by pool (parameter), and that nobody has. The planner
 * takes a CASE for as good as true; of plain conditions it would think that they leave nothing, so that all that are due
 * have to be read and sorted, whatever the limit.
 */
const IS_FREE_FOR = (parameter: number) =>
	`CASE WHEN a.name = ANY ($${parameter})
		OR ${POOL_TAG} = ANY ($${parameter})
	THEN a.owner IS NULL OR NOT ${HAS_LIVE_OWNER} ELSE false END`;

/** Whether an actor is to run, whoever has it: it did not fall asleep. */
const IS_TO_RUN = "a.crash_policy = 'restart' AND a.sleep_ts IS NULL AND a.destroy_ts IS NULL";

interface RawNode {
	[column: string]: unknown;
	readonly epoch: number;
	readonly name: string;
	readonly address: string;
	readonly version: string;
	readonly names: string[];
	readonly actors: number;
	readonly is_draining: boolean;
}

/** Leases, and what hangs on them. Times are the database's own. */
export class NodeRows {
	readonly #store: PostgresStore;
	readonly #connectOptions: ConnectOptions;
	#connection: PostgresConnection | undefined;
	/** One for all that ask while there is no session. */
	#opening: Promise<PostgresConnection> | undefined;
	#isClosed = false;
	readonly roundTrips = new RoundTrips();
	/** Told of hints of other nodes, and of all kinds when some may have been missed. */
	onHint: (hint: Hint) => void = () => {};

	/** @param connectOptions - of a session of its own: a renewal must not wait behind anything */
	constructor(store: PostgresStore, connectOptions: ConnectOptions) {
		this.#store = store;
		this.#connectOptions = connectOptions;
	}

	/** Begins a life. */
	async register(
		node: NodeDescription,
		leaseMs: number,
	): Promise<{ epoch: number; nowMs: number }> {
		const [row] = await this.#query<{ epoch: number; now: number }>(
			"INSERT INTO rivetkit.nodes (name, address, version, names, lease_until) " +
				"VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5 / 1000.0)) " +
				`RETURNING epoch, ${NOW_MS} AS now`,
			[node.name, node.address, node.version, node.names, leaseMs],
		);
		return { epoch: row!.epoch, nowMs: row!.now };
	}

	/** Prolongs the lease and tells who else lives. `isHeld` is false when the lease had ended. */
	async renew(
		epoch: number,
		state: {
			readonly actors: number;
			readonly isDraining: boolean;
			readonly names: readonly string[];
		},
		leaseMs: number,
	): Promise<{ isHeld: boolean; nowMs: number; nodes: NodeRow[] }> {
		const rows = await this.#query<RawNode & { now: number; renewed: boolean }>(
			"WITH renewed AS (UPDATE rivetkit.nodes SET actors = $2, is_draining = $3, names = $4, " +
				"lease_until = clock_timestamp() + make_interval(secs => $5 / 1000.0) " +
				"WHERE epoch = $1 AND lease_until > clock_timestamp() RETURNING epoch) " +
				`SELECT n.*, ${NOW_MS} AS now, EXISTS (SELECT FROM renewed) AS renewed ` +
				"FROM (SELECT 1) AS one LEFT JOIN rivetkit.nodes AS n ON n.lease_until > clock_timestamp()",
			[epoch, state.actors, state.isDraining, state.names, leaseMs],
		);
		return {
			isHeld: rows[0]!.renewed,
			nowMs: rows[0]!.now,
			nodes: rows.filter((row) => row.epoch !== null && row.epoch !== epoch).map(toNode),
		};
	}

	/** Ends the life: whatever it owned is free at once. */
	async leave(epoch: number): Promise<void> {
		await this.#query("DELETE FROM rivetkit.nodes WHERE epoch = $1", [epoch]);
	}

	/** Removes nodes whose lease has ended; each is told to one caller. */
	async reap(): Promise<number> {
		const rows = await this.#query(
			"DELETE FROM rivetkit.nodes WHERE epoch IN (SELECT epoch FROM rivetkit.nodes " +
				"WHERE lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED) RETURNING epoch",
			[],
		);
		return rows.length;
	}

	async secret(): Promise<string> {
		const [row] = await this.#query<{ value: string }>(
			"SELECT value FROM rivetkit.meta WHERE name = 'secret'",
			[],
		);
		return row!.value;
	}

	async whereIs(actorId: string): Promise<Whereabouts> {
		const [row] = await this.#store.query<{
			name: string;
			namespace: string;
			pool: string;
			owner: number | null;
			left: boolean;
			paused: number | null;
		}>(
			"SELECT a.name, a.namespace, a.runner_name_selector AS pool, a.owner IS NOT NULL AS left, " +
				`CASE WHEN a.wake_after > ${NOW_MS} AND ${IS_TO_RUN} THEN a.wake_after END AS paused, ` +
				`CASE WHEN ${HAS_LIVE_OWNER} THEN a.owner END AS owner ` +
				"FROM rivetkit.actors AS a WHERE a.id = $1 AND a.destroy_ts IS NULL",
			[toStoredText(actorId)],
			"where_is",
		);
		if (row === undefined) {
			return { kind: "unknown" };
		}
		const { name, namespace, pool, owner, left, paused } = row;
		return owner === null
			? { kind: "free", name, namespace, pool, isLeft: left, pausedUntilTs: paused }
			: { kind: "owned", epoch: owner };
	}

	/** Those of these actors that a node has which lives, and is not of this epoch. */
	async ownedByOthers(
		actorIds: readonly string[],
		epoch: number | undefined,
	): Promise<ReadonlySet<string>> {
		const rows = await this.#store.query<{ id: string }>(
			`SELECT a.id FROM rivetkit.actors AS a WHERE a.id = ANY ($1) AND ${HAS_LIVE_OWNER} ` +
				"AND a.owner IS DISTINCT FROM $2",
			[actorIds.map(toStoredText), epoch ?? null],
			"owned_by_others",
		);
		return new Set(rows.map(({ id }) => fromStoredText(id)));
	}

	/**
	 * Takes actors whose alarm is due and that nobody runs, earliest first, as `acquire` does. Who gets one
	 * is alone with it; others skip it. `takeOvers`: how many of them a node had that died. When it rejects it may have taken
	 * some all the same: see {@link dueOf}.
	 *
	 * @param without - pools whose actors are left alone
	 *
	 * Planned each time, as {@link nextDue} is: a plan that is kept counts on the rows of an unknown limit, and sorts all
	 * that are due.
	 */
	async claimDue(
		epoch: number,
		names: readonly string[],
		limit: number,
		without: readonly PoolName[] = [],
	): Promise<{ readonly actors: ActorRecord[]; readonly takeOvers: number }> {
		const rows = await this.#store.queryOnce<RecordRow & { left: boolean }>(
			`WITH due AS (
				SELECT a.row_id, a.owner FROM rivetkit.actors AS a
				WHERE a.alarm_ts IS NOT NULL AND a.alarm_ts <= ${ASKED_MS} AND a.wake_after <= ${ASKED_MS}
					AND ${IS_FREE_FOR(2)} AND ${POOL_TAG} <> ALL ($4)
				ORDER BY a.alarm_ts, a.id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
			)
			UPDATE rivetkit.actors AS a
			SET generation = a.generation + 1, owner = $1, wake_after = ${ASKED_MS} + ${WAKE_AGAIN_MS}
			FROM due WHERE a.row_id = due.row_id
			RETURNING ${RECORD_COLUMNS}, due.owner IS NOT NULL AS left`,
			[epoch, names, limit, without.map(poolTag)],
		);
		const actors = rows.map((row) => acquiredUnder(epoch, toRecord(row)));
		return { actors, takeOvers: rows.filter(({ left }) => left).length };
	}

	/** Actors with a due alarm that a node has, be they run or not. */
	async dueOf(epoch: number): Promise<readonly Acquired[]> {
		const rows = await this.#store.query<{ id: string; generation: number }>(
			"SELECT a.id, a.generation FROM rivetkit.actors AS a " +
				`WHERE a.alarm_ts IS NOT NULL AND a.alarm_ts <= ${ASKED_MS} AND a.owner = $1`,
			[epoch],
		);
		return rows.map(({ id, generation }) => ({ actorId: fromStoredText(id), generation }));
	}

	/** When the first alarm after now is due, of actors that nobody runs, if that is within `withinMs`. */
	async nextDue(names: readonly string[], withinMs: number): Promise<number | null> {
		const [row] = await this.#store.query<{ alarm_ts: number }>(
			`SELECT a.alarm_ts FROM rivetkit.actors AS a
			WHERE a.alarm_ts > ${ASKED_MS} AND a.alarm_ts <= ${ASKED_MS} + $2 AND a.wake_after <= a.alarm_ts
				AND ${IS_FREE_FOR(1)}
			ORDER BY a.alarm_ts, a.id LIMIT 1`,
			[names, withinMs],
		);
		return row?.alarm_ts ?? null;
	}

	/** Tells the other nodes. */
	async hint(hint: Hint): Promise<void> {
		await this.#query("SELECT pg_notify($1, $2)", [CHANNEL, hint]);
	}

	/**
	 * Leaves an actor's due alarm alone until then (ms since the epoch), unless it gets another one. Does nothing when
	 * somebody has acquired it since this generation: what is late must not hold back what a newer incarnation has set.
	 */
	async postpone(actorId: string, generation: number, untilMs: number): Promise<void> {
		await this.#store.query(
			"UPDATE rivetkit.actors SET wake_after = $3 WHERE id = $1 AND generation = $2",
			[toStoredText(actorId), generation, untilMs],
			"postpone",
		);
	}

	/**
	 * Actors that are to run and that nobody runs, of these names, among the next `limit` rows after a place; and the place
	 * behind those, null at the end. To run are those with crash policy `restart` which have not fallen asleep; one that has a
	 * pause first does not count, but the first of their ends does.
	 */
	async leftRunning(
		names: readonly string[],
		limit: number,
		after: number,
	): Promise<{
		readonly actors: readonly (PoolName & { readonly actorId: string })[];
		readonly pausedUntilTs: number | null;
		readonly next: number | null;
	}> {
		const [row] = await this.#store.query<{
			last: number | null;
			count: number;
			ids: string[] | null;
			namespaces: string[] | null;
			pools: string[] | null;
			paused: number | null;
		}>(
			`WITH page AS (
				SELECT a.row_id, a.id, a.namespace, a.runner_name_selector, a.wake_after, ${IS_TO_RUN} AND ${IS_FREE_FOR(1)} AS is_left
				FROM rivetkit.actors AS a WHERE a.row_id > $2 ORDER BY a.row_id LIMIT $3
			)
			SELECT max(row_id) AS last, count(*)::int AS count,
				array_agg(id ORDER BY row_id) FILTER (WHERE is_left AND wake_after <= ${ASKED_MS}) AS ids,
				array_agg(namespace ORDER BY row_id) FILTER (WHERE is_left AND wake_after <= ${ASKED_MS}) AS namespaces,
				array_agg(runner_name_selector ORDER BY row_id) FILTER (WHERE is_left AND wake_after <= ${ASKED_MS}) AS pools,
				min(wake_after) FILTER (WHERE is_left AND wake_after > ${ASKED_MS}) AS paused
			FROM page`,
			[names, after, limit],
		);
		const { last, count, ids, namespaces, pools, paused } = row!;
		return {
			actors: (ids ?? []).map((id, index) => ({
				actorId: fromStoredText(id),
				namespace: fromStoredText(namespaces![index]!),
				pool: fromStoredText(pools![index]!),
			})),
			pausedUntilTs: paused,
			next: count < limit ? null : last,
		};
	}

	/** Actors that store connections and that nobody runs, in order, strictly after `after`. */
	async restingWithConnections(limit: number, after: string): Promise<string[]> {
		const rows = await this.#store.query<{ id: string }>(
			"SELECT a.id FROM rivetkit.actors AS a WHERE a.connected AND a.id > $1 " +
				`AND (a.owner IS NULL OR NOT ${HAS_LIVE_OWNER}) ORDER BY a.id LIMIT $2`,
			[toStoredText(after), limit],
		);
		return rows.map(({ id }) => id);
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		// Whoever asked for it is told.
		await this.#opening?.catch(() => {});
		await this.#connection?.close();
	}

	/** Opens the session, unless it is open. */
	async connect(): Promise<void> {
		await this.#open();
	}

	async #query<R extends Record<string, unknown>>(
		text: string,
		values: readonly unknown[],
	): Promise<R[]> {
		const connection = await this.#open();
		return this.roundTrips.measure(() => connection.query<R>({ text, values }));
	}

	async #open(): Promise<PostgresConnection> {
		if (this.#connection !== undefined && this.#connection.lost === undefined) {
			return this.#connection;
		}
		this.#opening ??= this.#openOnce().finally(() => {
			this.#opening = undefined;
		});
		return this.#opening;
	}

	async #openOnce(): Promise<PostgresConnection> {
		if (this.#isClosed) {
			throw new Error("the node's session is closed");
		}
		const isFirst = this.#connection === undefined;
		const connection = await PostgresConnection.open({
			...this.#connectOptions,
			onNotification: (payload) => {
				if (HINTS.includes(payload)) {
					this.onHint(payload as Hint);
				}
			},
		});
		try {
			await connection.query({ text: `LISTEN ${CHANNEL}` });
		} catch (error) {
			connection.destroy();
			throw error;
		}
		this.#connection = connection;
		if (!isFirst) {
			for (const hint of HINTS) {
				this.onHint(hint as Hint);
			}
		}
		return connection;
	}
}

function toNode(row: RawNode): NodeRow {
	const { epoch, name, address, version, names, actors } = row;
	return { epoch, name, address, version, names, actors, isDraining: row.is_draining };
}
