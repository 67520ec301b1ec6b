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
 *
 * A wish to destroy counts whenever it comes; `onDestroy` runs exactly when the data will be deleted.
 */
export async function stopInstance(instance: ActorInstance, wish: StopIntent): Promise<StopIntent> {
	instance.beginStop(wish);
	const budget = new StopBudget(instance);
	const hooks = new StopHooks(instance, budget);
	const { options } = instance;

	await Promise.all([
		budget.spend("calls in progress", "sleepGracePeriod", options.sleepGracePeriod, () =>
			instance.work.done(),
		),
		budget.spend("run", "runStopTimeout", options.runStopTimeout, () => instance.running),
	]);

	advance(instance, "stopHook");
	await hooks.run();

	advance(instance, "disconnecting");
	await budget.spend("onDisconnect", "sleepGracePeriod", DISCONNECT_LIMIT_MS, () =>
		instance.connections.closeAll(CLOSE_NORMAL, ""),
	);
	await budget.spend("waitUntil", "waitUntilTimeout", options.waitUntilTimeout, () =>
		backgroundDone(instance),
	);

	advance(instance, "saving");
	instance.giveUpCalls();
	if (instance.stopIntent === "sleep") await save(instance);
	if (instance.stopIntent === "destroy") {
		await hooks.run();
		await erase(instance);
	}
	if (instance.isFenced) return "sleep";
	instance.end("stopped");
	return instance.stopIntent ?? wish;
}

function advance(instance: ActorInstance, phase: "stopHook" | "disconnecting" | "saving"): void {
	if (!instance.isFenced) instance.enter(phase);
}

/** `onSleep` or `onDestroy`; both, when the wish to destroy comes after `onSleep` has begun. */
class StopHooks {
	readonly #instance: ActorInstance;
	readonly #budget: StopBudget;
	#ran: StopIntent | null = null;

	constructor(instance: ActorInstance, budget: StopBudget) {
		this.#instance = instance;
		this.#budget = budget;
	}

	/** Runs the hook of what the stop has become, unless it has run. */
	async run(): Promise<void> {
		const { config, options, contexts } = this.#instance;
		while (this.#ran !== this.#instance.stopIntent) {
			this.#ran = this.#instance.stopIntent;
			const destroys = this.#ran === "destroy";
			const hook = destroys ? config.onDestroy : config.onSleep;
			if (!hook) continue;
			const name = destroys ? "onDestroy" : "onSleep";
			await this.#budget.spend(name, `${name}Timeout`, options[`${name}Timeout`], () =>
				hook(contexts.actor),
			);
		}
	}
}

/** Waits also for what is given to `waitUntil` meanwhile. */
async function backgroundDone(instance: ActorInstance): Promise<void> {
	while (instance.background.size > 0) await Promise.all(instance.background);
}

async function save(instance: ActorInstance): Promise<void> {
	if (instance.isFenced) return;
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
	if (instance.isFenced) return;
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

	/** Runs one step for as long as its option and the budget allow. Never rejects. */
	async spend(what: string, option: string, limitMs: number, work: () => unknown): Promise<void> {
		const instance = this.#instance;
		if (instance.isFenced) return;
		const leftMs = Math.max(0, this.#endMs - instance.now());
		const [allowedMs, name] = limitMs <= leftMs ? [limitMs, option] : [leftMs, "sleepGracePeriod"];
		try {
			await withTimeout(instance, what, allowedMs, work(), name);
		} catch (error) {
			instance.log.error(
				{ err: error, step: what, inProgress: instance.work.unfinished() },
				"stopping goes on without it",
			);
		}
	}
}
