// What a workflow does and waits for, as spans below its run.
import { expect, it } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

const order = actor({
	state: { tries: 0 },
	queues: { paid: queue<number>() },
	run: workflow(async (ctx) => {
		await ctx.step({
			name: "reserve",
			run: async (c) => {
				if (++c.state.tries === 1) throw Object.assign(new Error("not yet"), { retryAfter: 1_000 });
				await c.kv.put("reserved", "yes");
			},
		});
		await ctx.sleep("cool down", 5);
		await ctx.queue.next("payment", { names: ["paid"] });
		await ctx.rollbackCheckpoint("from here");
		await ctx.step({ name: "ship", run: () => {}, rollback: () => {} });
		await ctx.step({
			name: "bill",
			maxRetries: 0,
			timeout: 5,
			run: () => new Promise(() => {}),
		});
	}),
	actions: { act: () => {} },
});

it("tries of steps, what undoes them, and waits with what they are for", async () => {
	const clock = new FakeClock();
	await using runtime = await TestRuntime.start({ order }, { clock });
	const id = await runtime.actorId("order");
	const begun = (name: string) =>
		eventually(async () => {
			expect((await tracesOf(runtime, id)).named(`actor.workflow.${name}`)).toHaveLength(1);
		});
	await begun("wait.reserve");
	await clock.advance(1_000);
	await begun("wait.cool down");
	await clock.advance(5);
	await begun("wait.payment");
	const waiting = await tracesOf(runtime, id);
	const run = waiting.one("actor.run");
	const [failed, done] = waiting.named("actor.workflow.step.reserve");
	expect(failed).toMatchObject({
		parentSpanId: run.spanId,
		traceId: run.traceId,
		status: { code: 2, message: "not yet" },
		attributes: { "rivet.workflow.step": "reserve", "rivet.workflow.attempt": 1 },
	});
	expect(done).toMatchObject({
		parentSpanId: run.spanId,
		status: { code: 1 },
		attributes: { "rivet.workflow.attempt": 2 },
	});
	expect(waiting.named("actor.commit").map(({ parentSpanId }) => parentSpanId)).toEqual(
		expect.arrayContaining([failed!.spanId, done!.spanId]),
	);
	expect(waiting.one("actor.workflow.wait.reserve").attributes).toMatchObject({
		"rivet.workflow.wait_reason": "retry",
		"rivet.workflow.deadline_ms": expect.any(Number),
	});
	const cooling = waiting.one("actor.workflow.wait.cool down");
	expect(cooling).toMatchObject({
		parentSpanId: run.spanId,
		status: { code: 1 },
		attributes: { "rivet.workflow.wait_reason": "timer" },
	});
	const payment = waiting.one("actor.workflow.wait.payment");
	expect(payment).toMatchObject({
		endTimeUnixNano: "0",
		attributes: { "rivet.workflow.wait_reason": "queue", "rivet.queue.name": "paid" },
	});
	expect(payment.attributes["rivet.workflow.deadline_ms"]).toBeUndefined();

	// Asleep it waits for the same; that is another span, of the next incarnation.
	await runtime.embedded.host.stop(id, "sleep");
	const asleep = (await tracesOf(runtime, id)).one("actor.workflow.wait.payment");
	expect(asleep).toMatchObject({
		status: { code: 1 },
		attributes: { "rivet.workflow.wait_left": true },
	});
	await fetch(`${runtime.url}/gateway/${id}/inspector/queue`, {
		method: "POST",
		body: JSON.stringify({ name: "paid", body: 1 }),
	});
	await begun("step.bill");
	await clock.advance(5);
	await begun("rollback.ship");
	const ended = await tracesOf(runtime, id);
	expect(ended.one("actor.workflow.step.bill").status).toMatchObject({ code: 2 });
	expect(ended.one("actor.workflow.rollback.ship")).toMatchObject({
		status: { code: 1 },
		attributes: { "rivet.workflow.step": "ship", "rivet.workflow.attempt": 1 },
	});
});
