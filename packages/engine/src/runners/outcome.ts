import type { StopIntent } from "@rivetkit/protocol";

/** What becomes of an actor whose incarnation is over: it rests, it is no more, or it is to run again. */
export type Outcome = "sleeping" | "destroyed" | "again";

/** What is known of an incarnation that ends. */
export interface Ending {
	/** What the runner asked for, or the engine. */
	readonly intent: StopIntent | null;
	/** Told to stop because its runner goes away. */
	readonly isLeaving: boolean;
	readonly crashPolicy: string;
}

/** The table of engine 6.5, with Q18: who leaves with its runner does not die of it. */
export function outcomeOf(
	{ intent, isLeaving, crashPolicy }: Ending,
	how: "ok" | "error" | "lost",
): Outcome {
	if (intent === "sleep" && how === "ok") return "sleeping";
	if (intent === "destroy" && how === "ok") return "destroyed";
	if (isLeaving) return crashPolicy === "restart" ? "again" : "sleeping";
	if (how === "ok") return "destroyed";
	if (intent === "destroy") return "destroyed";
	switch (crashPolicy) {
		case "restart":
			return "again";
		case "destroy":
			return "destroyed";
		default:
			return "sleeping";
	}
}
