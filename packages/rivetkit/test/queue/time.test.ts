// Delay and time to live (ours), on a clock that the test moves.
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { soon } from "../support/gate.ts";
import { Crashable } from "./support/crashable.ts";
import { ReceivingActor } from "./support/receiving-actor.ts";

const start = async () => {
	const clock = new FakeClock();
	return { clock, subject: await ReceivingActor.start({ clock }) };
};

describe("delay", () => {
	it("keeps a message back for so long, and then its place is that of its id", async () => {
		const { clock, subject } = await start();
		await using _ = subject;
		await subject.send("a", "late", { delay: 1_000 });
		await subject.send("a", "now");
		await subject.send("a", "half", { delay: 499.5 });
		const take = () => subject.call("tryNextBatch", { count: 10 });
		expect(await take()).toEqual(["now"]);
		await clock.advance(499);
		expect(await take()).toEqual([]);
		await clock.advance(1);
		expect(await take()).toEqual(["half"]);
		await subject.send("a", "more");
		await clock.advance(500);
		expect(await take()).toEqual(["late", "more"]);
	});

	it("is over for a receive that waits when it is over", async () => {
		const { clock, subject } = await start();
		await using _ = subject;
		const { outcome } = await subject.waiting({ names: ["b"] }, { names: ["a"] });
		await subject.send("a", 1, { delay: 300 });
		await subject.send("b", 2, { delay: 200 });
		await clock.advance(320);
		expect(await soon(outcome)).toEqual([2, 1]);
	});

	it("that is over for several at once gives each to one receive that waits, by priority and id", async () => {
		const { clock, subject } = await start();
		await using _ = subject;
		const any = { names: ["b", "a"] };
		const { outcome } = await subject.waiting(any, { names: ["c"] }, { names: ["a"] }, any);
		await subject.send("a", 1, { delay: 300 });
		await subject.send("a", 2, { delay: 300, priority: 1 });
		await subject.send("b", 3, { delay: 300 });
		await subject.send("c", 4, { delay: 300 });
		await subject.send("a", 5, { delay: 300 });
		await clock.advance(320);
		expect(await soon(outcome)).toEqual([2, 4, 1, 3]);
		expect(await subject.call("tryNextBatch", { count: 10 })).toEqual([5]);
	});

	it("that is over before its timer is gives its message to who waits before a new one", async () => {
		const { clock, subject } = await start();
		await using _ = subject;
		const { outcome } = await subject.waiting({}, {});
		await subject.send("a", 1, { delay: 300 });
		clock.setForward(300);
		await subject.send("a", 2);
		expect(await soon(outcome)).toEqual([1, 2]);
	});

	it("that is over for thousands at once gives them to one receive together", async () => {
		const clock = new FakeClock();
		const count = 5_000;
		const subject = actor({
			queues: { a: queue<number>() },
			options: { maxQueueSize: count },
			actions: {
				wait: async (c) => {
					const receiving = c.queue.nextBatch({ count });
					for (let n = 0; n < count; n++) await c.queue.send("a", n, { delay: 1_000 });
					scene.areSent = true;
					return (await receiving).map(({ body }) => body);
				},
			},
		});
		const scene = { areSent: false };
		await using crashable = await Crashable.start({ subject }, clock);
		const received = crashable.call("wait");
		await eventually(() => expect(scene.areSent).toBe(true));
		await clock.advance(1_000);
		expect(await soon(received)).toEqual(Array.from({ length: count }, (_, n) => n));
	});

	it.each([
		["stored", false],
		["still on their way to the disk", true],
	])("that is over for several at once, %s, gives all to a loop one by one", async (_, isHeld) => {
		const clock = new FakeClock();
		const scene = { seen: [] as string[], sent: 0 };
		const subject = actor({
			queues: { a: queue<string>() },
			run: async (c) => {
				for await (const { body } of c.queue.iter()) scene.seen.push(body);
			},
			actions: {
				send: async (c, ...bodies: string[]) => {
					for (const body of bodies) await c.queue.send("a", body, { delay: 1_000 });
					scene.sent += bodies.length;
				},
			},
		});
		await using crashable = await Crashable.start({ subject }, clock);
		const goOn = isHeld ? crashable.store.hold() : () => {};
		const sent = crashable.call("send", "x", "y", "z");
		await eventually(() => expect(scene.sent).toBe(3));
		if (!isHeld) await sent;
		await clock.advance(1_000);
		goOn();
		await sent;
		await eventually(() => expect(scene.seen).toEqual(["x", "y", "z"]));
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
	});

	it("of a retry that is over for several at once gives all again, over a crash, too", async () => {
		const clock = new FakeClock();
		const scene = { seen: [] as string[] };
		const subject = actor({
			queues: { a: queue<number>({ maxAttempts: 5, retryDelay: 1_000 }) },
			run: async (c) => {
				await c.queue.nextBatch({ count: 2, completable: true }).then(async (all) => {
					for (const { body, attempt } of all) scene.seen.push(`${body} ${attempt}`);
					for (const message of all) await message.release();
				});
				for await (const message of c.queue.iter({ completable: true })) {
					scene.seen.push(`${message.body} ${message.attempt}`);
					await message.complete();
				}
			},
			actions: {
				send: async (c) => {
					for (const body of [1, 2]) await c.queue.send("a", body, { delay: 1_000 });
				},
			},
		});
		for (const crashes of [false, true]) {
			scene.seen = [];
			await using crashable = await Crashable.start({ subject }, clock);
			await crashable.call("send");
			if (crashes) await crashable.crash();
			await clock.advance(1_000);
			await eventually(() => expect(scene.seen).toEqual(["1 1", "2 1"]));
			await clock.advance(1_000);
			await eventually(() => expect(scene.seen).toEqual(["1 1", "2 1", "1 2", "2 2"]));
			await eventually(async () => expect(await crashable.stored()).toEqual([]));
		}
	});

	it("survives a crash; its time wakes the actor, whose run gets the message", async () => {
		const clock = new FakeClock();
		const seen: number[] = [];
		const subject = actor({
			queues: { a: queue<number>() },
			run: async (c) => {
				for await (const { body } of c.queue.iter()) seen.push(body);
			},
			actions: {
				send: async (c, body: number, delay: number) =>
					void (await c.queue.send("a", body, { delay })),
				nap: (c) => c.sleep(),
			},
		});
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.call("send", 1, 5_000);
		await crashable.call("send", 2, 3_600_000);
		await crashable.restart();
		await clock.advance(4_900);
		expect(crashable.runtime.embedded.host.liveActorIds).toEqual([]);
		await clock.advance(200);
		await eventually(() => expect(seen).toEqual([1]));
		await crashable.call("nap");
		await eventually(() => expect(crashable.runtime.embedded.host.liveActorIds).toEqual([]));
		await clock.advance(3_500_000);
		expect(crashable.runtime.embedded.host.liveActorIds).toEqual([]);
		await clock.advance(100_000);
		await eventually(() => expect(seen).toEqual([1, 2]));
	});
});

describe("time to live", () => {
	it("drops what nobody took in time, and makes room", async () => {
		const { clock, subject } = await start();
		await using _ = subject;
		await subject.send("a", "short", { ttl: 100 });
		await subject.send("a", "long", { ttl: 1_000 });
		await subject.send("a", "late", { ttl: 50, delay: 100 });
		await clock.advance(99);
		expect(await subject.call("size")).toBe(2);
		await clock.advance(20);
		expect(await subject.call("size")).toBe(1);
		expect(await subject.call("tryNextBatch", { count: 10 })).toEqual(["long"]);
		const range = { start: Uint8Array.of(0x10), end: null };
		await clock.advance(2_000);
		await eventually(async () =>
			expect(await subject.runtime.store.scan(subject.id, range)).toEqual([]),
		);
	});

	it("is over for a message that comes back too late, not for one that is in hand", async () => {
		const clock = new FakeClock();
		const seen: string[] = [];
		const subject = actor({
			queues: { a: queue<string>() },
			actions: {
				hold: async (c, ms: number, completes: boolean) => {
					const message = await c.queue.tryNext({ completable: true });
					seen.push(`${message?.body}`);
					await new Promise<void>((resolve) => {
						clock.after(ms, resolve);
					});
					await (completes ? message?.complete() : message?.release());
				},
				send: async (c, body: string) => void (await c.queue.send("a", body, { ttl: 100 })),
				size: (c) => c.queue.size(),
			},
		});
		await using crashable = await Crashable.start({ subject }, clock);
		for (const completes of [true, false]) {
			await crashable.call("send", `completes ${completes}`);
			const holding = crashable.call("hold", 500, completes);
			await eventually(() => expect(seen).toContain(`completes ${completes}`));
			await clock.advance(300);
			expect(await crashable.call("size")).toBe(1);
			await clock.advance(300);
			await holding;
			expect(await crashable.call("size")).toBe(0);
		}
		expect(await crashable.stored()).toEqual([]);
	});

	it("does not wake an actor that sleeps; its next wake drops what is over", async () => {
		const clock = new FakeClock();
		const seen: string[] = [];
		const subject = actor({
			queues: { a: queue<string>() },
			run: async (c) => {
				for await (const { body } of c.queue.iter()) seen.push(body);
			},
			actions: {
				nap: async (c) => {
					await c.queue.send("a", "late", { delay: 50_000, ttl: 10_000 });
					c.sleep();
				},
			},
		});
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.call("nap");
		await eventually(() => expect(crashable.runtime.embedded.host.liveActorIds).toEqual([]));
		expect(await crashable.stored()).toEqual([1]);
		await clock.advance(20_000);
		expect(crashable.runtime.embedded.host.liveActorIds).toEqual([]);
		await crashable.wake();
		await clock.advance(2_000);
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(seen).toEqual([]);
	});

	it("that is over is told to a sender that waits: timedOut", async () => {
		const clock = new FakeClock();
		const subject = actor({ queues: { a: queue<string>() } });
		await using crashable = await Crashable.start({ subject }, clock);
		const headers = { "x-rivet-queue-options": '{"ttl":100}' };
		const sent = crashable.send("a", "x", { wait: true, headers });
		await eventually(async () => expect(await crashable.stored()).toEqual([1]));
		await clock.advance(150);
		expect((await soon(sent)).outcome).toEqual({ status: "timedOut" });
	});
});
