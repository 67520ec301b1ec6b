// What a step changed lands with its record, however long it waits for something outside and whatever else
// the actor commits meanwhile (issue: "One commit per step"; workflows 6.4, 6.5).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore, type Store } from "@rivetkit/engine";
import { afterEach, beforeEach, expect, it } from "vitest";
import { db } from "../../src/db/index.ts";
import { actor, queue } from "../../src/index.ts";
import { workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { MortalStore, type Side } from "./support/mortal-store.ts";

interface Content {
	readonly state: number;
	readonly kv: number;
	readonly rows: number;
	readonly sent: number;
	readonly finished: boolean;
}

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "one-commit-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Lets a step wait for something outside: until `open`, and for some turns of the process. */
class Outside {
	readonly gate = new Gate();
	waits = 0;

	async wait(): Promise<void> {
		this.waits++;
		await this.gate.passed;
		for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
	}
}

function counting(outside: Outside, { isAtomic = false, fails = 0 } = {}) {
	let failures = fails;
	return actor({
		state: { n: 0, finished: false, other: 0 },
		db: db({ onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (n)")) }),
		queues: { sent: queue<number>(), noise: queue<number>() },
		run: workflow(async (ctx) => {
			await ctx.step({
				name: "count",
				atomic: isAtomic,
				retryBackoffBase: 0,
				run: async (c) => {
					c.state.n++;
					const before = Number((await c.kv.get("n")) ?? 0);
					await c.kv.put("n", String(before + 1));
					await c.db.execute("INSERT INTO t VALUES (1)");
					await c.queue.send("sent", 1);
					await outside.wait();
					await c.db.execute("INSERT INTO t VALUES (2)");
					if (failures-- > 0) throw new Error("once more");
				},
			});
			await ctx.step("finish", (c) => {
				c.state.finished = true;
			});
		}),
		actions: {
			// Commits, and changes nothing that the step changes.
			noise: (c) => c.queue.send("noise", 1),
			writeSql: async (c) => void (await c.db.execute("INSERT INTO t VALUES (3)")),
			get: async (c): Promise<Content> => ({
				state: c.state.n,
				kv: Number((await c.kv.get("n")) ?? 0),
				rows: (await c.db.execute("SELECT n FROM t WHERE n < 3")).length,
				sent: c.queue.size("sent"),
				finished: c.state.finished,
			}),
			cancel: (c) => c.workflow.cancel({ rollback: false }),
		},
	});
}

type Counting = ReturnType<typeof counting>;

async function start(subject: Counting, store: Store): Promise<TestRuntime> {
	return TestRuntime.start({ subject }, { store, dataDirectory: folder });
}

async function call<T>(runtime: TestRuntime, id: string, action: string): Promise<T> {
	const response = await runtime.action(id, action);
	return ((await response.json()) as { output: T }).output;
}

const ONCE: Content = { state: 1, kv: 1, rows: 2, sent: 1, finished: true };

it("does, for a crash before and after every commit of an actor that commits while the step waits", async () => {
	const sides: Side[] = ["before", "after"];
	let commits = Number.POSITIVE_INFINITY;
	for (let fatal = 0; fatal <= commits; fatal++) {
		for (const side of sides) {
			const inner = createMemoryStore();
			const mortal = new MortalStore(inner);
			if (fatal > 0) mortal.dieAt(fatal, side);
			const outside = new Outside();
			const runtime = await start(counting(outside), mortal.store);
			const done = (async () => {
				const id = await runtime.actorId("subject");
				await eventually(() => expect(outside.waits).toBe(1));
				for (let turn = 0; turn < 3; turn++) await call(runtime, id, "noise");
				outside.gate.open();
				await eventually(async () => expect(await call(runtime, id, "get")).toEqual(ONCE));
			})();
			done.catch(() => {});
			await Promise.race([done, mortal.died]);
			if (fatal === 0) {
				commits = mortal.commits.length;
				expect(commits).toBeGreaterThan(5);
				await runtime[Symbol.asyncDispose]();
				break;
			}
			mortal.die();
			runtime.server.close().catch(() => {});
			outside.gate.open();
			await using next = await start(counting(outside), inner);
			const id = await next.actorId("subject");
			await eventually(async () => expect(await call(next, id, "get")).toEqual(ONCE));
		}
	}
});

it("is held back from others' commits, and goes with them when they write the same", async () => {
	const inner = createMemoryStore();
	const mortal = new MortalStore(inner);
	const outside = new Outside();
	const runtime = await start(counting(outside), mortal.store);
	const id = await runtime.actorId("subject");
	await eventually(() => expect(outside.waits).toBe(1));
	await call(runtime, id, "noise");
	const subspaces = mortal.commits.flatMap(({ ops }) =>
		ops.map((op) => (op.op === "put" ? op.key : op.op === "delete" ? op.key : op.start)[0]),
	);
	// Neither kv nor, besides what onMigrate wrote, pages.
	expect(subspaces).not.toContain(0x12);
	await call(runtime, id, "writeSql");
	// The whole database: SQL lands in order.
	mortal.die();
	runtime.server.close().catch(() => {});
	const again = new Outside();
	await using next = await start(counting(again), inner);
	await eventually(() => expect(again.waits).toBe(1));
	again.gate.open();
	await eventually(async () => expect(await call(next, id, "get")).toEqual({ ...ONCE, rows: 3 }));
});

it.each([true, false])(
	"stays for the next try after a failure, or not (atomic: %s)",
	async (isAtomic) => {
		const outside = new Outside();
		outside.gate.open();
		await using runtime = await start(
			counting(outside, { isAtomic, fails: 1 }),
			createMemoryStore(),
		);
		const id = await runtime.actorId("subject");
		await eventually(async () =>
			expect(await call(runtime, id, "get")).toEqual(
				isAtomic ? ONCE : { ...ONCE, state: 2, kv: 2, rows: 4 },
			),
		);
	},
);

it("is saved when the step is given up, and what that does afterwards is refused", async () => {
	const inner = createMemoryStore();
	const outside = new Outside();
	const first = await start(counting(outside), new MortalStore(inner).store);
	const id = await first.actorId("subject");
	await eventually(() => expect(outside.waits).toBe(1));
	await call(first, id, "cancel");
	outside.gate.open();
	const left: Content = { state: 1, kv: 1, rows: 1, sent: 0, finished: false };
	await eventually(async () => expect(await call(first, id, "get")).toEqual(left));
	await first[Symbol.asyncDispose]();
	await using next = await start(counting(outside), inner);
	expect(await call(next, id, "get")).toEqual(left);
});
