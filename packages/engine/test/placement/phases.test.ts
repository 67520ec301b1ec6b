import { describe, expect, test } from "vitest";
import { nextPhase, type Phase, type PhaseEvent } from "../../src/placement/phases.ts";

const EVENTS: readonly PhaseEvent[] = ["started", "startFailed", "stopping", "stopped", "lost"];

/** What each event makes of a phase, in the order of {@link EVENTS}. */
const EXPECTED: Readonly<Record<Phase, string>> = {
	starting: "live gone stopping gone gone",
	live: "live live stopping gone gone",
	stopping: "stopping gone stopping gone gone",
	gone: "gone gone gone gone gone",
};
const PHASES = Object.keys(EXPECTED) as Phase[];

describe("phases of an incarnation", () => {
	test.each(PHASES)("%s goes where it must, whatever is told", (phase) => {
		expect(EVENTS.map((event) => nextPhase(phase, event)).join(" ")).toBe(EXPECTED[phase]);
	});

	test("calls are given to none that has begun to stop, however late a report comes", () => {
		for (const event of EVENTS) {
			expect(nextPhase("stopping", event)).not.toBe("live");
			expect(nextPhase("gone", event)).toBe("gone");
		}
	});
});
