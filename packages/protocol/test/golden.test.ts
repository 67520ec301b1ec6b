import { describe, expect, it } from "vitest";
import {
	decodeCbor,
	decodeJson,
	ENCODINGS,
	encodeCbor,
	encodeJson,
	parseEndpoint,
	parseGatewayPath,
	parseKey,
	serializeKey,
} from "../src/index.ts";
import {
	CODECS,
	goldenEndpoints,
	goldenGatewayPaths,
	goldenKeys,
	goldenMessages,
	goldenValues,
	shown,
	wire,
} from "./support/golden.ts";
import { fromHex, toHex } from "./support/hex.ts";
import { VALUES } from "./support/values.ts";

describe("messages (1.10)", () => {
	for (const row of goldenMessages()) {
		const { encode, decode } = CODECS[row.type];
		for (const encoding of ENCODINGS) {
			const golden = row[encoding];
			if (golden !== undefined) {
				it(`${row.name} is written as in ${encoding}, and read`, () => {
					const expected = wire(encoding, golden);
					expect(shown(encode(encoding, row.message))).toBe(shown(expected));
					expect(decode(encoding, expected)).toEqual(row.message);
				});
			}
			for (const other of row.accepted?.[encoding] ?? []) {
				it(`${row.name} is read from ${encoding} ${other}`, () => {
					expect(decode(encoding, wire(encoding, other))).toEqual(row.message);
				});
			}
		}
	}

	it("an undefined output is null in JSON (Q1)", () => {
		expect(CODECS.HttpActionResponse.encode("json", { output: undefined })).toBe('{"output":null}');
		expect(CODECS.ToClient.encode("json", { tag: "ActionResponse", id: 1 })).toBe(
			'{"body":{"tag":"ActionResponse","val":{"id":["$BigInt","1"],"output":null}}}',
		);
	});
});

describe("values (1.7, 1.8)", () => {
	const rows = goldenValues();

	it("each has a row", () => {
		expect(rows.map(({ name }) => name)).toEqual(Object.keys(VALUES));
	});

	it.each(rows)("$name", ({ name, cbor, json }) => {
		const value = VALUES[name];
		expect(toHex(encodeCbor(value))).toBe(cbor);
		expect(encodeJson(value)).toBe(json);
		expect(decodeCbor(fromHex(cbor))).toStrictEqual(value);
		expect(encodeJson(decodeJson(json))).toBe(json);
	});
});

describe("keys (4.7)", () => {
	const { exact, lenient } = goldenKeys();
	it.each(exact)("$key is $text", ({ key, text }) => {
		expect(serializeKey(key)).toBe(text);
		expect(parseKey(text)).toEqual(key);
	});
	it.each(lenient)("$text is read as $key", ({ key, text }) => {
		expect(parseKey(text)).toEqual(key);
	});
});

describe("gateway paths (4.2)", () => {
	const { paths, others } = goldenGatewayPaths();
	it.each(paths)("$path", ({ path, actorId, token, forward }) => {
		expect(parseGatewayPath(path)).toEqual({ actorId, token, path: forward });
	});
	it.each(others)("%s is not one", (path) => {
		expect(parseGatewayPath(path)).toBeNull();
	});
});

describe("endpoints (5.3)", () => {
	const { parsed, refused } = goldenEndpoints();
	it.each(parsed)("$input", ({ input, ...expected }) => {
		expect(parseEndpoint(input)).toEqual(expected);
	});
	it.each(refused)("$input: $message", ({ input, message }) => {
		expect(() => parseEndpoint(input)).toThrow(
			expect.objectContaining({ issues: [{ path: ["endpoint"], message }] }),
		);
	});
});
