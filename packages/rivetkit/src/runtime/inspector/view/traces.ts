import type { OtlpAttribute, OtlpSpan, TracesAnswer } from "@rivetkit/protocol/inspector/answers";
import { VERSION } from "../../../utils/version.ts";
import { spanAttributes, spanName, type TracedActor } from "../../telemetry/actor-telemetry.ts";
import type { HostTelemetry } from "../../telemetry/host-telemetry.ts";
import type { Attributes, AttributeValue, Span } from "../../telemetry/span.ts";
import { type Activity, trailOf } from "./activity.ts";
import type { ActorView } from "./actor-view.ts";

/** Spans of one answer (contract: lifecycle 19). */
export const SPANS_MAX = 10_000;

type TracesView = Pick<ActorView, "activity" | "storedSpans">;

export interface SpanQuery {
	/** Milliseconds since the epoch; spans that began then or later. */
	readonly startMs: number;
	/** Spans that began then or earlier. */
	readonly endMs: number;
	readonly limit: number;
}

/** Those that began last, in the order of their beginning. `clamped`: there are more. */
export async function spansOf(
	view: TracesView,
	{ startMs, endMs, limit }: SpanQuery,
): Promise<{ spans: Span[]; clamped: boolean }> {
	const { activity } = view;
	if (activity === null) return { spans: [], clamped: false };
	const { host } = activity;
	const oldestMs = host.wallMs() - host.maxAgeMs;
	const all = (await allSpans(view, activity))
		.filter((span) => span.startMs >= startMs && span.startMs <= endMs)
		// One that goes on has no age.
		.filter((span) => span.isOpen || span.endMs >= oldestMs)
		.sort((a, b) => a.startMs - b.startMs);
	const most = Math.min(limit, SPANS_MAX);
	return {
		spans: most > 0 ? all.slice(-most) : [],
		clamped: all.length > most,
	};
}

/** What is stored, and what is in memory. */
async function allSpans(view: TracesView, { host, actor }: Activity): Promise<Span[]> {
	// Before it is looked up in memory: what ends meanwhile is found there.
	const stored = host.recordsSpans ? await view.storedSpans() : [];
	const trail = host.trails.of(actor.actorId);
	const inMemory = trail ? [...trail.spans] : [];
	if (stored.length === 0) return inMemory;
	const place = (span: Span) => `${host.traceId(span.trace)}${host.spanId(span.id)}`;
	const places = new Set(inMemory.map(place));
	return [...stored.filter((span) => !places.has(place(span))), ...inMemory];
}

/** The contract's answer (protocol 7.2). */
export async function tracesOf(view: TracesView, query: SpanQuery): Promise<TracesAnswer> {
	const { activity } = view;
	const { spans, clamped } = await spansOf(view, query);
	const leftOut = (activity && trailOf(activity)?.leftOut) ?? 0;
	if (activity === null || spans.length + leftOut === 0) return { ...NO_TRACES, clamped };
	return { otlp: otlpOf(activity, spans, leftOut), clamped };
}

const NO_TRACES = {
	otlp: { resourceSpans: [{ scopeSpans: [{ spans: [] }] }] },
	clamped: false,
} as const;

/** `leftOut`: pieces of work of the actor that no span is about, because there were too many. */
function otlpOf(
	{ host, actor }: Activity,
	spans: readonly Span[],
	leftOut: number,
): TracesAnswer["otlp"] {
	const resource = {
		"service.name": "rivetkit",
		...(leftOut > 0 && { "rivet.traces.left_out": leftOut }),
	};
	return {
		resourceSpans: [
			{
				resource: { attributes: otlpAttributes(resource) },
				scopeSpans: [
					{
						scope: { name: "rivetkit", version: VERSION },
						spans: spans.map((span) => otlpSpan(host, actor, span)),
					},
				],
			},
		],
	};
}

/** Of OTLP. */
export const ROLES = { internal: 1, server: 2, client: 3, consumer: 5 } as const;

/** A span in OTLP JSON; one that is open ends at 0. */
export function otlpSpan(host: HostTelemetry, actor: TracedActor, span: Span): OtlpSpan {
	const { kind, subject, parentId, startMs, endMs, isOpen, failure, events } = span;
	return {
		traceId: host.traceId(span.trace),
		spanId: host.spanId(span.id),
		...(parentId !== null && { parentSpanId: host.spanId(parentId) }),
		flags: span.trace.flags,
		name: spanName(kind, subject),
		kind: ROLES[kind.role],
		startTimeUnixNano: nanoseconds(startMs),
		endTimeUnixNano: isOpen ? "0" : nanoseconds(endMs),
		attributes: otlpAttributes(allAttributes(actor, span)),
		droppedAttributesCount: 0,
		events: (events ?? []).map(({ name, atMs, attributes }) => ({
			timeUnixNano: nanoseconds(atMs),
			name,
			attributes: otlpAttributes(attributes ?? {}),
			droppedAttributesCount: 0,
		})),
		droppedEventsCount: span.droppedEvents,
		links: [],
		droppedLinksCount: 0,
		status: failure ? { code: 2, message: failure.message } : { code: isOpen ? 0 : 1 },
	};
}

export function allAttributes(actor: TracedActor, span: Span): Attributes {
	const { kind, subject, attributes, failure } = span;
	return {
		...spanAttributes(actor, kind, subject),
		...attributes,
		...(failure && { "error.type": failure.type, "error.message": failure.message }),
	};
}

function otlpAttributes(attributes: Attributes): OtlpAttribute[] {
	return Object.entries(attributes).map(([key, value]) => ({ key, value: otlpValue(value) }));
}

function otlpValue(value: AttributeValue): OtlpAttribute["value"] {
	if (typeof value === "string") return { stringValue: value };
	if (typeof value === "boolean") return { boolValue: value };
	return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Decimal text, as 64 bit numbers are in JSON. */
export function nanoseconds(ms: number): string {
	const whole = Math.floor(ms);
	return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000)));
}
