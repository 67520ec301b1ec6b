// Workflows 15, checks 58 to 65: the process ends right before and right after every commit there is.
import { describe, expect, it } from "vitest";
import { SCENARIOS } from "./support/scenarios.ts";
import { type Outcome, survive } from "./support/survival.ts";

describe.each(Object.entries(SCENARIOS))("%s", (_name, scenario) => {
	it("ends as if nothing had happened, wherever the process ends", async () => {
		const dry = await survive(scenario, []);
		expect(dry.head.state).toBe(scenario.ends ?? "completed");
		for (let commit = 1; commit <= dry.commits; commit++) {
			for (const side of ["before", "after"] as const) {
				const outcome = await survive(scenario, [{ commit, side }]);
				agree(outcome, dry, `${side} ${commit}`);
				expect(outcome.crashes, `${side} ${commit}`).toBe(1);
			}
		}
	}, 60_000);

	it("ends so after several crashes, too", async () => {
		const dry = await survive(scenario, []);
		for (let commit = 1; commit <= dry.commits; commit += 2) {
			for (const second of [1, 2, 3]) {
				const deaths = [
					{ commit, side: "before" as const },
					{ commit: second, side: "after" as const },
					{ commit: 2, side: "before" as const },
				];
				agree(await survive(scenario, deaths), dry, `${commit} ${second}`);
			}
		}
	}, 60_000);
});

function agree(outcome: Outcome, dry: Outcome, when: string): void {
	const { ledger, crashes, commits: _c, answers, ...rest } = outcome;
	const { ledger: dryLedger, crashes: _n, commits: _d, answers: dryAnswers, ...expected } = dry;
	expect(rest, when).toEqual(expected);
	expect(answers.length, when).toBe(dryAnswers.length);
	// A body is repeated only by a crash at its frontier.
	expect(ledger.length, when).toBeLessThanOrEqual(dryLedger.length + crashes);
	expect(new Set(ledger), when).toEqual(new Set(dryLedger));
}
