import type { ActorInstance } from "../instance/instance.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";

/**
 * Puts an actor to sleep that nothing has kept awake for `sleepTimeout` (contract: lifecycle 5.1).
 *
 * - I1. Becoming idle only notes the time. The one timer of an actor is armed when it is not, and finds
 *   out when it fires whether the wait was long enough: busy actors do not touch the wheel.
 * - I2. The wait begins anew with everything that kept the actor awake, and with every alarm.
 */
export class IdleTimer {
	readonly #instance: ActorInstance;
	#timer: WheelTimer | null = null;
	#isArmed = false;
	#sinceMs = 0;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** The actor is idle since now, or something happened that starts the wait anew. */
	restart(): void {
		const instance = this.#instance;
		if (!instance.isReady) return;
		this.#sinceMs = instance.now();
		if (this.#isArmed || !instance.work.isIdle) return;
		this.#arm(instance.options.sleepTimeout);
	}

	/** How long the actor has been idle (ms), 0 while it is not. */
	get idleMs(): number {
		return this.#isArmed && this.#instance.work.isIdle ? this.#instance.now() - this.#sinceMs : 0;
	}

	stop(): void {
		this.#timer?.cancel();
		this.#isArmed = false;
	}

	#arm(delayMs: number): void {
		this.#isArmed = true;
		if (this.#timer) this.#timer.restart(delayMs);
		else this.#timer = this.#instance.services.timers.schedule(delayMs, () => this.#ring());
	}

	#ring(): void {
		this.#isArmed = false;
		const instance = this.#instance;
		if (!instance.isReady || !instance.work.isIdle) return;
		const { sleepTimeout } = instance.options;
		const leftMs = this.#sinceMs + sleepTimeout - instance.now();
		if (leftMs > 0) {
			// A wall clock that was set back must not make the wait longer than it is from now on.
			this.#arm(Math.min(leftMs, sleepTimeout));
		} else if (instance.work.waiting().length > 0) {
			this.restart();
		} else {
			instance.dispatch("idle");
		}
	}
}
