import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeEnvelope, type Write } from "../src/bare/envelope.ts";
import * as v1 from "../src/generated/client-protocol-v1.ts";
import * as v2 from "../src/generated/client-protocol-v2.ts";
import * as v4 from "../src/generated/client-protocol-v4.ts";
import {
	type ClientAbilities,
	decodeHttpActionRequest,
	decodeHttpActionResponse,
	decodeHttpQueueSendRequest,
	decodeHttpQueueSendResponse,
	decodeHttpResponseError,
	decodeToClient,
	decodeToServer,
	ENCODINGS,
	EncodeError,
	type Encoding,
	encodeCbor,
	encodeHttpActionRequest,
	encodeHttpActionResponse,
	encodeHttpQueueSendRequest,
	encodeHttpQueueSendResponse,
	encodeHttpResponseError,
	encodeToClient,
	encodeToServer,
	type HttpResponseError,
	httpQueueSendRequestEncoder,
	IDENTIFYING_CLIENT,
	peekActionId,
	type ToClient,
	type ToServer,
} from "../src/index.ts";
import {
	cborValue,
	id,
	jsonValue,
	queueSend,
	text,
	toClient,
	toServer,
} from "./support/arbitraries.ts";
import { CODECS, type MessageType, type Wire } from "./support/golden.ts";
import { fromHex } from "./support/hex.ts";
import { isMalformed, returnsOrIsMalformed } from "./support/malformed.ts";
import { expectSame } from "./support/same.ts";

const anyValue = (encoding: Encoding) => (encoding === "json" ? jsonValue : cborValue);
const TYPES = Object.keys(CODECS) as MessageType[];

/** Any message of a type that its encoding carries exactly. */
function anyMessage(type: MessageType, encoding: Encoding): fc.Arbitrary<unknown> {
	const value = anyValue(encoding);
	const present = value.filter((candidate) => candidate !== undefined);
	switch (type) {
		case "ToServer":
			return toServer(value);
		case "ToClient":
			return toClient(value);
		case "HttpActionRequest":
			return fc.record({ args: fc.array(value, { maxLength: 4 }) });
		case "HttpActionResponse":
			return fc.record({ output: value });
		case "HttpQueueSendRequest":
			return queueSend(value);
		case "HttpQueueSendResponse":
			return fc.record(
				{ status: fc.constantFrom("completed", "timedOut"), response: present },
				{ requiredKeys: ["status"] },
			);
		case "HttpResponseError":
			return fc.record(
				{ group: text, code: text, message: text, metadata: present },
				{ requiredKeys: ["group", "code", "message"] },
			);
	}
}

/** The same fields, whatever their prototype: fast-check makes records without one. */
const plain = (message: unknown): object => ({ ...(message as object) });

describe.each(ENCODINGS)("%s", (encoding) => {
	it.each(TYPES)("decode undoes encode for any %s", (type) => {
		const { encode, decode } = CODECS[type];
		fc.assert(
			fc.property(anyMessage(type, encoding), (message) => {
				expectSame(decode(encoding, encode(encoding, message)), plain(message));
			}),
			{ numRuns: 200 },
		);
	});

	it.each(TYPES)("cut, changed and random input of %s decodes or is malformed", (type) => {
		const { encode, decode } = CODECS[type];
		const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 });
		fc.assert(
			fc.property(anyMessage(type, encoding), changes, fc.nat(), (message, edits, cut) => {
				const encoded = encode(encoding, message);
				const bytes = typeof encoded === "string" ? new TextEncoder().encode(encoded) : encoded;
				isMalformed(() => decode(encoding, bytes.subarray(0, cut % bytes.length)));
				for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
				returnsOrIsMalformed(() => decode(encoding, bytes));
				if (encoding !== "json")
					isMalformed(() =>
						decode(encoding, new Uint8Array([...(encode(encoding, message) as Uint8Array), 0])),
					);
			}),
			{ numRuns: 200 },
		);
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
				returnsOrIsMalformed(() => decode(encoding, bytes));
				returnsOrIsMalformed(() => decode(encoding, new Uint8Array([3, 0, ...bytes])));
				returnsOrIsMalformed(() => decode(encoding, String.fromCharCode(...bytes)));
			}),
			{ numRuns: 500 },
		);
	});

	it("decodes out of Node Buffers, too", () => {
		const message: ToServer = { tag: "ActionRequest", id: 1, name: "a", args: ["x"] };
		const encoded = encodeToServer(encoding, message);
		const buffer = typeof encoded === "string" ? Buffer.from(encoded) : Buffer.from(encoded);
		expect(decodeToServer(encoding, buffer)).toEqual(message);
	});

	it("what cannot be encoded fails with the path from the payload on", () => {
		const bad = { a: [() => 1] };
		const failure = expect.objectContaining({ path: ".a[0]" });
		const listFailure = expect.objectContaining({ path: "[0].a[0]" });
		expect(() => encodeHttpActionResponse(encoding, { output: bad })).toThrow(failure);
		expect(() => encodeHttpActionRequest(encoding, { args: [bad] })).toThrow(listFailure);
		expect(() => encodeToClient(encoding, { tag: "ActionResponse", id: 1, output: bad })).toThrow(
			failure,
		);
		expect(() =>
			encodeToServer(encoding, { tag: "ActionRequest", id: 1, name: "", args: [bad] }),
		).toThrow(EncodeError);
	});

	it("finds the id of a call without decoding it (ruling 2)", () => {
		const huge = "x".repeat(100_000);
		fc.assert(
			fc.property(id, text, (callId, name) => {
				const call = encodeToServer(encoding, {
					tag: "ActionRequest",
					id: callId,
					name,
					args: [huge],
				});
				expect(peekActionId(encoding, call)).toBe(callId);
				if (typeof call === "string") {
					expect(peekActionId(encoding, Buffer.from(call))).toBe(callId);
				}
			}),
			{ numRuns: 50 },
		);
		const subscription: ToServer = {
			tag: "SubscriptionRequest",
			eventName: huge,
			subscribe: true,
		};
		expect(peekActionId(encoding, encodeToServer(encoding, subscription))).toBeNull();
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 30 }),
				fc.string({ maxLength: 30 }),
				(bytes, string) => {
					expect(["number", "bigint", "object"]).toContain(typeof peekActionId(encoding, bytes));
					expect(peekActionId(encoding, string)).toBeNull();
				},
			),
		);
	});
});

describe("BARE versions (1.2, 1.5, 8.1)", () => {
	const cbor = fromHex("8101");

	it("calls of every version are read alike", () => {
		const body: v1.ToServerBody = { tag: "ActionRequest", val: { id: 1, name: "a", args: cbor } };
		const writers: [number, Write<v1.ToServer>][] = [
			[1, v1.writeToServer],
			[2, v2.writeToServer],
			[4, v4.writeToServer],
		];
		for (const [version, write] of writers) {
			const bytes = encodeEnvelope(version, write, { body });
			expect(decodeToServer("bare", bytes)).toEqual({
				tag: "ActionRequest",
				id: 1,
				name: "a",
				args: [1],
			});
		}
		for (const [version, write] of [
			[1, v1.writeHttpActionRequest],
			[2, v2.writeHttpActionRequest],
			[4, v4.writeHttpActionRequest],
		] as [number, Write<v1.HttpActionRequest>][]) {
			const bytes = encodeEnvelope(version, write, { args: cbor });
			expect(decodeHttpActionRequest("bare", bytes)).toEqual({ args: [1] });
		}
	});

	it("any frame of versions 1 and 2 is read as its peer meant it", () => {
		const body: fc.Arbitrary<v2.ToClientBody> = fc.oneof(
			fc.record({
				tag: fc.constant("Init" as const),
				val: fc.record({ actorId: text, connectionId: text }),
			}),
			fc.record({
				tag: fc.constant("Event" as const),
				val: fc.record({ name: text, args: fc.constant(cbor) }),
			}),
			fc.record({
				tag: fc.constant("Error" as const),
				val: fc.record({
					group: text,
					code: text,
					message: text,
					metadata: fc.option(fc.constant(cbor), { nil: undefined }),
					actionId: fc.option(id, { nil: undefined }),
				}),
			}),
		);
		fc.assert(
			fc.property(body, text, (frame, connectionToken) => {
				const second = encodeEnvelope(2, v2.writeToClient, { body: frame });
				const first = encodeEnvelope(1, v1.writeToClient, {
					body:
						frame.tag === "Init"
							? { tag: frame.tag, val: { ...frame.val, connectionToken } }
							: frame,
				});
				const newest = new Uint8Array(second);
				newest[0] = 3;
				expectSame(decodeToClient("bare", second), decodeToClient("bare", newest));
				expectSame(decodeToClient("bare", first), decodeToClient("bare", newest));
			}),
		);
	});

	it.each(["bare", "cbor", "json"] as const)(
		"version 4 carries the actor of an error in %s",
		(encoding) => {
			fc.assert(
				fc.property(toClient(anyValue(encoding), 4), (message) => {
					const bytes = encodeToClient(encoding, message, { version: 4 });
					if (encoding === "bare")
						expect([...(bytes as Uint8Array).subarray(0, 2)]).toEqual([4, 0]);
					const decoded = decodeToClient(encoding, bytes);
					const actor = message.tag === "Error" && message.actor;
					expectSame(decoded, plain(actor ? { ...message, actor: plain(actor) } : message));
					if (!actor) return;
					const { tag: _tag, actionId: _id, ...error } = message;
					const http: HttpResponseError = { ...error, actor };
					expectSame(
						decodeHttpResponseError(
							encoding,
							encodeHttpResponseError(encoding, http, { version: 4 }),
						),
						{
							...http,
							actor: plain(actor),
						},
					);
				}),
			);
		},
	);

	it("an undefined output is null in JSON, but for clients that identify their calls (1.6, 8.2)", () => {
		const frame: ToClient = { tag: "ActionResponse", id: 1, output: undefined };
		const ofFrame = (client?: ClientAbilities) =>
			decodeToClient("json", encodeToClient("json", frame, client)) as typeof frame;
		expect(encodeHttpActionResponse("json", { output: undefined })).toBe('{"output":null}');
		expect(ofFrame().output).toBeNull();
		const tagged = encodeHttpActionResponse("json", { output: undefined }, IDENTIFYING_CLIENT);
		expect(tagged).toBe('{"output":["$Undefined",0]}');
		expectSame(decodeHttpActionResponse("json", tagged), { output: undefined });
		expectSame(ofFrame(IDENTIFYING_CLIENT), frame);
		for (const output of [null, 0, ["$Undefined", 0], { a: undefined }]) {
			const same = encodeHttpActionResponse("json", { output }, IDENTIFYING_CLIENT);
			expect(same).toBe(encodeHttpActionResponse("json", { output }));
		}
		for (const encoding of ["bare", "cbor"] as const) {
			const bytes = encodeHttpActionResponse(encoding, { output: undefined }, IDENTIFYING_CLIENT);
			expectSame(bytes, encodeHttpActionResponse(encoding, { output: undefined }));
		}
	});

	it("version 3 leaves the actor out", () => {
		const actor = { actorId: "a", generation: 1 };
		const error = { group: "g", code: "c", message: "m" };
		for (const encoding of ENCODINGS) {
			const message: ToClient = { tag: "Error", ...error, actionId: null, actor };
			expect(decodeToClient(encoding, encodeToClient(encoding, message))).toEqual({
				tag: "Error",
				...error,
				actionId: null,
			});
			const http = encodeHttpResponseError(encoding, { ...error, actor });
			expect(decodeHttpResponseError(encoding, http)).toEqual(error);
		}
	});

	it.each(["0000", "0500", "0003", "03", "", "ffff"])("prefix %s is malformed", (prefix) => {
		for (const type of TYPES) {
			isMalformed(() => CODECS[type].decode("bare", fromHex(`${prefix}04 82616101`)));
			isMalformed(() => CODECS[type].decode("bare", fromHex(prefix)));
		}
	});

	it("queue messages did not exist before version 3", () => {
		const bytes = encodeHttpQueueSendRequest("bare", { body: 1 }) as Uint8Array;
		for (const version of [1, 2]) {
			bytes[0] = version;
			isMalformed(() => decodeHttpQueueSendRequest("bare", bytes));
		}
		const answer = encodeHttpQueueSendResponse("bare", { status: "completed" }) as Uint8Array;
		answer[0] = 2;
		isMalformed(() => decodeHttpQueueSendResponse("bare", answer));
	});
});

describe("strictness (conformance 3, 4, 6, 7)", () => {
	it.each<[string, MessageType, string]>([
		["a bool of 2", "ToServer", "0300 01 04 7469636b 02"],
		["an over-long id", "ToServer", "0300 00 8700 04 6563686f 03 820203"],
		["an id over 64 bits", "ToServer", "0300 00 ffffffffffffffffff02 04 6563686f 03 820203"],
		["an id of eleven bytes", "ToServer", "0300 00 ffffffffffffffffffff01 01 61 01 80"],
		["an unknown tag", "ToServer", "0300 02 00"],
		["a text longer than the frame", "ToServer", "0300 01 ff 7469636b 01"],
		["invalid UTF-8", "ToServer", "0300 01 02 c328 01"],
		["arguments that are no list", "HttpActionRequest", "0300 01 01"],
		["a text as arguments", "HttpActionRequest", "0300 02 6161"],
		["null as arguments", "HttpActionRequest", "0300 01 f6"],
		["trailing bytes in the arguments", "HttpActionRequest", "0300 02 8000"],
		["trailing bytes", "HttpActionRequest", "0300 01 80 00"],
		["event arguments that are no list", "ToClient", "0300 03 01 61 01 01"],
		["an unknown status", "HttpQueueSendResponse", "0300 03 616263 00"],
	])("%s", (_name, type, hex) => {
		isMalformed(() => CODECS[type].decode("bare", fromHex(hex)));
	});

	const call = { id: 1, name: "a", args: [] };
	const error = { group: "g", code: "c", message: "m", actionId: null };
	it.each<[string, MessageType, unknown]>([
		["no body", "ToServer", {}],
		["a list", "ToServer", [1]],
		["null", "ToServer", null],
		["an unknown tag", "ToServer", { body: { tag: "Nope", val: call } }],
		["no val", "ToServer", { body: { tag: "ActionRequest" } }],
		["no id", "ToServer", { body: { tag: "ActionRequest", val: { ...call, id: undefined } } }],
		["a negative id", "ToServer", { body: { tag: "ActionRequest", val: { ...call, id: -1 } } }],
		["a fraction as id", "ToServer", { body: { tag: "ActionRequest", val: { ...call, id: 1.5 } } }],
		["an unsafe id", "ToServer", { body: { tag: "ActionRequest", val: { ...call, id: 2 ** 60 } } }],
		["a text as id", "ToServer", { body: { tag: "ActionRequest", val: { ...call, id: "1" } } }],
		[
			"an id over 64 bits",
			"ToServer",
			{ body: { tag: "ActionRequest", val: { ...call, id: 2n ** 64n } } },
		],
		["no name", "ToServer", { body: { tag: "ActionRequest", val: { ...call, name: null } } }],
		["args null", "ToServer", { body: { tag: "ActionRequest", val: { ...call, args: null } } }],
		["args an object", "HttpActionRequest", { args: {} }],
		["args a text", "HttpActionRequest", { args: "ab" }],
		["no args", "HttpActionRequest", {}],
		[
			"a subscription without a flag",
			"ToServer",
			{ body: { tag: "SubscriptionRequest", val: { eventName: "e" } } },
		],
		[
			"actionId missing",
			"ToClient",
			{ body: { tag: "Error", val: { ...error, actionId: undefined } } },
		],
		["no queue body", "HttpQueueSendRequest", { name: "q" }],
		["name null", "HttpQueueSendRequest", { body: 1, name: null }],
		["wait null", "HttpQueueSendRequest", { body: 1, wait: null }],
		["timeout null", "HttpQueueSendRequest", { body: 1, timeout: null }],
		["a text as timeout", "HttpQueueSendRequest", { body: 1, timeout: "5" }],
		["an error without a code", "HttpResponseError", { group: "g", message: "m" }],
	])("%s in CBOR and JSON", (_name, type, message) => {
		isMalformed(() => CODECS[type].decode("cbor", encodeCbor(message)));
		const json = JSON.stringify(message, (_key, item) =>
			typeof item === "bigint" ? ["$BigInt", String(item)] : item,
		);
		isMalformed(() => CODECS[type].decode("json", json));
	});

	it("text is malformed in binary encodings; JSON may come as bytes, but not as invalid UTF-8", () => {
		for (const type of TYPES) {
			isMalformed(() => CODECS[type].decode("bare", "text"));
			isMalformed(() => CODECS[type].decode("cbor", "text"));
		}
		expect(decodeHttpActionRequest("json", new TextEncoder().encode('{"args":["é"]}'))).toEqual({
			args: ["é"],
		});
		isMalformed(() => decodeHttpActionRequest("json", fromHex("7b2261726773223a5b22c322 5d7d")));
	});

	it("ids of CBOR may be short or wide, ids of JSON tagged or plain", () => {
		for (const wireId of [7, 7n]) {
			const message = { body: { tag: "ActionRequest", val: { ...call, id: wireId } } };
			expect(decodeToServer("cbor", encodeCbor(message))).toMatchObject({ id: 7 });
		}
	});

	it("queue timeouts of zero and below are kept where the encoding can, and 0 in BARE", () => {
		const timeouts = (encoding: Encoding, timeout: number) =>
			decodeHttpQueueSendRequest(
				encoding,
				encodeHttpQueueSendRequest(encoding, { body: 1, timeout }),
			).timeout;
		expect(timeouts("json", -5)).toBe(-5);
		expect(timeouts("cbor", 1.5)).toBe(1.5);
		expect(timeouts("bare", -5)).toBe(0);
		expect(timeouts("bare", 1.5)).toBe(2);
	});

	it.each(ENCODINGS)(
		"a queue message in %s is sent again with less time, else as it was",
		(encoding) => {
			const body = { list: [1n, "two", undefined], bytes: new Uint8Array([1, 2]) };
			const encode = httpQueueSendRequestEncoder(encoding, { body, name: "jobs", wait: true });
			const times = [undefined, 5_000, 4_000] as const;
			const atOnce = times.map((timeout) =>
				encodeHttpQueueSendRequest(encoding, {
					body,
					name: "jobs",
					wait: true,
					...(timeout === undefined ? {} : { timeout }),
				}),
			);
			body.list.push("added later");
			body.bytes.fill(9);
			encodeCbor("another value in between");
			expect(times.map(encode)).toEqual(atOnce);
		},
	);
});

describe("own prototypes", () => {
	it("names like __proto__ and constructor in messages touch no prototype", () => {
		for (const data of ['{"__proto__":{"body":1},"args":[{"__proto__":{"x":1}}]}'] as Wire[]) {
			const { args } = decodeHttpActionRequest("json", data);
			expect(Object.getPrototypeOf(args[0])).toBe(Object.prototype);
			expect(Object.keys(args[0] as object)).toEqual(["__proto__"]);
		}
		isMalformed(() => decodeHttpActionRequest("json", '{"__proto__":{"args":[]}}'));
	});
});
