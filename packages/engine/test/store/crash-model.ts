import type { StorageOp } from "@rivetkit/protocol";
import type { CommitBatch } from "../../src/store/store.ts";
import { text } from "./fixtures.ts";

/**
 * What the crash test's writers write: the content of batch `n` of an actor follows from the seed, so
 * whoever knows `n` knows all that must be stored.
 */
export const STEADY_ACTORS = ["steady-0", "steady-1", "steady-2", "steady-3"] as const;

/** Keys that every batch writes with its number. */
const NUMBERED = ["first", "middle", "last"];

/** A small generator of repeatable numbers (mulberry32). */
export function generator(seed: number): (below: number) => number {
	let state = seed >>> 0;
	return (below) => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
	};
}

export function steadyBatch(
	seed: number,
	actorId: string,
	generation: number,
	n: number,
): CommitBatch {
	const random = generator(seed ^ Math.imul(n + 1, 2_654_435_761) ^ actorId.charCodeAt(7));
	const put = (key: string, value: string): StorageOp => ({
		op: "put",
		key: text(key),
		value: text(value),
	});
	const ops: StorageOp[] = [put("first", String(n))];
	for (let count = random(12); count > 0; count--) {
		ops.push(put(`k${random(40)}`, `${n} `.repeat(1 + random(600))));
	}
	ops.push(put("middle", String(n)));
	if (random(4) === 0) {
		ops.push({ op: "deleteRange", start: text("k1"), end: text(`k${1 + random(3)}`) });
	}
	if (random(3) === 0) {
		ops.push({ op: "delete", key: text(`k${random(40)}`) });
	}
	ops.push(put("last", String(n)));
	return { actorId, generation, ops, alarmTs: 1_000_000 + n, record: { sleepTs: n } };
}

/** What an actor has stored after its batches `0` to `n`. */
export function steadyContents(seed: number, actorId: string, n: number): Record<string, string> {
	const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
	const entries = new Map<string, string>();
	for (let batch = 0; batch <= n; batch++) {
		for (const op of steadyBatch(seed, actorId, 0, batch).ops) {
			switch (op.op) {
				case "put":
					entries.set(decode(op.key), decode(op.value));
					break;
				case "delete":
					entries.delete(decode(op.key));
					break;
				case "deleteRange":
					for (const key of [...entries.keys()]) {
						if (key >= decode(op.start) && (op.end === null || key < decode(op.end))) {
							entries.delete(key);
						}
					}
					break;
			}
		}
	}
	return Object.fromEntries(entries);
}

/** The number of the last batch that is in the store, or -1. */
export function lastBatch(contents: Record<string, string>): number {
	return Number(contents[NUMBERED[0]!] ?? -1);
}
