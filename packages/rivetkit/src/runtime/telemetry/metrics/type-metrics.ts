import { CALL_KINDS, type CallKind } from "../span-kinds.ts";
import { BYTES_BOUNDS, DURATION_BOUNDS, Histogram } from "./histogram.ts";

/** Work of one kind: how often it ended well and badly, and how long it took (s). */
export class WorkMetrics {
	succeeded = 0;
	failed = 0;
	readonly duration: Histogram = new Histogram(DURATION_BOUNDS);

	/** So many have ended well. */
	add(seconds: number, count: number): void {
		this.succeeded += count;
		this.duration.observe(seconds, count);
	}
}

/** What the actors of one type did since the process began. */
export class TypeMetrics {
	readonly calls: Readonly<Record<CallKind, WorkMetrics>> = Object.fromEntries(
		CALL_KINDS.map((kind) => [kind, new WorkMetrics()]),
	) as Record<CallKind, WorkMetrics>;
	readonly commits = new WorkMetrics();
	readonly commitBytes: Histogram = new Histogram(BYTES_BOUNDS);
	readonly starts = new WorkMetrics();
	/** Ends of incarnations. */
	readonly stops = { asleep: 0, destroyed: 0, lost: 0 };
	/** Events that were emitted, whoever heard them. */
	events = 0;
	/** Deliveries of queue messages that are over, by how they ended. */
	readonly deliveries = { completed: 0, released: 0 };
}
