import { encodeCbor } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { track } from "./track.ts";

function sample() {
	return {
		count: 1,
		name: "a" as string | undefined,
		optional: undefined as number | undefined,
		nested: { deep: { flag: true } },
		list: [3, 1, 2],
		people: [{ age: 1 }, { age: 2 }],
		map: new Map<string, { n: number }>([["k", { n: 1 }]]),
		scores: new Map<string, number>([["a", 1]]),
		keyed: new Map<object, number>([[{ id: 1 }, 1]]),
		set: new Set<unknown>(["x", { inSet: 1 }]),
		date: new Date(Date.UTC(2026, 0, 31, 10, 20, 30, 40)),
		bytes: new Uint8Array([1, 2, 3, 4]),
		floats: new Float64Array([1.5, 2.5]),
		bigs: new BigInt64Array([1n]),
		buffer: Buffer.from([1, 2, 3, 4]),
		error: new Error("first"),
		pattern: /x/g,
		big: 1n,
		nothing: null,
	} as Record<string, unknown> & {
		count: number;
		name?: string | undefined;
		optional?: number | undefined;
		nested: { deep: { flag: boolean; extra?: unknown } };
		list: number[];
		people: { age: number }[];
		map: Map<string, { n: number }>;
		scores: Map<string, number>;
		keyed: Map<object, number>;
		set: Set<unknown>;
		date: Date;
		bytes: Uint8Array;
		floats: Float64Array;
		bigs: BigInt64Array;
		buffer: Buffer;
		error: Error;
		pattern: RegExp;
		big: bigint;
	};
}

type Sample = ReturnType<typeof sample>;
type Case = [what: string, act: (state: Sample) => unknown];

const oneChange: Case[] = [
	["property set", (s) => (s.count = 2)],
	["property increment", (s) => s.count++],
	["new property", (s) => (s.added = 1)],
	["new property holding undefined", (s) => (s.added = undefined)],
	["property set to undefined", (s) => (s.name = undefined)],
	["0 becomes -0", (s) => (s.nested.deep.extra = -0)],
	["object put in", (s) => (s.added = { a: [1] })],
	["equal but different object", (s) => (s.nested = { deep: { flag: true } })],
	["property delete", (s) => delete s.name],
	["Reflect.set", (s) => Reflect.set(s, "count", 9)],
	["Reflect.deleteProperty", (s) => Reflect.deleteProperty(s, "name")],
	["Object.defineProperty", (s) => Object.defineProperty(s, "count", { value: 5 })],
	[
		"hiding a property from storage",
		(s) => Object.defineProperty(s, "count", { enumerable: false }),
	],
	["Object.assign of one", (s) => Object.assign(s, { count: 5 })],
	["deep set", (s) => (s.nested.deep.flag = false)],
	["deep delete", (s) => Reflect.deleteProperty(s.nested.deep, "flag")],
	["array index", (s) => (s.list[0] = 9)],
	["array index past the end", (s) => (s.list[5] = 9)],
	["array length cut", (s) => (s.list.length = 1)],
	["array length grown", (s) => (s.list.length = 9)],
	["array delete", (s) => Reflect.deleteProperty(s.list, "0")],
	["push of many", (s) => s.list.push(7, 8, 9)],
	["pop", (s) => s.list.pop()],
	["shift", (s) => s.list.shift()],
	["unshift of many", (s) => s.list.unshift(7, 8)],
	["splice that removes", (s) => s.list.splice(0, 2)],
	["splice that inserts", (s) => s.list.splice(1, 0, 5, 6)],
	["splice that replaces", (s) => s.list.splice(1, 1, 5)],
	["sort", (s) => s.list.sort()],
	["sort with comparator", (s) => s.people.sort((a, b) => b.age - a.age)],
	["reverse", (s) => s.list.reverse()],
	["fill", (s) => s.list.fill(0)],
	["copyWithin", (s) => s.list.copyWithin(0, 1)],
	["Array.prototype.push.call", (s) => Array.prototype.push.call(s.list, 1)],
	["member of an array", (s) => (s.people[1]!.age = 9)],
	["member found by find", (s) => (s.people.find((p) => p.age === 2)!.age = 9)],
	["member of a filtered copy", (s) => (s.people.filter((p) => p.age === 2)[0]!.age = 9)],
	["member of a spread copy", (s) => ([...s.people][0]!.age = 9)],
	["member by at", (s) => (s.people.at(-1)!.age = 9)],
	["member by destructuring", ({ people: [first] }) => (first!.age = 9)],
	["member in an iterator", (s) => (s.people.values().next().value!.age = 9)],
	["map set of a new key", (s) => s.scores.set("b", 2)],
	["map set of a new key to undefined", (s) => s.scores.set("b", undefined as never)],
	["map set of another value", (s) => s.scores.set("a", 2)],
	["map delete", (s) => s.scores.delete("a")],
	["map clear", (s) => s.scores.clear()],
	["map value by get", (s) => (s.map.get("k")!.n = 2)],
	[
		"map value in forEach",
		(s) =>
			s.map.forEach((value) => {
				value.n = 2;
			}),
	],
	["map value in for of", (s) => Object.assign([...s.map][0]![1], { n: 2 })],
	["map value in values()", (s) => Object.assign([...s.map.values()][0]!, { n: 2 })],
	["map value in entries()", (s) => Object.assign([...s.map.entries()][0]![1], { n: 2 })],
	["map key", (s) => Object.assign([...s.keyed.keys()][0]!, { id: 2 })],
	[
		"map through forEach's third argument",
		(s) =>
			s.scores.forEach((_value, key, map) => {
				map.delete(key);
			}),
	],
	["set add", (s) => s.set.add("y")],
	["set delete", (s) => s.set.delete("x")],
	["set clear", (s) => s.set.clear()],
	["set member", (s) => Object.assign([...s.set][1] as object, { inSet: 2 })],
	[
		"set member in forEach",
		(s) =>
			s.set.forEach((member) => {
				if (member !== "x") Object.assign(member as object, { inSet: 2 });
			}),
	],
	["date setTime", (s) => s.date.setTime(5)],
	["date setFullYear", (s) => s.date.setFullYear(2027)],
	["date setUTCFullYear", (s) => s.date.setUTCFullYear(2027)],
	["date setMonth", (s) => s.date.setMonth(5)],
	["date setUTCMonth", (s) => s.date.setUTCMonth(5)],
	["date setDate", (s) => s.date.setDate(5)],
	["date setUTCDate", (s) => s.date.setUTCDate(5)],
	["date setHours", (s) => s.date.setHours(s.date.getHours() + 1)],
	["date setUTCHours", (s) => s.date.setUTCHours(1)],
	["date setMinutes", (s) => s.date.setMinutes(1)],
	["date setUTCMinutes", (s) => s.date.setUTCMinutes(1)],
	["date setSeconds", (s) => s.date.setSeconds(1)],
	["date setUTCSeconds", (s) => s.date.setUTCSeconds(1)],
	["date setMilliseconds", (s) => s.date.setMilliseconds(1)],
	["date setUTCMilliseconds", (s) => s.date.setUTCMilliseconds(1)],
	["typed array index", (s) => (s.bytes[0] = 9)],
	["typed array set", (s) => s.bytes.set([9, 9], 1)],
	["typed array fill", (s) => s.bytes.fill(9)],
	["typed array copyWithin", (s) => s.bytes.copyWithin(0, 1)],
	["typed array sort", (s) => s.bytes.sort((a, b) => b - a)],
	["typed array reverse", (s) => s.bytes.reverse()],
	["typed array through a subarray", (s) => (s.bytes.subarray(1, 3)[0] = 9)],
	["typed array through a subarray of one", (s) => s.bytes.subarray(1).subarray(1).fill(9)],
	[
		"typed array through forEach's third argument",
		(s) =>
			s.bytes.forEach((byte, index, all) => {
				if (index === 0) all[index] = byte + 1;
			}),
	],
	["float array index", (s) => (s.floats[1] = Number.NaN)],
	["bigint array index", (s) => (s.bigs[0] = 2n)],
	["Buffer write", (s) => s.buffer.write("z", 1)],
	["Buffer writeUInt16BE", (s) => s.buffer.writeUInt16BE(999, 0)],
	["Buffer swap16", (s) => s.buffer.swap16()],
	["Buffer fill", (s) => s.buffer.fill("q")],
	["error message", (s) => (s.error.message = "second")],
	["error name", (s) => (s.error.name = "Other")],
	["regexp replaced", (s) => (s.pattern = /y/)],
	["bigint", (s) => s.big++],
];

const noChange: Case[] = [
	["same number", (s) => (s.count = 1)],
	["same bigint", (s) => (s.big = 1n)],
	["undefined over undefined", (s) => (s.optional = undefined)],
	["null over null", (s) => (s.nothing = null)],
	["same object by its proxy", (s) => Object.assign(s, { nested: s.nested })],
	["delete of what is not there", (s) => delete s.missing],
	["defineProperty of the same value", (s) => Object.defineProperty(s, "count", { value: 1 })],
	[
		"defineProperty that only makes read-only",
		(s) => Object.defineProperty(s, "count", { writable: false }),
	],
	["hidden property", (s) => Object.defineProperty(s, "hidden", { value: 1, enumerable: false })],
	["same array index", (s) => (s.list[0] = 3)],
	["same array length", (s) => (s.list.length = 3)],
	["push of nothing", (s) => s.list.push()],
	["unshift of nothing", (s) => s.list.unshift()],
	["splice of nothing", (s) => s.list.splice(1, 0)],
	["splice without arguments", (s) => (s.list.splice as unknown as () => void)()],
	["splice by the same", (s) => s.list.splice(1, 1, 1)],
	["sort of the sorted", (s) => s.people.sort((a, b) => a.age - b.age)],
	["fill by the same", (s) => s.list.fill(3, 0, 1)],
	["copyWithin onto itself", (s) => s.list.copyWithin(0, 0)],
	["map set of the same", (s) => s.scores.set("a", 1)],
	["map set of the same object", (s) => s.map.set("k", s.map.get("k")!)],
	["map delete of nothing", (s) => s.scores.delete("z")],
	["set add of a member", (s) => s.set.add("x")],
	["set add of a member by proxy", (s) => s.set.add([...s.set][1])],
	["set delete of nothing", (s) => s.set.delete("z")],
	["date setTime of the same", (s) => s.date.setTime(s.date.getTime())],
	["typed array same index", (s) => (s.bytes[0] = 1)],
	["typed array same after coercion", (s) => (s.bytes[0] = 257)],
	["typed array out of range", (s) => (s.bytes[99] = 1)],
	["typed array set of the same", (s) => s.bytes.set([2, 3], 1)],
	["typed array sort of the sorted", (s) => s.bytes.sort()],
	["typed array map", (s) => s.bytes.map((byte) => byte + 1)],
	["Buffer reads", (s) => [s.buffer.toString(), s.buffer.equals(s.buffer), s.buffer.readUInt8(0)]],
	["Buffer write of the same", (s) => s.buffer.writeUInt8(1, 0)],
	["same error message", (s) => (s.error.message = "first")],
	["JSON.stringify", (s) => JSON.stringify({ ...s, big: 0, bigs: 0, error: 0 })],
	["Object.keys, values and entries", (s) => [Object.keys(s), Object.values(s), Object.entries(s)]],
	["in and hasOwn", (s) => ["count" in s, Object.hasOwn(s, "count")]],
	[
		"array reads",
		(s) => [s.list.map(String), s.list.includes(1), s.list.indexOf(1), s.list.join()],
	],
	[
		"array copies",
		(s) => [s.list.toSorted(), s.list.slice(), s.list.concat([1]), s.list.with(0, 9)],
	],
	["map reads", (s) => [s.map.get("k"), s.map.has("k"), s.map.size, [...s.map]]],
	["set reads", (s) => [s.set.has("x"), s.set.size, [...s.set], s.set.union(new Set([1]))]],
	["date reads", (s) => [s.date.getTime(), s.date.toISOString(), +s.date, `${s.date}`]],
	["typed array reads", (s) => [s.bytes[0], s.bytes.length, s.bytes.slice(), [...s.bytes]]],
	["regexp use", (s) => s.pattern.exec("axa")],
];

describe("one change is reported for", () => {
	it.each(oneChange)("%s", (_what, act) => {
		expect(track(sample()).changesOf(act)).toBe(1);
	});
});

describe("no change is reported for", () => {
	it.each(noChange)("%s", (_what, act) => {
		expect(track(sample()).changesOf(act)).toBe(0);
	});
});

describe("an emptied container has nothing to lose", () => {
	it.each<Case>([
		["pop", (s) => s.list.pop()],
		["shift", (s) => s.list.shift()],
		["reverse", (s) => s.list.reverse()],
		["map clear", (s) => s.map.clear()],
		["set clear", (s) => s.set.clear()],
	])("%s", (_what, act) => {
		const tracked = track({ ...sample(), list: [], map: new Map(), set: new Set() });
		expect(tracked.changesOf(act as never)).toBe(0);
	});
});

describe("the change is visible when it is reported", () => {
	it.each(oneChange)("%s", (_what, act) => {
		const expected = sample();
		act(expected);
		const seen: unknown[] = [];
		const raw = sample();
		act(track(raw, { onChange: () => seen.push(encodeCbor(raw)) }).state);
		expect(seen).toEqual([encodeCbor(expected)]);
	});
});

describe("the root", () => {
	it("counts as one change when it is replaced", () => {
		const tracked = track<{ a: number }>({ a: 1 });
		tracked.replace({ a: 1 });
		expect(tracked.changes).toBe(1);
		tracked.state.a = 2;
		expect(tracked.changes).toBe(2);
	});

	it("is not changed by replacing it with itself, by proxy or raw", () => {
		const raw = { a: 1 };
		const tracked = track(raw);
		tracked.replace(tracked.value);
		tracked.replace(raw);
		expect(tracked.changes).toBe(0);
	});

	it("may be a primitive", () => {
		const tracked = track<unknown>(5);
		expect(tracked.value).toBe(5);
		tracked.replace(5);
		expect(tracked.changes).toBe(0);
		tracked.replace("x");
		tracked.replace(undefined);
		expect(tracked.changes).toBe(2);
		expect(tracked.value).toBeUndefined();
	});

	it.each([
		["an array", [1], (root: never) => (root as number[]).push(2)],
		["a map", new Map(), (root: never) => (root as Map<number, number>).set(1, 1)],
		["a set", new Set(), (root: never) => (root as Set<number>).add(1)],
		["a date", new Date(0), (root: never) => (root as Date).setTime(1)],
		["bytes", new Uint8Array(1), (root: never) => (root as Uint8Array).fill(1)],
	])("may be %s", (_what, raw, act) => {
		expect(track(raw).changesOf(act as never)).toBe(1);
	});

	it("is adopted without counting by reset", () => {
		const tracked = track<{ a: number }>({ a: 1 });
		tracked.reset({ a: 2 });
		expect(tracked.changes).toBe(0);
		expect(tracked.state.a).toBe(2);
		tracked.state.a = 3;
		expect(tracked.changes).toBe(1);
	});
});

describe("beforeWrite", () => {
	it.each(oneChange)("refuses %s, and nothing changes", (_what, act) => {
		const tracked = track(sample(), {
			beforeWrite: () => {
				throw new Error("stopping");
			},
		});
		expect(() => act(tracked.state)).toThrow("stopping");
		expect(tracked.changes).toBe(0);
		expect(tracked.raw).toEqual(sample());
	});

	it("refuses replacing the root", () => {
		const tracked = track(1, {
			beforeWrite: () => {
				throw new Error("stopping");
			},
		});
		expect(() => tracked.replace(2)).toThrow("stopping");
		expect(tracked.value).toBe(1);
	});
});

describe("where something changed", () => {
	const scene = () => ({
		n: 1,
		deep: { list: [{ name: "a" }, { name: "b" }] },
		map: new Map<string, { n: number }>([["k", { n: 1 }]]),
		set: new Set(["x"]),
		when: new Date(0),
		bytes: new Uint8Array(2),
	});

	it.each<[string, (state: ReturnType<typeof scene>) => unknown]>([
		["state.n", (s) => s.n++],
		["state.extra", (s) => Object.assign(s, { extra: 1 })],
		["state.when", (s) => s.when.setFullYear(1999)],
		["state.bytes", (s) => s.bytes.set([7], 1)],
		["state.deep.list", (s) => s.deep.list.push({ name: "c" })],
		["state.deep.list[1]", (s) => Reflect.set(s.deep.list, 1, { name: "z" })],
		["state.deep.list[1].name", (s) => Reflect.set(s.deep.list[1]!, "name", "z")],
		["state.deep", (s) => Reflect.deleteProperty(s, "deep")],
		["state.map.value(new)", (s) => s.map.set("new", { n: 2 })],
		["state.map.value(k)", (s) => s.map.delete("k")],
		["state.map.value(k).n", (s) => Reflect.set(s.map.get("k")!, "n", 5)],
		["state.map", (s) => s.map.clear()],
		["state.set", (s) => s.set.add("y")],
	])("is told: %s", (path, act) => {
		const told: (string | undefined)[] = [];
		const tracked = track(scene(), { onChange: (holder, at) => told.push(holder?.pathTo(at)) });
		act(tracked.state);
		expect(told).toEqual([path]);
	});

	it("is the root when that is replaced", () => {
		const told: unknown[] = [];
		const tracked = track<unknown>(scene(), { onChange: (holder) => told.push(holder) });
		tracked.replace(5);
		expect(told).toEqual([undefined]);
	});
});
