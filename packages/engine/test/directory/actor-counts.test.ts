import { expect, test } from "vitest";
import { ActorCounts, COUNTS_KEPT_MS } from "../../src/directory/actor-counts.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { TestClock } from "../helpers/test-clock.ts";

function counting() {
	const clock = new TestClock();
	const store = createMemoryStore();
	const counts = new ActorCounts(store, clock, "default");
	const t = { clock, counts, asked: 0, fails: false };
	store.countActors = async () => {
		t.asked++;
		if (t.fails) throw new Error("away");
		return new Map([["counter", t.asked]]);
	};
	return t;
}

test("counts are read once in a while, whoever asks", async () => {
	const t = counting();
	expect(await Promise.all([t.counts.read(), t.counts.read()])).toEqual([
		new Map([["counter", 1]]),
		new Map([["counter", 1]]),
	]);
	t.clock.advance(COUNTS_KEPT_MS - 1);
	expect(await t.counts.read()).toEqual(new Map([["counter", 1]]));
	t.clock.advance(1);
	expect(await t.counts.read()).toEqual(new Map([["counter", 2]]));
});

test("counts that could not be read are read again by who asks next", async () => {
	const t = counting();
	t.fails = true;
	await expect(t.counts.read()).rejects.toThrow("away");
	t.fails = false;
	expect(await t.counts.read()).toEqual(new Map([["counter", 2]]));
	expect(t.asked).toBe(2);
});
