import { describe, expect, it } from "vitest";
import {
	hasEnded,
	isLegalStep,
	isStarting,
	isStopping,
	PHASES,
	type Phase,
	step,
} from "../../src/runtime/lifecycle/lifecycle.ts";

const LEGAL: readonly string[] = [
	"loading onMigrate",
	"onMigrate createState",
	"onMigrate createVars",
	"createState onCreate",
	"onCreate createVars",
	"createVars onWake",
	"onWake ready",
	"ready draining",
	"draining stopHook",
	"stopHook disconnecting",
	"disconnecting saving",
	"saving stopped",
];

describe("lifecycle table", () => {
	it("allows exactly the documented steps, of all pairs", () => {
		for (const from of PHASES) {
			for (const to of PHASES) {
				const listed = LEGAL.includes(`${from} ${to}`);
				const fails = to === "failed" && isStarting(from);
				const fenced = to === "fenced" && !hasEnded(from);
				expect(isLegalStep(from, to), `${from} to ${to}`).toBe(listed || fails || fenced);
			}
		}
	});

	it("throws on an illegal step and names it", () => {
		expect(() => step("stopped", "ready")).toThrow("stopped to ready");
		expect(step("onWake", "ready")).toBe("ready");
	});

	it("puts each phase into one group: starting, ready, stopping, ended", () => {
		const groups = (phase: Phase) =>
			[isStarting(phase), phase === "ready", isStopping(phase), hasEnded(phase)].filter(Boolean);
		for (const phase of PHASES) expect(groups(phase), phase).toHaveLength(1);
	});
});
