import { decodeCbor } from "@rivetkit/protocol";
import type {
	ActorCron,
	CronEntry,
	CronEveryOptions,
	CronHistoryEntry,
	CronSetOptions,
} from "../../actor/schedule.types.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { checkCron, checkEvery, checkLimit } from "./checks.ts";
import type { CronJob } from "./cron-job.ts";
import { RefusableCalls } from "./refusable-calls.ts";
import { parkedOf, progressOf } from "./schedule-access.ts";
import type { ScheduleKeeper } from "./schedule-keeper.ts";
import type { HistoryRow } from "./schedule-layout.ts";

/** `c.cron` (contract: api 10). */
export class CronAccess extends RefusableCalls implements ActorCron {
	readonly #keeper: ScheduleKeeper;

	constructor(instance: ActorInstance, keeper: ScheduleKeeper) {
		super(instance);
		this.#keeper = keeper;
	}

	set(options: CronSetOptions): Promise<void> {
		return this.refusable("cron.set", () => this.#keeper.setJob(checkCron(options)));
	}

	every(options: CronEveryOptions): Promise<void> {
		return this.refusable("cron.every", () =>
			this.#keeper.setJob(checkEvery(options, this.instance.now())),
		);
	}

	get(name: string): Promise<CronEntry | null> {
		return this.refusable("cron.get", () => {
			const job = this.#keeper.job(name);
			return job ? this.#entry(job) : null;
		});
	}

	list(): Promise<CronEntry[]> {
		return this.refusable("cron.list", () => this.#keeper.jobs().map((job) => this.#entry(job)));
	}

	delete(name: string): Promise<boolean> {
		return this.refusable("cron.delete", () => this.#keeper.deleteJob(name));
	}

	history(name: string, options?: { limit?: number | undefined }): Promise<CronHistoryEntry[]> {
		return this.refusable("cron.history", async () => {
			const rows = await this.#keeper.historyOf(name, checkLimit(options));
			return rows.map(historyEntry);
		});
	}

	#entry(job: CronJob): CronEntry {
		const { id, name, action, maxHistory, catchUp, overlap, retry, nextAt, lastRunAt } = job;
		const progress = this.#keeper.runsOf(job).map(progressOf);
		return {
			id,
			name,
			action,
			args: decodeCbor(job.args) as unknown[],
			maxHistory,
			catchUp,
			overlap,
			nextRunAt: nextAt,
			...(retry.attempts > 1 ? { retry } : undefined),
			...(lastRunAt === null ? undefined : { lastRunAt }),
			...(progress.some(({ running }) => running) ? { running: true } : undefined),
			...progress.find(({ retrying }) => retrying),
			...parkedOf(this.#keeper.jobParked(job)),
			...timingOf(job),
		};
	}
}

function timingOf({ timing }: CronJob) {
	return timing.kind === "cron" ? timing : { kind: timing.kind, interval: timing.interval };
}

function historyEntry(row: HistoryRow): CronHistoryEntry {
	const { action, scheduledAt, firedAt, finishedAt, result, attempts, error } = row;
	return {
		action,
		scheduledAt,
		firedAt,
		...(finishedAt === null ? undefined : { finishedAt }),
		result,
		attempts,
		...(error ? { error: error.message } : undefined),
	};
}
