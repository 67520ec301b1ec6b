import type { CommitBatch, NewActor } from "./store.ts";

/** Key and value of one entry together, in bytes: what every store can hold (SQLite: 10^9). */
export const ENTRY_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Refuses, before anything is written, what no store could keep: it would fail in the middle of a
 * transaction that other actors share. Throws `TypeError` or `RangeError`.
 */
export function checkBatch(batch: CommitBatch): void {
	for (const op of batch.ops) {
		switch (op.op) {
			case "put":
				checkBytes("key", op.key);
				checkBytes("value", op.value);
				if (op.key.byteLength + op.value.byteLength > ENTRY_BYTES_MAX) {
					throw new RangeError(
						`Entry of ${op.key.byteLength + op.value.byteLength} bytes; at most ${ENTRY_BYTES_MAX} fit`,
					);
				}
				break;
			case "delete":
				checkBytes("key", op.key);
				break;
			case "deleteRange":
				checkBytes("start", op.start);
				if (op.end !== null) {
					checkBytes("end", op.end);
				}
				break;
			default:
				throw new TypeError(`Unknown storage operation ${JSON.stringify(op satisfies never)}`);
		}
	}
	checkTime("alarmTs", batch.alarmTs);
	checkTime("destroyTs", batch.destroyTs);
	checkTime("putTs", batch.putTs);
	if (batch.record !== undefined) {
		checkTime("startTs", batch.record.startTs);
		checkTime("connectableTs", batch.record.connectableTs);
		checkTime("sleepTs", batch.record.sleepTs);
	}
}

/** Throws `TypeError` when a field cannot be stored and read back as it is. */
export function checkNewActor(actor: NewActor): void {
	checkText("actorId", actor.actorId);
	checkText("namespace", actor.namespace);
	checkText("name", actor.name);
	checkText("key", actor.key);
	checkText("runnerNameSelector", actor.runnerNameSelector);
	checkText("crashPolicy", actor.crashPolicy);
	checkText("datacenter", actor.datacenter);
	if (actor.input !== null) {
		checkBytes("input", actor.input);
	}
	checkTime("createTs", actor.createTs);
}

function checkBytes(what: string, value: Uint8Array): void {
	if (!ArrayBuffer.isView(value)) {
		throw new TypeError(`${what} is not a Uint8Array`);
	}
}

function checkTime(what: string, value: number | null | undefined): void {
	if (value !== null && value !== undefined && !Number.isSafeInteger(value)) {
		throw new TypeError(`${what} is not a whole number of milliseconds: ${value}`);
	}
}

/** Lone surrogates have no UTF-8 form: two different keys would become one. */
function checkText(what: string, value: string): void {
	if (typeof value !== "string" || /\p{Surrogate}/u.test(value)) {
		throw new TypeError(`${what} is not well-formed text: ${JSON.stringify(value)}`);
	}
}
