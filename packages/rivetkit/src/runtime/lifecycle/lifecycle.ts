/**
 * The life of one incarnation as a table. Every legal step is listed; anything else is a defect and
 * throws. The phase also decides what the context allows (`context/permissions.ts`).
 *
 *     loading ─▶ onMigrate ─▶ createState ─▶ onCreate ─┐
 *                    └─────────────────────────────────┴▶ createVars ─▶ onWake ─▶ ready
 *                                                                                   │
 *     stopped ◀─ saving ◀─ disconnecting ◀─ stopHook ◀─ draining ◀──────────────────┘
 *
 *     failed ◀─ (any start phase)
 *     fenced ◀─ (any phase but the ends)
 */
export type Phase =
	| "loading"
	| "onMigrate"
	| "createState"
	| "onCreate"
	| "createVars"
	| "onWake"
	| "ready"
	| "draining"
	| "stopHook"
	| "disconnecting"
	| "saving"
	| "stopped"
	| "failed"
	| "fenced";

const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
	loading: ["onMigrate", "failed", "fenced"],
	onMigrate: ["createState", "createVars", "failed", "fenced"],
	createState: ["onCreate", "failed", "fenced"],
	onCreate: ["createVars", "failed", "fenced"],
	createVars: ["onWake", "failed", "fenced"],
	onWake: ["ready", "failed", "fenced"],
	ready: ["draining", "fenced"],
	draining: ["stopHook", "fenced"],
	stopHook: ["disconnecting", "fenced"],
	disconnecting: ["saving", "fenced"],
	saving: ["stopped", "fenced"],
	stopped: [],
	failed: [],
	fenced: [],
};

const STARTING: ReadonlySet<Phase> = new Set([
	"loading",
	"onMigrate",
	"createState",
	"onCreate",
	"createVars",
	"onWake",
]);
const STOPPING: ReadonlySet<Phase> = new Set(["draining", "stopHook", "disconnecting", "saving"]);
const ENDED: ReadonlySet<Phase> = new Set(["stopped", "failed", "fenced"]);

export const PHASES: readonly Phase[] = Object.keys(NEXT) as Phase[];

export function isLegalStep(from: Phase, to: Phase): boolean {
	return NEXT[from].includes(to);
}

/** The next phase, checked against the table. */
export function step(from: Phase, to: Phase): Phase {
	if (!isLegalStep(from, to)) throw new Error(`Illegal lifecycle step: ${from} to ${to}`);
	return to;
}

export const isStarting = (phase: Phase): boolean => STARTING.has(phase);
export const isStopping = (phase: Phase): boolean => STOPPING.has(phase);
export const hasEnded = (phase: Phase): boolean => ENDED.has(phase);
