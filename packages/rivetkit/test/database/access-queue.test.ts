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
