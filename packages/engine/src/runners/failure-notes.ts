import type { Clock } from "@rivetkit/protocol";

/** Actors whose failure is remembered; the oldest is forgotten first. */
const NOTES_MAX = 10_000;

/** Why an actor does not run, as the API shows it (contract: engine 2.4). */
export type ActorFailure =
	| "no_capacity"
	| { readonly runner_pool_error: unknown }
	| { readonly crashed: { readonly message: string | null } }
	| RunnerFailure;

type RunnerFailure = { readonly [K in RunnerFailureKind]?: { readonly runner_id: string } };

export type RunnerFailureKind =
	| "runner_no_response"
	| "runner_connection_lost"
	| "runner_draining_timeout";

interface Note {
	readonly failure: ActorFailure;
	/** When it was so last: an actor that has run since, on whatever node, has left it behind. */
	readonly ts: number;
}

/** Why actors do not run. */
export class FailureNotes {
	readonly #clock: Clock;
	readonly #notes = new Map<string, Note>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	of(actorId: string): Note | undefined {
		return this.#notes.get(actorId);
	}

	/** What happened to a runner is not covered up by what follows from it (contract: engine 2.4). */
	note(actorId: string, failure: ActorFailure): void {
		const known = this.#notes.get(actorId)?.failure;
		if (isRunnerFailure(known) && !isRunnerFailure(failure)) return;
		this.#set(actorId, { failure, ts: this.#clock.now() });
	}

	/** What was noted is so still: the actor rests since then because of it. */
	confirm(actorId: string, ts: number): void {
		const known = this.#notes.get(actorId);
		if (known !== undefined && known.ts < ts) this.#set(actorId, { ...known, ts });
	}

	#set(actorId: string, note: Note): void {
		this.#notes.delete(actorId);
		this.#notes.set(actorId, note);
		if (this.#notes.size > NOTES_MAX) this.#notes.delete(this.#notes.keys().next().value!);
	}

	clear(actorId: string): void {
		this.#notes.delete(actorId);
	}
}

function isRunnerFailure(failure: ActorFailure | undefined): failure is RunnerFailure {
	return (
		typeof failure === "object" && Object.keys(failure).some((key) => RUNNER_FAILURES.has(key))
	);
}

const RUNNER_FAILURES: ReadonlySet<string> = new Set<RunnerFailureKind>([
	"runner_no_response",
	"runner_connection_lost",
	"runner_draining_timeout",
]);
