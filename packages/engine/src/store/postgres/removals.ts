import type { Clock } from "@rivetkit/protocol";
import { StoreError } from "../store.ts";
import type { TombstoneLimits } from "../tombstones.ts";
import type { ReadConnections } from "./read-connections.ts";

/** Entries removed by one statement: what it locks and writes stays small. */
const ENTRIES_AT_ONCE = 1_000;
/** Tombstones dropped by one statement. */
const TOMBSTONES_AT_ONCE = 1_000;
/** How many destructions of this process may pass before tombstones are counted again. */
const COUNT_EVERY = 1_000;

export interface RemovalsOptions {
	readonly clock: Clock;
	readonly tombstones: TombstoneLimits;
}

/** Removes what destroyed actors left, a little at a time and beside everything else. */
export class Removals {
	readonly #options: RemovalsOptions;
	readonly #reads: ReadConnections;
	/** Tombstones that could still be made before there are too many; unknown before the first count. */
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

	/** Drops tombstones that are too old or too many. Others' destructions are noticed now and then. */
	async destroyed(): Promise<void> {
		this.look();
		const { clock, tombstones } = this.#options;
		const oldestKept = clock.now() - tombstones.maxAgeMs;
		await this.#reads.query({
			name: "drop_old_tombstones",
			text:
				"DELETE FROM rivetkit.actors WHERE row_id IN (SELECT row_id FROM rivetkit.actors " +
				"WHERE destroy_ts < $1 ORDER BY destroy_ts LIMIT $2 FOR UPDATE SKIP LOCKED)",
			values: [oldestKept, TOMBSTONES_AT_ONCE],
		});
		if (this.#room > 0) {
			this.#room--;
			return;
		}
		const [row] = await this.#reads.query<{ count: number }>({
			text: "SELECT count(*) AS count FROM rivetkit.actors WHERE destroy_ts IS NOT NULL",
		});
		const excess = row!.count - tombstones.maxCount;
		if (excess > 0) {
			await this.#reads.query({
				text:
					"DELETE FROM rivetkit.actors WHERE row_id IN (SELECT row_id FROM rivetkit.actors " +
					"WHERE destroy_ts IS NOT NULL ORDER BY destroy_ts, id LIMIT $1 FOR UPDATE SKIP LOCKED)",
				values: [excess],
			});
		}
		this.#room = Math.min(COUNT_EVERY, Math.max(0, -excess));
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
