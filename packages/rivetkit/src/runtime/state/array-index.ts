const ZERO = 48;
/** Enough for every index below 10^9; longer ones take the slow way. */
const DIGITS_MAX = 9;

/**
 * The number in a property key like `"12"`, and -1 for any other key. Traps get array indices as
 * text, and engines look elements up by number several times faster.
 */
export function arrayIndex(key: PropertyKey): number {
	if (typeof key !== "string") return -1;
	const length = key.length;
	if (length === 0 || length > DIGITS_MAX) return -1;
	let index = 0;
	for (let position = 0; position < length; position++) {
		const digit = key.charCodeAt(position) - ZERO;
		if (digit < 0 || digit > 9) return -1;
		index = index * 10 + digit;
	}
	return length > 1 && key.charCodeAt(0) === ZERO ? -1 : index;
}
