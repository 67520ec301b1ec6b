import { decodeCbor } from "@rivetkit/protocol";
import type {
	ActorSchedule,
	Retrying,
	ScheduleCalls,
	ScheduleEntry,
	ScheduleFailure,
	ScheduleOptions,
} from "../../actor/schedule.types.ts";
import type { ActorInstance } from "../instance/instance.ts";
import {
	checkLimit,
	checkScheduleOptions,
	checkText,
	checkTime,
	encodeArguments,
} from "./checks.ts";
import type { OneShot, PendingCall } from "./pending-call.ts";
import { RefusableCalls } from "./refusable-calls.ts";
import { NO_RETRY } from "./retry.ts";
import type { ScheduleKeeper } from "./schedule-keeper.ts";
import { TIME_MAX } from "./timing.ts";

type CallOptions = Pick<OneShot, "retry" | "fireInfo">;

/** `c.schedule` (contract: api 10). */
export class ScheduleAccess extends RefusableCalls implements ActorSchedule {
	readonly #keeper: ScheduleKeeper;

	constructor(instance: ActorInstance, keeper: ScheduleKeeper) {
		super(instance);
		this.#keeper = keeper;
	}

	after(delayMs: number, action: string, ...args: unknown[]): Promise<string> {
		return this.#after(PLAIN, delayMs, action, args);
	}

	at(epochMs: number, action: string, ...args: unknown[]): Promise<string> {
		return this.#at(PLAIN, epochMs, action, args);
	}

	with(options: ScheduleOptions): ScheduleCalls {
		const checked = checkScheduleOptions(options);
		return {
			after: (delayMs, action, ...args) => this.#after(checked, delayMs, action, args),
			at: (epochMs, action, ...args) => this.#at(checked, epochMs, action, args),
		};
	}

	#after(
		options: CallOptions,
		delayMs: number,
		action: string,
		args: readonly unknown[],
	): Promise<string> {
		return this.refusable("schedule.after", () => {
			const delay = Math.max(0, checkTime("The delay of a schedule", delayMs));
			const runAt = Math.min(this.instance.latest() + delay, TIME_MAX);
			return this.#add(options, runAt, action, args);
		});
	}

	#at(
		options: CallOptions,
		epochMs: number,
		action: string,
		args: readonly unknown[],
	): Promise<string> {
		return this.refusable("schedule.at", () =>
			this.#add(options, checkTime("The time of a schedule", epochMs), action, args),
		);
	}

	#add(options: CallOptions, runAt: number, action: string, args: readonly unknown[]): string {
		checkText("The action of a schedule", action);
		return this.#keeper.add({ ...options, action, args: encodeArguments(action, args) }, runAt);
	}

	get(id: string): Promise<ScheduleEntry | null> {
		return this.refusable("schedule.get", () => {
			const call = this.#keeper.call(id);
			return call ? this.#entry(call) : null;
		});
	}

	list(): Promise<ScheduleEntry[]> {
		return this.refusable("schedule.list", () =>
			this.#keeper.calls().map((call) => this.#entry(call)),
		);
	}

	cancel(id: string): Promise<boolean> {
		return this.refusable("schedule.cancel", () => this.#keeper.cancel(id));
	}

	failures(options?: { limit?: number | undefined }): Promise<ScheduleFailure[]> {
		return this.refusable("schedule.failures", async () => {
			const rows = await this.#keeper.failures(checkLimit(options));
			return rows.map(({ id, action, scheduledAt, firedAt, attempts, error }) => ({
				id: id!,
				action,
				runAt: scheduledAt,
				failedAt: firedAt,
				attempts,
				error: error!.message,
			}));
		});
	}

	#entry(call: PendingCall): ScheduleEntry {
		const { id, action, args } = call.source as OneShot;
		return {
			id,
			action,
			args: decodeCbor(args) as unknown[],
			runAt: call.scheduledAt,
			...progressOf(call),
			...parkedOf(this.#keeper.callParked(call)),
		};
	}
}

const PLAIN: CallOptions = { retry: NO_RETRY, fireInfo: false };

/** How far a call has got, for those that have begun. */
export function progressOf(call: PendingCall): { running?: true; retrying?: Retrying } {
	if (call.isRunning) return { running: true };
	if (!call.error) return {};
	return {
		retrying: { attempts: call.attempt, error: call.error.message, nextRunAt: call.dueAt },
	};
}

export function parkedOf(reason: string | null): { parked?: string } {
	return reason === null ? {} : { parked: reason };
}
