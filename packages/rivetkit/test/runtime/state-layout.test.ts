import type { StorageOp } from "@rivetkit/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replyKey, replySequence } from "../../src/runtime/calls/reply-layout.ts";
import {
	entriesOf,
	SUBSPACE_REPLIES,
	SUBSPACE_STATE,
	WAKE_END,
} from "../../src/runtime/commit/storage-layout.ts";
import { readState, STATE_CHUNK_BYTES, stateOps } from "../../src/runtime/instance/state-layout.ts";

/** Applies operations to an ordered map, as a store does. */
function apply(stored: Map<string, [Uint8Array, Uint8Array]>, ops: readonly StorageOp[]): void {
	const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
	for (const op of ops) {
		if (op.op === "put") stored.set(hex(op.key), [op.key, op.value]);
		else if (op.op === "delete") stored.delete(hex(op.key));
		else {
			for (const key of [...stored.keys()]) {
				if (key >= hex(op.start) && (op.end === null || key < hex(op.end))) stored.delete(key);
			}
		}
	}
}

const ordered = (stored: Map<string, [Uint8Array, Uint8Array]>) =>
	[...stored.keys()].sort().map((key) => stored.get(key)!);

describe("storage layout", () => {
	it("reads back the last state of any series of sizes, with nothing left of the ones before", () => {
		const sizes = fc.array(
			fc.oneof(
				fc.integer({ min: 0, max: 300 }),
				fc.integer({ min: STATE_CHUNK_BYTES - 2, max: STATE_CHUNK_BYTES + 2 }),
				fc.integer({ min: 2 * STATE_CHUNK_BYTES - 1, max: 3 * STATE_CHUNK_BYTES + 1 }),
			),
			{ minLength: 1, maxLength: 5 },
		);
		fc.assert(
			fc.property(sizes, (series) => {
				const stored = new Map<string, [Uint8Array, Uint8Array]>();
				let chunked = false;
				for (const [round, size] of series.entries()) {
					const bytes = new Uint8Array(size).fill(round + 1);
					const written = stateOps(bytes, chunked);
					apply(stored, written.ops);
					chunked = written.chunked;
					const read = readState(ordered(stored));
					expect(read.bytes).toEqual(bytes);
					expect(read.chunked).toBe(chunked);
					const chunks = chunked ? Math.ceil(size / STATE_CHUNK_BYTES) : 0;
					expect(stored.size).toBe(1 + chunks);
				}
			}),
			{ numRuns: 40 },
		);
	});

	it("refuses a state whose chunks are incomplete", () => {
		const stored = new Map<string, [Uint8Array, Uint8Array]>();
		apply(stored, stateOps(new Uint8Array(2 * STATE_CHUNK_BYTES + 5), false).ops);
		expect(() => readState(ordered(stored).slice(0, 2))).toThrow("incomplete");
	});

	it("orders reply keys by sequence, below the end of what a wake reads", () => {
		fc.assert(
			fc.property(fc.nat(2 ** 30), fc.nat({ max: 2 ** 48 - 1 }), (a, b) => {
				const [first, second] = [replyKey(Math.min(a, b)), replyKey(Math.max(a, b))];
				expect(Buffer.compare(first, second)).toBeLessThanOrEqual(0);
				expect(Buffer.compare(second, WAKE_END)).toBeLessThan(0);
				expect(replySequence(replyKey(b))).toBe(b);
			}),
		);
	});

	it("finds nothing where nothing was stored", () => {
		expect(readState([])).toEqual({ bytes: null, chunked: false });
	});

	it("finds each subspace's entries in a scan of several", () => {
		const entries = [
			[Uint8Array.of(SUBSPACE_STATE), Uint8Array.of(0)],
			[replyKey(1), Uint8Array.of(1)],
			[replyKey(2), Uint8Array.of(2)],
		] as const;
		expect(entriesOf(entries, SUBSPACE_STATE)).toEqual(entries.slice(0, 1));
		expect(entriesOf(entries, SUBSPACE_REPLIES)).toEqual(entries.slice(1));
		expect(entriesOf(entries, 0x03)).toEqual([]);
	});
});
