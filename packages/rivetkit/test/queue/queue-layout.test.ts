import type { StorageOp } from "@rivetkit/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WAKE_END, WAKE_START } from "../../src/runtime/commit/storage-layout.ts";
import type { MessageHeader } from "../../src/runtime/queue/message.ts";
import {
	bodyRows,
	dedupeKey,
	dedupeOrderKey,
	joinChunks,
	numberOf,
	putHeader,
	putNextId,
	readIndexEntry,
} from "../../src/runtime/queue/queue-layout.ts";

const time = fc.integer({ min: 0, max: 2 ** 52 });
const id = fc.integer({ min: 1, max: 2 ** 48 - 1 });
const headers: fc.Arbitrary<MessageHeader> = fc.record({
	name: fc.string({ unit: "grapheme" }),
	size: fc.nat(),
	createdAt: time,
	priority: fc.oneof(fc.constant(0), fc.maxSafeInteger()),
	attempt: fc.oneof(fc.constant(0), fc.nat()),
	availableAt: fc.oneof(fc.constant(0), time),
	expiresAt: fc.option(time),
	waitKey: fc.option(fc.string()),
	givenUp: fc.option(fc.record({ queue: fc.string(), attempts: fc.nat(), at: time })),
});
const putOf = (op: StorageOp) => op as Extract<StorageOp, { op: "put" }>;
const compare = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b);

describe("what every wake reads", () => {
	it("gives headers and the next id back, in the order of their ids", () => {
		fc.assert(
			fc.property(id, headers, id, (number, header, other) => {
				const { key, value } = putOf(putHeader(number, header));
				expect(readIndexEntry(key, value)).toEqual({ kind: "header", id: number, header });
				expect(compare(key, WAKE_START)).toBeGreaterThan(0);
				expect(compare(key, WAKE_END)).toBeLessThan(0);
				const another = putOf(putHeader(other, header)).key;
				expect(Math.sign(compare(key, another))).toBe(Math.sign(number - other));
				const next = putOf(putNextId(number));
				expect(readIndexEntry(next.key, next.value)).toEqual({ kind: "nextId", nextId: number });
			}),
		);
	});

	it("is small for a plain message, and refuses what a newer version wrote", () => {
		const plain: MessageHeader = {
			name: "jobs",
			size: 100,
			createdAt: 1_700_000_000_000,
			priority: 0,
			attempt: 0,
			availableAt: 0,
			expiresAt: null,
			waitKey: null,
			givenUp: null,
		};
		const { key, value } = putOf(putHeader(1, plain));
		expect(key.byteLength + value.byteLength).toBeLessThan(32);
		expect(() => readIndexEntry(Uint8Array.of(5, 99), value)).toThrow(/newer version/);
	});
});

describe("what is read when it is asked for", () => {
	it("is stored in parts that no backend refuses, and put together again", () => {
		const sizes = fc.oneof(fc.nat(300), fc.constantFrom(98_303, 98_304, 98_305, 400_000));
		fc.assert(
			fc.property(id, sizes, (number, size) => {
				const bytes = new Uint8Array(size).map((_, index) => index % 251);
				const puts = bodyRows.put(number, bytes).map(putOf);
				const keys = bodyRows.keys(number, size);
				expect(puts.map(({ key }) => key)).toEqual(keys);
				for (const { key, value } of puts) {
					expect(value.byteLength).toBeLessThanOrEqual(128 * 1024);
					expect(compare(key, WAKE_END)).toBeGreaterThanOrEqual(0);
				}
				expect(
					joinChunks(
						puts.map(({ value }) => value),
						"body",
					),
				).toEqual(bytes);
				expect(bodyRows.delete(number, size)).toEqual(keys.map((key) => ({ op: "delete", key })));
			}),
			{ numRuns: 30 },
		);
		expect(() => joinChunks([new Uint8Array(1), null], "body")).toThrow(
			"Stored body is incomplete",
		);
	});

	it("keeps dedupe keys of different queues apart, and in order", () => {
		expect(dedupeKey("a", "bc")).not.toEqual(dedupeKey("ab", "c"));
		expect(dedupeKey("a\0b", "c")).not.toEqual(dedupeKey("a", "b\0c"));
		fc.assert(
			fc.property(id, (sequence) => {
				expect(numberOf(dedupeOrderKey(sequence))).toBe(sequence);
			}),
		);
	});
});
