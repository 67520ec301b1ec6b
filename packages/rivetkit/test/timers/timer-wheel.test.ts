import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimerWheel, type WheelTimer } from "../../src/runtime/timers/timer-wheel.ts";
import { FakeClock } from "../support/fake-clock.ts";

const RESOLUTION_MS = 10;

function setUp() {
	const clock = new FakeClock(0);
	return { clock, wheel: new TimerWheel(clock, { resolutionMs: RESOLUTION_MS }) };
}

describe("timer wheel", () => {
	it("arms no clock timer while empty, and at most one otherwise", () => {
		const { clock, wheel } = setUp();
		expect(clock.armed).toBe(0);
		const timers = [500, 20, 1_000_000_000_000, 20].map((ms) => wheel.schedule(ms, () => {}));
		expect(clock.armed).toBe(1);
		for (const timer of timers) timer.cancel();
		expect(clock.armed).toBe(0);
		expect(wheel.size).toBe(0);
	});

	it("fires deadlines of one tick in the order they were scheduled", () => {
		const { clock, wheel } = setUp();
		const fired: number[] = [];
		for (const number of [1, 2, 3]) wheel.schedule(15, () => fired.push(number));
		clock.advanceSync(20);
		expect(fired).toEqual([1, 2, 3]);
	});

	it("fires what a callback schedules for now, in the same round or the next", () => {
		const { clock, wheel } = setUp();
		const fired: string[] = [];
		wheel.schedule(10, () => {
			fired.push("outer");
			wheel.schedule(0, () => fired.push("inner"));
		});
		clock.advanceSync(10 + RESOLUTION_MS);
		expect(fired).toEqual(["outer", "inner"]);
	});

	it("keeps firing after a callback threw", () => {
		const { clock, wheel } = setUp();
		const fired: string[] = [];
		wheel.schedule(10, () => {
			throw new Error("bad callback");
		});
		wheel.schedule(10, () => fired.push("same tick"));
		wheel.schedule(50, () => fired.push("later"));
		expect(() => clock.advanceSync(10)).toThrow("bad callback");
		clock.advanceSync(100);
		expect(fired).toEqual(["same tick", "later"]);
	});

	it("agrees with a sorted list: never early, at most a tick late, cancelled never", () => {
		const command = fc.oneof(
			fc.record({ kind: fc.constant("schedule" as const), ms: fc.nat({ max: 400 }) }),
			fc.record({ kind: fc.constant("cancel" as const), index: fc.nat({ max: 30 }) }),
			fc.record({ kind: fc.constant("advance" as const), ms: fc.nat({ max: 150 }) }),
		);
		fc.assert(
			fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
				const { clock, wheel } = setUp();
				const entries: { dueMs: number; timer: WheelTimer; state: string; firedMs?: number }[] = [];
				for (const step of commands) {
					if (step.kind === "schedule") {
						const entry: (typeof entries)[number] = {
							dueMs: clock.now() + step.ms,
							timer: wheel.schedule(step.ms, () => {
								entry.state = "fired";
								entry.firedMs = clock.now();
							}),
							state: "waiting",
						};
						entries.push(entry);
					} else if (step.kind === "cancel") {
						const entry = entries[step.index];
						if (entry?.state !== "waiting") continue;
						entry.timer.cancel();
						entry.state = "cancelled";
					} else {
						clock.advanceSync(step.ms);
					}
					for (const entry of entries) {
						if (entry.state === "waiting") {
							expect(entry.dueMs + RESOLUTION_MS).toBeGreaterThan(clock.now());
						} else if (entry.state === "fired") {
							expect(entry.firedMs).toBeGreaterThanOrEqual(entry.dueMs);
							expect(entry.firedMs).toBeLessThan(entry.dueMs + RESOLUTION_MS);
						}
					}
					const waiting = entries.filter(({ state }) => state === "waiting").length;
					expect(wheel.size).toBe(waiting);
					expect(clock.armed).toBe(waiting === 0 ? 0 : 1);
				}
			}),
			{ numRuns: 300 },
		);
	});
});
