import { describe, expect, test } from "vitest";
import { handleProxy } from "../../src/client/proxy.ts";

class Target {
	readonly #calls: unknown[];
	constructor(calls: unknown[]) {
		this.#calls = calls;
	}
	action(call: { name: string; args: readonly unknown[] }): Promise<unknown> {
		this.#calls.push([call.name, ...call.args]);
		return Promise.resolve(call.name);
	}
	send(): string {
		return "own member";
	}
}

function setUp() {
	const calls: unknown[] = [];
	const target = new Target(calls);
	// biome-ignore lint/suspicious/noExplicitAny: the untyped side of the proxy is what is tested
	return { calls, handle: handleProxy(target) as any };
}

describe("handle proxy", () => {
	test("unknown members are actions", async () => {
		const { calls, handle } = setUp();
		expect(await handle.add(1, 2)).toBe("add");
		expect(calls).toEqual([["add", 1, 2]]);
	});

	test("nested members are joined with dots", async () => {
		const { calls, handle } = setUp();
		await handle.users.roles.add("x");
		await handle.users.name.length();
		expect(calls).toEqual([["users.roles.add", "x"], ["users.name.length"]]);
	});

	test("own members are the target's, and bound to it", () => {
		const { handle } = setUp();
		const { send } = handle;
		expect(send()).toBe("own member");
		expect(handle.constructor).toBe(Target);
		expect(handle).toBeInstanceOf(Target);
	});

	test("a handle can be awaited", async () => {
		const { calls, handle } = setUp();
		expect(await handle).toBe(handle);
		expect(await handle.users).toBeTypeOf("function");
		expect(calls).toEqual([]);
	});

	test("turning a handle into text calls nothing", () => {
		const { calls, handle } = setUp();
		expect(`${handle}`).toBe("[rivetkit]");
		expect(JSON.stringify({ handle })).toBe('{"handle":{}}');
		expect(Object.prototype.toString.call(handle)).toBe("[object Object]");
		expect(calls).toEqual([]);
	});

	test("`in` knows any name but `then`, and nothing is enumerable", () => {
		const { handle } = setUp();
		expect("add" in handle).toBe(true);
		expect("then" in handle).toBe(false);
		expect(Symbol.iterator in handle).toBe(false);
		expect(Object.keys(handle)).toEqual([]);
	});

	test("an action is the same function each time and works with call, apply and bind", async () => {
		const { calls, handle } = setUp();
		expect(handle.add).toBe(handle.add);
		await handle.add.call(null, 1);
		await handle.add.apply(null, [2]);
		await handle.add.bind(null, 3)();
		expect(calls).toEqual([
			["add", 1],
			["add", 2],
			["add", 3],
		]);
	});

	test("names of Object.prototype are actions too, so the server decides about them", async () => {
		const { calls, handle } = setUp();
		await handle.toString();
		await handle.valueOf("x");
		expect(calls).toEqual([["toString"], ["valueOf", "x"]]);
	});
});
