// What an engine that was killed has left, and what happens to it while that is looked after.
import { expect, it } from "vitest";
import { type LeftActorsOptions, resumeLeftActors } from "../../src/runners/left-actors.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { newActor } from "../store/fixtures.ts";

function optionsWith(
	given: Pick<LeftActorsOptions, "store"> & Partial<LeftActorsOptions>,
): LeftActorsOptions {
	const noted = () => {};
	return {
		clock: new TestClock(),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		isPlaced: () => false,
		place: async () => "begun",
		isClosing: () => false,
		...given,
	};
}

it("one that has run meanwhile, and sleeps, is not started again", async () => {
	const clock = new TestClock();
	const store = createMemoryStore();
	for (const [createTs, actorId] of ["second", "first"].entries()) {
		await store.insertActor(newActor({ actorId, createTs, crashPolicy: "restart" }));
	}
	const placed: string[] = [];
	const place: LeftActorsOptions["place"] = async (actorId) => {
		placed.push(actorId);
		// While this one waits for its turn, somebody calls the other.
		const { generation } = await store.acquire("second");
		const record = { initialised: true as const, connectableTs: null, sleepTs: clock.now() };
		await store.commit({ actorId: "second", generation, ops: [], record });
		return "begun";
	};
	const isCrowded = await resumeLeftActors("default", optionsWith({ store, clock, place }));
	expect([placed, isCrowded]).toEqual([["first"], false]);
});

it("those of all names are looked after, each page of them in a turn of the event loop of its own", async () => {
	const store = createMemoryStore();
	const ids: string[] = [];
	for (let index = 0; index < 1_200; index++) {
		const name = index < 1_100 ? "many" : `name-${index}`;
		const actor = newActor({ name, createTs: index % 7, crashPolicy: "restart" });
		await store.insertActor(actor);
		ids.push(actor.actorId);
	}
	let turn = 0;
	let counting = setImmediate(function count() {
		turn++;
		counting = setImmediate(count);
	});
	const turns: number[] = [];
	const list = store.listActors.bind(store);
	store.listActors = (query) => {
		turns.push(turn);
		return list(query);
	};
	const placed: string[] = [];
	const place: LeftActorsOptions["place"] = async (actorId) => {
		placed.push(actorId);
		return "begun";
	};
	await resumeLeftActors("default", optionsWith({ store, place }));
	clearImmediate(counting);
	expect(placed.sort()).toEqual(ids.sort());
	expect(turns.length).toBeGreaterThan(2);
	expect(new Set(turns).size).toBe(turns.length);
});
