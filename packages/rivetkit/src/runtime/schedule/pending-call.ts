import type { RetryPolicy } from "./retry.ts";

/** What is kept of an error. */
export interface FireError {
	readonly group: string;
	readonly code: string;
	readonly message: string;
}

/** A call that `c.schedule` was asked for. */
export interface OneShot {
	readonly kind: "at";
	readonly id: string;
	readonly action: string;
	/** CBOR of the argument list. */
	readonly args: Uint8Array;
	readonly retry: RetryPolicy;
	/** Whether the action gets a `ScheduledFireInfo`. */
	readonly fireInfo: boolean;
}

/** One run of a job. Action and arguments are the job's. */
export interface Run {
	readonly kind: "run";
	/** Sequence of the job. */
	readonly job: number;
	/** Its place in the job's history. */
	readonly index: number;
}

/**
 * A call of an action that has to be made. A try that has begun and not ended when the row was stored was
 * cut off, and is made again.
 */
export interface PendingCall {
	/** Order of insertion, and key of the row. */
	readonly sequence: number;
	readonly source: OneShot | Run;
	/** The time that was asked for (ms since the epoch). */
	readonly scheduledAt: number;
	/** When the next try may begin (ms since the epoch). */
	readonly dueAt: number;
	/** Tries that have begun. */
	readonly attempt: number;
	/** Whether the last of them has not ended. */
	readonly isRunning: boolean;
	/** Tries that have failed. */
	readonly failures: number;
	/** Tries cut off one after the other, without one in between that ended. */
	readonly interruptions: number;
	/** Of the last failed try. */
	readonly error: FireError | null;
}

export function pendingCall(
	sequence: number,
	source: OneShot | Run,
	scheduledAt: number,
): PendingCall {
	return {
		sequence,
		source,
		scheduledAt,
		dueAt: scheduledAt,
		attempt: 0,
		isRunning: false,
		failures: 0,
		interruptions: 0,
		error: null,
	};
}

/** A try begins. */
export function begun(call: PendingCall): PendingCall {
	return {
		...call,
		attempt: call.attempt + 1,
		isRunning: true,
		interruptions: call.isRunning ? call.interruptions + 1 : call.interruptions,
	};
}

/** A try failed, and another one is to follow at `dueAt`. */
export function failed(call: PendingCall, error: FireError, dueAt: number): PendingCall {
	return {
		...call,
		dueAt,
		isRunning: false,
		failures: call.failures + 1,
		interruptions: 0,
		error,
	};
}
