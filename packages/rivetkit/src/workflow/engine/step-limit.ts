import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import type { WheelTimer } from "../../runtime/timers/timer-wheel.ts";
import type { StepAttempt } from "./step-attempt.ts";

/**
 * How long the steps of a strand may take. Most end long before: the next one puts the timer off, which costs
 * nothing, where calling it off and setting it again is a good part of what a step costs.
 */
export class StepLimit {
	#timer: WheelTimer | null = null;
	#attempt: StepAttempt | null = null;

	begin(host: DurableHost, attempt: StepAttempt, timeoutMs: number): void {
		this.#attempt = attempt;
		if (this.#timer) this.#timer.restart(timeoutMs);
		// It closes what is open: one that has ended is not.
		else this.#timer = host.timer(timeoutMs, () => this.#attempt?.timeOut());
	}

	/** No step is running, and none begins soon: what waits keeps no timer. */
	rest(): void {
		this.#attempt = null;
		this.#timer?.cancel();
		this.#timer = null;
	}
}
