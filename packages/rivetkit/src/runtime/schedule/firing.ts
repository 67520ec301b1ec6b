import { decodeCbor, toWireError } from "@rivetkit/protocol";
import type { ScheduledFireInfo } from "../../actor/schedule.types.ts";
import { ActionCall } from "../actions/action-call.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { hasEnded } from "../lifecycle/lifecycle.ts";
import type { PendingCall } from "./pending-call.ts";
import type { ScheduleKeeper, Startable } from "./schedule-keeper.ts";

/**
 * Makes calls that fell due together, one after the other. A stop lets the one end that is running and
 * begins no other. Never rejects.
 */
export async function fireInOrder(
	instance: ActorInstance,
	keeper: ScheduleKeeper,
	sequences: readonly number[],
): Promise<void> {
	instance.work.begin("scheduled");
	try {
		for (const sequence of sequences) {
			if (!instance.isReady || instance.stopIntent === "destroy") break;
			const startable = keeper.startable(sequence);
			if (startable) await fire(instance, keeper, startable);
			keeper.release([sequence]);
		}
	} catch (error) {
		instance.log.error({ err: error }, "scheduled actions could not be run; they are run again");
		keeper.hold();
	} finally {
		keeper.release(sequences);
		instance.work.end("scheduled");
	}
}

async function fire(
	instance: ActorInstance,
	keeper: ScheduleKeeper,
	startable: Startable,
): Promise<void> {
	const call = keeper.begin(startable);
	// A try is durable before its action starts: a crash in the middle of it is then known to be one. A
	// commit that fails is logged by the instance, and has taken the try back.
	const isDurable = await new Promise<boolean>((resolve) => {
		instance.afterDurable((error) => resolve(error === undefined));
	});
	const mayRun = instance.isReady || instance.phase === "draining";
	if (!isDurable || !mayRun || !keeper.isWanted(call)) return;
	await new Promise<void>((resolve) => run(instance, keeper, startable, call, resolve));
}

function run(
	instance: ActorInstance,
	keeper: ScheduleKeeper,
	startable: Startable,
	call: PendingCall,
	done: () => void,
): void {
	const { action } = startable;
	const firedAt = instance.now();
	const fields = { action, scheduledAt: call.scheduledAt, attempt: call.attempt };
	const rollBacksBefore = instance.writes.rollBackCount;
	let thrown: unknown;
	const ended = new ActionCall(
		instance,
		null,
		action,
		decodeCbor(startable.args) as unknown[],
		(outcome) => {
			if (hasEnded(instance.phase)) {
				// Nothing can be written any more; the next incarnation finds the try cut off.
			} else if (instance.writes.rolledBackSince(rollBacksBefore)) {
				instance.log.warn(fields, "what a scheduled action wrote was lost; it is run again");
			} else if (outcome.ok) {
				keeper.succeeded(call, firedAt);
			} else if (instance.isAborted) {
				instance.log.warn({ ...fields, err: thrown }, "the stop cut a scheduled action off");
			} else {
				const { group, code, message } = outcome.error;
				const error = { group, code, message: message.slice(0, MESSAGE_LENGTH_MAX) };
				const pauseMs = keeper.failed(call, firedAt, error);
				const what = pauseMs === null ? "it is given up" : "it is tried again";
				instance.log.error({ ...fields, pauseMs, err: thrown }, `scheduled action failed; ${what}`);
			}
			instance.afterDurable(() => {});
			done();
		},
		{
			info: fireInfo(startable, call, firedAt),
			attributes: {
				"rivet.schedule.event_id": startable.job?.id ?? idOf(call),
				"rivet.schedule.timestamp_ms": call.scheduledAt,
				"rivet.schedule.attempt": call.attempt,
			},
			describe: (error) => {
				thrown = error;
				return toWireError(error, { expose: true });
			},
		},
	);
	ended.start();
}

/** What is kept of an error's message (characters). */
const MESSAGE_LENGTH_MAX = 1_000;

function idOf({ source }: PendingCall): string {
	return source.kind === "at" ? source.id : "";
}

function fireInfo(
	{ job }: Startable,
	{ source, scheduledAt, attempt }: PendingCall,
	firedAt: number,
): ScheduledFireInfo | null {
	const times = { scheduledAt, firedAt, attempt };
	if (job) return { kind: job.timing.kind, id: job.id, name: job.name, ...times };
	if (source.kind !== "at" || !source.fireInfo) return null;
	return { kind: "at", id: source.id, ...times };
}
