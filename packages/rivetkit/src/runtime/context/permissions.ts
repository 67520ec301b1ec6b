import { catalogueError } from "@rivetkit/protocol";
import { hasEnded, isStopping, type Phase } from "../lifecycle/lifecycle.ts";

/**
 * What works when (contract: lifecycle 4, required column). One row per operation, one set of phases.
 * A refused call names the phase it was made in and the phases where it is allowed.
 */
export type Operation =
	| "state"
	| "vars"
	| "kv"
	| "db"
	| "schedule"
	| "queue.send"
	| "queue.tryNext"
	| "queue.next"
	| "broadcast"
	| "saveState"
	| "waitUntil"
	| "keepAwake"
	| "atomic"
	| "self-call";

const STOP: readonly Phase[] = [
	"draining",
	"onSleep",
	"disconnecting",
	"saving",
	"onDestroy",
	"closing",
	"erasing",
];
const FROM_ON_CREATE: readonly Phase[] = ["onCreate", "createVars", "onWake", "ready", ...STOP];
const FROM_CREATE_STATE: readonly Phase[] = ["createState", ...FROM_ON_CREATE];
const EVERYWHERE: readonly Phase[] = ["onMigrate", ...FROM_CREATE_STATE];

const ALLOWED: Readonly<Record<Operation, ReadonlySet<Phase>>> = {
	state: new Set(FROM_ON_CREATE),
	vars: new Set(["onWake", "ready", ...STOP]),
	kv: new Set(EVERYWHERE),
	db: new Set(EVERYWHERE),
	schedule: new Set(FROM_ON_CREATE),
	"queue.send": new Set(FROM_ON_CREATE),
	"queue.tryNext": new Set(["onWake", "ready"]),
	"queue.next": new Set(["ready"]),
	// Before ready there is nobody to hear it: a no-op, not an error.
	broadcast: new Set(EVERYWHERE),
	saveState: new Set(FROM_ON_CREATE),
	waitUntil: new Set(FROM_ON_CREATE),
	keepAwake: new Set(EVERYWHERE),
	atomic: new Set(EVERYWHERE),
	// While stopping, too, it would wait for the next incarnation, which waits for this one.
	"self-call": new Set(["ready"]),
};

/** Throws an error that names the operation, the phase and where the operation works. */
export function assertAllowed(operation: Operation, phase: Phase, actorId: string): void {
	if (ALLOWED[operation].has(phase)) return;
	const isReceive = operation === "queue.next" || operation === "queue.tryNext";
	// Ruling 20: an actor that stops takes nothing more.
	if (hasEnded(phase) || (isReceive && isStopping(phase))) {
		throw catalogueError("actor.stopping", { actorId });
	}
	const what = operation === "self-call" ? "a call of the actor to itself" : `c.${operation}`;
	throw catalogueError("actor.internal_error", {
		message: `${what} does not work in ${phase}; it works in ${[...ALLOWED[operation]].join(", ")}`,
	});
}
