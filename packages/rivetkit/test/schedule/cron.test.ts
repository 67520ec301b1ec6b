import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import type { CronHistoryEntry, ScheduledFireInfo } from "../../src/actor/schedule.types.ts";
import { SUBSPACE_HISTORY, SUBSPACE_SCHEDULE } from "../../src/runtime/commit/storage-layout.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { outcomeOf } from "../support/wire-http.ts";
import { Bench, DAY, HOUR, MINUTE, NOON, rowsOf, SECOND } from "./bench.ts";
import { type DiaryOptions, diary, type Note } from "./diary.ts";

async function setUp(options: DiaryOptions & { wrapped?: WrappedStore; clock?: FakeClock } = {}) {
	const clock = options.clock ?? new FakeClock(NOON);
	const book = diary({ now: () => clock.now() - NOON, ...options });
	const store = options.wrapped ? { store: options.wrapped.store } : {};
	const bench = await Bench.start({ subject: book.subject }, { clock, ...store });
	const id = await bench.runtime.actorId("subject");
	const act = <T = unknown>(name: string, ...args: unknown[]) => bench.call<T>(id, name, ...args);
	const history = (name: string, limit?: number) => act<CronHistoryEntry[]>("history", name, limit);
	return Object.assign(bench, book, { id, act, history });
}

const infoOf = (note: Note | undefined) => note?.args.at(-1) as ScheduledFireInfo;
const scheduledTimes = (notes: readonly Note[]) =>
	notes.map((note) => infoOf(note).scheduledAt - NOON);

describe("c.cron.every", () => {
	const job = { name: "job", interval: 10 * SECOND, action: "note", args: ["a"] };

	it("runs at fixed distances from when it was set, and tells the action about the run", async () => {
		await using t = await setUp();
		await t.act("every", job);
		await t.advance(35 * SECOND);
		expect(t.times()).toEqual([10_000, 20_000, 30_000]);
		const [first] = t.notes;
		expect(first!.args).toEqual([
			"a",
			{
				kind: "every",
				id: expect.stringMatching(/^[0-9a-f-]{36}$/),
				name: "job",
				scheduledAt: NOON + 10_000,
				firedAt: NOON + 10_000,
				attempt: 1,
			},
		]);
		expect(await t.act("getCron", "job")).toEqual({
			kind: "every",
			id: infoOf(first).id,
			name: "job",
			action: "note",
			args: ["a"],
			interval: 10_000,
			maxHistory: 100,
			catchUp: "once",
			overlap: "skip",
			nextRunAt: NOON + 40_000,
			lastRunAt: NOON + 30_000,
		});
	});

	it("does not drift, however long its runs take or however late they are", async () => {
		await using t = await setUp();
		await t.act("every", { ...job, action: "slow", overlap: "queue" });
		await t.advance(17_000);
		t.open("a");
		await t.advance(60_000);
		expect(scheduledTimes(t.notes.filter(({ name }) => name === "slow begins"))).toEqual([
			10_000, 20_000, 30_000, 40_000, 50_000, 60_000, 70_000,
		]);
		expect((await t.act<{ nextRunAt: number }>("getCron", "job")).nextRunAt).toBe(NOON + 80_000);
	});

	it("does not drift when the machine was suspended over several of its times", async () => {
		await using t = await setUp();
		await t.act("every", job);
		await t.advance(10_000);
		t.clock.setForward(33_333);
		await t.advance(600_000);
		const { nextRunAt } = await t.act<{ nextRunAt: number }>("getCron", "job");
		expect((nextRunAt - NOON) % 10_000).toBe(0);
		const times = scheduledTimes(t.notes);
		expect(times.length).toBeGreaterThan(50);
		expect(times.filter((ms) => ms % 10_000 !== 0)).toEqual([]);
	});

	it("wakes its sleeping actor every time", async () => {
		await using t = await setUp();
		await t.act("every", { ...job, interval: HOUR });
		await t.advance(5 * HOUR);
		expect(t.times()).toEqual([1, 2, 3, 4, 5].map((hours) => hours * HOUR));
		await t.advance(MINUTE);
		expect(t.isLive(t.id)).toBe(false);
		expect(await t.alarmOf(t.id)).toBe(NOON + 6 * HOUR);
	});
});

describe("c.cron.set", () => {
	it("runs when its expression says, in its time zone, UTC by default", async () => {
		await using t = await setUp();
		await t.act("setCron", {
			name: "utc",
			expression: "30 13 * * *",
			action: "note",
			args: ["utc"],
		});
		await t.act("setCron", {
			name: "berlin",
			expression: "30 15 * * *",
			timezone: "Europe/Berlin",
			action: "note",
			args: ["berlin"],
		});
		await t.advance(DAY);
		expect([t.names(), t.times()]).toEqual([
			["note utc", "note berlin"],
			[1.5 * HOUR, 1.5 * HOUR],
		]);
		expect(infoOf(t.notes[1])).toMatchObject({ kind: "cron", name: "berlin" });
		expect(await t.act("getCron", "berlin")).toMatchObject({
			kind: "cron",
			expression: "30 15 * * *",
			timezone: "Europe/Berlin",
			nextRunAt: NOON + 1.5 * HOUR + DAY,
		});
	});

	it("runs through months of days in its time zone, changes of its clocks included", async () => {
		const clock = new FakeClock(Date.UTC(2025, 0, 1));
		await using t = await setUp({ clock });
		await t.act("setCron", {
			name: "night",
			expression: "30 2 * * *",
			timezone: "Europe/Berlin",
			action: "note",
		});
		await t.advance(365 * DAY);
		const local = new Intl.DateTimeFormat("sv-SE", {
			timeZone: "Europe/Berlin",
			dateStyle: "short",
			timeStyle: "short",
		});
		const shown = t.notes.map(({ at }) => local.format(NOON + at));
		expect(new Set(shown.map((text) => text.slice(0, 10))).size).toBe(365);
		expect(shown.filter((text) => !text.endsWith("02:30"))).toEqual(["2025-03-30 03:00"]);
	});

	it("takes seconds as the first of six fields", async () => {
		await using t = await setUp();
		await t.act("setCron", { name: "s", expression: "*/20 * * * * *", action: "note" });
		await t.advance(MINUTE);
		expect(t.times()).toEqual([20_000, 40_000, 60_000]);
	});
});

describe("setting a job again", () => {
	const cron = { name: "job", expression: "0 * * * *", action: "note", args: ["old"] };

	it("to what it is changes nothing and writes nothing, so that onWake may do it", async () => {
		const wrapped = new WrappedStore();
		const runs: number[] = [];
		const clock = new FakeClock(NOON);
		const subject = actor({
			onWake: async (c) => {
				await c.cron.set({
					name: "job",
					expression: "0 * * * *",
					action: "mark",
					args: [{ a: 1 }],
				});
				await c.cron.every({ name: "other", interval: HOUR, action: "mark" });
			},
			actions: { mark: () => void runs.push(clock.now() - NOON) },
		});
		await using bench = await Bench.start({ subject }, { clock, store: wrapped.store });
		const id = await bench.runtime.actorId("subject");
		await bench.advance(3 * HOUR);
		expect(runs).toEqual([HOUR, HOUR, 2 * HOUR, 2 * HOUR, 3 * HOUR, 3 * HOUR]);
		await bench.advance(5 * MINUTE);
		const rows = await rowsOf(bench.store, id, SUBSPACE_SCHEDULE);
		const before = wrapped.commits.length;
		await bench.runtime.actorId("subject");
		await bench.runtime.action(id, "nothing");
		await bench.advance(5 * SECOND);
		expect(bench.isLive(id)).toBe(true);
		expect(wrapped.commits.slice(before).flatMap(({ ops }) => ops)).toEqual([]);
		expect(await rowsOf(bench.store, id, SUBSPACE_SCHEDULE)).toEqual(rows);
	});

	it("updates it: the next run has the new action and arguments at the old time, history stays", async () => {
		await using t = await setUp();
		await t.act("setCron", cron);
		await t.advance(HOUR);
		const before = await t.act<{ id: string }>("getCron", "job");
		await t.act("setCron", { ...cron, action: "shaky", args: ["new"], maxHistory: 7 });
		await t.advance(HOUR);
		expect(t.names()).toEqual(["note old", "shaky new"]);
		expect(await t.act("getCron", "job")).toMatchObject({ id: before.id, maxHistory: 7 });
		expect((await t.history("job")).map(({ action }) => action)).toEqual(["shaky", "note"]);
		expect(await t.act<unknown[]>("listCron")).toHaveLength(1);
	});

	it("to another time counts from now, also from an expression to an interval", async () => {
		await using t = await setUp();
		await t.act("setCron", cron);
		await t.advance(30 * MINUTE);
		await t.act("setCron", { ...cron, expression: "45 * * * *" });
		expect(await t.act("getCron", "job")).toMatchObject({ nextRunAt: NOON + 45 * MINUTE });
		await t.act("every", { name: "job", interval: MINUTE, action: "note" });
		expect(await t.act("getCron", "job")).toMatchObject({
			kind: "every",
			nextRunAt: NOON + 31 * MINUTE,
		});
		expect(await t.act("getCron", "job")).not.toHaveProperty("expression");
	});

	it("does not lose a run that is due at that moment", async () => {
		const clock = new FakeClock(NOON);
		const wrapped = new WrappedStore();
		const runs: unknown[] = [];
		const subject = actor({
			onWake: async (c) => {
				await c.cron.set({ name: "job", expression: "0 * * * *", action: "mark" });
			},
			actions: { mark: (_c, info?: ScheduledFireInfo) => void runs.push(info!.scheduledAt - NOON) },
		});
		{
			await using bench = await Bench.start({ subject }, { clock, store: wrapped.store });
			await bench.runtime.actorId("subject");
		}
		clock.setForward(HOUR + 5 * SECOND);
		await using bench = await Bench.start({ subject }, { clock, store: wrapped.store });
		await bench.settle();
		expect(runs).toEqual([HOUR]);
	});
});

describe("deleting a job", () => {
	it("ends it, with its history, its waiting runs and its rows in the store", async () => {
		await using t = await setUp();
		const job = { name: "job", interval: 5_000, action: "note" };
		await t.act("every", job);
		await t.act("every", { ...job, name: "kept" });
		await t.advance(20_000);
		expect(await t.act("deleteCron", "job")).toBe(true);
		expect(await t.act("deleteCron", "job")).toBe(false);
		expect(await t.act("getCron", "job")).toBeNull();
		expect(await t.history("job")).toEqual([]);
		expect(await t.history("kept")).toHaveLength(4);
		expect(await rowsOf(t.store, t.id, SUBSPACE_HISTORY)).toHaveLength(4);
		expect(await rowsOf(t.store, t.id, SUBSPACE_SCHEDULE)).toHaveLength(1);
		// The name is free, and begins from nothing.
		await t.act("every", job);
		expect(await t.history("job")).toEqual([]);
	});

	it("lets a run in progress end, and does not try it again", async () => {
		await using t = await setUp();
		await t.act("every", { name: "job", interval: 5_000, action: "slow", args: ["gate"] });
		await t.advance(5_000);
		expect(await t.act("deleteCron", "job")).toBe(true);
		t.open("gate");
		await t.settle();
		await t.advance(HOUR);
		expect(t.names()).toEqual(["slow begins gate", "slow ends gate"]);
		expect(await rowsOf(t.store, t.id, SUBSPACE_SCHEDULE)).toEqual([]);
		expect(await rowsOf(t.store, t.id, SUBSPACE_HISTORY)).toEqual([]);
	});
});

describe("what is refused", () => {
	const cron = { name: "job", expression: "0 * * * *", action: "note" };
	const every = { name: "job", interval: 5_000, action: "note" };

	it.each([
		["set", { ...cron, expression: "nonsense" }, "nonsense"],
		["set", { ...cron, expression: "0 0 30 2 *" }, "never comes true"],
		["set", { ...cron, timezone: "Mars/Olympus" }, "Mars/Olympus"],
		["set", { ...cron, name: "" }, "name"],
		["set", { ...cron, name: "x".repeat(129) }, "128"],
		["set", { ...cron, name: undefined }, "name"],
		["set", { ...cron, args: "text" }, "args"],
		["set", { ...cron, args: [() => 1] }, "args[0]"],
		["set", { ...cron, maxHistory: -1 }, "maxHistory"],
		["set", { ...cron, catchUp: "sometimes" }, "skip, once, all"],
		["set", { ...cron, overlap: "never" }, "skip, queue, allow"],
		["set", { ...cron, retry: {} }, "attempts"],
		["set", { ...cron, timeZone: "UTC" }, "timeZone"],
		["set", "0 * * * *", "object"],
		["every", { ...every, interval: 4_999 }, "5000"],
		["every", { ...every, interval: 5_000.5 }, "whole number"],
		["every", { ...every, interval: Number.POSITIVE_INFINITY }, "whole number"],
		["every", { ...every, expression: "0 * * * *" }, "expression"],
	])("%s(%j) is a TypeError, and leaves nothing behind", async (method, options, text) => {
		let refusal: unknown;
		const subject = actor({
			actions: {
				note: () => {},
				try: async (c) => {
					await c.cron[method as "set"](options as never).catch((error: unknown) => {
						refusal = error;
					});
					return c.cron.list();
				},
			},
		});
		await using bench = await Bench.start({ subject });
		expect(await bench.call(await bench.runtime.actorId("subject"), "try")).toEqual([]);
		expect(refusal).toBeInstanceOf(TypeError);
		expect((refusal as Error).message).toContain(text);
	});

	it("is an action that does not exist", async () => {
		await using t = await setUp();
		expect(await outcomeOf(t.act("setCron", { ...cron, action: "nothing" }))).toBe(
			"action.not_found",
		);
		expect(await outcomeOf(t.act("every", { ...every, action: "toString" }))).toBe(
			"action.not_found",
		);
		await t.act("setCron", cron);
		// An update that is refused leaves the job as it was.
		expect(await outcomeOf(t.act("setCron", { ...cron, action: "nothing" }))).toBe(
			"action.not_found",
		);
		expect(await t.act("getCron", "job")).toMatchObject({ action: "note" });
	});
});

describe("overlap (L48)", () => {
	const job = { name: "job", interval: 10_000, action: "slow", args: ["gate"] };

	it("skip: a run whose predecessor has not ended is left out, and the history says so", async () => {
		await using t = await setUp();
		await t.act("every", job);
		await t.advance(25_000);
		expect(t.names()).toEqual(["slow begins gate"]);
		expect(await t.act("getCron", "job")).toMatchObject({ running: true });
		t.open("gate");
		await t.advance(10_000);
		expect(scheduledTimes(t.notes)).toEqual([10_000, 10_000, 30_000, 30_000]);
		expect(await t.history("job")).toMatchObject([
			{ scheduledAt: NOON + 30_000, result: "ok", attempts: 1 },
			{
				scheduledAt: NOON + 20_000,
				firedAt: NOON + 20_000,
				result: "skipped",
				attempts: 0,
				error: "the run before it has not ended",
			},
			{ scheduledAt: NOON + 10_000, finishedAt: NOON + 25_000, result: "ok" },
		]);
	});

	it("queue: runs wait for their turn, in order", async () => {
		await using t = await setUp();
		await t.act("every", { ...job, overlap: "queue" });
		await t.advance(35_000);
		expect(scheduledTimes(t.notes)).toEqual([10_000]);
		t.open("gate");
		await t.advance(20);
		expect(scheduledTimes(t.notes.filter(({ name }) => name === "slow begins"))).toEqual([
			10_000, 20_000, 30_000,
		]);
		expect((await t.history("job")).map(({ result }) => result)).toEqual(["ok", "ok", "ok"]);
	});

	it("queue: a run that is to be tried again is not overtaken", async () => {
		await using t = await setUp();
		t.failures.left = 1;
		const retry = { attempts: 2, delay: 15_000 };
		await t.act("every", { ...job, action: "shaky", overlap: "queue", retry });
		await t.advance(27_000);
		expect(t.notes.map((note) => [note.at, infoOf(note).scheduledAt - NOON])).toEqual([
			[10_000, 10_000],
			[25_000, 10_000],
			[25_000, 20_000],
		]);
	});

	it("allow: runs are in progress at the same time", async () => {
		await using t = await setUp();
		await t.act("every", { ...job, overlap: "allow" });
		await t.advance(35_000);
		expect(scheduledTimes(t.notes)).toEqual([10_000, 20_000, 30_000]);
		expect(t.names()).toEqual(Array(3).fill("slow begins gate"));
		t.open("gate");
		await t.settle();
		expect((await t.history("job")).map(({ result }) => result)).toEqual(["ok", "ok", "ok"]);
	});

	it("allow and queue: with 100 runs pending, further ones are left out", async () => {
		await using t = await setUp({ options: { noSleep: true, actionTimeout: DAY } });
		await t.act("every", { ...job, overlap: "allow", maxHistory: 1_000 });
		await t.advance(1_030_000);
		expect(t.notes).toHaveLength(100);
		const history = await t.history("job");
		expect(history.map(({ result }) => result)).toEqual([
			...Array(3).fill("skipped"),
			...Array(100).fill("running"),
		]);
		expect(history[0]!.error).toContain("100");
		t.open("gate");
		await t.advance(10_000);
		expect(t.notes).toHaveLength(202);
	});
});

describe("catch-up", () => {
	/** Sets a job, lets the server be down for a while, and starts it again. */
	async function downFor(ms: number, options: object, during: (at: Bench) => unknown = () => {}) {
		const clock = new FakeClock(NOON);
		const wrapped = new WrappedStore();
		{
			await using t = await setUp({ clock, wrapped });
			await t.act("setCron", { name: "job", expression: "0 * * * *", action: "note", ...options });
			await during(t);
		}
		clock.setForward(ms);
		const t = await setUp({ clock, wrapped });
		await t.settle();
		await t.advance(0);
		return t;
	}

	it("once (the default): all that was missed is one run, for the latest time", async () => {
		await using t = await downFor(5 * HOUR + 20 * MINUTE, {});
		expect(scheduledTimes(t.notes)).toEqual([5 * HOUR]);
		expect(await t.history("job")).toMatchObject([
			{ scheduledAt: NOON + 5 * HOUR, result: "ok" },
			{ scheduledAt: NOON + HOUR, result: "skipped", error: expect.stringContaining("missed") },
		]);
		await t.advance(HOUR);
		expect(scheduledTimes(t.notes)).toEqual([5 * HOUR, 6 * HOUR]);
	});

	it("once: a single missed run is made, however late, and nothing counts as left out", async () => {
		await using t = await downFor(HOUR + 50 * MINUTE, {});
		expect(scheduledTimes(t.notes)).toEqual([HOUR]);
		expect(await t.history("job")).toHaveLength(1);
	});

	it("skip: runs more than a minute late are left out", async () => {
		await using t = await downFor(5 * HOUR + 61 * SECOND, { catchUp: "skip" });
		expect(t.notes).toEqual([]);
		expect(await t.history("job")).toMatchObject([
			{ scheduledAt: NOON + HOUR, result: "skipped", error: "missed" },
		]);
		await t.advance(HOUR);
		expect(scheduledTimes(t.notes)).toEqual([6 * HOUR]);
	});

	it("skip: the latest one is made when it is less than a minute late", async () => {
		await using t = await downFor(5 * HOUR + 59 * SECOND, { catchUp: "skip" });
		expect(scheduledTimes(t.notes)).toEqual([5 * HOUR]);
	});

	it("all: every missed run is made, in order and one after the other", async () => {
		await using t = await downFor(5 * HOUR + 20 * MINUTE, { catchUp: "all" });
		expect(scheduledTimes(t.notes)).toEqual([1, 2, 3, 4, 5].map((hours) => hours * HOUR));
		expect((await t.history("job")).map(({ result }) => result)).toEqual(Array(5).fill("ok"));
	});

	it("all: of more than 100, the latest 100", async () => {
		await using t = await downFor(150 * HOUR, { catchUp: "all", maxHistory: 1_000 });
		expect(scheduledTimes(t.notes)).toEqual(
			Array.from({ length: 100 }, (_, index) => (51 + index) * HOUR),
		);
		expect((await t.history("job")).at(-1)).toMatchObject({
			scheduledAt: NOON + HOUR,
			result: "skipped",
			error: expect.stringContaining("100"),
		});
	});

	it("all: runs of a job and calls of the same time are made in order of time", async () => {
		await using t = await downFor(4 * HOUR, { catchUp: "all", args: ["job"] }, async (bench) => {
			const id = await bench.runtime.actorId("subject");
			await bench.call(id, "after", 1.5 * HOUR, "note", "call");
			await bench.call(id, "at", NOON + 3 * HOUR, "note", "tie");
		});
		expect(t.names()).toEqual([
			"note job",
			"note call",
			"note job",
			"note job",
			"note tie",
			"note job",
		]);
	});
});

describe("retries of runs", () => {
	it("are one entry of the history, and hold up the runs behind them", async () => {
		await using t = await setUp();
		t.failures.left = 2;
		const retry = { attempts: 3, delay: 8_000, factor: 1 };
		await t.act("every", { name: "job", interval: 10_000, action: "shaky", retry });
		await t.advance(12_000);
		expect(await t.act("getCron", "job")).toMatchObject({
			retry: { attempts: 3, delay: 8_000, factor: 1, maxDelay: 3_600_000 },
			retrying: { attempts: 1, error: "broken on purpose", nextRunAt: NOON + 18_000 },
		});
		expect(await t.history("job")).toMatchObject([
			{ result: "error", error: "broken on purpose", attempts: 1 },
		]);
		await t.advance(18_000);
		expect(t.notes.map((note) => [note.at, infoOf(note).attempt])).toEqual([
			[10_000, 1],
			[18_000, 2],
			[26_000, 3],
			[30_000, 1],
		]);
		expect((await t.history("job")).map(({ result, attempts }) => [result, attempts])).toEqual([
			["ok", 1],
			["skipped", 0],
			["ok", 3],
		]);
	});

	it("without any, a run that fails is over, and the next one is made", async () => {
		await using t = await setUp();
		t.failures.left = 1;
		await t.act("every", { name: "job", interval: 10_000, action: "shaky" });
		await t.advance(20_000);
		expect((await t.history("job")).map(({ result, error }) => [result, error])).toEqual([
			["ok", undefined],
			["error", "broken on purpose"],
		]);
		expect(await t.act("failures")).toEqual([]);
	});
});

describe("history", () => {
	const job = { name: "job", interval: 5_000, action: "note" };

	it("keeps maxHistory runs, newest first; less when that is lowered", async () => {
		await using t = await setUp();
		await t.act("every", { ...job, maxHistory: 5 });
		await t.advance(60_000);
		const times = async (limit?: number) =>
			(await t.history("job", limit)).map(({ scheduledAt }) => (scheduledAt - NOON) / SECOND);
		expect(await times()).toEqual([60, 55, 50, 45, 40]);
		expect(await times(2)).toEqual([60, 55]);
		expect(await times(0)).toEqual([]);
		expect(await rowsOf(t.store, t.id, SUBSPACE_HISTORY)).toHaveLength(5);
		await t.act("every", { ...job, maxHistory: 2 });
		expect(await times()).toEqual([60, 55]);
		expect(await rowsOf(t.store, t.id, SUBSPACE_HISTORY)).toHaveLength(2);
		await t.act("every", { ...job, maxHistory: 0 });
		await t.advance(10_000);
		expect(await times()).toEqual([]);
		expect(await rowsOf(t.store, t.id, SUBSPACE_HISTORY)).toEqual([]);
		expect(t.notes).toHaveLength(14);
	});

	it("is read with what has not been committed yet", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			actions: {
				plan: (c) => c.cron.every({ name: "job", interval: 5_000, action: "look", maxHistory: 2 }),
				look: async (c) => {
					seen.push((await c.cron.history("job")).map(({ result }) => result));
					await c.cron.delete("job");
					seen.push(await c.cron.history("job"));
				},
			},
		});
		await using bench = await Bench.start({ subject });
		await bench.call(await bench.runtime.actorId("subject"), "plan");
		await bench.advance(5_000);
		expect(seen).toEqual([["running"], []]);
	});

	it("is not read by a wake", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped });
		await t.act("every", job);
		await t.advance(50_000);
		await t.sleep(t.id);
		const reads: number[] = [];
		const scan = wrapped.inner.scan.bind(wrapped.inner);
		wrapped.inner.scan = async (actorId, range) => {
			const rows = await scan(actorId, range);
			reads.push(...rows.map(([key]) => key[0]!));
			return rows;
		};
		await t.act("calls");
		expect(reads.length).toBeGreaterThan(0);
		expect(reads).not.toContain(SUBSPACE_HISTORY);
	});
});

describe("a job that is due", () => {
	it("moves on, gets its run and says so in one commit; it goes on after one that fails", async () => {
		const wrapped = new WrappedStore();
		await using t = await setUp({ wrapped });
		await t.act("every", { name: "job", interval: 10_000, action: "note" });
		const before = wrapped.commits.length;
		wrapped.failNext();
		await t.advance(10_000);
		expect(t.notes).toEqual([]);
		expect(wrapped.commits[before]!.ops.map((op) => op.op === "put" && op.key[0])).toEqual([
			SUBSPACE_SCHEDULE,
			SUBSPACE_SCHEDULE,
			SUBSPACE_HISTORY,
		]);
		await t.advance(2_000);
		expect(scheduledTimes(t.notes)).toEqual([10_000]);
		await t.advance(8_000);
		expect(scheduledTimes(t.notes)).toEqual([10_000, 20_000]);
		expect((await t.history("job")).map(({ result }) => result)).toEqual(["ok", "ok"]);
	});

	it("and whose expression is none any more is parked, and holds up nothing", async () => {
		const wrapped = new WrappedStore();
		const clock = new FakeClock(NOON);
		let id: string;
		{
			await using t = await setUp({ wrapped, clock });
			id = t.id;
			await t.act("setCron", { name: "job", expression: "0 * * * *", action: "note" });
			await t.act("after", HOUR, "note", "fine");
		}
		// As if a later version, or its time zone data, did not know what this one did.
		const [[key, value]] = (await wrapped.inner.scan(id, {
			start: Uint8Array.of(SUBSPACE_SCHEDULE, 2),
			end: Uint8Array.of(SUBSPACE_SCHEDULE, 3),
		})) as [[Uint8Array, Uint8Array]];
		const broken = new TextEncoder().encode("0 * * * *").length;
		const text = new TextDecoder("latin1").decode(value);
		const at = text.indexOf("0 * * * *");
		const changed = value.slice();
		changed.set(new TextEncoder().encode("99 * * * ".slice(0, broken)), at);
		const { generation } = (await wrapped.inner.actorById(id))!;
		await wrapped.inner.commit({
			actorId: id,
			generation,
			ops: [{ op: "put", key, value: changed }],
		});
		await using t = await setUp({ wrapped, clock });
		await t.advance(HOUR);
		expect(t.names()).toEqual(["note fine"]);
		expect(await t.act("getCron", "job")).toMatchObject({
			parked: expect.stringContaining("99 * * *"),
		});
		expect(t.logged(/a job cannot be run; it is parked/)).toHaveLength(1);
		await t.act("setCron", {
			name: "job",
			expression: "0 * * * *",
			action: "note",
			args: ["again"],
		});
		await t.advance(HOUR);
		expect(t.names()).toEqual(["note fine", "note again"]);
	});
});
