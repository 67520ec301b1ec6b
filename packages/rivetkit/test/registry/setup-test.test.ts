import { pino } from "pino";
import { afterEach, describe, expect, it, vi } from "vitest";
import { actor, event, setup } from "../../src/index.ts";
import { getBaseLogger } from "../../src/log/index.ts";
import { setupTest } from "../../src/test/index.ts";

/** `setupTest` (api 18, A47). */

const clock = actor({
	state: { ticks: 0, sleeps: 0 },
	events: { tick: event<number>() },
	onSleep: (c) => {
		slept.push(c.key.join("/"));
	},
	run: async (c) => {
		while (!c.aborted) {
			await new Promise((resolve) => setTimeout(resolve, 60_000));
			c.state.ticks++;
			c.broadcast("tick", c.state.ticks);
		}
	},
	options: { runStopTimeout: 1 },
	actions: {
		ticks: (c) => c.state.ticks,
		now: () => Date.now(),
		never: () => new Promise(() => {}),
	},
});
const slept: string[] = [];
const diary = actor({
	state: { days: [] as number[], sleeps: 0 },
	onSleep: (c) => {
		c.state.sleeps++;
	},
	actions: {
		write: (c) => c.state.days.push(Date.now()),
		writeIn: (c, ms: number) => c.schedule.after(ms, "write"),
		read: (c) => ({ ...c.state }),
	},
});
const registry = setup({ use: { clock, diary } });

afterEach(() => {
	vi.useRealTimers();
});

describe("setupTest", () => {
	it("gives each call an empty store of its own", async (test) => {
		const first = await setupTest(test, registry);
		const second = await setupTest(test, registry);
		expect(first.endpoint).not.toBe(second.endpoint);
		await first.client.clock.create(["a"]);
		await expect(second.client.clock.get(["a"]).ticks()).rejects.toMatchObject({
			code: "not_found",
		});
	});

	it("shows nothing of the server in a context that is written out", async (test) => {
		const open = actor({
			actions: {
				context: (c) => JSON.stringify(c),
				parts: (c) => JSON.stringify([{ ...c }, c.schedule, c.cron, c.queue, c.kv, c.conn]),
			},
		});
		const registry = setup({ use: { open }, token: "s3cret" });
		const { client } = await setupTest(test, registry);
		const handle = client.open.getOrCreate(["a"]);
		const written = await handle.context();
		expect(JSON.parse(written)).toEqual({
			actorId: await handle.resolve(),
			name: "open",
			key: ["a"],
		});
		expect(await handle.parts()).not.toMatch(/s3cret|services|backend/);
	});

	it("logs where the registry says, until the test is finished", async (test) => {
		const usual = getBaseLogger();
		const lines: string[] = [];
		const write = (line: string) => lines.push(JSON.parse(line).msg);
		const loud = actor({ actions: { say: (c) => c.log.warn("said") } });
		const baseLogger = pino({ level: "warn" }, { write });
		const registry = setup({ use: { loud }, logging: { baseLogger } });
		const finished: (() => Promise<void> | void)[] = [];
		const inner = {
			onTestFinished: (cleanUp: () => Promise<void> | void) => finished.push(cleanUp),
		};
		const { client } = await setupTest(inner, registry);
		await setupTest(test, setup({ use: { loud } }));
		await client.loud.getOrCreate([]).say();
		expect(lines).toEqual(["said"]);
		expect(getBaseLogger()).toBe(baseLogger);
		for (const cleanUp of finished.reverse()) await cleanUp();
		expect(getBaseLogger()).toBe(usual);
	});

	it("logs where the last test says that is not finished", async () => {
		const usual = getBaseLogger();
		const loud = actor({ actions: { say: () => {} } });
		const begin = async (baseLogger = pino({ level: "silent" })) => {
			const finished: (() => Promise<void> | void)[] = [];
			const inner = {
				onTestFinished: (cleanUp: () => Promise<void> | void) => finished.push(cleanUp),
			};
			await setupTest(inner, setup({ use: { loud }, logging: { baseLogger } }));
			const finish = async () => {
				for (const cleanUp of finished.reverse()) await cleanUp();
			};
			return { baseLogger, finish };
		};
		const [first, second] = [await begin(), await begin()];
		await first.finish();
		expect(getBaseLogger()).toBe(second.baseLogger);
		await second.finish();
		expect(getBaseLogger()).toBe(usual);
	});

	it("moves the actors' clock with the test's fake timers", async (test) => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 1_000_000 });
		const { client } = await setupTest(test, registry);
		const handle = client.clock.getOrCreate(["fake"]);
		expect(await handle.now()).toBe(1_000_000);
		await vi.advanceTimersByTimeAsync(180_000);
		expect(await handle.now()).toBe(1_180_000);
		expect(await handle.ticks()).toBe(3);
	});

	it("lives through half a year of sleeping and waking in moments", async (test) => {
		const startMs = Date.UTC(2026, 0, 1);
		const dayMs = 24 * 60 * 60 * 1_000;
		const days = 180;
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: startMs });
		const { client } = await setupTest(test, registry);
		const handle = client.diary.getOrCreate(["half a year"]);
		for (let day = 1; day <= days; day++) {
			await handle.write();
			// Idle for 30 s, it falls asleep; the rest of the day costs nothing.
			await vi.advanceTimersByTimeAsync(dayMs);
		}
		const { days: written, sleeps } = await handle.read();
		expect(written).toEqual(Array.from({ length: days }, (_, day) => startMs + day * dayMs));
		expect(sleeps).toBe(days);
	});

	it("makes scheduled calls on the fake clock (A47), awake and asleep", async (test) => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], now: 5_000 });
		const { client } = await setupTest(test, registry);
		const handle = client.diary.getOrCreate(["scheduled"]);
		await handle.writeIn(1_000);
		await vi.advanceTimersByTimeAsync(999);
		expect((await handle.read()).days).toEqual([]);
		await vi.advanceTimersByTimeAsync(1);
		expect((await handle.read()).days).toEqual([6_000]);
		await handle.writeIn(600_000);
		await vi.advanceTimersByTimeAsync(600_000);
		expect(await handle.read()).toEqual({ days: [6_000, 606_000], sleeps: 1 });
	});

	it("times actions out on the fake clock", async (test) => {
		vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
		const { client } = await setupTest(test, registry);
		const connection = client.clock.getOrCreate(["slow"]).connect();
		await connection.ticks();
		const hanging = connection.never().catch((error: unknown) => error);
		// The call has to be at the actor before its time can run out.
		await client.clock.getOrCreate(["slow"]).ticks();
		await vi.advanceTimersByTimeAsync(60_010);
		expect(await hanging).toMatchObject({ group: "action", code: "timed_out" });
	});

	it("stops the actors when the test is finished, and leaves the registry as it was", async () => {
		const before = registry.parseConfig();
		const finished: (() => Promise<void> | void)[] = [];
		const { client, endpoint } = await setupTest(
			{ onTestFinished: (cleanUp) => finished.push(cleanUp) },
			registry,
		);
		await client.clock.getOrCreate(["stopped"]).ticks();
		for (const cleanUp of finished) await cleanUp();
		expect(slept).toContain("stopped");
		await expect(fetch(`${endpoint}/health`)).rejects.toThrow();
		expect(registry.parseConfig().driver).toBe(before.driver);
	});
});
