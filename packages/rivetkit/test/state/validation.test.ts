import { runInNewContext } from "node:vm";
import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { assertStorable, findUnstorable } from "../../src/runtime/state/index.ts";
import { invalidPathOf, track } from "./track.ts";

class Point {
	x = 1;
	readonly #secret = 2;
	get sum(): number {
		return this.x + this.#secret;
	}
}

class Tagged {
	readonly [Symbol.toStringTag] = "Tagged";
	x = 1;
}

class TaggedByPrototype {
	x = 1;
	get [Symbol.toStringTag](): string {
		return "Mine";
	}
}

class NamedMap extends Map<string, number> {}

const storable: [what: string, value: unknown][] = [
	["undefined", undefined],
	["null", null],
	["a boolean", true],
	["a string", "text"],
	["a lone surrogate", "\ud800"],
	["a finite number", -0.5],
	["a bigint", 2n ** 100n],
	["a date", new Date(0)],
	["a regular expression", /a+/gi],
	["an error", new TypeError("x")],
	["an error with a cause that could not be stored", new Error("x", { cause: () => 1 })],
	["an empty object", {}],
	["an object without prototype", Object.assign(Object.create(null), { a: 1 })],
	["an array with holes", new Array(3)],
	["an array with more properties", "a-b".match(/(?<letter>[a-z])-/)],
	[
		"a map with all kinds of keys",
		new Map<unknown, unknown>([
			[1, 1],
			[{ a: 1 }, new Map()],
			[null, 2],
		]),
	],
	["a set of objects", new Set([{ a: 1 }, [2]])],
	["an instance of a user class", new Point()],
	["an instance with a tag of its own", new Tagged()],
	["an instance of a user class with a tag", new TaggedByPrototype()],
	["an instance of a subclass of Map", new NamedMap([["a", 1]])],
	["an instance without a class", Object.create({ inherited: 1 })],
	["frozen objects", Object.freeze({ a: Object.freeze([1]) })],
	["an own __proto__", JSON.parse('{"__proto__":{"a":1}}')],
	["objects under symbols, which are not stored", { [Symbol("x")]: () => 1 }],
	["hidden properties, which are not stored", Object.defineProperty({}, "x", { value: () => 1 })],
	["plain objects of another realm", runInNewContext("({ a: [1, new Uint8Array(1)] })")],
	["bytes", new Uint8Array(2)],
	["a Buffer", Buffer.from("x")],
	["shared bytes", new Uint8Array(new SharedArrayBuffer(2))],
	["clamped bytes", new Uint8ClampedArray(1)],
	["16 bit", [new Int16Array(1), new Uint16Array(1)]],
	["32 bit", [new Int32Array(1), new Uint32Array(1), new Float32Array(1)]],
	["64 bit", [new BigInt64Array(1), new BigUint64Array(1), new Float64Array([Number.NaN])]],
	["8 bit", new Int8Array(1)],
];

const unstorable: [what: string, value: unknown][] = [
	["NaN", Number.NaN],
	["Infinity", Number.POSITIVE_INFINITY],
	["-Infinity", Number.NEGATIVE_INFINITY],
	["a function", () => 1],
	["a class", Point],
	["a symbol", Symbol("x")],
	["a promise", Promise.resolve()],
	["a WeakMap", new WeakMap()],
	["a WeakSet", new WeakSet()],
	["a WeakRef", new WeakRef({})],
	["an ArrayBuffer", new ArrayBuffer(1)],
	["a SharedArrayBuffer", new SharedArrayBuffer(1)],
	["a DataView", new DataView(new ArrayBuffer(1))],
	["an invalid date", new Date(Number.NaN)],
	["a boxed number", Object(1)],
	["a boxed string", Object("x")],
	["a boxed symbol", Object(Symbol("x"))],
	["a boxed bigint", Object(1n)],
	["a generator", (function* () {})()],
	["an iterator", [][Symbol.iterator]()],
	["a map iterator", new Map().keys()],
	["a formatter", new Intl.NumberFormat()],
	["a URL", new URL("http://127.0.0.1/")],
	["headers", new Headers()],
	["a response", new Response()],
	["a blob", new Blob([])],
	["an abort signal", new AbortController().signal],
	["a look-alike of a map", Object.create(Map.prototype)],
	["a look-alike of a date", Object.create(Date.prototype)],
	["a map of another realm", runInNewContext("new Map()")],
	["a date of another realm", runInNewContext("new Date(0)")],
	["an error of another realm", runInNewContext("new Error()")],
	["a promise of another realm", runInNewContext("Promise.resolve()")],
	[
		"a getter",
		{
			get a() {
				return 1;
			},
		},
	],
	["a setter", { set a(_value: number) {} }],
	["an array that is all hole", new Array(4_000_000_000)],
];

describe("can be stored", () => {
	it.each(storable)("%s", (_what, value) => {
		expect(findUnstorable(value)).toBeUndefined();
		assertStorable(value, "state");
		const tracked = track<{ value?: unknown }>({});
		tracked.state.value = value;
		expect(tracked.changes).toBe(1);
		expect((tracked.raw as { value: unknown }).value).toBe(value);
		expect(() => decodeCbor(encodeCbor(tracked.raw))).not.toThrow();
	});
});

describe("is refused, and changes nothing", () => {
	const inGetter = (what: string): string => (/getter|setter/.test(what) ? ".a" : "");

	it.each(unstorable)("%s as a root", (what, value) => {
		expect(findUnstorable(value)?.path).toBe(inGetter(what));
		expect(invalidPathOf(() => assertStorable(value, "state"))).toBe(`state${inGetter(what)}`);
		const tracked = track<unknown>({ a: 1 });
		expect(invalidPathOf(() => tracked.replace(value))).toBe(`state${inGetter(what)}`);
		expect(tracked.raw).toEqual({ a: 1 });
		expect(tracked.changes).toBe(0);
	});

	it.each(unstorable)("%s in an assignment", (what, value) => {
		const tracked = track<{ bad?: unknown }>({});
		expect(invalidPathOf(() => Object.assign(tracked.state, { bad: value }))).toBe(
			`state.bad${inGetter(what)}`,
		);
		expect(tracked.raw).toEqual({});
		expect(tracked.changes).toBe(0);
	});
});

describe("the path names the first value that cannot be stored", () => {
	const bad = () => 1;
	const sample = () => ({
		list: [{ a: 1 }, { a: 2 }],
		map: new Map<unknown, unknown>([["k", { a: 1 }]]),
		set: new Set<unknown>([1, { a: 1 }]),
		keys: new Map([[{ id: 1 }, 1]]),
		nested: { deep: {} },
		date: new Date(0),
		error: new Error("x"),
		bytes: new Uint8Array(1),
	});
	type State = ReturnType<typeof sample> & Record<string, unknown>;
	const cyclic = (): unknown => {
		const value: Record<string, unknown> = { a: { b: [] } };
		(value.a as { b: unknown[] }).b.push(1, value);
		return value;
	};

	it.each<[path: string, act: (state: State) => unknown]>([
		["state.bad.a.b[1].c", (s) => (s.bad = { a: { b: [1, { c: bad }] } })],
		["state.bad.value(k)", (s) => (s.bad = new Map([["k", bad]]))],
		["state.bad.value(k).x", (s) => (s.bad = new Map([["k", { x: bad }]]))],
		["state.bad.key(NaN)", (s) => (s.bad = new Map([[Number.NaN, 1]]))],
		["state.bad.key(Symbol(s))", (s) => (s.bad = new Map([[Symbol("s"), 1]]))],
		["state.bad.key(object).x", (s) => (s.bad = new Map([[{ x: bad }, 1]]))],
		["state.bad.value(1)[0]", (s) => (s.bad = new Map([[1, [bad]]]))],
		["state.bad.set[1]", (s) => (s.bad = new Set([1, bad]))],
		["state.bad.set[0].x", (s) => (s.bad = new Set([{ x: bad }]))],
		["state.nested.deep.x", (s) => Object.assign(s.nested.deep, { x: bad })],
		["state.nested.deep.x", (s) => Reflect.set(s.nested.deep, "x", bad)],
		["state.nested.x", (s) => Object.defineProperty(s.nested, "x", { value: bad })],
		["state.nested.x", (s) => Object.defineProperty(s.nested, "x", { get: () => 1 })],
		["state.nested[Symbol(x)]", (s) => Reflect.set(s.nested, Symbol("x"), 1)],
		["state.list[0]", (s) => Reflect.set(s.list, 0, bad)],
		["state.list[1].a", (s) => Reflect.set(s.list[1]!, "a", Number.NaN)],
		["state.list[4000000000]", (s) => Reflect.set(s.list, 4_000_000_000, 1)],
		["state.list.length", (s) => Reflect.set(s.list, "length", 4_000_000_000)],
		["state.list.name", (s) => Reflect.set(s.list, "name", bad)],
		["state.list[3]", (s) => s.list.push({ a: 3 }, bad as never)],
		["state.list[1].x", (s) => s.list.unshift({ a: 3 }, { x: bad } as never)],
		["state.list[2]", (s) => s.list.splice(1, 1, { a: 3 }, bad as never)],
		["state.list[1]", (s) => s.list.splice(-1, 0, bad as never)],
		["state.list[2]", (s) => s.list.splice(99, 0, bad as never)],
		["state.list[1]", (s) => s.list.fill(bad as never, 1)],
		["state.map.value(k)", (s) => s.map.set("k", bad)],
		["state.map.value(new)[1]", (s) => s.map.set("new", [1, bad])],
		["state.map.key(Infinity)", (s) => s.map.set(Number.POSITIVE_INFINITY, 1)],
		["state.map.key(array)[0]", (s) => s.map.set([bad], 1)],
		["state.map.value(k).b", (s) => Object.assign(s.map.get("k") as object, { b: bad })],
		["state.set.set[2]", (s) => s.set.add(bad)],
		["state.set.set[2].x", (s) => s.set.add({ x: bad })],
		["state.set.set[1].b", (s) => Object.assign([...s.set][1] as object, { b: bad })],
		["state.keys.key(object).b", (s) => Object.assign([...s.keys.keys()][0]!, { b: bad })],
		["state.date", (s) => s.date.setTime(Number.NaN)],
		["state.error.detail", (s) => Object.assign(s.error, { detail: bad })],
		["state.bad.a.b[1]", (s) => (s.bad = cyclic())],
		["state.nested.deep.up", (s) => Object.assign(s.nested.deep, { up: s.nested })],
		["state.nested.deep.up.x", (s) => Object.assign(s.nested.deep, { up: { x: s.nested } })],
		["state.nested.deep.self", (s) => Object.assign(s.nested.deep, { self: s.nested.deep })],
		["state.nested.top", (s) => Object.assign(s.nested, { top: s })],
		["state.map.value(self)", (s) => s.map.set("self", s.map)],
		["state.set.set[2]", (s) => s.set.add(s)],
		["state.list[2][0]", (s) => s.list.push([s.list] as never)],
	])("%s", (path, act) => {
		const tracked = track(sample() as State);
		expect(invalidPathOf(() => act(tracked.state))).toBe(path);
		expect(tracked.raw).toEqual(sample());
		expect(tracked.changes).toBe(0);
	});

	it("starts with the root's name", () => {
		const tracked = track<Record<string, unknown>>({}, { rootPath: "conn.state" });
		expect(invalidPathOf(() => Object.assign(tracked.state, { a: [bad] }))).toBe("conn.state.a[0]");
		expect(invalidPathOf(() => tracked.replace({ a: bad }))).toBe("conn.state.a");
	});

	it("follows a member that moved", () => {
		const tracked = track({ list: [{ a: 1 }, { a: 2 }] as Record<string, unknown>[] });
		const second = tracked.state.list[1]!;
		tracked.state.list.shift();
		expect(invalidPathOf(() => Object.assign(second, { x: bad }))).toBe("state.list[0].x");
		const { list } = tracked.state;
		tracked.replace({ moved: { to: list } });
		expect(invalidPathOf(() => Object.assign(second, { x: bad }))).toBe("state.moved.to[0].x");
	});
});

describe("nesting", () => {
	const nest = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
		let value: unknown = 1;
		for (let level = 0; level < levels; level++) value = wrap(value);
		return value;
	};

	it.each([
		["objects", 1_000, (inner: unknown) => ({ inner })],
		["arrays", 1_000, (inner: unknown) => [inner]],
		["maps", 1_000, (inner: unknown) => new Map([["inner", inner]])],
		["sets, which take two levels of the codec", 500, (inner: unknown) => new Set([inner])],
	])("of %s is limited", (_what, levels, wrap) => {
		assertStorable(nest(levels, wrap), "state");
		expect(findUnstorable(nest(levels + 1, wrap))?.reason).toMatch(
			"nested deeper than 1000 levels",
		);
		expect(findUnstorable(nest(100_000, wrap))?.reason).toMatch("nested deeper than 1000 levels");
	});

	it("counts the levels above the place of the assignment", () => {
		const tracked = track(nest(999, (inner) => ({ inner })) as Record<string, unknown>);
		let deepest = tracked.state;
		while (typeof deepest.inner === "object") deepest = deepest.inner as Record<string, unknown>;
		deepest.inner = {};
		expect(() => Object.assign(deepest, { inner: { a: {} } })).toThrow("nested deeper");
	});

	it("does not explode with shared parts", () => {
		const value = nest(200, (inner) => [inner, inner]);
		expect(findUnstorable(value)).toBeUndefined();
	});
});

describe("validation looks and does not touch", () => {
	it("never calls a getter", () => {
		let calls = 0;
		const value = {
			get a() {
				calls++;
				return 1;
			},
		};
		expect(findUnstorable([value])?.path).toBe("[0].a");
		expect(calls).toBe(0);
	});

	it("leaves proxies inside a refused value where they are", () => {
		const tracked = track<Record<string, unknown>>({ part: { a: 1 } });
		const value = { part: tracked.state.part, bad: () => 1 };
		expect(() => Object.assign(tracked.state, { value })).toThrow();
		expect(value.part).toBe(tracked.state.part);
	});

	interface Holders {
		readonly part: { a: number };
		readonly list: unknown[];
		readonly map: Map<unknown, unknown>;
	}
	it.each<[how: string, path: string, act: (state: Holders, value: object) => unknown]>([
		["push", "state.list[1]", (s, value) => s.list.push(value, () => 1)],
		["unshift", "state.list[1]", (s, value) => s.list.unshift(value, Number.NaN)],
		["splice", "state.list[1].bad", (s, value) => s.list.splice(0, 0, value, { bad: () => 1 })],
		["set", "state.map.value(object)", (s, value) => s.map.set(value, () => 1)],
	])(
		"leaves proxies inside a value where they are when what %s has after it is refused",
		(_how, path, act) => {
			const tracked = track<Holders>({ part: { a: 1 }, list: [], map: new Map() });
			const value = { part: tracked.state.part };
			expect(invalidPathOf(() => act(tracked.state, value))).toBe(path);
			expect(value.part).toBe(tracked.state.part);
			expect(tracked.changesOf(() => value.part.a++)).toBe(1);
		},
	);
});
