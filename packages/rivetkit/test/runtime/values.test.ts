import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

class Point {
	x = 1;
}

const VALUES: Readonly<Record<string, unknown>> = {
	null: null,
	booleans: [true, false],
	numbers: [0, -1, 1.5, 2 ** 40, Number.MAX_SAFE_INTEGER, -1e300],
	text: ["", "plain", "é€🔑", "\0"],
	"small bigint": 5n,
	"large bigint": 2n ** 70n,
	bytes: new Uint8Array([0, 255]),
	"nested objects": { a: { b: [{ c: 1 }] } },
	"look-alike of an escape": ["$Nope", 1],
	"not finite": [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
	undefined: undefined,
	date: new Date(1_700_000_000_123),
	regexp: /a.c/gi,
	error: new RangeError("message"),
	map: new Map<unknown, unknown>([
		["a", 1],
		[2, { b: 3 }],
	]),
	set: new Set([1, "a"]),
	"typed arrays": [new Float64Array([1.5]), new Int16Array([-1]), new BigUint64Array([1n])],
	"array buffer": new Uint8Array([1, 2]).buffer,
	"class instance": new Point(),
};

/** What comes back where it is not the same (protocol 1.9). */
const BINARY: Readonly<Record<string, unknown>> = {
	"array buffer": new Uint8Array([1, 2]),
	"class instance": { x: 1 },
};
const JSON_FORM: Readonly<Record<string, unknown>> = {
	"not finite": [null, null, null],
	undefined: null,
	date: "2023-11-14T22:13:20.123Z",
	regexp: {},
	error: {},
	map: {},
	set: {},
	"typed arrays": [{ 0: 1.5 }, { 0: -1 }, { 0: 1n }],
	"class instance": { x: 1 },
};

function expected(encoding: string, name: string): unknown {
	const changed = encoding === "json" ? JSON_FORM : BINARY;
	return Object.hasOwn(changed, name) ? changed[name] : VALUES[name];
}

const echo = actor({
	actions: {
		echo: (_c, value: unknown) => value,
		give: (_c, name: string) => VALUES[name],
		tell: (c, name: string) => c.broadcast("value", VALUES[name]),
	},
});

describe.each(["bare", "cbor", "json"] as const)("A14 values in %s", (encoding) => {
	it.each(Object.keys(VALUES))("%s travels both ways, over HTTP and WebSocket", async (name) => {
		await using runtime = await TestRuntime.start({ echo });
		const id = await runtime.actorId("echo");
		const want = expected(encoding, name);
		const given = await wireAction(runtime, id, "give", [name], { encoding });
		expect(given.output).toEqual(want);
		if (encoding !== "json") {
			const { output } = await wireAction(runtime, id, "echo", [VALUES[name]], { encoding });
			expect(output).toEqual(want);
		}
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, {
			encoding,
		});
		socket.subscribe("value");
		socket.act(0, "tell", name);
		const event = await soon(socket.expect("Event"));
		expect(event.args).toEqual([want]);
	});
});

it("a class instance arrives as a plain object", async () => {
	await using runtime = await TestRuntime.start({ echo });
	const id = await runtime.actorId("echo");
	const { output } = await wireAction(runtime, id, "give", ["class instance"], {
		encoding: "bare",
	});
	expect(Object.getPrototypeOf(output)).toBe(Object.prototype);
});

describe("A14, P10 an action that returns nothing", () => {
	it.each(["bare", "cbor", "json"] as const)(
		"resolves our client with undefined in %s, over HTTP and WebSocket",
		async (encoding) => {
			await using runtime = await TestRuntime.start({ echo });
			await using client = runtime.client(encoding);
			const handle = client.echo!.getOrCreate(["a"]);
			expect(await handle.give("undefined")).toBeUndefined();
			expect(await handle.give("null")).toBeNull();
			await using connection = handle.connect();
			expect(await connection.give("undefined")).toBeUndefined();
			expect(await connection.give("null")).toBeNull();
		},
	);

	it("is null on the wire for every other JSON client", async () => {
		await using runtime = await TestRuntime.start({ echo });
		const id = await runtime.actorId("echo");
		const body = JSON.stringify({ args: ["undefined"] });
		const answerTo = async (headers: Record<string, string>) => {
			const url = `${runtime.url}/gateway/${id}/action/give`;
			return await (await fetch(url, { method: "POST", body, headers })).text();
		};
		expect(await answerTo({})).toBe('{"output":null}');
		expect(await answerTo({ "x-rivet-call-id": "one" })).toBe('{"output":["$Undefined",0]}');
		// A remembered answer is told to each caller in the form that caller knows.
		expect(await answerTo({ "x-rivet-call-id": "one" })).toBe('{"output":["$Undefined",0]}');

		const outputOf = async (options: { session?: string }) => {
			await using socket = await WireSocket.connect(
				`${runtime.url}/gateway/${id}/connect`,
				options,
			);
			socket.act(1, "give", "undefined");
			return JSON.parse((await socket.raw()) as string).body.val.output;
		};
		expect(await outputOf({})).toBeNull();
		expect(await outputOf({ session: "s" })).toEqual(["$Undefined", 0]);
	});
});
