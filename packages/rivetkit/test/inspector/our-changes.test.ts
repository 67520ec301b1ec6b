// What the inspector can change beside the contract: dead letters, single messages, schedules.
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireSend } from "../support/wire-http.ts";
import { inspect } from "./support/inspect.ts";

it("redrives dead letters, of a sleeping actor too: its run gets them again", async () => {
	const scene = { isFixed: false };
	const subject = actor({
		state: { done: [] as number[] },
		queues: {
			jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead" }),
			dead: queue<number>(),
		},
		run: async (c) => {
			for await (const message of c.queue.iter({ names: ["jobs"], completable: true })) {
				if (!scene.isFixed) {
					await message.release();
					continue;
				}
				c.state.done.push(message.body);
				await message.complete();
			}
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	for (const body of [1, 2, 3]) await wireSend(runtime, id, "jobs", body);
	const letters = async () => {
		const { body } = await inspect(runtime, id, "queue/dead-letters?queue=jobs");
		return body.deadLetters.map((letter: { id: number; body: number }) => [letter.id, letter.body]);
	};
	await eventually(async () =>
		expect(await letters()).toEqual([
			[1, 1],
			[2, 2],
			[3, 3],
		]),
	);
	await runtime.embedded.host.stop(id, "sleep");
	scene.isFixed = true;
	const redrive = (body: object) => inspect(runtime, id, "queue/redrive", { method: "POST", body });
	expect((await redrive({ ids: [2] })).body).toEqual({ redriven: 1 });
	const done = async () => (await inspect(runtime, id, "state")).body.state.done;
	await eventually(async () => expect(await done()).toEqual([2]));
	expect((await redrive({ queue: "jobs", limit: 1 })).body).toEqual({ redriven: 1 });
	expect((await redrive({})).body).toEqual({ redriven: 1 });
	await eventually(async () => expect(await done()).toEqual([2, 1, 3]));
	expect(await letters()).toEqual([]);
	expect(await redrive({ ids: [2] })).toMatchObject({
		status: 400,
		body: { group: "queue", code: "message_not_found" },
	});
	for (const wrong of [{ ids: 5 }, { ids: ["1"] }, { queue: 1 }, { limit: -1 }]) {
		expect([wrong, (await redrive(wrong)).status]).toEqual([wrong, 400]);
	}
});

it("drops one message; not one that somebody holds; who waits for it hears that", async () => {
	const [held, gate] = [new Gate(), new Gate()];
	const subject = actor({
		state: {},
		queues: { jobs: queue<number>() },
		actions: {
			hold: async (c) => {
				const message = await c.queue.next({ names: ["jobs"], completable: true });
				held.open();
				await gate.passed;
				await message!.complete();
			},
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const drop = async (messageId: number) =>
		(await inspect(runtime, id, `queue/messages/${messageId}`, { method: "DELETE" })).body;
	await wireSend(runtime, id, "jobs", 1);
	const holding = runtime.action(id, "hold");
	await held.passed;
	const waiting = wireSend(runtime, id, "jobs", 2, { wait: true });
	await eventually(async () => {
		expect((await inspect(runtime, id, "queue")).body.size).toBe(2);
	});
	expect(await drop(1)).toEqual({ dropped: false });
	expect(await drop(2)).toEqual({ dropped: true });
	expect(await drop(2)).toEqual({ dropped: false });
	expect(codeOf(await waiting)).toBe("queue.message_given_up");
	expect((await inspect(runtime, id, "queue/messages")).body.messages).toMatchObject([
		{ id: 1, place: "held", body: 1 },
	]);
	gate.open();
	expect((await holding).status).toBe(200);
});

it("pages through messages, by queue and without bodies", async () => {
	const subject = actor({
		state: {},
		queues: { a: queue<string>(), b: queue<string>() },
		options: { maxQueueMessageSize: 8 * 1024 * 1024 },
		actions: {
			fill: async (c) => {
				for (let n = 0; n < 5; n++) await c.queue.send(n % 2 === 0 ? "a" : "b", `m${n}`);
			},
			fat: async (c) => {
				for (let n = 0; n < 3; n++) await c.queue.send("a", "x".repeat(5 * 1024 * 1024));
			},
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "fill");
	const page = async (query: string) => {
		const { body } = await inspect(runtime, id, `queue/messages?${query}`);
		return [
			body.messages.map((one: { body?: string; id: number }) => one.body ?? one.id),
			body.next,
		];
	};
	expect(await page("limit=2")).toEqual([["m0", "m1"], 2]);
	expect(await page("limit=2&after=2")).toEqual([["m2", "m3"], 4]);
	expect(await page("limit=2&after=4")).toEqual([["m4"], null]);
	expect(await page("name=b&bodies=false")).toEqual([[2, 4], null]);
	expect(await page("limit=2&reverse=true")).toEqual([["m4", "m3"], 4]);
	expect(await page("limit=4&reverse=true&after=4")).toEqual([["m2", "m1", "m0"], null]);
	expect((await inspect(runtime, id, "queue/messages?limit=x")).status).toBe(400);
	await inspect(runtime, id, "queue", { method: "DELETE" });
	// A page has so many bytes of bodies, and at least one message.
	await runtime.action(id, "fat");
	const [bodies, next] = (await page("")) as [string[], number];
	expect([bodies.length, next]).toEqual([2, 7]);
});

it("cancels calls and deletes jobs by id", async () => {
	const subject = actor({
		state: {},
		actions: {
			later: () => {},
			plan: async (c) => {
				await c.cron.every({ name: "often", interval: 3_600_000, action: "later" });
				await c.schedule.after(3_600_000, "later");
			},
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "plan");
	const schedules = async () => (await inspect(runtime, id, "schedules")).body.schedules;
	const [call, job] = await schedules();
	expect([call.kind, job.kind]).toEqual(["at", "every"]);
	const remove = async (scheduleId: string) =>
		(await inspect(runtime, id, `schedules/${scheduleId}`, { method: "DELETE" })).body;
	expect((await inspect(runtime, id, `schedules/${job.id}/history`)).body).toEqual({
		scheduleId: job.id,
		history: [],
	});
	expect(await remove(call.id)).toEqual({ deleted: true });
	expect(await remove(call.id)).toEqual({ deleted: false });
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "lifecycle")).body.wakesAtMs).toBe(job.nextRunAt);
	expect(await remove(job.id)).toEqual({ deleted: true });
	await runtime.embedded.host.stop(id, "sleep");
	expect(await schedules()).toEqual([]);
	expect((await inspect(runtime, id, "lifecycle")).body.wakesAtMs).toBeNull();
});

it("shows what became of runs and of calls that were given up, awake and asleep", async () => {
	const subject = actor({
		state: { runs: 0 },
		actions: {
			fail: () => {
				throw new Error("broken");
			},
			plan: async (c) => {
				await c.cron.every({ name: "often", interval: 3_600_000, action: "fail" });
				await c.schedule.after(0, "fail");
			},
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "plan");
	const failures = async () => (await inspect(runtime, id, "schedules/failures")).body.failures;
	await eventually(async () => expect(await failures()).toHaveLength(1));
	expect(await failures()).toEqual([
		{
			id: expect.any(String),
			action: "fail",
			scheduledAt: expect.any(Number),
			firedAt: expect.any(Number),
			finishedAt: expect.any(Number),
			result: "error",
			error: expect.objectContaining({ message: expect.any(String) }),
			attempts: 1,
		},
	]);
	await runtime.embedded.host.stop(id, "sleep");
	expect(await failures()).toHaveLength(1);
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});

it("a change waits for a c.atomic that is under way, and is none of it", async () => {
	const [inside, gate] = [new Gate(), new Gate()];
	const subject = actor({
		state: { count: 1 },
		actions: {
			section: (c) =>
				c.atomic(async () => {
					c.state.count = 50;
					inside.open();
					await gate.passed;
					throw new Error("all of it back");
				}),
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const section = runtime.action(id, "section");
	await inside.passed;
	const patched = inspect(runtime, id, "state", { method: "PATCH", body: { state: { count: 9 } } });
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 50 });
	gate.open();
	expect((await section).status).toBe(500);
	expect((await patched).body).toEqual({ ok: true });
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 9 });
});
