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
