import { publicError, storeError } from "../history/stored-error.ts";
import { retryTime } from "../operations/step-options.ts";
import { StepContext } from "../step-context.ts";
import type { Compensation } from "./compensation.ts";
import type { WorkflowEngine } from "./engine.ts";
import type { Execution } from "./execution.ts";
import { blocked } from "./outcome.ts";
import { StepAttempt } from "./step-attempt.ts";
import { StepLimit } from "./step-limit.ts";

/** Pauses between tries of a handler that has used up its step's retries (ms): the first, and the most. */
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 300_000;

/**
 * Undoes completed steps, latest first, each in a commit of its own (workflows 3.8). One that fails is tried
 * again until it succeeds or is left out: what came before it is never undone before it.
 */
export class RollbackRun {
	readonly #engine: WorkflowEngine;

	constructor(engine: WorkflowEngine) {
		this.#engine = engine;
	}

	/** Returns when all is undone, or when it is not to go on now; then it goes on where it was. */
	async run(): Promise<void> {
		const engine = this.#engine;
		await engine.durable();
		if (engine.host.isAborted || engine.isLost) return;
		// Told meanwhile, when there was nothing to stop.
		if (engine.head.isPaused || engine.head.state !== "rolling_back") return;
		const execution = engine.newExecution({ isRollback: true, isFresh: false });
		const missed = await engine.replayForRollback(execution);
		if (engine.host.isAborted || engine.isLost) return;
		if (missed) {
			execution.finish({ kind: "stopped" });
			return blocked(engine, missed);
		}
		// It has not seen all there is to undo.
		if (execution.isStopped) return;
		delete engine.head.blocked;
		const order = execution.search!.compensations.sort(
			(a, b) => b.entry.completedSequence - a.entry.completedSequence,
		);
		for (const compensation of order) {
			while (!this.#isLeftOut(compensation)) {
				if (engine.host.isAborted || engine.isLost || execution.isStopped) return;
				if (await this.#try(execution, compensation)) break;
				if (engine.head.isPaused) return;
			}
		}
		execution.finish({ kind: "stopped" });
		const { head } = engine;
		if (head.state !== "rolling_back") return;
		if (head.cancelReason === undefined) await engine.end("failed");
		else await engine.end("cancelled");
	}

	#isLeftOut({ id, entry }: Compensation): boolean {
		return entry.rollbackCompletedAt > 0 || this.#engine.isLeftOut(id);
	}

	/** Whether it is undone; otherwise it has waited for the time of the next try. */
	async #try(execution: Execution, compensation: Compensation): Promise<boolean> {
		const engine = this.#engine;
		const { entry, key, options, output, id } = compensation;
		await engine.durable();
		// It may have been paused meanwhile: what a handler does then would not be marked as done.
		if (engine.host.isAborted || engine.isLost || execution.isStopped) return false;
		const { head, host, journal } = engine;
		const startedAt = host.now();
		const attempt = new StepAttempt(host, {
			kind: "rollback",
			name: compensation.name,
			attempt: (head.rollback?.attempts ?? 0) + 1,
		});
		const limit = new StepLimit();
		execution.attemptBegun(attempt);
		try {
			const context = new StepContext(execution, attempt, () => `${id}-rollback`);
			const outcome = await attempt.run(
				() => options.rollback!(context as never, output),
				options.timeout,
				limit,
			);
			if (outcome.kind === "value" && !execution.isOver) {
				attempt.keep();
				entry.rollbackCompletedAt = host.now();
				entry.rollbackError = null;
				delete head.rollback;
				journal.entry(key, entry);
				journal.head(head);
				host.commitSoon();
				return true;
			}
			if (execution.isStopped) {
				attempt.leave();
				return false;
			}
			attempt.drop();
			const error =
				outcome.kind === "error"
					? outcome.error
					: new Error(
							`The rollback of step "${compensation.name}" timed out after ${options.timeout}ms`,
						);
			await engine.waitFor(this.#failed(compensation, startedAt, error));
			return false;
		} finally {
			limit.rest();
			execution.attemptEnded(attempt);
		}
	}

	/** Writes it down; when the next try begins. */
	#failed(compensation: Compensation, startedAt: number, error: unknown): number {
		const { entry, key, name, path, options } = compensation;
		const { head, host, journal } = this.#engine;
		const attempts = (head.rollback?.attempts ?? 0) + 1;
		const retryAt = this.#nextTry(compensation, attempts, startedAt, error);
		head.rollback = { attempts, retryAt };
		host.log.error({ err: error, path, attempt: attempts }, "a rollback handler failed");
		if (attempts >= options.maxAttempts) {
			const stored = storeError(error);
			if (!entry.rollbackError) {
				this.#engine.report({
					rollback: {
						workflowId: host.actorId,
						stepName: name,
						error: publicError(stored),
					},
				});
			}
			entry.rollbackError = stored;
			journal.entry(key, entry);
		}
		this.#engine.writeHead();
		return retryAt;
	}

	#nextTry({ options }: Compensation, attempts: number, startedAt: number, error: unknown): number {
		const { host } = this.#engine;
		if (attempts < options.maxAttempts) {
			return retryTime(options, attempts, startedAt, host.now(), error);
		}
		const pause = PAUSE_FIRST_MS * 2 ** (attempts - options.maxAttempts);
		return host.now() + Math.min(PAUSE_MAX_MS, pause);
	}
}
