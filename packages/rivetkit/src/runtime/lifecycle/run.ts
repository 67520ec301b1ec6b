import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "./with-timeout.ts";

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 30_000;
/** A `run` that lasted this long has recovered: the next failure starts from the first pause again. */
const HEALTHY_AFTER_MS = 60_000;

/**
 * The background handler (contract: lifecycle 14). Returning is fine; throwing restarts it in the same
 * instance after a pause of 100 ms, doubling to 30 s (W-RUN-1, W-RUN-2, ruling 14). Never destroys.
 */
export function startRun(instance: ActorInstance): void {
	if (instance.config.run) attempt(instance, 0);
}

function attempt(instance: ActorInstance, failures: number): void {
	if (!instance.isReady) return;
	const startedMs = instance.now();
	instance.work.begin("run");
	const run = invoke(instance).finally(() => instance.work.end("run"));
	instance.running = run.then(
		() => {
			instance.running = null;
			instance.saveSoon();
			instance.log.debug({}, "run returned");
		},
		(error) => {
			instance.running = null;
			instance.saveSoon();
			if (!instance.isReady) {
				instance.log.debug({ err: error }, "run ended while the actor stops");
				return;
			}
			const lasted = instance.now() - startedMs;
			const count = lasted >= HEALTHY_AFTER_MS ? 1 : failures + 1;
			const pauseMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (count - 1));
			instance.log.error({ err: error, failures: count, pauseMs }, "run failed; it is restarted");
			instance.services.timers.schedule(pauseMs, () => attempt(instance, count));
		},
	);
}

/** A synchronous throw is the same as a rejection (W-START-4). */
async function invoke(instance: ActorInstance): Promise<void> {
	const result = instance.config.run!.handler(instance.contexts.actor);
	if (isPromiseLike(result)) await result;
}
