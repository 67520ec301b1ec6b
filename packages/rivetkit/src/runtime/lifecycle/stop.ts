import type { StopIntent } from "@rivetkit/protocol";
import { CLOSE_NORMAL } from "../connections/close-codes.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { withTimeout } from "./with-timeout.ts";

/** Closing the connections of a stopping actor takes at most this long (lifecycle 6). */
const DISCONNECT_LIMIT_MS = 1_500;

/**
 * Takes a ready instance through its stop sequence (contract: lifecycle 5.3, 5.4). Steps share one grace
 * period; one that runs over is logged, never fatal. The final save has its own time. Work that is still
 * running afterwards is answered with `actor.stopping` and can no longer write.
 */
export async function stopInstance(instance: ActorInstance, wish: StopIntent): Promise<StopIntent> {
	const intent = instance.beginStop(wish);
	const budget = new StopBudget(instance);

	await budget.spend("calls in progress", Number.POSITIVE_INFINITY, instance.work.idle());
	if (instance.running)
		await budget.spend("run", instance.options.runStopTimeout, instance.running);

	advance(instance, "stopHook");
	await runStopHook(instance, instance.stopIntent ?? intent, budget);

	advance(instance, "disconnecting");
	await budget.spend(
		"onDisconnect",
		DISCONNECT_LIMIT_MS,
		instance.connections.closeAll(CLOSE_NORMAL, ""),
	);
	if (instance.background.size > 0) {
		const background = Promise.all(instance.background);
		await budget.spend("waitUntil", instance.options.waitUntilTimeout, background);
	}

	advance(instance, "saving");
	const final = instance.stopIntent ?? intent;
	if (!instance.isFenced) {
		await (final === "destroy" ? erase(instance) : save(instance));
	}
	if (!instance.isFenced) instance.end("stopped");
	return final;
}

function advance(instance: ActorInstance, phase: "stopHook" | "disconnecting" | "saving"): void {
	if (!instance.isFenced) instance.enter(phase);
}

async function runStopHook(
	instance: ActorInstance,
	intent: StopIntent,
	budget: StopBudget,
): Promise<void> {
	if (instance.isFenced) return;
	const { config, options } = instance;
	const [name, hook, limitMs] =
		intent === "destroy"
			? (["onDestroy", config.onDestroy, options.onDestroyTimeout] as const)
			: (["onSleep", config.onSleep, options.onSleepTimeout] as const);
	if (hook)
		await budget.spend(
			name,
			limitMs,
			invoke(() => hook(instance.contexts.actor)),
		);
}

async function invoke(hook: () => unknown): Promise<void> {
	await hook();
}

async function save(instance: ActorInstance): Promise<void> {
	instance.writeRecord({ sleepTs: instance.now(), connectableTs: null });
	await flush(instance);
}

async function flush(instance: ActorInstance): Promise<void> {
	try {
		await instance.committer.flush();
	} catch (error) {
		instance.log.error(
			{ err: error },
			"the final save failed; the actor is as it was last committed",
		);
	}
}

/** Deletes the actor in one tombstone commit (W-STOP-10): afterwards it is gone, before it is intact. */
async function erase(instance: ActorInstance): Promise<void> {
	// Answers that wait for a commit get theirs first.
	await flush(instance);
	if (instance.isFenced) return;
	await instance.services.backend.commit(instance.assignment, {
		ops: [],
		alarmTs: null,
		destroyTs: instance.now(),
	});
}

/** One budget for all steps of a stop (W-STOP-4); a step's own limit applies inside it. */
class StopBudget {
	readonly #instance: ActorInstance;
	readonly #endMs: number;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.#endMs = instance.now() + instance.options.sleepGracePeriod;
	}

	async spend(what: string, limitMs: number, work: Promise<unknown>): Promise<void> {
		const instance = this.#instance;
		const leftMs = Math.max(0, Math.min(limitMs, this.#endMs - instance.now()));
		try {
			await withTimeout(instance, what, leftMs, work, "sleepGracePeriod");
		} catch (error) {
			const awake = instance.work.summary();
			instance.log.error(
				{ err: error, step: what, inProgress: awake },
				"stopping goes on without it",
			);
		}
	}
}
