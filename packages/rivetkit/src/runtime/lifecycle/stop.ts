import { FencedOff } from "../../backends/backend.ts";
import { CLOSE_NORMAL } from "../connections/close-codes.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import { isStopping, type LifecycleEvent, type Phase } from "./lifecycle.ts";
import { StopBudget, worstOf } from "./stop-budget.ts";

/** Closing the connections of a stopping actor takes at most this long (lifecycle 6). */
const DISCONNECT_LIMIT_MS = 1_500;

type StopPhase = Extract<
	Phase,
	"draining" | "onSleep" | "disconnecting" | "saving" | "onDestroy" | "closing" | "erasing"
>;

/**
 * Takes an instance that has begun to stop through the rest of its life (contract: lifecycle 5.3, 5.4).
 * Steps share one grace period; one that runs over is logged, never fatal. The final save has its own
 * time. Never rejects.
 */
export async function stopInstance(instance: ActorInstance): Promise<void> {
	const budget = new StopBudget(instance);
	while (isStopping(instance.phase)) {
		const { phase } = instance;
		const event = await STEPS[phase as StopPhase](instance, budget).catch((error: unknown) => {
			instance.log.error({ err: error, phase }, "stopping goes on though a part of it broke");
			return "failed" as const;
		});
		// A newer incarnation has ended this one meanwhile.
		if (instance.phase !== phase) return;
		instance.dispatch(event);
	}
}

type Step = (instance: ActorInstance, budget: StopBudget) => Promise<LifecycleEvent>;

/** What is done in each phase of a stop. */
const STEPS: Readonly<Record<StopPhase, Step>> = {
	async draining(instance, budget) {
		const { options, work, run } = instance;
		const inProgress = () =>
			budget.spend({
				what: "calls in progress",
				option: "sleepGracePeriod",
				limitMs: options.sleepGracePeriod,
				work: () => work.done(),
				waitingFor: () => instance.unfinishedWork(),
			});
		const outcomes = await Promise.all([
			inProgress(),
			budget.spend({
				what: "run",
				option: "runStopTimeout",
				limitMs: options.runStopTimeout,
				work: () => run?.active,
				waitingFor: () => ["a run handler that ignores c.abortSignal"],
			}),
		]);
		const outcome = worstOf(outcomes);
		// What run began when it wound down.
		return outcome === "done" ? inProgress() : outcome;
	},

	onSleep: stopHook("onSleep"),

	/** Connections that cannot hibernate end here (lifecycle 5.3, steps 6 and 7). */
	disconnecting: leave,

	/** The commit with everything that was not saved before; it has its own time (W-STOP-4). */
	async saving(instance) {
		const sleepTs = instance.goesOn ? null : instance.now();
		instance.writes.writeRecord({ sleepTs, connectableTs: null });
		return (await flush(instance)) ? "done" : "failed";
	},

	onDestroy: stopHook("onDestroy"),

	/** No connection outlives its actor. */
	closing: leave,

	/** One tombstone commit (W-STOP-10): after it the actor is gone, before it is intact. */
	async erasing(instance) {
		// Answers that wait for a commit get theirs first.
		await flush(instance);
		instance.made.queue?.giveUpSenders();
		if (instance.isFenced) return "fenced";
		// A commit that comes after the tombstone is refused, as that of an incarnation that was fenced off.
		instance.endWrites();
		try {
			const destroyTs = instance.now();
			await instance.services.backend.commit(instance.assignment, {
				ops: [],
				alarmTs: null,
				destroyTs,
			});
			return "done";
		} catch (error) {
			if (error instanceof FencedOff) return "fenced";
			instance.log.error(
				{ err: error },
				"the actor could not be destroyed; it is as it was last committed",
			);
			return "failed";
		}
	},
};

function stopHook(name: "onSleep" | "onDestroy"): Step {
	return async (instance, budget) => {
		const { config, options, contexts } = instance;
		const hook = config[name];
		if (!hook) return "done";
		const option = `${name}Timeout` as const;
		const work = () => instance.traced(SPAN_KINDS.hook, name, () => hook(contexts.actor));
		return budget.spend({ what: name, option, limitMs: options[option], work });
	};
}

async function leave(instance: ActorInstance, budget: StopBudget): Promise<LifecycleEvent> {
	const { options, connections, background } = instance;
	const disconnected = await budget.spend({
		what: "onDisconnect",
		option: "sleepGracePeriod",
		limitMs: DISCONNECT_LIMIT_MS,
		work: () => connections.leave(CLOSE_NORMAL, ""),
		waitingFor: () => [plural(connections.disconnecting, "onDisconnect hook")],
	});
	const settled = await budget.spend({
		what: "waitUntil",
		option: "waitUntilTimeout",
		limitMs: options.waitUntilTimeout,
		work: () => background.done(),
		waitingFor: () => [`${plural(background.size, "promise")} given to waitUntil or keepAwake`],
	});
	return worstOf([disconnected, settled]);
}

const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`;

/** Whether everything written is durable. */
async function flush(instance: ActorInstance): Promise<boolean> {
	try {
		await instance.committer.flush();
		return true;
	} catch (error) {
		instance.log.error(
			{ err: error },
			"the final save failed; the actor is as it was last committed",
		);
		return false;
	}
}
