import { NumberedRing, Ring } from "./ring.ts";
import type { Span } from "./span.ts";

/** One event that an actor emitted, as inspectors see it. */
export interface EventEntry {
	/** Grows with time, over all actors of a host and all kinds of entries. */
	readonly id: number;
	/** Milliseconds since the epoch. */
	readonly atMs: number;
	readonly name: string;
	/** CBOR of the list of arguments; null for arguments that are too large to be kept. */
	readonly args: Uint8Array | null;
	/** How many connections it was sent to. */
	readonly subscribers: number;
	/** Set when it was for one connection only. */
	readonly connId?: string;
	readonly bytes: number;
	isDropped: boolean;
}

/** One log line about an actor, its own or the runtime's. */
export interface LogEntry {
	readonly id: number;
	readonly atMs: number;
	readonly level: string;
	readonly message: string;
	/** Plain JSON, as text. */
	readonly fields: string;
	readonly span: Span | null;
	readonly bytes: number;
	isDropped: boolean;
}

/** Who follows what an actor does. Must not throw. */
export interface TrailListener {
	readonly onEvent: ((entry: EventEntry) => void) | null;
	readonly onLog: ((entry: LogEntry) => void) | null;
	readonly onSpan: ((span: Span) => void) | null;
}

/** How much is kept. */
export interface TrailLimits {
	/** Spans of one actor. */
	readonly maxSpans: number;
	/** Bytes of the spans of one actor. */
	readonly maxBytes: number;
	/** Bytes of everything that is kept of all actors of a host. */
	readonly maxTotalBytes: number;
}

/** Events, and log lines, of one actor. */
const ENTRIES_MAX = 256;
const ENTRIES_BYTES_MAX = 64 * 1_024;
/** What an actor's trail takes besides its entries, about. */
const TRAIL_BYTES = 300;
/** How long reading makes events and all log lines be recorded (ms). */
export const RECORDING_LEASE_MS = 60_000;

/** What one actor did lately. Outlives its incarnations, as long as there is room. */
export class Trail {
	readonly actorId: string;
	readonly spans: Ring<Span>;
	readonly events: NumberedRing<EventEntry>;
	readonly logs: NumberedRing<LogEntry>;
	readonly #newestId: () => number;
	/** The newest id when it began: what had that id or a lower one, a trail before this one may have had. */
	readonly #beganAfterId: number;
	/** The newest id when events were last begun to be recorded. */
	#eventsAfterId: number;
	/** Pieces of work that no span is about, because there were too many. */
	leftOut = 0;
	/** Null while nobody follows. */
	listeners: Set<TrailListener> | null = null;
	/** Whether something was added since the trail was last looked at for room. */
	isTouched = true;
	/** It made room for others: what comes next begins another one. */
	isGone = false;
	#eventsUntilMs = 0;
	#logsUntilMs = 0;

	constructor(
		actorId: string,
		limits: TrailLimits,
		newestId: () => number,
		grew: (bytes: number) => void,
	) {
		this.actorId = actorId;
		this.#newestId = newestId;
		this.#beganAfterId = newestId();
		this.#eventsAfterId = this.#beganAfterId;
		this.spans = new Ring(limits.maxSpans, limits.maxBytes, grew);
		this.events = new NumberedRing(ENTRIES_MAX, ENTRIES_BYTES_MAX, grew);
		this.logs = new NumberedRing(ENTRIES_MAX, ENTRIES_BYTES_MAX, grew);
	}

	/**
	 * Whether entries behind this one may have been let go of already, or were not recorded. Of log lines, those that the
	 * logger lets through always are.
	 */
	hasLost(what: "events" | "logs", afterId: number): boolean {
		const firstId = what === "events" ? this.#eventsAfterId : this.#beganAfterId;
		return afterId <= firstId || afterId < this[what].droppedId;
	}

	/** Tells of what is new from now on. */
	listen(listener: TrailListener, nowMs: number): void {
		if (listener.onEvent) this.#eventsGoOn(nowMs);
		this.listeners ??= new Set();
		this.listeners.add(listener);
	}

	/** What comes is recorded for a while, for the case that the listener comes back. */
	unlisten(listener: TrailListener, nowMs: number): void {
		if (!this.listeners?.delete(listener)) return;
		if (this.listeners.size === 0) this.listeners = null;
		if (listener.onEvent) this.#eventsUntilMs = nowMs + RECORDING_LEASE_MS;
		if (listener.onLog) this.#logsUntilMs = nowMs + RECORDING_LEASE_MS;
	}

	/** Events are recorded from now on; or still are. */
	#eventsGoOn(nowMs: number): void {
		if (!this.recordsEvents(nowMs)) this.#eventsAfterId = this.#newestId();
	}

	/** Has events, or all log lines, recorded for a while. */
	lease(what: "events" | "logs", nowMs: number): void {
		const untilMs = nowMs + RECORDING_LEASE_MS;
		if (what === "events") {
			this.#eventsGoOn(nowMs);
			this.#eventsUntilMs = untilMs;
		} else {
			this.#logsUntilMs = untilMs;
		}
	}

	/** False when nobody follows, or has ever asked for events: most of the time, and without a look at the clock. */
	get mayRecordEvents(): boolean {
		return this.listeners !== null || this.#eventsUntilMs > 0;
	}

	recordsEvents(nowMs: number): boolean {
		if (this.listeners !== null) {
			for (const { onEvent } of this.listeners) if (onEvent) return true;
		}
		return nowMs < this.#eventsUntilMs;
	}

	/** Whether also those lines are recorded that the logger does not let through. */
	recordsLogs(nowMs: number): boolean {
		if (this.listeners !== null) {
			for (const { onLog } of this.listeners) if (onLog) return true;
		}
		return nowMs < this.#logsUntilMs;
	}

	addEvent(entry: EventEntry): void {
		this.isTouched = true;
		this.events.push(entry);
		if (this.listeners === null) return;
		for (const { onEvent } of this.listeners) onEvent?.(entry);
	}

	addLog(entry: LogEntry): void {
		this.isTouched = true;
		this.logs.push(entry);
		if (this.listeners === null) return;
		for (const { onLog } of this.listeners) onLog?.(entry);
	}

	begin(span: Span): void {
		this.isTouched = true;
		this.spans.push(span);
	}

	ended(span: Span): void {
		const { growth } = span;
		span.growth = 0;
		span.bytes += growth;
		// One that was long enough for others to take its place is kept as one that has just ended.
		if (span.isDropped) this.spans.push(span);
		else if (growth > 0) this.spans.grow(growth);
		if (this.listeners === null) return;
		for (const { onSpan } of this.listeners) onSpan?.(span);
	}

	clear(): void {
		this.spans.clear();
		this.events.clear();
		this.logs.clear();
	}
}

/** The trails of a host's actors, within a limit for all together. */
export class Trails {
	readonly #limits: TrailLimits;
	/** Those that were added to lately are behind. */
	readonly #trails = new Map<string, Trail>();
	#bytes = 0;
	#sequence: number;

	/** @param firstId - no entry has a lower id */
	constructor(limits: TrailLimits, firstId = 1) {
		this.#limits = limits;
		this.#sequence = firstId - 1;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get size(): number {
		return this.#trails.size;
	}

	/** The id of the next entry. */
	next(): number {
		return ++this.#sequence;
	}

	of(actorId: string): Trail | undefined {
		return this.#trails.get(actorId);
	}

	open(actorId: string): Trail {
		let trail = this.#trails.get(actorId);
		if (!trail) {
			trail = new Trail(actorId, this.#limits, this.#newestId, this.#grew);
			this.#trails.set(actorId, trail);
			this.#grew(TRAIL_BYTES);
		}
		return trail;
	}

	/** The actor is gone for good. */
	remove(actorId: string): void {
		const trail = this.#trails.get(actorId);
		if (trail) this.#drop(trail);
	}

	readonly #newestId = (): number => this.#sequence;

	readonly #grew = (bytes: number): void => {
		this.#bytes += bytes;
		if (bytes > 0 && this.#bytes > this.#limits.maxTotalBytes) this.#makeRoom();
	};

	/** Those go first to which nothing was added since they were last passed over. */
	#makeRoom(): void {
		let passed = this.#trails.size;
		for (const trail of this.#trails.values()) {
			if (this.#bytes <= this.#limits.maxTotalBytes) return;
			if (passed-- > 0 && trail.isTouched) {
				trail.isTouched = false;
				this.#trails.delete(trail.actorId);
				this.#trails.set(trail.actorId, trail);
			} else if (trail.listeners !== null) {
				// Who follows hears what comes; what was is gone.
				trail.clear();
			} else {
				this.#drop(trail);
			}
		}
	}

	#drop(trail: Trail): void {
		this.#trails.delete(trail.actorId);
		trail.isGone = true;
		trail.clear();
		this.#grew(-TRAIL_BYTES);
	}
}
