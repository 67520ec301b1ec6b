import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type SlotItem, Slots, TICK_MAX } from "../../src/runtime/timers/slots.ts";

class Item implements SlotItem {
	tick: number;
	slot = -1;
	previous: SlotItem = this;
	next: SlotItem = this;
	readonly name: number;
	constructor(name: number, tick: number) {
		this.name = name;
		this.tick = tick;
	}
}

/** Distances that reach every level but never, added up, the last tick; most of them are near. */
const distance = fc.oneof(
	fc.nat(3),
	fc.nat(40),
	fc.nat(2_000),
	fc.nat(100_000),
	fc.nat(2 ** 31 - 1),
	fc.integer({ min: 0, max: 2 ** 33 }),
);

const step = fc.oneof(
	fc.record({ kind: fc.constant("add" as const), distance }),
	fc.record({ kind: fc.constant("add" as const), distance }),
	fc.record({ kind: fc.constant("remove" as const), index: fc.nat(20) }),
	fc.record({ kind: fc.constant("raise" as const), index: fc.nat(20), distance }),
	fc.record({ kind: fc.constant("skip" as const), distance }),
	fc.record({ kind: fc.constant("take" as const), distance }),
);

describe("slots of a timer wheel", () => {
	it("hand out what a sorted list does", () => {
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
				const slots = new Slots<Item>();
				const model: Item[] = [];
				/** Items whose tick was raised; their order among those of the same tick is free. */
				const raised = new Set<Item>();
				let limit = 0;
				for (const [name, each] of steps.entries()) {
					if (each.kind === "add") {
						const item = new Item(name, slots.now + each.distance);
						slots.add(item);
						model.push(item);
					} else if (each.kind === "remove" || each.kind === "raise") {
						const item = model[each.index];
						if (item === undefined) continue;
						if (each.kind === "remove") {
							slots.remove(item);
							model.splice(each.index, 1);
						} else {
							item.tick += each.distance;
							raised.add(item);
						}
					} else if (each.kind === "skip") {
						const firstTick = Math.min(...model.map(({ tick }) => tick));
						limit = slots.now + each.distance;
						slots.skipTo(limit);
						expect(slots.now).toBeLessThanOrEqual(Math.max(limit, 0));
						if (model.length > 0) expect(slots.now).toBeLessThanOrEqual(firstTick);
						else expect(slots.now).toBe(limit);
					} else {
						limit = slots.now + each.distance;
						const due = model
							.filter(({ tick }) => tick <= limit)
							.sort((a, b) => a.tick - b.tick || a.name - b.name);
						const taken: Item[] = [];
						for (let item = slots.take(limit); item; item = slots.take(limit)) {
							expect(slots.now).toBe(item.tick);
							taken.push(item);
						}
						expect(taken.map(({ tick }) => tick)).toEqual(due.map(({ tick }) => tick));
						const named = (items: Item[]): number[] =>
							items.filter((item) => !raised.has(item)).map(({ name }) => name);
						expect(named(taken)).toEqual(named(due));
						for (const item of due) model.splice(model.indexOf(item), 1);
						expect(slots.now).toBe(limit);
					}
					const next = slots.nextTick();
					if (model.length === 0) {
						expect(next).toBeUndefined();
					} else {
						expect(next).toBeLessThanOrEqual(Math.min(...model.map(({ tick }) => tick)));
						expect(next).toBeGreaterThanOrEqual(slots.now);
					}
				}
			}),
			{ numRuns: 500 },
		);
	});

	it("reach the last tick there is", () => {
		const slots = new Slots<Item>();
		const item = new Item(1, TICK_MAX);
		slots.add(item);
		let wakes = 0;
		for (let next = slots.nextTick(); next !== undefined; next = slots.nextTick()) {
			wakes++;
			if (slots.take(next) === item) break;
		}
		expect(slots.now).toBe(TICK_MAX);
		expect(wakes).toBeLessThanOrEqual(8);
	});
});
