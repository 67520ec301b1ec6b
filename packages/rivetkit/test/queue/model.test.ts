// Order, priority, delay, time to live, dedupe, leases, attempts, dead letters and receives that wait against
// a simple model, with crashes anywhere in between.
import fc from "fast-check";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { codeOf } from "../support/wire-http.ts";
import { Crashable } from "./support/crashable.ts";
import {
	MAX_SIZE,
	type ModelMessage,
	type ModelServed,
	NAMES,
	type Name,
	QueueModel,
} from "./support/queue-model.ts";

type HolderEnd = "complete" | "release" | "return" | "throw";

/** How the holders of messages are told what to do, by message. */
const holders = new Map<number, Gate<HolderEnd>>();

/** Ends the receives that wait, by the name of the call. */
const leaving = new Map<string, AbortController>();

const subject = actor({
	queues: {
		a: queue<number>({
			maxAttempts: 3,
			retryDelay: { initial: 100, max: 400 },
			deadLetter: "dead",
		}),
		b: queue<number>(),
		dead: queue<number>(),
	},
	options: { maxQueueSize: MAX_SIZE, actionTimeout: 1e9 },
	actions: {
		send: async (c, name: "a" | "b", body: number, options: never) =>
			Number((await c.queue.send(name, body, options)).id),
		take: async (c, names: Name[]) => {
			const message = await c.queue.tryNext({ names });
			return message && [Number(message.id), message.name, message.body, message.attempt];
		},
		hold: async (c, names: Name[], told: string) => {
			const message = await c.queue.tryNext({ names, completable: true });
			if (!message) {
				found.set(told, undefined);
				return;
			}
			const gate = new Gate<HolderEnd>();
			const id = Number(message.id);
			holders.set(id, gate);
			found.set(told, [id, message.name, message.body, message.attempt]);
			await endAs(await gate.passed, message);
		},
		next: async (c, names: Name[], completable: boolean, told: string) => {
			const leave = new AbortController();
			const receiving = c.queue.next({
				names,
				completable: completable as true,
				signal: leave.signal,
			});
			leaving.set(told, leave);
			const message = (await receiving)!;
			const id = Number(message.id);
			const gate = new Gate<HolderEnd>();
			if (completable) holders.set(id, gate);
			found.set(told, [id, message.name, message.body, message.attempt]);
			if (completable) await endAs(await gate.passed, message);
		},
		redrive: (c) => c.queue.redrive(),
		size: (c) => c.queue.size(),
	},
});

async function endAs(
	end: HolderEnd,
	message: { complete(): Promise<void>; release(): Promise<void> },
): Promise<void> {
	if (end === "complete") await message.complete();
	if (end === "release") await message.release();
	if (end === "throw") throw new Error("no");
}

/** What `hold` and `next` got, by the name of the call. */
const found = new Map<string, unknown>();

const names = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 3 });
const step = fc.oneof(
	{
		weight: 6,
		arbitrary: fc.record({
			kind: fc.constant("send" as const),
			name: fc.constantFrom("a" as const, "b" as const),
			priority: fc.constantFrom(0, 0, 0, 1, -1),
			delay: fc.constantFrom(0, 0, 0, 50, 300),
			ttl: fc.constantFrom(null, null, 200),
			dedupeKey: fc.constantFrom(null, null, "k", "l"),
		}),
	},
	{ weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const), names }) },
	{ weight: 5, arbitrary: fc.record({ kind: fc.constant("hold" as const), names }) },
	{
		weight: 5,
		arbitrary: fc.record({
			kind: fc.constant("next" as const),
			names,
			completable: fc.boolean(),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({ kind: fc.constant("leave" as const), which: fc.nat() }),
	},
	{
		weight: 5,
		arbitrary: fc.record({
			kind: fc.constant("end" as const),
			which: fc.nat(),
			end: fc.constantFrom<HolderEnd[]>("complete", "release", "return", "throw"),
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			kind: fc.constant("wait" as const),
			ms: fc.constantFrom(10, 100, 400, 86_400_000),
		}),
	},
	{ weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant("redrive" as const) }) },
);

const shown = (message: ModelMessage | undefined) =>
	message && [message.id, message.name, message.body, message.attempt];

it("does what the model does, over any mix of calls, times and crashes", async () => {
	let calls = 0;
	await fc.assert(
		fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 50 }), async (steps) => {
			const clock = new FakeClock();
			const model = new QueueModel(clock.now());
			holders.clear();
			leaving.clear();
			await using crashable = await Crashable.start({ subject }, clock);
			// Whatever fails: no call may be left waiting.
			using _ = {
				[Symbol.dispose]: () => {
					for (const end of leaving.values()) end.abort();
					for (const gate of holders.values()) gate.open("return");
				},
			};
			/** Messages in hands, with the calls that have them. */
			let held: { message: ModelMessage; call: Promise<unknown> }[] = [];
			/** Receives that wait, by the name of the call. */
			const nexts = new Map<string, Promise<unknown>>();
			const assertServed = async (served: readonly ModelServed[]) => {
				for (const { wait, message } of served) {
					const { told, completable } = wait;
					await eventually(() => expect([told, found.get(told)]).toEqual([told, shown(message)]));
					if (completable) held.push({ message, call: nexts.get(told)! });
					else await nexts.get(told);
				}
			};
			const leave = async (which: number) => {
				const wait = model.waits[which % model.waits.length]!;
				model.leave(wait);
				leaving.get(wait.told)!.abort();
				await nexts.get(wait.told);
			};
			for (const [body, todo] of steps.entries()) {
				switch (todo.kind) {
					case "send": {
						const { kind: _, name, ttl, dedupeKey, ...more } = todo;
						const options = {
							...more,
							...(ttl === null ? {} : { ttl }),
							...(dedupeKey === null ? {} : { dedupeKey }),
						};
						const sent = await crashable.call("send", name, body, options).catch(codeOf);
						expect(sent).toBe(model.send(body, todo));
						await assertServed(model.serve());
						break;
					}
					case "take": {
						const taken = await crashable.call("take", todo.names);
						const expected = model.take(todo.names);
						expect(taken).toEqual(shown(expected));
						if (expected) model.remove(expected);
						break;
					}
					case "hold": {
						const told = `call ${calls++}`;
						const call = crashable.call("hold", todo.names, told).catch(() => {});
						await eventually(() => expect(found.has(told)).toBe(true));
						const expected = model.hold(todo.names);
						expect(found.get(told)).toEqual(shown(expected));
						if (expected) held.push({ message: expected, call });
						break;
					}
					case "next": {
						const { names, completable } = todo;
						const told = `call ${calls++}`;
						nexts.set(
							told,
							crashable.call("next", names, completable, told).catch(() => {}),
						);
						await eventually(() => expect(leaving.has(told)).toBe(true));
						model.waits.push({ told, names, completable });
						await assertServed(model.serve());
						break;
					}
					case "leave":
						if (model.waits.length > 0) await leave(todo.which);
						break;
					case "end": {
						if (held.length === 0) break;
						const [{ message, call }] = held.splice(todo.which % held.length, 1) as [
							(typeof held)[0],
						];
						holders.get(message.id)!.open(todo.end);
						await call;
						if (todo.end === "complete") model.remove(message);
						else model.release(message);
						await assertServed(model.serve());
						break;
					}
					case "wait":
						await clock.advance(todo.ms);
						await assertServed(model.advance(todo.ms));
						break;
					case "crash": {
						const before = held;
						held = [];
						await crashable.crash();
						model.crash();
						// What the dead process still does must not be seen.
						for (const { message, call } of before) {
							holders.get(message.id)!.open("complete");
							await call;
						}
						break;
					}
					case "redrive":
						expect(await crashable.call("redrive")).toBe(model.redrive());
						await assertServed(model.serve());
						break;
				}
				expect(await crashable.call("size")).toBe(model.size);
			}
			while (model.waits.length > 0) await leave(0);
			for (const { message, call } of held) {
				holders.get(message.id)!.open("complete");
				await call;
				model.remove(message);
			}
			await clock.advance(1_000);
			model.advance(1_000);
			for (let expected = model.take(NAMES); expected; expected = model.take(NAMES)) {
				expect(await crashable.call("take", NAMES)).toEqual(shown(expected));
				model.remove(expected);
			}
			expect(await crashable.call("take", NAMES)).toBeUndefined();
			expect(await crashable.stored()).toEqual([]);
		}),
		{ numRuns: 60 },
	);
}, 30_000);
