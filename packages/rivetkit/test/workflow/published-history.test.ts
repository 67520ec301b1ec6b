// Check 57: histories that 2.1.3 has written are taken over and go on (contract: workflows 7.6). The files
// hold what the published package had in an actor's KV below 06 01 when these programs had come to their waits.
import { readFile } from "node:fs/promises";
import { createMemoryStore } from "@rivetkit/engine";
import { expect, it } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { readPublishedHistory } from "../../src/workflow/history/published-history.ts";
import { Loop, workflow } from "../../src/workflow/index.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { MortalStore } from "./support/mortal-store.ts";
import type { Ctx } from "./support/world.ts";

/** A little after they were written. */
const WRITTEN_AT = 1_795_719_000_000;

type Rows = [key: Uint8Array, value: Uint8Array][];

async function rowsOf(name: string): Promise<Rows> {
	const file = new URL(`./fixtures/published-2.1.3-${name}.json`, import.meta.url);
	const rows = JSON.parse(await readFile(file, "utf8")) as [string, string][];
	return rows.map(([key, value]) => [bytesOf(key), bytesOf(value)]);
}

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

/** An actor that has these rows, and then runs this workflow. */
async function takenOver(name: string, fn: (ctx: Ctx) => unknown) {
	const inner = createMemoryStore();
	const clock = new FakeClock(WRITTEN_AT);
	const queues = { work: queue<unknown>(), jobs: queue<unknown>() };
	const before = actor({ state: {}, queues, actions: {} });
	const first = await TestRuntime.start(
		{ subject: before },
		{ store: new MortalStore(inner).store, clock },
	);
	const id = await first.actorId("subject");
	await first.embedded.host.stop(id, "sleep");
	const rows = await rowsOf(name);
	await inner.commit({
		actorId: id,
		generation: 0,
		ops: rows.map(([key, value]) => ({ op: "put", key, value })),
	});
	await first[Symbol.asyncDispose]();
	const subject = actor({
		state: {},
		queues,
		run: workflow(async (ctx) => fn(ctx as never)),
		actions: { status: (c) => c.workflow.status() },
	});
	const runtime = await TestRuntime.start({ subject }, { store: inner, clock });
	return { runtime, id, clock, inner };
}

it("mid-loop and mid-sleep, with an open message", async () => {
	const ledger: unknown[] = [];
	const ran = (what: string) => {
		ledger.push(`ran ${what}`);
		return "ran";
	};
	const { runtime, id, clock, inner } = await takenOver("waiting", async (ctx) => {
		ledger.push(await ctx.step("plan", () => ran("plan")));
		ledger.push(await ctx.step("void", () => ran("void")));
		await ctx.rollbackCheckpoint("cp");
		ledger.push(
			await ctx.join("both", {
				a: { run: (branch) => branch.step("x", () => ran("x")) },
				b: { run: async () => ran("b") },
			}),
		);
		ledger.push(
			await ctx.race("first", [
				{ name: "now", run: async () => ran("now") },
				{ name: "late", run: async () => ran("late") },
			]),
		);
		await ctx.sleep("short", 20);
		ledger.push((await ctx.queue.next("job", { names: ["work"] })).body);
		const end = await ctx.loop({
			name: "rounds",
			state: { total: 0 },
			run: async (loop, { total }: { total: number }) => {
				const next = (await loop.step("count", () => ran(`count ${total}`))) as unknown as number;
				if (next < 5) return Loop.continue({ total: next });
				const message = await loop.queue.next("wait", { names: ["work"], completable: true });
				ledger.push(message.body);
				await loop.sleep("long", 1);
				await message.complete({});
				return Loop.break(next);
			},
		});
		ledger.push(await ctx.step("after", () => end));
	});
	await using _ = runtime;
	const status = async () =>
		(
			(await (await runtime.action(id, "status")).json()) as {
				output: { state: string; waitingFor: { path: string; deadline: number }[] };
			}
		).output;
	await eventually(async () => expect((await status()).state).toBe("sleeping"));
	const [wait] = (await status()).waitingFor;
	expect(wait!.path).toBe("rounds/~4/long");
	const recorded = [
		{ parts: 3, when: new Date(5) },
		undefined,
		{ a: 1, b: "two" },
		{ winner: "now", value: 7 },
		{ a: 1 },
		{ b: 2 },
	];
	expect(ledger).toEqual(recorded);
	// It is ours now, and nothing else.
	const left = await inner.scan(id, { start: Uint8Array.of(6), end: Uint8Array.of(7) });
	expect(left).toEqual([]);
	const { workflow: shown } = (await inspect(runtime, id, "workflow")).body;
	expect(shown.entries.find(({ path }: { path: string }) => path === "plan")).toMatchObject({
		status: "completed",
		attempts: 1,
	});
	await clock.advance(wait!.deadline - clock.now());
	await eventually(async () => expect((await status()).state).toBe("completed"));
	expect(ledger.at(-1)).toBe(5);
	expect(ledger.filter((one) => /^ran/.test(String(one)))).toEqual([]);
});

it("between two tries, after a loop of 45 iterations and waits that timed out", async () => {
	const ledger: unknown[] = [];
	let tries = 0;
	const { runtime, id } = await takenOver("retrying", async (ctx) => {
		const total = await ctx.loop({
			name: "rounds",
			state: { total: 0 },
			run: async () => Loop.break(-1),
		});
		const polled = await ctx.queue.nextBatch("poll", { names: ["work"], timeout: 150 });
		const batch = await ctx.queue.nextBatch("batch", {
			names: ["work"],
			count: 5,
			completable: true,
		});
		await batch[0]!.complete({});
		const tired = await ctx.tryStep({ name: "tired", maxAttempts: 1, run: () => "not tired" });
		const flaky = await ctx.step("flaky", (c) => {
			tries = c.attempt;
			return "done";
		});
		ledger.push(
			total,
			polled.length,
			batch.map(({ body }) => body),
			tired.ok,
			flaky,
		);
	});
	await using _ = runtime;
	await eventually(async () => {
		const { output } = await (await runtime.action(id, "status")).json();
		expect(output).toMatchObject({ state: "completed" });
	});
	await eventually(() => expect(ledger).toEqual([45, 0, [{ a: 1 }], true, "done"]));
	expect(tries).toBe(2);
	expect((await (await runtime.action(id, "status")).json()).output.state).toBe("completed");
});

it("refuses what 2.1.3 does not write", async () => {
	const rows = await rowsOf("waiting");
	const read = (more: Rows) => () => readPublishedHistory([...rows, ...more], 0);
	expect(readPublishedHistory(rows, 0).entries.length).toBeGreaterThan(15);
	expect(read([[bytesOf("0601150901"), new Uint8Array()]])).toThrow(/unknown kind/);
	expect(read([[bytesOf("0601150914"), new Uint8Array()]])).toThrow(/no keys of kind 9/);
	expect(read([[bytesOf("060115021520"), bytesOf("0500")]])).toThrow(/unknown protocol version/);
});
