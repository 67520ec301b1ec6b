// Workflows 15, checks 58 to 65: the process ends right before and right after every commit there is.
import { describe, expect, it } from "vitest";
import { LARGE_SCENARIOS, SCENARIOS } from "./support/scenarios.ts";
import { type Death, type Outcome, survive } from "./support/survival.ts";

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
	});

	it("ends so after several crashes, too", async () => {
		const dry = await survive(scenario, []);
		for (let commit = 1; commit <= dry.commits; commit += 4) {
			for (const second of [1, 2, 3]) {
				const deaths = [
					{ commit, side: "before" as const },
					{ commit: second, side: "after" as const },
					{ commit: 2, side: "before" as const },
				];
				agree(await survive(scenario, deaths), dry, `${commit} ${second}`);
			}
		}
	});
});

/** Workflows of so few commits are ended at every pair of them. */
const SHORT = 5;
const SIDES = ["before", "after"] as const;

const short = Object.entries(SCENARIOS).filter(
	([name]) => name.endsWith("three steps") || name.endsWith("fails at 1"),
);

it.each(short)(
	"%s: ends so after a crash at every commit and another at every commit after that",
	async (_name, scenario) => {
		const dry = await survive(scenario, []);
		const deaths = Array.from({ length: Math.min(dry.commits, SHORT) }, (_, index) =>
			SIDES.map((side): Death => ({ commit: index + 1, side })),
		).flat();
		for (const first of deaths) {
			for (const second of deaths) {
				const when = `${first.side} ${first.commit}, ${second.side} ${second.commit}`;
				agree(await survive(scenario, [first, second]), dry, when);
			}
		}
	},
);

/** No process gets further than here. The first commit after a start may have no more than that it was one. */
const LIMITS: readonly Death[] = [
	{ commit: 2, side: "after" },
	{ commit: 3, side: "before" },
	{ commit: 3, side: "after" },
	{ commit: 4, side: "before" },
];

function* always(death: Death): Iterable<Death> {
	for (;;) yield death;
}

/** Whose steps call the actor get no further: each try has a commit of the call. */
const silent = Object.entries(SCENARIOS).filter(([, { repeatsCalls }]) => !repeatsCalls);

describe.each([...Object.entries(LARGE_SCENARIOS), ...silent])("%s", (_name, scenario) => {
	it("ends so when every process ends after a few commits", async () => {
		const dry = await survive(scenario, []);
		for (const limit of LIMITS) {
			const outcome = await survive(scenario, always(limit));
			agree(outcome, dry, `${limit.side} ${limit.commit}`);
			if (dry.commits > 10) expect(outcome.crashes).toBeGreaterThan(dry.commits / 5);
		}
	});
});

function agree(outcome: Outcome, dry: Outcome, when: string): void {
	const { ledger, crashes, commits: _c, answers, ...rest } = outcome;
	const { ledger: dryLedger, crashes: _n, commits: _d, answers: dryAnswers, ...expected } = dry;
	expect(rest, when).toEqual(expected);
	// Also of a sender that comes anew after a crash, with the dedupe key of its message.
	expect(answers, when).toEqual(dryAnswers);
	expect(outcome.violations, when).toEqual([]);
	// A body is repeated only by a crash at its frontier.
	expect(ledger.length, when).toBeLessThanOrEqual(dryLedger.length + crashes);
	expect(new Set(ledger), when).toEqual(new Set(dryLedger));
}
