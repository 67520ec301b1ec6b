import fc from "fast-check";
import { expect, it } from "vitest";
import { SparseMap } from "../../src/utils/sparse-map.ts";
import { SparseSet } from "../../src/utils/sparse-set.ts";

const member = fc.constantFrom("a", "b", "c");
const change = fc.oneof(
	fc.record({ add: member }),
	fc.record({ delete: member }),
	fc.constant({ clear: true }),
);

it("a sparse set has the members of a set, in its order", () => {
	fc.assert(
		fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
			const [model, set] = [new Set<string>(), new SparseSet<string>()];
			for (const todo of changes) {
				for (const one of [model, set]) {
					if ("add" in todo) one.add(todo.add);
					else if ("delete" in todo) one.delete(todo.delete);
					else one.clear();
				}
				expect([...set]).toEqual([...model]);
				expect(set.size).toBe(model.size);
				for (const name of ["a", "b", "c"]) expect(set.has(name)).toBe(model.has(name));
			}
		}),
	);
});

it("members of a sparse set may be deleted while they are looked at", () => {
	for (const members of [["a"], ["a", "b", "c"]]) {
		const set = new SparseSet<string>();
		for (const name of members) set.add(name);
		const seen: string[] = [];
		for (const name of set) {
			seen.push(name);
			set.delete(name);
		}
		expect(seen).toEqual(members);
		expect(set.size).toBe(0);
	}
});

it("a sparse map has the entries of a map, in its order", () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(change, fc.nat()), { maxLength: 30 }), (changes) => {
			const [model, map] = [new Map<string, number>(), new SparseMap<string, number>()];
			for (const [todo, value] of changes) {
				if ("add" in todo) {
					model.set(todo.add, value);
					map.set(todo.add, value);
				} else if ("delete" in todo) {
					expect(map.delete(todo.delete)).toBe(model.delete(todo.delete));
				} else {
					model.clear();
					map.clear();
				}
				expect([...map]).toEqual([...model]);
				expect([[...map.keys()], [...map.values()]]).toEqual([
					[...model.keys()],
					[...model.values()],
				]);
				expect(map.size).toBe(model.size);
				for (const name of ["a", "b", "c"]) {
					expect([map.get(name), map.has(name)]).toEqual([model.get(name), model.has(name)]);
				}
			}
		}),
	);
});
