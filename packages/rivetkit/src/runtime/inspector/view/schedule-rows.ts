import type { StorageRange } from "@rivetkit/protocol";
import { type ErasedActorConfig, findAction } from "../../../actor/erased.ts";
import type { StoredEntries } from "../../commit/storage-layout.ts";
import type { CronJob } from "../../schedule/cron-job.ts";
import { HistoryLog } from "../../schedule/history-log.ts";
import type { PendingCall } from "../../schedule/pending-call.ts";
import { FAILURES, type HistoryRow, readRow } from "../../schedule/schedule-layout.ts";
import { byDue } from "../../schedule/turns.ts";

/** The schedules of an actor. The keeper of a live one has them; {@link StoredSchedules} reads them. */
export interface ScheduleRows {
	/** One-shot calls in the order in which they will be made. */
	calls(): readonly PendingCall[];
	/** By name. */
	jobs(): readonly CronJob[];
	/** The runs of a job that have not ended, in order. */
	runsOf(job: CronJob): readonly PendingCall[];
	/** Why a call is not made although it is due; null when it is. */
	callParked(call: PendingCall): string | null;
	jobParked(job: CronJob): string | null;
	/** The newest first. */
	historyOf(name: string, limit: number): Promise<readonly HistoryRow[]>;
	failures(limit: number): Promise<readonly HistoryRow[]>;
}

type Scan = (range: StorageRange) => Promise<[key: Uint8Array, value: Uint8Array][]>;

export class StoredSchedules implements ScheduleRows {
	readonly #config: ErasedActorConfig;
	readonly #history: HistoryLog;
	readonly #calls: PendingCall[] = [];
	readonly #jobs: CronJob[] = [];

	constructor(config: ErasedActorConfig, entries: StoredEntries, scan: Scan) {
		this.#config = config;
		this.#history = new HistoryLog(scan);
		for (const [key, value] of entries) {
			const { kind, row } = readRow(key, value);
			if (kind === "call") this.#calls.push(row);
			else if (kind === "job") this.#jobs.push(row);
		}
		this.#jobs.sort((a, b) => (a.name < b.name ? -1 : 1));
	}

	calls(): PendingCall[] {
		return this.#calls.filter(({ source }) => source.kind === "at").sort(byDue);
	}

	jobs(): readonly CronJob[] {
		return this.#jobs;
	}

	runsOf({ sequence }: CronJob): PendingCall[] {
		return this.#calls
			.filter(({ source }) => source.kind === "run" && source.job === sequence)
			.sort((a, b) => a.sequence - b.sequence);
	}

	callParked({ source }: PendingCall): string | null {
		return source.kind === "at" ? this.#actionGone(source.action) : null;
	}

	jobParked({ action }: CronJob): string | null {
		return this.#actionGone(action);
	}

	async historyOf(name: string, limit: number): Promise<HistoryRow[]> {
		const job = this.#jobs.find((one) => one.name === name);
		return job ? this.#history.read(job.sequence, limit) : [];
	}

	failures(limit: number): Promise<HistoryRow[]> {
		return this.#history.read(FAILURES, limit);
	}

	#actionGone(action: string): string | null {
		if (findAction(this.#config, action)) return null;
		return `the actor has no action '${action}'`;
	}
}
