// When an actor wakes for its queue (contract: lifecycle 12.2, W-STOP-7, L45; ruling 19).
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { Crashable } from "./support/crashable.ts";

/** An actor whose `run` takes from these queues only, as far as the gate lets it. */
function worker(names: ("jobs" | "other")[] | undefined, gate = new Gate()) {
	const seen: string[] = [];
	const subject = actor({
		queues: { jobs: queue<string>(), other: queue<string>() },
		run: async (c) => {
			for await (const { body } of c.queue.iter(names ? { names } : {})) {
				seen.push(body);
				await Promise.race([
					gate.passed,
					new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve)),
				]);
			}
		},
		actions: { nap: (c) => c.sleep(), size: (c) => c.queue.size() },
	});
	return { subject, seen, gate };
}

const live = (crashable: Crashable) => crashable.runtime.embedded.host.liveActorIds.length > 0;
const alarmOf = async (crashable: Crashable) =>
	(await crashable.store.inner.actorById(crashable.id))?.alarmTs ?? null;

/** Gives a host that has started the time to wake whom it will. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 50));

describe("an actor with messages that its run would take", () => {
	it("is woken when its host starts after a crash; nobody has to call it (ruling 19)", async () => {
		const { subject, seen, gate } = worker(undefined);
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", "a");
		await crashable.send("other", "b");
		await eventually(() => expect(seen).toEqual(["a"]));
		await crashable.restart();
		gate.open();
		await eventually(() => expect(seen).toEqual(["a", "a", "b"]));
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
	});

	it("is woken again when it was put to sleep with them", async () => {
		const { subject, seen, gate } = worker(["jobs"]);
		await using crashable = await Crashable.start({ subject });
		for (const body of ["a", "b", "c"]) await crashable.send("jobs", body);
		await eventually(() => expect(seen).toEqual(["a"]));
		await crashable.call("nap");
		await eventually(() => expect(seen.length).toBeGreaterThan(1));
		gate.open();
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(seen.at(-1)).toBe("c");
	});

	it("is woken again with those that its own onSleep sent", async () => {
		const seen: string[] = [];
		let naps = 0;
		const subject = actor({
			queues: { a: queue<string>() },
			run: async (c) => {
				for await (const { body } of c.queue.iter()) seen.push(body);
			},
			onSleep: async (c) => {
				if (naps++ === 0) await c.queue.send("a", "from onSleep");
			},
			actions: { nap: (c) => c.sleep() },
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.call("nap");
		await eventually(() => expect(seen).toEqual(["from onSleep"]));
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
	});

	it("stays asleep, and is not woken by a start of its host, with messages it would not take", async () => {
		const { subject, seen, gate } = worker(["jobs"]);
		gate.open();
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", "a");
		await crashable.send("other", "b");
		await eventually(() => expect(seen).toEqual(["a"]));
		await crashable.call("nap");
		await eventually(() => expect(live(crashable)).toBe(false));
		await settle();
		expect(live(crashable)).toBe(false);
		expect(await alarmOf(crashable)).toBeNull();
		await crashable.restart();
		await settle();
		expect(live(crashable)).toBe(false);
		await crashable.send("jobs", "c");
		await eventually(() => expect(seen).toEqual(["a", "c"]));
	});

	it("is put to sleep before it was done with its first steps: it is woken all the same", async () => {
		const seen: string[] = [];
		const gate = new Gate();
		const subject = actor({
			queues: { jobs: queue<string>() },
			run: async (c) => {
				await Promise.race([
					gate.passed,
					new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve)),
				]);
				for await (const { body } of c.queue.iter()) seen.push(body);
			},
			actions: { nap: (c) => c.sleep() },
		});
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", "a");
		gate.open();
		await crashable.call("nap");
		await eventually(() => expect(seen).toEqual(["a"]));
	});
});

describe("an actor without messages for its run", () => {
	const nap = (c: { sleep(): void }) => c.sleep();
	it.each([
		["none", actor({ queues: { jobs: queue<string>() }, actions: { nap } })],
		[
			"one that returns at once",
			actor({ queues: { jobs: queue<string>() }, run: () => {}, actions: { nap } }),
		],
	])("(%s) sleeps with messages that only its actions take", async (_name, subject) => {
		await using crashable = await Crashable.start({ subject });
		await crashable.send("jobs", "a");
		await crashable.call("nap");
		await eventually(() => expect(live(crashable)).toBe(false));
		await settle();
		expect([live(crashable), await alarmOf(crashable)]).toEqual([false, null]);
		expect(await crashable.stored()).toEqual([1]);
	});

	it("changes its alarm rarely: not with each of many messages", async () => {
		const { subject, seen, gate } = worker(undefined);
		gate.open();
		await using crashable = await Crashable.start({ subject });
		for (let n = 0; n < 50; n++) {
			await crashable.send("jobs", String(n));
			await eventually(() => expect(seen).toHaveLength(n + 1));
		}
		const changes = crashable.store.commits.filter(({ alarmTs }) => alarmTs !== undefined);
		expect(changes.length).toBeLessThan(10);
		await crashable.call("nap");
		await eventually(() => expect(live(crashable)).toBe(false));
		expect(await alarmOf(crashable)).toBeNull();
	});
});

describe("an actor whose run waits for messages (L45, L52)", () => {
	it("sleeps when it is idle, and with the first message its run is there again", async () => {
		const clock = new FakeClock();
		const { subject, seen, gate } = worker(undefined);
		gate.open();
		await using crashable = await Crashable.start({ subject }, clock);
		for (const body of ["a", "b"]) {
			await clock.advance(29_000);
			expect(live(crashable)).toBe(true);
			await clock.advance(2_000);
			await eventually(() => expect(live(crashable)).toBe(false));
			await crashable.send("jobs", body);
			await eventually(() => expect(seen.at(-1)).toBe(body));
		}
	});

	it("stays awake while it handles one, and while there is another", async () => {
		const clock = new FakeClock();
		const { subject, seen, gate } = worker(undefined);
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.send("jobs", "a");
		await crashable.send("jobs", "b");
		await eventually(() => expect(seen).toEqual(["a"]));
		await clock.advance(300_000);
		expect(live(crashable)).toBe(true);
		gate.open();
		await eventually(() => expect(seen).toEqual(["a", "b"]));
		await clock.advance(31_000);
		await eventually(() => expect(live(crashable)).toBe(false));
	});

	it("stays awake for a sender that waits", async () => {
		const clock = new FakeClock();
		const subject = actor({
			queues: { jobs: queue<string>() },
			run: (c) => c.queue.next({ names: ["none" as never] }) as never,
		});
		await using crashable = await Crashable.start({ subject }, clock);
		const sent = crashable.send("jobs", "a", { wait: true, timeout: 100_000 });
		await eventually(async () => expect(await crashable.stored()).toEqual([1]));
		await clock.advance(99_000);
		expect(live(crashable)).toBe(true);
		await clock.advance(1_100);
		expect((await sent).outcome).toEqual({ status: "timedOut" });
		await clock.advance(31_000);
		await eventually(() => expect(live(crashable)).toBe(false));
	});
});

describe("a send to an actor that sleeps", () => {
	it("wakes it, and its run takes the message (L45)", async () => {
		const { subject, seen, gate } = worker(undefined);
		gate.open();
		await using crashable = await Crashable.start({ subject });
		for (const body of ["a", "b"]) {
			await crashable.call("nap");
			await eventually(() => expect(live(crashable)).toBe(false));
			await crashable.send("jobs", body);
			await eventually(() => expect(seen.at(-1)).toBe(body));
		}
	});
});
