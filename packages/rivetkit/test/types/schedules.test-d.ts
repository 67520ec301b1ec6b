// Schedules, jobs, and time in tests (contract: api 10, 18, 21).
import { actor, type CronEntry, type ScheduledFireInfo, type ScheduleEntry, setup } from "rivetkit";
import { setupTest, type TestContext, type TestTime } from "rivetkit/test";
import { expectTypeOf } from "vitest";

actor({
	actions: {
		plan: async (c) => {
			expectTypeOf(await c.schedule.after(1, "tick", 1, { a: 1 })).toEqualTypeOf<string>();
			expectTypeOf(
				await c.schedule.with({ retry: { attempts: 2 } }).at(1, "tick"),
			).toEqualTypeOf<string>();
			expectTypeOf(await c.schedule.get("id")).toEqualTypeOf<ScheduleEntry | null>();
			expectTypeOf(await c.schedule.cancel("id")).toEqualTypeOf<boolean>();
			// @ts-expect-error a retry says how often
			c.schedule.with({ retry: {} });
			// @ts-expect-error the delay is a number
			c.schedule.after("1", "tick");

			await c.cron.set({ name: "a", expression: "* * * * *", action: "tick", overlap: "queue" });
			await c.cron.every({ name: "b", interval: 5_000, action: "tick", catchUp: "all" });
			// @ts-expect-error no such policy
			await c.cron.every({ name: "b", interval: 5_000, action: "tick", catchUp: "none" });
			// @ts-expect-error an interval is no expression
			await c.cron.every({ name: "b", expression: "* * * * *", action: "tick" });

			for (const job of await c.cron.list()) {
				expectTypeOf(job).toEqualTypeOf<CronEntry>();
				if (job.kind === "cron") expectTypeOf(job.expression).toEqualTypeOf<string>();
				else expectTypeOf(job.interval).toEqualTypeOf<number>();
			}
			const [run] = await c.cron.history("a", { limit: 1 });
			expectTypeOf(run!.result).toEqualTypeOf<"running" | "ok" | "error" | "skipped">();
		},
		tick: (_c, info?: ScheduledFireInfo) => info?.attempt,
	},
});

// Time is there only when it is asked for.
async function tests(context: TestContext) {
	const registry = setup({ use: {} });
	expectTypeOf(await setupTest(context, registry)).not.toHaveProperty("time");
	const { time } = await setupTest(context, registry, { fakeTime: { startAt: 0 } });
	expectTypeOf(time).toEqualTypeOf<TestTime>();
}
void tests;
