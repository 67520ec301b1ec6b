import { type KeyId, writeStoredKey } from "./keys.ts";
import type { Entry, HeldValue } from "./values.ts";

const ENCODER = new TextEncoder();
/** Up to this length a loop beats the runtime's encoder (measured on V8). */
const LOOP_UNITS_MAX = 48;

/** The keys and texts of a large batch, one behind the other in one piece of memory. */
export class BatchEncoder {
	readonly #bytes: Uint8Array;
	#end = 0;

	constructor(entries: ReadonlyMap<KeyId, Entry>) {
		let length = 0;
		for (const [id, { value, size }] of entries) {
			if (value !== null) length += id.length + 1;
			if (typeof value === "string") length += size;
		}
		this.#bytes = new Uint8Array(length);
	}

	key(id: KeyId): Uint8Array {
		const start = this.#end;
		this.#end = writeStoredKey(id, this.#bytes, start);
		return this.#bytes.subarray(start, this.#end);
	}

	/** `size`: of a text in UTF-8. */
	value(value: HeldValue, size: number): Uint8Array {
		if (typeof value !== "string") return value;
		const start = this.#end;
		this.#end += size;
		const bytes = this.#bytes.subarray(start, this.#end);
		const isShortAscii = size === value.length && size <= LOOP_UNITS_MAX;
		if (!isShortAscii) ENCODER.encodeInto(value, bytes);
		else for (let index = 0; index < size; index++) bytes[index] = value.charCodeAt(index);
		return bytes;
	}
}
