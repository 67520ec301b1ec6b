import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PendingMessages } from "../../src/gateway/pending-messages.ts";

describe("PendingMessages", () => {
	test("keeps what is not acknowledged, in order and with its indexes (model)", () => {
		const step = fc.oneof(
			{ weight: 3, arbitrary: fc.record({ push: fc.string({ maxLength: 5 }) }) },
			{ weight: 2, arbitrary: fc.record({ acknowledge: fc.nat(20) }) },
			{ weight: 1, arbitrary: fc.constant({ pass: true }) },
		);
		fc.assert(
			fc.property(fc.array(step, { maxLength: 200 }), fc.nat(3_000), (steps, burst) => {
				const pending = new PendingMessages();
				let model: [number, string][] = [];
				let last = 0;
				// Long lists are given back in parts.
				for (let index = 0; index < burst; index++) {
					expect(pending.push("b")).toBe(++last);
					model.push([last, "b"]);
				}
				for (const step of steps) {
					if ("push" in step) {
						expect(pending.push(step.push)).toBe(++last);
						model.push([last, step.push]);
					} else if ("acknowledge" in step) {
						const index = last - step.acknowledge + 5 + (burst >> 1) * (step.acknowledge & 1) * -1;
						pending.acknowledge(index);
						model = model.filter(([at]) => at > index);
					} else if (model.length === 0) {
						expect(pending.pass()).toBe(++last);
					}
					expect(pending.count).toBe(model.length);
					expect(pending.lastIndex).toBe(last);
				}
				expect(pending.entries()).toEqual(model);
				const bytes = model.reduce((sum, [, message]) => sum + message.length, 0);
				expect(pending.bytes).toBe(bytes + 64 * model.length);
				pending.clear();
				expect([pending.count, pending.bytes, pending.entries()]).toEqual([0, 0, []]);
			}),
		);
	});
});
