import { encodeCbor } from "@rivetkit/protocol";
import { encodeTraceRange, type trace } from "@rivetkit/protocol/inspector";
import { spanName } from "../../telemetry/actor-telemetry.ts";
import type { Attributes, Span } from "../../telemetry/span.ts";
import type { Activity } from "./activity.ts";
import type { ActorView } from "./actor-view.ts";
import { allAttributes, nanoseconds, ROLES, type SpanQuery, spansOf } from "./traces.ts";

/** The same as `GET traces` in the form of the WebSocket (contract: protocol 7.3): one chunk of records. */
export async function traceRange(
	view: Pick<ActorView, "activity" | "storedSpans">,
	query: SpanQuery,
): Promise<Uint8Array> {
	const { activity } = view;
	const { spans, clamped } = await spansOf(view, query);
	return encodeTraceRange({
		startTimeMs: Math.floor(query.startMs),
		endTimeMs: Math.floor(query.endMs),
		limit: Math.min(query.limit, 0xffffffff),
		clamped,
		baseChunks: [],
		chunks: activity && spans.length > 0 ? [chunkOf(activity, spans)] : [],
	});
}

function chunkOf(activity: Activity, spans: readonly Span[]): trace.Chunk {
	const strings = new Strings();
	const baseMs = Math.floor(spans[0]!.startMs);
	const baseUnixNs = BigInt(nanoseconds(baseMs));
	const offset = (ms: number) => BigInt(nanoseconds(Math.max(ms, baseMs))) - baseUnixNs;
	const timed: { atMs: number; record: trace.Record }[] = [];
	const add = (atMs: number, body: trace.RecordBody) => {
		timed.push({ atMs, record: { timeOffsetNs: offset(atMs), body } });
	};
	for (const span of spans) {
		const spanId = bytesOf(activity.host.spanId(span.id));
		add(span.startMs, { tag: "Start", val: startOf(activity, span, spanId, strings) });
		for (const { name, atMs, attributes } of span.events ?? []) {
			const val = {
				spanId,
				name: strings.index(name),
				attributes: strings.attributes(attributes ?? {}),
				droppedAttributesCount: 0,
			};
			add(atMs, { tag: "Event", val });
		}
		if (span.isOpen) continue;
		const { failure } = span;
		const status = failure
			? ({ code: "Error", message: failure.message } as const)
			: ({ code: "Ok", message: undefined } as const);
		add(span.endMs, { tag: "End", val: { spanId, status } });
	}
	// A stable sort: what happened at the same time stays in the order of its span.
	const records = timed.sort((a, b) => a.atMs - b.atMs).map(({ record }) => record);
	return {
		baseUnixNs,
		strings: strings.all,
		records,
		activeSpans: activeIn(spans, activity, records),
	};
}

function startOf(
	{ host, actor }: Activity,
	span: Span,
	spanId: Uint8Array,
	strings: Strings,
): trace.Start {
	const { kind, subject, parentId } = span;
	return {
		traceId: bytesOf(host.traceId(span.trace)),
		spanId,
		parentSpanId: parentId === null ? undefined : bytesOf(host.spanId(parentId)),
		name: strings.index(spanName(kind, subject)),
		kind: ROLES[kind.role],
		traceState: undefined,
		flags: span.trace.flags,
		attributes: strings.attributes(allAttributes(actor, span)),
		droppedAttributesCount: 0,
		links: [],
		droppedLinksCount: 0,
	};
}

function activeIn(
	spans: readonly Span[],
	{ host }: Activity,
	records: readonly trace.Record[],
): trace.ActiveSpan[] {
	const open = new Set(spans.filter(({ isOpen }) => isOpen).map(({ id }) => host.spanId(id)));
	return records.flatMap(({ body }, recordIndex) => {
		if (body.tag !== "Start" || !open.has(hexOf(body.val.spanId))) return [];
		const startKey = { prefix: 0, bucketStartSec: 0, chunkId: 0, recordIndex };
		return [{ spanId: body.val.spanId, startKey, latestSnapshotKey: undefined }];
	});
}

/** Names and keys of a chunk, each once. */
class Strings {
	readonly all: string[] = [];
	readonly #places = new Map<string, number>();

	index(text: string): number {
		let place = this.#places.get(text);
		if (place === undefined) {
			place = this.all.push(text) - 1;
			this.#places.set(text, place);
		}
		return place;
	}

	attributes(attributes: Attributes): trace.Attribute[] {
		return Object.entries(attributes).map(([key, value]) => ({
			key: this.index(key),
			value: encodeCbor(value),
		}));
	}
}

function bytesOf(hex: string): Uint8Array {
	return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function hexOf(bytes: Uint8Array): string {
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
