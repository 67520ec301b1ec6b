import type { OpenBatch } from "../commit/batch-part.ts";
import type { TimerWheel, WheelTimer } from "../timers/timer-wheel.ts";
import type { ChunkKeeper, KeptChunks } from "./kept-chunks.ts";
import type { Span } from "./span.ts";
import { SPAN_KINDS } from "./span-kinds.ts";
import {
	CHUNK_BYTES,
	chunkKey,
	encodeSpan,
	joinSpans,
	type SpanIds,
	slotsFor,
	slotsOf,
} from "./stored-spans.ts";

/** Commits that come anyway take spans of their actor with them this often at most (ms). */
const WRITE_EVERY_MS = 1_000;
/** Spans that no commit has taken with it get one of their own after this (ms; contract: lifecycle 19). */
const FLUSH_AFTER_MS = 5_000;

/** Whose spans are kept. */
export interface SpanOwner {
	readonly generation: number;
	readonly timers: Pick<TimerWheel, "schedule">;
	/** Asks for a commit, though nothing but spans may be in it. */
	commitSpans(): void;
	/** Those that are open and belong to this incarnation. */
	openSpans(): Iterable<Span>;
}

/** When a batch is cut. */
export interface CutTime {
	/** Milliseconds since the epoch. */
	readonly nowMs: number;
	/** Whether it is the last one of the incarnation. */
	readonly isLast: boolean;
}

interface Chunk {
	readonly slot: number;
	readonly spans: Uint8Array[];
	bytes: number;
}

/**
 * Writes the spans of one incarnation to the actor's store: with commits that come anyway, at most once a
 * second and as long as there are not too many, and within five seconds in any case while the actor is awake. Neither wakes it nor keeps it awake.
 */
export class SpanKeeper implements ChunkKeeper {
	readonly #kept: KeptChunks;
	/** It is time for a commit of their own. */
	#isDue = false;
	readonly #owner: SpanOwner;
	readonly #ids: SpanIds;
	readonly #slots: number;
	/** Ended, and in no chunk yet. */
	#ended: Span[] = [];
	/** The last of all, which later spans are added to. */
	#chunk: Chunk = { slot: 0, spans: [], bytes: 0 };
	/** To be written, or written by the commit under way. */
	#changed = new Set<Chunk>();
	#taken: readonly Chunk[] = [];
	#hasWritten = false;
	#writtenMs = Number.NEGATIVE_INFINITY;
	#timer: WheelTimer | null = null;
	#isOver = false;

	/** @param maxBytes - what the spans of an incarnation take in the store, about */
	constructor(owner: SpanOwner, ids: SpanIds, maxBytes: number, kept: KeptChunks) {
		this.#owner = owner;
		this.#kept = kept;
		this.#ids = ids;
		this.#slots = slotsFor(maxBytes);
	}

	/** Whether no commit has to take anything with it, or is about to. */
	get isIdle(): boolean {
		return this.#ended.length + this.#changed.size + this.#taken.length === 0;
	}

	ended(span: Span): void {
		if (this.#isOver) return;
		this.#ended.push(span);
		// What is older than all that is kept need not be written.
		if (this.#ended.length > SPANS_WAITING_MAX) this.#ended.splice(0, SPANS_WAITING_MAX / 2);
		// The commit that writes spans is one, too.
		if (this.#timer === null && span.kind !== SPAN_KINDS.commit) {
			this.#timer = this.#owner.timers.schedule(FLUSH_AFTER_MS, () => {
				this.#timer = null;
				this.#isDue = true;
				this.#owner.commitSpans();
			});
		}
	}

	/** Adds what there is to a batch, if it is time to. Whether it did: it wants to hear then what became of it. */
	take(batch: OpenBatch, isEmpty: boolean, { nowMs, isLast }: CutTime): boolean {
		const mustWrite = isLast || this.#isDue;
		// Most commits of busy actors end here, with what is the same for all of them.
		if (!mustWrite && !this.#kept.hasRoom(nowMs)) return false;
		if (this.#isOver || (isEmpty && !this.#isDue)) return false;
		if (this.#ended.length === 0 && this.#changed.size === 0 && !isLast) return false;
		if (!mustWrite) {
			const waited = nowMs - this.#writtenMs;
			// The clock may be set back.
			if (waited < WRITE_EVERY_MS && waited >= 0) return false;
			this.#kept.take();
		}
		this.#timer?.cancel();
		this.#timer = null;
		this.#isDue = false;
		this.#writtenMs = nowMs;
		for (const span of this.#ended) this.#add(encodeSpan(this.#ids, span));
		this.#ended = [];
		this.#write(batch, this.#openSpans(nowMs, isLast));
		return this.#taken.length > 0;
	}

	committed(): void {
		this.#hasWritten ||= this.#taken.length > 0;
		this.#taken = [];
	}

	rollBack(): void {
		for (const chunk of this.#taken) this.#changed.add(chunk);
		this.#taken = [];
	}

	/** Nothing can be written any more. */
	end(): void {
		this.#isOver = true;
		this.#timer?.cancel();
		this.#timer = null;
		this.#ended = [];
		this.#changed.clear();
		this.#kept.remove(this);
	}

	release(): void {
		this.#next();
	}

	#next(): void {
		const slot = (this.#chunk.slot + 1) % this.#slots;
		this.#chunk = { slot, spans: [], bytes: 0 };
		// The one that had this place is over.
		for (const chunk of this.#changed) if (chunk.slot === slot) this.#changed.delete(chunk);
	}

	#add(span: Uint8Array): void {
		if (this.#chunk.bytes + span.byteLength > CHUNK_BYTES && this.#chunk.bytes > 0) {
			this.#next();
		}
		this.#chunk.spans.push(span);
		this.#chunk.bytes += span.byteLength;
		this.#changed.add(this.#chunk);
	}

	/** What goes on, for the case that nobody ends it; a stop ends with its last commit. */
	#openSpans(nowMs: number, isLast: boolean): Uint8Array[] {
		const open: Uint8Array[] = [];
		let bytes = 0;
		for (const span of this.#owner.openSpans()) {
			const encoded = encodeSpan(this.#ids, span, isLast ? nowMs : span.endMs);
			bytes += encoded.byteLength;
			if (bytes > CHUNK_BYTES) break;
			open.push(encoded);
		}
		return open;
	}

	#write(batch: OpenBatch, open: readonly Uint8Array[]): void {
		const { generation } = this.#owner;
		if (open.length > 0) this.#changed.add(this.#chunk);
		if (this.#changed.size === 0) return;
		if (!this.#hasWritten) batch.ops.push({ op: "deleteRange", ...slotsOf(generation) });
		for (const chunk of this.#changed) {
			const spans = chunk === this.#chunk ? [...chunk.spans, ...open] : chunk.spans;
			const key = chunkKey(generation, chunk.slot);
			batch.ops.push({ op: "put", key, value: joinSpans(spans) });
		}
		this.#taken = [...this.#changed];
		this.#changed = new Set();
		this.#kept.written(this, this.#chunk.bytes);
	}
}

/** Spans that wait for a commit. */
const SPANS_WAITING_MAX = 2_048;
