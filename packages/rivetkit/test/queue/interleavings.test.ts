// Senders, a consumer that waits in between, and everybody else who writes, in any order, on a disk that is
// slow and fails, with crashes anywhere: no acknowledged plain message is lost, none has its effects twice.
import { HEADER_CALL_ID, HEADER_QUEUE_OPTIONS } from "@rivetkit/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { Crashable } from "./support/crashable.ts";

/** What lets the consumer go on, one step at a time. */
class Permits {
	#waiting: (() => void)[] = [];
	#isOpen = false;

	get passed(): Promise<void> {
		if (this.#isOpen) return Promise.resolve();
		return new Promise((resolve) => this.#waiting.push(resolve));
	}

	one(): void {
		this.#waiting.shift()?.();
	}

	open(): void {
		this.#isOpen = true;
		for (const go of this.#waiting.splice(0)) go();
	}
}

const WRITES = ["state", "kv", "schedule", "save", "send", "background", "fail"] as const;

function consumer() {
	const scene = { permits: new Permits() };
	const subject = actor({
		state: { handled: 0, other: 0 },
		queues: { a: queue<string>(), b: queue<string>() },
		options: { stateSaveInterval: 5 },
		run: async (c) => {
			for await (const { body } of c.queue.iter({ names: ["a"] })) {
				await scene.permits.passed;
				const count = Number((await c.kv.get(body)) ?? 0);
				// Its stretch of writing: nothing is waited for in between.
				void c.kv.put(body, `${count + 1}`);
				c.state.handled++;
				await scene.permits.passed;
			}
		},
		onStateChange: (c) => {
			if (c.state.other % 3 === 1) void c.kv.put("!changes", `${c.state.other}`);
		},
		actions: {
			write: async (c, how: (typeof WRITES)[number]) => {
				if (how === "kv") await c.kv.put("!other", "1");
				else if (how === "schedule") await c.schedule.after(1, "write", "state");
				else if (how === "send") await c.queue.send("b", "other");
				else if (how === "background")
					c.waitUntil(new Promise<void>(setImmediate).then(() => void c.state.other++));
				else c.state.other++;
				if (how === "save") await c.saveState({ immediate: true });
				if (how === "fail") throw new Error("no");
			},
			report: async (c) => {
				const entries = await c.kv.list();
				const counts = entries.filter(([key]) => !key.startsWith("!"));
				return { counts, handled: c.state.handled, waiting: c.queue.size("a") };
			},
		},
	});
	return { subject, scene };
}

const step = fc.oneof(
	{
		weight: 8,
		arbitrary: fc.record({
			kind: fc.constant("send" as const),
			wait: fc.constantFrom(null, 1, 20),
			hasCallId: fc.boolean(),
		}),
	},
	{ weight: 6, arbitrary: fc.record({ kind: fc.constant("go on" as const) }) },
	{
		weight: 5,
		arbitrary: fc.record({
			kind: fc.constant("write" as const),
			how: fc.constantFrom(...WRITES),
		}),
	},
	{
		weight: 5,
		arbitrary: fc.record({
			kind: fc.constant("disk" as const),
			how: fc.constantFrom("hold", "holdAnswers", "let go"),
		}),
	},
	{ weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
);
const turns = fc.nat(3);

it("keep what was acknowledged, over any order of senders, writers, slow commits and crashes", async () => {
	let sends = 0;
	let crashes = 0;
	const steps = fc.array(fc.tuple(step, turns), { minLength: 5, maxLength: 40 });
	await fc.assert(
		fc.asyncProperty(steps, async (todo) => {
			const { subject, scene } = consumer();
			await using crashable = await Crashable.start({ subject });
			const calls: Promise<unknown>[] = [];
			let letGo = () => {};
			let alive = Promise.resolve();
			/** Repeats a send until it is acknowledged. */
			const send = async (key: string, wait: number | null, hasCallId: boolean) => {
				for (;;) {
					await alive;
					const answer = await crashable
						.send("a", key, {
							headers: {
								[HEADER_QUEUE_OPTIONS]: JSON.stringify({ dedupeKey: key }),
								...(hasCallId ? { [HEADER_CALL_ID]: key } : undefined),
							},
							...(wait === null ? undefined : { wait: true, timeout: wait }),
						})
						.catch(() => null);
					if (answer?.status === 200) return;
				}
			};
			for (const [what, count] of todo) {
				switch (what.kind) {
					case "send":
						calls.push(send(`move ${sends++}`, what.wait, what.hasCallId));
						break;
					case "go on":
						scene.permits.one();
						break;
					case "write":
						calls.push(crashable.call("write", what.how).catch(() => {}));
						break;
					case "disk":
						letGo();
						letGo = what.how === "let go" ? () => {} : crashable.store[what.how as "hold"]();
						break;
					case "crash":
						crashes++;
						// What was on its way to the disk never comes there.
						crashable.store.abandon();
						scene.permits = new Permits();
						alive = crashable.crash();
						letGo();
						letGo = () => {};
						await alive;
				}
				for (let turn = 0; turn < count; turn++) await new Promise((next) => setImmediate(next));
			}
			letGo();
			scene.permits.open();
			const sent = todo.filter(([{ kind }]) => kind === "send").length;
			await Promise.all(calls);
			await eventually(async () => {
				const { counts, handled, waiting } = (await crashable.call("report")) as {
					counts: [string, string][];
					handled: number;
					waiting: number;
				};
				expect(waiting).toBe(0);
				expect(counts.filter(([, count]) => count !== "1")).toEqual([]);
				expect([counts.length, handled]).toEqual([sent, sent]);
			});
		}),
		// Making a failure small takes minutes of waiting for what does not come.
		{ numRuns: 60, endOnFailure: true },
	);
	expect(crashes).toBeGreaterThan(10);
});
