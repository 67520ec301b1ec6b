/**
 * Memory for messages on their way out. Runtimes keep typed arrays of up to 64 bytes in their own heap
 * and allocate each larger one apart, which costs more than encoding it; so messages of middling size
 * share slabs. Only for what is short-lived: one message that is kept keeps its slab.
 */
const HEAP_BYTES_MAX = 64;
const SHARED_BYTES_MAX = 2048;
const SLAB_BYTES = 16 * 1024;

let slab = /* @__PURE__ */ new Uint8Array(0);
let used = 0;

/** A copy of `source[0..end)` that is good for sending. */
export function copyToSend(source: Uint8Array, end: number): Uint8Array {
	if (end <= HEAP_BYTES_MAX || end > SHARED_BYTES_MAX) return source.slice(0, end);
	if (used + end > slab.length) {
		slab = new Uint8Array(SLAB_BYTES);
		used = 0;
	}
	const copy = slab.subarray(used, used + end);
	copy.set(source.subarray(0, end));
	used += end;
	return copy;
}
