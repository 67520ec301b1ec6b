import type { StorageOp } from "@rivetkit/protocol";

/** Keys from here on are the backend's own: behind all that the runtime has. */
export const PRIVATE_START: Uint8Array = new Uint8Array(8).fill(0xff);

export interface KeyRange {
	readonly start: Uint8Array;
	/** Exclusive. */
	readonly end: Uint8Array;
}

export interface Entry {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
}

/**
 * What a batch comes to: first the ranges go, then the single keys, then the entries are put. No key is both
 * deleted and put.
 */
export interface Writes {
	readonly ranges: readonly KeyRange[];
	readonly deletes: readonly Uint8Array[];
	readonly puts: readonly Entry[];
}

/** Operations in their order as one set of writes. */
export function writesOf(ops: readonly StorageOp[]): Writes {
	const ranges: KeyRange[] = [];
	const deletes = new Map<string, Uint8Array>();
	const puts = new Map<string, Entry>();
	for (const op of ops) {
		switch (op.op) {
			case "put": {
				const id = idOf(op.key);
				deletes.delete(id);
				puts.set(id, op);
				break;
			}
			case "delete": {
				const id = idOf(op.key);
				puts.delete(id);
				deletes.set(id, op.key);
				break;
			}
			case "deleteRange": {
				const range = { start: op.start, end: withinPublic(op.end) };
				if (compareKeys(range.start, range.end) >= 0) break;
				for (const [id, { key }] of puts) if (isWithin(key, range)) puts.delete(id);
				for (const [id, key] of deletes) if (isWithin(key, range)) deletes.delete(id);
				ranges.push(range);
				break;
			}
			default:
				op satisfies never;
		}
	}
	return { ranges, deletes: [...deletes.values()], puts: [...puts.values()] };
}

/** The same ranges with holes where a key is kept: they may go after it was put. */
export function around(ranges: readonly KeyRange[], kept: readonly Uint8Array[]): KeyRange[] {
	const sorted = [...kept].sort(compareKeys);
	return ranges.flatMap((range) => {
		const parts: KeyRange[] = [];
		let start = range.start;
		for (const key of sorted) {
			if (!isWithin(key, range)) continue;
			if (compareKeys(start, key) < 0) parts.push({ start, end: key });
			start = justAfter(key);
		}
		if (compareKeys(start, range.end) < 0) parts.push({ start, end: range.end });
		return parts;
	});
}

/** An end within what the runtime has; null is all of it. */
export function withinPublic(end: Uint8Array | null): Uint8Array {
	return end === null || compareKeys(end, PRIVATE_START) > 0 ? PRIVATE_START : end;
}

/** The next key in the order of bytes. */
export function justAfter(key: Uint8Array): Uint8Array {
	const next = new Uint8Array(key.byteLength + 1);
	next.set(key);
	return next;
}

/** A key as the key of a map. */
export function idOf(key: Uint8Array): string {
	return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

export function compareKeys(a: Uint8Array, b: Uint8Array): number {
	return Buffer.compare(a, b);
}

function isWithin(key: Uint8Array, { start, end }: KeyRange): boolean {
	return compareKeys(key, start) >= 0 && compareKeys(key, end) < 0;
}
