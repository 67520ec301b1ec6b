import { Encoder } from "cbor-x";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeCbor, EncodeError, encodeCbor } from "../src/index.ts";
import { cborValue } from "./support/arbitraries.ts";
import { fromHex, toHex } from "./support/hex.ts";
import { isMalformed, returnsOrIsMalformed } from "./support/malformed.ts";
import { expectSame } from "./support/same.ts";

const reference = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: true });

function caught(run: () => unknown): unknown {
	try {
		run();
	} catch (error) {
		return error;
	}
	return undefined;
}

describe("each value has the bytes of the profile and comes back as it was (1.7)", () => {
	const floats = new Float32Array([1.5, -2]);
	const rows: [string, unknown, string][] = [
		["null", null, "f6"],
		["undefined", undefined, "f7"],
		["false", false, "f4"],
		["true", true, "f5"],
		["0", 0, "00"],
		["23", 23, "17"],
		["24", 24, "1818"],
		["255", 255, "18ff"],
		["256", 256, "190100"],
		["65536", 65_536, "1a00010000"],
		["2^32 - 1", 2 ** 32 - 1, "1affffffff"],
		["2^32", 2 ** 32, "fb41f0000000000000"],
		["-1", -1, "20"],
		["-25", -25, "3818"],
		["-257", -257, "390100"],
		["-2^31", -(2 ** 31), "3a7fffffff"],
		["-2^31 - 1", -(2 ** 31) - 1, "fbc1e0000000200000"],
		["1.5", 1.5, "fb3ff8000000000000"],
		["NaN", Number.NaN, "fb7ff8000000000000"],
		["Infinity", Number.POSITIVE_INFINITY, "fb7ff0000000000000"],
		["-Infinity", Number.NEGATIVE_INFINITY, "fbfff0000000000000"],
		["0n", 0n, "1b0000000000000000"],
		["5n", 5n, "1b0000000000000005"],
		["2^64 - 1 as bigint", 2n ** 64n - 1n, "1bffffffffffffffff"],
		["-1n", -1n, "3b0000000000000000"],
		["-2^64 as bigint", -(2n ** 64n), "3bffffffffffffffff"],
		["2^64", 2n ** 64n, "c249010000000000000000"],
		["-2^64 - 1", -(2n ** 64n) - 1n, "c349010000000000000000"],
		["text", "hi", "626869"],
		["empty text", "", "60"],
		["text of other planes", "é漢😀", "69c3a9e6bca2f09f9880"],
		["text with a byte order mark", "\ufeffa", "64efbbbf61"],
		["Uint8Array", new Uint8Array([1, 2]), "d840420102"],
		["Uint8ClampedArray", new Uint8ClampedArray([1]), "d8444101"],
		["Uint16Array", new Uint16Array([0x102]), "d845420201"],
		["Uint32Array", new Uint32Array([1]), "d8464401000000"],
		["BigUint64Array", new BigUint64Array([1n]), "d847480100000000000000"],
		["Int8Array", new Int8Array([-1]), "d84841ff"],
		["Int16Array", new Int16Array([-2]), "d84d42feff"],
		["Int32Array", new Int32Array([-2]), "d84e44feffffff"],
		["BigInt64Array", new BigInt64Array([-1n]), "d84f48ffffffffffffffff"],
		["Float32Array", floats, "d855480000c03f000000c0"],
		["Float64Array", new Float64Array([1]), "d85648000000000000f03f"],
		["array", [1, [2]], "82018102"],
		["object", { a: 1 }, "a1616101"],
		["undefined in object and array", { a: undefined, b: [undefined] }, "a26161f7616281f7"],
		[
			"Map",
			new Map<unknown, unknown>([
				["a", 1],
				[2, {}],
			]),
			"d90103a261610102a0",
		],
		["Set", new Set([1, "a"]), "d9010282016161"],
		["whole seconds", new Date(1000), "c11a00000001"],
		["milliseconds", new Date(1500), "c1fb3ff8000000000000"],
		["before the epoch", new Date(-1000), "c1fbbff0000000000000"],
		["RegExp", /a/gi, "d81b83665265674578706161626769"],
		["Error", new Error("no"), "d81b82654572726f72626e6f"],
	];
	it.each(rows)("%s", (_name, value, hex) => {
		expect(toHex(encodeCbor(value))).toBe(hex);
		expect(decodeCbor(fromHex(hex))).toStrictEqual(value);
	});

	it("holes of arrays become undefined", () => {
		const holed: unknown[] = [];
		holed[1] = 1;
		expect(toHex(encodeCbor(holed))).toBe("82f701");
	});

	it("-0 is emitted as the integer 0", () => {
		expect(toHex(encodeCbor(-0))).toBe("00");
	});

	it("ArrayBuffer, Buffer and DataView are untagged bytes and come back as Uint8Array", () => {
		const { buffer } = new Uint8Array([1, 2]);
		for (const value of [buffer, Buffer.from([1, 2]), new DataView(buffer)]) {
			expect(toHex(encodeCbor(value))).toBe("420102");
		}
		const decoded = decodeCbor(fromHex("420102"));
		expect(decoded).toStrictEqual(new Uint8Array([1, 2]));
	});

	it.each([new Uint8Array([1, 2]), new Float64Array([0.5]), Buffer.from([1, 2])])(
		"a proxy for a typed array is what that is (%o)",
		(bytes) => {
			const proxy = new Proxy(bytes, { get: (target, key) => Reflect.get(target, key) });
			expect(toHex(encodeCbor({ proxy }))).toBe(toHex(encodeCbor({ proxy: bytes })));
		},
	);

	it("class instances are maps of their own enumerable properties", () => {
		class Point {
			x = 1;
			readonly #hidden = 2;
			get sum(): number {
				return this.x + this.#hidden;
			}
		}
		expect(decodeCbor(encodeCbor(new Point()))).toStrictEqual({ x: 1 });
	});

	it("errors keep name and message, without a stack of the decoder", () => {
		const custom = Object.assign(new Error("why"), { name: "Custom" });
		const back = decodeCbor(encodeCbor([custom, new TypeError("t")])) as Error[];
		expect(back[0]).toBeInstanceOf(Error);
		expect(back[0]).toMatchObject({ name: "Custom", message: "why" });
		expect(back[1]).toBeInstanceOf(TypeError);
		expect(String(back[0]?.stack)).not.toContain("decode");
		expect(new Error("mine").stack).toContain("cbor.test");
	});

	it("an invalid date comes back as one", () => {
		const back = decodeCbor(encodeCbor(new Date(Number.NaN)));
		expect(back).toBeInstanceOf(Date);
		expect((back as Date).getTime()).toBeNaN();
	});
});

describe("decoders accept what others write", () => {
	it.each<[string, string, unknown]>([
		["float16", "f93e00", 1.5],
		["float16 subnormal", "f90001", 2 ** -24],
		["float16 infinity", "f9fc00", Number.NEGATIVE_INFINITY],
		["float16 not a number", "f97e00", Number.NaN],
		["float32", "fa3fc00000", 1.5],
		["indefinite array", "9f0102ff", [1, 2]],
		["indefinite map", "bf616101ff", { a: 1 }],
		["map with a 16-bit count", "b90001616101", { a: 1 }],
		["map with a 64-bit count", "bb0000000000000001616101", { a: 1 }],
		["integer keys", "a201616120f5", { "1": "a", "-1": true }],
		["the last of duplicate keys", "a2616101616102", { a: 2 }],
		["the self-describing tag", "d9d9f701", 1],
		[
			"dates as text",
			"c074323031332d30332d32315432303a30343a30305a",
			new Date("2013-03-21T20:04:00Z"),
		],
		["dates with a 64-bit integer", "c11b0000000000000001", new Date(1000)],
		["integers longer than needed", "1900ff", 255],
	])("%s", (_name, hex, value) => {
		expect(decodeCbor(fromHex(hex))).toStrictEqual(value);
	});

	it("bytes and typed arrays are copies, also out of a Node Buffer", () => {
		const source = Buffer.from(fromHex("82d84042010242ffee"));
		const decoded = decodeCbor(source) as [Uint8Array, Uint8Array];
		source.fill(0);
		expect(decoded).toStrictEqual([new Uint8Array([1, 2]), new Uint8Array([0xff, 0xee])]);
		expect(decoded[0].buffer.byteLength).toBe(2);
	});
});

describe("undecodable input is message.malformed", () => {
	it.each([
		["nothing", ""],
		["trailing bytes", "0101"],
		["cut text", "6268"],
		["cut array", "8201"],
		["cut indefinite array", "9f01"],
		["cut float", "fb3ff80000"],
		["invalid UTF-8", "62c328"],
		["invalid UTF-8 in a name", "a162c32801"],
		["overlong UTF-8", "62c080"],
		["a surrogate in UTF-8", "63eda080"],
		["indefinite text", "7f6161ff"],
		["indefinite bytes", "5f4101ff"],
		["a break on its own", "ff"],
		["an unknown tag", "d86401"],
		["an unknown simple value", "e0"],
		["a reserved length", "1c"],
		["a length beyond 2^53", "5bffffffffffffffff"],
		["an array that claims more than there is", "9affffffff01"],
		["a property name that is an array", "a18001"],
		["a set without an array", "d9010201"],
		["a map tag without a map", "d9010380"],
		["a bignum without bytes", "c201"],
		["a date without a number", "c16161"],
		["a date that is none", "c06161"],
		["a typed array without bytes", "d8456161"],
		["a typed array of half an element", "d8454101"],
		["an invalid regular expression", "d81b83665265674578706128616760"],
		["an object without a name", "d81b80"],
	])("%s", (_name, hex) => {
		isMalformed(() => decodeCbor(fromHex(hex)));
	});

	it("nesting is limited, both ways, and the limit is exact", () => {
		const nested = (levels: number) => {
			let value: unknown = 1;
			for (let i = 0; i < levels; i++) value = [value];
			return value;
		};
		expect(decodeCbor(encodeCbor(nested(1024)))).toStrictEqual(nested(1024));
		expect(() => encodeCbor(nested(1025))).toThrow(EncodeError);
		isMalformed(() => decodeCbor(new Uint8Array(1026).fill(0x81)));
		isMalformed(() => decodeCbor(new Uint8Array(65_536).fill(0x81)));
		isMalformed(() => decodeCbor(new Uint8Array(65_536).fill(0xc1)));
	});
});

describe("what cannot be encoded fails with its path", () => {
	const self: Record<string, unknown> = { list: [1] };
	(self.list as unknown[]).push({ self });
	it.each<[string, unknown, string, RegExp]>([
		["a function", () => 1, "", /functions cannot be encoded/],
		["a function deep inside", { a: { b: [1, () => 1] } }, ".a.b[1]", /functions/],
		["a symbol", { "odd name": Symbol("s") }, '["odd name"]', /symbols/],
		["a cycle", self, ".list[1].self", /contains itself/],
		["a map's value", new Map([["k", Symbol("s")]]), '.get("k")', /symbols/],
		["a set's item", { s: new Set([() => 1]) }, ".s[0]", /functions/],
	])("%s", (_name, value, path, reason) => {
		const error = caught(() => encodeCbor(value));
		expect(error).toBeInstanceOf(EncodeError);
		expect(error).toMatchObject({ path, reason: expect.stringMatching(reason) });
	});

	it("the same object twice is not a cycle", () => {
		const shared = { x: 1 };
		expect(decodeCbor(encodeCbor([shared, shared]))).toStrictEqual([{ x: 1 }, { x: 1 }]);
	});

	it("a failure does not damage the next encoding", () => {
		expect(() => encodeCbor({ a: 1, b: () => 1 })).toThrow(EncodeError);
		expect(toHex(encodeCbor({ a: 1 }))).toBe("a1616101");
	});

	it("an exception of a getter passes through", () => {
		const value = Object.defineProperty({}, "x", {
			enumerable: true,
			get: () => {
				throw new RangeError("mine");
			},
		});
		expect(() => encodeCbor(value)).toThrow(new RangeError("mine"));
		expect(toHex(encodeCbor(1))).toBe("01");
	});

	it("a getter may encode something itself", () => {
		const value = {
			before: 1,
			get inner() {
				return encodeCbor({ deep: "x".repeat(20_000) }).length;
			},
			after: [2],
		};
		const { length } = encodeCbor({ deep: "x".repeat(20_000) });
		expect(decodeCbor(encodeCbor(value))).toStrictEqual({ before: 1, inner: length, after: [2] });
	});
});

describe("own __proto__ properties stay own properties (ruling 24)", () => {
	it("round-trip without touching a prototype", () => {
		const value = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}');
		const back = decodeCbor(encodeCbor(value)) as Record<string, unknown>;
		expect(Object.keys(back)).toEqual(["__proto__", "constructor"]);
		expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
		expect(back.polluted).toBeUndefined();
	});
});

describe("properties", () => {
	it("decode undoes encode", () => {
		fc.assert(
			fc.property(cborValue, (value) => {
				expectSame(decodeCbor(encodeCbor(value)), value);
			}),
			{ numRuns: 1000 },
		);
	});

	it("cbor-x reads what we write, and we read what it writes", () => {
		// It loses own __proto__ properties, a byte order mark at the start of a text, and classes of errors.
		const shared = cborValue.filter(
			(value) => !/__proto__|\ufeff|Custom|TypeError/.test(toText(value)),
		);
		fc.assert(
			fc.property(shared, (value) => {
				const normal = (decoded: unknown) => toHex(encodeCbor(decoded));
				expect(normal(reference.decode(encodeCbor(value)))).toBe(normal(value));
				expect(normal(decodeCbor(reference.encode(value)))).toBe(normal(value));
			}),
			{ numRuns: 1000 },
		);
	});

	it("texts of any length and script come back", () => {
		const units = fc.constantFrom("a", "ß", "漢", "😀");
		fc.assert(
			fc.property(fc.nat({ max: 400 }), units, fc.nat({ max: 3 }), (length, unit, ascii) => {
				const value = "x".repeat(ascii) + unit.repeat(length);
				expect(decodeCbor(encodeCbor({ [value]: value }))).toStrictEqual({ [value]: value });
			}),
		);
	});

	it("lone surrogates become U+FFFD, in short and in long texts", () => {
		for (const padding of ["", "x".repeat(100)]) {
			const back = decodeCbor(encodeCbor(`${padding}a\ud800b\udc00`));
			expect(back).toBe(`${padding}a\ufffdb\ufffd`);
		}
	});

	it("random bytes decode or are malformed, nothing else", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
				returnsOrIsMalformed(() => decodeCbor(bytes));
			}),
			{ numRuns: 5000 },
		);
	});

	it("every truncation of a value is malformed, every change of a byte at worst malformed", () => {
		fc.assert(
			fc.property(cborValue, fc.nat(), fc.nat({ max: 255 }), (value, at, byte) => {
				const bytes = encodeCbor(value);
				isMalformed(() => decodeCbor(bytes.subarray(0, at % bytes.length)));
				bytes[at % bytes.length] = byte;
				returnsOrIsMalformed(() => decodeCbor(bytes));
			}),
			{ numRuns: 1000 },
		);
	});
});

function toText(value: unknown): string {
	return (
		JSON.stringify(value, (_key, item: unknown) => {
			// JSON leaves out properties without a value, with their names.
			if (typeof item === "bigint" || item === undefined) return String(item);
			if (item instanceof Map) return [...item];
			if (item instanceof Error) return String(item);
			return item;
		}) ?? ""
	);
}
