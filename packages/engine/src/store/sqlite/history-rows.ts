import { fromStoredText, toStoredText } from "../stored-values.ts";
import type { TombstoneLimits } from "../tombstones.ts";
import type { SqliteConnection, SqliteStatement } from "./engine.ts";

/** Tombstones dropped in one transaction at most; each destruction adds one. */
const DROPPED_TOMBSTONES = 32;
const KNOWN_NAMES_MAX = 1024;

/**
 * What stays of actors that are gone: tombstones for a bounded time, names for good. Everything here
 * runs inside the caller's transaction.
 */
export class HistoryRows {
	readonly #limits: TombstoneLimits;
	readonly #addName: SqliteStatement;
	readonly #dropUnusedName: SqliteStatement;
	readonly #keepName: SqliteStatement;
	readonly #names: SqliteStatement;
	readonly #namesAfter: SqliteStatement;
	readonly #counts: SqliteStatement;
	readonly #countTombstones: SqliteStatement;
	readonly #oldestTombstone: SqliteStatement;
	readonly #dropTombstone: SqliteStatement;
	/** Names that are in the table for sure, so that a creation need not look. */
	readonly #knownNames = new Set<string>();
	#tombstoneCount: number | undefined;

	constructor(connection: SqliteConnection, limits: TombstoneLimits) {
		this.#limits = limits;
		this.#addName = connection.prepare("INSERT OR IGNORE INTO names VALUES (?, ?, 0)");
		this.#dropUnusedName = connection.prepare(
			`DELETE FROM names WHERE namespace = ? AND name = ? AND kept = 0 AND NOT EXISTS (
			SELECT 1 FROM actors WHERE actors.namespace = names.namespace AND actors.name = names.name)`,
		);
		this.#keepName = connection.prepare(
			"UPDATE names SET kept = 1 WHERE namespace = ? AND name = ? AND kept = 0",
		);
		this.#names = connection.prepare(
			"SELECT name FROM names WHERE namespace = ? ORDER BY name LIMIT ?",
		);
		this.#namesAfter = connection.prepare(
			"SELECT name FROM names WHERE namespace = ? AND name > ? ORDER BY name LIMIT ?",
		);
		this.#counts = connection.prepare(
			`SELECT name, count(*) AS count FROM actors INDEXED BY actors_live
			WHERE namespace = ? AND destroy_ts IS NULL GROUP BY name`,
		);
		this.#countTombstones = connection.prepare(
			"SELECT count(*) AS count FROM actors WHERE destroy_ts IS NOT NULL",
		);
		this.#oldestTombstone = connection.prepare(
			`SELECT row_id, namespace, name, destroy_ts FROM actors WHERE destroy_ts IS NOT NULL
			ORDER BY destroy_ts, id LIMIT 1`,
		);
		this.#dropTombstone = connection.prepare("DELETE FROM actors WHERE row_id = ?");
	}

	/** Call after a transaction was rolled back: what is remembered of it never happened. */
	forget(): void {
		this.#knownNames.clear();
		this.#tombstoneCount = undefined;
	}

	actorInserted(namespace: string, name: string): void {
		const known = JSON.stringify([namespace, name]);
		if (this.#knownNames.has(known)) {
			return;
		}
		this.#addName.get(toStoredText(namespace), toStoredText(name));
		if (this.#knownNames.size < KNOWN_NAMES_MAX) {
			this.#knownNames.add(known);
		}
	}

	/** Call after the actor's row is gone: the name goes too if it was the only one that ever had it. */
	actorDiscarded(namespace: string, name: string): void {
		this.#dropUnusedName.get(toStoredText(namespace), toStoredText(name));
		this.#knownNames.delete(JSON.stringify([namespace, name]));
	}

	/** Call after the actor's row became a tombstone. */
	actorDestroyed(nowMs: number): void {
		if (this.#tombstoneCount !== undefined) {
			this.#tombstoneCount += 1;
		}
		this.dropTombstones(nowMs);
	}

	/** Drops some of the tombstones beyond the limits. True when there may be more. */
	dropTombstones(nowMs: number): boolean {
		this.#tombstoneCount ??= this.#countTombstones.get()!.count as number;
		const oldestKept = nowMs - this.#limits.maxAgeMs;
		for (let dropped = 0; dropped < DROPPED_TOMBSTONES; dropped++) {
			const oldest = this.#oldestTombstone.get();
			if (
				!oldest ||
				(this.#tombstoneCount <= this.#limits.maxCount &&
					(oldest.destroy_ts as number) >= oldestKept)
			) {
				return false;
			}
			this.#keepName.get(oldest.namespace!, oldest.name!);
			this.#dropTombstone.get(oldest.row_id!);
			this.#tombstoneCount -= 1;
		}
		return true;
	}

	/** How many actors there are by name, tombstones not counted. */
	counts(namespace: string): Map<string, number> {
		const rows = this.#counts.all(toStoredText(namespace));
		return new Map(rows.map((row) => [fromStoredText(row.name as string), row.count as number]));
	}

	names(namespace: string, limit: number, after: string | undefined): string[] {
		const stored = toStoredText(namespace);
		const count = Math.max(0, limit);
		const rows =
			after === undefined
				? this.#names.all(stored, count)
				: this.#namesAfter.all(stored, toStoredText(after), count);
		return rows.map((row) => fromStoredText(row.name as string));
	}
}
