// Many messages, and consumers that do not keep up (issue: what must be seen).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openSqliteStore } from "@rivetkit/engine";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction, wireSend } from "../support/wire-http.ts";

/** These take half a minute each where nothing else runs. */
const LONG_MS = 300_000;
vi.setConfig({ testTimeout: 2 * LONG_MS });

let directory = "";
beforeEach(async () => {
	directory = await mkdtemp(join(tmpdir(), "queue-volume-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function start(use: Record<string, { readonly config: object }>): Promise<TestRuntime> {
	const store = await openSqliteStore({ directory });
	return TestRuntime.start(use, { store, maxIncomingMessageSize: 1_000_000 });
}

describe("100,000 messages", () => {
	it("go through one actor, in order, each once; none is left on the disk", async () => {
		const COUNT = 100_000;
		const gate = new Gate();
		const subject = actor({
			state: { handled: 0, isInOrder: true },
			queues: { a: queue<number>() },
			options: { maxQueueSize: COUNT },
			run: async (c) => {
				await gate.passed;
				for await (const { body } of c.queue.iter()) {
					if (body !== c.state.handled) c.state.isInOrder = false;
					c.state.handled++;
				}
			},
			actions: {
				fill: async (c, from: number, count: number) => {
					for (let n = from; n < from + count; n++) await c.queue.send("a", n);
				},
				state: (c) => ({ ...c.state, size: c.queue.size() }),
			},
		});
		await using runtime = await start({ subject });
		const id = await runtime.actorId("subject");
		for (let from = 0; from < COUNT; from += 5_000) {
			expect(codeOf(await wireAction(runtime, id, "fill", [from, 5_000]))).toBe("ok");
		}
		const full = await wireSend(runtime, id, "a", -1);
		expect(codeOf(full)).toBe("queue.full");
		gate.open();
		await eventually(async () => {
			const { output } = await wireAction(runtime, id, "state");
			expect(output).toEqual({ handled: COUNT, isInOrder: true, size: 0 });
		}, LONG_MS);
		expect(codeOf(await wireSend(runtime, id, "a", COUNT))).toBe("ok");
		await eventually(async () => {
			expect(await runtime.store.scan(id, { start: Uint8Array.of(0x10), end: null })).toEqual([]);
		});
	});

	it("go to 100 actors by 1,000, from clients, completed one by one", async () => {
		const ACTORS = 100;
		const EACH = 1_000;
		const subject = actor({
			state: { sum: 0, handled: 0 },
			queues: { a: queue<number>() },
			options: { maxQueueSize: EACH },
			run: async (c) => {
				for await (const message of c.queue.iter({ completable: true })) {
					c.state.sum += message.body;
					c.state.handled++;
					await message.complete();
				}
			},
			actions: { state: (c) => ({ ...c.state, size: c.queue.size() }) },
		});
		await using runtime = await start({ subject });
		await using client = runtime.localClient();
		const handles = Array.from({ length: ACTORS }, (_, n) => client.subject!.getOrCreate([`${n}`]));
		// As many senders as an actor has callers at a time; each waits until its message is on the disk.
		const SENDERS = 10;
		await Promise.all(
			handles.flatMap((handle) =>
				Array.from({ length: SENDERS }, async (_, sender) => {
					for (let n = sender; n < EACH; n += SENDERS) await handle.send("a", n);
				}),
			),
		);
		const sum = (EACH * (EACH - 1)) / 2;
		await eventually(async () => {
			for (const handle of handles) {
				expect(await handle.state()).toEqual({ sum, handled: EACH, size: 0 });
			}
		}, LONG_MS);
	});
});

describe("a consumer that does not keep up", () => {
	it("costs memory for headers only: bodies are on the disk", async () => {
		const COUNT = 20_000;
		const BODY = "x".repeat(4_000);
		const gate = new Gate();
		const subject = actor({
			state: { handled: 0 },
			queues: { a: queue<string>() },
			options: { maxQueueSize: COUNT },
			run: async (c) => {
				for await (const _ of c.queue.iter()) {
					await gate.passed;
					c.state.handled++;
				}
			},
			actions: {
				fill: async (c, count: number) => {
					for (let n = 0; n < count; n++) await c.queue.send("a", BODY);
				},
				handled: (c) => c.state.handled,
			},
		});
		await using runtime = await start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "fill", [100]);
		const before = usedBytes();
		for (let n = 100; n < COUNT; n += 100) await wireAction(runtime, id, "fill", [100]);
		const grown = usedBytes() - before;
		// Some hundred bytes, and what the event loop still held of the last messages when it was measured.
		expect(grown / COUNT, "bytes per message").toBeLessThan(BODY.length / 2);
		gate.open();
		await eventually(async () => {
			expect((await wireAction(runtime, id, "handled")).output).toBe(COUNT);
		}, LONG_MS);
	});
});

/** What is used on the heap and beside it, after a full collection. */
function usedBytes(): number {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	collect();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}
