import type { StopIntent } from "@rivetkit/protocol";

/**
 * The life of one incarnation as a table: phases × events → next phase and effects. Whoever drives it
 * (`start.ts`, `stop.ts`, the idle timer, user code through `c.sleep()`) tells it an event; nothing else
 * changes the phase. The phase also decides what the context allows (`context/permissions.ts`).
 *
 *     loading ─▶ onMigrate ─▶ createState ─▶ onCreate ─┐
 *                    └─────────────────────────────────┴▶ createVars ─▶ onWake ─▶ ready
 *                                                                                   │
 *     stopped ◀─ saving ◀─ disconnecting ◀─ onSleep ◀─ draining ◀───────────────────┘
 *                   │            │             │          │
 *                   └────────────┴──────┬──────┴──────────┘
 *     stopped ◀─ erasing ◀─ closing ◀─ onDestroy
 *
 *     failed ◀─ (a start that fails, an erasure that fails)
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
	| "onSleep"
	| "disconnecting"
	| "saving"
	| "onDestroy"
	| "closing"
	| "erasing"
	| "stopped"
	| "failed"
	| "fenced";

export type LifecycleEvent =
	/** The step of this phase is over. */
	| "done"
	/** The same, and the actor has no data yet: it is to be created. */
	| "doneNew"
	/** The step of this phase threw. */
	| "failed"
	/** The step of this phase did not end within the time it has. */
	| "overdue"
	/** Nothing has kept the actor awake for `sleepTimeout`. */
	| "idle"
	/** `c.sleep()`, or the engine wants it. */
	| "sleepRequested"
	/** `c.destroy()`, or the engine wants it. */
	| "destroyRequested"
	/** The turn in which a stop was asked for is over. */
	| "stopDue"
	/** A commit was refused: a newer incarnation exists. */
	| "fenced";

/** What has to be done when an event has happened. */
export type Effect =
	/** `run`, alarm and idle timer start, and so does a stop that was asked for meanwhile. */
	| "begin"
	/** The stop begins at the end of the turn, so that the call that asked for it is answered. */
	| "stopLater"
	/** The engine learns that calls have to wait for what comes after this incarnation. */
	| "announce"
	/** The abort signals of the actor and of its calls fire. */
	| "abort"
	/** The stop sequence runs. */
	| "stop"
	/** Calls in progress are answered with `actor.stopping`. */
	| "giveUp"
	/** Nothing can be written any more; timers end. */
	| "end"
	/** Sockets are closed at the end of the turn, after callers over them got their answers. */
	| "dropSockets"
	/** The engine learns that the incarnation is gone. */
	| "report"
	| "logIgnored"
	| "logFenced";

/** What an event does: the next phase, and the effects, in this order, once it is reached. */
export interface Move {
	readonly to: Phase;
	readonly effects: readonly Effect[];
	/** What the event asks the stop to become. `destroy` outranks `sleep`; the same again is ignored. */
	readonly asks?: StopIntent;
}

/** A cell of the table. Some depend on what the stop has become meanwhile. */
export type Cell = Move | Readonly<Record<StopIntent, Move>>;

type Row = Readonly<Partial<Record<LifecycleEvent, Cell>>>;

const to = (phase: Phase, ...effects: Effect[]): Move => ({ to: phase, effects });
const asking = (asks: StopIntent, move: Move): Move => ({ ...move, asks });

const FENCED = ["logFenced", "end", "dropSockets"] as const;

/** A phase of the start. A wish to stop is kept until the instance is ready (W-STOP-9). */
const starting = (phase: Phase, steps: Row): Row => ({
	...steps,
	failed: to("failed", "end"),
	overdue: to("failed", "end"),
	sleepRequested: asking("sleep", to(phase)),
	destroyRequested: asking("destroy", to(phase)),
	stopDue: to(phase),
	// Whoever waits for the start is told by its failure.
	fenced: to("fenced", ...FENCED),
});

/** A phase of the stop: requests may still make it a destruction (W-STOP-9). */
const stopping = (phase: Phase, steps: Row): Row => ({
	...steps,
	sleepRequested: asking("sleep", to(phase)),
	destroyRequested: asking("destroy", to(phase, "announce")),
	stopDue: to(phase),
	fenced: to("fenced", ...FENCED, "report"),
});

/** A step of the stop that goes wrong, or takes too long, does not hold up the rest (lifecycle 5.3). */
const goingOn = (next: Cell): Row => ({ done: next, failed: next, overdue: next });

/** An end: what still comes in finds nothing to do. */
const ended = (phase: Phase): Row => ({
	done: to(phase),
	doneNew: to(phase),
	failed: to(phase),
	overdue: to(phase),
	sleepRequested: to(phase, "logIgnored"),
	destroyRequested: to(phase, "logIgnored"),
	stopDue: to(phase),
	fenced: to(phase),
});

/** A cell that is not listed cannot happen: such an event is a defect of whoever tells it. */
const TABLE: Readonly<Record<Phase, Row>> = {
	loading: starting("loading", { done: to("onMigrate") }),
	onMigrate: starting("onMigrate", { done: to("createVars"), doneNew: to("createState") }),
	createState: starting("createState", { done: to("onCreate") }),
	onCreate: starting("onCreate", { done: to("createVars") }),
	createVars: starting("createVars", { done: to("onWake") }),
	onWake: starting("onWake", { done: to("ready", "begin") }),

	ready: {
		idle: asking("sleep", to("draining", "announce", "abort", "stop")),
		sleepRequested: asking("sleep", to("ready", "stopLater")),
		// Announced at once: who has the answer of the call that destroyed must find a fresh actor.
		destroyRequested: asking("destroy", to("ready", "announce", "abort", "stopLater")),
		stopDue: to("draining", "announce", "abort", "stop"),
		fenced: to("fenced", ...FENCED, "report"),
	},

	draining: stopping("draining", {
		...goingOn({ sleep: to("onSleep"), destroy: to("onDestroy") }),
		overdue: { sleep: to("onSleep", "giveUp"), destroy: to("onDestroy", "giveUp") },
	}),
	onSleep: stopping("onSleep", goingOn({ sleep: to("disconnecting"), destroy: to("onDestroy") })),
	disconnecting: stopping(
		"disconnecting",
		goingOn({ sleep: to("saving", "giveUp"), destroy: to("onDestroy") }),
	),
	saving: stopping("saving", {
		done: { sleep: to("stopped", "end", "report"), destroy: to("onDestroy") },
		failed: { sleep: to("stopped", "end", "report"), destroy: to("onDestroy") },
	}),
	onDestroy: stopping("onDestroy", goingOn(to("closing"))),
	closing: stopping("closing", goingOn(to("erasing", "giveUp"))),
	erasing: stopping("erasing", {
		done: to("stopped", "end", "report"),
		// The actor is as it was last committed, and can be destroyed again.
		failed: to("failed", "end", "report"),
	}),

	stopped: ended("stopped"),
	failed: ended("failed"),
	fenced: ended("fenced"),
};

export const PHASES: readonly Phase[] = Object.keys(TABLE) as Phase[];

/** What became of an event. */
export interface Transition {
	readonly to: Phase;
	readonly wish: StopIntent | null;
	readonly effects: readonly Effect[];
}

/** The cell, or undefined when the event cannot happen in the phase. */
export function cellOf(phase: Phase, event: LifecycleEvent): Cell | undefined {
	return TABLE[phase][event];
}

/** @param wish - what the stop is to become, as far as is known */
export function transition(
	phase: Phase,
	wish: StopIntent | null,
	event: LifecycleEvent,
): Transition {
	const cell = cellOf(phase, event);
	if (!cell) throw new Error(`Lifecycle event '${event}' cannot happen in ${phase}`);
	const move = "to" in cell ? cell : cell[wish ?? "sleep"];
	const { asks = null, effects } = move;
	if (asks === null) return { to: move.to, wish, effects };
	if (wish === null || (wish === "sleep" && asks === "destroy")) {
		return { to: move.to, wish: asks, effects };
	}
	return move.to === phase
		? { to: phase, wish, effects: ["logIgnored"] }
		: { to: move.to, wish, effects };
}

const STARTING: ReadonlySet<Phase> = new Set([
	"loading",
	"onMigrate",
	"createState",
	"onCreate",
	"createVars",
	"onWake",
]);
const STOPPING: ReadonlySet<Phase> = new Set([
	"draining",
	"onSleep",
	"disconnecting",
	"saving",
	"onDestroy",
	"closing",
	"erasing",
]);
const ENDED: ReadonlySet<Phase> = new Set(["stopped", "failed", "fenced"]);

export const isStarting = (phase: Phase): boolean => STARTING.has(phase);
export const isStopping = (phase: Phase): boolean => STOPPING.has(phase);
export const hasEnded = (phase: Phase): boolean => ENDED.has(phase);
