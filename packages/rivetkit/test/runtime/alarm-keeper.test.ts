import { describe, expect, it } from "vitest";
import type { OpenBatch } from "../../src/runtime/commit/batch-part.ts";
import { AlarmKeeper } from "../../src/runtime/instance/alarm-keeper.ts";
import type { ActorInstance } from "../../src/runtime/instance/instance.ts";
import { TimerWheel } from "../../src/runtime/timers/timer-wheel.ts";
import { FakeClock } from "../support/fake-clock.ts";

function setUp(committedTs: number | null = null) {
	const clock = new FakeClock(1_000_000);
	const timers = new TimerWheel(clock, { resolutionMs: 1 });
	const seen = { dirty: 0, touched: 0 };
	const waiting: (() => void)[] = [];
	const instance = {
		isReady: true,
		assignment: { alarmTs: committedTs },
		services: { alarms: timers, clock },
		now: () => clock.now(),
		committer: { markDirty: () => void seen.dirty++ },
		writes: { saveSoon: () => {} },
		touch: () => void seen.touched++,
		isFree: true,
		whenFree: (work: () => void) => void waiting.push(work),
	};
	const keeper = new AlarmKeeper(instance as unknown as ActorInstance);
	const taken = () => {
		const batch: OpenBatch = { ops: [] };
		keeper.take(batch);
		return batch.alarmTs;
	};
	return { clock, timers, keeper, instance, seen, taken, waiting };
}

/** A source with times in order, which drops them as it is told (or keeps them when it is stubborn). */
function source(times: number[], stubborn = false) {
	const told: number[] = [];
	return {
		times,
		told,
		nextTs: () => times[0] ?? null,
		due: (now: number) => {
			told.push(now);
			while (!stubborn && times.length > 0 && times[0]! <= now) times.shift();
		},
	};
}

describe("alarm keeper", () => {
	it("commits the earliest time of all sources, and only when it has changed", () => {
		const { keeper, taken, clock } = setUp();
		const [first, second] = [source([clock.now() + 500]), source([clock.now() + 200])];
		keeper.add(first);
		keeper.add(second);
		expect(keeper.wakeTs).toBe(1_000_200);
		expect(taken()).toBe(1_000_200);
		keeper.committed();
		expect(taken()).toBeUndefined();
		second.times.length = 0;
		expect(taken()).toBe(1_000_500);
		keeper.rollBack();
		first.times.length = 0;
		expect(taken()).toBeNull();
	});

	it("tells each source when its time comes, and starts the wait for sleep anew", () => {
		const { keeper, clock, seen } = setUp();
		const [early, late] = [source([clock.now() + 100]), source([clock.now() + 300])];
		keeper.add(late);
		keeper.add(early);
		keeper.start();
		expect(seen.dirty).toBe(1);
		clock.advanceSync(99);
		expect(early.told).toEqual([]);
		clock.advanceSync(1);
		expect([early.told.length, late.told.length, seen.touched]).toEqual([1, 0, 1]);
		clock.advanceSync(300);
		expect([early.told.length, late.told.length, seen.touched]).toEqual([1, 1, 2]);
	});

	it("tells at once of what was due before the start, without committing it again", () => {
		const { keeper, clock, seen } = setUp(999_000);
		const overdue = source([999_000]);
		keeper.add(overdue);
		keeper.start();
		expect(seen.dirty).toBe(0);
		clock.advanceSync(10);
		expect(overdue.told).toHaveLength(1);
	});

	it("tells of one time once, however long a source leaves it; again when the source asks", () => {
		const { keeper, clock, timers } = setUp();
		const stubborn = source([clock.now() + 50], true);
		const other = source([clock.now() + 1_000]);
		keeper.add(stubborn);
		keeper.add(other);
		keeper.start();
		clock.advanceSync(500);
		expect(stubborn.told).toHaveLength(1);
		keeper.changed();
		clock.advanceSync(10);
		expect(stubborn.told).toHaveLength(2);
		clock.advanceSync(600);
		expect([stubborn.told.length, other.told.length, timers.size]).toEqual([3, 1, 0]);
	});

	it("waits while the actor is not free, and tells then", () => {
		const { keeper, clock, instance, waiting } = setUp();
		const planned = source([clock.now() + 100]);
		keeper.add(planned);
		keeper.start();
		instance.isFree = false;
		clock.advanceSync(500);
		expect([planned.told, waiting.length]).toEqual([[], 1]);
		instance.isFree = true;
		waiting[0]!();
		expect(planned.told).toHaveLength(1);
	});

	it("is never early when the clock is set back", () => {
		const { keeper, clock } = setUp();
		const planned = source([clock.now() + 1_000]);
		keeper.add(planned);
		keeper.start();
		clock.setBack(5_000);
		clock.advanceSync(5_900);
		expect(planned.told).toEqual([]);
		clock.advanceSync(200);
		expect(planned.told).toHaveLength(1);
	});

	it("does nothing while the actor is not ready, or after it stopped", () => {
		const { keeper, clock, instance, timers } = setUp();
		const planned = source([clock.now() + 100]);
		keeper.add(planned);
		instance.isReady = false;
		keeper.changed();
		expect(timers.size).toBe(0);
		instance.isReady = true;
		keeper.start();
		keeper.stop();
		clock.advanceSync(1_000);
		expect([planned.told, timers.size]).toEqual([[], 0]);
	});
});
