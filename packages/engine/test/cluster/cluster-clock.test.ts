import fc from "fast-check";
import { expect, it } from "vitest";
import { ClusterClock } from "../../src/cluster/cluster-clock.ts";

const EPOCH = 1_700_000_000_000;
/** Numbers of this size are no more exact. */
const EXACT_MS = 0.01;

it("is never ahead of the database, and its latest never behind, however slow answers are and clocks drift", () => {
	const exchange = fc.record({
		pauseMs: fc.double({ min: 0, max: 3_000, noNaN: true }),
		thereMs: fc.double({ min: 0, max: 200, noNaN: true }),
		backMs: fc.double({ min: 0, max: 200, noNaN: true }),
	});
	const drift = fc.double({ min: -1e-4, max: 1e-4, noNaN: true });
	fc.assert(
		fc.property(fc.array(exchange, { minLength: 1, maxLength: 60 }), drift, (exchanges, ppm) => {
			let trueMs = 0;
			const monotonic = () => trueMs * (1 + ppm);
			const clock = new ClusterClock(monotonic);
			for (const { pauseMs, thereMs, backMs } of exchanges) {
				trueMs += pauseMs;
				if (clock.isSet) {
					expect(clock.now()).toBeLessThanOrEqual(EPOCH + trueMs + EXACT_MS);
					expect(clock.latest()).toBeGreaterThanOrEqual(EPOCH + trueMs - EXACT_MS);
				}
				const askedAtMs = monotonic();
				trueMs += thereMs;
				const databaseMs = Math.floor(EPOCH + trueMs);
				trueMs += backMs;
				clock.read(databaseMs, askedAtMs, monotonic());
				expect(clock.now()).toBeLessThanOrEqual(EPOCH + trueMs + EXACT_MS);
				expect(clock.latest()).toBeGreaterThanOrEqual(EPOCH + trueMs - EXACT_MS);
			}
		}),
	);
});

it("knows the time as well as the fastest of the last answers did", () => {
	let nowMs = 0;
	const clock = new ClusterClock(() => nowMs);
	for (const tookMs of [400, 2, 300]) {
		const askedAtMs = nowMs;
		nowMs += tookMs;
		clock.read(EPOCH + askedAtMs + tookMs / 2, askedAtMs, nowMs);
	}
	expect(clock.latest() - clock.now()).toBeLessThanOrEqual(5);
});

it("is the process's own clock until the database was asked", () => {
	const clock = new ClusterClock();
	expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
	expect(Math.abs(clock.latest() - Date.now())).toBeLessThan(1_000);
});
