import { describe, expect, it } from "vitest";
import { track } from "./track.ts";

interface Item {
	n: number;
	child?: Item;
}

interface State {
	item?: Item;
	other?: unknown;
	list: Item[];
	map: Map<string, Item>;
	keyed: Map<Item, number>;
	set: Set<Item>;
	date?: Date;
	bytes?: Uint8Array;
}

function sample(): State {
	return {
		item: { n: 1, child: { n: 2 } },
		list: [{ n: 1 }, { n: 2 }, { n: 3 }],
		map: new Map([["k", { n: 1 }]]),
		keyed: new Map([[{ n: 1 }, 1]]),
		set: new Set([{ n: 1 }]),
		date: new Date(0),
		bytes: new Uint8Array(4),
	};
}

describe("a part that was removed is plain data", () => {
	it.each<[how: string, remove: (state: State) => Item]>([
		[
			"delete",
			(s) => {
				const item = s.item!;
				delete s.item;
				return item;
			},
		],
		[
			"delete, its child",
			(s) => {
				const { child } = s.item!;
				delete s.item;
				return child!;
			},
		],
		[
			"delete, a child read later",
			(s) => {
				const item = s.item!;
				delete s.item;
				return item.child!;
			},
		],
		[
			"being overwritten",
			(s) => {
				const item = s.item!;
				s.item = { n: 9 };
				return item;
			},
		],
		["pop", (s) => s.list.pop()!],
		["shift", (s) => s.list.shift()!],
		["splice", (s) => s.list.splice(1, 1)[0]!],
		[
			"length",
			(s) => {
				const last = s.list[2]!;
				s.list.length = 1;
				return last;
			},
		],
		[
			"fill",
			(s) => {
				const last = s.list[2]!;
				s.list.fill({ n: 0 });
				return last;
			},
		],
		[
			"map delete",
			(s) => {
				const value = s.map.get("k")!;
				s.map.delete("k");
				return value;
			},
		],
		[
			"map set",
			(s) => {
				const value = s.map.get("k")!;
				s.map.set("k", { n: 9 });
				return value;
			},
		],
		[
			"map clear, a key",
			(s) => {
				const [key] = s.keyed.keys();
				s.keyed.clear();
				return key!;
			},
		],
		[
			"set delete",
			(s) => {
				const [member] = s.set;
				s.set.delete(member!);
				return member!;
			},
		],
	])("by %s", (_how, remove) => {
		const tracked = track(sample());
		const removed = remove(tracked.state);
		expect(tracked.changesOf(() => removed.n++)).toBe(0);
		expect(tracked.changesOf(() => Object.assign(removed, { anything: () => 1 }))).toBe(0);
		expect(removed).toMatchObject({ n: expect.any(Number), anything: expect.any(Function) });
	});

	it("also a date and bytes", () => {
		const tracked = track(sample());
		const { date, bytes } = tracked.state;
		const view = bytes!.subarray(1);
		delete tracked.state.date;
		delete tracked.state.bytes;
		expect(
			tracked.changesOf(() => {
				date!.setTime(Number.NaN);
				bytes!.fill(1);
				view[0] = 7;
			}),
		).toBe(0);
		expect([date!.getTime(), bytes![1]]).toEqual([Number.NaN, 7]);
	});

	it("when the root is replaced or reset", () => {
		const tracked = track(sample());
		const old = tracked.state;
		const oldItem = old.item!;
		tracked.replace(sample());
		expect(tracked.changesOf(() => Object.assign(oldItem, { n: 9 }))).toBe(0);
		expect(tracked.changesOf(() => Object.assign(old, { other: 9 }))).toBe(0);
		const replaced = tracked.state;
		tracked.reset(sample());
		expect(tracked.changesOf(() => Object.assign(replaced, { other: 9 }))).toBe(0);
		expect(tracked.raw).toEqual(sample());
	});

	it("is not protected by beforeWrite", () => {
		let isStopping = false;
		const tracked = track(sample(), {
			beforeWrite: () => {
				if (isStopping) throw new Error("stopping");
			},
		});
		const last = tracked.state.list.pop()!;
		isStopping = true;
		last.n = 9;
		expect(last.n).toBe(9);
		expect(() => tracked.state.list.pop()).toThrow("stopping");
	});
});

describe("a part that is still there stays tracked", () => {
	it("after its neighbours moved it", () => {
		const tracked = track(sample());
		const last = tracked.state.list[2]!;
		tracked.state.list.shift();
		expect(tracked.changesOf(() => last.n++)).toBe(1);
		tracked.state.list.unshift({ n: 7 }, { n: 8 });
		expect(tracked.changesOf(() => last.n++)).toBe(1);
		tracked.state.list.reverse();
		expect(tracked.changesOf(() => last.n++)).toBe(1);
		tracked.state.list.sort((a, b) => a.n - b.n);
		expect(tracked.changesOf(() => last.n++)).toBe(1);
	});

	it("after it was renamed", () => {
		const tracked = track(sample());
		const { item } = tracked.state;
		tracked.state.other = item;
		delete tracked.state.item;
		expect(tracked.changesOf(() => item!.n++)).toBe(1);
		expect(tracked.changesOf(() => item!.child!.n++)).toBe(1);
	});

	it("while one of its places remains", () => {
		const tracked = track(sample());
		const shared = tracked.state.list[0]!;
		tracked.state.map.set("shared", shared);
		tracked.state.other = { deep: [new Set([shared])] };
		tracked.state.list.shift();
		expect(tracked.changesOf(() => shared.n++)).toBe(1);
		tracked.state.map.clear();
		expect(tracked.changesOf(() => shared.n++)).toBe(1);
		delete tracked.state.other;
		expect(tracked.changesOf(() => shared.n++)).toBe(0);
	});

	it("when the same raw object was put in twice", () => {
		const tracked = track(sample());
		const raw = { n: 5 };
		tracked.state.item = raw;
		tracked.state.list.push(raw);
		const held = tracked.state.item!;
		delete tracked.state.item;
		expect(tracked.changesOf(() => held.n++)).toBe(1);
		tracked.state.list.pop();
		expect(tracked.changesOf(() => held.n++)).toBe(0);
	});

	it("when its part becomes the root, or the root becomes a part", () => {
		const tracked = track<unknown>(sample());
		const { item } = tracked.value as State;
		tracked.replace(item);
		expect(tracked.value).toBe(item);
		expect(tracked.changesOf(() => item!.child!.n++)).toBe(1);
		const root = tracked.value;
		tracked.replace({ inner: root });
		expect((tracked.value as { inner: unknown }).inner).toBe(root);
		expect(tracked.changesOf(() => item!.child!.n++)).toBe(1);
	});
});

describe("a part that is put in again", () => {
	it("is tracked again, under the same proxy", () => {
		const tracked = track(sample());
		const removed = tracked.state.list.pop()!;
		removed.n = 10;
		tracked.state.list.unshift(removed);
		expect(tracked.changesOf(() => removed.n++)).toBe(1);
		expect(tracked.state.list[0]).toBe(removed);
		const again = tracked.state.list.shift()!;
		expect(again).toBe(removed);
		expect(tracked.changesOf(() => again.n++)).toBe(0);
		tracked.state.map.set("again", again);
		expect(tracked.changesOf(() => again.n++)).toBe(1);
	});

	it("is checked again", () => {
		const tracked = track(sample());
		const removed = tracked.state.list.pop()!;
		Object.assign(removed, { bad: () => 1 });
		expect(() => tracked.state.list.push(removed)).toThrow("state.list[2].bad");
	});
});

describe("searching for a part whose place is unknown", () => {
	it("is bounded, and counts what it did not find as attached", () => {
		const tracked = track({
			...sample(),
			other: Array.from({ length: 5_000 }, (_, n) => ({ n })),
		});
		const removed = tracked.state.list.pop()!;
		expect(tracked.changesOf(() => removed.n++)).toBe(1);
	});

	it("is not repeated until something is put in", () => {
		let reads = 0;
		const counting = new Proxy({ n: 1 } as Item, {
			ownKeys: (target) => {
				reads++;
				return Reflect.ownKeys(target);
			},
		});
		const tracked = track({ ...sample(), other: counting });
		const removed = tracked.state.list.pop()!;
		removed.n++;
		const afterFirst = reads;
		for (let round = 0; round < 10; round++) removed.n++;
		expect(reads).toBe(afterFirst);
		tracked.state.item = { n: 1 };
		removed.n++;
		expect(reads).toBeGreaterThan(afterFirst);
	});
});

describe("two trees", () => {
	it("do not share objects: a part of one is copied into the other", () => {
		const state = track<{ profile: { tags: string[]; at: Date } }>({
			profile: { tags: ["a"], at: new Date(5) },
		});
		const conn = track<{ profile?: { tags: string[]; at: Date } }>({}, { rootPath: "conn.state" });
		conn.state.profile = state.state.profile;
		expect(conn.raw).toEqual(state.raw);
		expect(state.changesOf(() => state.state.profile.tags.push("b"))).toBe(1);
		expect(conn.state.profile.tags).toEqual(["a"]);
		expect(conn.changesOf(() => conn.state.profile!.at.setTime(6))).toBe(1);
		expect(state.state.profile.at.getTime()).toBe(5);
		conn.replace({ profile: { tags: state.state.profile.tags, at: state.state.profile.at } });
		expect(state.changesOf(() => conn.state.profile!.tags.pop())).toBe(0);
		expect(state.state.profile.tags).toEqual(["a", "b"]);
	});
});
