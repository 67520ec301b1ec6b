// Dedupe keys (contract: lifecycle W-Q-10).
import { HEADER_CALL_ID } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { ANSWER_KEPT_MS, DEDUPE_WINDOW_MS } from "../../src/runtime/queue/limits.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { codeOf, type WireSend } from "../support/wire-http.ts";
import { Crashable } from "./support/crashable.ts";

const subject = actor({
	queues: { a: queue<number>(), b: queue<number>(), c: queue({ message: z.number().min(0) }) },
	options: { maxQueueSize: 5 },
	actions: {
		send: (c, name: "a" | "b", body: number, dedupeKey: string) =>
			c.queue.send(name, body, { dedupeKey }),
		sendTwice: async (c) => {
			const sent = [1, 2].map((body) => c.queue.send("a", body, { dedupeKey: "twice" }));
			return (await Promise.all(sent)).map(({ id }) => id);
		},
		take: async (c) => (await c.queue.tryNextBatch({ count: 10 })).map(({ body }) => body),
		answer: async (c) => {
			const message = await c.queue.tryNext({ completable: true });
			await message?.complete("done");
		},
		nap: (c) => c.sleep(),
	},
});

const dedupe = (dedupeKey: string): WireSend => ({
	headers: { "x-rivet-queue-options": JSON.stringify({ dedupeKey }) },
});

describe("a dedupe key", () => {
	it("stands for the message it was first sent with, per queue, also at the same moment", async () => {
		await using crashable = await Crashable.start({ subject });
		const first = (await crashable.call("send", "a", 1, "k")) as { id: bigint; createdAt: number };
		expect(await crashable.call("send", "a", 2, "k")).toMatchObject({
			id: first.id,
			createdAt: first.createdAt,
		});
		expect(await crashable.call("send", "b", 3, "k")).toMatchObject({ id: 2n });
		expect(await crashable.call("sendTwice")).toEqual([3n, 3n]);
		await Promise.all([4, 5, 6].map((body) => crashable.send("a", body, dedupe("wire"))));
		const bodies = (await crashable.call("take")) as number[];
		expect(bodies).toHaveLength(4);
		expect(bodies.slice(0, 3)).toEqual([1, 3, 1]);
	});

	it("gives `c.queue.send` the message that is there, with its own body, over sleep and crash", async () => {
		await using crashable = await Crashable.start({ subject });
		const send = (body: number) => crashable.call("send", "a", body, "k");
		const first = await send(1);
		expect(first).toMatchObject({ id: 1n, name: "a", body: 1, attempt: 0 });
		expect(await send(2)).toEqual(first);
		await crashable.call("nap");
		expect(await send(3)).toEqual(first);
		await crashable.crash();
		expect(await send(4)).toEqual(first);
		// No body is kept of a message that has left its queue.
		expect(await crashable.call("take")).toEqual([1]);
		expect(await send(5)).toEqual({ ...(first as object), body: 5 });
		expect(await crashable.call("take")).toEqual([]);
	});

	it("is remembered when the message is handled, over sleep and crash, for 24 hours", async () => {
		const clock = new FakeClock();
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.send("a", 1, dedupe("k"));
		expect(await crashable.call("take")).toEqual([1]);
		await crashable.send("a", 2, dedupe("k"));
		await crashable.call("nap");
		await crashable.send("a", 3, dedupe("k"));
		await crashable.crash();
		await clock.advance(DEDUPE_WINDOW_MS - 1);
		await crashable.send("a", 4, dedupe("k"));
		expect(await crashable.call("take")).toEqual([]);
		await clock.advance(1);
		await crashable.send("a", 5, dedupe("k"));
		await crashable.send("a", 6, dedupe("k"));
		expect(await crashable.call("take")).toEqual([5]);
	});

	it("of a message that was refused, or whose commit failed, stands for nothing", async () => {
		await using crashable = await Crashable.start({ subject });
		expect(codeOf(await crashable.send("c", -1, dedupe("k")))).toBe("queue.invalid_payload");
		expect(codeOf(await crashable.send("c", 1, dedupe("k")))).toBe("ok");
		crashable.store.failNext();
		expect((await crashable.send("a", 2, dedupe("k"))).status).toBe(500);
		expect(codeOf(await crashable.send("a", 3, dedupe("k")))).toBe("ok");
		for (let n = 0; n < 3; n++) await crashable.send("b", n);
		expect(codeOf(await crashable.send("b", 9, dedupe("full")))).toBe("queue.full");
		expect(await crashable.call("take")).toEqual([1, 3, 0, 1, 2]);
		expect(codeOf(await crashable.send("b", 9, dedupe("full")))).toBe("ok");
	});

	it("lets a second sender wait for the first one's message, and completes it when that is gone", async () => {
		await using crashable = await Crashable.start({ subject });
		const wait = { ...dedupe("k"), wait: true };
		const first = crashable.send("a", 1, wait);
		await eventually(async () => expect(await crashable.stored()).toEqual([1]));
		const second = crashable.send("a", 2, wait);
		// Its connection has come, so it is waiting.
		await crashable.call("take").then(
			() => {},
			() => {},
		);
		const outcomes = [(await first).outcome, (await second).outcome];
		expect(outcomes).toEqual([{ status: "completed" }, { status: "completed" }]);
		expect((await crashable.send("a", 3, wait)).outcome).toEqual({ status: "completed" });
	});

	it("gives a sender that comes anew what became of the message, over a crash, while that is kept", async () => {
		const clock = new FakeClock();
		await using crashable = await Crashable.start({ subject }, clock);
		const send = async (key: string, options: object = {}) => {
			const headers = {
				"x-rivet-queue-options": JSON.stringify({ dedupeKey: key, ...options }),
			};
			return (await crashable.send("a", 1, { headers, wait: true })).outcome;
		};
		const answered = send("answered");
		await eventually(async () => expect(await crashable.stored()).toEqual([1]));
		await crashable.call("answer");
		const done = { status: "completed", response: "done" };
		expect([await answered, await send("answered")]).toEqual([done, done]);
		const mortal = { ttl: 100 };
		const expired = send("expired", mortal);
		await eventually(async () => expect(await crashable.stored()).toEqual([2]));
		await clock.advance(200);
		expect([await expired, await send("expired", mortal)]).toEqual(
			Array(2).fill({ status: "timedOut" }),
		);
		await crashable.crash();
		expect([await send("answered"), await send("expired", mortal)]).toEqual([
			done,
			{ status: "timedOut" },
		]);
		await clock.advance(ANSWER_KEPT_MS);
		expect(await send("answered")).toEqual({ status: "completed" });
	});

	it("whose sender did not wait has no response to give", async () => {
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 1, dedupe("k"));
		await crashable.call("answer");
		const { outcome } = await crashable.send("a", 1, { ...dedupe("k"), wait: true });
		expect(outcome).toEqual({ status: "completed" });
	});

	it("leaves nothing behind when its time is over: old keys go with new ones", async () => {
		const clock = new FakeClock();
		await using crashable = await Crashable.start({ subject }, clock);
		const rows = async () =>
			(await crashable.store.inner.scan(crashable.id, { start: Uint8Array.of(0x10), end: null }))
				.length;
		for (let n = 0; n < 40; n++) {
			await crashable.send("a", n, dedupe(`old ${n}`));
			await crashable.call("take");
		}
		expect(await rows()).toBe(80);
		await clock.advance(DEDUPE_WINDOW_MS);
		await crashable.crash();
		for (let n = 0; n < 12; n++) {
			await crashable.send("a", n, dedupe(`new ${n}`));
			await crashable.call("take");
		}
		expect(await rows()).toBe(24);
		// A key that came again is not forgotten with its first time.
		await crashable.send("a", 1, dedupe("new 3"));
		expect(await crashable.call("take")).toEqual([]);
	});

	it("of a message that a c.atomic sends waits for its end: only a kept one was sent", async () => {
		const { subject, scripts, scene } = atomic();
		await using crashable = await Crashable.start({ subject });
		for (const fails of [true, false]) {
			const begun = new Gate();
			const gate = new Gate();
			scripts.push(async (send) => {
				await send("inside");
				begun.open();
				await gate.passed;
				// Its own key, though somebody else waits for what becomes of it.
				await send("inside again");
				if (fails) throw new Error("no");
			});
			const section = crashable.call("section").catch(() => {});
			await begun.passed;
			const key = dedupe("k");
			const sent = [
				crashable.send("a", "outside", key),
				crashable.send("a", "waits", { ...key, wait: true }),
			];
			await eventually(() => expect(scene.arrived).toBe(2));
			scene.arrived = 0;
			await new Promise((resolve) => setImmediate(resolve));
			gate.open();
			await section;
			if (fails) await eventually(async () => expect(await crashable.call("take")).toBe("outside"));
			else expect(await crashable.call("take")).toBeUndefined();
			for (const { status } of await soon(Promise.all(sent))) expect(status).toBe(200);
			expect(await crashable.call("take")).toBeUndefined();
		}
	});

	it("of a dead letter is told to a second sender that waits: queue.message_given_up", async () => {
		const failing = actor({
			queues: {
				jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead" }),
				dead: queue<number>(),
			},
			run: async (c) => {
				for await (const message of c.queue.iter({ completable: true })) await message.release();
			},
			actions: { dead: (c) => c.queue.size("dead") },
		});
		await using crashable = await Crashable.start({ subject: failing });
		await crashable.send("jobs", 1, dedupe("k"));
		await eventually(async () => expect(await crashable.call("dead")).toBe(1));
		const second = await crashable.send("jobs", 1, { ...dedupe("k"), wait: true, timeout: 30_000 });
		expect(codeOf(second)).toBe("queue.message_given_up");
		expect(second.error?.metadata).toEqual({ queue: "jobs", attempts: 1 });
		expect((await crashable.send("jobs", 1, dedupe("k"))).status).toBe(200);
		expect(await crashable.call("dead")).toBe(1);
	});

	it("of a dead letter that went back and was handled is told so, not of the failure before", async () => {
		let isFixed = false;
		const failing = actor({
			queues: {
				jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead" }),
				dead: queue<number>(),
			},
			run: async (c) => {
				for await (const message of c.queue.iter({ completable: true })) {
					if (isFixed) await message.complete();
					else await message.release();
				}
			},
			actions: { redrive: (c) => c.queue.redrive(), size: (c) => c.queue.size() },
		});
		await using crashable = await Crashable.start({ subject: failing });
		const send = () => crashable.send("jobs", 1, { ...dedupe("k"), wait: true, timeout: 30_000 });
		const codes = [codeOf(await send()), codeOf(await send())];
		expect(codes).toEqual(Array(2).fill("queue.message_given_up"));
		isFixed = true;
		expect(await crashable.call("redrive")).toBe(1);
		await eventually(async () => expect(await crashable.call("size")).toBe(0));
		const done = { status: "completed" };
		expect((await send()).outcome).toEqual(done);
		await crashable.crash();
		expect((await send()).outcome).toEqual(done);
	});

	it("acknowledges nothing that a failing commit takes back, whenever it fails", async () => {
		for (const headers of [{}, { [HEADER_CALL_ID]: "call" }]) {
			for (const wait of [false, true]) {
				for (let microtasks = 0; microtasks < 24; microtasks++) {
					const scene = { validating: () => {} };
					await using crashable = await Crashable.start({ subject: validated(scene) });
					const { store } = crashable;
					const goOn = store.hold();
					store.failNext();
					const touched = crashable.call("touch").catch(() => {});
					await eventually(() => expect(store.fail).toBeNull());
					scene.validating = async () => {
						for (let count = 0; count < microtasks; count++) await null;
						goOn();
					};
					const { status } = await crashable.send("a", 1, {
						headers: { ...dedupe("k").headers, ...headers },
						// Long enough for the commit to fail, and not to hang here when nobody hears of it.
						...(wait ? { wait, timeout: 20 } : undefined),
					});
					await touched;
					expect([microtasks, status, await crashable.call("size")]).toEqual(
						status === 200 ? [microtasks, 200, 1] : [microtasks, 500, 0],
					);
					// The same send again: it is stored now, if it was not.
					scene.validating = () => {};
					const again = await crashable.send("a", 1, {
						headers: { ...dedupe("k").headers, ...headers },
						...(wait ? { wait, timeout: 1 } : undefined),
					});
					expect([microtasks, again.status, await crashable.call("size")]).toEqual([
						microtasks,
						200,
						1,
					]);
				}
			}
		}
	});
});

/** An actor whose sections do what the test says. */
function atomic() {
	const scripts: ((send: (body: string) => Promise<unknown>) => Promise<void>)[] = [];
	const scene = { arrived: 0 };
	const subject = actor({
		queues: { a: queue<string>({ canPublish: () => ++scene.arrived > 0 }) },
		actions: {
			section: (c) =>
				c.atomic(() => scripts.shift()!((body) => c.queue.send("a", body, { dedupeKey: "k" }))),
			take: async (c) => (await c.queue.tryNext())?.body,
		},
	});
	return { subject, scripts, scene };
}

/** An actor that tells when it looks at a body. */
function validated(scene: { validating: () => unknown }) {
	const message = z.number().refine(() => {
		scene.validating();
		return true;
	});
	return actor({
		state: { touches: 0 },
		queues: { a: queue({ message }) },
		actions: { touch: (c) => ++c.state.touches, size: (c) => c.queue.size() },
	});
}
