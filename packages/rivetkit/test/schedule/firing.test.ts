import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { Bench, DAY, HOUR, MINUTE, NOON, SECOND } from "./bench.ts";
import { type DiaryOptions, diary } from "./diary.ts";

async function setUp(options: DiaryOptions & { wrapped?: WrappedStore } = {}) {
	const clock = new FakeClock(NOON);
	const book = diary({ now: () => clock.now() - NOON, ...options });
	const store = options.wrapped ? { store: options.wrapped.store } : {};
	const bench = await Bench.start({ subject: book.subject }, { clock, ...store });
	const id = await bench.runtime.actorId("subject");
	const act = <T = unknown>(name: string, ...args: unknown[]) => bench.call<T>(id, name, ...args);
	return Object.assign(bench, book, { id, act });
}

describe("calls that are due together", () => {
	it("run one after the other; one that falls due later does not wait for them", async () => {
		await using t = await setUp();
		await t.act("after", 0, "slow", "first");
		await t.act("after", 0, "slow", "second");
		await t.act("after", SECOND, "note", "later");
		await t.advance(10);
		expect(t.names()).toEqual(["slow begins first"]);
		await t.advance(SECOND);
		expect(t.names()).toEqual(["slow begins first", "note later"]);
		t.open("first");
		await t.settle();
		expect(t.names().slice(2)).toEqual(["slow ends first", "slow begins second"]);
		t.open("second");
		await t.settle();
		expect(await t.act("list")).toEqual([]);
	});

	it("do not stop each other by failing or by being unknown to the code (L46)", async () => {
		await using t = await setUp();
		t.failures.left = 1;
		for (const name of ["shaky", "note", "shaky"]) await t.act("after", 0, name, name);
		await t.advance(10);
		expect(t.names()).toEqual(["shaky shaky", "note note", "shaky shaky"]);
		expect(await t.act("list")).toEqual([]);
	});

	it("are made in one turn after the other, however many: 200 of one moment", async () => {
		await using t = await setUp();
		await Promise.all(
			Array.from({ length: 200 }, (_, index) => t.act("after", MINUTE - t.elapsed, "note", index)),
		);
		await t.sleep(t.id);
		await t.advance(MINUTE);
		expect(t.names()).toHaveLength(200);
		expect(new Set(t.names()).size).toBe(200);
		expect(await t.act("calls")).toBe(200);
	});
});

describe("calls that were missed while nothing ran", () => {
	it("are made when the server is back, once each, in order", async () => {
		const clock = new FakeClock(NOON);
		const wrapped = new WrappedStore();
		const { subject, notes } = diary();
		let id: string;
		{
			await using bench = await Bench.start({ subject }, { clock, store: wrapped.store });
			id = await bench.runtime.actorId("subject");
			for (const [delay, name] of [
				[3, "c"],
				[1, "a"],
				[2, "b"],
			] as const) {
				await bench.call(id, "after", delay * HOUR, "note", name);
			}
		}
		clock.setForward(DAY);
		await using bench = await Bench.start({ subject }, { clock, store: wrapped.store });
		await bench.settle();
		await bench.advance(0);
		expect(notes.map(({ args }) => args[0])).toEqual(["a", "b", "c"]);
		expect(await bench.call(id, "list")).toEqual([]);
	});
});

describe("a scheduled action is work like any other (W-SCH-3, W-STOP-2)", () => {
	it("keeps the actor awake, and its changes are saved", async () => {
		await using t = await setUp({ options: { sleepTimeout: SECOND, actionTimeout: HOUR } });
		await t.act("after", 0, "slow", "gate");
		await t.advance(MINUTE);
		expect(t.isLive(t.id)).toBe(true);
		t.open("gate");
		await t.settle();
		await t.advance(2 * SECOND);
		expect(t.isLive(t.id)).toBe(false);
		expect(await t.act("calls")).toBe(1);
	});

	it("is ended by actionTimeout: its signal fires, and the failure is logged", async () => {
		const signals: AbortSignal[] = [];
		const subject = actor({
			actions: {
				plan: async (c) => {
					await c.schedule.after(0, "hang");
					await c.schedule.after(0, "mark");
				},
				hang: async (c) => {
					signals.push(c.abortSignal);
					await new Promise(() => {});
				},
				mark: () => void signals.push(AbortSignal.abort("marked")),
				failures: (c) => c.schedule.failures(),
			},
			options: { actionTimeout: 5_000 },
		});
		await using bench = await Bench.start({ subject });
		const id = await bench.runtime.actorId("subject");
		await bench.call(id, "plan");
		await bench.advance(4_990);
		expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
		await bench.advance(40);
		expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
		expect(await bench.call(id, "failures")).toMatchObject([
			{ action: "hang", attempts: 1, error: expect.stringContaining("Action timed out") },
		]);
		expect(bench.logged(/scheduled action failed; it is given up/)).toMatchObject([
			{ action: "hang", actorId: id, attempt: 1 },
		]);
	});

	it("may end while the actor stops; those that wait behind it are made after the next wake", async () => {
		await using t = await setUp();
		await t.act("after", 0, "slow", "first");
		await t.act("after", 0, "note", "second");
		await t.advance(10);
		const stopped = t.runtime.embedded.host.stop(t.id, "sleep");
		await t.settle();
		t.open("first");
		await stopped;
		expect(t.names()).toEqual(["slow begins first", "slow ends first"]);
		await t.settle();
		await t.advance(10);
		expect(t.names().slice(2)).toEqual(["note second"]);
		expect(await t.act("calls")).toBe(2);
		expect(t.logged(/cut off/)).toEqual([]);
	});

	it("that the stop cannot wait for is made again, and knows that it is the second try", async () => {
		const gate = new Gate();
		const attempts: number[] = [];
		const subject = actor({
			state: { n: 0 },
			actions: {
				plan: (c) =>
					c.schedule
						.with({ fireInfo: true })
						.after(0, "hang")
						.then(() => undefined),
				hang: async (c, info?: { attempt: number }) => {
					attempts.push(info!.attempt);
					if (attempts.length === 1) await gate.passed;
					c.state.n++;
				},
				n: (c) => c.state.n,
			},
			options: { sleepGracePeriod: 1_000 },
		});
		await using bench = await Bench.start({ subject });
		const id = await bench.runtime.actorId("subject");
		await bench.call(id, "plan");
		await bench.advance(10);
		const stopped = bench.runtime.embedded.host.stop(id, "sleep");
		await bench.advance(1_020);
		await stopped;
		await bench.settle();
		await bench.advance(10);
		expect(attempts).toEqual([1, 2]);
		expect(await bench.call(id, "n")).toBe(1);
		expect(bench.logged(/cut off; it is run again/)).toHaveLength(1);
		// The first one is still there, and cannot write any more.
		gate.open();
		await bench.settle();
		expect(await bench.call(id, "n")).toBe(1);
	});

	it.each(["onWake", "run"] as const)(
		"is made though %s says c.sleep() at every wake",
		async (hook) => {
			let isOn = false;
			let wakes = 0;
			const fired: string[] = [];
			const nap = (c: { sleep(): void }) => {
				wakes++;
				if (isOn) c.sleep();
			};
			const subject = actor({
				...(hook === "run" ? { run: nap } : { onWake: nap }),
				actions: {
					plan: async (c) => {
						await c.schedule.after(MINUTE, "fire", "first");
						await c.schedule.after(MINUTE, "fire", "second");
						await c.schedule.after(2 * MINUTE, "fire", "third");
					},
					fire: (_c, what: string) => void fired.push(what),
				},
			});
			await using bench = await Bench.start({ subject });
			const id = await bench.runtime.actorId("subject");
			await bench.call(id, "plan");
			await bench.sleep(id);
			isOn = true;
			await bench.advance(MINUTE + SECOND);
			expect(fired).toEqual(["first", "second"]);
			await bench.advance(MINUTE);
			expect(fired).toEqual(["first", "second", "third"]);
			expect(bench.isLive(id)).toBe(false);
			expect(wakes).toBeLessThanOrEqual(4);
		},
	);

	it("that an actor destroys itself in is over with it", async () => {
		const subject = actor({
			actions: {
				plan: async (c) => {
					await c.schedule.after(0, "end");
					await c.schedule.after(0, "end");
				},
				end: (c) => {
					ended++;
					c.destroy();
				},
			},
		});
		let ended = 0;
		await using bench = await Bench.start({ subject });
		const id = await bench.runtime.actorId("subject");
		await bench.call(id, "plan");
		await bench.advance(MINUTE);
		expect([ended, bench.isLive(id)]).toEqual([1, false]);
		expect((await bench.store.actorById(id))?.destroyTs).not.toBeNull();
		expect(await bench.store.nextAlarmTs()).toBeNull();
	});
});

describe("retries (W-SCH-6)", () => {
	it("are made as often as asked, with growing pauses; the list says so meanwhile", async () => {
		await using t = await setUp();
		t.failures.left = 3;
		const retry = { attempts: 4, delay: 1_000, factor: 3, maxDelay: 5_000 };
		const id = await t.act<string>("afterWith", retry, 0, "shaky", "a");
		await t.advance(10);
		expect(await t.act("list")).toEqual([
			{
				id,
				action: "shaky",
				args: ["a"],
				runAt: NOON,
				retrying: { attempts: 1, error: "broken on purpose", nextRunAt: NOON + 1_000 },
			},
		]);
		expect(await t.alarmOf(t.id)).toBe(NOON + 1_000);
		await t.advance(30 * SECOND);
		expect(t.times()).toEqual([0, 1_000, 4_000, 9_000]);
		expect(t.notes.map(({ args }) => args[1])).toEqual(
			[1, 2, 3, 4].map((attempt, index) => ({
				kind: "at",
				id,
				scheduledAt: NOON,
				firedAt: NOON + t.times()[index]!,
				attempt,
			})),
		);
		expect(await t.act("calls")).toBe(1);
		expect(await t.act("list")).toEqual([]);
		expect(await t.act("failures")).toEqual([]);
		expect(t.logged(/failed; it is tried again/).map(({ pauseMs }) => pauseMs)).toEqual([
			1_000, 3_000, 5_000,
		]);
	});

	it("survive a sleep, and end in the list of failures", async () => {
		await using t = await setUp();
		t.failures.left = 5;
		const id = await t.act<string>("afterWith", { attempts: 2, delay: HOUR }, 0, "shaky");
		await t.advance(10);
		await t.sleep(t.id);
		expect(t.isLive(t.id)).toBe(false);
		await t.advance(HOUR);
		expect(t.times()).toEqual([0, HOUR]);
		expect(await t.act("get", id)).toBeNull();
		expect(await t.act("failures")).toEqual([
			{
				id,
				action: "shaky",
				runAt: NOON,
				failedAt: NOON + HOUR,
				attempts: 2,
				error: "broken on purpose",
			},
		]);
	});

	it("of a call that is cancelled between two of them are not made", async () => {
		await using t = await setUp();
		t.failures.left = 5;
		const id = await t.act<string>("afterWith", { attempts: 5, delay: SECOND }, 0, "shaky");
		await t.advance(10);
		expect(await t.act("cancel", id)).toBe(true);
		await t.advance(HOUR);
		expect(t.notes).toHaveLength(1);
		expect(await t.act("failures")).toEqual([]);
	});

	it("The list of failures keeps the last 100, newest first, and can be limited", async () => {
		await using t = await setUp();
		t.failures.left = 110;
		for (let index = 0; index < 110; index++) await t.act("after", 0, "shaky", index);
		await t.advance(100);
		const failures = await t.act<{ runAt: number }[]>("failures");
		expect(failures).toHaveLength(100);
		expect(await t.act<unknown[]>("failures", 3)).toEqual(failures.slice(0, 3));
		await t.sleep(t.id);
		t.failures.left = 1;
		await t.act("after", 0, "shaky", "newest");
		await t.advance(20);
		const after = await t.act<{ runAt: number }[]>("failures");
		expect(after.slice(1)).toEqual(failures.slice(0, 99));
	});
});

describe("when commits fail", () => {
	it("a call whose effects were lost is made again, after a pause", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped });
		await t.act("after", SECOND, "note", "a");
		// The first commit says that the try begins, the second has what the action wrote.
		let commits = 0;
		wrapped.fail = () => (++commits === 2 ? new Error("disk full") : undefined);
		await t.advance(SECOND + 10);
		expect([t.names(), commits]).toEqual([["note a"], 2]);
		expect(await t.act("list")).toMatchObject([{ running: true }]);
		await t.advance(SECOND + 10);
		expect(t.names()).toEqual(["note a", "note a"]);
		expect(await t.act("calls")).toBe(1);
		expect(await t.act("list")).toEqual([]);
	});

	it("no action starts, and the pause grows to a minute", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped, options: { noSleep: true } });
		await t.act("after", SECOND, "note", "a");
		const tried: number[] = [];
		wrapped.fail = () => {
			tried.push(Math.round(t.elapsed / SECOND));
			return new Error("disk full");
		};
		await t.advance(5 * MINUTE);
		expect(t.notes).toEqual([]);
		expect(tried).toEqual([1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
		wrapped.fail = null;
		await t.advance(2 * MINUTE);
		expect(t.names()).toEqual(["note a"]);
		expect(await t.act("calls")).toBe(1);
	});

	it("a client whose calls cannot be committed does not put off what is scheduled", async () => {
		const fired: string[] = [];
		const subject = actor({
			state: { text: "" },
			options: { maxStateSize: 1_000 },
			actions: {
				plan: (c) => c.schedule.after(SECOND, "fire"),
				fire: () => void fired.push("fire"),
				grow: (c) => {
					c.state.text = "x".repeat(2_000);
				},
			},
		});
		const clock = new FakeClock(NOON);
		await using bench = await Bench.start({ subject }, { clock });
		const id = await bench.runtime.actorId("subject");
		await bench.call(id, "plan");
		for (let half = 0; half < 10; half++) {
			await expect(bench.call(id, "grow")).rejects.toThrow();
			await bench.advance(SECOND / 2);
		}
		expect(fired).toEqual(["fire"]);
	});

	it("a call that was running meanwhile is made again when it has ended", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped });
		await t.act("after", 0, "halves", "gate");
		await t.advance(10);
		// What the first half wrote is lost with what another action writes.
		wrapped.failNext();
		await t.act("after", HOUR, "note").catch(() => {});
		t.open("gate");
		await t.settle();
		expect(t.logged(/what a scheduled action wrote was lost/)).toHaveLength(1);
		expect(await t.act("log")).toEqual(["second half"]);
		await t.advance(2 * SECOND);
		expect(t.names()).toEqual(["halves gate", "halves gate"]);
		expect(await t.act("log")).toEqual(["second half", "first half", "second half"]);
		expect(await t.act("list")).toEqual([]);
	});

	it("with confirmWrites: false, an action does not wait for the disk", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped, options: { confirmWrites: false } });
		await t.act("after", 0, "note", "a");
		await t.act("after", 0, "note", "b");
		const letGo = wrapped.hold();
		await t.clock.advance(20);
		expect(t.names()).toEqual(["note a", "note b"]);
		letGo();
		await t.advance(2 * SECOND);
		expect(await t.act("list")).toEqual([]);
		expect(t.notes).toHaveLength(2);
	});
});

describe("a try is written down before its action starts (W-SCH-2)", () => {
	it("and the alarm in the store stays due until the action has ended", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped });
		await t.act("after", SECOND, "slow", "gate");
		await t.act("after", HOUR, "note", "later");
		const letGo = wrapped.hold();
		await t.clock.advance(SECOND + 10);
		expect(t.notes).toEqual([]);
		letGo();
		await t.settle();
		expect(t.names()).toEqual(["slow begins gate"]);
		expect(await t.alarmOf(t.id)).toBe(NOON + SECOND);
		t.open("gate");
		await t.settle();
		expect(await t.alarmOf(t.id)).toBe(NOON + HOUR);
	});

	it("a call that was cut off is made at once, then with growing pauses up to five minutes", async () => {
		const wrapped = new WrappedStore();
		const clock = new FakeClock(NOON);
		const attempts: [time: number, attempt: number][] = [];
		const never = new Promise(() => {});
		const subject = actor({
			actions: {
				plan: (c) =>
					c.schedule
						.with({ fireInfo: true })
						.after(0, "die")
						.then(() => undefined),
				die: async (_c, info?: { attempt: number }) => {
					attempts.push([Math.round((clock.now() - NOON) / SECOND), info!.attempt]);
					await never;
				},
			},
			options: { noSleep: true, actionTimeout: DAY },
		});
		// Each one is left as it is, as a process that dies would be.
		const servers: Bench[] = [];
		const start = async () => {
			const bench = await Bench.start({ subject }, { clock, store: wrapped.store });
			servers.push(bench);
			return bench;
		};
		const first = await start();
		const id = await first.runtime.actorId("subject");
		await first.call(id, "plan");
		await first.advance(10);
		for (let crash = 0; crash < 12; crash++) {
			const bench = await start();
			await bench.settle();
			await bench.advance(301 * SECOND);
		}
		const times = attempts.map(([time]) => time);
		expect(attempts.map(([, attempt]) => attempt)).toEqual(
			Array.from({ length: 13 }, (_, index) => index + 1),
		);
		const pauses = times.slice(1).map((time, index) => time - index * 301);
		expect(pauses).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
		for (const bench of servers.toReversed()) {
			const closed = bench[Symbol.asyncDispose]();
			await clock.advance(20 * SECOND);
			await closed;
		}
	});
});

describe("clocks that jump (W-SCH-8)", () => {
	it("backwards: nothing is early, nothing happens twice", async () => {
		await using t = await setUp({ options: { noSleep: true } });
		await t.act("after", SECOND, "note", "before");
		await t.act("after", HOUR, "note", "after");
		await t.act("every", { name: "job", interval: 10 * MINUTE, action: "note", args: ["job"] });
		await t.advance(10 * MINUTE);
		expect(t.names()).toEqual(["note before", "note job"]);
		t.clock.setBack(30 * MINUTE);
		await t.advance(39 * MINUTE);
		expect(t.names()).toHaveLength(2);
		await t.advance(2 * MINUTE);
		expect(t.names().slice(2)).toEqual(["note job"]);
		await t.advance(38 * MINUTE);
		expect(t.names().slice(3)).toEqual(["note job", "note job", "note job"]);
		await t.advance(2 * MINUTE);
		expect(t.names().slice(6).toSorted()).toEqual(["note after", "note job"]);
	});

	it.each(["awake", "asleep"])(
		"forwards: an actor that is %s is at most ten minutes late",
		async (how) => {
			await using t = await setUp({ options: { noSleep: true } });
			await t.act("after", DAY, "note", "a");
			if (how === "asleep") await t.sleep(t.id);
			t.clock.setForward(DAY);
			await t.advance(10 * MINUTE);
			expect(t.names()).toEqual(["note a"]);
		},
	);
});

describe("an action that is gone by the time its call is due (ruling 12)", () => {
	it("parks the call, which is listed and made when the action is back", async () => {
		const clock = new FakeClock(NOON);
		const wrapped = new WrappedStore();
		const whole = diary();
		const start = (subject: typeof whole.subject) =>
			Bench.start({ subject }, { clock, store: wrapped.store });
		let id: string;
		{
			await using bench = await start(whole.subject);
			id = await bench.runtime.actorId("subject");
			await bench.call(id, "after", SECOND, "note", "parked");
			await bench.call(id, "after", SECOND, "shaky", "fine");
			await bench.call(id, "every", { name: "job", interval: MINUTE, action: "note" });
		}
		const changed = diary({ without: ["note"] });
		{
			await using bench = await start(changed.subject);
			await bench.advance(5 * MINUTE);
			expect(changed.names()).toEqual(["shaky fine"]);
			const parked = "the actor has no action 'note'";
			expect(await bench.call(id, "list")).toMatchObject([{ args: ["parked"], parked }]);
			expect(await bench.call(id, "listCron")).toMatchObject([{ name: "job", parked }]);
			expect(bench.logged(/parked until their action is back/)[0]).toMatchObject({
				actorId: id,
				reason: parked,
			});
			// It sleeps, and looks once an hour whether the action is back.
			await bench.sleep(id);
			const wakes = async () => (await bench.store.actorById(id))!.generation;
			const before = await wakes();
			await bench.advance(5 * HOUR);
			expect((await wakes()) - before).toBe(5);
			expect(changed.names()).toEqual(["shaky fine"]);
		}
		{
			await using bench = await start(whole.subject);
			await bench.settle();
			await bench.advance(HOUR);
			expect(whole.names()[0]).toBe("note parked");
			expect(await bench.call(id, "list")).toEqual([]);
			expect(await bench.call(id, "getCron", "job")).not.toHaveProperty("parked");
		}
	});
});
