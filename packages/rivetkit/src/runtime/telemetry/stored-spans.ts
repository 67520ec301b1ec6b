import { decodeCbor, encodeCbor, type StorageRange } from "@rivetkit/protocol";
import { SUBSPACE_TRACES } from "../commit/storage-layout.ts";
import { type Attributes, Span, type SpanEvent, type SpanFailure, UNADMITTED } from "./span.ts";
import { SPAN_KINDS, type SpanKind } from "./span-kinds.ts";

/**
 * How spans are stored: in chunks `15 <generation mod 8> <u8 slot>`. An incarnation has the slots of its
 * generation to itself, and writes them round and round; what an incarnation left there that was eight
 * before is deleted with its first chunk. So what is stored is bounded, and nobody has to read it to write.
 */
const LIVES_KEPT = 8;
/** Bytes of spans from which on the next chunk is begun. */
export const CHUNK_BYTES: number = 16 * 1_024;
const SLOTS_MAX = 256;

/** Slots of one incarnation, of which the spans take this many bytes at most, about. */
export function slotsFor(maxBytes: number): number {
	return Math.min(SLOTS_MAX, Math.max(2, Math.ceil(maxBytes / CHUNK_BYTES)));
}

export function chunkKey(generation: number, slot: number): Uint8Array {
	return Uint8Array.of(SUBSPACE_TRACES, generation % LIVES_KEPT, slot);
}

/** The slots of an incarnation. */
export function slotsOf(generation: number): { start: Uint8Array; end: Uint8Array } {
	const life = generation % LIVES_KEPT;
	return {
		start: Uint8Array.of(SUBSPACE_TRACES, life),
		end: Uint8Array.of(SUBSPACE_TRACES, life + 1),
	};
}

const ALL_CHUNKS: StorageRange = {
	start: Uint8Array.of(SUBSPACE_TRACES),
	end: Uint8Array.of(SUBSPACE_TRACES + 1),
};

/** Its kind by name, and the rest in the order of {@link Span}; ids in hexadecimal digits. */
type StoredSpan = readonly [
	kind: string,
	subject: string | null,
	traceId: string,
	flags: number,
	parentId: string | null,
	id: string,
	startMs: number,
	endMs: number,
	attributes: Attributes | null,
	events: readonly (readonly [string, number, Attributes | null])[] | null,
	droppedEvents: number,
	failure: readonly [type: string, message: string] | null,
];

const KIND_NAMES: ReadonlyMap<SpanKind, string> = new Map(
	Object.entries(SPAN_KINDS).map(([name, kind]) => [kind, name]),
);
const KINDS: Readonly<Record<string, SpanKind | undefined>> = SPAN_KINDS;

/** Where the ids of spans are made. */
export interface SpanIds {
	contextOf(span: Span): { readonly traceId: string; readonly spanId: string };
	spanId(id: number | string): string;
}

/** @param endMs - of one that ends with what it is stored in */
export function encodeSpan(ids: SpanIds, span: Span, endMs: number = span.endMs): Uint8Array {
	const { kind, subject, trace, parentId, startMs, attributes, events, droppedEvents, failure } =
		span;
	const { traceId, spanId } = ids.contextOf(span);
	const stored: StoredSpan = [
		KIND_NAMES.get(kind)!,
		subject,
		traceId,
		trace.flags,
		parentId === null ? null : ids.spanId(parentId),
		spanId,
		startMs,
		endMs,
		attributes,
		events?.map((event) => [event.name, event.atMs, event.attributes] as const) ?? null,
		droppedEvents,
		failure && [failure.type, failure.message],
	];
	return encodeCbor(stored);
}

/** Spans, each behind its length. */
export function joinSpans(spans: readonly Uint8Array[]): Uint8Array {
	let size = 0;
	for (const { byteLength } of spans) size += 4 + byteLength;
	const chunk = new Uint8Array(size);
	const view = new DataView(chunk.buffer);
	let at = 0;
	for (const span of spans) {
		view.setUint32(at, span.byteLength);
		chunk.set(span, at + 4);
		at += 4 + span.byteLength;
	}
	return chunk;
}

/**
 * Spans of an actor that are stored, oldest first. What was open when its host ended has
 * `rivet.trace.interrupted`.
 *
 * @param live - the generation of the incarnation that there is; null while there is none
 */
export async function readStoredSpans(
	scan: (range: StorageRange) => Promise<readonly (readonly [Uint8Array, Uint8Array])[]>,
	live: number | null,
): Promise<Span[]> {
	const spans = new Map<string, Span>();
	for (const [key, chunk] of await scan(ALL_CHUNKS)) {
		const isOver = live === null || key[1] !== live % LIVES_KEPT;
		for (const span of spansIn(chunk)) {
			if (isOver && span.isOpen) span.set("rivet.trace.interrupted", true);
			const place = `${span.trace.id}${span.id}`;
			// It was open in one chunk, and has ended in a later one.
			if (spans.get(place)?.isOpen !== false) spans.set(place, span);
		}
	}
	return [...spans.values()].sort((a, b) => a.startMs - b.startMs);
}

function* spansIn(chunk: Uint8Array): Generator<Span> {
	const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
	for (let at = 0; at < chunk.byteLength; ) {
		const size = view.getUint32(at);
		const span = readSpan(decodeCbor(chunk.subarray(at + 4, at + 4 + size)) as StoredSpan);
		if (span !== null) yield span;
		at += 4 + size;
	}
}

/** Null for one of a kind that a later version has. */
function readSpan(stored: StoredSpan): Span | null {
	const [kindName, subject, traceId, flags, parentId, id, startMs, endMs, ...rest] = stored;
	const [attributes, events, droppedEvents, failure] = rest;
	const kind = KINDS[kindName];
	if (!kind) return null;
	const trace = { id: traceId, flags, admission: UNADMITTED };
	const span = new Span(kind, subject, trace, parentId, id, startMs, null);
	span.endMs = endMs;
	span.attributes = attributes;
	span.events =
		events?.map(([name, atMs, attributes]): SpanEvent => ({ name, atMs, attributes })) ?? null;
	span.droppedEvents = droppedEvents;
	span.failure = failure && ({ type: failure[0], message: failure[1] } satisfies SpanFailure);
	return span;
}
