import { describe, expect, test } from "vitest";
import { Subscriptions } from "../../src/client/connection/subscriptions.ts";

function setUp() {
	const log: string[] = [];
	const subscriptions = new Subscriptions({
		subscriptionChanged: (name, subscribe) => log.push(`${subscribe ? "+" : "-"}${name}`),
		listenerFailed: (name, error) => log.push(`${name} failed: ${(error as Error).message}`),
	});
	return { log, subscriptions };
}

describe("event subscriptions", () => {
	test("the first listener subscribes, the last one unsubscribes, the next one subscribes again", () => {
		const { log, subscriptions } = setUp();
		const first = subscriptions.add("tick", () => {}, false);
		const second = subscriptions.add("tick", () => {}, false);
		first();
		expect(log).toEqual(["+tick"]);
		second();
		second();
		expect(log).toEqual(["+tick", "-tick"]);
		subscriptions.add("tick", () => {}, false);
		expect(log).toEqual(["+tick", "-tick", "+tick"]);
	});

	test("a stale unsubscribe does not touch listeners that came later", () => {
		const { log, subscriptions } = setUp();
		const stale = subscriptions.add("tick", () => {}, false);
		stale();
		subscriptions.add("tick", () => {}, false);
		stale();
		expect(log).toEqual(["+tick", "-tick", "+tick"]);
	});

	test("a one-shot listener that was the only one unsubscribes when it fires", () => {
		const { log, subscriptions } = setUp();
		subscriptions.add("tick", (value) => log.push(`got ${String(value)}`), true);
		subscriptions.deliver("tick", [1]);
		subscriptions.deliver("tick", [2]);
		expect(log).toEqual(["+tick", "-tick", "got 1"]);
	});

	test("a throwing listener is reported and the others hear the event", () => {
		const { log, subscriptions } = setUp();
		subscriptions.add(
			"tick",
			() => {
				throw new Error("ouch");
			},
			false,
		);
		subscriptions.add("tick", (...args) => log.push(args.join("+")), false);
		subscriptions.deliver("tick", ["a", "b"]);
		expect(log).toEqual(["+tick", "tick failed: ouch", "a+b"]);
	});

	test("what an async listener rejects with is reported", async () => {
		const { log, subscriptions } = setUp();
		subscriptions.add("tick", (() => Promise.reject(new Error("ouch"))) as () => void, false);
		subscriptions.deliver("tick", []);
		await expect.poll(() => log).toEqual(["+tick", "tick failed: ouch"]);
	});

	test("a listener removed by an earlier one does not hear the event", () => {
		const { log, subscriptions } = setUp();
		subscriptions.add("tick", () => remove(), false);
		const remove = subscriptions.add("tick", () => log.push("heard"), false);
		subscriptions.deliver("tick", []);
		expect(log).toEqual(["+tick"]);
	});

	test("events named like members of objects are events like any other", () => {
		const { log, subscriptions } = setUp();
		subscriptions.deliver("__proto__", []);
		subscriptions.add("constructor", () => log.push("heard"), false);
		subscriptions.deliver("constructor", []);
		expect(log).toEqual(["+constructor", "heard"]);
	});
});
