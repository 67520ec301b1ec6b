import type { StorageOp } from "@rivetkit/protocol";
import type { PageChange } from "./page-change.ts";
import { PAGE_BYTES } from "./page-checksum.ts";
import {
	type CommitRecord,
	type DatabaseHead,
	PAGES_END,
	pageKey,
	pageOp,
	RECORDS_START,
	recordKey,
	recordOps,
} from "./stored-pages.ts";
import type { LogPosition } from "./write-ahead-log.ts";

/** A change that would be more than this is written as a whole page, so that records stay short. */
const CHANGE_BYTES_MAX = PAGE_BYTES / 2;
/** Records are folded into whole pages when they are longer than this. */
const RECORD_BYTES_MAX = 1024 * 1024;
/** ... or than this, and than half of the pages that folding them would write. */
const RECORD_BYTES_MIN = 32 * 1024;
/** Whole pages that one commit writes to fold records: about 2 ms. */
const FOLDED_PER_COMMIT = 96;

/** What the working file has that the last commit did not. */
export interface CapturedChanges {
	readonly changes: readonly CapturedChange[];
	readonly pageCount: number;
	readonly position: LogPosition;
}

export interface CapturedChange {
	readonly change: PageChange;
	/** The page as it is now. */
	readonly bytes: Uint8Array;
}

/**
 * Decides how commits of an actor's database are written, and what is in the store: changes go into one
 * record per commit; when the records become long, the pages they are about are written whole, some with
 * each commit, and the records go.
 *
 * Follows the commits it is asked for. When one fails, a new ledger is made from the store.
 */
export class PageLedger {
	/** Of the newest commit; null before the first. */
	#head: DatabaseHead | null;
	/** Pages that are not whole in the store: they need the records. */
	readonly #recorded = new Set<number>();
	#recordBytes = 0;
	#fold: Fold | null = null;
	#hasLeftovers: boolean;

	/** @param options - `hasLeftovers`: the store has pages that belong to nothing */
	constructor(records: readonly CommitRecord[], options: { readonly hasLeftovers?: boolean } = {}) {
		this.#head = records.at(-1) ?? null;
		this.#hasLeftovers = options.hasLeftovers ?? false;
		for (const { changes, bytes } of records) {
			for (const { page } of changes) this.#recorded.add(page);
			this.#recordBytes += bytes;
		}
		this.#forgetBeyondEnd();
	}

	get head(): DatabaseHead | null {
		return this.#head;
	}

	get pageCount(): number {
		return this.#head?.pageCount ?? 0;
	}

	/** Whether records are being folded: commits have something to write without any change. */
	get isFolding(): boolean {
		return this.#fold !== null;
	}

	/**
	 * Writes of the next commit. `captured` is null when only folding goes on; `read` gives a page as the
	 * working file has it.
	 */
	commit(captured: CapturedChanges | null, read: (page: number) => Uint8Array): StorageOp[] {
		const before = this.#head;
		const commit = (before?.commit ?? 0) + 1;
		const { pageCount, position } = captured ?? before!;
		const head: DatabaseHead = { commit, pageCount, position };
		this.#head = head;
		const ops: StorageOp[] = [];
		if (this.#hasLeftovers) {
			ops.push({ op: "deleteRange", start: RECORDS_START, end: PAGES_END });
			this.#hasLeftovers = false;
		}
		if (before !== null && pageCount < before.pageCount) {
			ops.push({ op: "deleteRange", start: pageKey(pageCount + 1), end: PAGES_END });
			this.#forgetBeyondEnd();
		}
		const recorded: PageChange[] = [];
		for (const { change, bytes } of captured?.changes ?? []) {
			if (change.bytes.byteLength > CHANGE_BYTES_MAX) {
				this.#writeWhole(change.page, bytes, ops);
			} else {
				recorded.push(change);
				this.#recorded.add(change.page);
			}
		}
		this.#foldSome(read, ops);
		const written = recordOps(head, recorded, ops);
		this.#recordBytes += written;
		if (this.#fold) this.#fold.bytesSince += written;
		else this.#foldIfLong(commit);
		return ops;
	}

	#foldIfLong(commit: number): void {
		const foldedBytes = this.#recorded.size * PAGE_BYTES;
		const enough = Math.max(RECORD_BYTES_MIN, Math.min(foldedBytes / 2, RECORD_BYTES_MAX));
		if (this.#recordBytes <= enough) return;
		this.#fold = { upTo: commit, left: [...this.#recorded], bytesSince: 0 };
	}

	#foldSome(read: (page: number) => Uint8Array, ops: StorageOp[]): void {
		const fold = this.#fold;
		if (fold === null) return;
		for (let written = 0; written < FOLDED_PER_COMMIT && fold.left.length > 0; ) {
			const page = fold.left.pop()!;
			// Written whole meanwhile, or cut off.
			if (!this.#recorded.has(page)) continue;
			this.#writeWhole(page, read(page), ops);
			written++;
		}
		if (fold.left.length > 0) return;
		ops.push({ op: "deleteRange", start: RECORDS_START, end: recordKey(fold.upTo + 1, 0) });
		this.#recordBytes = fold.bytesSince;
		this.#fold = null;
	}

	#writeWhole(page: number, bytes: Uint8Array, ops: StorageOp[]): void {
		ops.push(pageOp(page, this.#head!.commit, bytes));
		this.#recorded.delete(page);
	}

	#forgetBeyondEnd(): void {
		for (const page of this.#recorded) if (page > this.pageCount) this.#recorded.delete(page);
	}
}

interface Fold {
	/** Records up to this commit go when `left` is empty. */
	readonly upTo: number;
	readonly left: number[];
	/** Bytes of the records that were written since. */
	bytesSince: number;
}
