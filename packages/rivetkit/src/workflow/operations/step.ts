import { EncodeError } from "@rivetkit/protocol";
import { isCodeError, isNamed, never } from "../engine/code-error.ts";
import type { Compensation } from "../engine/compensation.ts";
import { entryId } from "../engine/entry-id.ts";
import type { Execution } from "../engine/execution.ts";
import { noteOrigin } from "../engine/failure-origin.ts";
import { isWentBack } from "../engine/open-message.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { type AttemptOutcome, StepAttempt } from "../engine/step-attempt.ts";
import {
	CriticalError,
	RollbackCheckpointError,
	StepExhaustedError,
	StepSerializationError,
	StepTimeoutError,
} from "../errors.ts";
import type { Entry, FailKind } from "../history/entry.ts";
import { publicError, reviveError, storeError } from "../history/stored-error.ts";
import { StepContext } from "../step-context.ts";
import { readStepOptions, retryTime, type StepOptions } from "./step-options.ts";
import { readValue, recordValue } from "./value.ts";
import { waitUntil } from "./wait.ts";

/** How a step ended for good. */
export type StepEnd =
	| { readonly ok: true; readonly value: unknown }
	| { readonly ok: false; readonly entry: Entry<"step">; readonly error: Error };

/** `step` and `tryStep`: runs until its result is recorded (workflows 3.2). */
export function step(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: Readonly<Record<string, unknown>>,
): Promise<StepEnd> {
	return operate(execution, scope, "step", name, (entry, checkedName) => {
		const options = readStepOptions(checkedName, raw);
		return new Step(execution, scope, checkedName, options).run(entry);
	});
}

class Step {
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #name: string;
	readonly #options: StepOptions;
	readonly #key: Uint8Array;

	constructor(execution: Execution, scope: Scope, name: string, options: StepOptions) {
		this.#execution = execution;
		this.#scope = scope;
		this.#name = name;
		this.#options = options;
		this.#key = execution.keyOf(scope, name);
	}

	async run(recorded: Entry<"step"> | undefined): Promise<StepEnd> {
		const execution = this.#execution;
		const { strand } = this.#scope;
		if (this.#options.rollback && !this.#scope.isCovered) throw new RollbackCheckpointError();
		if (recorded?.isFinished) return this.#answer(recorded);
		if (execution.isRollback) return execution.park();
		const entry = recorded ?? execution.create(this.#scope, "step", {});
		const turn = execution.breathe();
		if (turn) await turn;
		for (;;) {
			if (entry.data.retryAt !== undefined) {
				await waitUntil(execution, this.#scope, this.#name, entry.data.retryAt, "retry");
			}
			if (!strand.isLive && execution.owner.frontier(this.#path)) {
				entry.lastAttemptAt = execution.host.now();
				entry.attempts++;
				const end = this.#failed(entry, new Error("process ended during step"), "exhausted");
				if (end) return end;
				continue;
			}
			// Nothing is built upon what may not last, unless that is wished for (workflows 6.3).
			const barrier = this.#options.isEphemeral ? null : execution.barrier();
			if (barrier) await barrier;
			if (execution.isStoppedIn(this.#scope)) return never();
			const attempt = this.#begin(entry);
			let end: StepEnd | undefined | "void";
			try {
				end = this.#record(attempt, entry, await this.#attempt(attempt, entry));
			} finally {
				if (strand.attempt === attempt) strand.attempt = null;
				execution.attemptEnded(attempt);
			}
			if (end === "void" || execution.isStoppedIn(this.#scope)) return never();
			if (end) return end;
		}
	}

	get #path(): string {
		return this.#scope.location.pathOf({ kind: "name", name: this.#name });
	}

	#answer(entry: Entry<"step">): StepEnd {
		this.#execution.answered(this.#scope, entry);
		if (entry.status !== "completed") {
			return this.#rejected(entry);
		}
		const value = readValue(entry.data.output);
		this.#compensable(entry, value);
		return { ok: true, value };
	}

	/** One try. */
	#begin(entry: Entry<"step">): StepAttempt {
		const { strand } = this.#scope;
		strand.isLive = true;
		const attempt = new StepAttempt(this.#execution.host, {
			kind: "step",
			name: this.#name,
			attempt: entry.attempts + 1,
		});
		attempt.at = { key: this.#key, entry };
		strand.attempt = attempt;
		this.#execution.attemptBegun(attempt);
		return attempt;
	}

	#attempt(attempt: StepAttempt, entry: Entry<"step">): Promise<AttemptOutcome> {
		const { run, isAtomic, timeout } = this.#options;
		const context = new StepContext(this.#execution, attempt, () =>
			entryId(this.#execution, this.#scope, entry, this.#name),
		);
		const body = () => run(context as never);
		if (!isAtomic) return attempt.run(body, timeout, this.#scope.strand.limit);
		return this.#atomically(attempt, entry, body);
	}

	/** What it writes lands whole or is taken back; its record is written while nobody else's call may begin. */
	async #atomically(
		attempt: StepAttempt,
		entry: Entry<"step">,
		body: () => unknown,
	): Promise<AttemptOutcome> {
		const { host } = this.#execution;
		const failed = Symbol("failed");
		let outcome: AttemptOutcome = { kind: "revoked" };
		try {
			await host.atomic(async () => {
				outcome = await attempt.run(body, this.#options.timeout, this.#scope.strand.limit);
				if (outcome.kind !== "value") throw failed;
				// In the section: the record and what the step wrote are kept or dropped together.
				const end = this.#record(attempt, entry, outcome);
				outcome = { kind: "recorded", end };
				if (end === undefined || end === "void" || !end.ok) throw failed;
			}, ATOMIC_MS_MAX);
		} catch (error) {
			if (error !== failed) return { kind: "error", error };
		}
		return outcome;
	}

	/** Writes down what a try came to: undefined when there is to be another. Void: it counts for nothing. */
	#record(
		attempt: StepAttempt,
		entry: Entry<"step">,
		outcome: AttemptOutcome,
	): StepEnd | undefined | "void" {
		const execution = this.#execution;
		if (outcome.kind === "recorded") return outcome.end as StepEnd | undefined | "void";
		if (execution.isOver) {
			attempt.leave();
			return "void";
		}
		if (outcome.kind === "revoked" || this.#scope.strand.isOver) {
			attempt.drop();
			return "void";
		}
		if (outcome.kind === "value") return this.#succeeded(attempt, entry, outcome.value);
		// The actor stops, and the step with it: that is nobody's failure (workflows 3.2.6).
		if (execution.isStopped) {
			attempt.leave();
			return "void";
		}
		attempt.drop();
		if (outcome.kind === "error" && isCodeError(outcome.error)) throw outcome.error;
		entry.attempts++;
		entry.lastAttemptAt = attempt.startedAt;
		if (outcome.kind === "timeout") {
			const { timeout, retryOnTimeout } = this.#options;
			const cause = new StepTimeoutError(this.#name, timeout);
			const error = new CriticalError(cause.message, { cause });
			return this.#failed(entry, error, "timeout", retryOnTimeout);
		}
		const { error } = outcome;
		if (isNamed(error, "RollbackError")) return this.#failed(entry, error, "rollback", false);
		const isCritical = isNamed(error, "CriticalError") || isWentBack(error);
		if (isCritical) return this.#failed(entry, error, "critical", false);
		return this.#failed(entry, error, "exhausted", true);
	}

	#succeeded(attempt: StepAttempt, entry: Entry<"step">, value: unknown): StepEnd | undefined {
		const execution = this.#execution;
		entry.attempts++;
		entry.lastAttemptAt = attempt.startedAt;
		try {
			attempt.assertKeepable();
		} catch (error) {
			attempt.drop();
			return this.#failed(entry, error, "critical", false);
		}
		let recorded: ReturnType<typeof recordValue>;
		try {
			recorded = this.#recordable(value);
			attempt.keep();
		} catch (error) {
			attempt.drop();
			return this.#failed(entry, error, "critical", false);
		}
		entry.data = recorded.bytes === undefined ? {} : { output: recorded.bytes };
		if (this.#options.rollback) entry.data.isCompensable = true;
		if (attempt.sent) entry.data.sent = attempt.sent;
		entry.error = null;
		execution.complete(this.#scope, entry);
		this.#scope.strand.keepReceived();
		this.#scope.strand.ready(entry.completedAt);
		execution.record(this.#scope, this.#key, entry, !this.#options.isEphemeral);
		this.#compensable(entry, recorded.value);
		return { ok: true, value: recorded.value };
	}

	/** Throws `StepSerializationError`. */
	#recordable(value: unknown): ReturnType<typeof recordValue> {
		const { host, owner } = this.#execution;
		let recorded: ReturnType<typeof recordValue>;
		try {
			recorded = recordValue(host, value);
		} catch (error) {
			const [path, reason] =
				error instanceof EncodeError ? [error.path, error.reason] : ["", String(error)];
			throw new StepSerializationError(this.#name, `${this.#path}: output${path}`, reason);
		}
		const size = recorded.bytes?.byteLength ?? 0;
		if (size > owner.maxEntrySize) {
			const reason = `it has ${size} bytes, and the limit is ${owner.maxEntrySize} (option maxEntrySize of workflow())`;
			const error = new StepSerializationError(this.#name, `${this.#path}: output`, reason);
			throw Object.assign(error, { code: "entry_too_large" });
		}
		return recorded;
	}

	/** A try has failed: for good, or until the next one. */
	#failed(
		entry: Entry<"step">,
		error: unknown,
		failKind: FailKind,
		mayRetry = true,
	): StepEnd | undefined {
		const execution = this.#execution;
		const { maxAttempts } = this.#options;
		const willRetry = mayRetry && entry.attempts < maxAttempts;
		const now = execution.host.now();
		const retryAt = willRetry
			? retryTime(this.#options, entry.attempts, entry.lastAttemptAt, now, error)
			: undefined;
		execution.owner.report({
			step: {
				workflowId: execution.host.actorId,
				stepName: this.#name,
				attempt: entry.attempts,
				maxRetries: maxAttempts - 1,
				remainingRetries: Math.max(0, maxAttempts - entry.attempts),
				willRetry,
				...(retryAt === undefined
					? undefined
					: { retryAt, retryDelay: Math.max(0, retryAt - now) }),
				error: publicError(storeError(error)),
			},
		});
		execution.host.log[willRetry ? "warn" : "error"](
			{ err: error, path: this.#path, attempt: entry.attempts, retryAt },
			willRetry ? "a workflow step failed; it is tried again" : "a workflow step failed for good",
		);
		if (retryAt !== undefined) {
			entry.error = storeError(error);
			entry.data = { retryAt };
			execution.record(this.#scope, this.#key, entry);
			return undefined;
		}
		const isExhausted = mayRetry;
		const thrown = isExhausted ? new StepExhaustedError(this.#name, asError(error)) : error;
		entry.error = storeError(thrown);
		entry.data = { failKind };
		execution.complete(this.#scope, entry, isExhausted ? "exhausted" : "failed");
		execution.record(this.#scope, this.#key, entry, true);
		return this.#rejected(entry);
	}

	#rejected(entry: Entry<"step">): StepEnd {
		const error = reviveError(entry.error!);
		noteOrigin(error, { scope: this.#scope, key: this.#key, entry });
		return { ok: false, entry, error };
	}

	/** A completed step that can be undone. */
	#compensable(entry: Entry<"step">, output: unknown): void {
		if (!this.#options.rollback) return;
		if (entry.rollbackCompletedAt > 0) return;
		for (let scope: Scope | null = this.#scope; scope !== null; scope = scope.parent) {
			scope.compensable++;
		}
		const execution = this.#execution;
		if (!execution.isRollback) return;
		const compensation: Compensation = {
			entry,
			key: this.#key,
			id: entryId(execution, this.#scope, entry, this.#name),
			name: this.#name,
			path: this.#path,
			options: this.#options,
			output,
		};
		execution.search!.compensations.push(compensation);
	}
}

/** An atomic step has its own limit; this one only ends what has none. */
const ATOMIC_MS_MAX = 2 ** 31 - 1;

function asError(thrown: unknown): unknown {
	return thrown instanceof Error ? reviveError(storeError(thrown)) : thrown;
}
