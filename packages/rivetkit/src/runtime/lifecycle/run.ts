import type { ActorInstance } from "../instance/instance.ts";
import { RunScope } from "../queue/run-scope.ts";
import { Span } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 30_000;
/** A `run` that lasted this long has recovered: the next failure starts from the first pause again. */
const HEALTHY_AFTER_MS = 60_000;
/** Attempts that are due within this time after the first failure keep the actor awake (W-RUN-2). */
const AWAKE_AFTER_FAILURE_MS = 60_000;

const CRASHED = { "rivet.actor.reason": "run_error" };

/**
 * The background handler (contract: lifecycle 14). Returning is fine; throwing restarts it in the same
 * instance after a pause of 100 ms, doubling to 30 s (W-RUN-1, W-RUN-2, ruling 14). Never destroys.
 */
export class RunHandler {
	readonly #instance: ActorInstance;
	/** The attempt that is active, or was last. */
	scope: RunScope | null = null;
	#active: Promise<void> | null = null;
	#failures = 0;
	#firstFailureMs = 0;
	#pause: WheelTimer | null = null;
	#holdsAwake = false;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** Settles when the handler does, and never rejects; null while it is not active. */
	get active(): Promise<void> | null {
		return this.#active;
	}

	/** Whether it failed, and starts again by itself after a pause. */
	get isBackingOff(): boolean {
		return this.#pause !== null;
	}

	/** Starts it at once, unless it is active: a pause is over. */
	start(): void {
		const instance = this.#instance;
		this.#endPause();
		if (this.#isActive) return;
		const startedMs = instance.now();
		instance.work.begin("run");
		this.#isActive = true;
		const active = this.#attempt(startedMs);
		this.#active = this.#isActive ? active : null;
	}

	#isActive = false;

	/** One promise for all of it: a `run` that waits is kept for as long as its actor is awake. */
	async #attempt(startedMs: number): Promise<void> {
		const instance = this.#instance;
		const scope = new RunScope();
		this.scope = scope;
		const { telemetry } = instance;
		const work = telemetry?.begin(SPAN_KINDS.run, null, null) ?? null;
		const span = work instanceof Span ? work : null;
		try {
			await scope.enter(() => instance.runCall(scope, () => this.#invoke(), span));
			if (work) telemetry!.end(work);
			scope.hasReturned = !instance.isAborted;
			instance.runEnded(scope, true);
			instance.log.debug({}, "run returned");
		} catch (error) {
			if (work) {
				const told = telemetry!.recorded(work);
				if (!instance.isAborted) {
					told?.addEvent("actor.crash", telemetry!.host.nowMs(), CRASHED);
				}
				telemetry!.end(told ?? work, { thrown: error });
			}
			instance.runEnded(scope, false);
			this.#failed(error, startedMs);
		} finally {
			this.#isActive = false;
			this.#active = null;
			instance.work.end("run");
			instance.writes.saveSoon();
		}
	}

	/** No more attempts. What runs goes on, as far as the abort signal lets it. */
	stop(): void {
		this.#endPause();
	}

	#invoke(): unknown {
		const { durable, config, contexts } = this.#instance;
		return durable ? durable.run() : config.run!.handler(contexts.actor);
	}

	#failed(error: unknown, startedMs: number): void {
		const instance = this.#instance;
		if (instance.isAborted) {
			instance.log.debug({ err: error }, "run ended while the actor stops");
			return;
		}
		const now = instance.now();
		if (now - startedMs >= HEALTHY_AFTER_MS) this.#failures = 0;
		if (this.#failures++ === 0) this.#firstFailureMs = now;
		const pauseMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (this.#failures - 1));
		instance.log.error(
			{ err: error, failures: this.#failures, pauseMs },
			"run failed; it is restarted",
		);
		if (now + pauseMs - this.#firstFailureMs <= AWAKE_AFTER_FAILURE_MS) {
			this.#holdsAwake = true;
			instance.work.begin("runRestart");
		}
		this.#pause = instance.services.timers.schedule(pauseMs, () => {
			if (!instance.isAborted) this.start();
		});
	}

	#endPause(): void {
		this.#pause?.cancel();
		this.#pause = null;
		if (!this.#holdsAwake) return;
		this.#holdsAwake = false;
		this.#instance.work.end("runRestart");
	}
}
