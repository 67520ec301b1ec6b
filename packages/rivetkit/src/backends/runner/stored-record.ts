import { decodeCbor, encodeCbor, type StorageBatch } from "@rivetkit/protocol";

const LAYOUT_VERSION = 1;

/** What the actor's record says beside its entries: it has no other place behind an engine of others. */
export interface StoredRecord {
	readonly initialised: boolean;
	readonly alarmTs: number | null;
	readonly startTs: number | null;
	/** When it fell asleep; null while it is awake, and after a crash. */
	readonly sleepTs: number | null;
	/** Set by the last commit of an actor that the engine has yet to be told of. */
	readonly destroyTs: number | null;
}

export const NEW_RECORD: StoredRecord = {
	initialised: false,
	alarmTs: null,
	startTs: null,
	sleepTs: null,
	destroyTs: null,
};

/** The same object when nothing that is stored changes. */
export function recordAfter(
	before: StoredRecord,
	{ alarmTs, record, destroyTs }: StorageBatch,
): StoredRecord {
	const after: StoredRecord = {
		initialised: record?.initialised ?? before.initialised,
		alarmTs: alarmTs === undefined ? before.alarmTs : alarmTs,
		startTs: record?.startTs ?? before.startTs,
		sleepTs: record?.sleepTs === undefined ? before.sleepTs : record.sleepTs,
		destroyTs: destroyTs ?? before.destroyTs,
	};
	const isSame = (Object.keys(after) as (keyof StoredRecord)[]).every(
		(field) => after[field] === before[field],
	);
	return isSame ? before : after;
}

export function encodeRecord(record: StoredRecord): Uint8Array {
	return encodeCbor({ version: LAYOUT_VERSION, ...record });
}

/** Throws for a layout that is newer than this one. */
export function readRecord(value: Uint8Array): StoredRecord {
	const { version, ...record } = decodeCbor(value) as StoredRecord & { version: number };
	if (version > LAYOUT_VERSION) {
		throw new Error(
			`the actor was stored by a newer RivetKit (layout ${version}, this one knows ${LAYOUT_VERSION}); run that`,
		);
	}
	return record;
}
