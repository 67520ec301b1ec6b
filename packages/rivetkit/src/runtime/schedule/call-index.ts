import { LazyHeap } from "../collections/lazy-heap.ts";
import type { PendingCall } from "./pending-call.ts";

interface Due {
	readonly call: PendingCall;
	readonly ts: number;
}

export interface CallIndexOptions {
	/** The call as it is in the table now. */
	readonly current: (sequence: number) => PendingCall | undefined;
	/** When its next try may begin (ms since the epoch). */
	readonly dueTs: (call: PendingCall) => number;
	/** Whether it is nobody's turn to look at it: it is being made, or cannot be. */
	readonly isLeftOut: (call: PendingCall) => boolean;
}

/**
 * One-shot calls by time and by id, and the runs of jobs apart from them, so that adding, cancelling and
 * finding the next one cost O(log n) however many there are. Told of every change of a row.
 */
export class CallIndex {
	readonly #options: CallIndexOptions;
	readonly #byId = new Map<string, number>();
	readonly #runs = new Map<number, PendingCall>();
	/** May hold calls that have changed: those are skipped, or put where they belong now. */
	readonly #due: LazyHeap<Due>;

	constructor(options: CallIndexOptions) {
		this.#options = options;
		this.#due = new LazyHeap(
			(a, b) => a.ts < b.ts,
			({ call }) => options.current(call.sequence) === call && !options.isLeftOut(call),
		);
	}

	/** How many one-shot calls there are. */
	get oneShotCount(): number {
		return this.#byId.size;
	}

	/** The runs of jobs that have not ended. */
	get runs(): Iterable<PendingCall> {
		return this.#runs.values();
	}

	get runCount(): number {
		return this.#runs.size;
	}

	sequenceOf(id: string): number | undefined {
		return this.#byId.get(id);
	}

	/** A row was written, or (`after` undefined) removed. */
	changed(before: PendingCall | undefined, after: PendingCall | undefined): void {
		if (after?.source.kind === "run") this.#runs.set(after.sequence, after);
		else if (after?.source.kind === "at") {
			this.#byId.set(after.source.id, after.sequence);
			this.offer(after);
		} else if (before?.source.kind === "run") this.#runs.delete(before.sequence);
		else if (before?.source.kind === "at") this.#byId.delete(before.source.id);
	}

	/** The call may be the next one, or its time has changed. */
	offer(call: PendingCall): void {
		if (call.source.kind === "at" && !this.#options.isLeftOut(call)) {
			this.#due.push({ call, ts: this.#options.dueTs(call) });
		}
	}

	/** When the next one-shot call is due (ms since the epoch); infinity for never. */
	get nextTs(): number {
		for (let first = this.#due.peek(); first; first = this.#due.peek()) {
			if (!this.#moved(first)) return first.ts;
		}
		return Number.POSITIVE_INFINITY;
	}

	/** Takes those that are due: they have to be offered again, or left out. */
	takeDue(nowMs: number): PendingCall[] {
		const due: PendingCall[] = [];
		const taken = new Set<number>();
		for (let first = this.#due.peek(); first && first.ts <= nowMs; first = this.#due.peek()) {
			if (this.#moved(first)) continue;
			this.#due.pop();
			if (taken.has(first.call.sequence)) continue;
			taken.add(first.call.sequence);
			due.push(first.call);
		}
		return due;
	}

	/** Whether the first one was offered with an earlier time than it has now; it is put in its place. */
	#moved({ call, ts }: Due): boolean {
		const dueTs = this.#options.dueTs(call);
		if (dueTs === ts) return false;
		this.#due.pop();
		this.#due.push({ call, ts: dueTs });
		return true;
	}
}
