// Completable messages (contract: api 9, A21; lifecycle 12.3, W-Q-2 to W-Q-4, L43; rulings 10, 11).
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { codeOf, outcomeOf } from "../support/wire-http.ts";
import { Crashable } from "./support/crashable.ts";

interface Held {
	readonly id: bigint;
	readonly body: unknown;
	readonly attempt: number;
	complete(response?: unknown): Promise<void>;
	release(): Promise<void>;
}

/** Actions that take a message and do with it what the test says; what they hold is kept by body. */
function holder(options: object = {}, queueOptions: object = {}) {
	const held = new Map<unknown, Held>();
	const gates = new Map<unknown, Gate<string>>();
	const subject = actor({
		state: { done: [] as unknown[] },
		queues: { a: queue<unknown, unknown>(queueOptions), b: queue<unknown, unknown>() },
		options,
		actions: {
			/** Takes one message, and holds it until the gate of its body says what to do. */
			hold: async (c) => {
				const message = await c.queue.tryNext({ completable: true });
				if (!message) return "nothing";
				held.set(message.body, message as never);
				const gate = new Gate<string>();
				gates.set(message.body, gate);
				const what = await gate.passed;
				if (what === "throw") throw new Error("no");
				if (what === "complete") {
					c.state.done.push(message.body);
					await message.complete({ did: message.body });
				}
				if (what === "again") return outcomeOf(c.queue.tryNext());
				return message.attempt;
			},
			send: async (c, body: unknown, options: never) =>
				Number((await c.queue.send("a", body, options)).id),
			done: (c) => c.state.done,
			size: (c) => c.queue.size(),
			nap: (c) => c.sleep(),
		},
	});
	const taken = (body: unknown) =>
		eventually(() => gates.get(body) ?? Promise.reject(new Error("not taken")));
	return { subject, held, taken, gates };
}

/** Begins to hold a message; resolves when it is in hand. */
async function hold(
	crashable: Crashable,
	scene: ReturnType<typeof holder>,
	body: unknown,
): Promise<{ outcome: Promise<unknown>; gate: Gate<string> }> {
	scene.gates.delete(body);
	const outcome = crashable.call("hold");
	outcome.catch(() => {});
	return { outcome, gate: await scene.taken(body) };
}

describe("complete", () => {
	it("removes the message in one commit with what was written before", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		const { gate, outcome } = await hold(crashable, scene, "x");
		const before = crashable.store.commits.length;
		gate.open("complete");
		expect(await outcome).toBe(1);
		expect(crashable.commits(before)).toEqual([["put state", "delete message 1"]]);
		expect(await crashable.call("done")).toEqual(["x"]);
	});

	it("twice, after release and in another's hands is queue.already_completed (A21, W-Q-2)", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		const first = await hold(crashable, scene, "x");
		const message = scene.held.get("x")!;
		await message.complete();
		expect(await outcomeOf(message.complete())).toBe("queue.already_completed");
		expect(await outcomeOf(message.release())).toBe("queue.already_completed");
		first.gate.open("");
		await first.outcome;

		await crashable.send("a", "y");
		const second = await hold(crashable, scene, "y");
		const old = scene.held.get("y")!;
		await old.release();
		expect(await outcomeOf(old.complete())).toBe("queue.already_completed");
		const third = await hold(crashable, scene, "y");
		expect(scene.held.get("y")!.attempt).toBe(2);
		expect(await outcomeOf(old.complete())).toBe("queue.already_completed");
		second.gate.open("");
		await second.outcome;
		third.gate.open("complete");
		await third.outcome;
		expect(await crashable.call("done")).toEqual(["y"]);
		expect(await crashable.call("size")).toBe(0);
	});

	it("two at once: one of them wins", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		const sent = crashable.send("a", "x", { wait: true });
		await eventually(async () => expect(await crashable.call("size")).toBe(1));
		const { gate, outcome } = await hold(crashable, scene, "x");
		const message = scene.held.get("x")!;
		const outcomes = [outcomeOf(message.complete("first")), outcomeOf(message.complete("second"))];
		expect(await Promise.all(outcomes)).toEqual(["ok", "queue.already_completed"]);
		expect((await sent).outcome).toEqual({ status: "completed", response: "first" });
		gate.open("");
		await outcome;
	});

	it("with a response the schema refuses leaves the message uncompleted (A16)", async () => {
		const seen: string[] = [];
		const subject = actor({
			queues: {
				a: queue({ message: z.string(), complete: z.number().transform((n) => n * 2) }),
				later: queue({ message: z.string(), complete: z.number().refine(async (n) => n > 0) }),
				any: queue<string>(),
			},
			run: async (c) => {
				for await (const message of c.queue.iter({ completable: true })) {
					const complete = message.complete as (response?: unknown) => Promise<void>;
					seen.push(await outcomeOf(complete(message.name === "any" ? () => 1 : "one")));
					if (message.name === "later") seen.push(await outcomeOf(complete(-1)));
					seen.push(await outcomeOf(complete(4)));
				}
			},
		});
		await using crashable = await Crashable.start({ subject });
		const send = async (name: string) => (await crashable.send(name, "x", { wait: true })).outcome;
		expect(await send("a")).toEqual({ status: "completed", response: 8 });
		expect(await send("later")).toEqual({ status: "completed", response: 4 });
		expect(await send("any")).toEqual({ status: "completed", response: 4 });
		const refused = "queue.invalid_completion_payload";
		expect(seen).toEqual([refused, "ok", refused, refused, "ok", refused, "ok"]);
	});

	it("after the actor has stopped is actor.stopping, and the message is still there", async () => {
		const scene = holder({ sleepGracePeriod: 50 });
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		await hold(crashable, scene, "x");
		const leftOver = scene.held.get("x")!;
		await crashable.call("nap");
		await eventually(async () => expect(crashable.runtime.embedded.host.liveActorIds).toEqual([]));
		expect(await outcomeOf(leftOver.complete())).toBe("actor.stopping");
		const again = await hold(crashable, scene, "x");
		expect(scene.held.get("x")!.attempt).toBe(2);
		again.gate.open("complete");
		await again.outcome;
	});

	it("is taken back with its effects when their commit fails, and the message is handed out again", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		const first = await hold(crashable, scene, "x");
		crashable.store.failNext();
		first.gate.open("complete");
		expect(codeOf(await first.outcome.catch((error) => error))).toBe("rivetkit.internal_error");
		expect(await crashable.call("done")).toEqual([]);
		const second = await hold(crashable, scene, "x");
		second.gate.open("complete");
		expect(await second.outcome).toBe(2);
		expect(await crashable.call("done")).toEqual(["x"]);
		expect(await crashable.stored()).toEqual([]);
	});
});

describe("a lease", () => {
	it("keeps the message from everybody else until it is over (W-Q-2)", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		for (const body of ["x", "y"]) await crashable.send("a", body);
		const first = await hold(crashable, scene, "x");
		const second = await hold(crashable, scene, "y");
		expect(await crashable.call("hold")).toBe("nothing");
		expect(await crashable.call("size")).toBe(2);
		second.gate.open("complete");
		await second.outcome;
		first.gate.open("complete");
		await first.outcome;
		expect(await crashable.call("done")).toEqual(["y", "x"]);
	});

	it("keeps its holder from receiving: queue.previous_message_not_completed (A21)", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		await crashable.send("a", "y");
		const { gate, outcome } = await hold(crashable, scene, "x");
		gate.open("again");
		expect(await outcome).toBe("queue.previous_message_not_completed");
	});

	it("keeps the other loops of its run from receiving, too: several at a time are one batch (api 9)", async () => {
		const failed: string[] = [];
		const done: number[] = [];
		const subject = actor({
			queues: { loops: queue<number>(), batch: queue<number>() },
			run: async (c) => {
				const gate = new Gate();
				const loop = async (waits: boolean) => {
					for await (const message of c.queue.iter({ names: ["loops"], completable: true })) {
						if (waits) await gate.passed;
						await message.complete();
						if (waits) return;
					}
				};
				const first = loop(true);
				failed.push(await outcomeOf(Promise.race([first, loop(false)])));
				gate.open();
				await first;
				const messages = await c.queue.nextBatch({ names: ["batch"], completable: true, count: 9 });
				const finished = messages.map(async (message) => {
					await new Promise((resolve) => setTimeout(resolve, 10 * (3 - message.body)));
					await message.complete();
					done.push(message.body);
				});
				await Promise.all(finished);
			},
			actions: { fill: (c) => Promise.all([1, 2, 3].map((n) => c.queue.send("batch", n))) },
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.call("fill");
		for (const body of [1, 2]) await crashable.send("loops", body);
		await eventually(() => expect(done).toEqual([3, 2, 1]));
		expect(failed).toEqual(["queue.previous_message_not_completed"]);
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
	});

	it.each(["", "throw"])(
		"ends with the action that has it (%j): the message keeps its place",
		async (how) => {
			const scene = holder();
			await using crashable = await Crashable.start({ subject: scene.subject });
			for (const body of ["x", "y"]) await crashable.send("a", body);
			const { gate, outcome } = await hold(crashable, scene, "x");
			gate.open(how);
			await outcome.catch(() => {});
			const again = await hold(crashable, scene, "x");
			expect(scene.held.get("x")!.attempt).toBe(2);
			again.gate.open("complete");
			await again.outcome;
		},
	);

	it("ends when run leaves its loop, throws, or releases (ruling 11, W-Q-3)", async () => {
		const seen: string[] = [];
		const subject = actor({
			queues: { a: queue<string>() },
			run: async (c) => {
				for (;;) {
					for await (const message of c.queue.iter({ completable: true })) {
						seen.push(`${message.body} ${message.attempt}`);
						if (message.attempt === 1) break;
						if (message.attempt === 2) throw new Error("no");
						if (message.attempt === 3) {
							await message.release();
							continue;
						}
						await message.complete();
					}
					if (c.aborted) return;
				}
			},
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", "x");
		await crashable.send("a", "y");
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(seen).toEqual(["x 1", "x 2", "x 3", "x 4", "y 1", "y 2", "y 3", "y 4"]);
	});

	it("is not over when an iteration ends without complete: that is an error", async () => {
		const seen: string[] = [];
		const subject = actor({
			queues: { a: queue<string>() },
			run: async (c) => {
				try {
					for await (const { body, attempt } of c.queue.iter({ completable: true })) {
						seen.push(`${body} ${attempt}`);
					}
				} catch (error) {
					seen.push(codeOf(error));
				}
			},
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", "x");
		await eventually(() => expect(seen).toEqual(["x 1", "queue.previous_message_not_completed"]));
	});

	it("is counted before the message is handed out: a crash at once counts too (W-Q-4)", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		for (let attempt = 1; attempt < 4; attempt++) {
			const { gate } = await hold(crashable, scene, "x");
			expect(scene.held.get("x")!.attempt).toBe(attempt);
			await crashable.crash();
			// Nothing that the old process still does is seen.
			gate.open("complete");
		}
		expect(await crashable.stored()).toEqual([1]);
	});

	it("does not begin when its commit fails: the receive does, and the delivery does not count", async () => {
		const scene = holder();
		await using crashable = await Crashable.start({ subject: scene.subject });
		await crashable.send("a", "x");
		crashable.store.failNext();
		await expect(crashable.call("hold")).rejects.toMatchObject({ code: "internal_error" });
		const { gate, outcome } = await hold(crashable, scene, "x");
		gate.open("complete");
		expect(await outcome).toBe(1);
	});

	it("does not begin when its receive is aborted on the way; the delivery does not count", async () => {
		const outcomes: unknown[] = [];
		const subject = actor({
			queues: { a: queue<string>() },
			actions: {
				abort: async (c) => {
					const controller = new AbortController();
					const wait = c.queue.next({ completable: true, signal: controller.signal });
					controller.abort();
					outcomes.push(await outcomeOf(wait));
					const message = await c.queue.next({ completable: true });
					outcomes.push(message?.attempt);
					await message?.complete();
				},
			},
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", "x");
		await crashable.call("abort");
		expect(outcomes).toEqual(["actor.aborted", 1]);
		expect(await crashable.stored()).toEqual([]);
	});
});

describe("redelivery", () => {
	it("waits for retryDelay, doubling up to its ceiling, also over crashes", async () => {
		const clock = new FakeClock();
		const scene = holder({}, { retryDelay: { initial: 1_000, max: 3_000 } });
		await using crashable = await Crashable.start({ subject: scene.subject }, clock);
		await crashable.send("a", "x");
		for (const [crash, delayMs] of [
			[false, 1_000],
			[true, 2_000],
			[false, 3_000],
			[true, 3_000],
		] as const) {
			const { gate, outcome } = await hold(crashable, scene, "x");
			if (crash) await crashable.crash();
			gate.open("");
			await outcome.catch(() => {});
			expect(await crashable.call("hold")).toBe("nothing");
			await clock.advance(delayMs - 1);
			expect(await crashable.call("hold")).toBe("nothing");
			await clock.advance(1);
		}
		const { gate, outcome } = await hold(crashable, scene, "x");
		gate.open("complete");
		expect(await outcome).toBe(5);
	});

	it("reaches a receive that waits when the delay is over", async () => {
		const clock = new FakeClock();
		const attempts: number[] = [];
		const subject = actor({
			queues: { a: queue<string>({ retryDelay: 5_000 }) },
			run: async (c) => {
				for (;;) {
					const message = await c.queue.next({ completable: true });
					attempts.push(message!.attempt);
					await (message!.attempt < 3 ? message!.release() : message!.complete());
				}
			},
		});
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.send("a", "x");
		await eventually(() => expect(attempts).toEqual([1]));
		await clock.advance(4_990);
		expect(attempts).toEqual([1]);
		await clock.advance(20);
		await eventually(() => expect(attempts).toEqual([1, 2]));
		await clock.advance(5_020);
		await eventually(() => expect(attempts).toEqual([1, 2, 3]));
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
	});
});
