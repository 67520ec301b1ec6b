import { expect, it } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { Loop, workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction, wireSend } from "../support/wire-http.ts";

it("runs steps, sleeps, loops over messages, and goes on after a sleep", async () => {
	const ledger: string[] = [];
	const subject = actor({
		state: { total: 0, log: [] as string[], done: false },
		queues: { work: queue<{ amount: number }>(), stop: queue<string>() },
		options: { sleepTimeout: 50 },
		run: workflow(async (ctx) => {
			const started = await ctx.step("start", async (c) => {
				ledger.push("start");
				c.state.log.push("start");
				return { at: 1 };
			});
			await ctx.sleep("nap", 20);
			const reason = await ctx.loop("work", async (loop) => {
				const message = await loop.queue.next("wait", { names: ["work", "stop"] });
				if (message.name === "work") {
					await loop.step("apply", async () => {
						ledger.push(`apply ${message.body.amount}`);
						loop.state.total += message.body.amount;
					});
					return;
				}
				return Loop.break(message.body);
			});
			await ctx.step("end", () => {
				ctx.state.log.push(`${reason} ${started.at}`);
				ctx.state.done = true;
			});
		}),
		actions: { get: (c) => ({ ...c.state, log: [...c.state.log] }) },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const gone = () => eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(id));
	await wireSend(runtime, id, "work", { amount: 1 });
	await eventually(() => expect(ledger).toEqual(["start", "apply 1"]));
	await gone();
	await wireSend(runtime, id, "work", { amount: 2 });
	await wireSend(runtime, id, "work", { amount: 3 });
	await eventually(async () =>
		expect((await wireAction(runtime, id, "get")).output).toMatchObject({ total: 6 }),
	);
	await gone();
	await wireSend(runtime, id, "stop", "enough");
	await eventually(async () =>
		expect((await wireAction(runtime, id, "get")).output).toEqual({
			total: 6,
			log: ["start", "enough 1"],
			done: true,
		}),
	);
	expect(ledger).toEqual(["start", "apply 1", "apply 2", "apply 3"]);
	await gone();
	expect((await wireAction(runtime, id, "get")).output).toMatchObject({ done: true });
	expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
});
