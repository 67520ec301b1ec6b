// Keys, entries and errors of a workflow's history, as they are stored.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Entry } from "../../src/workflow/history/entry.ts";
import { decodeHead, encodeHead, newHead } from "../../src/workflow/history/head.ts";
import {
	decodeKey,
	entryRange,
	type KeyRange,
	Location,
	type Segment,
} from "../../src/workflow/history/location.ts";
import { putEntry, readEntries } from "../../src/workflow/history/stored-entries.ts";
import { reviveError, storeError } from "../../src/workflow/history/stored-error.ts";
import { JoinError, RaceError, StepExhaustedError } from "../../src/workflow/index.ts";
import { plainJson } from "../../src/workflow/inspect/plain-json.ts";

const name = fc.oneof(
	fc.constantFrom("a", "b", "a/b", "~0", "\0", "\u0001", "a\0", "a\u0001b", "\u{1F600}"),
	fc.string({ minLength: 1, unit: "grapheme" }),
);
const number = fc.nat({ max: 2 ** 40 });
const segment: fc.Arbitrary<Segment> = fc.oneof(
	fc.record({ kind: fc.constant("name" as const), name }),
	fc.record({ kind: fc.constant("iteration" as const), iteration: number }),
	fc.record({ kind: fc.constant("send" as const), queue: name, ordinal: number }),
	fc.constant({ kind: "outcome" as const }),
	fc.constant({ kind: "start" as const }),
);
const segments = fc.array(segment, { maxLength: 5 });

const locate = (path: readonly Segment[]) =>
	path.reduce((location, part) => location.child(part), Location.root);
const compare = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b);
const lies = (key: Uint8Array, { start, end }: KeyRange) =>
	compare(key, start) >= 0 && compare(key, end) < 0;
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

describe("keys", () => {
	it("say where an entry is, and nothing else", () => {
		fc.assert(
			fc.property(segments, segment, (scope, last) => {
				const key = locate(scope).keyAt(last);
				expect(decodeKey(key)).toEqual([...scope, last]);
			}),
		);
	});

	it("are what they have always been", () => {
		const bytes = (path: readonly Segment[], last: Segment) =>
			Buffer.from(locate(path).keyAt(last)).toString("hex");
		const step: Segment = { kind: "name", name: "s" };
		expect(bytes([], step)).toBe("140100" + "027300");
		const iteration: Segment = { kind: "iteration", iteration: 2 ** 32 + 5 };
		const within: Segment[] = [{ kind: "name", name: "lo" }, iteration];
		expect(bytes(within, step)).toBe("140102" + "026c6f00" + "03000100000005" + "027300");
		const escaped: Segment = { kind: "name", name: "\0\u0001é" };
		expect(bytes([], escaped)).toBe("140100" + "02" + "0101" + "0102" + "c3a9" + "00");
		expect(bytes([], { kind: "send", queue: "q", ordinal: 3 })).toBe(
			"140100" + "047100" + "000000000003",
		);
		expect(bytes([], { kind: "outcome" })).toBe("14010005");
		expect(bytes([], { kind: "start" })).toBe("14010006");
	});

	it("of one scope are one range, without those of other scopes", () => {
		fc.assert(
			fc.property(segments, segments, segment, (scope, other, last) => {
				const key = locate(other).keyAt(last);
				expect(lies(key, locate(scope).entries)).toBe(same(scope, other));
			}),
		);
	});

	it("below a place are one range for each depth", () => {
		fc.assert(
			fc.property(segments, segments, segment, fc.nat(6), (place, scope, last, depth) => {
				const key = locate(scope).keyAt(last);
				const isBelow =
					scope.length === depth &&
					depth >= place.length &&
					same(scope.slice(0, place.length), place);
				if (depth >= place.length) {
					expect(lies(key, locate(place).below(depth))).toBe(isBelow);
				}
			}),
		);
	});

	it("of iterations are ordered by number", () => {
		const loop = Location.root.child({ kind: "name", name: "loop" });
		fc.assert(
			fc.property(number, number, number, (iteration, from, length) => {
				const scope = loop.child({ kind: "iteration", iteration });
				const key = scope.keyAt({ kind: "name", name: "s" });
				const range = loop.iterationsBelow(2, from, from + length);
				expect(lies(key, range)).toBe(iteration >= from && iteration < from + length);
			}),
		);
	});
});

describe("entries", () => {
	it("come back as they were, also when they need several values", () => {
		for (const size of [0, 10, 95_000, 98_304, 200_000, 1_000_000]) {
			const entry = new Entry("step", 7, 1_000, 2, { output: new Uint8Array(size).fill(5) });
			entry.status = "completed";
			entry.attempts = 3;
			entry.error = { name: "E", message: "m" };
			entry.rollbackCompletedAt = 9;
			const key = Location.root.keyAt({ kind: "name", name: "s" });
			const ops: Parameters<typeof putEntry>[2] = [];
			putEntry(key, entry, ops);
			const rows = ops.flatMap((op) => (op.op === "put" ? [[op.key, op.value] as const] : []));
			for (const [row, value] of rows) {
				expect(lies(row, entryRange(key))).toBe(true);
				expect(value.byteLength).toBeLessThanOrEqual(128 * 1024);
			}
			const next = Location.root.keyAt({ kind: "name", name: "s2" });
			const other = new Entry("sleep", 8, 1, 0, { deadline: 5 });
			const read = [...readEntries([...rows, [next, other.encode()]])];
			expect(read).toHaveLength(2);
			expect(read[0]!.entry).toMatchObject({
				kind: "step",
				status: "completed",
				attempts: 3,
				epoch: 2,
				createdSequence: 7,
				error: { name: "E", message: "m" },
				rollbackCompletedAt: 9,
				isChunked: size > 96 * 1024 - 100,
			});
			expect((read[0]!.entry.data as { output: Uint8Array }).output).toHaveLength(size);
		}
	});

	it("and heads of an unknown format are refused", () => {
		const head = newHead(5);
		expect(decodeHead(encodeHead(head))).toEqual(head);
		const bytes = encodeHead(head);
		bytes[1] = 9;
		expect(() => decodeHead(bytes)).toThrow(/format 9; this version reads format 1/);
	});
});

it("values are shown as plain JSON", () => {
	const value = {
		small: 5n,
		big: 2n ** 80n,
		at: new Date(0),
		never: new Date(Number.NaN),
		bytes: Uint8Array.of(0, 255),
		floats: Float64Array.of(0.5, Number.POSITIVE_INFINITY),
		set: new Set([1n]),
		named: new Map([["a", undefined]]),
		pairs: new Map([[1, new Map([["b", 2]])]]),
		pattern: /a+/gi,
		error: new RangeError("too far"),
		list: [Number.NaN, null, "x", true],
	};
	expect(plainJson(value)).toEqual({
		small: 5,
		big: "1208925819614629174706176",
		at: "1970-01-01T00:00:00.000Z",
		never: null,
		bytes: "AP8=",
		floats: [0.5, "Infinity"],
		set: [1],
		named: { a: null },
		pairs: [[1, { b: 2 }]],
		pattern: "/a+/gi",
		error: { name: "RangeError", message: "too far" },
		list: ["NaN", null, "x", true],
	});
});

describe("errors", () => {
	it("are thrown again as they were: class, text, plain fields", () => {
		const cause = Object.assign(new RangeError("inner"), { code: 7, list: [1], nothing: null });
		const exhausted = reviveError(storeError(new StepExhaustedError("s", cause)));
		expect(exhausted).toBeInstanceOf(StepExhaustedError);
		expect(exhausted).toMatchObject({
			message: 'Step "s" exhausted retries: RangeError: inner',
			stepName: "s",
			lastError: { name: "RangeError", message: "inner", code: 7, nothing: null },
		});
		expect((exhausted as StepExhaustedError).lastError).not.toHaveProperty("list");
		const join = reviveError(storeError(new JoinError({ a: exhausted, b: new Error("b") })));
		expect(join).toBeInstanceOf(JoinError);
		expect((join as JoinError).errors.a).toBeInstanceOf(StepExhaustedError);
		const race = reviveError(storeError(new RaceError([{ name: "a", error: "e" }])));
		expect(race).toMatchObject({ errors: [{ name: "a", error: "e" }] });
		expect(reviveError(storeError("text"))).toMatchObject({ name: "Error", message: "text" });
		expect(reviveError(storeError(undefined))).toMatchObject({ message: "undefined" });
	});
});
