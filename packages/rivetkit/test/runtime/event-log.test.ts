import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventLog } from "../../src/runtime/connections/event-log.ts";

describe("EventLog", () => {
	it("has what is not confirmed, within its bounds, and knows what it has not (model)", () => {
		const step = fc.oneof(
			{ weight: 6, arbitrary: fc.record({ event: fc.string({ maxLength: 8 }) }) },
			// Frames that are no events, such as answers.
			{ weight: 2, arbitrary: fc.record({ frames: fc.integer({ min: 1, max: 3 }) }) },
			{ weight: 1, arbitrary: fc.record({ confirmBack: fc.nat(10) }) },
		);
		const limits = fc.record({
			maxResumeEvents: fc.integer({ min: 1, max: 600 }),
			maxResumeBytes: fc.integer({ min: 8, max: 200 }),
		});
		fc.assert(
			fc.property(
				fc.array(step, { maxLength: 300 }),
				limits,
				fc.nat(5),
				fc.nat(1_500),
				(steps, bounds, base, burst) => {
					const log = new EventLog(bounds, base);
					let sent = base;
					let known = base;
					let model: [number, string][] = [];
					const add = (text: string) => {
						const isWhole = log.add(++sent, text);
						model.push([sent, text]);
						let dropped = false;
						const bytes = () => model.reduce((sum, [, { length }]) => sum + length, 0);
						while (model.length > bounds.maxResumeEvents || bytes() > bounds.maxResumeBytes) {
							known = model.shift()![0];
							dropped = true;
						}
						expect(isWhole).toBe(!dropped);
					};
					for (let count = 0; count < burst; count++) add("");
					for (const step of steps) {
						if ("event" in step) {
							add(step.event);
						} else if ("frames" in step) {
							sent += step.frames;
						} else {
							const number = Math.max(known, sent - step.confirmBack);
							log.confirm(number);
							const last = model.filter(([at]) => at <= number).at(-1)?.[0] ?? known;
							model = model.filter(([at]) => at > number);
							known = model.length === 0 ? number : last;
						}
						expect(log.size).toBe(model.length);
						for (const from of [known - 1, known, Math.floor((known + sent) / 2), sent, sent + 5]) {
							const missed = model.filter(([at]) => at > from).map(([, text]) => text);
							expect(log.since(from)).toEqual(from < known ? null : missed);
						}
					}
				},
			),
			{ numRuns: 60 },
		);
	});

	it("numbers what comes after the socket is gone behind everything the client can have", () => {
		const log = new EventLog({ maxResumeEvents: 10, maxResumeBytes: 100 }, 0);
		log.add(2, "two");
		// Frame 5 was an answer.
		log.addUnsent(5, "missed");
		log.addUnsent(5, "missed too");
		expect(log.since(5)).toEqual(["missed", "missed too"]);
		expect(log.since(1)).toEqual(["two", "missed", "missed too"]);
		log.confirm(5);
		expect(log.since(5)).toEqual(["missed", "missed too"]);
	});
});
