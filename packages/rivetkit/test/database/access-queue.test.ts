import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { AccessQueue } from "../../src/runtime/database/access-queue.ts";
import { outcomeOf } from "../support/wire-http.ts";

const WAITING_MAX = 10_000;

it("ten thousand wait in the order they came, one more is refused", async () => {
	const queue = new AccessQueue();
	const release = await queue.hold();
	const order: number[] = [];
	const waiting = Array.from({ length: WAITING_MAX }, (_unused, index) =>
		queue.run(() => order.push(index)),
	);
	const refused = queue.run(() => order.push(-1));
	await expect(refused).rejects.toThrow(`${WAITING_MAX} calls already wait`);
	expect(await outcomeOf(queue.hold())).toBe("database.busy");
	expect(order).toEqual([]);
	release();
	await Promise.all(waiting);
	expect(order).toEqual(waiting.map((_unused, index) => index));
	// There is room again.
	expect(queue.isFree).toBe(true);
	expect(await queue.run(() => 1)).toBe(1);
});

it("who leaves is not waited for, and hears why", async () => {
	const queue = new AccessQueue();
	const release = await queue.hold();
	const order: number[] = [];
	const leaving = new AbortController();
	const first = queue.run(() => order.push(1));
	const left = queue.run(() => order.push(2), leaving.signal);
	const last = queue.run(() => order.push(3), new AbortController().signal);
	leaving.abort(new Error("gone"));
	await expect(left).rejects.toThrow("gone");
	await expect(queue.run(() => order.push(4), leaving.signal)).rejects.toThrow("gone");
	release();
	await Promise.all([first, last]);
	expect(order).toEqual([1, 3]);
	expect(queue.isFree).toBe(true);
});

it("what was served is let go of, though somebody always waits", async () => {
	setFlagsFromString("--expose-gc");
	const collect = runInNewContext("gc") as () => void;
	const queue = new AccessQueue();
	const served: WeakRef<object>[] = [];
	let release = await queue.hold();
	let next = queue.hold();
	for (let round = 0; round < 1_000; round++) {
		const rows = { round };
		served.push(new WeakRef(rows));
		queue.run(() => rows);
		const last = queue.hold();
		release();
		release = await next;
		next = last;
	}
	expect(queue.isFree).toBe(false);
	// What a WeakRef is made of stays for the turn.
	await new Promise((resolve) => setImmediate(resolve));
	collect();
	const kept = served.filter((rows) => rows.deref() !== undefined);
	expect(kept.length).toBeLessThan(10);
	release();
	(await next)();
	expect(queue.isFree).toBe(true);
});

it("refuses all who wait, in the order they came, however long the first have waited", async () => {
	const queue = new AccessQueue();
	const release = await queue.hold();
	const order: number[] = [];
	const note = (index: number) => () => void order.push(index);
	const second = queue.hold();
	for (const index of [1, 2]) queue.run(() => {}).catch(note(index));
	release();
	const releaseSecond = await second;
	for (const index of [3, 4]) queue.run(() => {}).catch(note(index));
	queue.refuseAll(new Error("closed"));
	await new Promise((resolve) => setImmediate(resolve));
	expect(order).toEqual([1, 2, 3, 4]);
	releaseSecond();
	expect(queue.isFree).toBe(true);
});
