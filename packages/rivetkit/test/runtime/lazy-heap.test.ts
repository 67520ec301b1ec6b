import fc from "fast-check";
import { expect, it } from "vitest";
import { LazyHeap } from "../../src/runtime/collections/lazy-heap.ts";

interface Item {
	readonly rank: number;
	counts: boolean;
}

it("gives what counts in order, whatever stops to count meanwhile", () => {
	const step = fc.oneof(
		{ weight: 5, arbitrary: fc.record({ push: fc.integer({ min: -50, max: 50 }) }) },
		{ weight: 2, arbitrary: fc.record({ pop: fc.constant(true) }) },
		{ weight: 3, arbitrary: fc.record({ drop: fc.nat() }) },
	);
	fc.assert(
		fc.property(fc.array(step, { maxLength: 500 }), (steps) => {
			let items: Item[] = [];
			const heap = new LazyHeap<Item>(
				(a, b) => a.rank < b.rank,
				({ counts }) => counts,
			);
			const first = () => Math.min(...items.map(({ rank }) => rank));
			for (const todo of steps) {
				if ("push" in todo) {
					const item = { rank: todo.push, counts: true };
					items.push(item);
					heap.push(item);
				} else if ("pop" in todo) {
					const popped = heap.pop();
					expect(popped?.rank).toBe(items.length > 0 ? first() : undefined);
					items = items.filter((item) => item !== popped);
				} else if (items.length > 0) {
					const [dropped] = items.splice(todo.drop % items.length, 1);
					dropped!.counts = false;
				}
				expect(heap.peek()?.rank).toBe(items.length > 0 ? first() : undefined);
			}
		}),
	);
});

it("does not keep what does not count: memory is that of what does", () => {
	const heap = new LazyHeap<Item>(
		(a, b) => a.rank < b.rank,
		({ counts }) => counts,
	);
	const asked = new Set<Item>();
	const keeper = { rank: -1, counts: true };
	heap.push(keeper);
	for (let rank = 0; rank < 10_000; rank++) {
		const item = {
			rank,
			get counts() {
				asked.add(this);
				return false;
			},
		};
		heap.push(item);
	}
	// Swept out, so almost all of them were looked at though none came up.
	expect(asked.size).toBeGreaterThan(9_000);
	expect(heap.pop()).toBe(keeper);
	expect(heap.pop()).toBeUndefined();
});
