import { inspect } from "node:util";
import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { untracked } from "../../src/runtime/state/index.ts";
import { nodeOf } from "../../src/runtime/state/node-of.ts";
import { track } from "./track.ts";

/** How a value is printed; Node 26 says of a proxy that it is one. */
function printed(value: unknown): string {
	const text = inspect(value, { depth: 9, breakLength: Number.POSITIVE_INFINITY });
	return /^Proxy\((.*)\)$/s.exec(text)?.[1] ?? text;
}

class Account {
	balance = 1;
	history: number[] = [];
	get isRich(): boolean {
		return this.balance > 10;
	}
	set total(value: number) {
		this.balance = value;
	}
	deposit(amount: number): void {
		this.balance += amount;
		this.history.push(amount);
	}
}

describe("a proxy has a stable identity", () => {
	const tracked = track({
		a: { b: {} },
		list: [{}],
		map: new Map([["k", {}]]),
		set: new Set([{}]),
		date: new Date(),
		bytes: new Uint8Array(1),
	});
	const { state } = tracked;

	it.each<[what: string, read: () => unknown]>([
		["the root", () => tracked.value],
		["a property", () => state.a],
		["a deep property", () => state.a.b],
		["a member", () => state.list[0]],
		["a member by iteration", () => [...state.list][0]],
		["a map value", () => state.map.get("k")],
		["a set member", () => [...state.set][0]],
		["a date", () => state.date],
		["bytes", () => state.bytes],
		["a method", () => state.list.push],
		["a map method", () => state.map.set],
		["a bytes method", () => state.bytes.fill],
	])("%s", (_what, read) => {
		expect(read()).toBe(read());
	});

	it("however it is reached", () => {
		expect(state.list.at(0)).toBe(state.list[0]);
		expect(state.list.find(() => true)).toBe(state.list[0]);
		expect([...state.map.values()][0]).toBe(state.map.get("k"));
		expect(Object.values(state)[0]).toBe(state.a);
		expect(Object.getOwnPropertyDescriptor(state, "a")!.value).toBe(state.a);
		expect({ ...state }.a).toBe(state.a);
	});
});

describe("objects and arrays behave like plain ones", () => {
	const sample = () => ({ n: 1, list: [{ id: 1 }, { id: 2 }, { id: 3 }], words: ["b", "a"] });
	const reads: [what: string, read: (state: ReturnType<typeof sample>) => unknown][] = [
		["keys", (s) => Object.keys(s)],
		["entries", (s) => Object.entries(s)],
		["spread", (s) => ({ ...s })],
		["destructuring", ({ n, ...rest }) => [n, rest]],
		["in", (s) => ["n" in s, "x" in s]],
		["hasOwn", (s) => Object.hasOwn(s, "n")],
		[
			"for in",
			(s) => {
				const keys = [];
				for (const key in s) keys.push(key);
				return keys;
			},
		],
		["a missing property", (s) => Reflect.get(s, "missing") as unknown],
		["an inherited method", (s) => s.toString()],
		["JSON", (s) => JSON.stringify(s)],
		["JSON with a replacer", (s) => JSON.stringify({ in: s }, (_k, v: unknown) => v, 1)],
		["Array.isArray", (s) => [Array.isArray(s.list), Array.isArray(s)]],
		["length", (s) => s.list.length],
		["map", (s) => s.list.map(({ id }, index, all) => [id, index, all.length])],
		[
			"forEach",
			(s) => {
				const ids: number[] = [];
				s.list.forEach(({ id }) => {
					ids.push(id);
				});
				return ids;
			},
		],
		["filter", (s) => s.list.filter(({ id }) => id > 1)],
		[
			"find and its like",
			(s) => [
				s.list.find(({ id }) => id > 1),
				s.list.findLast(({ id }) => id < 3),
				s.list.find(() => false),
				s.list.findIndex(({ id }) => id === 2),
				s.list.findLastIndex(({ id }) => id === 2),
			],
		],
		["some, every", (s) => [s.list.some(({ id }) => id === 2), s.list.every(({ id }) => id === 2)]],
		[
			"reduce",
			(s) => [s.list.reduce((sum, { id }) => sum + id, 0), s.words.reduce((a, b) => a + b)],
		],
		[
			"reduceRight",
			(s) => [
				s.list.reduceRight((sum, { id }) => `${sum}${id}`, ""),
				s.words.reduceRight((a, b) => a + b),
			],
		],
		["reduce without a start", (s) => s.list.reduce((last) => last)],
		["flatMap", (s) => s.list.flatMap((item) => [item, item.id])],
		["flat", (s) => [s.list, [s.words]].flat(2)],
		["slice", (s) => [s.list.slice(), s.list.slice(1), s.list.slice(-2, -1), s.list.slice(9)]],
		["concat", (s) => [s.list.concat([{ id: 4 }]), ([] as unknown[]).concat(s.list, s.n)]],
		[
			"copies",
			(s) => [
				s.words.toSorted(),
				s.list.toReversed(),
				s.list.toSpliced(0, 1),
				s.words.with(0, "z"),
			],
		],
		["join", (s) => [s.words.join("-"), String(s.words)]],
		[
			"iterators",
			(s) => [[...s.list], [...s.list.entries()], [...s.list.keys()], [...s.list.values()]],
		],
		["Array.from", (s) => Array.from(s.list, ({ id }) => id)],
		["destructured array", ({ list: [first, ...rest] }) => [first, rest]],
		["at", (s) => [s.list.at(-1), s.list.at(9)]],
		[
			"prototype",
			(s) => [
				Object.getPrototypeOf(s) === Object.prototype,
				Object.getPrototypeOf(s.list) === Array.prototype,
				s.constructor === Object,
			],
		],
		[
			"typeof and tag",
			(s) => [typeof s, Object.prototype.toString.call(s), Object.prototype.toString.call(s.list)],
		],
	];

	it.each(reads)("%s", (_what, read) => {
		const tracked = track(sample());
		expect(read(tracked.state)).toEqual(read(sample()));
		expect(tracked.changes).toBe(0);
	});

	it("print as what they hold", () => {
		expect(printed(track(sample()).state)).toBe(printed(sample()));
	});

	it("find a member by its proxy and by its raw object", () => {
		const raw = { id: 4 };
		const { state } = track(sample());
		const second = state.list[1]!;
		expect([
			state.list.includes(second),
			state.list.indexOf(second),
			state.list.lastIndexOf(second),
		]).toEqual([true, 1, 1]);
		expect([state.list.indexOf(second, 2), state.list.includes({ id: 2 })]).toEqual([-1, false]);
		state.list.push(raw);
		expect([state.list.includes(raw), state.list.indexOf(raw)]).toEqual([true, 3]);
	});

	it("give callbacks the proxy of the array, and this", () => {
		const { state } = track(sample());
		const self = {};
		state.list.forEach(function (this: unknown, _item, _index, all) {
			expect(all).toBe(state.list);
			expect(this).toBe(self);
		}, self);
		expect(state.list.reduce((_sum, _item, _index, all) => all, [] as unknown[])).toBe(state.list);
		expect(() => state.list.map(undefined as never)).toThrow(TypeError);
		expect(() => state.list.filter(undefined as never)).toThrow(TypeError);
		expect(() => state.list.find(undefined as never)).toThrow(TypeError);
	});

	it("return what mutators return", () => {
		const { state } = track(sample());
		expect(state.list.push({ id: 4 })).toBe(4);
		expect(state.list.sort((a, b) => b.id - a.id)).toBe(state.list);
		expect(state.list.reverse()).toBe(state.list);
		expect(state.words.fill("x")).toBe(state.words);
		expect(state.list.splice(1, 2)).toEqual([{ id: 2 }, { id: 3 }]);
		expect(state.list.shift()).toEqual({ id: 1 });
		expect(track({ rows: [[1], [2]] }).state.rows.pop()).toEqual([2]);
	});

	it("take nested proxies as the objects they stand for", () => {
		const tracked = track<Record<string, unknown>>({ part: { n: 1 }, list: [{ n: 2 }] });
		const { state } = tracked;
		const { part, list } = state as { part: object; list: object[] };
		state.copy = { part, list: list.filter(() => true), map: new Map([["k", part]]) };
		state.keys = new Map<unknown, unknown>([
			[1, 1],
			[part, 2],
			[3, 3],
		]);
		state.members = new Set([0, part, 2]);
		const hasProxies = (value: unknown): boolean => {
			if (typeof value !== "object" || value === null) return false;
			if (nodeOf(value) !== undefined) return true;
			const members =
				value instanceof Map
					? [...value].flat()
					: value instanceof Set
						? [...value]
						: Object.values(value);
			return members.some(hasProxies);
		};
		expect(hasProxies(tracked.raw)).toBe(false);
		expect([...(state.keys as Map<unknown, unknown>).values()]).toEqual([1, 2, 3]);
		expect([...(state.members as Set<unknown>)]).toEqual([0, part, 2]);
		expect((state.copy as { part: unknown }).part).toBe(part);
	});

	it("may be a prototype, whose heirs stay apart", () => {
		const tracked = track(sample());
		const heir = Object.create(tracked.state) as ReturnType<typeof sample>;
		heir.n = 5;
		expect([heir.n, tracked.state.n, tracked.changes]).toEqual([5, 1, 0]);
		tracked.state.words = ["c"];
		expect(heir.words).toEqual(["c"]);
	});
});

describe("maps and sets behave like plain ones", () => {
	it("find members by proxy and by raw object", () => {
		const rawKey = { id: 1 };
		const tracked = track({ map: new Map([[rawKey, { n: 1 }]]), set: new Set([rawKey]) });
		const { map, set } = tracked.state;
		const [key] = map.keys();
		expect([map.has(key!), map.has(rawKey), map.get(key!) === map.get(rawKey)]).toEqual([
			true,
			true,
			true,
		]);
		expect([set.has(key!), set.has(rawKey), set.has({ id: 1 })]).toEqual([true, true, false]);
		expect(map.delete(key!)).toBe(true);
		expect(set.delete(key!)).toBe(true);
		expect([map.size, set.size]).toEqual([0, 0]);
	});

	it("in everything that reads", () => {
		const read = ({ map, set }: { map: Map<string, number>; set: Set<number> }): unknown[] => {
			const visited: unknown[] = [];
			map.forEach((value, key) => {
				visited.push(key, value);
			});
			set.forEach((value, again) => {
				visited.push(value, again);
			});
			return [
				visited,
				[...map],
				[...map.keys()],
				[...map.values()],
				[...map.entries()],
				map.size,
				map.get("a"),
				map.has("z"),
				[...set],
				[...set.entries()],
				[...set.keys()],
				set.size,
				set.has(1),
				[...set.union(new Set([9]))],
				[...set.intersection(new Set([1]))],
				[...set.difference(new Set([1]))],
				[...set.symmetricDifference(new Set([1, 9]))],
				set.isSubsetOf(new Set([1, 2, 3])),
				set.isSupersetOf(new Set([1])),
				set.isDisjointFrom(new Set([9])),
				map instanceof Map,
				set instanceof Set,
				Object.prototype.toString.call(map),
				`${set}`,
				[...new Map(map)],
				[...new Set(set)],
				Object.fromEntries(map),
				printed(map),
				printed(set),
			];
		};
		const make = () => ({
			map: new Map([
				["a", 1],
				["b", 2],
			]),
			set: new Set([1, 2]),
		});
		expect(read(track(make()).state)).toEqual(read(make()));
	});

	it("in what set, add and forEach hand out", () => {
		const { state } = track({ map: new Map([["a", 1]]), set: new Set([1]) });
		expect(state.map.set("b", 2)).toBe(state.map);
		expect(state.set.add(2)).toBe(state.set);
		const seen: unknown[] = [];
		state.map.forEach((_value, _key, map) => {
			seen[0] = map;
		});
		state.set.forEach((_value, _key, set) => {
			seen[1] = set;
		});
		expect(seen[0]).toBe(state.map);
		expect(seen[1]).toBe(state.set);
		expect(state.map.get.call(new Map([["a", 5]]), "a")).toBe(5);
	});

	it("with the methods that the engine has", () => {
		const tracked = track({ map: new Map([["a", { n: 1 }]]) });
		type Upsert = (key: string, value: unknown) => { n: number };
		const { map } = tracked.state as unknown as {
			map: Map<string, { n: number }> & { getOrInsert: Upsert; getOrInsertComputed: Upsert };
		};
		expect("getOrInsert" in map).toBe("getOrInsert" in Map.prototype);
		if (!("getOrInsert" in Map.prototype)) return;
		expect(tracked.changesOf(() => map.getOrInsert("a", { n: 5 }).n++)).toBe(1);
		expect(tracked.changesOf(() => map.getOrInsert("b", { n: 5 }))).toBe(1);
		expect(tracked.changesOf(() => map.getOrInsertComputed("c", () => ({ n: 6 })))).toBe(1);
		expect(() => map.getOrInsert("d", Number.NaN)).toThrow("state.map.value(d)");
		expect([...map.values()].map(({ n }) => n)).toEqual([2, 5, 6]);
	});

	it("and keep their members while they are changed during iteration", () => {
		const { state } = track({ set: new Set([1]) });
		for (const member of state.set) if (member < 5) state.set.add(member + 1);
		expect([...state.set]).toEqual([1, 2, 3, 4, 5]);
	});
});

describe("dates, bytes, errors and regular expressions behave like plain ones", () => {
	const time = Date.UTC(2026, 1, 3, 4, 5, 6, 789);

	it("dates", () => {
		const { date } = track({ date: new Date(time) }).state;
		expect(new Date(date).getTime()).toBe(time);
		expect(new Date(+date).getTime()).toBe(time);
		expect(date.getTime()).toBe(time);
		expect(date.toISOString()).toBe(new Date(time).toISOString());
		expect(`${date}`).toBe(`${new Date(time)}`);
		expect(JSON.stringify({ date })).toBe(JSON.stringify({ date: new Date(time) }));
		expect(date < new Date(time + 1)).toBe(true);
		expect(Number(date) - time).toBe(0);
		expect(new Intl.DateTimeFormat("en", { timeZone: "UTC" }).format(date)).toBe("2/3/2026");
		expect([date instanceof Date, Object.prototype.toString.call(date)]).toEqual([
			true,
			"[object Date]",
		]);
		expect(date).toEqual(new Date(time));
		expect(date.setTime(5)).toBe(5);
	});

	it("bytes", () => {
		const { bytes } = track({ bytes: new Uint8Array([1, 2, 3]) }).state;
		expect([...bytes]).toEqual([1, 2, 3]);
		expect([bytes.length, bytes.byteLength, bytes.byteOffset, bytes[1], bytes[9]]).toEqual([
			3,
			3,
			0,
			2,
			undefined,
		]);
		expect(bytes.slice(1)).toEqual(new Uint8Array([2, 3]));
		expect(bytes.map((byte) => byte * 2)).toEqual(new Uint8Array([2, 4, 6]));
		expect(bytes.fill(7, 2)).toBe(bytes);
		expect([...bytes.subarray(1)]).toEqual([2, 7]);
		expect(Buffer.from(bytes)).toEqual(Buffer.from([1, 2, 7]));
		expect(new Uint8Array(bytes)).toEqual(new Uint8Array([1, 2, 7]));
		expect(bytes instanceof Uint8Array).toBe(true);
		expect(() => structuredClone(bytes)).toThrow();
		expect(new TextDecoder().decode(bytes.slice(0, 0))).toBe("");
		bytes.forEach((_byte, index, all) => {
			all[index] = 0;
		});
		expect([...bytes]).toEqual([0, 0, 0]);
		expect(bytes.indexOf(0)).toBe(0);
		const target = new Uint8Array(3);
		target.set(bytes);
		expect(target).toEqual(new Uint8Array(3));
	});

	it("bytes are what native code takes once they are copied", () => {
		const { state } = track({ bytes: new Uint8Array([104, 105]), buffer: Buffer.from("hi") });
		const copies = [
			state.bytes.slice(),
			new Uint8Array(state.bytes),
			Uint8Array.from(state.bytes),
			new Uint8Array(state.buffer),
			Buffer.from(state.buffer),
		];
		for (const copy of copies) {
			expect(ArrayBuffer.isView(copy)).toBe(true);
			expect(new TextDecoder().decode(copy)).toBe("hi");
			copy[0] = 0;
		}
		expect(`${state.buffer}${[...state.bytes]}`).toBe("hi104,105");
	});

	it("bytes refuse to be copied into behind the proxy's back", () => {
		const tracked = track({ a: Buffer.from([1, 2]), b: Buffer.alloc(2) });
		expect(() => tracked.state.a.copy(tracked.state.b)).toThrow(TypeError);
		expect(tracked.state.a.copy(Buffer.alloc(2))).toBe(2);
	});

	it("bytes given to bytes", () => {
		const tracked = track({ a: new Uint8Array([1, 2]), b: new Uint8Array(2) });
		tracked.state.b.set(tracked.state.a);
		expect(tracked.raw).toEqual({ a: new Uint8Array([1, 2]), b: new Uint8Array([1, 2]) });
	});

	it("errors", () => {
		const { error } = track({ error: new TypeError("wrong") }).state;
		expect([error instanceof TypeError, error.name, error.message, `${error}`]).toEqual([
			true,
			"TypeError",
			"wrong",
			"TypeError: wrong",
		]);
		expect(Object.prototype.toString.call(error)).toBe("[object Error]");
		expect(error.stack).toContain("wrong");
	});

	it("regular expressions, which are not proxies", () => {
		const { pattern } = track({ pattern: /b+/g }).state;
		expect("abbc".replace(pattern, "-")).toBe("a-c");
		expect(pattern.test("b")).toBe(true);
	});
});

describe("instances of user classes", () => {
	it("run their methods and accessors on the tracked object", () => {
		const tracked = track({ account: new Account() });
		const { account } = tracked.state;
		expect(tracked.changesOf(() => account.deposit(5))).toBe(2);
		expect(tracked.changesOf(() => (account.total = 50))).toBe(1);
		expect([account.isRich, account.balance, account.history]).toEqual([true, 50, [5]]);
		expect(account instanceof Account).toBe(true);
		expect(() => Object.assign(account, { isRich: false })).toThrow(TypeError);
	});

	it("own what they inherit only when it is written", () => {
		class Base {
			declare level: number;
		}
		Base.prototype.level = 1;
		const tracked = track({ base: new Base() });
		expect(tracked.changesOf((s) => (s.base.level = 1))).toBe(1);
		expect(Object.keys(tracked.state.base)).toEqual(["level"]);
	});

	it("do not track what a prototype holds", () => {
		class Base {
			declare shared: { n: number };
		}
		Base.prototype.shared = { n: 1 };
		const tracked = track({ base: new Base() });
		expect(tracked.changesOf((s) => s.base.shared.n++)).toBe(0);
	});
});

describe("__proto__ is an ordinary property", () => {
	it("when it is assigned, read and deleted", () => {
		const tracked = track<Record<string, { n?: number }>>({});
		const { state } = tracked;
		const name = "__proto__";
		expect(state[name]).toBeUndefined();
		expect(tracked.changesOf(() => (state[name] = { n: 1 }))).toBe(1);
		expect(Object.getPrototypeOf(tracked.raw)).toBe(Object.prototype);
		expect(Object.keys(state)).toEqual([name]);
		expect(tracked.changesOf(() => (state[name]!.n = 2))).toBe(1);
		expect(({} as { n?: number }).n).toBeUndefined();
		expect(tracked.changesOf(() => delete state[name])).toBe(1);
		expect(state[name]).toBeUndefined();
	});

	it("when it comes from JSON", () => {
		const tracked = track<Record<string, unknown>>({});
		tracked.state.config = JSON.parse('{"__proto__":{"admin":true}}');
		const config = tracked.state.config as Record<string, { admin: boolean }>;
		const name = "__proto__";
		expect(config[name]!.admin).toBe(true);
		expect((config as unknown as { admin?: boolean }).admin).toBeUndefined();
		expect(tracked.changesOf(() => (config[name]!.admin = false))).toBe(1);
	});

	it("and the prototype of a tracked object cannot be changed", () => {
		const { state } = track<object>({});
		expect(() => Object.setPrototypeOf(state, { evil: 1 })).toThrow(TypeError);
		expect(Object.setPrototypeOf(state, Object.prototype)).toBe(state);
	});
});

describe("frozen objects", () => {
	it("refuse writes, and what they hold is tracked", () => {
		const tracked = track<Record<string, unknown>>({});
		tracked.state.config = Object.freeze({
			name: "a",
			list: [1],
			inner: Object.freeze([{ n: 1 }]),
			at: new Date(0),
		});
		const config = tracked.state.config as {
			name: string;
			list: number[];
			inner: { n: number }[];
			at: Date;
		};
		expect(() => {
			config.name = "b";
		}).toThrow(TypeError);
		expect(() => config.inner.push({ n: 2 })).toThrow(TypeError);
		expect(() => Reflect.deleteProperty(config, "name") || expect.unreachable()).toThrow();
		expect(tracked.changesOf(() => config.list.push(2))).toBe(1);
		expect(tracked.changesOf(() => config.inner[0]!.n++)).toBe(1);
		expect(tracked.changesOf(() => config.at.setTime(1))).toBe(1);
		expect(config.list).toBe(config.list);
		expect([Object.keys(config), Array.isArray(config.inner), config.inner.length]).toEqual([
			["name", "list", "inner", "at"],
			true,
			1,
		]);
		expect(printed(config)).toBe(printed((tracked.raw as { config: unknown }).config));
	});

	it("may hold proxies, as immutable updates make them", () => {
		const tracked = track<Record<string, unknown>>({ board: { cells: [{ n: 1 }], size: 1 } });
		const board = tracked.state.board as { cells: { n: number }[]; size: number };
		tracked.state.board = Object.freeze({ ...board, size: 2 });
		const next = tracked.state.board as typeof board;
		expect(tracked.changesOf(() => next.cells[0]!.n++)).toBe(1);
		expect(next.cells).toBe(board.cells);
		expect(decodeCbor(encodeCbor(tracked.raw))).toEqual({ board: { cells: [{ n: 2 }], size: 2 } });
		expect(next.cells.includes(board.cells[0]!)).toBe(true);
	});

	it("may be made of tracked ones, deeply", () => {
		const tracked = track<Record<string, unknown>>({ config: { list: [{ n: 1 }], name: "a" } });
		const config = tracked.state.config as { list: { n: number }[]; name: string };
		expect(tracked.changesOf(() => Object.freeze(config))).toBe(0);
		expect(Object.isFrozen(config)).toBe(true);
		expect(() => {
			config.name = "b";
		}).toThrow(TypeError);
		expect(tracked.changesOf(() => config.list[0]!.n++)).toBe(1);
		Object.freeze(config.list);
		expect(() => config.list.pop()).toThrow(TypeError);
		expect(tracked.changesOf(() => config.list[0]!.n++)).toBe(1);
		expect(config.list.indexOf(config.list[0]!)).toBe(0);
		expect(decodeCbor(encodeCbor(tracked.raw))).toEqual({
			config: { list: [{ n: 3 }], name: "a" },
		});
		expect(Object.freeze(config)).toBe(config);
	});

	it("cannot take bytes from the codec", () => {
		const tracked = track<Record<string, unknown>>({ part: { bytes: new Uint8Array(1) } });
		const part = tracked.state.part as { bytes: Uint8Array };
		expect(() => Object.freeze(part)).toThrow(TypeError);
		expect(Object.isFrozen(part)).toBe(false);
		expect(() => (tracked.state.next = Object.freeze({ bytes: part.bytes }))).toThrow(
			"state.next.bytes",
		);
		expect(() => (tracked.state.next = Object.freeze([part.bytes]))).toThrow("state.next[0]");
		expect(() =>
			Object.defineProperty(part, "bytes", { writable: false, configurable: false }),
		).toThrow(TypeError);
	});

	it("and sealed ones can still be written", () => {
		const tracked = track<Record<string, unknown>>({});
		tracked.state.sealed = Object.seal({ n: 1, list: [3, 1] });
		tracked.state.fixed = Object.preventExtensions([3, 1, 2]);
		const sealed = tracked.state.sealed as { n: number; list: number[] };
		const fixed = tracked.state.fixed as number[];
		expect(tracked.changesOf(() => sealed.n++)).toBe(1);
		expect(tracked.changesOf(() => sealed.list.sort())).toBe(1);
		expect(() => Object.assign(sealed, { more: 1 })).toThrow(TypeError);
		expect(tracked.changesOf(() => fixed.pop())).toBe(1);
		expect(tracked.changesOf(() => fixed.sort())).toBe(1);
		expect([sealed, fixed, Object.keys(fixed)]).toEqual([
			{ n: 2, list: [1, 3] },
			[1, 3],
			["0", "1"],
		]);
		expect(printed(fixed)).toBe("[ 1, 3 ]");
	});

	it("single read-only properties", () => {
		const tracked = track<Record<string, unknown>>({ part: { n: 1 } });
		const part = tracked.state.part as { n: number };
		Object.defineProperty(tracked.state, "part", { writable: false, configurable: false });
		expect(tracked.state.part).toBe(part);
		expect(tracked.changesOf(() => part.n++)).toBe(1);
		expect(() => {
			tracked.state.part = 1;
		}).toThrow(TypeError);
		expect(
			tracked.changesOf((s) =>
				Object.defineProperty(s, "fixed", { value: { n: 1 }, enumerable: true }),
			),
		).toBe(1);
		expect(tracked.changesOf((s) => (s.fixed as { n: number }).n++)).toBe(1);
		const fixed = { value: { n: 1 }, writable: false, configurable: false };
		expect(() => Object.defineProperty(tracked.state, "worse", fixed)).toThrow(TypeError);
		expect(tracked.raw).not.toHaveProperty("worse");
	});
});

describe("untracked", () => {
	it("returns the raw object of a proxy, and everything without proxies as it is", () => {
		const tracked = track({ list: [1] });
		expect(untracked(tracked.value)).toBe(tracked.raw);
		for (const value of [
			1,
			"x",
			null,
			undefined,
			{ a: [new Map([[1, new Set([2])]])] },
			new Date(0),
			/x/,
		]) {
			expect(untracked(value)).toBe(value);
		}
	});

	it("copies only the containers that hold proxies", () => {
		const tracked = track({ list: [1], bytes: new Uint8Array(1), date: new Date(0) });
		const raw = tracked.raw as typeof tracked.state;
		class Result {
			list = tracked.state.list;
		}
		const { state } = tracked;
		const untouched = { deep: [1] };
		const result = untracked({
			untouched,
			a: [0, state.list],
			map: new Map<unknown, unknown>([
				[state.date, state.bytes],
				[1, 1],
			]),
			set: new Set([state.list]),
			instance: new Result(),
			["__proto__"]: state.list,
		}) as Record<string, unknown>;
		expect(result.untouched).toBe(untouched);
		expect((result.a as unknown[])[1]).toBe(raw.list);
		expect([...(result.map as Map<unknown, unknown>)][0]).toEqual([raw.date, raw.bytes]);
		expect(nodeOf([...(result.map as Map<unknown, unknown>).values()][0])).toBeUndefined();
		expect((result.set as Set<unknown>).has(raw.list)).toBe(true);
		expect((result.instance as { list: unknown }).list).toBe(raw.list);
		expect(Object.getOwnPropertyDescriptor(result, "__proto__")!.value).toBe(raw.list);
		expect(tracked.raw).toEqual({ list: [1], bytes: new Uint8Array(1), date: new Date(0) });
	});

	it("leaves cycles and bottomless values to the encoder", () => {
		const cyclic: { self?: unknown } = {};
		cyclic.self = cyclic;
		expect(untracked(cyclic)).toBe(cyclic);
		let deep: unknown = 1;
		for (let level = 0; level < 100_000; level++) deep = [deep];
		expect(untracked(deep)).toBe(deep);
	});
});
