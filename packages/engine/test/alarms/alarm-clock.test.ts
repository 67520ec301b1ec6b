import { describe, expect, test } from "vitest";
import { AlarmClock } from "../../src/alarms/alarm-clock.ts";
import { DEFAULT_LIMITS, type EngineLimits } from "../../src/common/limits.ts";
import { createEngine } from "../../src/engine.ts";
import type { Placement } from "../../src/placement/placement.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { testEngine } from "../helpers/engine.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { plainRequest } from "../helpers/plain-request.ts";
import { TestClock } from "../helpers/test-clock.ts";

/** A sleeping actor with an alarm. */
async function withAlarm(inMs: number, options: Parameters<typeof testEngine>[0] = {}) {
	const clock = new TestClock();
	const t = testEngine({ clock, ...options });
	const asleep = async (delayMs: number, key?: string[], pool?: string) => {
		const actorId = await t.create(key, "counter", pool);
		await t.host.stop(actorId, "sleep");
		await setAlarm(actorId, clock.now() + delayMs);
		return actorId;
	};
	const setAlarm = async (actorId: string, alarmTs: number | null) => {
		const { generation } = (await t.store.actorById(actorId))!;
		await t.store.commit({ actorId, generation, ops: [], alarmTs });
		t.engine.alarmCommitted(actorId, alarmTs);
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
		t.clock.advance(1_000);
		await t.host.stop(t.actorId, "sleep");
		await expect.poll(() => t.wakes(t.actorId)).toBe(2);
		await t.setAlarm(t.actorId, null);
		await t.host.stop(t.actorId, "sleep");
		await settled();
		expect(t.wakes(t.actorId)).toBe(2);
	});

	test("that its actor sleeps over again and again wakes it once a second", async () => {
		await using t = await withAlarm(100);
		t.host.onStart = ({ actorId }) => {
			setImmediate(() => void t.host.stop(actorId, "sleep"));
		};
		t.clock.advance(100);
		await expect.poll(() => t.host.stops.length).toBe(2);
		await settled();
		expect(t.wakes(t.actorId)).toBe(1);
		t.clock.advance(999);
		await settled();
		expect(t.wakes(t.actorId)).toBe(1);
		t.clock.advance(1);
		await expect.poll(() => t.wakes(t.actorId)).toBe(2);
		// Another one is dealt with at once.
		t.host.onStart = () => {};
		await t.setAlarm(t.actorId, t.clock.now() + 10);
		await settled();
		t.clock.advance(10);
		await expect.poll(() => t.wakes(t.actorId)).toBe(3);
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

	test("of an actor whose start by somebody else fails is tried again", async () => {
		await using t = await withAlarm(1_000);
		const gate = new Gate();
		t.host.onStart = async () => {
			await gate.opened;
			throw new Error("broken");
		};
		const call = t.engine.request(t.actorId, plainRequest("GET", "/"));
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		// The start that is under way is what the alarm would ask for.
		t.clock.advance(1_000);
		await settled();
		t.host.onStart = () => {};
		gate.open();
		expect((await call).status).toBe(500);
		await settled();
		t.clock.advance(1_000);
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
	});

	test("that its live actor sets to the past wakes it when it falls asleep with it", async () => {
		await using t = await withAlarm(60_000);
		const live = await t.create(["live"]);
		await t.setAlarm(live, t.clock.now() - 5_000);
		await settled();
		expect(t.wakes(live)).toBe(0);
		await t.host.stop(live, "sleep");
		await expect.poll(() => t.wakes(live)).toBe(1);
	});

	test("set while due ones are being read is not passed over", async () => {
		await using t = await withAlarm(1_000);
		const live = await t.create(["live"]);
		const read = t.store.dueAlarms.bind(t.store);
		t.store.dueAlarms = async (...args) => {
			const alarms = await read(...args);
			t.store.dueAlarms = read;
			// Earlier than the one that was read, and not among what was read.
			await t.setAlarm(live, t.clock.now() - 500);
			return alarms;
		};
		t.clock.advance(1_000);
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		await t.host.stop(live, "sleep");
		await expect.poll(() => t.wakes(live)).toBe(1);
	});

	test("moved away while its actor was live does not wake it when it falls asleep", async () => {
		await using t = await withAlarm(1_000);
		t.clock.advance(1_000);
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		await t.setAlarm(t.actorId, t.clock.now() + 10_000);
		await t.host.stop(t.actorId, "sleep");
		await settled();
		expect(t.wakes(t.actorId)).toBe(1);
		t.clock.advance(10_000);
		await expect.poll(() => t.wakes(t.actorId)).toBe(2);
	});

	test("of an actor that nobody hosts any more waits, says so once, and starts nothing", async () => {
		const t = await withAlarm(1_000);
		const others = await Promise.all(Array.from({ length: 20 }, () => t.asleep(1_000)));
		await t.engine.close();
		t.clock.advance(5_000);
		const lines: string[] = [];
		const at = (_fields: object, message: string) => void lines.push(message);
		const engine = createEngine({
			store: t.store,
			version: "0",
			clock: t.clock,
			logger: { debug: at, info: at, warn: at, error: at },
		});
		const host = new FakeHost(t.store);
		host.events = engine.attachHost(host, { actorNames: { chat: {} } });
		const generation = async () => (await t.store.actorById(t.actorId))!.generation;
		const before = await generation();
		for (let minute = 0; minute < 60; minute++) {
			t.clock.advance(60_000);
			await settled();
		}
		expect(await generation()).toBe(before);
		expect([host.starts.length, others.length]).toEqual([0, 20]);
		expect(lines).toEqual(["actors wait to be woken: no actor of this name is registered here"]);
		await engine.close();
	});

	test("of actors that nobody hosts is read once however long that lasts, and again when somebody does", async () => {
		const t = await withAlarm(1_000);
		const count = 500;
		await Promise.all(Array.from({ length: count - 1 }, () => t.asleep(1_000)));
		await t.engine.close();
		t.clock.advance(5_000);
		const noted = () => {};
		const logger = { debug: noted, info: noted, warn: noted, error: noted };
		const engine = createEngine({ store: t.store, version: "0", clock: t.clock, logger });
		const attach = (name: string) => {
			const host = new FakeHost(t.store);
			host.events = engine.attachHost(host, { actorNames: { [name]: {} } });
			return host;
		};
		let reads = 0;
		const read = t.store.actorById.bind(t.store);
		t.store.actorById = (actorId) => {
			reads++;
			return read(actorId);
		};
		attach("chat");
		await expect.poll(() => reads).toBe(count);
		for (let minute = 0; minute < 60; minute++) {
			t.clock.advance(60_000);
			await settled();
		}
		expect(reads).toBe(count);
		const host = attach("counter");
		await expect
			.poll(() => {
				t.clock.advance(10);
				return host.live.size;
			})
			.toBe(count);
		await engine.close();
	});

	test("is not early after the clock was set back, and not lost", async () => {
		await using t = await withAlarm(1_000);
		const later = await t.asleep(20_000, ["later"]);
		t.clock.advance(1_000);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		await t.setAlarm(t.actorId, null);
		t.clock.set(-30_000);
		// By the new time this is in the future, by the old one it was over.
		const between = await t.asleep(10_000, ["between"]);
		await t.setAlarm(between, t.clock.now() + 10_000);
		t.clock.advance(9_999);
		await settled();
		expect([t.wakes(between), t.wakes(later)]).toEqual([0, 0]);
		t.clock.advance(1);
		await expect.poll(() => t.wakes(between)).toBe(1);
		await t.setAlarm(between, null);
		t.clock.advance(39_000 - 1_000);
		await settled();
		expect(t.wakes(later)).toBe(0);
		t.clock.advance(2_000);
		await expect.poll(() => t.wakes(later)).toBe(1);
	});

	test("is at most ten minutes late after the clock was set forward", async () => {
		await using t = await withAlarm(86_400_000);
		t.clock.set(86_400_000);
		await settled();
		expect(t.wakes(t.actorId)).toBe(0);
		t.clock.advance(600_000);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
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

test("each due alarm is read once, however many there are and while others stop", async () => {
	await using t = await withAlarm(1_000);
	const count = 2_000;
	await Promise.all(Array.from({ length: count - 1 }, () => t.asleep(1_000)));
	// Those that are not due yet must not be read again and again either.
	for (let index = 0; index < 100; index++) await t.asleep(100_000 + index);
	let rows = 0;
	const read = t.store.dueAlarms.bind(t.store);
	t.store.dueAlarms = async (...args) => {
		const alarms = await read(...args);
		rows += alarms.length;
		return alarms;
	};
	t.clock.advance(1_000);
	await expect.poll(() => t.host.live.size).toBe(count);
	const readToWake = rows;
	expect(readToWake).toBeLessThan(1.2 * count);
	for (const actorId of [...t.host.live.keys()]) {
		await t.setAlarm(actorId, null);
		await t.host.stop(actorId, "sleep");
	}
	await settled();
	expect(t.host.live.size).toBe(0);
	expect(rows).toBe(readToWake);
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

test("those that fell due while nothing ran wake their actors in the order of their times", async () => {
	const t = await withAlarm(3_000);
	const [second, first, last] = [
		await t.asleep(2_000),
		await t.asleep(1_000),
		await t.asleep(9_000),
	];
	const tied = [await t.asleep(2_500), await t.asleep(2_500)].sort();
	await t.engine.close();
	t.clock.advance(10_000);
	const engine = createEngine({ store: t.store, version: "0", clock: t.clock });
	const host = new FakeHost(t.store);
	host.events = engine.attachHost(host, { actorNames: { counter: {} } });
	const order = [first, second, ...tied, t.actorId, last];
	await expect.poll(() => host.starts.map(({ actorId }) => actorId)).toEqual(order);
	await engine.close();
});

describe("actors whose connections were lost with the process before", () => {
	/** A process that ends, and the engine of the one after it. */
	async function restarted(connected: number, others: number, alarms = 0) {
		const clock = new TestClock();
		const t = testEngine({ clock });
		const commit = async (actorId: string, batch: object) => {
			const { generation } = (await t.store.actorById(actorId))!;
			await t.store.commit({ actorId, generation, ops: [], ...batch });
		};
		const make = async (count: number, batch: object) => {
			const ids: string[] = [];
			for (let index = 0; index < count; index++) {
				const actorId = await t.create();
				await commit(actorId, batch);
				await t.host.stop(actorId, "sleep");
				ids.push(actorId);
			}
			return ids;
		};
		const lost = await make(connected, { record: { connected: true } });
		await make(others, {});
		const due = await make(alarms, { alarmTs: clock.now() });
		await t.engine.close();
		let pages = 0;
		const read = t.store.actorsToResume.bind(t.store);
		t.store.actorsToResume = async (...args) => {
			pages++;
			return read(...args);
		};
		const engine = createEngine({ store: t.store, version: "0", clock });
		const host = new FakeHost(t.store);
		const attach = (next: FakeHost) => {
			next.events = engine.attachHost(next, { actorNames: { counter: {} } });
		};
		return {
			store: t.store,
			clock,
			host,
			engine,
			commit,
			lost,
			due,
			attach,
			pages: () => pages,
			started: () => host.starts.map(({ actorId }) => actorId),
			[Symbol.asyncDispose]: () => engine.close(),
		};
	}

	test("are woken once, behind those with due alarms; the others are not looked at", async () => {
		await using t = await restarted(3, 50, 2);
		t.attach(t.host);
		await expect.poll(() => t.started()).toHaveLength(5);
		expect(t.started().slice(0, 2).sort()).toEqual([...t.due].sort());
		expect(t.started().slice(2)).toEqual([...t.lost].sort());
		expect(t.pages()).toBe(1);
		for (const actorId of t.lost) {
			await t.commit(actorId, { record: { connected: false } });
			await t.host.stop(actorId, "sleep");
		}
		t.clock.advance(3_600_000);
		await settled();
		expect(t.started().filter((actorId) => t.lost.includes(actorId))).toHaveLength(3);
	});

	test("are not read again for a host that takes the place of one", async () => {
		await using t = await restarted(2, 0);
		t.attach(t.host);
		await expect.poll(() => t.started()).toHaveLength(2);
		for (const actorId of t.lost) await t.host.stop(actorId, "sleep");
		const next = new FakeHost(t.store);
		t.attach(next);
		await settled();
		expect(next.starts).toEqual([]);
		expect(t.pages()).toBe(1);
	});

	test("are at most 64 starts at a time, page by page", async () => {
		await using t = await restarted(600, 0);
		let [running, most] = [0, 0];
		t.host.onStart = async () => {
			running++;
			most = Math.max(most, running);
			await new Promise((resolve) => setImmediate(resolve));
			running--;
		};
		t.attach(t.host);
		await expect.poll(() => t.host.live.size).toBe(600);
		expect(most).toBe(64);
		expect(t.pages()).toBe(3);
	});

	test("that fail to start are tried again", async () => {
		await using t = await restarted(1, 0);
		let failures = 2;
		t.host.onStart = () => {
			if (failures-- > 0) throw new Error("not yet");
		};
		t.attach(t.host);
		await expect
			.poll(() => {
				t.clock.advance(1_000);
				return t.host.live.has(t.lost[0]!);
			})
			.toBe(true);
		expect(t.started()).toHaveLength(3);
	});
});

describe("actors with crash policy `restart`, when the process before was killed", () => {
	/** What a process that was killed has left, and the engine of the one after it. */
	async function killed() {
		const clock = new TestClock();
		const t = testEngine({ clock });
		const make = async (crashPolicy: string) => {
			const query = { kind: "getOrCreate", name: "counter", input: null, crashPolicy } as const;
			const { actor } = await t.engine.resolve({ ...query, key: [crypto.randomUUID()] });
			return actor.actorId;
		};
		const running = [await make("restart"), await make("restart")].sort();
		const others = {
			asleep: await make("restart"),
			closed: await make("restart"),
			destroyed: await make("restart"),
			policySleep: await make("sleep"),
			policyDestroy: await make("destroy"),
			created: "created",
		};
		await t.host.stop(others.asleep, "sleep");
		await t.store.insertActor(
			{
				actorId: others.created,
				namespace: "default",
				name: "counter",
				key: "created",
				runnerNameSelector: "default",
				crashPolicy: "restart",
				datacenter: "default",
				input: null,
				createTs: clock.now(),
			},
			{ acquire: true },
		);
		await t.engine.destroy(others.destroyed);
		await t.engine.close();
		// What the close has written, a kill would not have.
		for (const actorId of [...running, others.policySleep, others.policyDestroy]) {
			const { generation } = (await t.store.actorById(actorId))!;
			await t.store.commit({ actorId, generation, ops: [], record: { sleepTs: null } });
		}
		const engine = createEngine({ store: t.store, version: "0", clock });
		const host = new FakeHost(t.store);
		return {
			store: t.store,
			clock,
			host,
			running,
			attach: () => {
				host.events = engine.attachHost(host, { actorNames: { counter: {} } });
			},
			started: () => host.starts.map(({ actorId }) => actorId),
			[Symbol.asyncDispose]: () => engine.close(),
		};
	}

	test("are started once if they ran; no others are", async () => {
		await using t = await killed();
		t.attach();
		await expect.poll(t.started).toEqual(t.running);
		await settled();
		for (const actorId of t.running) await t.host.stop(actorId, "sleep");
		t.clock.advance(3_600_000);
		await settled();
		expect(t.started()).toEqual(t.running);
	});

	test("that fail to start are tried again", async () => {
		await using t = await killed();
		let failures = 3;
		t.host.onStart = () => {
			if (failures-- > 0) throw new Error("not yet");
		};
		t.attach();
		await expect
			.poll(() => {
				t.clock.advance(1_000);
				return [...t.host.live.keys()].sort();
			})
			.toEqual(t.running);
	});

	test("that have fallen asleep when they are tried again are left alone", async () => {
		await using t = await killed();
		const actorId = t.running[1]!;
		t.host.onStart = (assignment) => {
			if (assignment.actorId === actorId) throw new Error("not yet");
		};
		t.attach();
		await expect.poll(t.started).toEqual(t.running);
		await settled();
		t.host.onStart = () => {};
		const { generation } = (await t.store.actorById(actorId))!;
		await t.store.commit({ actorId, generation, ops: [], record: { sleepTs: t.clock.now() } });
		for (let second = 0; second < 60; second++) {
			t.clock.advance(1_000);
			await settled();
		}
		expect(t.started()).toEqual(t.running);
	});

	test.each([false, true])("are left to others if they were on runners: %s", async (isApart) => {
		const clock = new TestClock();
		const store = createMemoryStore();
		const ran = async (actorId: string, connected: boolean) => {
			const actor = { actorId, namespace: "default", name: "counter", key: actorId, input: null };
			const place = { runnerNameSelector: "default", datacenter: "default", createTs: 1 };
			await store.insertActor({ ...actor, ...place, crashPolicy: "restart" }, { acquire: true });
			const record = { initialised: true, startTs: 1, sleepTs: null, connected } as const;
			await store.commit({ actorId, generation: 0, ops: [], record });
		};
		await ran("a", false);
		await ran("b", true);
		const woken: string[] = [];
		const placement = {
			live: () => undefined,
			phase: () => "live",
			isHosted: () => true,
			wake: async (actorId: string) => void woken.push(actorId),
		} as unknown as Placement;
		const logger = { debug() {}, info() {}, warn() {}, error() {} };
		const limits = DEFAULT_LIMITS;
		const alarms = new AlarmClock({
			store,
			placement,
			clock,
			limits,
			logger,
			isApart: () => isApart,
		});
		alarms.start();
		await expect.poll(() => woken).toContain("b");
		await settled();
		expect(woken).toEqual(isApart ? ["b"] : ["a", "b"]);
		alarms.stop();
	});
});

test("sleeping actors with alarms share one timer, however many they are", async () => {
	const counts: number[] = [];
	for (const actors of [1, 2_000]) {
		const clock = new TestClock();
		const t = testEngine({ clock });
		for (let index = 0; index < actors; index++) {
			const actorId = await t.create();
			const { generation } = (await t.store.actorById(actorId))!;
			const alarmTs = clock.now() + 60_000 + index;
			await t.store.commit({ actorId, generation, ops: [], alarmTs });
			t.engine.alarmCommitted(actorId, alarmTs);
			await t.host.stop(actorId, "sleep");
		}
		await settled();
		counts.push(clock.pendingCount);
		await t.engine.close();
		expect(clock.pendingCount).toBe(0);
	}
	expect(counts).toEqual([1, 1]);
});

describe("an actor that waits for room at its host when its alarm is due (engine 6.3)", () => {
	/** The host has no room until the gate opens. */
	async function withoutRoom(limits: Partial<EngineLimits> = {}) {
		const t = await withAlarm(100, { limits });
		const room = new Gate();
		t.host.onStart = async ({ actorId, generation, isPatient }) => {
			if (actorId !== t.actorId) return;
			expect(isPatient).toBe(true);
			t.host.events.waits?.(actorId, generation);
			await room.opened;
		};
		return Object.assign(t, { room });
	}

	test("does so however long that takes, and is started once", async () => {
		await using t = await withoutRoom();
		t.clock.advance(100);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		for (let hour = 0; hour < 3; hour++) {
			t.clock.advance(3_600_000);
			await settled();
		}
		expect(t.log.filter(({ level }) => level === "warn")).toEqual([]);
		t.room.open();
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		expect(t.wakes(t.actorId)).toBe(1);
	});

	test("holds up nobody, though only one is started at a time", async () => {
		await using t = await withoutRoom({ wakesAtOnceMax: 1 });
		const other = await t.asleep(150);
		t.clock.advance(100);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		t.clock.advance(50);
		await expect.poll(() => t.host.live.has(other)).toBe(true);
		t.room.open();
	});

	test("keeps others in the store while as many wait as may", async () => {
		await using t = await withoutRoom({ wakesWaitingMax: 1 });
		const other = await t.asleep(150);
		t.clock.advance(100);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		t.clock.advance(10_000);
		await settled();
		expect(t.wakes(other)).toBe(0);
		t.room.open();
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		t.clock.advance(1_000);
		await expect.poll(() => t.host.live.has(other)).toBe(true);
	});

	test("keeps nobody of another pool in the store, and reads all of its own that it has left there", async () => {
		await using t = await withoutRoom({ wakesWaitingMax: 1, wakesAtOnceMax: 2 });
		const same: string[] = [];
		for (let index = 0; index < 10; index++) same.push(await t.asleep(150));
		const other = await t.asleep(200, undefined, "other");
		t.clock.advance(100);
		await expect.poll(() => t.wakes(t.actorId)).toBe(1);
		t.clock.advance(100);
		await expect.poll(() => t.host.live.has(other)).toBe(true);
		t.clock.advance(10_000);
		await settled();
		expect(same.filter((actorId) => t.wakes(actorId) > 0)).toEqual([]);
		t.room.open();
		await expect.poll(() => t.host.live.has(t.actorId)).toBe(true);
		await expect
			.poll(() => {
				t.clock.advance(1_000);
				return same.filter((actorId) => t.host.live.has(actorId));
			})
			.toEqual(same);
	});
});
