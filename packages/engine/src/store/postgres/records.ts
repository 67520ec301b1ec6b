import type { ActorRecord } from "../store.ts";
import { fromStoredText } from "../stored-values.ts";

/** Columns of an actor's record, of the row called `a`. */
export const RECORD_COLUMNS =
	"a.id, a.namespace, a.name, a.key, a.runner_name_selector, a.crash_policy, a.datacenter, a.input, " +
	"a.create_ts, a.generation, a.initialised, a.start_ts, a.connectable_ts, a.sleep_ts, a.destroy_ts, " +
	"a.alarm_ts, a.connected";

export interface RecordRow {
	[column: string]: unknown;
	readonly id: string;
	readonly namespace: string;
	readonly name: string;
	readonly key: string;
	readonly runner_name_selector: string;
	readonly crash_policy: string;
	readonly datacenter: string;
	readonly input: Buffer | null;
	readonly create_ts: number;
	readonly generation: number;
	readonly initialised: boolean;
	readonly start_ts: number | null;
	readonly connectable_ts: number | null;
	readonly sleep_ts: number | null;
	readonly destroy_ts: number | null;
	readonly alarm_ts: number | null;
	readonly connected: boolean;
}

export function toRecord(row: RecordRow): ActorRecord {
	return {
		actorId: fromStoredText(row.id),
		namespace: fromStoredText(row.namespace),
		name: fromStoredText(row.name),
		key: fromStoredText(row.key),
		runnerNameSelector: fromStoredText(row.runner_name_selector),
		crashPolicy: fromStoredText(row.crash_policy),
		datacenter: fromStoredText(row.datacenter),
		input: row.input === null ? null : toBytes(row.input),
		createTs: row.create_ts,
		generation: row.generation,
		initialised: row.initialised,
		startTs: row.start_ts,
		connectableTs: row.connectable_ts,
		sleepTs: row.sleep_ts,
		destroyTs: row.destroy_ts,
		alarmTs: row.alarm_ts,
		connected: row.connected,
	};
}

/** The record of an actor that was acquired under a lease; null for none. */
export function acquiredUnder(owner: number | null, record: ActorRecord): ActorRecord {
	return owner === null ? record : { ...record, acquiredUnder: owner };
}

/** A plain array of its own: what is handed out belongs to the caller. */
export function toBytes(buffer: Buffer): Uint8Array {
	return new Uint8Array(buffer);
}
