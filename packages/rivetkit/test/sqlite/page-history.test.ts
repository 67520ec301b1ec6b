import fs, { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StorageOp } from "@rivetkit/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadSqliteEngine } from "../../src/sqlite/engine/load-engine.ts";
import { OpenFile } from "../../src/sqlite/pages/open-file.ts";
import { PageLedger } from "../../src/sqlite/pages/page-ledger.ts";
import {
	PAGES_END,
	RECORDS_END,
	RECORDS_START,
	RecordedChanges,
	readRecords,
	readWholePage,
} from "../../src/sqlite/pages/stored-pages.ts";
import { WorkingFile } from "../../src/sqlite/pages/working-file.ts";
import { SqlSession } from "../../src/sqlite/sql/session.ts";
import { randomOf } from "../database/support/steps.ts";
import { compareBytes } from "../support/bytes.ts";

// Whatever SQL does to a file (growth, shrinking, vacuum, rolled back spills, checkpoints, reopening), the
// pages in the store are the pages of the file.

const engine = loadSqliteEngine();
let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "rivetkit-pages-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A store of one actor. */
class Entries {
	#entries: [Uint8Array, Uint8Array][] = [];
	bytes = 0;

	apply(ops: readonly StorageOp[]): void {
		for (const op of ops) {
			if (op.op === "deleteRange") {
				this.#entries = this.#entries.filter(
					([key]) =>
						compareBytes(key, op.start) < 0 || (op.end !== null && compareBytes(key, op.end) >= 0),
				);
			} else {
				this.#entries = this.#entries.filter(([key]) => compareBytes(key, op.key) !== 0);
				if (op.op === "put") {
					this.#entries.push([op.key, op.value.slice()]);
					this.bytes += op.value.byteLength;
				}
			}
		}
	}

	range(start: Uint8Array, end: Uint8Array): [Uint8Array, Uint8Array][] {
		return this.#entries
			.filter(([key]) => compareBytes(key, start) >= 0 && compareBytes(key, end) < 0)
			.sort(([a], [b]) => compareBytes(a, b));
	}
}

class History {
	readonly store = new Entries();
	readonly file = new WorkingFile(join(folder, "history.sqlite"));
	readonly #random: () => number;
	#ledger = new PageLedger([]);
	#open = this.#openFile();
	#session = this.#newSession();
	folds = 0;

	constructor(seed: number) {
		this.#random = randomOf(seed);
		this.#run("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB)");
	}

	#openFile(): OpenFile {
		return new OpenFile(this.file, engine, this.#ledger.pageCount, {
			maxPages: 100_000,
			settings: [],
		});
	}

	#newSession(): SqlSession {
		const limits = { rowsMax: 1e6, resultBytesMax: 1e9, timeoutMs: 1e6, slowMs: 1e6 };
		const observer = {
			wrote: () => {},
			mayHaveWritten: () => {},
			lost: (error: unknown) => {
				throw error;
			},
			slow: () => {},
		};
		return new SqlSession(this.#open.connection, limits, observer, Date.now);
	}

	#run(sql: string, ...parameters: unknown[]): void {
		this.#session.execute(sql, parameters, "values");
	}

	upTo(limit: number): number {
		return Math.floor(this.#random() * limit);
	}

	step(): void {
		const table = `x${this.upTo(4)}`;
		switch (this.upTo(16)) {
			case 0:
			case 1:
			case 2:
				for (let row = this.upTo(30); row >= 0; row--) {
					this.#run(
						"INSERT INTO t (a, b) VALUES (?, zeroblob(?))",
						"x".repeat(this.upTo(300)),
						this.upTo(50),
					);
				}
				return;
			case 3:
			case 4:
				for (let row = this.upTo(5); row >= 0; row--) {
					this.#run(
						"UPDATE t SET a = ? WHERE id = ?",
						"y".repeat(this.upTo(600)),
						this.upTo(3_000),
					);
				}
				return;
			case 5:
				this.#run("DELETE FROM t WHERE id BETWEEN ? AND ?", this.upTo(2_000), this.upTo(2_000));
				return;
			case 6:
				this.#run(`CREATE TABLE IF NOT EXISTS ${table} (a PRIMARY KEY, b)`);
				this.#run(`INSERT OR REPLACE INTO ${table} SELECT id, a FROM t LIMIT 500`);
				return;
			case 7:
				this.#run(`DROP TABLE IF EXISTS ${table}`);
				return;
			case 8:
				this.#run("VACUUM");
				return;
			case 9:
			case 10:
				// More than SQLite keeps in memory, so it goes into the log before it is decided upon.
				this.#session.beginExclusive();
				this.#run("INSERT INTO t (a, b) SELECT a, zeroblob(2000) FROM t LIMIT 1500");
				if (this.#random() < 0.5) this.#session.commitExclusive();
				else this.#session.rollBack();
				return;
			case 11:
				// Pages that come and are free again at once.
				this.#run(
					"BEGIN; CREATE TABLE big (a); INSERT INTO big SELECT zeroblob(5000) FROM t LIMIT 300; DROP TABLE big; COMMIT",
				);
				return;
			case 12:
				this.commit();
				this.reopen();
				return;
			case 13:
				this.#run("CREATE INDEX IF NOT EXISTS t_a ON t (a)");
				return;
			case 14:
				this.#run("DELETE FROM t");
				return;
			default:
				this.#run("PRAGMA user_version = 5");
		}
	}

	commit(): void {
		this.#session.endShared();
		const captured = this.#open.capture(Number.POSITIVE_INFINITY);
		if (captured === null && !this.#ledger.isFolding) return;
		this.store.apply(this.#ledger.commit(captured, (page) => this.#open.readPage(page)));
		if (this.#ledger.isFolding) this.folds++;
		this.#open.checkpointIfLong(this.#ledger.head!.commit);
	}

	reopen(): void {
		this.#session.forget();
		this.#open.close();
		if (this.#ledger.head) this.file.mark(this.#ledger.head.commit);
		expect(this.file.isUntouched).toBe(true);
		// As the next incarnation would.
		this.#ledger = new PageLedger(readRecords(this.store.range(RECORDS_START, RECORDS_END)));
		expect(this.file.adopt(this.#ledger.head!, engine)).toBe(true);
		this.#open = this.#openFile();
		this.#session = this.#newSession();
	}

	/** The store has exactly the pages that the file has. */
	verify(): void {
		this.commit();
		const records = readRecords(this.store.range(RECORDS_START, RECORDS_END));
		const head = records.at(-1)!;
		const changes = new RecordedChanges(records);
		const whole = new Map(
			this.store.range(RECORDS_END, PAGES_END).map(([key, value]) => {
				const page = readWholePage(key, value);
				return [page.page, page];
			}),
		);
		for (let page = 1; page <= head.pageCount; page++) {
			const restored = changes.restore(page, whole.get(page) ?? null);
			expect(restored, `page ${page}`).not.toBeNull();
			expect(compareBytes(restored!, this.#open.readPage(page)), `page ${page}`).toBe(0);
		}
		for (const page of whole.keys()) expect(page).toBeLessThanOrEqual(head.pageCount);
		const [check] = this.#session.execute("PRAGMA integrity_check", [], "values");
		expect(check).toEqual(["ok"]);
	}

	close(): void {
		this.#session.forget();
		this.#open.close();
	}
}

it.each([1, 2, 3, 4, 5, 6, 7, 8])("history %i", (seed) => {
	const history = new History(seed);
	let commits = 0;
	for (let step = 0; step < 300; step++) {
		history.step();
		if (history.upTo(10) < 6) {
			history.commit();
			commits++;
		}
		if (history.upTo(30) === 0) history.verify();
	}
	history.verify();
	history.close();
	expect(commits).toBeGreaterThan(100);
	expect(history.folds).toBeGreaterThan(0);
	expect(fs.statSync(history.file.path).size).toBeGreaterThan(0);
});
