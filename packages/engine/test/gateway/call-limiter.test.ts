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
