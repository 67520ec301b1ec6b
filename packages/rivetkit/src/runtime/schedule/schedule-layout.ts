import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { SUBSPACE_HISTORY, SUBSPACE_SCHEDULE } from "../commit/storage-layout.ts";
import type { CronJob, HistoryRange } from "./cron-job.ts";
import type { FireError, PendingCall } from "./pending-call.ts";
import type { RowLayout } from "./stored-rows.ts";

/**
 * | key | value |
 * |---|---|
 * | `03 00` | range of the log of one-shot calls that were given up |
 * | `03 01 <u48 sequence>` | a pending call |
 * | `03 02 <u48 sequence>` | a job |
 * | `11 <u48 job> <u48 index>` | one run of a job; of job 0, a one-shot call that was given up |
 */
const FAILURE_LOG = 0;
const CALL = 1;
const JOB = 2;

/** In place of a job: the one-shot calls that were given up. */
export const FAILURES = 0;

export const CALL_LAYOUT: RowLayout<PendingCall> = {
	key: (sequence) => rowKey(CALL, sequence),
	encode: ({ sequence: _, ...row }) => encodeCbor(row),
};

export const JOB_LAYOUT: RowLayout<CronJob> = {
	key: (sequence) => rowKey(JOB, sequence),
	encode: ({ sequence: _, ...row }) => encodeCbor(row),
};

/** The one row that says where the log of given-up calls begins and ends. */
export interface FailureRange extends HistoryRange {
	readonly sequence: typeof FAILURES;
}

export const FAILURE_LOG_LAYOUT: RowLayout<FailureRange> = {
	key: () => Uint8Array.of(SUBSPACE_SCHEDULE, FAILURE_LOG),
	encode: ({ first, next }) => encodeCbor({ first, next }),
};

export type ScheduleRow =
	| { readonly kind: "call"; readonly row: PendingCall }
	| { readonly kind: "job"; readonly row: CronJob }
	| { readonly kind: "failures"; readonly row: FailureRange };

/** Reads what the layouts wrote. Throws for a row of a kind that this version does not know. */
export function readRow(key: Uint8Array, value: Uint8Array): ScheduleRow {
	const fields = decodeCbor(value) as object;
	switch (key[1]) {
		case CALL:
			return { kind: "call", row: { ...fields, sequence: readU48(key, 2) } as PendingCall };
		case JOB:
			return { kind: "job", row: { ...fields, sequence: readU48(key, 2) } as CronJob };
		case FAILURE_LOG:
			return { kind: "failures", row: { ...fields, sequence: FAILURES } as FailureRange };
		default:
			throw new Error(`Unknown kind of schedule row: ${key[1]}`);
	}
}

/** One entry of a history as it is stored. */
export interface HistoryRow {
	readonly action: string;
	readonly scheduledAt: number;
	readonly firedAt: number;
	readonly finishedAt: number | null;
	readonly result: "running" | "ok" | "error" | "skipped";
	readonly attempts: number;
	readonly error: FireError | null;
	/** Id of the schedule, in the log of given-up calls. */
	readonly id?: string;
}

export function historyKey(job: number, index: number): Uint8Array {
	const key = new Uint8Array(13);
	key[0] = SUBSPACE_HISTORY;
	writeU48(key, 1, job);
	writeU48(key, 7, index);
	return key;
}

export const historyJobOf = (key: Uint8Array): number => readU48(key, 1);
export const historyIndexOf = (key: Uint8Array): number => readU48(key, 7);

export function encodeHistoryRow(row: HistoryRow): Uint8Array {
	return encodeCbor(row);
}

export function readHistoryRow(value: Uint8Array): HistoryRow {
	return decodeCbor(value) as HistoryRow;
}

function rowKey(kind: number, sequence: number): Uint8Array {
	const key = new Uint8Array(8);
	key[0] = SUBSPACE_SCHEDULE;
	key[1] = kind;
	writeU48(key, 2, sequence);
	return key;
}

function writeU48(bytes: Uint8Array, at: number, value: number): void {
	const view = new DataView(bytes.buffer);
	view.setUint16(at, Math.floor(value / 2 ** 32));
	view.setUint32(at + 2, value >>> 0);
}

function readU48(bytes: Uint8Array, at: number): number {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}
