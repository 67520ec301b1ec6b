import type { StorageOp } from "@rivetkit/protocol";
import { compareBytes } from "../order.ts";

/**
 * What operations that apply in order come to: first the ranges are cleared of all keys but those put, then
 * keys are deleted, then put. One statement of SQL does these at once, so none of them may meet.
 */
export interface NetEffect {
	readonly puts: readonly (readonly [key: Uint8Array, value: Uint8Array])[];
	readonly deletes: readonly Uint8Array[];
	readonly ranges: readonly (readonly [start: Uint8Array, end: Uint8Array | null])[];
}

export function netEffect(ops: readonly StorageOp[]): NetEffect {
	const last = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array | null }>();
	const ranges: [Uint8Array, Uint8Array | null][] = [];
	for (const op of ops) {
		switch (op.op) {
			case "put":
				last.set(nameOf(op.key), { key: op.key, value: op.value });
				break;
			case "delete":
				last.set(nameOf(op.key), { key: op.key, value: null });
				break;
			case "deleteRange":
				if (op.end !== null && compareBytes(op.start, op.end) >= 0) {
					break;
				}
				for (const [name, { key }] of last) {
					if (isWithin(key, op.start, op.end)) {
						last.delete(name);
					}
				}
				ranges.push([op.start, op.end]);
				break;
		}
	}
	const puts: [Uint8Array, Uint8Array][] = [];
	const deletes: Uint8Array[] = [];
	for (const { key, value } of last.values()) {
		if (value !== null) {
			puts.push([key, value]);
		} else if (!ranges.some(([start, end]) => isWithin(key, start, end))) {
			deletes.push(key);
		}
	}
	return { puts, deletes, ranges };
}

function isWithin(key: Uint8Array, start: Uint8Array, end: Uint8Array | null): boolean {
	return compareBytes(key, start) >= 0 && (end === null || compareBytes(key, end) < 0);
}

function nameOf(key: Uint8Array): string {
	return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
