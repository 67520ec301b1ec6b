import { expect, it } from "vitest";
import { RecentFailures } from "../../src/runners/recent-failures.ts";
import { TestClock } from "../helpers/test-clock.ts";

const RESET_MS = 600_000;

it("counts failures in a row, and remembers nobody who has not failed for a while", () => {
	const clock = new TestClock();
	const failures = new RecentFailures(clock, RESET_MS);
	expect([failures.failed("a"), failures.failed("a"), failures.failed("b")]).toEqual([0, 1, 0]);
	clock.advance(RESET_MS);
	// Whoever goes on failing stays, though it was the first.
	expect(failures.failed("a")).toBe(2);
	clock.advance(1);
	expect([failures.isFresh("a"), failures.isFresh("b")]).toEqual([false, true]);
	for (let other = 0; other < 1_000; other++) {
		failures.failed(`other ${other}`);
		clock.advance(RESET_MS / 10);
	}
	// Those of the last ten minutes.
	expect(failures.size).toBeLessThanOrEqual(12);
	failures.forget("other 999");
	expect(failures.isFresh("other 999")).toBe(true);
});
