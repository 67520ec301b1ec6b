import { systemClock } from "@rivetkit/protocol";
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

	it("is left as it was by deadlines that are cancelled", () => {
		const { clock, wheel } = setUp();
		const fired: number[] = [];
		wheel.schedule(100_000, () => fired.push(clock.now()));
		for (let round = 0; round < 1_000; round++) {
			wheel.schedule(60_000, () => fired.push(-1)).cancel();
			clock.advanceSync(1);
		}
		expect([wheel.size, clock.armed]).toEqual([1, 1]);
		clock.advanceSync(100_000);
		expect(fired).toEqual([100_000]);
	});

	it("wakes for a far deadline a few times at most", () => {
		const { clock, wheel } = setUp();
		let fired = 0;
		wheel.schedule(40 * 24 * 3_600_000, () => fired++);
		const armedBefore = clock.armedEver;
		clock.advanceSync(40 * 24 * 3_600_000);
		expect(fired).toBe(1);
		expect(clock.armedEver - armedBefore).toBeLessThan(8);
	});

	it("lets a callback cancel another of the same tick", () => {
		const { clock, wheel } = setUp();
		const fired: string[] = [];
		wheel.schedule(10, () => {
			fired.push("first");
			second.cancel();
		});
		const second = wheel.schedule(10, () => fired.push("second"));
		wheel.schedule(10, () => fired.push("third"));
		clock.advanceSync(50);
		expect(fired).toEqual(["first", "third"]);
	});

	it("does not run a callback again that schedules itself for now, before time moves", () => {
		const { clock, wheel } = setUp();
		let runs = 0;
		const again = (): void => {
			runs++;
			wheel.schedule(0, again);
		};
		wheel.schedule(10, again);
		clock.advanceSync(10);
		expect(runs).toBe(1);
		clock.advanceSync(RESOLUTION_MS);
		expect(runs).toBe(2);
	});

	it("restarts a wait: later, sooner, after it fired and after it was cancelled", () => {
		const { clock, wheel } = setUp();
		const fired: number[] = [];
		const timer = wheel.schedule(100, () => fired.push(clock.now()));
		clock.advanceSync(50);
		timer.restart(100);
		clock.advanceSync(50);
		expect(fired).toEqual([]);
		timer.restart(200);
		timer.restart(20);
		expect(wheel.size).toBe(1);
		clock.advanceSync(100);
		expect(fired).toEqual([120]);
		timer.restart(100);
		clock.advanceSync(100);
		expect(fired).toEqual([120, 300]);
		timer.restart(10);
		timer.cancel();
		clock.advanceSync(100);
		expect(clock.armed).toBe(0);
		timer.restart(10);
		clock.advanceSync(10);
		expect(fired).toEqual([120, 300, 410]);
	});

	it("hardly delays anything when the wall clock is set back", () => {
		const { clock, wheel } = setUp();
		const fired: string[] = [];
		wheel.schedule(100, () => fired.push("before"));
		clock.advanceSync(50);
		clock.setBack(3_600_000);
		wheel.schedule(100, () => fired.push("after"));
		clock.advanceSync(99);
		expect(fired).not.toContain("after");
		clock.advanceSync(1 + RESOLUTION_MS);
		expect(fired).toEqual(["before", "after"]);
		expect(clock.armed).toBe(0);
	});

	it("notices a clock that was set back when nothing was scheduled since", () => {
		const { clock, wheel } = setUp();
		const fired: string[] = [];
		wheel.schedule(100, () => fired.push("a"));
		clock.setBack(3_600_000);
		clock.advanceSync(100);
		expect(fired).toEqual(["a"]);
	});

	it("refuses delays that are not finite", () => {
		const { wheel } = setUp();
		for (const delayMs of [Number.NaN, Number.POSITIVE_INFINITY]) {
			expect(() => wheel.schedule(delayMs, () => {})).toThrow(RangeError);
		}
		expect(wheel.size).toBe(0);
	});

	it("fires on the process's own clock, and leaves no timer behind", async () => {
		const clock = systemClock();
		const wheel = new TimerWheel(clock, { resolutionMs: 5 });
		const startMs = clock.now();
		const firedMs = await new Promise<number>((resolve) => {
			wheel.schedule(20, () => resolve(clock.now()));
		});
		expect(firedMs - startMs).toBeGreaterThanOrEqual(20);
		expect(wheel.size).toBe(0);
	});

	it("agrees with a sorted list: never early, at most a tick late, cancelled never", () => {
		const ms = fc.oneof(fc.nat({ max: 400 }), fc.nat({ max: 50_000 }), fc.nat({ max: 5_000_000 }));
		const command = fc.oneof(
			fc.record({ kind: fc.constant("schedule" as const), ms }),
			fc.record({ kind: fc.constant("restart" as const), index: fc.nat({ max: 30 }), ms }),
			fc.record({ kind: fc.constant("cancel" as const), index: fc.nat({ max: 30 }) }),
			fc.record({ kind: fc.constant("advance" as const), ms: fc.oneof(fc.nat({ max: 150 }), ms) }),
		);
		fc.assert(
			fc.property(fc.array(command, { maxLength: 60, size: "max" }), (commands) => {
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
					} else if (step.kind === "restart") {
						const entry = entries[step.index];
						if (entry?.state !== "waiting") continue;
						entry.timer.restart(step.ms);
						entry.dueMs = clock.now() + step.ms;
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
