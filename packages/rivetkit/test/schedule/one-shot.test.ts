import { describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { SUBSPACE_SCHEDULE } from "../../src/runtime/commit/storage-layout.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { codeOf, outcomeOf } from "../support/wire-http.ts";
import { Bench, DAY, HOUR, MINUTE, NOON, rowsOf, SECOND } from "./bench.ts";
import { type DiaryOptions, diary } from "./diary.ts";

async function setUp(options: DiaryOptions = {}) {
	const clock = new FakeClock(NOON);
	const book = diary({ now: () => clock.now() - NOON, ...options });
	const bench = await Bench.start({ subject: book.subject }, { clock });
	const id = await bench.runtime.actorId("subject");
	const call = <T = unknown>(name: string, ...args: unknown[]) => bench.call<T>(id, name, ...args);
	return Object.assign(bench, book, { id, act: call });
}

describe("a scheduled call (L46, A23)", () => {
	it("is made when its time has come and not before, and only once", async () => {
		await using t = await setUp();
		const scheduleId = await t.act<string>("after", 1_000, "note", "a", [1n]);
		expect(scheduleId).toMatch(/^[0-9a-f-]{36}$/);
		await t.advance(999);
		expect(t.notes).toEqual([]);
		await t.advance(1);
		expect(t.notes.map(({ at, args }) => [at, args])).toEqual([[1_000, ["a", [1n]]]]);
		await t.advance(DAY);
		expect(t.notes).toHaveLength(1);
		expect(await t.act("list")).toEqual([]);
		expect(await t.act("get", scheduleId)).toBeNull();
		expect(await t.act("calls")).toBe(1);
	});

	it("wakes its sleeping actor, which has one alarm in the store: its earliest call", async () => {
		await using t = await setUp();
		await t.act("after", 2 * HOUR, "note", "late");
		await t.act("after", HOUR, "note", "early");
		expect(await t.alarmOf(t.id)).toBe(NOON + HOUR);
		await t.sleep(t.id);
		expect(t.isLive(t.id)).toBe(false);
		await t.advance(HOUR - 1);
		expect(t.isLive(t.id)).toBe(false);
		await t.advance(1);
		expect([t.names(), t.times()]).toEqual([["note early"], [HOUR]]);
		expect(await t.alarmOf(t.id)).toBe(NOON + 2 * HOUR);
		await t.advance(HOUR);
		expect([t.names(), t.times()]).toEqual([
			["note early", "note late"],
			[HOUR, 2 * HOUR],
		]);
		expect(await t.alarmOf(t.id)).toBeNull();
	});

	it("in the past is made as soon as possible, earliest first; ties in the order of insertion", async () => {
		const order = actor({
			actions: {
				plan: async (c) => {
					await c.schedule.at(NOON - 1_000, "mark", "past");
					await c.schedule.after(-5, "mark", "now, first");
					await c.schedule.after(-10, "mark", "now, second");
					await c.schedule.at(0, "mark", "long ago");
					await c.schedule.at(NOON - 1_000, "mark", "past, too");
				},
				mark: (_c, what: string) => void marks.push(what),
			},
		});
		const marks: string[] = [];
		await using bench = await Bench.start({ order });
		await bench.call(await bench.runtime.actorId("order"), "plan");
		await bench.advance(10);
		expect(marks).toEqual(["long ago", "past", "past, too", "now, first", "now, second"]);
	});

	it("may be further away than a timer can wait, and have a fraction, which is rounded up", async () => {
		await using t = await setUp();
		const far = 400 * DAY;
		const id = await t.act<string>("after", far + 0.2, "note", "far");
		const never = await t.act<string>("at", Number.MAX_VALUE, "note", "never");
		expect(await t.act("get", id)).toMatchObject({ runAt: NOON + far + 1 });
		expect(await t.act("get", never)).toMatchObject({ runAt: 8_640_000_000_000_000 });
		await t.sleep(t.id);
		await t.advance(far);
		expect(t.notes).toEqual([]);
		await t.advance(1);
		expect(t.times()).toEqual([far + 1]);
		expect((await t.act<unknown[]>("list")).length).toBe(1);
	});

	it("carries every value that an action may get, by value", async () => {
		const value = {
			none: undefined,
			nil: null,
			big: 2n ** 70n,
			date: new Date(5),
			bytes: Uint8Array.of(1, 2),
			map: new Map([["a", new Set([1])]]),
			error: new RangeError("far"),
		};
		const got: unknown[] = [];
		const subject = actor({
			state: { list: [{ n: 1 }] },
			actions: {
				plan: async (c) => {
					const own = { changed: false };
					await c.schedule.after(0, "take", value, own, c.state.list);
					own.changed = true;
					c.state.list[0]!.n = 2;
				},
				take: (_c, ...args: unknown[]) => void got.push(...args),
			},
		});
		await using bench = await Bench.start({ subject });
		await bench.call(await bench.runtime.actorId("subject"), "plan");
		await bench.advance(10);
		expect(got).toEqual([value, { changed: false }, [{ n: 1 }]]);
	});

	it("has no connection, no onBeforeActionResponse, and gets exactly its arguments", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			onBeforeActionResponse: (_c, name, _args, output) => {
				seen.push(`response of ${name}`);
				return output;
			},
			actions: {
				plan: async (c) => {
					await c.schedule.after(0, "look", 1, 2);
				},
				look: (c, ...args: unknown[]) => void seen.push([c.conn, args, c.aborted]),
			},
		});
		await using bench = await Bench.start({ subject });
		await bench.call(await bench.runtime.actorId("subject"), "plan");
		await bench.advance(10);
		expect(seen).toEqual(["response of plan", [undefined, [1, 2], false]]);
	});

	it("runs its arguments through the action's schema, and may name a nested action", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			actions: {
				plan: async (c) => {
					await c.schedule.with({ fireInfo: true }).after(0, "jobs.count", "7");
					await c.schedule.after(0, "jobs.count", "no number");
				},
				failures: (c) => c.schedule.failures(),
				jobs: {
					count: {
						input: z.coerce.number(),
						handler: (_c: unknown, ...args: unknown[]) => void seen.push(args),
					},
				},
			},
		});
		await using bench = await Bench.start({ subject });
		const id = await bench.runtime.actorId("subject");
		await bench.call(id, "plan");
		await bench.advance(10);
		expect(seen).toEqual([[7, expect.objectContaining({ kind: "at", attempt: 1 })]]);
		expect(await bench.call(id, "failures")).toMatchObject([
			{ action: "jobs.count", error: expect.stringContaining("jobs.count") },
		]);
	});

	it("may be scheduled from onCreate, a scheduled action and onSleep", async () => {
		const marks: string[] = [];
		const subject = actor({
			onCreate: async (c) => {
				await c.schedule.after(SECOND, "mark", "onCreate");
			},
			onSleep: async (c) => {
				if (marks.length === 1) await c.schedule.after(MINUTE, "again");
			},
			actions: {
				mark: (_c, what: string) => void marks.push(what),
				again: async (c) => {
					marks.push("onSleep");
					await c.schedule.after(SECOND, "mark", "a scheduled action");
				},
			},
			options: { sleepTimeout: 5_000 },
		});
		await using bench = await Bench.start({ subject });
		await bench.runtime.actorId("subject");
		await bench.advance(10 * MINUTE);
		expect(marks).toEqual(["onCreate", "onSleep", "a scheduled action"]);
	});
});

describe("a list of calls (L48)", () => {
	it("shows them in the order in which they will run; each can be cancelled once", async () => {
		await using t = await setUp();
		const late = await t.act<string>("after", 60_000, "note", "late", 1n);
		const early = await t.act<string>("after", 1_000, "slow", "early");
		const entries = [
			{ id: early, action: "slow", args: ["early"], runAt: NOON + 1_000 },
			{ id: late, action: "note", args: ["late", 1n], runAt: NOON + 60_000 },
		];
		expect(await t.act("list")).toEqual(entries);
		expect(await t.act("get", late)).toEqual(entries[1]);
		expect(await t.act("cancel", early)).toBe(true);
		expect(await t.act("cancel", early)).toBe(false);
		expect(await t.act("cancel", "nothing")).toBe(false);
		expect(await t.act("list")).toEqual([entries[1]]);
		expect(await t.alarmOf(t.id)).toBe(NOON + 60_000);
		await t.act("cancel", late);
		expect(await t.alarmOf(t.id)).toBeNull();
		await t.advance(DAY);
		expect(t.notes).toEqual([]);
		expect(await rowsOf(t.store, t.id, SUBSPACE_SCHEDULE)).toEqual([]);
	});

	it("shows a call that is running; to cancel it then means that it is not repeated", async () => {
		await using t = await setUp();
		const id = await t.act<string>("after", 0, "slow", "gate");
		await t.advance(10);
		expect(await t.act("get", id)).toEqual({
			id,
			action: "slow",
			args: ["gate"],
			runAt: NOON,
			running: true,
		});
		expect(await t.act("cancel", id)).toBe(true);
		expect(await t.act("list")).toEqual([]);
		t.open("gate");
		await t.settle();
		expect(t.names()).toEqual(["slow begins gate", "slow ends gate"]);
		expect(await t.act("calls")).toBe(1);
	});

	it("loses what was cancelled while it waited behind another call of the same moment", async () => {
		await using t = await setUp();
		await t.act("after", 0, "slow", "first");
		const second = await t.act<string>("after", 0, "note", "second");
		await t.act("after", 0, "note", "third");
		await t.advance(10);
		expect(t.names()).toEqual(["slow begins first"]);
		expect(await t.act("cancel", second)).toBe(true);
		t.open("first");
		await t.settle();
		expect(t.names()).toEqual(["slow begins first", "slow ends first", "note third"]);
	});

	it("has room for options.maxSchedules entries, jobs included", async () => {
		await using t = await setUp({ options: { maxSchedules: 3 } });
		const first = await t.act<string>("after", HOUR, "note");
		await t.act("after", HOUR, "note");
		await t.act("every", { name: "job", interval: 60_000, action: "note" });
		const refused = await t.act("after", HOUR, "note").catch((error: unknown) => error);
		expect(codeOf(refused)).toBe("schedule.full");
		expect(refused).toMatchObject({ metadata: { limit: 3 } });
		expect((refused as Error).message).toContain("maxSchedules");
		expect(await outcomeOf(t.act("every", { name: "b", interval: 60_000, action: "note" }))).toBe(
			"schedule.full",
		);
		// One that is there may be set again.
		await t.act("every", { name: "job", interval: 120_000, action: "note" });
		await t.act("cancel", first);
		await t.act("after", HOUR, "note");
	});
});

describe("what is refused", () => {
	it.each([
		["after", Number.NaN, "finite"],
		["after", Number.POSITIVE_INFINITY, "finite"],
		["at", Number.NaN, "finite"],
		["at", Number.NEGATIVE_INFINITY, "finite"],
		["after", "5" as never, "finite"],
	])("%s(%s) is a TypeError, and leaves nothing behind", async (method, time, text) => {
		let refusal: unknown;
		const subject = actor({
			actions: {
				try: async (c) => {
					await c.schedule[method as "after" | "at"](time, "try").catch((error: unknown) => {
						refusal = error;
					});
					return await c.schedule.list();
				},
			},
		});
		await using bench = await Bench.start({ subject });
		const id = await bench.runtime.actorId("subject");
		expect(await bench.call(id, "try")).toEqual([]);
		expect(refusal).toBeInstanceOf(TypeError);
		expect((refusal as Error).message).toContain(text);
		expect(await rowsOf(bench.store, id, SUBSPACE_SCHEDULE)).toEqual([]);
		expect(await bench.alarmOf(id)).toBeNull();
	});

	it("is an action that does not exist, also one that every object has (A36)", async () => {
		await using t = await setUp();
		for (const name of ["nothing", "toString", "constructor", "__proto__"]) {
			expect(await outcomeOf(t.act("after", 0, name))).toBe("action.not_found");
		}
		expect(await t.act("list")).toEqual([]);
	});

	it("are arguments that cannot be stored, by their path, and those over 64 KiB", async () => {
		const refusals: unknown[] = [];
		const subject = actor({
			actions: {
				try: async (c) => {
					const refused = (error: unknown) => void refusals.push(error);
					await c.schedule.after(0, "try", 1, { a: [0, () => 1] }).catch(refused);
					await c.schedule.after(0, "try", "x".repeat(65_536)).catch(refused);
					return c.schedule.list();
				},
			},
		});
		await using bench = await Bench.start({ subject });
		expect(await bench.call(await bench.runtime.actorId("subject"), "try")).toEqual([]);
		const [path, size] = refusals;
		expect(path).toBeInstanceOf(TypeError);
		expect((path as Error).message).toMatch(/'try'.*args\[1\]\.a\[1\]/);
		expect(codeOf(size)).toBe("schedule.arguments_too_large");
		expect(size).toMatchObject({ metadata: { limit: 65_536 } });
	});

	it.each([
		[{ retries: 1 }, "retries"],
		[{ retry: { delay: 5 } }, "attempts"],
		[{ retry: { attempts: 0 } }, "attempts"],
		[{ retry: { attempts: 1.5 } }, "attempts"],
		[{ retry: { attempts: 2, delay: -1 } }, "delay"],
		[{ retry: { attempts: 2, factor: 0.5 } }, "factor"],
		[{ retry: { attempts: 2, maxDelay: Number.POSITIVE_INFINITY } }, "maxDelay"],
		[{ fireInfo: "yes" }, "fireInfo"],
		[null, "object"],
	])("are the options %j", async (options, text) => {
		const subject = actor({
			actions: { try: (c) => void c.schedule.with(options as never) },
		});
		await using bench = await Bench.start({ subject }, { exposeErrors: true });
		const refused = await bench
			.call(await bench.runtime.actorId("subject"), "try")
			.catch((error: unknown) => error);
		expect((refused as Error).message).toContain(text);
	});

	it("and not awaited is in the log, and does not end the process", async () => {
		const subject = actor({
			actions: {
				try: (c) => {
					void c.schedule.after(Number.NaN, "try");
				},
			},
		});
		await using bench = await Bench.start({ subject });
		await bench.call(await bench.runtime.actorId("subject"), "try");
		const [line] = bench.logged(/c\.schedule\.after was refused/);
		expect(line).toMatchObject({ actor: "subject", err: expect.any(TypeError) });
	});
});

describe("what an action writes and schedules", () => {
	it("is one commit, alarm included", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { n: 0 },
			actions: {
				both: async (c) => {
					c.state.n++;
					await c.schedule.after(HOUR, "both");
					c.state.n++;
				},
			},
		});
		await using bench = await Bench.start({ subject }, { store: wrapped.store });
		const id = await bench.runtime.actorId("subject");
		const before = wrapped.commits.length;
		await bench.call(id, "both");
		const [commit, ...more] = wrapped.commits.slice(before);
		expect(more).toEqual([]);
		expect(commit!.alarmTs).toBe(NOON + HOUR);
		expect(commit!.ops.map((op) => op.op === "put" && op.key[0])).toEqual([0x01, 0x03]);
	});

	it("is taken back together when the commit fails, and nothing fires", async () => {
		const wrapped = new WrappedStore();
		const clock = new FakeClock(NOON);
		const { subject, notes } = diary();
		await using bench = await Bench.start({ subject }, { store: wrapped.store, clock });
		const id = await bench.runtime.actorId("subject");
		const kept = await bench.call<string>(id, "after", HOUR, "note", "kept");
		wrapped.failNext();
		expect(await outcomeOf(bench.call(id, "after", 50, "note", "lost"))).toBe(
			"rivetkit.internal_error",
		);
		wrapped.failNext();
		expect(await outcomeOf(bench.call(id, "cancel", kept))).toBe("rivetkit.internal_error");
		expect(await bench.call(id, "list")).toMatchObject([{ id: kept }]);
		expect(await bench.alarmOf(id)).toBe(NOON + HOUR);
		await bench.advance(MINUTE);
		expect(notes).toEqual([]);
		await bench.advance(HOUR);
		expect(notes.map(({ args }) => args)).toEqual([["kept"]]);
	});

	it("costs no further commit when there is nothing to do at a wake", async () => {
		const wrapped = new WrappedStore();
		const { subject } = diary();
		await using bench = await Bench.start({ subject }, { store: wrapped.store });
		const id = await bench.runtime.actorId("subject");
		await bench.call(id, "after", HOUR, "note");
		await bench.sleep(id);
		const before = wrapped.commits.length;
		await bench.call(id, "list");
		await bench.advance(2 * SECOND);
		const commits = wrapped.commits.slice(before);
		expect(commits.flatMap(({ ops }) => ops)).toEqual([]);
		expect(commits.map(({ alarmTs }) => alarmTs)).toEqual(commits.map(() => undefined));
	});
});
