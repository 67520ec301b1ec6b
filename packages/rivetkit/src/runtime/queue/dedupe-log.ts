import { decodeCbor, encodeCbor, type StorageOp } from "@rivetkit/protocol";
import type { Incarnation } from "../../backends/backend.ts";
import { SparseMap } from "../../utils/sparse-map.ts";
import type { AtomicScope, Savepoint } from "../commit/batch-part.ts";
import { UndoLog } from "../commit/undo-log.ts";
import { DEDUPE_KEYS_MAX, DEDUPE_WINDOW_MS } from "./limits.ts";
import type { StorageReads } from "./message-bodies.ts";
import { DEDUPE_ORDER_END, dedupeKey, dedupeOrderKey, numberOf } from "./queue-layout.ts";

/** The message that a dedupe key stands for. */
export interface DedupedMessage {
	readonly id: number;
	readonly createdAt: number;
}

interface Entry extends DedupedMessage {
	readonly sequence: number;
}

/** Either a message that was sent now, or the one that was sent before. */
export type Deduped<T> =
	| { readonly isNew: true; readonly sent: T }
	| { readonly isNew: false; readonly earlier: DedupedMessage };

type StoredEntry = [id: number, createdAt: number, sequence: number];
type StoredOrder = [createdAt: number, key: Uint8Array];

/** A `c.atomic` under way, and what was sent in it. */
class OpenAtomic {
	readonly #scope: AtomicScope;
	readonly #entries = new Set<Entry>();
	readonly ended: Promise<void>;
	end!: () => void;

	constructor(scope: AtomicScope) {
		this.#scope = scope;
		this.ended = new Promise((resolve) => {
			this.end = resolve;
		});
	}

	sent(entry: Entry): void {
		if (this.#scope.isRunning) this.#entries.add(entry);
	}

	/** Whether the entry is one of it, and the code that is running is not. */
	hidesFromOthers(entry: Entry): boolean {
		return this.#entries.has(entry) && !this.#scope.isRunning;
	}
}

/** Old entries that are read together, and how many of them go with each new one. */
const OLD_READ = 32;
const OLD_DROPPED = 4;

/**
 * Which messages were sent with which dedupe key in the last 24 hours (lifecycle W-Q-10), whether they
 * are still there or not. On disk: memory holds what is not committed yet, and the ends of the order.
 */
export class DedupeLog {
	readonly #store: StorageReads;
	readonly #actor: Incarnation;
	// By the text of the key's row.
	/** Sends under way: the second waits for the first. */
	readonly #busy = new SparseMap<string, Promise<unknown>>();
	readonly #open = new SparseMap<string, Entry>();
	readonly #taken = new SparseMap<string, Entry>();
	#ops: StorageOp[] = [];
	/** Sequence of the next entry; null before the store was asked. */
	#next: number | null = null;
	/** The oldest entries, oldest first; refilled from the store when it runs out. */
	#oldest: { readonly sequence: number; readonly createdAt: number; readonly key: Uint8Array }[] =
		[];
	/** Where the store's oldest entries begin that are not dropped yet: their rows go with the next commit. */
	#oldestFrom = 0;
	/** Refills under way. */
	#refills = 0;
	/** What was committed since they began: they may have read the store before that. */
	readonly #committedMeanwhile = new SparseMap<string, Entry>();
	/** Higher whenever something was taken back: refills that began before that are of no use. */
	#takenBack = 0;

	#undo: UndoLog | null = null;
	#atomic: OpenAtomic | null = null;

	constructor(store: StorageReads, actor: Incarnation) {
		this.#store = store;
		this.#actor = actor;
	}

	/**
	 * The message of an earlier send with this key; without one, `send` is called and its message is
	 * remembered. Sends with the same key come one after the other. One that comes upon a message of a
	 * `c.atomic` of others waits for its end: until then nobody knows whether the message was sent.
	 */
	async once<T extends DedupedMessage>(
		name: string,
		key: string,
		nowMs: number,
		send: () => T,
	): Promise<Deduped<T>> {
		const row = dedupeKey(name, key);
		const lock = textOf(row);
		for (;;) {
			const result = await this.#inLine(lock, () => this.#once(row, lock, nowMs, send));
			if (!(result instanceof OpenAtomic)) return result;
			// Not in line: the `c.atomic` itself may send with the key again.
			await result.ended;
		}
	}

	async #inLine<T>(lock: string, work: () => Promise<T>): Promise<T> {
		const before = this.#busy.get(lock);
		const result = (before ?? Promise.resolve()).then(work);
		const settled = result.then(noop, noop);
		this.#busy.set(lock, settled);
		try {
			return await result;
		} finally {
			if (this.#busy.get(lock) === settled) this.#busy.delete(lock);
		}
	}

	take(): StorageOp[] {
		const ops = this.#ops;
		this.#ops = [];
		for (const [lock, entry] of this.#open) this.#taken.set(lock, entry);
		this.#open.clear();
		return ops;
	}

	committed(): void {
		if (this.#refills > 0) {
			for (const [lock, entry] of this.#taken) this.#committedMeanwhile.set(lock, entry);
		}
		this.#taken.clear();
	}

	rollBack(): void {
		this.#ops = [];
		this.#open.clear();
		this.#taken.clear();
		this.#keepOldest();
		this.#undo?.clear();
	}

	savepoint(scope: AtomicScope): Savepoint {
		const atomic = new OpenAtomic(scope);
		this.#atomic = atomic;
		this.#undo = new UndoLog(scope, () => {
			this.#undo = null;
			this.#atomic = null;
			atomic.end();
		});
		return this.#undo;
	}

	async #once<T extends DedupedMessage>(
		row: Uint8Array,
		lock: string,
		nowMs: number,
		send: () => T,
	): Promise<Deduped<T> | OpenAtomic> {
		const earlier = this.#open.get(lock) ?? this.#taken.get(lock) ?? (await this.#stored(row));
		if (earlier && this.#atomic?.hidesFromOthers(earlier)) return this.#atomic;
		if (earlier && nowMs - earlier.createdAt < DEDUPE_WINDOW_MS) return { isNew: false, earlier };
		await this.#readEnds();
		const sent = send();
		const sequence = this.#next!++;
		const { id, createdAt } = sent;
		const entry: Entry = { id, createdAt, sequence };
		const before = this.#open.get(lock);
		const opsBefore = this.#ops.length;
		this.#open.set(lock, entry);
		const value: StoredEntry = [id, createdAt, sequence];
		const order: StoredOrder = [createdAt, row];
		this.#ops.push(
			{ op: "put", key: row, value: encodeCbor(value) },
			{ op: "put", key: dedupeOrderKey(sequence), value: encodeCbor(order) },
		);
		// The key's place in the order is a new one.
		if (earlier) this.#ops.push({ op: "delete", key: dedupeOrderKey(earlier.sequence) });
		this.#oldest = this.#oldest.filter(({ key }) => Buffer.compare(key, row) !== 0);
		this.#dropOld(nowMs);
		this.#atomic?.sent(entry);
		if (this.#undo) {
			const added = this.#ops.slice(opsBefore);
			this.#undo.note(() => this.#takeBack(lock, entry, before, added));
		}
		return { isNew: true, sent };
	}

	#takeBack(
		lock: string,
		entry: Entry,
		before: Entry | undefined,
		ops: readonly StorageOp[],
	): void {
		const gone = new Set(ops);
		this.#ops = this.#ops.filter((op) => !gone.has(op));
		if (this.#open.get(lock) === entry) {
			if (before) this.#open.set(lock, before);
			else this.#open.delete(lock);
		}
		this.#keepOldest();
	}

	/** What was to be dropped is still there. */
	#keepOldest(): void {
		this.#oldest = [];
		this.#oldestFrom = 0;
		this.#takenBack++;
	}

	async #stored(row: Uint8Array): Promise<Entry | null> {
		const [value] = await this.#store.get(this.#actor, [row]);
		if (!value) return null;
		const [id, createdAt, sequence] = decodeCbor(value) as StoredEntry;
		return { id, createdAt, sequence };
	}

	/** Finds out where the order begins and ends. */
	async #readEnds(): Promise<void> {
		if (this.#next === null) {
			const range = { start: dedupeOrderKey(0), end: DEDUPE_ORDER_END };
			const [last] = await this.#store.scan(this.#actor, { ...range, limit: 1, reverse: true });
			this.#next ??= last ? numberOf(last[0]) + 1 : 0;
		}
		if (this.#oldest.length > 0) return;
		const before = this.#takenBack;
		this.#refills++;
		try {
			const range = { start: dedupeOrderKey(this.#oldestFrom), end: DEDUPE_ORDER_END };
			const entries = await this.#store.scan(this.#actor, { ...range, limit: OLD_READ });
			if (this.#oldest.length === 0 && before === this.#takenBack) this.#refill(entries);
		} finally {
			this.#refills--;
			if (this.#refills === 0) this.#committedMeanwhile.clear();
		}
	}

	#refill(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): void {
		this.#oldest = entries
			.map(([key, value]) => {
				const [createdAt, row] = decodeCbor(value) as StoredOrder;
				return { sequence: numberOf(key), createdAt, key: row };
			})
			.filter(({ sequence, key }) => sequence >= this.#oldestFrom && this.#isLatest(sequence, key));
	}

	/** Whether its key has no newer place that the refill may not have seen. */
	#isLatest(sequence: number, row: Uint8Array): boolean {
		const lock = textOf(row);
		const latest =
			this.#open.get(lock) ?? this.#taken.get(lock) ?? this.#committedMeanwhile.get(lock);
		return latest === undefined || latest.sequence === sequence;
	}

	/** More go than come, so that there is no end of work and no end of entries. */
	#dropOld(nowMs: number): void {
		for (let dropped = 0; dropped < OLD_DROPPED; dropped++) {
			const oldest = this.#oldest[0];
			if (!oldest) return;
			const tooMany = this.#next! - oldest.sequence > DEDUPE_KEYS_MAX;
			if (!tooMany && nowMs - oldest.createdAt < DEDUPE_WINDOW_MS) return;
			this.#oldest.shift();
			this.#oldestFrom = oldest.sequence + 1;
			this.#ops.push(
				{ op: "delete", key: oldest.key },
				{ op: "delete", key: dedupeOrderKey(oldest.sequence) },
			);
		}
	}
}

function textOf(row: Uint8Array): string {
	return Buffer.from(row).toString("latin1");
}

function noop(): void {}
