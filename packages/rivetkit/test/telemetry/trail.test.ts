// What is kept of actors' pasts is bounded, of each and of all together.
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Kept, NumberedRing, Ring } from "../../src/runtime/telemetry/ring.ts";
import { Span } from "../../src/runtime/telemetry/span.ts";
import { SPAN_KINDS } from "../../src/runtime/telemetry/span-kinds.ts";
import { Trails } from "../../src/runtime/telemetry/trail.ts";

class Entry implements Kept {
	bytes: number;
	isDropped = false;
	constructor(bytes: number) {
		this.bytes = bytes;
	}
}

it("a ring keeps the last entries within both limits, and tells of each byte", () => {
	const entries = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 200 });
	const limits = fc.record({
		entriesMax: fc.integer({ min: 1, max: 20 }),
		bytesMax: fc.integer({ min: 1, max: 300 }),
	});
	fc.assert(
		fc.property(entries, limits, (sizes, { entriesMax, bytesMax }) => {
			let told = 0;
			const ring = new Ring<Entry>(entriesMax, bytesMax, (bytes) => {
				told += bytes;
			});
			const all = sizes.map((bytes) => new Entry(bytes));
			for (const [at, entry] of all.entries()) {
				ring.push(entry);
				// The longest tail that fits, and the newest in any case.
				let first = at;
				let bytes = entry.bytes;
				while (
					first > 0 &&
					at - first + 2 <= entriesMax &&
					bytes + all[first - 1]!.bytes <= bytesMax
				) {
					bytes += all[--first]!.bytes;
				}
				expect([...ring]).toEqual(all.slice(first, at + 1));
				expect([ring.size, ring.bytes, told]).toEqual([at - first + 1, bytes, bytes]);
				expect(all.slice(0, at + 1).map(({ isDropped }) => !isDropped)).toEqual(
					all.slice(0, at + 1).map((_, place) => place >= first),
				);
			}
			ring.clear();
			expect([ring.size, ring.bytes, told]).toEqual([0, 0, 0]);
		}),
	);
});

it("a numbered ring knows the newest of what it has let go", () => {
	const ring = new NumberedRing<Entry & { id: number }>(2, 1_000, () => {});
	const push = (id: number) => ring.push(Object.assign(new Entry(1), { id }));
	push(4);
	push(7);
	expect(ring.droppedId).toBe(0);
	push(9);
	expect(ring.droppedId).toBe(4);
	ring.clear();
	expect(ring.droppedId).toBe(9);
});

function span(): Span {
	const admission = { second: 1, spansLeft: 1 };
	return new Span(SPAN_KINDS.commit, null, { id: null, flags: 1, admission }, null, 1, 0, null);
}

it("of all actors together only so much is kept: those go first to which nothing was added", () => {
	const trails = new Trails({ maxSpans: 10, maxBytes: 10_000, maxTotalBytes: 50_000 });
	for (let actor = 0; actor < 1_000; actor++) {
		for (let at = 0; at < 5; at++) trails.open(`a${actor}`).begin(span());
		// One that goes on all the time stays.
		trails.open("busy").begin(span());
		expect(trails.bytes).toBeLessThanOrEqual(50_000);
	}
	expect(trails.of("busy")?.spans.size).toBe(10);
	expect(trails.of("a0")).toBeUndefined();
	expect(trails.of("a999")?.spans.size).toBe(5);
	expect(trails.size).toBeGreaterThan(20);
	for (let actor = 0; actor < 1_000; actor++) trails.remove(`a${actor}`);
	trails.remove("busy");
	expect([trails.size, trails.bytes]).toEqual([0, 0]);
});

it("who follows an actor is not dropped, though what was before is", () => {
	const trails = new Trails({ maxSpans: 10, maxBytes: 10_000, maxTotalBytes: 5_000 });
	const followed = trails.open("followed");
	const seen: Span[] = [];
	followed.listeners = new Set([
		{ onEvent: null, onLog: null, onSpan: (ended: Span) => void seen.push(ended) },
	]);
	followed.begin(span());
	for (let actor = 0; actor < 100; actor++) trails.open(`a${actor}`).begin(span());
	expect(trails.of("followed")).toBe(followed);
	expect(followed.spans.size).toBe(0);
	const later = span();
	followed.begin(later);
	followed.ended(later);
	expect(seen).toEqual([later]);
});

it("a span that outlives its place in the ring is kept again when it ends", () => {
	const trails = new Trails({ maxSpans: 3, maxBytes: 10_000, maxTotalBytes: 50_000 });
	const trail = trails.open("a");
	const long = span();
	trail.begin(long);
	for (let at = 0; at < 5; at++) trail.begin(span());
	expect([...trail.spans]).not.toContain(long);
	long.set("text", "x".repeat(100));
	trail.ended(long);
	expect([...trail.spans].at(-1)).toBe(long);
	expect(trail.spans.bytes).toBe([...trail.spans].reduce((sum, { bytes }) => sum + bytes, 0));
});
