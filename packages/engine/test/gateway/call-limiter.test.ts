import { expect, test } from "vitest";
import { engineLimits } from "../../src/common/limits.ts";
import { CallLimiter } from "../../src/gateway/call-limiter.ts";
import { TestClock } from "../helpers/test-clock.ts";

/** How many entries of maps `work` looks through. */
function lookedThrough(work: () => void): number {
	const { prototype } = Map;
	const iterate = prototype[Symbol.iterator];
	let count = 0;
	prototype[Symbol.iterator] = function* (this: Map<unknown, unknown>) {
		for (const entry of iterate.call(this)) {
			count++;
			yield entry;
		}
	} as typeof iterate;
	try {
		work();
	} finally {
		prototype[Symbol.iterator] = iterate;
	}
	return count;
}

/** Texts under which `work` keeps something in maps. */
function keysKept(work: () => void): string[] {
	const { prototype } = Map;
	const { set } = prototype;
	const keys: string[] = [];
	prototype.set = function (this: Map<unknown, unknown>, key: unknown, value: unknown) {
		if (typeof key === "string") keys.push(key);
		return set.call(this, key, value);
	};
	try {
		work();
	} finally {
		prototype.set = set;
	}
	return keys;
}

test("calls under ever new names do not look through those of the same minute again and again", () => {
	const clock = new TestClock();
	const limiter = new CallLimiter(clock, engineLimits({ requestsPerMinuteMax: 1 }));
	const names = (from: number, to: number) => () => {
		for (let name = from; name < to; name++) limiter.enter("1.2.3.4", `actor-${name}`)();
	};
	expect(lookedThrough(names(0, 12_000))).toBeLessThanOrEqual(12_000);
	expect(() => limiter.enter("1.2.3.4", "actor-0")).toThrow();
	clock.advance(60_000);
	// Those of the minute that is over are thrown away.
	expect(lookedThrough(names(20_000, 20_001))).toBe(12_000);
	clock.advance(60_000);
	expect(lookedThrough(names(30_000, 30_001))).toBe(0);
});

test("a call that goes on counts after its minute, too", () => {
	const clock = new TestClock();
	const limiter = new CallLimiter(clock, engineLimits({ requestsInFlightMax: 1 }));
	const leave = limiter.enter("1.2.3.4", "long");
	clock.advance(60_000);
	for (let name = 0; name < 12_000; name++) limiter.enter("1.2.3.4", `actor-${name}`)();
	expect(() => limiter.enter("1.2.3.4", "long")).toThrow();
	leave();
	limiter.enter("1.2.3.4", "long")();
});

test("beyond 100,000 counters of a minute, callers are counted by their address alone", () => {
	const clock = new TestClock();
	const limiter = new CallLimiter(clock, engineLimits({ requestsPerMinuteMax: 2 }));
	for (let name = 0; name < 100_000; name++) limiter.enter("1.2.3.4", `made-up-${name}`)();
	// What was counted before goes on by itself.
	limiter.enter("1.2.3.4", "made-up-0")();
	expect(() => limiter.enter("1.2.3.4", "made-up-0")).toThrow();
	const others = (address: string) =>
		[1, 2, 3].map((name) => () => limiter.enter(address, `${name}`)());
	for (const address of ["1.2.3.4", "5.6.7.8"]) {
		const [first, second, third] = others(address);
		first!();
		second!();
		expect(third).toThrow();
	}
	clock.advance(60_000);
	for (const other of others("1.2.3.4")) other();
});

test("of long names little is kept, and they are counted apart", () => {
	const limiter = new CallLimiter(new TestClock(), engineLimits({ requestsPerMinuteMax: 1 }));
	const long = "x".repeat(30_000);
	const keys = keysKept(() => {
		for (const name of [`${long}a`, `${long}b`]) limiter.enter("1.2.3.4", name)();
	});
	expect(keys).toHaveLength(2);
	expect(Math.max(...keys.map((key) => key.length))).toBeLessThan(200);
	expect(() => limiter.enter("1.2.3.4", `${long}a`)).toThrow();
});
