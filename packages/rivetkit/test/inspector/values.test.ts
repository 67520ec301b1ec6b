// What states look like, and that they come back (issue: BigInt, Map, Date, binary, 1 MB; protocol Q25).
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { toPlainJson } from "../../src/runtime/inspector/plain-json.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";

function rich() {
	return {
		big: 2n ** 80n,
		when: new Date("2026-01-02T03:04:05.678Z"),
		byName: new Map([["a", { n: 1n }]]),
		byNumber: new Map<unknown, unknown>([[1, new Set(["x"])]]),
		bytes: Uint8Array.of(0, 255, 128),
		floats: Float64Array.of(0.5, Number.POSITIVE_INFINITY),
		pattern: /a+/gi,
		error: new RangeError("too far"),
		nothing: undefined,
		list: [undefined, null, 1],
		["__proto__"]: "own",
	};
}

const subject = actor({
	createState: () => rich() as Record<string, unknown>,
	actions: {
		cycle: () => {
			const value: { self?: unknown } = {};
			value.self = value;
			return value;
		},
		fn: () => ({ a: { b: () => {} } }),
	},
});

it("renders every kind of state as plain JSON", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const { body } = await inspect(runtime, id, "state");
	const expected = JSON.parse(`{
		"big": "1208925819614629174706176",
		"when": "2026-01-02T03:04:05.678Z",
		"byName": { "a": { "n": "1" } },
		"byNumber": [[1, ["x"]]],
		"bytes": "AP+A",
		"floats": [0.5, null],
		"pattern": "/a+/gi",
		"error": { "name": "RangeError", "message": "too far" },
		"list": [null, null, 1],
		"__proto__": "own"
	}`);
	expect(body.state).toEqual(expected);
	expect(Object.hasOwn(body.state, "__proto__")).toBe(true);
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "state")).body.state).toEqual(expected);
});

it("keeps every kind in CBOR, out and in again", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const { body, headers } = await inspect(runtime, id, "state", { cbor: true });
	expect(headers.get("content-type")).toBe("application/cbor");
	expect(body).toEqual({ state: rich(), isStateEnabled: true });
	const state = { ...body.state, big: -(2n ** 70n) };
	await inspect(runtime, id, "state", { method: "PATCH", body: { state }, cbor: true });
	await runtime.embedded.host.stop(id, "sleep");
	const after = await inspect(runtime, id, "state", { cbor: true });
	expect(after.body.state).toEqual({ ...rich(), big: -(2n ** 70n) });
	expect(after.body.state.byNumber.get(1)).toEqual(new Set(["x"]));
});

it("says what a state cannot hold, and keeps the one there was", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const patch = (state: unknown) =>
		inspect(runtime, id, "state", { method: "PATCH", body: { state }, cbor: true });
	expect(await patch({ list: [1, Number.NaN] })).toMatchObject({
		status: 400,
		body: {
			group: "state",
			code: "invalid_type",
			message: expect.stringContaining("at path `state.list[1]`: NaN cannot be stored"),
		},
	});
	expect((await inspect(runtime, id, "state", { cbor: true })).body.state).toEqual(rich());
});

it("takes a state of a megabyte, both ways", async () => {
	const large = actor({ state: { text: "" }, actions: { size: (c) => c.state.text.length } });
	await using runtime = await TestRuntime.start({ large });
	const id = await runtime.actorId("large");
	const text = "é".repeat(600_000);
	await inspect(runtime, id, "state", { method: "PATCH", body: { state: { text } } });
	expect((await inspect(runtime, id, "action/size", { method: "POST" })).body.output).toBe(600_000);
	expect((await inspect(runtime, id, "state")).body.state.text === text).toBe(true);
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "summary")).body.state.text === text).toBe(true);
});

it("an output that no JSON can be made of is an error, and the log says where", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	for (const name of ["cycle", "fn"]) {
		const answer = await inspect(runtime, id, `action/${name}`, { method: "POST" });
		expect(answer).toMatchObject({ status: 500, body: { code: "internal_error" } });
	}
	const errors = runtime.log.filter(({ level }) => level === "error");
	expect(errors.map(({ fields }) => String(fields.err))).toEqual([
		expect.stringContaining("self"),
		expect.stringContaining("a.b"),
	]);
});

it("renders what is no state, too", () => {
	expect(toPlainJson({ at: new ArrayBuffer(2), view: new DataView(new ArrayBuffer(1)) })).toBe(
		'{"at":"AAA=","view":"AA=="}',
	);
	expect(toPlainJson(new URL("http://a/"))).toBe('"http://a/"');
	expect(toPlainJson(undefined)).toBe("null");
	expect(toPlainJson(new Date(Number.NaN))).toBe("null");
	expect(toPlainJson(BigInt64Array.of(1n))).toBe('["1"]');
});
