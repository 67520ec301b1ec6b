import fc from "fast-check";
import { expect, it } from "vitest";
import { AlarmClock } from "../../src/alarms/alarm-clock.ts";
import { engineLimits } from "../../src/common/limits.ts";
import type { Placement } from "../../src/placement/placement.ts";
import { WaitingCounts } from "../../src/placement/waiting-counts.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { TestClock } from "../helpers/test-clock.ts";

const SEED = 20_261_127;
const POOL = { namespace: "default", pool: "full" };
const ACTORS = 24;

type Step =
	/** Somebody else's starts wait in the pool, or do not any more. */
	| { readonly does: "crowd" | "room" }
	/** So many of those that were woken get their room. */
	| { readonly does: "run"; readonly count: number }
	/** An actor that lives meanwhile sets an alarm that is due already, and falls asleep. */
	| { readonly does: "alarm"; readonly index: number; readonly agoMs: number }
	| { readonly does: "time"; readonly ms: number }
	| { readonly does: "turns"; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
	fc.record({ does: fc.constantFrom("crowd" as const, "room" as const) }),
	fc.record({ does: fc.constant("run" as const), count: fc.integer({ min: 1, max: 4 }) }),
	fc.record({
		does: fc.constant("alarm" as const),
		index: fc.nat(ACTORS - 1),
		agoMs: fc.nat(30),
	}),
	fc.record({ does: fc.constant("time" as const), ms: fc.constantFrom(1, 10, 1_000) }),
	fc.record({ does: fc.constant("turns" as const), count: fc.integer({ min: 1, max: 12 }) }),
);

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Actors of one pool with alarms a few milliseconds apart, in a store that takes its time. */
async function pool() {
	const clock = new TestClock();
	const store = createMemoryStore();
	const { actorById, dueAlarms } = store;
	store.actorById = async (actorId) => {
		await turn();
		return actorById.call(store, actorId);
	};
	store.dueAlarms = async (...args) => {
		const page = await dueAlarms.apply(store, args);
		await turn();
		return page;
	};
	const waiting = new WaitingCounts();
	/** Woken, and without room. */
	const starting = new Set<string>();
	const placement = {
		waiting,
		live: () => undefined,
		isHosted: () => true,
		retryTs: () => 0,
		phase: (actorId: string) => (starting.has(actorId) ? "starting" : undefined),
		async wake(actorId: string) {
			await turn();
			if (!starting.has(actorId)) waiting.add(POOL);
			starting.add(actorId);
			return "waiting";
		},
	} as unknown as Placement;
	const noted = () => {};
	const alarms = new AlarmClock({
		store,
		placement,
		clock,
		limits: engineLimits({ wakesAtOnceMax: 4, wakesWaitingMax: 3 }),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
	});
	const setAlarm = async (actorId: string, alarmTs: number | null) => {
		const { generation } = await store.acquire(actorId);
		await store.commit({ actorId, generation, ops: [], alarmTs });
		alarms.committed(actorId, alarmTs);
	};
	const actorIds: string[] = [];
	for (let index = 0; index < ACTORS; index++) {
		const actorId = `actor-${String(index).padStart(2, "0")}`;
		actorIds.push(actorId);
		await store.insertActor({
			actorId,
			namespace: POOL.namespace,
			name: "any",
			key: actorId,
			runnerNameSelector: POOL.pool,
			crashPolicy: "sleep",
			datacenter: "",
			input: null,
			createTs: clock.now(),
		});
		await setAlarm(actorId, clock.now() + Math.floor(index / 2));
	}
	clock.advance(100);
	/** Actors whose alarm is due still. */
	const due = new Set(actorIds);
	/** Has one that was woken run: it deals with its alarm, and falls asleep. */
	const run = async (actorId: string) => {
		if (!starting.delete(actorId)) return;
		waiting.remove(POOL);
		await setAlarm(actorId, null);
		due.delete(actorId);
		alarms.stopped(actorId);
	};
	let isCrowded = false;
	const crowd = (becomes: boolean) => {
		for (let count = 0; count < 3 && becomes !== isCrowded; count++) {
			if (becomes) waiting.add(POOL);
			else waiting.remove(POOL);
		}
		isCrowded = becomes;
	};
	const take = async (one: Step): Promise<void> => {
		switch (one.does) {
			case "crowd":
			case "room":
				crowd(one.does === "crowd");
				return;
			case "run":
				for (const actorId of [...starting].slice(0, one.count)) await run(actorId);
				return;
			case "alarm": {
				const actorId = actorIds[one.index]!;
				if (starting.has(actorId)) return;
				due.add(actorId);
				await setAlarm(actorId, clock.now() - one.agoMs);
				alarms.stopped(actorId);
				return;
			}
			case "time":
				clock.advance(one.ms);
				return;
			case "turns":
				for (let count = 0; count < one.count; count++) await turn();
		}
	};
	return { clock, alarms, due, starting, run, crowd, take };
}

it("no due alarm of a pool is lost, however often it has no room while its alarms are read again", async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
			const t = await pool();
			t.alarms.start();
			for (const one of steps) await t.take(one);
			t.crowd(false);
			for (let round = 0; round < 100 && t.due.size > 0; round++) {
				for (let count = 0; count < 40; count++) await turn();
				for (const actorId of [...t.starting]) await t.run(actorId);
				t.clock.advance(1_000);
			}
			t.alarms.stop();
			expect([...t.due]).toEqual([]);
		}),
		{ seed: SEED, numRuns: 60 },
	);
});
