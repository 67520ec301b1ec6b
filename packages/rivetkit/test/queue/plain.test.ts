// The guarantee of plain messages (contract: lifecycle 12, W-Q-1, W-Q-6, W-RUN-5, L42).
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { codeOf } from "../support/wire-http.ts";
import { Crashable } from "./support/crashable.ts";

/** A `run` that waits for a gate with each message in its hands. */
function gatedRun() {
	const scene = { gate: new Gate(), seen: [] as [number, number][] };
	const subject = actor({
		state: { total: 0, other: 0 },
		queues: { a: queue<number>() },
		options: { stateSaveInterval: 60_000 },
		run: async (c) => {
			for await (const { body, attempt } of c.queue.iter()) {
				scene.seen.push([body, attempt]);
				await scene.gate.passed;
				c.state.total += body;
			}
		},
		actions: {
			total: (c) => c.state.total,
			other: (c) => ++c.state.other,
			size: (c) => c.queue.size(),
		},
	});
	return { subject, scene };
}

describe("a plain message that run received", () => {
	it("leaves the queue in the one commit with the first write made after it", async () => {
		const { subject, scene } = gatedRun();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await eventually(() => expect(scene.seen).toEqual([[5, 1]]));
		expect(await crashable.stored()).toEqual([1]);
		const before = crashable.store.commits.length;
		scene.gate.open();
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(crashable.commits(before)).toEqual([["put state", "delete message 1"]]);
		expect(await crashable.call("total")).toBe(5);
	});

	it("is not taken out by what others write meanwhile: a crash before its own write hands it out again", async () => {
		const { subject, scene } = gatedRun();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await eventually(() => expect(scene.seen).toHaveLength(1));
		expect(await crashable.call("other")).toBe(1);
		await crashable.send("a", 7);
		expect(await crashable.stored()).toEqual([1, 2]);
		await crashable.crash();
		// The commits of the others have counted the delivery.
		await eventually(() => expect(scene.seen.slice(1)).toEqual([[5, 2]]));
		scene.gate.open();
		await eventually(async () => expect(await crashable.call("total")).toBe(12));
		expect(scene.seen.slice(1)).toEqual([
			[5, 2],
			[7, 1],
		]);
		expect(await crashable.stored()).toEqual([]);
	});

	it("whose handler wrote is not handed out again by a crash behind that", async () => {
		const { subject, scene } = gatedRun();
		scene.gate.open();
		await using crashable = await Crashable.start({ subject });
		for (let n = 1; n <= 3; n++) await crashable.send("a", n);
		await eventually(async () => expect(await crashable.call("total")).toBe(6));
		await crashable.crash();
		expect(await crashable.call("total")).toBe(6);
		expect(scene.seen).toHaveLength(3);
	});

	it("is gone when the next one is asked for, whether anything was written or not", async () => {
		const seen: number[] = [];
		const subject = actor({
			queues: { a: queue<number>() },
			run: async (c) => {
				for await (const { body } of c.queue.iter()) seen.push(body);
			},
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 1);
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		await crashable.crash();
		await crashable.send("a", 2);
		await eventually(() => expect(seen).toEqual([1, 2]));
	});

	it("that was sent and handled between two commits was never in the store", async () => {
		const subject = actor({
			state: { total: 0 },
			queues: { a: queue<number>() },
			actions: {
				go: async (c) => {
					await c.queue.send("a", 3);
					c.state.total += (await c.queue.tryNext())?.body ?? 0;
				},
				total: (c) => c.state.total,
			},
		});
		await using crashable = await Crashable.start({ subject });
		const before = crashable.store.commits.length;
		await crashable.call("go");
		expect(crashable.commits(before)).toEqual([["put state"]]);
		expect(await crashable.call("total")).toBe(3);
	});

	it("is handed out again when run throws before it wrote, and not when after", async () => {
		const seen: string[] = [];
		let trouble = "before";
		const subject = actor({
			state: { total: 0 },
			queues: { a: queue<number>() },
			run: async (c) => {
				for await (const { body, attempt } of c.queue.iter()) {
					seen.push(`${body} (${attempt})`);
					if (trouble === "before") throw new Error("no");
					c.state.total += body;
					if (trouble === "after") throw new Error("no");
				}
			},
			actions: { total: (c) => c.state.total },
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 1);
		await eventually(() => expect(seen.length).toBeGreaterThan(1));
		trouble = "after";
		await crashable.send("a", 10);
		await eventually(async () => expect(await crashable.call("total")).toBe(11));
		trouble = "";
		await crashable.send("a", 100);
		await eventually(async () => expect(await crashable.call("total")).toBe(111));
		expect(seen.slice(0, 2)).toEqual(["1 (1)", "1 (2)"]);
		expect(seen.filter((line) => line.startsWith("10 "))).toEqual(["10 (1)"]);
		expect(await crashable.stored()).toEqual([]);
	});

	it("that run left its loop with is decided upon by what comes next", async () => {
		const gates = { go: new Gate(), end: new Gate() };
		const subject = actor({
			state: { n: 0 },
			queues: { a: queue<string>() },
			options: { stateSaveInterval: 60_000 },
			run: async (c) => {
				for await (const { body } of c.queue.iter()) {
					if (body === "leave") break;
				}
				await gates.go.passed;
				c.state.n++;
				await gates.end.passed;
				await c.queue.next();
			},
			actions: { size: (c) => c.queue.size() },
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", "leave");
		await crashable.send("a", "more");
		expect(await crashable.stored()).toEqual([1, 2]);
		gates.go.open();
		await eventually(async () => expect(await crashable.stored()).toEqual([2]));
		gates.end.open();
		// Returning from run is the end of what it holds.
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
	});

	it("counts as delivered also when nothing else is written for a while", async () => {
		const { subject, scene } = gatedRun();
		const clock = new FakeClock();
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.send("a", 5);
		await eventually(() => expect(scene.seen).toEqual([[5, 1]]));
		await clock.advance(60_020);
		await crashable.crash();
		await eventually(() => expect(scene.seen[1]).toEqual([5, 2]));
		scene.gate.open();
		await eventually(async () => expect(await crashable.call("total")).toBe(5));
	});

	it("and its effects are taken back together when their commit fails; it is handed out again", async () => {
		const { subject, scene } = gatedRun();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await eventually(() => expect(scene.seen).toHaveLength(1));
		crashable.store.failNext();
		scene.gate.open();
		await eventually(async () => expect(await crashable.call("total")).toBe(5));
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(scene.seen.map(([body]) => body)).toEqual([5, 5]);
	});

	it("is in nobody's hands twice: several loops of one run share the messages", async () => {
		const seen: number[] = [];
		const subject = actor({
			queues: { a: queue<number>() },
			run: async (c) => {
				const loop = async () => {
					for await (const { body } of c.queue.iter()) {
						await new Promise((resolve) => setImmediate(resolve));
						seen.push(body);
					}
				};
				await Promise.all([loop(), loop(), loop()]);
			},
		});
		await using crashable = await Crashable.start({ subject });
		await Promise.all(Array.from({ length: 60 }, (_, n) => crashable.send("a", n)));
		await eventually(() => expect(seen).toHaveLength(60));
		expect(new Set(seen).size).toBe(60);
	});
});

describe("a plain message that an action received", () => {
	function taker(rollbackOnError = false) {
		const gate = new Gate();
		const subject = actor({
			state: { total: 0, other: 0 },
			queues: { a: queue<number>() },
			options: { rollbackOnError },
			actions: {
				take: async (c, trouble = "", write = true) => {
					const message = await c.queue.tryNext();
					if (trouble === "first") throw new Error("no");
					if (write) c.state.total += message?.body ?? 0;
					if (trouble === "wait") await gate.passed;
					if (trouble !== "") throw new Error("no");
					return message && [message.body, message.attempt];
				},
				total: (c) => c.state.total,
				other: (c) => ++c.state.other,
			},
		});
		return { subject, gate };
	}

	it("leaves with the action's answer, in its commit", async () => {
		const { subject } = taker();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await crashable.send("a", 6);
		let before = crashable.store.commits.length;
		expect(await crashable.call("take")).toEqual([5, 1]);
		expect(crashable.commits(before)).toEqual([["put state", "delete message 1"]]);
		before = crashable.store.commits.length;
		expect(await crashable.call("take", "", false)).toEqual([6, 1]);
		expect(crashable.commits(before)).toEqual([["delete message 2"]]);
	});

	it("stays when the action throws before it wrote", async () => {
		const { subject } = taker();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await crashable.call("take", "first").catch(() => {});
		expect(await crashable.call("take")).toEqual([5, 2]);
		expect(await crashable.call("total")).toBe(5);
		expect(await crashable.call("take")).toBeUndefined();
	});

	it("stays when the action takes its changes back (rollbackOnError), also over commits of others", async () => {
		const { subject, gate } = taker(true);
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await crashable.call("take", "now").catch(() => {});
		const waiting = crashable.call("take", "wait").catch(() => {});
		expect(await crashable.call("other")).toBe(1);
		gate.open();
		await waiting;
		expect(await crashable.call("total")).toBe(0);
		expect(await crashable.call("take")).toEqual([5, 3]);
		expect(await crashable.call("total")).toBe(5);
	});

	it("is final at once where there is no end: hooks and listeners", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			state: { total: 0 },
			queues: { a: queue<number>() },
			onWake: async (c) => {
				const message = await c.queue.tryNext();
				seen.push(message?.body);
				c.state.total += message?.body ?? 0;
			},
			actions: { nap: (c) => c.sleep(), total: (c) => c.state.total },
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("a", 5);
		await crashable.call("nap");
		expect(await crashable.call("total")).toBe(5);
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		await crashable.crash();
		expect(await crashable.call("total")).toBe(5);
		expect(seen).toEqual([undefined, 5, undefined]);
	});
});

describe("a plain message somebody waits for", () => {
	it("is completed without a response when its removal is durable (W-Q-6)", async () => {
		const { subject, scene } = gatedRun();
		await using crashable = await Crashable.start({ subject });
		let answered = false;
		const sent = crashable.send("a", 5, { wait: true }).finally(() => {
			answered = true;
		});
		await eventually(() => expect(scene.seen).toHaveLength(1));
		expect(answered).toBe(false);
		const goOn = crashable.store.hold();
		scene.gate.open();
		await eventually(() => expect(crashable.commits().at(-1)).toContain("delete message 1"));
		expect(answered).toBe(false);
		goOn();
		expect((await soon(sent)).outcome).toEqual({ status: "completed" });
	});

	it("fails with the commit it was stored by, and was never there", async () => {
		const { subject, scene } = gatedRun();
		await using crashable = await Crashable.start({ subject });
		crashable.store.failNext();
		const sent = await crashable.send("a", 5, { wait: true });
		expect([sent.status, codeOf(sent)]).toEqual([500, "rivetkit.internal_error"]);
		expect(await crashable.stored()).toEqual([]);
		crashable.store.failNext();
		expect((await crashable.send("a", 6)).status).toBe(500);
		expect((await crashable.send("a", 7)).status).toBe(200);
		scene.gate.open();
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(await crashable.call("size")).toBe(0);
	});
});
