import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/engine.ts";
import { testEngine } from "../helpers/engine.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { TestClock } from "../helpers/test-clock.ts";

/** A sleeping actor with an alarm. */
async function withAlarm(inMs: number, options: Parameters<typeof testEngine>[0] = {}) {
	const clock = new TestClock();
	const t = testEngine({ clock, ...options });
	const asleep = async (delayMs: number, key?: string[]) => {
		const actorId = await t.create(key);
		await t.host.stop(actorId, "sleep");
		await setAlarm(actorId, clock.now() + delayMs);
		return actorId;
	};
	const setAlarm = async (actorId: string, alarmTs: number | null) => {
		const { generation } = (await t.store.actorById(actorId))!;
		await t.store.commit({ actorId, generation, ops: [], alarmTs });
		t.engine.alarmCommitted(alarmTs);
	};
	/** Generations that were started for this actor, the first one left out. */
	const wakes = (actorId: string) =>
		t.host.starts.filter((start) => start.actorId === actorId).length - 1;
	const actorId = await asleep(inMs);
	return Object.assign(t, { clock, actorId, asleep, setAlarm, wakes });
}

/** Lets everything that is already on its way happen. */
const settled = async () => {
	for (let turn = 0; turn < 5; turn++) {
		await new Promise((resolve) => setImmediate(resolve));
	}
};

describe("an alarm", () => {
	test("wakes its sleeping actor when it is due and not before", async () => {
		await using t = await withAlarm(1_000);
		t.clock.advance(999);
		await settled();
		expect(t.wakes(t.actorId)).toBe(0);
		t.clock.advance(1);
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		expect(t.wakes(t.actorId)).toBe(1);
	});

	test("that was cleared or moved away wakes nobody; the last one counts", async () => {
		await using t = await withAlarm(1_000);
		await t.setAlarm(t.actorId, null);
		t.clock.advance(2_000);
		await settled();
		expect(t.wakes(t.actorId)).toBe(0);
		await t.setAlarm(t.actorId, t.clock.now() + 500);
		await t.setAlarm(t.actorId, t.clock.now() + 5_000);
		t.clock.advance(4_999);
		await settled();
		expect(t.wakes(t.actorId)).toBe(0);
		t.clock.advance(1);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
	});

	test("that is earlier than the one waited for re-arms the timer", async () => {
		await using t = await withAlarm(10_000);
		const early = await t.asleep(100);
		t.clock.advance(100);
		await expect.poll(() => t.wakes(early)).toBe(1);
		expect(t.wakes(t.actorId)).toBe(0);
		t.clock.advance(9_900);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
	});

	test("of a live actor is its own business, and does not hide later alarms of others", async () => {
		await using t = await withAlarm(10_000);
		const live = await t.create(["live"]);
		await t.setAlarm(live, t.clock.now() + 100);
		t.clock.advance(5_000);
		await settled();
		expect(t.wakes(live)).toBe(0);
		t.clock.advance(5_000);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
	});

	test("still due when the actor falls asleep wakes it again", async () => {
		await using t = await withAlarm(100);
		t.clock.advance(100);
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		await t.host.stop(t.actorId, "sleep");
		await expect.poll(() => t.wakes(t.actorId)).toBe(2);
		await t.setAlarm(t.actorId, null);
		await t.host.stop(t.actorId, "sleep");
		await settled();
		expect(t.wakes(t.actorId)).toBe(2);
	});

	test("of an actor that fails to start is tried again, and holds up nobody", async () => {
		await using t = await withAlarm(100);
		const other = await t.asleep(150);
		const gate = new Gate();
		t.host.onStart = ({ actorId }) => {
			if (actorId === t.actorId) {
				throw new Error("broken");
			}
		};
		t.clock.advance(100);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		t.clock.advance(50);
		await expect.poll(() => t.wakes(other)).toBe(1);
		gate.open();
		t.host.onStart = () => {};
		await settled();
		t.clock.advance(1_000);
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
	});

	test("goes with its actor", async () => {
		await using t = await withAlarm(1_000);
		await t.engine.destroy(t.actorId);
		const wakes = t.wakes(t.actorId);
		t.clock.advance(2_000);
		await settled();
		expect(t.wakes(t.actorId)).toBe(wakes);
	});

	test("1,000 at the same time wake each actor once, at most 64 starts at a time", async () => {
		await using t = await withAlarm(1_000);
		const ids = await Promise.all(Array.from({ length: 999 }, () => t.asleep(1_000)));
		let [running, most] = [0, 0];
		t.host.onStart = async () => {
			running++;
			most = Math.max(most, running);
			await new Promise((resolve) => setImmediate(resolve));
			running--;
		};
		t.clock.advance(1_000);
		await expect.poll(() => t.host.live.size).toBe(1_000);
		expect(ids.every((id) => t.wakes(id) === 1)).toBe(true);
		expect(most).toBe(64);
	});
});

test("alarms that fell due while nothing ran wake their actors when a host is attached", async () => {
	const t = await withAlarm(1_000);
	await t.engine.close();
	t.clock.advance(5_000);
	const engine = createEngine({ store: t.store, version: "0", clock: t.clock });
	const host = new FakeHost(t.store);
	host.events = engine.attachHost(host, { actorNames: { counter: {} } });
	await expect.poll(() => host.live.has(t.actorId)).toBe(true);
	await engine.close();
});
