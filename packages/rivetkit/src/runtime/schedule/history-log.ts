import type { StorageOp, StorageRange } from "@rivetkit/protocol";
import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { UndoLog } from "../commit/undo-log.ts";
import type { HistoryRange } from "./cron-job.ts";
import {
	encodeHistoryRow,
	type HistoryRow,
	historyKey,
	historyIndexOf as indexOf,
	historyJobOf as jobOf,
	readHistoryRow,
} from "./schedule-layout.ts";

/** Reads the actor's store. */
export type Scan = (range: StorageRange) => Promise<[key: Uint8Array, value: Uint8Array][]>;

/**
 * What became of runs, in numbered entries per job. Lives in the store: written through the actor's
 * commits, read when somebody asks.
 */
export class HistoryLog implements BatchPart {
	readonly #scan: Scan;
	#open: StorageOp[] = [];
	#inFlight: StorageOp[] = [];
	#undo: UndoLog | null = null;

	constructor(scan: Scan) {
		this.#scan = scan;
	}

	/** Writes or replaces an entry, unless it has left the range meanwhile. */
	put(job: number, index: number, range: HistoryRange, row: HistoryRow): void {
		if (index < range.first) return;
		this.#write({ op: "put", key: historyKey(job, index), value: encodeHistoryRow(row) });
	}

	delete(job: number, index: number): void {
		this.#write({ op: "delete", key: historyKey(job, index) });
	}

	deleteAll(job: number): void {
		this.#write({ op: "deleteRange", start: historyKey(job, 0), end: historyKey(job + 1, 0) });
	}

	#write(op: StorageOp): void {
		this.#open.push(op);
		this.#undo?.note(() => {
			this.#open = this.#open.filter((other) => other !== op);
		});
	}

	/** The range with its oldest entries dropped, so that at most `max` are left. */
	trimmed(job: number, range: HistoryRange, max: number): HistoryRange {
		const first = Math.max(range.first, range.next - max);
		if (first === range.first) return range;
		this.#write({
			op: "deleteRange",
			start: historyKey(job, range.first),
			end: historyKey(job, first),
		});
		return { first, next: range.next };
	}

	/** The newest entries, newest first; what is written and not committed included. */
	async read(job: number, limit: number): Promise<HistoryRow[]> {
		const start = historyKey(job, 0);
		const end = historyKey(job + 1, 0);
		const unsaved = [...this.#inFlight, ...this.#open];
		const wanted = Math.min(Number.MAX_SAFE_INTEGER, limit + unsaved.length);
		const entries = new Map<number, Uint8Array>();
		for (const [key, value] of await this.#scan({ start, end, limit: wanted, reverse: true })) {
			entries.set(indexOf(key), value);
		}
		for (const op of unsaved) applyTo(entries, job, op);
		return [...entries]
			.sort(([a], [b]) => b - a)
			.slice(0, limit)
			.map(([, value]) => readHistoryRow(value));
	}

	take(batch: OpenBatch): void {
		batch.ops.push(...this.#open);
		this.#inFlight = this.#open;
		this.#open = [];
	}

	committed(): void {
		this.#inFlight = [];
	}

	rollBack(): void {
		this.#open = [];
		this.#inFlight = [];
		this.#undo?.clear();
	}

	savepoint(scope: AtomicScope): Savepoint {
		this.#undo = new UndoLog(scope, () => {
			this.#undo = null;
		});
		return this.#undo;
	}
}

function applyTo(entries: Map<number, Uint8Array>, job: number, op: StorageOp): void {
	if (op.op === "deleteRange") {
		if (jobOf(op.start) !== job) return;
		const end = jobOf(op.end!) === job ? indexOf(op.end!) : Number.POSITIVE_INFINITY;
		for (const index of [...entries.keys()]) {
			if (index >= indexOf(op.start) && index < end) entries.delete(index);
		}
	} else if (jobOf(op.key) === job) {
		if (op.op === "put") entries.set(indexOf(op.key), op.value);
		else entries.delete(indexOf(op.key));
	}
}
