import type { OtlpAttribute, OtlpSpan, TracesAnswer } from "@rivetkit/protocol/inspector/answers";

export interface Span {
	readonly id: string;
	readonly traceId: string;
	readonly parentId: string | null;
	readonly name: string;
	readonly startMs: number;
	/** Null while it is open, and for one that was cut off. */
	readonly endMs: number | null;
	/** Its process ended before it: nobody knows what became of it. */
	readonly isCutOff: boolean;
	readonly isFailed: boolean;
	readonly message: string | null;
	readonly attributes: Readonly<Record<string, unknown>>;
	readonly events: readonly { name: string; atMs: number; attributes: object }[];
}

/** A span in a waterfall. */
export interface SpanRow {
	readonly span: Span;
	readonly depth: number;
}

/** What the server says of a span that a crash has cut off. */
const INTERRUPTED = "rivet.trace.interrupted";

export interface Trace {
	readonly id: string;
	/** Of the span that began it, or of the first that this actor has. */
	readonly name: string;
	readonly startMs: number;
	/** The last time that something of it is known to have happened. */
	readonly endMs: number;
	/** Whether that is its end. */
	readonly end: "known" | "open" | "cut off";
	readonly isFailed: boolean;
	/** Each below its parent, in the order they began. */
	readonly rows: readonly SpanRow[];
}

/** The traces of an answer, newest first. */
export function tracesOf({ otlp }: TracesAnswer): Trace[] {
	const spans = otlp.resourceSpans.flatMap(({ scopeSpans }) =>
		scopeSpans.flatMap((scope) => scope.spans.map(spanOf)),
	);
	const byTrace = new Map<string, Span[]>();
	for (const span of spans) {
		byTrace.set(span.traceId, [...(byTrace.get(span.traceId) ?? []), span]);
	}
	return [...byTrace].map(([id, list]) => traceOf(id, list)).sort((a, b) => b.startMs - a.startMs);
}

function traceOf(id: string, spans: readonly Span[]): Trace {
	const sorted = [...spans].sort((a, b) => a.startMs - b.startMs);
	const ids = new Set(sorted.map((span) => span.id));
	const rows: SpanRow[] = [];
	const visit = (parentId: string | null, depth: number): void => {
		for (const span of sorted) {
			// The parent of a root is elsewhere: another actor, or a client.
			const parent = span.parentId !== null && ids.has(span.parentId) ? span.parentId : null;
			if (parent !== parentId) continue;
			rows.push({ span, depth });
			visit(span.id, depth + 1);
		}
	};
	visit(null, 0);
	return {
		id,
		name: rows[0]?.span.name ?? "",
		startMs: sorted[0]?.startMs ?? 0,
		endMs: Math.max(...sorted.map(lastKnownMs)),
		end: endOf(sorted),
		isFailed: sorted.some(({ isFailed }) => isFailed),
		rows,
	};
}

function endOf(spans: readonly Span[]): Trace["end"] {
	const unended = spans.filter(({ endMs }) => endMs === null);
	if (unended.length === 0) return "known";
	return unended.every(({ isCutOff }) => isCutOff) ? "cut off" : "open";
}

function lastKnownMs({ startMs, endMs, events }: Span): number {
	return endMs ?? Math.max(startMs, ...events.map(({ atMs }) => atMs));
}

function spanOf(span: OtlpSpan): Span {
	const end = millis(span.endTimeUnixNano);
	const attributes = attributesOf(span.attributes);
	const { code, message } = span.status;
	return {
		id: span.spanId,
		traceId: span.traceId,
		parentId: span.parentSpanId || null,
		name: span.name,
		startMs: millis(span.startTimeUnixNano),
		endMs: end === 0 ? null : end,
		isCutOff: end === 0 && attributes[INTERRUPTED] === true,
		isFailed: code === 2,
		message: message ?? null,
		attributes,
		events: span.events.map(({ name, timeUnixNano, attributes }) => ({
			name,
			atMs: millis(timeUnixNano),
			attributes: attributesOf(attributes),
		})),
	};
}

/** Nanoseconds as OTLP has them (decimal text) to milliseconds with fractions. */
function millis(nanoseconds: string): number {
	const whole = BigInt(nanoseconds);
	return Number(whole / 1_000_000n) + Number(whole % 1_000_000n) / 1e6;
}

function attributesOf(list: readonly OtlpAttribute[]): Record<string, unknown> {
	return Object.fromEntries(list.map(({ key, value }) => [key, attributeValue(value)]));
}

/** Whole numbers are text in OTLP JSON. */
function attributeValue(value: OtlpAttribute["value"]): unknown {
	return value.intValue === undefined ? Object.values(value)[0] : Number(value.intValue);
}
