import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	buildSubprotocols,
	decodeConnParams,
	ENCODINGS,
	encodeConnParamsHeader,
	parseSubprotocols,
	routingSubprotocols,
	selectSubprotocol,
} from "../src/index.ts";
import { expectSame } from "./support/same.ts";

const NOTHING = {
	rivet: false,
	encoding: "json",
	connParams: undefined,
	token: null,
	target: null,
	actorId: null,
	inspectorToken: null,
	session: null,
	traceparent: null,
	resume: null,
	offered: [],
	error: null,
};

/** What a sub-protocol may consist of (RFC 9110 token). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

describe("parseSubprotocols (3.2)", () => {
	it("reads a header and a list alike", () => {
		const header = " rivet ,rivet_encoding.bare,, rivet_conn_params.%7B%22a%22%3A1%7D, chat";
		const expected = {
			...NOTHING,
			rivet: true,
			encoding: "bare",
			connParams: { a: 1 },
			offered: ["rivet", "rivet_encoding.bare", "rivet_conn_params.%7B%22a%22%3A1%7D", "chat"],
		};
		expect(parseSubprotocols(header)).toEqual(expected);
		expect(parseSubprotocols(header.split(","))).toEqual(expected);
	});

	it("is happy with nothing", () => {
		for (const none of [undefined, null, "", []]) expect(parseSubprotocols(none)).toEqual(NOTHING);
	});

	it.each([
		["rivet_resume.new", { connectionId: null, received: 0 }],
		["rivet_resume.c0ffee-1.17", { connectionId: "c0ffee-1", received: 17 }],
		// Whoever cannot say where it was has missed events.
		["rivet_resume.", { connectionId: "", received: 0 }],
		["rivet_resume.a.-1", { connectionId: "a", received: 0 }],
		["rivet_resume.a.1e9", { connectionId: "a", received: 0 }],
		["rivet_resume.a.9999999999999999", { connectionId: "a", received: 0 }],
	])("reads where to resume from %s", (entry, resume) => {
		expect(parseSubprotocols(["rivet", entry]).resume).toEqual(resume);
	});

	it("offers where to resume behind the session", () => {
		const offer = { session: "s1", resume: "c0ffee-1.17" };
		const entries = buildSubprotocols(offer);
		expect(entries).toEqual(["rivet", "rivet_session.s1", "rivet_resume.c0ffee-1.17"]);
		for (const entry of entries) expect(entry).toMatch(TOKEN);
	});

	it("takes the last of repeated entries, even where an earlier one is bad", () => {
		const parsed = parseSubprotocols(
			"rivet_encoding.nope, rivet_encoding.cbor, rivet_token.a, rivet_token.b",
		);
		expect(parsed).toMatchObject({ encoding: "cbor", token: "b", error: null });
	});

	it("reads routing, tokens and the session", () => {
		const parsed = parseSubprotocols(
			"rivet_target.actor,rivet_actor.a%20b,rivet_inspector_token.x.y,rivet_session.5",
		);
		expect(parsed).toMatchObject({
			target: "actor",
			actorId: "a b",
			inspectorToken: "x.y",
			session: "5",
		});
	});

	it.each<[string, string, string, string]>([
		["an unknown encoding", "rivet_encoding.JSON", "encoding", "invalid"],
		["an empty encoding", "rivet_encoding.", "encoding", "invalid"],
		["params that are no JSON", "rivet_conn_params.%7B", "params", "invalid"],
		["params with bad percent-encoding", "rivet_conn_params.%ZZ", "params", "invalid"],
		["params over 4 KiB", `rivet_conn_params.%22${"x".repeat(4095)}%22`, "params", "invalid"],
		["an id with bad percent-encoding", "rivet_actor.%ZZ", "request", "invalid"],
	])("%s is reported, and the rest is there all the same (Q12)", (_name, entry, group, code) => {
		const parsed = parseSubprotocols(["rivet", "rivet_session.s", entry]);
		expect(parsed).toMatchObject({ rivet: true, session: "s", encoding: "json" });
		expect(parsed.error).toMatchObject({ group, code, statusCode: 400, public: true });
	});

	it("keeps the encoding when only the params are bad", () => {
		const parsed = parseSubprotocols(["rivet_encoding.bare", "rivet_conn_params.x"]);
		expect(parsed).toMatchObject({ encoding: "bare", connParams: undefined });
		expect(parsed.error).toMatchObject({ group: "params" });
	});
});

describe("buildSubprotocols", () => {
	it("offers the marker first, and nothing that is not given", () => {
		expect(buildSubprotocols({})).toEqual(["rivet"]);
		expect(buildSubprotocols({ encoding: "bare", session: "s1", extra: ["chat"] })).toEqual([
			"rivet",
			"rivet_encoding.bare",
			"rivet_session.s1",
			"chat",
		]);
	});

	it("is legal and read back for any params and id (Q11)", () => {
		const params = fc.oneof(
			fc.jsonValue({ maxDepth: 2 }),
			fc.string({ unit: fc.constantFrom("(", ")", '"', ",", ";", "é", "😀", " ", "%", "'", "*") }),
			fc.constantFrom<unknown>(0, "", false, null),
		);
		fc.assert(
			fc.property(
				params,
				fc.constantFrom(...ENCODINGS),
				fc.string({ minLength: 1, unit: "grapheme" }),
				(connParams, encoding, actorId) => {
					const entries = buildSubprotocols({
						connParams,
						encoding,
						extra: routingSubprotocols({ actorId, token: "a.b-c", inspectorToken: "_x" }),
					});
					for (const entry of entries) expect(entry).toMatch(TOKEN);
					const parsed = parseSubprotocols(entries.join(", "));
					expectSame(parsed.connParams, JSON.parse(JSON.stringify(connParams)));
					expect(parsed).toMatchObject({
						rivet: true,
						encoding,
						actorId,
						target: "actor",
						token: "a.b-c",
						inspectorToken: "_x",
						error: null,
					});
				},
			),
		);
	});

	it("encodes exactly what is illegal", () => {
		const [, entry] = buildSubprotocols({ connParams: "A-z_0.!~*'()/" });
		expect(entry).toBe("rivet_conn_params.%22A-z_0.!~*'%28%29%2F%22");
	});

	it("refuses tokens that no entry can carry", () => {
		expect(() => routingSubprotocols({ token: "a b" })).toThrow(TypeError);
		expect(() => routingSubprotocols({ inspectorToken: "a,b" })).toThrow(TypeError);
	});
});

describe("selectSubprotocol (conformance 35)", () => {
	it.each<[string[], string | null]>([
		[["rivet", "rivet_encoding.json"], "rivet"],
		[["rivet_encoding.json", "rivet"], "rivet"],
		[["chat"], "chat"],
		[["chat", "other"], "chat"],
		[[], null],
	])("of %j it is %s", (offered, selected) => {
		expect(selectSubprotocol(offered)).toBe(selected);
	});
});

describe("conn params in a header (2.1, Q4, ruling 4)", () => {
	it("are ASCII for any params, and read back", () => {
		fc.assert(
			fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (value, string) => {
				const params = [value, string, "\u007f\u0000"];
				const header = encodeConnParamsHeader(params);
				expect(header).toMatch(/^[\x20-\x7e]*$/);
				expectSame(decodeConnParams(header), JSON.parse(JSON.stringify(params)));
			}),
		);
		expect(encodeConnParamsHeader({ a: "é😀" })).toBe('{"a":"\\u00e9\\ud83d\\ude00"}');
	});

	it("are undefined when absent, and may be falsy", () => {
		expect(decodeConnParams(null)).toBeUndefined();
		expect(decodeConnParams(undefined)).toBeUndefined();
		for (const params of [0, "", false, null]) {
			expect(decodeConnParams(encodeConnParamsHeader(params))).toBe(params);
		}
	});

	it("nested over 1,000 levels are params.invalid: no encoding could carry them", () => {
		const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
		const inObjects = `${'{"a":'.repeat(600)}${nested(401)}${"}".repeat(600)}`;
		expect(decodeConnParams(nested(1_000))).toHaveLength(1);
		expect(decodeConnParams(JSON.stringify("[".repeat(2_000)))).toHaveLength(2_000);
		for (const text of [nested(1_001), nested(2_048), inObjects]) {
			expect(() => decodeConnParams(text)).toThrow(
				expect.objectContaining({ group: "params", code: "invalid" }),
			);
		}
	});

	it("unparseable ones are params.invalid with the parser's text", () => {
		const failure = expect.objectContaining({
			group: "params",
			code: "invalid",
			statusCode: 400,
			message: expect.stringMatching(/^Invalid params JSON: ./),
		});
		for (const text of ["", "{", "undefined", "[1,]"]) {
			expect(() => decodeConnParams(text)).toThrow(failure);
		}
	});

	it("are limited to 4 KiB of plain JSON, however they are escaped", () => {
		const limit = "x".repeat(4094);
		expect(decodeConnParams(JSON.stringify(limit))).toBe(limit);
		expect(() => decodeConnParams(JSON.stringify(`${limit}x`))).toThrow(/4096 bytes/);
		const escaped = encodeConnParamsHeader("é".repeat(2047));
		expect(escaped.length).toBeGreaterThan(4096);
		expect(decodeConnParams(escaped)).toBe("é".repeat(2047));
		expect(() => decodeConnParams(encodeConnParamsHeader("é".repeat(2048)))).toThrow(/4096 bytes/);
	});

	it("what JSON cannot carry fails at the sender", () => {
		const cycle: { self?: unknown } = {};
		cycle.self = cycle;
		for (const params of [undefined, () => 1, 5n, cycle]) {
			expect(() => encodeConnParamsHeader(params)).toThrow(/connection params/);
		}
	});
});
