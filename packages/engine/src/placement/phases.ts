/** Where one incarnation is in its life, as far as calls are concerned. */
export type Phase = "starting" | "live" | "stopping" | "gone";

export type PhaseEvent =
	/** `host.start` resolved. */
	| "started"
	/** `host.start` rejected, or could not be called. */
	| "startFailed"
	/** The host told, or answered `ActorGone`, or was asked to stop it. */
	| "stopping"
	/** The host told, or could not be made to stop it. */
	| "stopped"
	/** The host is gone, and the incarnation with it. */
	| "lost";

/** Reports may overtake each other: what comes late changes nothing. */
const TABLE: Readonly<Record<Phase, Readonly<Record<PhaseEvent, Phase>>>> = {
	starting: {
		started: "live",
		startFailed: "gone",
		stopping: "stopping",
		stopped: "gone",
		lost: "gone",
	},
	live: {
		started: "live",
		startFailed: "live",
		stopping: "stopping",
		stopped: "gone",
		lost: "gone",
	},
	stopping: {
		started: "stopping",
		startFailed: "gone",
		stopping: "stopping",
		stopped: "gone",
		lost: "gone",
	},
	gone: { started: "gone", startFailed: "gone", stopping: "gone", stopped: "gone", lost: "gone" },
};

export function nextPhase(phase: Phase, event: PhaseEvent): Phase {
	return TABLE[phase][event];
}
