import { describe, expect, it, vi } from "vitest";
import { actor, setup } from "../../src/index.ts";
import { setupTest } from "../../src/test/index.ts";
import { Loop, workflow } from "../../src/workflow/index.ts";

/** `setupTest` with time that the test moves (issue: months of cron in milliseconds). */

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);

interface Run {
	readonly scheduledAt: number;
	readonly firedAt: number;
}

const agenda = actor({
	state: { runs: [] as Run[], notes: [] as string[], sleeps: 0 },
	onSleep: (c) => {
		c.state.sleeps++;
	},
	actions: {
		backUpAt: (c, expression: string, timezone?: string) =>
			c.cron.set({ name: "backup", expression, timezone, action: "backUp", maxHistory: 1_000 }),
		backUp: async (c, info?: Run) => {
			// Real work between two waits that have nothing to do with the actors' time.
			await new Promise((resolve) => setImmediate(resolve));
			c.state.runs.push({ scheduledAt: info!.scheduledAt, firedAt: info!.firedAt });
		},
		remind: (c, delay: number, text: string) => c.schedule.after(delay, "note", text),
		note: (c, text: string) => {
			c.state.notes.push(text);
		},
		now: () => Date.now(),
		hang: () => new Promise(() => {}),
		look: (c) => ({ runs: [...c.state.runs], notes: [...c.state.notes], sleeps: c.state.sleeps }),
		history: (c) => c.cron.history("backup"),
	},
});

/** Charged every 30 days, twelve times. */
const subscription = actor({
	state: { chargedAt: [] as number[], sleeps: 0 },
	onSleep: (c) => {
		c.state.sleeps++;
	},
	run: workflow(async (ctx) => {
		await ctx.loop({
			name: "months",
			state: 1,
			run: async (loop, month) => {
				await loop.sleep("a month", 30 * DAY);
				const at = loop.now();
				await loop.step("charge", (c) => {
					c.state.chargedAt.push(at);
				});
				return month === 12 ? Loop.break() : Loop.continue(month + 1);
			},
		});
	}),
	actions: {
		look: (c) => ({
			chargedAt: [...c.state.chargedAt],
			sleeps: c.state.sleeps,
			state: c.workflow.status().state,
		}),
	},
});
const patient = (options: { noSleep?: boolean }) =>
	actor({
		options,
		run: workflow(async (ctx) => {
			await ctx.sleep("ten years", 3_650 * DAY);
		}),
		actions: { state: (c) => c.workflow.status().state },
	});
const registry = setup({
	use: { agenda, subscription, sleeper: patient({}), sentry: patient({ noSleep: true }) },
});
const fakeTime = { startAt: START };

describe("setupTest with fakeTime", () => {
	it("runs half a year of a nightly job in moments, each run at its own time, asleep in between", async (test) => {
		const { client, time } = await setupTest(test, registry, { fakeTime });
		const handle = client.agenda.getOrCreate(["nightly"]);
		await handle.backUpAt("0 3 * * *");
		await time.advance(181 * DAY);
		expect(time.now()).toBe(START + 181 * DAY);
		const { runs, sleeps } = await handle.look();
		expect(runs).toEqual(
			Array.from({ length: 181 }, (_, day) => {
				const at = START + day * DAY + 3 * 3_600_000;
				return { scheduledAt: at, firedAt: at };
			}),
		);
		expect(sleeps).toBe(182);
		const history = await handle.history();
		expect(history.map(({ result }) => result)).toEqual(Array(181).fill("ok"));
	});

	it("runs a workflow of a year in moments, asleep between its months", async (test) => {
		const { client, time } = await setupTest(test, registry, { fakeTime });
		const handle = client.subscription.getOrCreate(["ann"]);
		expect(await handle.look()).toEqual({ chargedAt: [], sleeps: 0, state: "sleeping" });
		await time.advance(361 * DAY);
		const { chargedAt, sleeps, state } = await handle.look();
		expect(chargedAt).toEqual(Array.from({ length: 12 }, (_, n) => START + (n + 1) * 30 * DAY));
		expect([sleeps, state]).toEqual([13, "completed"]);
	});

	it.for(["sleeper", "sentry"] as const)(
		"moves a handful of times over ten years in which nothing is due: %s",
		async (name, test) => {
			let moves = 0;
			const { client, time } = await setupTest(test, registry, {
				fakeTime: { startAt: START, onMove: () => moves++ },
			});
			const handle = client[name].getOrCreate(["long"]);
			expect(await handle.state()).toBe("sleeping");
			moves = 0;
			await time.advance(3_650 * DAY - 1);
			expect(await handle.state()).toBe("sleeping");
			await time.advance(60_000);
			expect(await handle.state()).toBe("completed");
			expect(moves).toBeLessThanOrEqual(20);
		},
	);

	it("moves schedules, sleep and time limits alike", async (test) => {
		const { client, time } = await setupTest(test, registry, { fakeTime });
		const handle = client.agenda.getOrCreate(["one"]);
		await handle.remind(5_000, "five");
		await handle.remind(40 * DAY, "forty days");
		await time.advance(4_999);
		expect((await handle.look()).notes).toEqual([]);
		await time.advance(1);
		expect(await handle.look()).toMatchObject({ notes: ["five"], sleeps: 0 });
		await time.advance(40 * DAY);
		expect(await handle.look()).toMatchObject({ notes: ["five", "forty days"], sleeps: 1 });
		const connection = handle.connect();
		await connection.look();
		const hanging = connection.hang().catch((error: unknown) => error);
		// The call has to be at the actor before its time can run out.
		await handle.look();
		await time.advance(60_010);
		expect(await hanging).toMatchObject({ group: "action", code: "timed_out" });
	});

	it("tells a faked Date of its time", async (test) => {
		vi.useFakeTimers({ toFake: ["Date"] });
		test.onTestFinished(() => void vi.useRealTimers());
		const { client, time } = await setupTest(test, registry, {
			fakeTime: { startAt: new Date(START), onMove: (now) => vi.setSystemTime(now) },
		});
		const handle = client.agenda.getOrCreate(["date"]);
		expect(await handle.now()).toBe(START);
		await time.advance(DAY);
		expect(await handle.now()).toBe(START + DAY);
	});

	it("begins in the present by default, and does not go backwards", async (test) => {
		const before = Date.now();
		const { time } = await setupTest(test, registry, { fakeTime: true });
		expect(time.now()).toBeGreaterThanOrEqual(before);
		expect(time.now()).toBeLessThanOrEqual(Date.now());
		for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
			await expect(time.advance(ms)).rejects.toThrow(RangeError);
		}
	});

	it("ends with the test, also when an action is still running then", async () => {
		const finished: (() => Promise<void> | void)[] = [];
		const { client } = await setupTest(
			{ onTestFinished: (cleanUp) => finished.push(cleanUp) },
			registry,
			{ fakeTime },
		);
		const handle = client.agenda.getOrCreate(["busy"]);
		await handle.look();
		const hanging = handle.hang().catch((error: unknown) => error);
		await handle.look();
		for (const cleanUp of finished) await cleanUp();
		expect(await hanging).toBeInstanceOf(Error);
	});
});
