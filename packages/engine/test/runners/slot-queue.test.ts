import { expect, it } from "vitest";
import { RUNNER_LIMITS } from "../../src/runners/runner-limits.ts";
import { RunnerRecord } from "../../src/runners/runner-record.ts";
import { SlotQueue } from "../../src/runners/slot-queue.ts";
import { TestClock } from "../helpers/test-clock.ts";

it("a slot that gets free is offered to each pool once, however many wait in it", async () => {
	const clock = new TestClock();
	const init = {
		name: "free",
		version: 1,
		totalSlots: 2,
		prepopulateActorNames: undefined,
		metadata: undefined,
	};
	const who = { runnerId: "r", namespace: "default", key: "key", processId: null };
	const runner = new RunnerRecord(who, init, 0, RUNNER_LIMITS);
	let isOpen = false;
	let asked = 0;
	const queue = new SlotQueue({
		clock,
		waitMs: 60_000,
		choose({ pool }) {
			asked++;
			return isOpen && pool === "free" && runner.freeSlots > 0 ? runner : undefined;
		},
		hasRoomElsewhere: () => false,
		changed: () => {},
		late: () => {},
	});
	const waits = { isPatient: true, staysHere: false, begins: () => {} };
	const got: string[] = [];
	const take = (pool: string, actorId: string) =>
		queue.take({ namespace: "default", pool }, actorId, waits).then(
			() => void got.push(actorId),
			() => {},
		);
	const taking = [
		...Array.from({ length: 500 }, (_, index) => take("full", `full ${index}`)),
		...Array.from({ length: 3 }, (_, index) => take("free", `free ${index}`)),
	];
	asked = 0;
	isOpen = true;
	queue.serve();
	// Two that get one, one that does not, one for all of the full pool.
	expect(asked).toBe(4);
	queue.close();
	await Promise.all(taking);
	expect(got).toEqual(["free 0", "free 1"]);
});
