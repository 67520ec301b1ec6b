/** Inputs of 64 KiB that claim or imply much more than they hold. */
export const HOSTILE_BYTES = 65_536;

/** Fills 64 KiB with repetitions of a pattern behind a head. */
function filled(head: number[], pattern: number[]): Uint8Array {
	const bytes = new Uint8Array(HOSTILE_BYTES);
	bytes.set(head);
	for (let i = head.length; i < bytes.length; i++) {
		bytes[i] = pattern[(i - head.length) % pattern.length] as number;
	}
	return bytes;
}

/** An item every five bytes that claims a count of everything that is left. */
function nestedClaims(major: number): Uint8Array {
	const bytes = new Uint8Array(HOSTILE_BYTES);
	const view = new DataView(bytes.buffer);
	for (let at = 0; at + 5 <= bytes.length; at += 5) {
		bytes[at] = major | 26;
		view.setUint32(at + 1, bytes.length - at - 5);
	}
	return bytes;
}

/** Head of an indefinite array. */
const ARRAY = [0x9f];

export const HOSTILE_CBOR: Readonly<Record<string, Uint8Array>> = {
	"nested arrays that claim all that is left": nestedClaims(0x80),
	"nested maps that claim all that is left": nestedClaims(0xa0),
	"an array of 2^32 - 1 items": filled([0x9a, 0xff, 0xff, 0xff, 0xff], [0xf6]),
	"an array of 2^53 - 1 items": filled([0x9b, 0, 0x1f, 255, 255, 255, 255, 255, 255], [0xf6]),
	"a map of 2^32 - 1 entries": filled([0xba, 0xff, 0xff, 0xff, 0xff], [0x60, 0xf6]),
	"4 GB of bytes": filled([0x5a, 0xff, 0xff, 0xff, 0xff], [0]),
	"4 GB of text": filled([0x7a, 0xff, 0xff, 0xff, 0xff], [0x61]),
	"4 GB of float64": filled([0xd8, 86, 0x5a, 0xff, 0xff, 0xff, 0xff], [0]),
	"a bignum of 64 kB": filled([0xc2, 0x59, 0xff, 0xfc], [0xff]),
	"empty arrays": filled(ARRAY, [0x80]),
	"empty objects": filled(ARRAY, [0xa0]),
	"empty maps": filled(ARRAY, [0xd9, 0x01, 0x03, 0xa0]),
	"empty sets": filled(ARRAY, [0xd9, 0x01, 0x02, 0x80]),
	"empty bytes": filled(ARRAY, [0xd8, 64, 0x40]),
	"empty float arrays": filled(ARRAY, [0xd8, 86, 0x40]),
	dates: filled(ARRAY, [0xc1, 0x00]),
	errors: filled(ARRAY, [0xd8, 0x1b, 0x82, 0x60, 0x60]),
	bigints: filled(ARRAY, [0xc2, 0x40]),
	"different property names": filled([0xbf], [0x61, 0x41, 0xf6, 0x61, 0x42, 0xf6]),
	"deep nesting": filled([], [0x81]),
	"deep tags": filled([], [0xc6]),
};

export const HOSTILE_JSON: Readonly<Record<string, string>> = {
	"deep nesting": "[".repeat(HOSTILE_BYTES),
	"deep nesting around a tag": `${"[".repeat(32_000)}["$BigInt","1"]${"]".repeat(32_000)}`,
	"a bigint of 64 000 digits": `["$BigInt","${"9".repeat(64_000)}"]`,
	"64 kB of base64": `["$Uint8Array","${"A".repeat(64_000)}"]`,
	bigints: `[${Array.from({ length: 4500 }, () => '["$BigInt",1]').join(",")}]`,
};

/** BARE lists and texts that claim 2^35 and more items. */
export const HOSTILE_BARE: readonly Uint8Array[] = [
	filled([3, 0, 0, 1], [0xff, 0xff, 0xff, 0xff, 0x7f]),
	filled([3, 0, 1], [0xff, 0xff, 0xff, 0xff, 0x7f]),
	filled([3, 0], [0xff, 0xff, 0xff, 0xff, 0x7f]),
	filled([3, 0, 12], [0xff, 0xff, 0xff, 0xff, 0x7f]),
	filled([3, 0, 7, 0], [0xfe, 0xff, 0x03, 0x00]),
	filled([6, 0, 17], [0x80, 0x80, 0x04]),
	filled([1, 0], [0x7f]),
	// Of a runner, behind the two bytes: events, commands, KV keys, headers.
	filled([1, 0, 1], [0xff, 0xff, 0xff, 0xff, 0x7f]),
	filled([1, 0, 1, 0xfe, 0xff, 0x03], [0]),
	filled([1, 0, 5, 0, 0, 0, 0, 0, 0, 0xf0, 0xff, 0x03], [0]),
	filled([1, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0xf0, 0xff, 0x03], [0]),
];
