import fc from "fast-check";
import type { HttpQueueSendRequest, ToClient, ToServer } from "../../src/index.ts";

/** Text with everything UTF-8 can carry: ASCII, other planes, a BOM; no lone surrogates. */
export const text = fc.oneof(
	fc.string({ maxLength: 80 }),
	fc.string({ unit: "binary", maxLength: 40 }),
	fc.constantFrom("", "\ufeffbom", "__proto__", "constructor", "$BigInt", "$$", "é".repeat(60)),
);

/** Ids of 64 bits, as numbers where they are safe. */
export const id = fc.oneof(
	fc.nat(),
	fc.maxSafeNat(),
	fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
	fc.constantFrom(0, 127, 128, 2 ** 32, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER),
);

const bytes = fc.uint8Array({ maxLength: 70 });
const properties = (value: fc.Arbitrary<unknown>) =>
	fc.dictionary(fc.oneof(fc.string({ maxLength: 12 }), text), value, {
		maxKeys: 5,
		noNullPrototype: true,
	});

/** What survives JSON's form exactly. */
export const jsonValue = fc.letrec((tie) => ({
	value: fc.oneof(
		{ maxDepth: 4, depthSize: "small" },
		fc.constantFrom<unknown>(null, true, false),
		fc.integer(),
		fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => (x === 0 ? 0 : x)),
		fc.bigInt(),
		text,
		bytes,
		bytes.map((view) => view.slice().buffer),
		fc.array(tie("value"), { maxLength: 5 }),
		fc
			.tuple(fc.constantFrom("$", "$$", "$x", "$BigInt", "plain"), tie("value"))
			.map((pair) => [...pair]),
		properties(tie("value")),
	),
})).value;

/** What survives CBOR exactly: the types of contract 1.9. */
export const cborValue = fc.letrec((tie) => ({
	value: fc.oneof(
		{ maxDepth: 4, depthSize: "small" },
		fc.constantFrom<unknown>(null, undefined, true, false, Number.NaN, 1 / 0, -1 / 0),
		fc.integer(),
		fc.maxSafeInteger(),
		fc.double({ noNaN: true }).map((x) => (x === 0 ? 0 : x)),
		fc.bigInt(),
		fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
		text,
		bytes,
		fc.date({ noInvalidDate: true }).map((date) => new Date(date.getTime() % 2 ** 45)),
		fc.constantFrom(/a+b/gi, /[/]\\/u),
		fc.tuple(fc.constantFrom("Error", "TypeError", "Custom"), text).map(errorOf),
		fc.int8Array(),
		fc.int16Array(),
		fc.int32Array(),
		fc.uint8ClampedArray(),
		fc.uint16Array(),
		fc.uint32Array(),
		fc.float32Array(),
		fc.float64Array(),
		fc.bigInt64Array(),
		fc.bigUint64Array(),
		fc.array(tie("value"), { maxLength: 5 }),
		fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
		fc.array(fc.integer(), { maxLength: 4 }).map((items) => new Set(items)),
		properties(tie("value")),
	),
})).value;

function errorOf([name, message]: [string, string]): Error {
	const error = name === "TypeError" ? new TypeError(message) : new Error(message);
	if (name === "Custom") Object.defineProperty(error, "name", { value: name });
	return error;
}

const specifier = fc.record(
	{ actorId: text, generation: id, key: text },
	{ requiredKeys: ["actorId", "generation"], noNullPrototype: true },
);

export function toClient(value: fc.Arbitrary<unknown>, version: 3 | 4 = 3): fc.Arbitrary<ToClient> {
	const args = fc.array(value, { maxLength: 4 });
	const error = { tag: fc.constant("Error" as const), group: text, code: text, message: text };
	const present = value.filter((metadata) => metadata !== undefined);
	return fc.oneof(
		fc.record({ tag: fc.constant("Init" as const), actorId: text, connectionId: text }),
		fc.record({ tag: fc.constant("ActionResponse" as const), id, output: value }),
		fc.record({ tag: fc.constant("Event" as const), name: text, args }),
		fc.record(
			{
				...error,
				actionId: fc.option(id),
				metadata: present,
				...(version === 4 ? { actor: specifier } : {}),
			},
			{ requiredKeys: ["tag", "group", "code", "message", "actionId"] },
		),
	) as fc.Arbitrary<ToClient>;
}

export function toServer(value: fc.Arbitrary<unknown>): fc.Arbitrary<ToServer> {
	const args = fc.array(value, { maxLength: 4 });
	return fc.oneof(
		fc.record({ tag: fc.constant("ActionRequest" as const), id, name: text, args }),
		fc.record({
			tag: fc.constant("SubscriptionRequest" as const),
			eventName: text,
			subscribe: fc.boolean(),
		}),
	);
}

export function queueSend(value: fc.Arbitrary<unknown>): fc.Arbitrary<HttpQueueSendRequest> {
	return fc.record(
		{ body: value, name: text, wait: fc.boolean(), timeout: fc.maxSafeNat() },
		{ requiredKeys: ["body"] },
	);
}
