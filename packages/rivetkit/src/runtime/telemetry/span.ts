import type { SpanKind } from "./span-kinds.ts";
import type { Admission } from "./trace-budget.ts";
import type { RemoteParent, RequestCaller } from "./trace-context.ts";

export type AttributeValue = string | number | boolean;
export type Attributes = Record<string, AttributeValue>;

export interface SpanEvent {
	readonly name: string;
	/** Milliseconds since the epoch, with fractions. */
	readonly atMs: number;
	readonly attributes: Attributes | null;
}

/** The trace that spans belong to, shared by those of one host; its id is made when somebody asks for it. */
export interface Trace {
	/** 32 hexadecimal digits; null while nobody has asked. */
	id: string | null;
	readonly flags: number;
	readonly admission: Admission;
}

/** Of spans that were read: nothing goes on below them. */
export const UNADMITTED: Admission = { second: 0, spansLeft: 0 };

/** Why a span ended badly. */
export interface SpanFailure {
	readonly type: string;
	readonly message: string;
}

/** A span as it is elsewhere, too: in the application's own tracing, which has given it its ids. */
export interface ExportedSpan extends RemoteParent {
	readonly parentSpanId: string | null;
	set(name: string, value: AttributeValue): void;
	addEvent(name: string, atMs: number, attributes: Attributes | null): void;
	end(atMs: number, failure: SpanFailure | null): void;
	/** Runs code as part of the span. */
	run<T>(work: () => T): T;
}

/** Events of one span; more are counted only. */
const EVENTS_MAX = 64;
const TEXT_LENGTH_MAX = 1_024;

/** What a span without attributes takes, about. */
export const SPAN_BYTES = 200;
const ATTRIBUTE_BYTES = 48;

/** Still open. */
const OPEN = -1;

/** Where a span belongs: below another one, below one of a caller elsewhere, or at the top of a new trace. */
export type SpanParent = Span | RemoteParent | RequestCaller | null;

/** One piece of work of one actor. Most are only measured: one that others see is a {@link Span}. */
export class Work {
	readonly kind: SpanKind;
	readonly subject: string | null;
	/** Milliseconds since the epoch, with fractions. */
	readonly startMs: number;
	endMs: number = OPEN;
	failure: SpanFailure | null = null;
	/** Where its span would be; null for one that is a span. */
	readonly leftOutBelow: SpanParent;

	constructor(kind: SpanKind, subject: string | null, startMs: number, leftOutBelow: SpanParent) {
		this.kind = kind;
		this.subject = subject;
		this.startMs = startMs;
		this.leftOutBelow = leftOutBelow;
	}

	fail(error: unknown): void {
		this.failure ??= describe(error);
	}
}

/** One that is recorded. Written by whoever does it, read by inspectors. */
export class Span extends Work {
	readonly trace: Trace;
	/** Of the host, or 16 hexadecimal digits of a parent elsewhere; null for the first of a trace. */
	readonly parentId: number | string | null;
	/** As {@link parentId}; in hexadecimal digits if an exporter gave it. */
	readonly id: number | string;
	attributes: Attributes | null = null;
	events: SpanEvent[] | null = null;
	droppedEvents = 0;
	/** How many statements ran in it. */
	statements = 0;
	/** Whether what runs in it was seen to go on after it returned. */
	goesOn = false;
	/** What it is elsewhere, too; null for nothing. */
	exported: ExportedSpan | null;

	// Of the ring that keeps it.
	/** Set when it has ended: later ones have higher ones, over all actors of a host. */
	sequence = 0;
	bytes: number = SPAN_BYTES;
	isDropped = false;
	/** What came on top of {@link bytes} since the ring last heard of it. */
	growth = 0;

	constructor(
		kind: SpanKind,
		subject: string | null,
		trace: Trace,
		parentId: number | string | null,
		id: number | string,
		startMs: number,
		exported: ExportedSpan | null,
	) {
		super(kind, subject, startMs, null);
		this.trace = trace;
		this.parentId = parentId;
		this.id = id;
		this.exported = exported;
	}

	get isOpen(): boolean {
		return this.endMs === OPEN;
	}

	set(name: string, value: AttributeValue): void {
		this.attributes ??= {};
		const kept = typeof value === "string" ? shortened(value) : value;
		this.attributes[name] = kept;
		this.growth += ATTRIBUTE_BYTES + (typeof kept === "string" ? kept.length : 0);
		this.exported?.set(name, kept);
	}

	/** As {@link set} for a list that is known beforehand; only for a span without attributes. */
	begin(attributes: Attributes, bytes: number): void {
		this.attributes = attributes;
		this.growth += bytes;
		const { exported } = this;
		if (exported === null) return;
		for (const [name, value] of Object.entries(attributes)) exported.set(name, value);
	}

	addEvent(name: string, atMs: number, attributes: Attributes | null): void {
		if (!this.takesEvent()) return;
		this.events ??= [];
		this.events.push({ name, atMs, attributes });
		this.growth += ATTRIBUTE_BYTES * 2;
		for (const value of Object.values(attributes ?? {})) {
			this.growth += ATTRIBUTE_BYTES + (typeof value === "string" ? value.length : 0);
		}
		this.exported?.addEvent(name, atMs, attributes);
	}

	/** False, and counts it as dropped, when it has as many as it may have. */
	takesEvent(): boolean {
		if (this.events === null || this.events.length < EVENTS_MAX) return true;
		this.droppedEvents++;
		return false;
	}
}

export function shortened(text: string): string {
	return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
}

/** What user code threw may not want to be looked at. */
function describe(error: unknown): SpanFailure {
	try {
		if (typeof error === "object" && error !== null) {
			const { group, code, name, message } = error as Partial<Record<string, unknown>>;
			const type = group !== undefined ? `${group}.${code}` : String(name ?? "Error");
			return { type, message: shortened(String(message ?? "")) };
		}
		return { type: typeof error, message: shortened(String(error)) };
	} catch {
		return { type: "Error", message: "an error that cannot be shown" };
	}
}
