/** Byte order, shorter first when one is the beginning of the other. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
	const length = Math.min(a.byteLength, b.byteLength);
	for (let index = 0; index < length; index++) {
		const difference = a[index]! - b[index]!;
		if (difference !== 0) {
			return difference;
		}
	}
	return a.byteLength - b.byteLength;
}

/** The order of the texts' UTF-8 bytes, which is that of their code points. */
export function compareText(a: string, b: string): number {
	if (a === b) {
		return 0;
	}
	const length = Math.min(a.length, b.length);
	for (let index = 0; index < length; index++) {
		if (a.charCodeAt(index) !== b.charCodeAt(index)) {
			return a.codePointAt(index)! - b.codePointAt(index)!;
		}
	}
	return a.length - b.length;
}
