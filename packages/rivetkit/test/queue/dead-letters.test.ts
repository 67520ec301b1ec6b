// Messages that nobody can handle (contract: lifecycle W-Q-4, L43).
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { Crashable } from "./support/crashable.ts";

function poisoned(queueOptions: object = {}, deadOptions: object = {}) {
	const seen: string[] = [];
	const scene = { isFixed: false, held: new Gate() };
	const subject = actor({
		state: { total: 0 },
		queues: {
			jobs: queue<number>({ maxAttempts: 3, deadLetter: "dead", ...queueOptions }),
			other: queue<number>({ maxAttempts: 1 }),
			dead: queue<number>(deadOptions),
		},
		run: async (c) => {
			for (;;) {
				for await (const message of c.queue.iter({ completable: true })) {
					seen.push(`${message.name} ${message.body} ${message.attempt}`);
					if (message.body < 0 && !scene.isFixed) break;
					c.state.total += message.body;
					await message.complete();
				}
				if (c.aborted) return;
			}
		},
		actions: {
			dead: (c, options: never) => c.queue.deadLetters(options),
			redrive: (c, options: never) => c.queue.redrive(options),
			takeDead: async (c) => {
				const message = await c.queue.tryNext({ names: ["dead"] });
				return message && [message.name, message.body, message.attempt];
			},
			holdDead: async (c) => {
				const message = await c.queue.next({ names: ["dead"], completable: true });
				await scene.held.passed;
				await message?.complete();
			},
			total: (c) => c.state.total,
			size: (c) => c.queue.size("dead"),
			nap: (c) => c.sleep(),
		},
	});
	return { subject, seen, scene };
}

describe("a message that used up its deliveries", () => {
	it("moves to the dead-letter queue, behind which the others go on; run does not get it from there", async () => {
		const { subject, seen } = poisoned();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", -1);
		await crashable.send("jobs", 2);
		await eventually(async () => expect(await crashable.call("total")).toBe(2));
		expect(seen).toEqual(["jobs -1 1", "jobs -1 2", "jobs -1 3", "jobs 2 1"]);
		expect(await crashable.call("dead")).toEqual([
			{
				id: 1n,
				name: "dead",
				queue: "jobs",
				body: -1,
				attempts: 3,
				createdAt: expect.any(Number),
				givenUpAt: expect.any(Number),
			},
		]);
		const line = crashable.runtime.log.find(({ message }) => message.includes("dead-letter"));
		expect(line).toMatchObject({
			level: "error",
			fields: { queue: "jobs", messageId: 1, attempts: 3, deadLetter: "dead" },
		});
	});

	it("is there after a crash, and its last delivery may be the one that crashed", async () => {
		const { subject, seen } = poisoned();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", -1);
		await eventually(async () => expect(await crashable.call("size")).toBe(1));
		await crashable.crash();
		expect(await crashable.call("dead")).toMatchObject([{ id: 1n, queue: "jobs", attempts: 3 }]);

		const blocking = actor({
			queues: {
				jobs: queue<number>({ maxAttempts: 2, deadLetter: "dead" }),
				dead: queue<number>(),
			},
			run: async (c) => {
				const message = await c.queue.next({ completable: true });
				seen.push(`blocking ${message?.attempt}`);
				await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
			},
			actions: { dead: (c) => c.queue.deadLetters() },
		});
		await using other = await Crashable.start({ blocking });
		await other.send("jobs", 7);
		await eventually(() => expect(seen).toContain("blocking 1"));
		await other.crash();
		await eventually(() => expect(seen).toContain("blocking 2"));
		await other.crash();
		expect(await other.call("dead")).toMatchObject([{ queue: "jobs", attempts: 2, body: 7 }]);
		expect(seen.filter((line) => line.startsWith("blocking"))).toHaveLength(2);
	});

	it("is dropped and logged without a dead-letter queue", async () => {
		const { subject } = poisoned();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("other", -1);
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		const line = crashable.runtime.log.find(({ message }) => message.includes("is dropped"));
		expect(line).toMatchObject({ level: "error", fields: { queue: "other", attempts: 1 } });
	});

	it("is told to a sender that waits (queue.message_given_up)", async () => {
		const { subject } = poisoned();
		await using crashable = await Crashable.start({ subject });
		const answer = await crashable.send("jobs", -1, { wait: true });
		expect([answer.status, codeOf(answer)]).toEqual([400, "queue.message_given_up"]);
		expect(answer.error?.metadata).toEqual({ queue: "jobs", attempts: 3 });
	});
});

describe("what the inspector will show", () => {
	it("is a summary without bodies, oldest first, that consumes nothing (protocol 7.2)", async () => {
		let summary: ((limit: number) => unknown) | null = null;
		const subject = actor({
			queues: { a: queue<number>(), b: queue<number>() },
			actions: {
				look: (c) => {
					const { instance } = c as unknown as {
						instance: { queue: { summary(limit: number): unknown } };
					};
					summary = (limit) => instance.queue.summary(limit);
				},
			},
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("b", 1);
		await crashable.send("a", 2);
		await crashable.call("look");
		const first = { id: 1, name: "b", createdAtMs: expect.any(Number) };
		const second = { id: 2, name: "a", createdAtMs: expect.any(Number) };
		const size = { size: 2, maxSize: 1_000 };
		expect(summary!(50)).toEqual({ ...size, truncated: false, messages: [first, second] });
		expect(summary!(1)).toEqual({ ...size, truncated: true, messages: [first] });
		expect(summary!(0)).toEqual({ ...size, truncated: true, messages: [] });
		expect(await crashable.stored()).toEqual([1, 2]);
	});
});

describe("dead letters", () => {
	it("go back to their queue on request, with their deliveries counted anew", async () => {
		const { subject, seen, scene } = poisoned();
		await using crashable = await Crashable.start({ subject });
		for (const body of [-1, -2, -4]) await crashable.send("jobs", body);
		await eventually(async () => expect(await crashable.call("size")).toBe(3));
		expect(await crashable.call("dead", { limit: 2 })).toMatchObject([{ body: -1 }, { body: -2 }]);
		expect(await crashable.call("dead", { queue: "other" })).toEqual([]);
		seen.length = 0;
		scene.isFixed = true;
		expect(await crashable.call("redrive", { ids: [2n] })).toBe(1);
		await eventually(async () => expect(await crashable.call("total")).toBe(-2));
		expect(await crashable.call("redrive", { queue: "jobs", limit: 1 })).toBe(1);
		await eventually(async () => expect(await crashable.call("total")).toBe(-3));
		expect(await crashable.call("redrive")).toBe(1);
		await eventually(async () => expect(await crashable.call("total")).toBe(-7));
		expect(seen).toEqual(["jobs -2 1", "jobs -1 1", "jobs -4 1"]);
		expect(await crashable.call("redrive")).toBe(0);
		expect(await crashable.stored()).toEqual([]);
	});

	it("are named once each, and together with a queue all of it, or none goes back", async () => {
		const { subject, scene } = poisoned({ maxSize: 2 });
		await using crashable = await Crashable.start({ subject });
		for (const body of [-1, -2]) await crashable.send("jobs", body);
		await eventually(async () => expect(await crashable.call("size")).toBe(2));
		await expect(
			crashable.call("redrive", { ids: [1n, 2n], queue: "other" }),
		).rejects.toMatchObject({ code: "message_not_found", metadata: { id: 1n } });
		expect(await crashable.call("size")).toBe(2);
		scene.isFixed = true;
		const twice = { ids: [1n, 2n, 1n], queue: "jobs" };
		expect(await crashable.call("redrive", twice)).toBe(2);
		await eventually(async () => expect(await crashable.call("total")).toBe(-3));
	});

	it("that do not exist, or are in somebody's hands, are queue.message_not_found", async () => {
		const { subject, scene } = poisoned();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", -1);
		await eventually(async () => expect(await crashable.call("size")).toBe(1));
		const { runtime, id } = crashable;
		const redrive = (ids: bigint[]) =>
			wireAction(runtime, id, "redrive", [{ ids }], { encoding: "cbor" });
		const unknown = await redrive([1n, 99n]);
		expect([unknown.status, codeOf(unknown)]).toEqual([400, "queue.message_not_found"]);
		expect(unknown.error?.metadata).toEqual({ id: 99n });
		// All or none.
		expect(await crashable.call("size")).toBe(1);
		const holding = crashable.call("holdDead");
		await eventually(async () =>
			expect(codeOf(await redrive([1n]))).toBe("queue.message_not_found"),
		);
		scene.held.open();
		await holding;
		expect(await crashable.call("size")).toBe(0);
		const misspelt = await wireAction(runtime, id, "redrive", [{ id: [1] }]);
		expect(codeOf(misspelt)).toBe("queue.invalid_option");
	});

	it("can be received by name, as any other message", async () => {
		const { subject } = poisoned();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", -1);
		await eventually(async () => expect(await crashable.call("size")).toBe(1));
		expect(await crashable.call("takeDead")).toEqual(["dead", -1, 1]);
		expect(await crashable.call("takeDead")).toBeUndefined();
	});

	it("push out the oldest also when it was more urgent than others", async () => {
		const { subject } = poisoned({ maxAttempts: 1 }, { maxSize: 2 });
		await using crashable = await Crashable.start({ subject });
		for (const [index, priority] of [0, 9, 0].entries()) {
			const headers = { "x-rivet-queue-options": JSON.stringify({ priority }) };
			await crashable.send("jobs", -1 - index, { headers });
			await eventually(async () =>
				expect(await crashable.call("size")).toBe(Math.min(2, index + 1)),
			);
		}
		await eventually(async () =>
			expect(await crashable.call("dead")).toMatchObject([{ body: -2 }, { body: -3 }]),
		);
	});

	it("that go back together go to those who wait by their priority", async () => {
		const waiting = { count: 0 };
		const subject = actor({
			queues: {
				jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead" }),
				dead: queue<number>(),
			},
			actions: {
				give: async (c, body: number, priority: number) => {
					await c.queue.send("jobs", body, { priority });
					await (await c.queue.tryNext({ completable: true }))?.release();
				},
				wait: async (c) => {
					const receiving = c.queue.next({ names: ["jobs"] });
					waiting.count++;
					return (await receiving)?.body;
				},
				redrive: (c) => c.queue.redrive(),
			},
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.call("give", 1, 0);
		await crashable.call("give", 2, 5);
		const received: Promise<unknown>[] = [];
		for (const count of [1, 2]) {
			received.push(crashable.call("wait"));
			await eventually(() => expect(waiting.count).toBe(count));
		}
		expect(await crashable.call("redrive")).toBe(2);
		expect(await Promise.all(received)).toEqual([2, 1]);
	});

	it("beyond maxSize of their queue push out the oldest; redrive respects maxSize of the other", async () => {
		const { subject } = poisoned({ maxSize: 1 }, { maxSize: 2 });
		await using crashable = await Crashable.start({ subject });
		for (const body of [-1, -2, -3]) {
			await eventually(async () => expect((await crashable.send("jobs", body)).status).toBe(200));
		}
		await eventually(async () =>
			expect(await crashable.call("dead")).toMatchObject([{ body: -2 }, { body: -3 }]),
		);
		await expect(crashable.call("redrive")).rejects.toMatchObject({
			group: "queue",
			code: "full",
			metadata: { limit: 1, queue: "jobs" },
		});
		expect(await crashable.call("size")).toBe(2);
	});
});
