import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	PendingCalls,
	QUEUED_CALLS_MAX,
	RESEND_WINDOW_MS,
	RESENDS_MAX,
} from "../../src/client/connection/pending-calls.ts";

/** Nobody reads it as a stream. */
const isCall = () => false;

function setUp() {
	const calls = new PendingCalls();
	const sent: string[] = [];
	const outcomes: string[] = [];
	return {
		calls,
		sent,
		outcomes,
		enqueue: (name: string, signal?: AbortSignal) =>
			calls
				.enqueue((id) => `${name}#${id}`, signal, isCall)
				.then(
					(output) => outcomes.push(`${name}=${String(output)}`),
					(error) => outcomes.push(`${name}!${String((error as Error).message)}`),
				),
		flush: (nowMs = 0) => calls.flush(nowMs, (frame) => sent.push(String(frame))),
		repeat: (nowMs = 0) => calls.repeat(nowMs, (frame) => sent.push(String(frame))),
	};
}

describe("pending calls", () => {
	test("ids start at 0, rise by one and go on over reconnects", async () => {
		const { calls, sent, enqueue, flush } = setUp();
		void enqueue("a");
		void enqueue("b");
		flush();
		calls.rejectAll(new Error("lost"));
		void enqueue("c");
		flush();
		expect(sent).toEqual(["a#0", "b#1", "c#2"]);
	});

	test("an id is not used up by arguments that cannot be encoded", () => {
		const { calls, sent, enqueue, flush } = setUp();
		expect(() =>
			calls.enqueue(
				() => {
					throw new Error("no");
				},
				undefined,
				isCall,
			),
		).toThrow("no");
		void enqueue("a");
		flush();
		expect(sent).toEqual(["a#0"]);
	});

	test("a rejected call is not sent, whether it was queued or in flight", async () => {
		const { calls, sent, outcomes, enqueue, flush, repeat } = setUp();
		const first = enqueue("first");
		flush();
		const second = enqueue("second");
		calls.rejectAll(new Error("lost"));
		await Promise.all([first, second]);
		repeat();
		flush();
		expect(sent).toEqual(["first#0"]);
		expect(outcomes).toEqual(["first!lost", "second!lost"]);
	});

	test("an aborted call rejects with its reason and is not sent", async () => {
		const { sent, outcomes, enqueue, flush } = setUp();
		const abort = new AbortController();
		const call = enqueue("call", abort.signal);
		abort.abort(new Error("changed my mind"));
		await call;
		flush();
		expect(sent).toEqual([]);
		expect(outcomes).toEqual(["call!changed my mind"]);
	});

	test("the late answer to an aborted call is known and ignored", async () => {
		const { calls, outcomes, enqueue, flush } = setUp();
		const abort = new AbortController();
		const call = enqueue("call", abort.signal);
		flush();
		abort.abort(new Error("too slow"));
		await call;
		expect(calls.answered(0, "late")).toBe(true);
		expect(calls.answered(0, "twice")).toBe(false);
		expect(outcomes).toEqual(["call!too slow"]);
	});

	test("a call is not repeated when the actor may have forgotten it", async () => {
		const { calls, sent, outcomes, enqueue, flush, repeat } = setUp();
		const old = enqueue("old");
		flush(0);
		void enqueue("young");
		flush(1);
		calls.rejectUnrepeatable(RESEND_WINDOW_MS + 1, new Error("too old"));
		repeat(RESEND_WINDOW_MS + 1);
		await old;
		expect(outcomes).toEqual(["old!too old"]);
		expect(sent).toEqual(["old#0", "young#1", "young#1"]);
	});

	test("a call is repeated a bounded number of times", async () => {
		const { calls, sent, outcomes, enqueue, flush, repeat } = setUp();
		const call = enqueue("poison");
		flush();
		for (let i = 0; i < RESENDS_MAX + 5; i++) {
			calls.rejectUnrepeatable(0, new Error("too often"));
			repeat();
		}
		await call;
		expect(sent).toHaveLength(RESENDS_MAX + 1);
		expect(outcomes).toEqual(["poison!too often"]);
	});

	test("the queue has a limit with an error of its own", () => {
		const calls = new PendingCalls();
		for (let i = 0; i < QUEUED_CALLS_MAX; i++) void calls.enqueue(() => "", undefined, isCall);
		expect(() => calls.enqueue(() => "", undefined, isCall)).toThrow(
			expect.objectContaining({ group: "client", code: "too_many_queued_calls" }),
		);
	});

	test("whatever happens, each call settles once and none is sent after it was rejected", async () => {
		const step = fc.constantFrom("enqueue", "flush", "repeat", "answer", "reject", "abort");
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
				const calls = new PendingCalls();
				const settled = new Map<number, number>();
				const rejected = new Set<number>();
				const aborts: AbortController[] = [];
				const promises: Promise<void>[] = [];
				const send = (frame: string | Uint8Array) => expect(rejected).not.toContain(Number(frame));
				let count = 0;
				for (const action of steps) {
					if (action === "enqueue") {
						const id = count++;
						const abort = new AbortController();
						aborts.push(abort);
						const count1 = () => settled.set(id, (settled.get(id) ?? 0) + 1);
						promises.push(
							calls
								.enqueue(String, abort.signal, isCall)
								.then(count1, count1)
								.then(() => {}),
						);
					} else if (action === "flush") calls.flush(0, send);
					else if (action === "repeat") {
						calls.rejectUnrepeatable(0, new Error());
						calls.repeat(0, send);
					} else if (action === "answer") calls.answered(count - 1, "x");
					else if (action === "abort") {
						const id = Math.floor(count / 2);
						aborts[id]?.abort();
						if (aborts[id]) rejected.add(id);
					} else {
						calls.rejectAll(new Error());
						for (let id = 0; id < count; id++) rejected.add(id);
					}
				}
				calls.rejectAll(new Error());
				await Promise.all(promises);
				expect([...settled.values()]).toEqual(Array.from({ length: count }, () => 1));
			}),
		);
	});
});
