// Alarms where several nodes share a store: when it is asked.
import { type Random, systemRandom } from "@rivetkit/protocol";
import { expect, onTestFinished, test } from "vitest";
import { type AlarmClaims, ClaimedAlarms } from "../../src/alarms/claimed-alarms.ts";
import { DEFAULT_LIMITS, engineLimits } from "../../src/common/limits.ts";
import type { Placement } from "../../src/placement/placement.ts";
import { WaitingCounts } from "../../src/placement/waiting-counts.ts";
import type { ActorRecord } from "../../src/store/store.ts";
import { Gate } from "../helpers/gate.ts";
import { TestClock } from "../helpers/test-clock.ts";

const POLL_MS = 200;
const WAITING_MAX = 100;
/** As many may wait in a pool that all that are taken at once may be of it. */
const ROOM_FOR_ALL = WAITING_MAX - DEFAULT_LIMITS.wakesAtOnceMax;

/** A store that says what a test wants, and who is woken. */
function polled() {
	const clock = new TestClock();
	const asked: number[] = [];
	const woken: string[] = [];
	const givenBack: string[] = [];
	const lookedForLost = { count: 0 };
	const lookedForUnheard = { count: 0 };
	const store: {
		due: string[];
		nextTs: number | null;
		answers: Gate | null;
		/** What a look for the next alarm waits for. */
		tellsNext: Gate | null;
		isBroken: boolean;
		/** Claims reject. */
		losesAnswers: boolean;
		/** Actors with a due alarm that this node has. */
		owned: string[];
	} = {
		isBroken: false,
		losesAnswers: false,
		owned: [],
		tellsNext: null,
		due: [],
		nextTs: null,
		answers: null,
	};
	const waiting = new WaitingCounts();
	const leftAlone: string[][] = [];
	/** How many were asked for. */
	const limits: number[] = [];
	const claims: AlarmClaims = {
		async claimDue(_names, limit, without) {
			asked.push(clock.now());
			limits.push(limit);
			leftAlone.push(without.map(({ pool }) => pool));
			await store.answers?.opened;
			if (store.losesAnswers) throw new Error("the connection broke");
			return store.due.splice(0).map((actorId) => ({ actorId }) as ActorRecord);
		},
		async nextDue() {
			await store.tellsNext?.opened;
			return store.nextTs;
		},
		postpone: async () => {},
		async ownedDue() {
			lookedForUnheard.count++;
			return store.owned.splice(0).map((actorId) => ({ actorId, generation: 0 }));
		},
		giveBack: async ({ actorId }) => void givenBack.push(actorId),
		async restingWithConnections() {
			lookedForLost.count++;
			if (store.isBroken) throw new Error("broken");
			return [];
		},
	};
	const noted = () => {};
	// The middle: polls are exactly as far apart as they are on average.
	const random: Random = { ...systemRandom(), fraction: () => 0.5 };
	const alarms = new ClaimedAlarms({
		claims,
		clock,
		random,
		limits: engineLimits({ wakesWaitingMax: WAITING_MAX }),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		names: () => ["counter"],
		placement: {
			waiting,
			async wake(actorId: string) {
				if (actorId === "blocked" || actorId === "slow") throw new Error("not yet");
				woken.push(actorId);
			},
			phase: (actorId: string) => (actorId === "slow" ? "starting" : undefined),
			retryTs: () => 0,
		} as unknown as Placement,
	});
	onTestFinished(() => alarms.stop());
	return {
		clock,
		alarms,
		asked,
		woken,
		store,
		lookedForLost,
		lookedForUnheard,
		givenBack,
		waiting,
		leftAlone,
		limits,
	};
}

/** Lets everything that is already on its way happen. */
const settled = async () => {
	for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("go on being looked for when one became due while the store took long to answer", async () => {
	const { clock, alarms, asked, woken, store } = polled();
	store.answers = new Gate();
	alarms.start();
	clock.advance(0);
	expect(asked.length).toBe(1);
	// Due while the first answer is still on its way.
	alarms.committed("a", clock.now() + 50);
	clock.advance(5_000);
	store.answers.open();
	store.answers = null;
	await settled();
	store.due = ["a"];
	clock.advance(0);
	await settled();
	expect(woken).toEqual(["a"]);
	const before = asked.length;
	clock.advance(POLL_MS);
	await settled();
	expect(asked.length).toBe(before + 1);
});

test("of other nodes that the store knows of are met to the millisecond, not at the next poll", async () => {
	const { clock, alarms, woken, store } = polled();
	store.nextTs = clock.now() + 70;
	alarms.start();
	clock.advance(0);
	await settled();
	store.due = ["b"];
	clock.advance(69);
	await settled();
	expect(woken).toEqual([]);
	clock.advance(1);
	await settled();
	expect(woken).toEqual(["b"]);
});

test("that many are due one after the other does not make a look for each", async () => {
	const { clock, alarms, asked, store } = polled();
	alarms.start();
	clock.advance(0);
	await settled();
	for (let ms = 0; ms < 100; ms++) {
		store.nextTs = clock.now() + 1;
		clock.advance(1);
		await settled();
	}
	expect(asked.length).toBeLessThanOrEqual(12);
});

test("a hint of another node is followed at once", async () => {
	const { clock, alarms, woken, store } = polled();
	alarms.start();
	clock.advance(0);
	await settled();
	store.due = ["c"];
	alarms.hinted();
	clock.advance(0);
	await settled();
	expect(woken).toEqual(["c"]);
});

test("what a dead node left is looked for again after a pause when that fails", async () => {
	const { clock, alarms, store, lookedForLost } = polled();
	alarms.start();
	store.isBroken = true;
	alarms.nodesDied();
	await settled();
	alarms.nodesDied();
	await settled();
	expect(lookedForLost.count).toBe(1);
	store.isBroken = false;
	clock.advance(1_000);
	await settled();
	expect(lookedForLost.count).toBe(2);
});

test("an actor that was taken and may not be started is given back: it would never be taken again", async () => {
	const { clock, alarms, store, givenBack } = polled();
	// The start of the slow one goes on: it keeps the actor.
	store.due = ["a", "blocked", "slow"];
	alarms.start();
	clock.advance(0);
	await settled();
	expect(givenBack).toEqual(["blocked"]);
});

test("of a pool in which too many wait for room are left alone, those of others are not", async () => {
	const { clock, alarms, woken, store, waiting, leftAlone } = polled();
	const full = { namespace: "default", pool: "full" };
	for (let count = 0; count < WAITING_MAX; count++) waiting.add(full);
	waiting.add({ namespace: "default", pool: "free" });
	store.due = ["of another"];
	alarms.start();
	clock.advance(0);
	await settled();
	expect([woken, leftAlone]).toEqual([["of another"], [["full"]]]);
	for (let count = WAITING_MAX; count > ROOM_FOR_ALL; count--) waiting.remove(full);
	clock.advance(POLL_MS);
	await settled();
	expect(leftAlone.at(-1)).toEqual([]);
});

test("a pool that is nearly full does not keep those of others waiting", async () => {
	const { clock, alarms, waiting, leftAlone, limits } = polled();
	const full = { namespace: "default", pool: "nearly full" };
	for (let count = 0; count < ROOM_FOR_ALL; count++) waiting.add(full);
	alarms.start();
	clock.advance(0);
	await settled();
	waiting.add(full);
	clock.advance(POLL_MS);
	await settled();
	expect(leftAlone).toEqual([[], ["nearly full"]]);
	expect(limits).toEqual([DEFAULT_LIMITS.wakesAtOnceMax, DEFAULT_LIMITS.wakesAtOnceMax]);
});

test("those that were taken are woken, though the look for the next one has not ended, or fails", async () => {
	const { clock, alarms, woken, store, asked } = polled();
	store.tellsNext = new Gate();
	store.due = ["a"];
	alarms.start();
	clock.advance(0);
	await settled();
	expect(woken).toEqual(["a"]);
	store.tellsNext.fail(new Error("broken"));
	await settled();
	store.answers = new Gate();
	store.due = ["b"];
	clock.advance(1_000);
	// By now the look for the next one has failed, and the claim is not answered.
	await settled();
	store.answers.open();
	await settled();
	expect(woken).toEqual(["a", "b"]);
	store.tellsNext = null;
	clock.advance(1_000);
	await settled();
	expect(asked).toHaveLength(3);
});

test("what was taken without an answer is given back, also when it is late; what runs is not", async () => {
	const { clock, alarms, store, givenBack, lookedForUnheard } = polled();
	alarms.start();
	clock.advance(0);
	await settled();
	store.losesAnswers = true;
	clock.advance(POLL_MS);
	await settled();
	expect(lookedForUnheard.count).toBe(0);
	store.losesAnswers = false;
	store.owned = ["a", "slow"];
	clock.advance(1_000);
	await settled();
	expect(givenBack).toEqual(["a"]);
	// A server that did not notice has made the claim meanwhile.
	store.owned = ["b"];
	for (let look = 0; look < 5; look++) {
		clock.advance(POLL_MS);
		await settled();
	}
	expect(givenBack).toEqual(["a", "b"]);
	for (let look = 0; look < 70_000 / POLL_MS; look++) {
		clock.advance(POLL_MS);
		await settled();
	}
	const before = lookedForUnheard.count;
	expect(before).toBeLessThan(70);
	for (let look = 0; look < 10_000 / POLL_MS; look++) {
		clock.advance(POLL_MS);
		await settled();
	}
	expect(lookedForUnheard.count).toBe(before);
});
