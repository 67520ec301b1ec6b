// What an engine that was killed has left, and what happens to it while that is looked after.
import { expect, it } from "vitest";
import { type LeftActorsOptions, resumeLeftActors } from "../../src/runners/left-actors.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { TestClock } from "../helpers/test-clock.ts";

it("one that has run meanwhile, and sleeps, is not started again", async () => {
	const clock = new TestClock();
	const store = createMemoryStore();
	for (const [createTs, actorId] of ["second", "first"].entries()) {
		await store.insertActor({
			actorId,
			name: "any",
			key: actorId,
			namespace: "default",
			runnerNameSelector: "default",
			crashPolicy: "restart",
			datacenter: "",
			input: null,
			createTs,
		});
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
	const noted = () => {};
	const isCrowded = await resumeLeftActors("default", {
		store,
		clock,
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		isPlaced: () => false,
		place,
		isClosing: () => false,
	});
	expect([placed, isCrowded]).toEqual([["first"], false]);
});
