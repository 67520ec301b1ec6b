/** Brand of workflow errors, so that copies of the package recognise each other's. */
export const WORKFLOW_ERROR: unique symbol = Symbol.for("rivetkit.workflow.error") as never;

/** Base of the errors of workflows (workflows 9). */
class BrandedError extends Error {
	readonly [WORKFLOW_ERROR] = true;
	/** `workflow` (workflows 9.4). */
	declare readonly group: string;
	/** The class in snake case, such as `step_exhausted`. */
	declare readonly code: string;

	constructor(message: string, options?: ErrorOptions) {
		super(message, options);
		this.name = new.target.name;
	}
}

/** What users set themselves is an own property, and is recorded with the error. */
function derive(property: "group" | "code", of: (error: Error) => string): void {
	Object.defineProperty(BrandedError.prototype, property, {
		get(this: Error) {
			return of(this);
		},
		set(this: Error, value: unknown) {
			Object.defineProperty(this, property, {
				value,
				configurable: true,
				enumerable: true,
				writable: true,
			});
		},
		configurable: true,
	});
}

derive("group", () => "workflow");
derive("code", ({ name }) => {
	const words = name.replace(/Error$/, "").match(/[A-Z][a-z0-9]*/g) ?? [];
	return words.join("_").toLowerCase();
});

/** Thrown by a step to fail without further tries. */
export class CriticalError extends BrandedError {}

/** Thrown by a step to fail without further tries and undo what was done. */
export class RollbackError extends BrandedError {}

/** All tries of a step failed. */
export class StepExhaustedError extends BrandedError {
	readonly stepName: string;
	readonly lastError: unknown;

	constructor(stepName: string, lastError?: unknown) {
		const last = lastError === undefined ? "unknown error" : String(lastError);
		super(`Step "${stepName}" exhausted retries: ${last}`, { cause: lastError });
		this.stepName = stepName;
		this.lastError = lastError;
	}
}

/** The result of a step cannot be stored. */
export class StepSerializationError extends BrandedError {
	readonly stepName: string;
	/** Where in the result. */
	readonly path: string;

	constructor(stepName: string, path: string, reason: string) {
		super(`Step "${stepName}" returned a value that cannot be stored at ${path}: ${reason}`);
		this.stepName = stepName;
		this.path = path;
	}
}

/** Branches of a join failed; `errors` by branch name. */
export class JoinError extends BrandedError {
	readonly errors: Readonly<Record<string, Error>>;

	constructor(errors: Readonly<Record<string, Error>>) {
		super(`Join failed: ${Object.keys(errors).join(", ")}`);
		this.errors = errors;
	}
}

/** All branches of a race failed. */
export class RaceError extends BrandedError {
	readonly errors: readonly { readonly name: string; readonly error: string }[];

	constructor(errors: readonly { readonly name: string; readonly error: string }[]) {
		super("All branches failed");
		this.errors = errors;
	}
}

/** `queue.next` of a workflow got nothing in time. */
export class QueueTimeoutError extends BrandedError {
	readonly entryName: string;

	constructor(entryName: string) {
		super(
			`queue.next("${entryName}") timed out before receiving a message. Use queue.nextBatch(...) for optional/time-limited reads.`,
		);
		this.entryName = entryName;
	}
}

/** The code does not fit the recorded history. */
export class HistoryDivergedError extends BrandedError {
	readonly path: string | undefined;
	readonly reason: string | undefined;

	constructor(message: string, details: { path?: string; reason?: string } = {}) {
		super(message);
		this.path = details.path;
		this.reason = details.reason;
	}
}

/**
 * An operation was started while another one of the same context is in progress, or inside of a step; one was not
 * awaited when the code of its context ended; or it was started after that.
 */
export class EntryInProgressError extends BrandedError {
	constructor(message?: string) {
		super(
			message ??
				"Cannot start a new workflow entry while another is in progress. Await each operation before the next, and use the context handed to the callback.",
		);
	}
}

/** A step with `rollback` has no checkpoint before it. */
export class RollbackCheckpointError extends BrandedError {
	constructor() {
		super("Rollback requires a checkpoint before any rollback step");
	}
}

/** Retries a step after a delay of its own. */
export class RetryAfterError extends BrandedError {
	/** Milliseconds. */
	readonly retryAfter: number;

	constructor(message: string, retryAfter: number, options?: ErrorOptions) {
		super(message, options);
		this.retryAfter = retryAfter;
	}
}

/** A try of a step took too long: the cause of the {@link CriticalError} that says so. */
export class StepTimeoutError extends BrandedError {
	readonly stepName: string;
	readonly timeoutMs: number;

	constructor(stepName: string, timeoutMs: number) {
		super(`Step "${stepName}" timed out after ${timeoutMs}ms`);
		this.stepName = stepName;
		this.timeoutMs = timeoutMs;
	}
}

/** 2.1.3 unwinds workflows with this; exported for code that names it, and never thrown. */
export class StepFailedError extends BrandedError {}

/** See {@link StepFailedError}. */
export class SleepError extends BrandedError {}

/** See {@link StepFailedError}. */
export class MessageWaitError extends BrandedError {}

/** See {@link StepFailedError}. */
export class EvictedError extends BrandedError {}

/** What signals say when the workflow is cancelled; never thrown by RivetKit. */
export class CancelledError extends BrandedError {}
