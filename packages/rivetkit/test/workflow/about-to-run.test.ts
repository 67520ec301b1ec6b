// What is told to a workflow that is about to run counts, though nothing of it runs yet that could be stopped (workflows 5.6).
import { createMemoryStore, type Store } from "@rivetkit/engine";
import { expect, it } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction, wireSend } from "../support/wire-http.ts";

type Told = "pause" | "resume" | "cancel" | "cancelOnly";

/** More microtasks than a workflow needs to come to where it waits for a commit; none begins before they are over. */
const MICROTASKS = 200;

const subjectOf = (ledger: string[]) =>
	actor({
		queues: { go: queue<unknown>() },
		run: workflow(async (ctx) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({
				name: "a",
				run: () => void ledger.push("a"),
				rollback: () => void ledger.push("undo a"),
			});
			await ctx.queue.next("go", { names: ["go"] });
			await ctx.step("b", () => void ledger.push("b"));
		}),
		actions: {
			status: (c) => c.workflow.status(),
			/** The next one when the workflow waits for what the one before it wrote. */
			tell: async (c, ...told: Told[]) => {
				const done: Promise<unknown>[] = [];
				for (const what of told) {
					if (what === "cancelOnly") done.push(c.workflow.cancel({ rollback: false }));
					else done.push(c.workflow[what]());
					for (let task = 0; task < MICROTASKS; task++) await null;
				}
				await Promise.all(done);
			},
		},
	});

/** One workflow that has done `a`, and waits. */
async function started(store: Store = createMemoryStore()) {
	const ledger: string[] = [];
	const runtime = await TestRuntime.start({ subject: subjectOf(ledger) }, { store });
	const id = await runtime.actorId("subject");
	const call = async (name: string, ...args: unknown[]) => {
		const answer = await wireAction(runtime, id, name, args);
		expect([name, answer.error && codeOf(answer)]).toEqual([name, undefined]);
		return answer.output;
	};
	const tell = (...told: Told[]) => call("tell", ...told);
	const becomes = (expected: object) =>
		eventually(async () => expect(await call("status")).toMatchObject(expected), 10_000);
	await becomes({ state: "sleeping" });
	return {
		ledger,
		tell,
		becomes,
		/** What it waits for is there: whatever runs of it would do `b`. */
		send: () => wireSend(runtime, id, "go", 1),
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

it("cancelled while it is about to go on, it stays cancelled, and no step runs", async () => {
	await using world = await started();
	await world.tell("pause");
	await world.send();
	await world.tell("resume", "cancelOnly");
	await world.becomes({ state: "cancelled" });
	await world.becomes({ state: "cancelled" });
	expect(world.ledger).toEqual(["a"]);
});

it("cancelled while it is about to go on, it is undone", async () => {
	await using world = await started();
	await world.tell("pause");
	await world.send();
	await world.tell("resume", "cancel");
	await world.becomes({ state: "cancelled" });
	expect(world.ledger).toEqual(["a", "undo a"]);
});

it("paused while it is about to go on, it does when it is resumed", async () => {
	await using world = await started();
	await world.tell("pause");
	await world.send();
	await world.tell("resume", "pause");
	await world.becomes({ paused: true, state: "sleeping" });
	expect(world.ledger).toEqual(["a"]);
	await world.tell("resume");
	await world.becomes({ state: "completed" });
	expect(world.ledger).toEqual(["a", "b"]);
});

it("paused while it is about to be undone, it is when it is resumed", async () => {
	await using world = await started();
	await world.tell("cancel", "pause");
	await world.becomes({ paused: true });
	expect(world.ledger).toEqual(["a"]);
	await world.tell("resume");
	await world.becomes({ state: "cancelled" });
	expect(world.ledger).toEqual(["a", "undo a"]);
});

it("cancelled for good while it is about to be undone, nothing is undone", async () => {
	await using world = await started();
	await world.tell("cancel", "cancelOnly");
	await world.becomes({ state: "cancelled" });
	expect(world.ledger).toEqual(["a"]);
});

it("paused while what is to be undone is read, it is undone when it is resumed", async () => {
	let reading: Gate | null = null;
	let reads = 0;
	const inner = createMemoryStore();
	const store = new Proxy(inner, {
		get: (target, property) => {
			const member: unknown = Reflect.get(target, property);
			if (property !== "scan") return typeof member === "function" ? member.bind(target) : member;
			return async (...args: never[]) => {
				reads++;
				await reading?.passed;
				return Reflect.apply(member as never, target, args);
			};
		},
	});
	await using world = await started(store);
	const gate = new Gate();
	reading = gate;
	const before = reads;
	await world.tell("cancel");
	await eventually(() => expect(reads).toBe(before + 1));
	await world.tell("pause");
	reading = null;
	gate.open();
	await world.becomes({ paused: true, blocked: false });
	expect(world.ledger).toEqual(["a"]);
	await world.tell("resume");
	await world.becomes({ state: "cancelled" });
	expect(world.ledger).toEqual(["a", "undo a"]);
});
