import type { Clock } from "@rivetkit/protocol";
import { StoreError } from "../store.ts";
import type { TombstoneLimits } from "../tombstones.ts";
import type { ReadConnections } from "./read-connections.ts";

/** Entries removed by one statement: what it locks and writes stays small. */
const ENTRIES_AT_ONCE = 1_000;
/** Tombstones dropped by one statement. */
const TOMBSTONES_AT_ONCE = 1_000;
/** How many destructions of this process may pass before tombstones are counted again, at most. */
const COUNT_EVERY = 1_000;
/** The part of the limit that there may be too many of once it is reached: counting reads all there are. */
const SLACK = 0.01;

/**
 * The rows are chosen before the first one is deleted, in a subquery that is no part of a join: a plan that asks a
 * joined one again for each row of the table finds others each time, as those that are deleted are skipped as locked,
 * and deletes all.
 */
export const DROP_OLD = `
DELETE FROM rivetkit.actors WHERE row_id = ANY (ARRAY(
	SELECT row_id FROM rivetkit.actors WHERE destroy_ts < $1
	ORDER BY destroy_ts, id LIMIT ${TOMBSTONES_AT_ONCE} FOR UPDATE SKIP LOCKED
))`;
/** Those beyond the newest \`$1\`, whoever deletes at the same time, and however often it is made. */
export const DROP_EXCESS = `
DELETE FROM rivetkit.actors WHERE row_id = ANY (ARRAY(
	SELECT row_id FROM rivetkit.actors WHERE destroy_ts IS NOT NULL AND (destroy_ts, id) <= (
		SELECT a.destroy_ts, a.id FROM rivetkit.actors AS a WHERE a.destroy_ts IS NOT NULL
		ORDER BY a.destroy_ts DESC, a.id DESC OFFSET $1 LIMIT 1
	)
	ORDER BY destroy_ts, id LIMIT ${TOMBSTONES_AT_ONCE} FOR UPDATE SKIP LOCKED
))`;

export interface RemovalsOptions {
	readonly clock: Clock;
	readonly tombstones: TombstoneLimits;
}

/** Removes what destroyed actors left, a little at a time and beside everything else. */
export class Removals {
	readonly #options: RemovalsOptions;
	readonly #reads: ReadConnections;
	/** Tombstones that may still be made here before they are counted again; unknown before the first count. */
	#room = 0;
	#running: Promise<void> | undefined;
	#again = false;
	#closed = false;

	constructor(options: RemovalsOptions, reads: ReadConnections) {
		this.#options = options;
		this.#reads = reads;
	}

	/** Goes on with what an earlier process had begun. */
	start(): void {
		this.look();
	}

	/**
	 * Drops tombstones that are too old or too many. Others' destructions are noticed now and then. The destruction
	 * is durable, whatever becomes of this: what it leaves goes with a later one.
	 */
	async destroyed(): Promise<void> {
		this.look();
		try {
			await this.#dropTombstones();
		} catch (error) {
			if (!(error instanceof StoreError)) {
				throw error;
			}
			this.#room = 0;
		}
	}

	async #dropTombstones(): Promise<void> {
		const { clock, tombstones } = this.#options;
		await this.#reads.query({
			name: "drop_old_tombstones",
			text: DROP_OLD,
			values: [clock.now() - tombstones.maxAgeMs],
		});
		if (this.#room > 0) {
			this.#room--;
			return;
		}
		const [row] = await this.#reads.query<{ count: number }>({
			text: "SELECT count(*) AS count FROM rivetkit.actors WHERE destroy_ts IS NOT NULL",
		});
		const { maxCount } = tombstones;
		const room = maxCount - row!.count;
		if (room < 0) {
			await this.#reads.query({ text: DROP_EXCESS, values: [maxCount] });
		}
		// More than one statement drops is dropped with the next destructions.
		const slack = room < -TOMBSTONES_AT_ONCE ? 0 : Math.floor(maxCount * SLACK);
		this.#room = Math.min(COUNT_EVERY, Math.max(slack, room));
	}

	/** There may be something to remove. */
	look(): void {
		if (this.#closed) {
			return;
		}
		if (this.#running !== undefined) {
			this.#again = true;
			return;
		}
		this.#running = this.#removeAll().finally(() => {
			this.#running = undefined;
			if (this.#again) {
				this.#again = false;
				this.look();
			}
		});
	}

	async close(): Promise<void> {
		this.#closed = true;
		await this.#running;
	}

	/** Several processes may do this at the same time; each takes other actors. */
	async #removeAll(): Promise<void> {
		try {
			for (let more = true; more && !this.#closed; ) {
				const rows = await this.#reads.query<{ entries: number }>({
					name: "remove_entries",
					text: `
WITH r AS (SELECT actor FROM rivetkit.removals ORDER BY actor LIMIT 1 FOR UPDATE SKIP LOCKED),
gone AS (
	DELETE FROM rivetkit.kv WHERE (actor, key) IN (
		SELECT k.actor, k.key FROM rivetkit.kv AS k JOIN r USING (actor) LIMIT ${ENTRIES_AT_ONCE}
	) RETURNING 1
), counted AS (SELECT count(*) AS entries FROM gone), done AS (
	DELETE FROM rivetkit.removals USING r, counted
	WHERE removals.actor = r.actor AND counted.entries < ${ENTRIES_AT_ONCE}
)
SELECT entries FROM counted, r`,
				});
				more = rows.length > 0;
			}
		} catch (error) {
			// What is left is noted in the tables: the next removal or start goes on with it.
			if (!(error instanceof StoreError)) {
				throw error;
			}
		}
	}
}
