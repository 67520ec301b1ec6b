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

/** Why actors do not run. */
export class FailureNotes {
	readonly #notes = new Map<string, ActorFailure>();

	of(actorId: string): ActorFailure | undefined {
		return this.#notes.get(actorId);
	}

	/** What happened to a runner is not covered up by what follows from it (contract: engine 2.4). */
	note(actorId: string, failure: ActorFailure): void {
		const known = this.#notes.get(actorId);
		if (isRunnerFailure(known) && !isRunnerFailure(failure)) return;
		this.#notes.delete(actorId);
		this.#notes.set(actorId, failure);
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
