import { describe, expect, it } from "vitest";
import {
	cellOf,
	hasEnded,
	isStarting,
	isStopping,
	type LifecycleEvent,
	PHASES,
	type Phase,
	transition,
} from "../../src/runtime/lifecycle/lifecycle.ts";

const EVENTS: readonly LifecycleEvent[] = [
	"done",
	"doneNew",
	"failed",
	"overdue",
	"idle",
	"sleepRequested",
	"destroyRequested",
	"stopDue",
	"fenced",
];
const WISHES = [null, "sleep", "destroy"] as const;

/**
 * Every cell that can happen, one line each: phase, event, what the stop is to become, then the next
 * phase and the effects. A line without a wish holds for all three; "asks" lines are the two below.
 */
const CELLS = `
	loading      done                   → onMigrate
	onMigrate    done                   → createVars
	onMigrate    doneNew                → createState
	createState  done                   → onCreate
	onCreate     done                   → createVars
	createVars   done                   → onWake
	onWake       done                   → ready: begin

	(starting)   failed                 → failed: end
	(starting)   overdue                → failed: end
	(starting)   stopDue                → (same)
	(starting)   sleepRequested         → (same), asks sleep
	(starting)   destroyRequested       → (same), asks destroy
	(starting)   fenced                 → fenced: logFenced end dropSockets

	ready        sleepRequested         → ready: stopLater, asks sleep
	ready        destroyRequested       → ready: announce abort stopLater, asks destroy
	ready        stopDue                → draining: announce abort stop
	ready        idle                   → draining: announce abort stop, asks sleep
	ready        fenced                 → fenced: logFenced end dropSockets report

	draining      done    null|sleep    → onSleep
	draining      done    destroy       → onDestroy
	draining      failed  null|sleep    → onSleep
	draining      failed  destroy       → onDestroy
	draining      overdue null|sleep    → onSleep: giveUp
	draining      overdue destroy       → onDestroy: giveUp
	onSleep       done    null|sleep    → disconnecting
	onSleep       done    destroy       → onDestroy
	onSleep       failed  null|sleep    → disconnecting
	onSleep       failed  destroy       → onDestroy
	onSleep       overdue null|sleep    → disconnecting
	onSleep       overdue destroy       → onDestroy
	disconnecting done    null|sleep    → saving: giveUp
	disconnecting done    destroy       → onDestroy
	disconnecting failed  null|sleep    → saving: giveUp
	disconnecting failed  destroy       → onDestroy
	disconnecting overdue null|sleep    → saving: giveUp
	disconnecting overdue destroy       → onDestroy
	saving        done    null|sleep    → stopped: end report
	saving        done    destroy       → onDestroy
	saving        failed  null|sleep    → stopped: end report
	saving        failed  destroy       → onDestroy
	onDestroy     done                  → closing
	onDestroy     failed                → closing
	onDestroy     overdue               → closing
	closing       done                  → erasing: giveUp
	closing       failed                → erasing: giveUp
	closing       overdue               → erasing: giveUp
	erasing       done                  → stopped: end report
	erasing       failed                → failed: end report

	(stopping)    sleepRequested        → (same), asks sleep
	(stopping)    destroyRequested      → (same): announce, asks destroy
	(stopping)    stopDue               → (same)
	(stopping)    fenced                → fenced: logFenced end dropSockets report

	(ended)       done                  → (same)
	(ended)       doneNew               → (same)
	(ended)       failed                → (same)
	(ended)       overdue               → (same)
	(ended)       sleepRequested        → (same): logIgnored
	(ended)       destroyRequested      → (same): logIgnored
	(ended)       stopDue               → (same)
	(ended)       fenced                → (same)
`;

interface Expected {
	readonly to: Phase;
	readonly effects: readonly string[];
	readonly wish: "sleep" | "destroy" | null;
}

const groupOf = (phase: Phase): string => {
	if (isStarting(phase)) return "(starting)";
	if (isStopping(phase)) return "(stopping)";
	return hasEnded(phase) ? "(ended)" : phase;
};

function expectedOf(
	phase: Phase,
	event: LifecycleEvent,
	wish: Expected["wish"],
): Expected | undefined {
	for (const line of CELLS.split("\n")) {
		const match =
			/^\s*(\S+)\s+(\w+)(?:\s+([\w|]+))?\s+→ ([^:,]+)(?:: ([^,]+))?(?:, asks (\w+))?$/.exec(line);
		if (!match) continue;
		const [, from, on, wishes = "null|sleep|destroy", next, effects = "", asks] = match;
		if (on !== event || (from !== phase && from !== groupOf(phase))) continue;
		if (!wishes.split("|").includes(String(wish))) continue;
		const to = next === "(same)" ? phase : (next as Phase);
		const list = effects === "" ? [] : effects.split(" ");
		if (!asks) return { to, effects: list, wish };
		const counts = wish === null || (wish === "sleep" && asks === "destroy");
		if (counts) return { to, effects: list, wish: asks as Expected["wish"] };
		// The same wish again, or a lesser one: told to the log, unless the event moves by itself.
		return to === phase ? { to, effects: ["logIgnored"], wish } : { to, effects: list, wish };
	}
	return undefined;
}

describe("lifecycle table", () => {
	const cells = PHASES.flatMap((phase) =>
		EVENTS.flatMap((event) => WISHES.map((wish) => [phase, event, wish] as const)),
	);

	it.each(cells)("%s × %s, to become %s", (phase, event, wish) => {
		const expected = expectedOf(phase, event, wish);
		if (!expected) {
			expect(() => transition(phase, wish, event)).toThrow(
				`Lifecycle event '${event}' cannot happen in ${phase}`,
			);
			return;
		}
		expect(transition(phase, wish, event)).toEqual(expected);
	});

	it("has no cell that the list above does not have", () => {
		for (const phase of PHASES) {
			for (const event of EVENTS) {
				const listed = expectedOf(phase, event, null) !== undefined;
				expect(cellOf(phase, event) !== undefined, `${phase} × ${event}`).toBe(listed);
			}
		}
	});

	it("reaches every phase from the first, and leaves none but the ends for good", () => {
		const nextOf = (phase: Phase) =>
			EVENTS.filter((event) => cellOf(phase, event)).flatMap((event) =>
				WISHES.map((wish) => transition(phase, wish, event).to),
			);
		const reached = new Set<Phase>(["loading"]);
		for (const phase of reached) for (const next of nextOf(phase)) reached.add(next);
		expect([...reached].sort()).toEqual([...PHASES].sort());
		for (const phase of PHASES) {
			expect(new Set(nextOf(phase)).size > 1, phase).toBe(!hasEnded(phase));
		}
	});

	it("writes nothing after an end: each way into one ends the right to write", () => {
		for (const [phase, event, wish] of cells) {
			if (!cellOf(phase, event) || hasEnded(phase)) continue;
			const { to, effects } = transition(phase, wish, event);
			expect(effects.includes("end"), `${phase} × ${event}`).toBe(hasEnded(to));
		}
	});

	it("tells the engine once that an incarnation is gone: at the end, or by the start's failure", () => {
		for (const [phase, event, wish] of cells) {
			if (!cellOf(phase, event)) continue;
			const { to, effects } = transition(phase, wish, event);
			const ends = hasEnded(to) && !hasEnded(phase);
			expect(effects.includes("report"), `${phase} × ${event}`).toBe(ends && !isStarting(phase));
		}
	});

	it("puts each phase into one group: starting, ready, stopping, ended", () => {
		const groups = (phase: Phase) =>
			[isStarting(phase), phase === "ready", isStopping(phase), hasEnded(phase)].filter(Boolean);
		for (const phase of PHASES) expect(groups(phase), phase).toHaveLength(1);
	});
});
