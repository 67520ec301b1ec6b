import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPageChange, diffPage, readPageChange } from "../../src/sqlite/pages/page-change.ts";
import { PAGE_BYTES, pageChecksum } from "../../src/sqlite/pages/page-checksum.ts";
import {
	pageKey,
	pageOp,
	RecordedChanges,
	readRecords,
	readWholePage,
	recordKey,
	recordOps,
} from "../../src/sqlite/pages/stored-pages.ts";

// Pages, what changes in them, and how both are stored.

/** A page that differs from another one in a few places, as pages do. */
const edits = fc.array(
	fc.record({
		at: fc.nat(PAGE_BYTES - 1),
		bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
	}),
	{ maxLength: 12 },
);
type Edits = readonly { readonly at: number; readonly bytes: Uint8Array }[];

function edited(page: Uint8Array, changes: Edits): Uint8Array {
	const copy = page.slice();
	for (const { at, bytes } of changes) copy.set(bytes.subarray(0, PAGE_BYTES - at), at);
	return copy;
}

const position = { salt: 0xfedcba9876543210n, frames: 7, checksum: 5n };

describe("a change of a page", () => {
	it("made to the page before gives the page after, whatever was changed", () => {
		fc.assert(
			fc.property(edits, edits, fc.integer({ min: 1, max: 2 ** 32 - 1 }), (first, second, page) => {
				const before = edited(new Uint8Array(PAGE_BYTES), first);
				const after = edited(before, second);
				const change = diffPage(page, before, after);
				const { change: read, end } = readPageChange(change.bytes, 0);
				expect(end).toBe(change.bytes.byteLength);
				expect(read).toMatchObject({ page, fromZeros: false, checksum: pageChecksum(after) });
				const target = before.slice();
				applyPageChange(target, read);
				expect(target).toEqual(after);
			}),
		);
	});

	it("from zeros does not need the page before", () => {
		fc.assert(
			fc.property(edits, edits, (first, second) => {
				const after = edited(new Uint8Array(PAGE_BYTES), second);
				const change = diffPage(3, null, after);
				const target = edited(new Uint8Array(PAGE_BYTES), first);
				applyPageChange(target, change);
				expect(target).toEqual(after);
			}),
		);
	});

	it("is as long as what was changed, and empty when nothing was", () => {
		const page = new Uint8Array(PAGE_BYTES).map((_byte, index) => index);
		expect(diffPage(1, page, page).bytes.byteLength).toBe(10);
		expect(
			diffPage(1, page, edited(page, [{ at: 100, bytes: Uint8Array.of(255) }])).bytes.byteLength,
		).toBe(18);
		const other = page.map((byte) => byte ^ 0xff);
		expect(diffPage(1, page, other).bytes.byteLength).toBe(14 + PAGE_BYTES);
	});

	it("that is cut off, or longer than a page, is refused", () => {
		const page = new Uint8Array(PAGE_BYTES).fill(1);
		const { bytes } = diffPage(1, null, page);
		expect(() => readPageChange(bytes.subarray(0, bytes.byteLength - 1), 0)).toThrow(RangeError);
		const broken = bytes.slice();
		new DataView(broken.buffer).setUint16(10, 1_000);
		const { change } = readPageChange(broken, 0);
		expect(() => applyPageChange(new Uint8Array(PAGE_BYTES), change)).toThrow(RangeError);
	});
});

describe("stored commits", () => {
	it("come back in order, in chunks below the limit of one value", () => {
		fc.assert(
			fc.property(
				fc.array(edits, { minLength: 1, maxLength: 6 }),
				fc.integer({ min: 1, max: 60 }),
				(histories, pages) => {
					const entries: [Uint8Array, Uint8Array][] = [];
					const content = new Map<number, Uint8Array>();
					let commit = 2 ** 40;
					for (const history of histories) {
						const changes = Array.from({ length: pages }, (_unused, index) => {
							const page = index + 1;
							const before = content.get(page) ?? null;
							const after = edited(
								before ?? new Uint8Array(PAGE_BYTES),
								history.length > 0 ? history : [{ at: page, bytes: Uint8Array.of(1) }],
							);
							after[page] = index;
							content.set(page, after);
							return diffPage(page, before, after);
						});
						const ops = [] as never[];
						recordOps({ commit: commit++, pageCount: pages, position }, changes, ops);
						for (const op of ops as { key: Uint8Array; value: Uint8Array }[]) {
							expect(op.value.byteLength).toBeLessThanOrEqual(96 * 1024);
							entries.push([op.key, op.value]);
						}
					}
					const sorted = [...entries].sort(([a], [b]) => Buffer.compare(a, b));
					expect(sorted).toEqual(entries);
					const records = readRecords(sorted);
					expect(records.map((record) => record.commit)).toEqual(
						histories.map((_history, index) => 2 ** 40 + index),
					);
					expect(records.at(-1)).toMatchObject({ pageCount: pages, position });
					const changes = new RecordedChanges(records);
					for (const [page, bytes] of content) expect(changes.restore(page, null)).toEqual(bytes);
				},
			),
			{ numRuns: 30 },
		);
	});

	it("before a whole page do not count, and those after it do", () => {
		const [first, second, third] = [1, 2, 3].map((fill) =>
			new Uint8Array(PAGE_BYTES).fill(fill, 0, fill * 8),
		) as [Uint8Array, Uint8Array, Uint8Array];
		const record = (commit: number, before: Uint8Array | null, after: Uint8Array) => {
			const ops: never[] = [];
			recordOps({ commit, pageCount: 1, position }, [diffPage(1, before, after)], ops);
			return (ops as { key: Uint8Array; value: Uint8Array }[]).map(
				({ key, value }): [Uint8Array, Uint8Array] => [key, value],
			);
		};
		const records = readRecords([
			...record(1, null, first),
			...record(2, first, second),
			...record(3, second, third),
		]);
		const op = pageOp(1, 2, second) as { key: Uint8Array; value: Uint8Array };
		const whole = readWholePage(op.key, op.value);
		expect(whole).toEqual({ page: 1, commit: 2, bytes: second });
		expect(new RecordedChanges(records).restore(1, whole)).toEqual(third);
		expect(
			new RecordedChanges(records.slice(0, 2)).restore(1, readWholePage(op.key, op.value)),
		).toEqual(second);
	});

	it("of pages that were cut off do not come back with them", () => {
		const full = new Uint8Array(PAGE_BYTES).fill(9);
		const ops: never[] = [];
		recordOps(
			{ commit: 1, pageCount: 2, position },
			[diffPage(1, null, full), diffPage(2, null, full)],
			ops,
		);
		recordOps({ commit: 2, pageCount: 1, position }, [], ops);
		recordOps({ commit: 3, pageCount: 2, position }, [], ops);
		const entries = (ops as { key: Uint8Array; value: Uint8Array }[]).map(
			({ key, value }): [Uint8Array, Uint8Array] => [key, value],
		);
		const changes = new RecordedChanges(readRecords(entries));
		expect([...changes.pages]).toEqual([1]);
		expect(changes.restore(2, null)).toBeNull();
	});

	it("that were damaged are recognised, whichever bit it is", () => {
		const page = new Uint8Array(PAGE_BYTES).map((_byte, index) => index);
		const ops: never[] = [];
		recordOps({ commit: 4, pageCount: 1, position }, [diffPage(1, null, page)], ops);
		const [{ key, value }] = ops as unknown as [{ key: Uint8Array; value: Uint8Array }];
		const whole = pageOp(1, 4, page) as { key: Uint8Array; value: Uint8Array };
		fc.assert(
			fc.property(fc.nat(value.byteLength * 8 - 1), fc.nat(PAGE_BYTES * 8 - 1), (bit, pageBit) => {
				const damaged = flipped(value, bit);
				let restored: Uint8Array | null = null;
				try {
					restored = new RecordedChanges(readRecords([[key, damaged]])).restore(1, null);
				} catch (error) {
					expect((error as Error).message).toMatch(/damaged/);
				}
				// Only what is not about the page can change unnoticed.
				if (restored !== null) expect(restored).toEqual(page);
				expect(() => readWholePage(whole.key, flipped(whole.value, 80 + pageBit))).toThrow(
					/damaged.*page 1/,
				);
			}),
		);
		expect(() => readWholePage(whole.key, whole.value.subarray(1))).toThrow(/cut off/);
	});

	it("keys are in the order of commits, chunks and pages", () => {
		const keys = [
			recordKey(1, 0),
			recordKey(1, 1),
			recordKey(2, 0),
			recordKey(2 ** 33, 0),
			pageKey(1),
			pageKey(256),
			pageKey(2 ** 31),
		];
		expect([...keys].sort(Buffer.compare)).toEqual(keys);
	});
});

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
	const copy = bytes.slice();
	copy[bit >> 3]! ^= 1 << (bit & 7);
	return copy;
}
