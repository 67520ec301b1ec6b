import { describe, expect, test } from "vitest";
import {
	HEALTHY_AFTER_MS,
	ReconnectSchedule,
} from "../../src/client/connection/reconnect-schedule.ts";

describe("reconnect schedule", () => {
	test("failed attempts wait 250 ms doubling to 30 seconds, without end", () => {
		const schedule = new ReconnectSchedule();
		const delays = Array.from({ length: 10 }, () => schedule.afterFailure());
		expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
		for (let i = 0; i < 2000; i++) schedule.afterFailure();
		expect(schedule.afterFailure()).toBe(30_000);
	});

	test("the loss of a connection is followed by an attempt at once, then by the schedule", () => {
		const schedule = new ReconnectSchedule();
		expect(schedule.afterLoss(100)).toBe(0);
		expect([schedule.afterFailure(), schedule.afterFailure()]).toEqual([250, 500]);
	});

	test("a server that opens and closes at once sees the schedule", () => {
		const schedule = new ReconnectSchedule();
		const delays = Array.from({ length: 6 }, () => schedule.afterLoss(0));
		expect(delays).toEqual([0, 250, 500, 1000, 2000, 4000]);
	});

	test("five seconds of health start the schedule over", () => {
		const schedule = new ReconnectSchedule();
		for (let i = 0; i < 6; i++) schedule.afterFailure();
		expect(schedule.afterLoss(HEALTHY_AFTER_MS - 1)).toBe(16_000);
		expect(schedule.afterLoss(HEALTHY_AFTER_MS)).toBe(0);
		expect(schedule.afterFailure()).toBe(250);
	});
});
