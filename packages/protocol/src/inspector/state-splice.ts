/** Differences between two encoded states: what changed between a common beginning and a common end. */
import { malformed } from "../errors/common.ts";
import type { StateSpliced } from "../generated/inspector-extended.ts";

/** A splice saves so many bytes at least, or the whole is sent. */
const SAVED_BYTES_MIN = 16;

/** Null when the whole is as good as the difference. */
export function spliceBetween(before: Uint8Array, after: Uint8Array): StateSpliced | null {
	const most = Math.min(before.byteLength, after.byteLength);
	let at = 0;
	while (at < most && before[at] === after[at]) at++;
	let end = 0;
	while (
		end < most - at &&
		before[before.byteLength - 1 - end] === after[after.byteLength - 1 - end]
	) {
		end++;
	}
	if (at + end < SAVED_BYTES_MIN) return null;
	return {
		at,
		removed: before.byteLength - at - end,
		inserted: after.subarray(at, after.byteLength - end),
	};
}

/** The state after a `StateSpliced`, in new bytes. Throws `message.malformed` for one of another state. */
export function applyStateSplice(
	state: Uint8Array,
	{ at, removed, inserted }: StateSpliced,
): Uint8Array {
	const begin = Number(at);
	const end = begin + Number(removed);
	if (end > state.byteLength) throw malformed("a splice behind the end of the state");
	const result = new Uint8Array(state.byteLength - Number(removed) + inserted.byteLength);
	result.set(state.subarray(0, begin));
	result.set(inserted, begin);
	result.set(state.subarray(end), begin + inserted.byteLength);
	return result;
}
