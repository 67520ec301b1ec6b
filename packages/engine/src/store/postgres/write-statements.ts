import { fromStoredText, toStoredText } from "../stored-values.ts";
import { byteaArray, int8Array, textArray } from "./binary-array.ts";
import type { Row, Statement } from "./connection.ts";
import { acquiredUnder, RECORD_COLUMNS, type RecordRow, toRecord } from "./records.ts";
import type { Outcome, Write, WriteKind } from "./write-calls.ts";

/** One statement for several writes of a kind, each to another actor, and how to read its answer. */
export interface WriteStatement {
	readonly statement: Statement;
	/** Of each write, in their order. */
	readonly outcomes: (rows: readonly Row[]) => Outcome[];
}

const DONE: Outcome = { kind: "done" };
const STALE: Outcome = { kind: "stale" };

/** Who writes, and how many commits of the same transaction came before: so that refusals can be read back. */
export interface Turn {
	readonly writer: number;
	readonly commitsBefore: number;
}

export function writeStatement(
	kind: WriteKind,
	writes: readonly Write[],
	turn: Turn,
): WriteStatement {
	switch (kind) {
		case "insert":
			return insertStatement(writes as Extract<Write, { kind: "insert" }>[]);
		case "commit":
			return commitStatement(writes as Commit[], turn);
		case "acquire":
			return acquireStatement(writes as Extract<Write, { kind: "acquire" }>[]);
		case "release":
			return releaseStatement(writes as Extract<Write, { kind: "release" }>[]);
		case "discard":
			return discardStatement(writes as Extract<Write, { kind: "discard" }>[]);
	}
}

/*
 * Actors are looked up one by one, in subqueries that the planner cannot turn into something else: without fresh
 * statistics (a table that grows fast) it would read the whole table for a join.
 */
const BY_ID = (columns: string) => `CROSS JOIN LATERAL (
	SELECT ${columns} FROM rivetkit.actors AS x WHERE x.id = w.id FOR NO KEY UPDATE
) AS h`;

const INSERT = `
WITH wanted AS (
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
		$8::bytea[], $9::int8[], $10::int8[], $11::int8[]) WITH ORDINALITY
		AS t(id, namespace, name, key, runner_name_selector, crash_policy, datacenter, input, create_ts,
			generation, owner, i)
), a AS (
	INSERT INTO rivetkit.actors (id, namespace, name, key, runner_name_selector, crash_policy, datacenter,
		input, create_ts, generation, owner)
	SELECT id, namespace, name, key, runner_name_selector, crash_policy, datacenter, input, create_ts,
		generation, owner
	FROM wanted ORDER BY i
	ON CONFLICT DO NOTHING
	RETURNING *
), named AS (
	INSERT INTO rivetkit.names (namespace, name) SELECT DISTINCT namespace, name FROM a
	ON CONFLICT DO NOTHING
)
SELECT true AS created, ${RECORD_COLUMNS} FROM a
UNION ALL
SELECT false, ${RECORD_COLUMNS}
FROM (SELECT DISTINCT namespace, name, key FROM wanted) AS w
CROSS JOIN LATERAL (
	SELECT * FROM rivetkit.actors AS a
	WHERE a.namespace = w.namespace AND a.name = w.name AND a.key = w.key AND a.destroy_ts IS NULL
	LIMIT 1
) AS a`;

function insertStatement(writes: readonly Extract<Write, { kind: "insert" }>[]): WriteStatement {
	const texts = (of: (write: (typeof writes)[number]) => string) =>
		textArray(writes.map((write) => toStoredText(of(write))));
	return {
		statement: {
			name: "insert",
			text: INSERT,
			values: [
				texts(({ actor }) => actor.actorId),
				texts(({ actor }) => actor.namespace),
				texts(({ actor }) => actor.name),
				texts(({ actor }) => actor.key),
				texts(({ actor }) => actor.runnerNameSelector),
				texts(({ actor }) => actor.crashPolicy),
				texts(({ actor }) => actor.datacenter),
				byteaArray(writes.map(({ actor }) => actor.input)),
				int8Array(writes.map(({ actor }) => actor.createTs)),
				int8Array(writes.map(({ generation }) => generation)),
				int8Array(writes.map(({ owner }) => owner)),
			],
		},
		outcomes(rows) {
			const records = (rows as unknown as (RecordRow & { created: boolean })[]).map((row) => ({
				created: row.created,
				actor: toRecord(row),
			}));
			const byId = new Map(
				records.filter(({ created }) => created).map((one) => [one.actor.actorId, one.actor]),
			);
			const byKey = new Map(records.map(({ actor }) => [liveKeyOf(actor), actor]));
			return writes.map(({ actor: { actorId, ...place }, owner }): Outcome => {
				const created = byId.get(actorId);
				if (created !== undefined && liveKeyOf(created) === liveKeyOf(place)) {
					const result = { created: true, actor: acquiredUnder(owner, created) };
					return { kind: "inserted", result };
				}
				const holder = byKey.get(liveKeyOf(place));
				return holder === undefined
					? { kind: "unsettled" }
					: { kind: "inserted", result: { created: false, actor: { ...holder } } };
			});
		},
	};
}

export function liveKeyOf(actor: { namespace: string; name: string; key: string }): string {
	return JSON.stringify([actor.namespace, actor.name, actor.key]);
}

/** Whose owner, if it has one, lives: `a` is the actor's row. */
export const HAS_LIVE_OWNER =
	"EXISTS (SELECT FROM rivetkit.nodes AS n WHERE n.epoch = a.owner AND n.lease_until > clock_timestamp())";

const ACQUIRE = `
UPDATE rivetkit.actors AS a SET generation = a.generation + 1, owner = t.next_owner
FROM (
	SELECT h.row_id, w.owner AS next_owner FROM unnest($1::text[], $2::int8[]) AS w(id, owner) ${BY_ID("x.row_id")}
) AS t
WHERE a.row_id = t.row_id AND a.destroy_ts IS NULL
	AND (a.owner IS NULL OR t.next_owner IS NULL OR a.owner = t.next_owner OR NOT ${HAS_LIVE_OWNER})
RETURNING ${RECORD_COLUMNS}`;

function acquireStatement(writes: readonly Extract<Write, { kind: "acquire" }>[]): WriteStatement {
	return {
		statement: {
			name: "acquire",
			text: ACQUIRE,
			values: [
				textArray(writes.map(({ actorId }) => toStoredText(actorId))),
				int8Array(writes.map(({ owner }) => owner)),
			],
		},
		outcomes(rows) {
			const records = new Map((rows as RecordRow[]).map((row) => [fromStoredText(row.id), row]));
			return writes.map(({ actorId, owner }) => {
				const row = records.get(actorId);
				return row === undefined
					? STALE
					: { kind: "acquired", record: acquiredUnder(owner, toRecord(row)) };
			});
		},
	};
}

const RELEASE = `
UPDATE rivetkit.actors AS a SET owner = NULL
FROM (
	SELECT h.row_id FROM unnest($1::text[], $2::int8[]) AS w(id, generation)
	CROSS JOIN LATERAL (
		SELECT x.row_id FROM rivetkit.actors AS x
		WHERE x.id = w.id AND x.generation = w.generation AND x.owner IS NOT NULL FOR NO KEY UPDATE
	) AS h
) AS t
WHERE a.row_id = t.row_id`;

function releaseStatement(writes: readonly Extract<Write, { kind: "release" }>[]): WriteStatement {
	return {
		statement: { name: "release", text: RELEASE, values: generations(writes) },
		outcomes: () => writes.map(() => DONE),
	};
}

const DISCARD = `
WITH a AS (
	DELETE FROM rivetkit.actors AS a USING (
		SELECT h.row_id, w.generation FROM unnest($1::text[], $2::int8[]) AS w(id, generation) ${BY_ID("x.row_id")}
	) AS t
	WHERE a.row_id = t.row_id AND a.generation = t.generation AND NOT a.initialised AND a.destroy_ts IS NULL
	RETURNING a.row_id
)
INSERT INTO rivetkit.removals SELECT row_id FROM a`;

function discardStatement(writes: readonly Extract<Write, { kind: "discard" }>[]): WriteStatement {
	return {
		statement: { name: "discard", text: DISCARD, values: generations(writes) },
		outcomes: () => writes.map(() => DONE),
	};
}

function generations(writes: readonly { readonly actorId: string; readonly generation: number }[]) {
	return [
		textArray(writes.map(({ actorId }) => toStoredText(actorId))),
		int8Array(writes.map(({ generation }) => generation)),
	];
}

/** What a commit says about the actor's row, as bits. */
const SAYS = {
	initialised: 1,
	startTs: 2,
	connectableTs: 4,
	sleepTs: 8,
	connected: 16,
	isConnected: 32,
	alarmTs: 64,
	destroyTs: 128,
	endsImport: 256,
} as const;

type Commit = Extract<Write, { kind: "commit" }>;

function saysOf({ batch: { record, alarmTs, destroyTs }, endsImport }: Commit): number {
	return (
		(record?.initialised === undefined ? 0 : SAYS.initialised) |
		(record?.startTs === undefined ? 0 : SAYS.startTs) |
		(record?.connectableTs === undefined ? 0 : SAYS.connectableTs) |
		(record?.sleepTs === undefined ? 0 : SAYS.sleepTs) |
		(record?.connected === undefined ? 0 : SAYS.connected) |
		(record?.connected ? SAYS.isConnected : 0) |
		(alarmTs === undefined ? 0 : SAYS.alarmTs) |
		(destroyTs === undefined ? 0 : SAYS.destroyTs) |
		(endsImport ? SAYS.endsImport : 0)
	);
}

/**
 * Parts of a commit, each left out where no batch needs it. All see the tables as they were before the
 * statement; `held` locks the rows of the actors whose generation is right, and the others hang on it.
 */
const PUT = (at: number) => `, put AS (
	INSERT INTO rivetkit.kv (actor, key, value)
	SELECT h.row_id, p.key, p.value
	FROM unnest($${at}::int8[], $${at + 1}::bytea[], $${at + 2}::bytea[]) AS p(i, key, value)
	JOIN held AS h USING (i)
	ON CONFLICT (actor, key) DO UPDATE SET value = excluded.value, put_ts = NULL
)`;
/** The same, where some of the batches say when. */
const PUT_TIMED = (at: number) => `, put AS (
	INSERT INTO rivetkit.kv (actor, key, value, put_ts)
	SELECT h.row_id, p.key, p.value, p.put_ts
	FROM unnest($${at}::int8[], $${at + 1}::bytea[], $${at + 2}::bytea[], $${at + 3}::int8[]) AS p(i, key, value, put_ts)
	JOIN held AS h USING (i)
	ON CONFLICT (actor, key) DO UPDATE SET value = excluded.value, put_ts = excluded.put_ts
)`;
const DELETE = (at: number) => `, deleted AS (
	DELETE FROM rivetkit.kv AS k
	USING unnest($${at}::int8[], $${at + 1}::bytea[]) AS d(i, key) JOIN held AS h USING (i)
	WHERE k.actor = h.row_id AND k.key = d.key
)`;
/** Keys that are put (from parameter `puts` on) stay: they are overwritten. */
const CLEAR = (at: number, puts: number | null) => `, cleared AS (
	DELETE FROM rivetkit.kv AS k
	USING unnest($${at}::int8[], $${at + 1}::bytea[], $${at + 2}::bytea[]) AS r(i, lower, upper)
	JOIN held AS h USING (i)
	WHERE k.actor = h.row_id AND k.key >= r.lower AND (r.upper IS NULL OR k.key < r.upper)${
		puts === null
			? ""
			: `
	AND NOT EXISTS (
		SELECT FROM unnest($${puts}::int8[], $${puts + 1}::bytea[]) AS p(i, key)
		WHERE p.i = r.i AND p.key = k.key
	)`
	}
)`;
const CHANGE = (at: number) => `, changed AS (
	UPDATE rivetkit.actors AS a SET
		initialised = a.initialised OR c.says & ${SAYS.initialised} <> 0,
		start_ts = CASE WHEN c.says & ${SAYS.startTs} <> 0 THEN c.start_ts ELSE a.start_ts END,
		connectable_ts = CASE WHEN c.says & ${SAYS.connectableTs} <> 0 THEN c.connectable_ts
			ELSE a.connectable_ts END,
		sleep_ts = CASE WHEN c.says & ${SAYS.sleepTs} <> 0 THEN c.sleep_ts ELSE a.sleep_ts END,
		connected = CASE WHEN c.says & ${SAYS.destroyTs} <> 0 THEN false
			WHEN c.says & ${SAYS.connected} <> 0 THEN c.says & ${SAYS.isConnected} <> 0 ELSE a.connected END,
		alarm_ts = CASE WHEN c.says & ${SAYS.destroyTs} <> 0 THEN NULL
			WHEN c.says & ${SAYS.alarmTs} <> 0 THEN c.alarm_ts ELSE a.alarm_ts END,
		wake_after = CASE WHEN c.says & ${SAYS.alarmTs} <> 0 THEN 0 ELSE a.wake_after END,
		destroy_ts = CASE WHEN c.says & ${SAYS.destroyTs} <> 0 THEN c.destroy_ts ELSE a.destroy_ts END,
		owner = CASE WHEN c.says & ${SAYS.destroyTs} <> 0 OR (c.says & ${SAYS.sleepTs} <> 0 AND c.sleep_ts IS NOT NULL)
			THEN NULL ELSE a.owner END,
		input = CASE WHEN c.says & ${SAYS.destroyTs} <> 0 THEN NULL ELSE a.input END,
		generation = CASE WHEN c.says & ${SAYS.endsImport} <> 0 THEN 0 ELSE a.generation END
	FROM unnest($${at}::int8[], $${at + 1}::int8[], $${at + 2}::int8[], $${at + 3}::int8[], $${at + 4}::int8[],
		$${at + 5}::int8[], $${at + 6}::int8[])
		AS c(i, says, start_ts, connectable_ts, sleep_ts, alarm_ts, destroy_ts)
	JOIN held AS h USING (i)
	WHERE a.row_id = h.row_id
	RETURNING a.row_id, a.namespace, a.name, a.destroy_ts
)`;
const DESTROY = `, removed AS (
	INSERT INTO rivetkit.removals SELECT row_id FROM changed WHERE destroy_ts IS NOT NULL
), kept AS (
	UPDATE rivetkit.names AS n SET kept = true
	FROM (SELECT DISTINCT namespace, name FROM changed WHERE destroy_ts IS NOT NULL) AS d
	WHERE n.namespace = d.namespace AND n.name = d.name AND NOT n.kept
)`;
const HELD = `WITH held AS MATERIALIZED (
	SELECT w.i, h.row_id FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY AS w(id, generation, i)
	CROSS JOIN LATERAL (
		SELECT x.row_id FROM rivetkit.actors AS x
		WHERE x.id = w.id AND x.generation = w.generation AND x.destroy_ts IS NULL FOR NO KEY UPDATE
	) AS h
), noted AS (
	UPDATE rivetkit.writers AS w SET refused = w.refused || r.missing
	FROM (
		SELECT array_agg($5::int8 + i) AS missing FROM generate_series(1, $3::int8) AS g(i)
		WHERE i NOT IN (SELECT held.i FROM held)
	) AS r
	WHERE w.id = $4::int8 AND r.missing IS NOT NULL
)`;

function commitStatement(writes: readonly Commit[], turn: Turn): WriteStatement {
	const values: unknown[] = [
		textArray(writes.map(({ batch }) => toStoredText(batch.actorId))),
		int8Array(writes.map(({ batch }) => batch.generation)),
		writes.length,
		turn.writer,
		turn.commitsBefore,
	];
	let text = HELD;
	let name = "commit";
	const add = (tag: string, sql: string, ...more: unknown[]) => {
		text += sql;
		name += tag;
		values.push(...more);
	};
	const flat = <T>(of: (write: Commit) => readonly T[]) =>
		writes.flatMap((write, index) => of(write).map((item) => [index + 1, item] as const));

	const puts = flat(({ effect }) => effect.puts);
	const putsAt = puts.length > 0 ? values.length + 1 : null;
	if (putsAt !== null) {
		const isTimed = writes.some(({ batch }) => batch.putTs !== undefined);
		const times = () => int8Array(puts.map(([i]) => writes[i - 1]!.batch.putTs ?? null));
		add(
			isTimed ? "_puttimed" : "_put",
			(isTimed ? PUT_TIMED : PUT)(putsAt),
			int8Array(puts.map(([i]) => i)),
			byteaArray(puts.map(([, [key]]) => key)),
			byteaArray(puts.map(([, [, value]]) => value)),
			...(isTimed ? [times()] : []),
		);
	}
	const deletes = flat(({ effect }) => effect.deletes);
	if (deletes.length > 0) {
		add(
			"_delete",
			DELETE(values.length + 1),
			int8Array(deletes.map(([i]) => i)),
			byteaArray(deletes.map(([, key]) => key)),
		);
	}
	const ranges = flat(({ effect }) => effect.ranges);
	if (ranges.length > 0) {
		add(
			"_clear",
			CLEAR(values.length + 1, putsAt),
			int8Array(ranges.map(([i]) => i)),
			byteaArray(ranges.map(([, [start]]) => start)),
			byteaArray(ranges.map(([, [, end]]) => end)),
		);
	}
	const changes = writes
		.map((write, index) => ({ i: index + 1, says: saysOf(write), batch: write.batch }))
		.filter(({ says }) => says !== 0);
	if (changes.length > 0) {
		add(
			"_change",
			CHANGE(values.length + 1),
			int8Array(changes.map(({ i }) => i)),
			int8Array(changes.map(({ says }) => says)),
			int8Array(changes.map(({ batch }) => batch.record?.startTs ?? null)),
			int8Array(changes.map(({ batch }) => batch.record?.connectableTs ?? null)),
			int8Array(changes.map(({ batch }) => batch.record?.sleepTs ?? null)),
			int8Array(changes.map(({ batch }) => batch.alarmTs ?? null)),
			int8Array(changes.map(({ batch }) => batch.destroyTs ?? null)),
		);
		if (changes.some(({ says }) => (says & SAYS.destroyTs) !== 0)) {
			add("_destroy", DESTROY);
		}
	}
	return {
		statement: { name, text: `${text} SELECT i FROM held`, values },
		outcomes(rows) {
			const held = new Set(rows.map(({ i }) => i as number));
			return writes.map((_, index) => (held.has(index + 1) ? DONE : STALE));
		},
	};
}
