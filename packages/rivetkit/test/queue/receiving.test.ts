// Receiving from queues (contract: api 9, A20; lifecycle 12.1, 12.2; ruling 20).
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { DELIVERIES_PER_TURN_MAX, RECEIVES_WAITING_MAX } from "../../src/runtime/queue/limits.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction, wireSend } from "../support/wire-http.ts";
import { ReceivingActor } from "./support/receiving-actor.ts";

describe("order (A20)", () => {
	it("is by id among the selected names, highest priority first", async () => {
		await using subject = await ReceivingActor.start();
		for (const [name, body, priority] of [
			["a", 1, 0],
			["b", 2, 0],
			["a", 3, 0],
			["c", 4, 7],
			["b", 5, -1],
			["a", 6, 7],
		] as const) {
			await subject.send(name, body, { priority });
		}
		const take = (options: object) => subject.call("tryNextBatch", options);
		expect(await take({ names: ["b"], count: 1 })).toEqual([2]);
		expect(await take({ names: ["c", "a", "a"], count: 3 })).toEqual([4, 6, 1]);
		expect(await take({ names: [], count: 10 })).toEqual([3, 5]);
		expect(await take({ count: 10 })).toEqual([]);
	});

	it("of waiting receives is that of their calls; each takes what matches", async () => {
		await using subject = await ReceivingActor.start();
		const { outcome } = await subject.waiting(
			{ names: ["a"] },
			{ names: ["b", "a"] },
			{},
			{ names: ["a"] },
		);
		for (const [name, body] of [
			["b", 1],
			["a", 2],
			["a", 3],
			["b", 4],
			["a", 5],
		] as const) {
			await subject.send(name, body);
		}
		expect(await soon(outcome)).toEqual([2, 1, 3, 5]);
		expect(await subject.call("tryNextBatch", { count: 10 })).toEqual([4]);
	});
});

describe("batches", () => {
	it("resolve as soon as there is one message, with what is there, up to count", async () => {
		await using subject = await ReceivingActor.start();
		const waiting = subject.call("nextBatch", { count: 5 });
		await subject.send("a", 1);
		expect(await soon(waiting)).toEqual([1]);
		for (let n = 2; n < 6; n++) await subject.send("a", n);
		expect(await subject.call("nextBatch", {})).toEqual([2]);
		expect(await subject.call("nextBatch", { count: 0 })).toEqual([3]);
		expect(await subject.call("nextBatch", { count: -3 })).toEqual([4]);
		expect(await subject.call("nextBatch", { count: 2 })).toEqual([5]);
	});
});

describe("timeouts", () => {
	it("next resolves undefined, nextBatch an empty list; 0 does not wait", async () => {
		const clock = new FakeClock();
		await using subject = await ReceivingActor.start({ clock });
		expect(await subject.call("next", { timeout: 0 })).toBeUndefined();
		expect(await subject.call("nextBatch", { timeout: 0 })).toEqual([]);
		expect(await subject.call("tryNext", {})).toBeUndefined();
		const { outcome } = await subject.waiting({ timeout: 500 }, { timeout: 2_000 }, {});
		await clock.advance(499);
		await subject.send("a", 1);
		await clock.advance(1);
		await clock.advance(1_000);
		await subject.send("a", 2);
		await subject.send("a", 3);
		expect(await soon(outcome)).toEqual([1, 2, 3]);
		const late = await subject.waiting({ timeout: 500 });
		await clock.advance(520);
		expect(await soon(late.outcome)).toEqual([undefined]);
		// What comes after is not given to a wait that is over.
		await subject.send("a", 4);
		expect(await subject.call("next", { timeout: 0 })).toBe(4);
	});
});

describe("aborts", () => {
	it("a signal rejects next and nextBatch with actor.aborted, before and during the wait", async () => {
		const seen: string[] = [];
		const gate = new Gate();
		const subject = actor({
			queues: { a: queue<number>() },
			actions: {
				go: async (c) => {
					const controller = new AbortController();
					const { signal } = controller;
					const waits = [c.queue.next({ signal }), c.queue.nextBatch({ signal, timeout: 5_000 })];
					gate.open();
					await Promise.resolve();
					controller.abort(new Error("mine"));
					for (const wait of waits) seen.push(await outcomeOf(wait));
					seen.push(await outcomeOf(c.queue.next({ signal })));
					for await (const _ of c.queue.iter({ signal })) seen.push("message");
					seen.push("ended");
					await c.queue.send("a", 1);
					// An aborted signal takes nothing.
					seen.push(await outcomeOf(c.queue.next({ signal })));
					seen.push(String((await c.queue.next())?.body));
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(codeOf(await wireAction(runtime, id, "go"))).toBe("ok");
		expect(seen).toEqual([
			"actor.aborted",
			"actor.aborted",
			"actor.aborted",
			"ended",
			"actor.aborted",
			"1",
		]);
	});

	it.each(["nap", "end"])("the actor's stop (%s) does the same, and ends iter", async (stop) => {
		const seen: string[] = [];
		const ended = new Gate();
		const subject = actor({
			queues: { a: queue<number>(), b: queue<number>() },
			run: async (c) => {
				const next = outcomeOf(c.queue.next({ names: ["b"] }));
				for await (const { body } of c.queue.iter({ names: ["a"] })) seen.push(`got ${body}`);
				seen.push("iter ended", await next, await outcomeOf(c.queue.next()));
				ended.open();
			},
			actions: { nap: (c) => c.sleep(), end: (c) => c.destroy() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireSend(runtime, id, "a", 1);
		await eventually(() => expect(seen).toEqual(["got 1"]));
		await runtime.action(id, stop);
		await soon(ended.passed);
		expect(seen).toEqual(["got 1", "iter ended", "actor.aborted", "actor.aborted"]);
	});

	it("receives in stop hooks throw actor.stopping (ruling 20)", async () => {
		const seen: string[] = [];
		const look = async (c: { queue: object }) => {
			const q = c.queue as Record<string, (options?: object) => Promise<unknown>>;
			for (const form of ["tryNext", "tryNextBatch", "next", "nextBatch"]) {
				seen.push(await outcomeOf(q[form]!()));
			}
			const iterator = (c.queue as { iter(): AsyncIterator<unknown> }).iter();
			seen.push(await outcomeOf(iterator.next()));
		};
		const subject = actor({
			queues: { a: queue<number>() },
			onSleep: look,
			actions: { nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireSend(runtime, id, "a", 1);
		await runtime.action(id, "nap");
		await eventually(() => expect(seen).toHaveLength(5));
		expect(new Set(seen)).toEqual(new Set(["actor.stopping"]));
	});

	it("an action that is over gets nothing that it asked for in a full turn", async () => {
		const outcomes: string[] = [];
		const subject = actor({
			queues: { a: queue<number>() },
			actions: {
				/** Has had as much as one turn hands out, and asks for more without waiting for it. */
				take: async (c) => {
					await c.queue.tryNextBatch({ count: DELIVERIES_PER_TURN_MAX });
					outcomeOf(c.queue.next()).then((outcome) => outcomes.push(outcome));
				},
				size: (c) => c.queue.size(),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (let n = 0; n < DELIVERIES_PER_TURN_MAX + 2; n++) await wireSend(runtime, id, "a", n);
		await wireAction(runtime, id, "take");
		await eventually(() => expect(outcomes).toEqual(["actor.aborted"]));
		expect((await wireAction(runtime, id, "size")).output).toBe(2);
	});

	it("an action that is over waits for nothing any more: what comes is for others", async () => {
		const clock = new FakeClock();
		let late = "";
		const subject = actor({
			options: { actionTimeout: 1_000 },
			queues: { a: queue<number>() },
			actions: {
				wait: async (c) => {
					late = await outcomeOf(c.queue.next());
				},
				take: async (c) => (await c.queue.tryNext())?.body,
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const waiting = wireAction(runtime, id, "wait");
		await eventually(async () => {
			await clock.advance(100);
			expect(late).toBe("actor.aborted");
		});
		expect(codeOf(await waiting)).toBe("action.timed_out");
		await wireSend(runtime, id, "a", 1);
		expect((await wireAction(runtime, id, "take")).output).toBe(1);
	});
});

describe("iter", () => {
	it("waits for one message after the other, and can be left and entered again", async () => {
		const seen: number[] = [];
		const subject = actor({
			queues: { a: queue<number>() },
			run: async (c) => {
				while (!c.aborted) {
					for await (const { body } of c.queue.iter()) {
						seen.push(body);
						if (body % 2 === 0) break;
					}
					seen.push(-1);
				}
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (let n = 1; n < 5; n++) await wireSend(runtime, id, "a", n);
		await eventually(() => expect(seen).toEqual([1, 2, -1, 3, 4, -1]));
	});

	it("that is left while a message is waited for takes none: what comes is for others", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			queues: { a: queue<number>() },
			actions: {
				go: async (c) => {
					for (const completable of [false, true]) {
						const messages = c.queue.iter({ completable });
						const waiting = messages.next();
						await new Promise((resolve) => setImmediate(resolve));
						await messages.return!();
						await c.queue.send("a", 1);
						seen.push(await waiting, (await c.queue.tryNext())?.body, await messages.next());
						// Left before it began.
						const unused = c.queue.iter({ completable });
						await unused.return!();
						seen.push(await unused.next());
					}
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(codeOf(await wireAction(runtime, id, "go"))).toBe("ok");
		const over = { done: true, value: undefined };
		expect(seen).toEqual([over, 1, over, over, over, 1, over, over]);
	});

	it("that is left in a full turn takes none either", async () => {
		const subject = actor({
			queues: { a: queue<number>() },
			actions: {
				go: async (c) => {
					const count = DELIVERIES_PER_TURN_MAX;
					for (let n = 0; n <= count; n++) await c.queue.send("a", n);
					await c.queue.tryNextBatch({ count });
					const messages = c.queue.iter();
					const waiting = messages.next();
					await messages.return!();
					return [(await waiting).done, (await c.queue.tryNext())?.body === count];
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "go")).output).toEqual([true, true]);
	});

	it("does not keep others from running while it works off a backlog", async () => {
		const subject = actor({
			state: { handled: 0 },
			queues: { a: queue<number>() },
			options: { maxQueueSize: 10_000 },
			run: async (c) => {
				for await (const _ of c.queue.iter()) c.state.handled++;
			},
			actions: {
				fill: async (c, count: number) => {
					for (let n = 0; n < count; n++) await c.queue.send("a", n);
					return new Promise<number>((resolve) => {
						setImmediate(() => resolve(c.state.handled));
					});
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const handledInOneTurn = (await wireAction(runtime, id, "fill", [5_000])).output;
		expect(handledInOneTurn).toBeGreaterThan(0);
		expect(handledInOneTurn).toBeLessThan(1_000);
	});
});

describe("limits and options", () => {
	it("too many waiting receives are refused by name", async () => {
		await using subject = await ReceivingActor.start();
		const all = Array.from({ length: RECEIVES_WAITING_MAX }, () => ({ names: ["b"] }));
		const { outcome } = await subject.waiting(...all);
		const refused = await subject.answer("next", {});
		expect(codeOf(refused)).toBe("queue.too_many_waits");
		expect(refused.error?.metadata).toEqual({ limit: RECEIVES_WAITING_MAX });
		await subject.runtime.action(subject.id, "nap");
		expect(await outcomeOf(outcome)).toBe("actor.aborted");
	});

	it.each([
		["next", { names: "a" }],
		["next", { timeout: "1" }],
		["next", { signal: "soon" }],
		["tryNextBatch", { count: Number.NaN }],
		["nextBatch", { completable: 1 }],
		["nextBatch", null],
	])("%s(%j) is refused", async (form, options) => {
		await using subject = await ReceivingActor.start();
		expect(codeOf(await subject.answer(form, options))).toBe("queue.invalid_option");
	});

	it("options that a receive does not take do nothing, and are logged once", async () => {
		await using subject = await ReceivingActor.start();
		await subject.send("a", 1);
		await subject.send("a", 2);
		expect(await subject.call("tryNext", { name: ["b"], timeout: 5_000 })).toBe(1);
		expect(await subject.call("tryNext", { name: ["b"] })).toBe(2);
		expect(await subject.call("next", { count: 2, timeout: 0 })).toBeUndefined();
		const warned = subject.runtime.log.filter(({ level }) => level === "warn");
		expect(warned.map(({ fields }) => [fields.form, fields.option])).toEqual([
			["c.queue.tryNext", "name"],
			["c.queue.tryNext", "timeout"],
			["c.queue.next", "count"],
		]);
	});
});
