import type { StorageBatch, StorageOp, StorageRange } from "@rivetkit/protocol";
import { RUNNER_KV_KEYS_MAX, RUNNER_KV_VALUE_BYTES_MAX } from "@rivetkit/protocol/runner";
import { FencedOff, type Loaded } from "../backend.ts";
import { KvUnanswered } from "./kv-requests.ts";
import { LargeValues } from "./large-values.ts";
import { HEAD_RANGE, INTENT_KEY, RECORD_KEY } from "./private-keys.ts";
import { fitsInOnePut } from "./put-limits.ts";
import {
	carryOut,
	type Intent,
	intentEntry,
	type Logged,
	loggedOf,
	pairsOf,
	readIntent,
	writeLog,
} from "./redo-log.ts";
import {
	deleteKeys,
	drop,
	getEntries,
	listEntries,
	putEntries,
	type RemoteKv,
} from "./remote-kv.ts";
import {
	around,
	compareKeys,
	type Entry,
	idOf,
	PRIVATE_START,
	withinPublic,
	writesOf,
} from "./storage-plan.ts";
import {
	encodeRecord,
	NEW_RECORD,
	readRecord,
	recordAfter,
	type StoredRecord,
} from "./stored-record.ts";

/**
 * What one incarnation stores, over the get, list, put and delete of the runner protocol, of which only a
 * single request is atomic (record 0040).
 *
 * - K1. A commit is one put; where that is not enough, one put that says what is left to do. Whoever opens the
 *   actor next does it first, so that no reader ever sees half of a commit.
 * - K2. Reads and commits of an actor are done one after another, in the order of the calls.
 * - K3. A value or key that the engine would refuse never gets there: large values are stored in parts.
 * - K4. What became of a write that was not answered is found out by reading, in the next incarnation: this one
 *   neither reads nor writes any more.
 */
export class ActorStore {
	readonly #kv: RemoteKv;
	readonly #setAlarm: (alarmTs: number | null) => void;
	readonly #large = new LargeValues();
	#record: StoredRecord = NEW_RECORD;
	#isRecordStored = false;
	/** Discarded. */
	#isGone = false;
	#prefetched: { readonly range: StorageRange; entries: [Uint8Array, Uint8Array][] } | null = null;
	#tail: Promise<unknown> = Promise.resolve();
	#ended: Error | null = null;

	/** @param setAlarm - tells the engine the actor's one alarm */
	constructor(kv: RemoteKv, setAlarm: (alarmTs: number | null) => void) {
		this.#kv = kv;
		this.#setAlarm = setAlarm;
	}

	get record(): StoredRecord {
		return this.#record;
	}

	/**
	 * Reads what a start needs, and finishes what the incarnation before has left.
	 *
	 * @throws what is stored is of another program
	 */
	open(wake: StorageRange): Promise<StoredRecord> {
		return this.#inTurn(async () => {
			const [head, entries, first] = await Promise.all([
				listEntries(this.#kv, HEAD_RANGE),
				listEntries(this.#kv, { ...wake, end: withinPublic(wake.end) }),
				listEntries(this.#kv, { start: EMPTY, end: PRIVATE_START, limit: 2 }),
			]);
			const intent = this.#readHead(head);
			if (!this.#isRecordStored) {
				if (first.some(([key]) => !isInspectorToken(key))) {
					throw new Error(
						`Actor ${this.#kv.actorId} has data of another program in the engine's store; it is left as it is. Destroy the actor, or run it where it was made`,
					);
				}
				return this.#record;
			}
			if (intent === null) {
				this.#prefetched = { range: wake, entries: await this.#large.whole(this.#kv, entries) };
				return this.#record;
			}
			await carryOut(this.#kv, intent);
			this.#readHead(await listEntries(this.#kv, HEAD_RANGE));
			this.#prefetched = { range: wake, entries: await this.#scan(wake) };
			return this.#record;
		});
	}

	/** Takes over what is stored about the actor; returns what is left to do of its last commit. */
	#readHead(entries: readonly [Uint8Array, Uint8Array][]): Intent | null {
		let intent: Intent | null = null;
		this.#large.clear();
		for (const [key, value] of entries) {
			if (compareKeys(key, RECORD_KEY) === 0) {
				this.#record = readRecord(value);
				this.#isRecordStored = true;
			} else if (compareKeys(key, INTENT_KEY) === 0) {
				intent = readIntent(value);
			} else {
				this.#large.read(value);
			}
		}
		return intent;
	}

	/** As `ActorBackend.load`. */
	load(range: StorageRange): Loaded | Promise<Loaded> {
		if (!this.#record.initialised) return null;
		const prefetched = this.#prefetched;
		this.#prefetched = null;
		if (prefetched && isSameRange(prefetched.range, range)) return prefetched.entries;
		return this.scan(range);
	}

	get(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		return this.#inTurn(async () => {
			const found = new Map<string, Uint8Array>();
			for (let at = 0; at < keys.length; at += RUNNER_KV_KEYS_MAX) {
				const some = keys.slice(at, at + RUNNER_KV_KEYS_MAX);
				for (const [key, value] of await getEntries(this.#kv, some)) found.set(idOf(key), value);
			}
			for (const id of found.keys()) {
				if (this.#large.has(id)) found.set(id, await this.#large.load(this.#kv, id));
			}
			return keys.map((key) => found.get(idOf(key)) ?? null);
		});
	}

	scan(range: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		return this.#inTurn(() => this.#scan(range));
	}

	/**
	 * An alarm that comes earlier than the one before is set before the batch is written, any other one after
	 * it: a crash between the two wakes the actor too early, never too late.
	 */
	commit(batch: StorageBatch): Promise<void> {
		return this.#inTurn(async () => {
			try {
				await this.#commit(batch);
			} catch (error) {
				if (!(error instanceof KvUnanswered)) throw error;
				throw this.#fence(error);
			}
		});
	}

	/** Deletes everything, of an actor that was never initialised. */
	discard(): Promise<void> {
		return this.#inTurn(async () => {
			if (this.#record.initialised) return;
			await drop(this.#kv);
			this.#isGone = true;
		});
	}

	/** Nothing is read or written any more. */
	get hasEnded(): boolean {
		return this.#ended !== null;
	}

	/** Refuses everything from now on with this error. */
	end(error: Error): void {
		this.#ended ??= error;
	}

	async #inTurn<T>(work: () => Promise<T>): Promise<T> {
		if (this.#ended) throw this.#ended;
		const turn = this.#tail.then(() => {
			if (this.#ended) throw this.#ended;
			return work();
		});
		this.#tail = turn.catch(() => {});
		return turn;
	}

	async #commit(batch: StorageBatch): Promise<void> {
		if (this.#isGone || this.#record.destroyTs !== null) throw new FencedOff(this.#kv.actorId);
		const record = recordAfter(this.#record, batch);
		const recordEntry: Entry[] =
			record === this.#record && this.#isRecordStored
				? []
				: [{ key: RECORD_KEY, value: encodeRecord(record) }];
		const ops = record.destroyTs === null ? batch.ops : EVERYTHING;
		const { writes, large } = this.#large.inParts(writesOf(ops));
		const puts = [...writes.puts, ...recordEntry];
		const { ranges, deletes } = writes;
		const { alarmTs } = batch;
		const before = this.#record.alarmTs;
		const isEarlier = typeof alarmTs === "number" && (before === null || alarmTs < before);
		if (isEarlier) this.#setAlarm(alarmTs);
		const isEmpty = puts.length + ranges.length + deletes.length === 0;
		const written = () => {
			this.#record = record;
			this.#isRecordStored = true;
			this.#large.written(large);
			if (alarmTs !== undefined && !isEarlier) this.#setAlarm(alarmTs);
		};
		if (isEmpty) return written();
		if (ranges.length + deletes.length === 0 && fitsInOnePut(puts)) {
			await putEntries(this.#kv, puts);
			return written();
		}
		if (ranges.length + puts.length === 0 && deletes.length <= RUNNER_KV_KEYS_MAX) {
			await deleteKeys(this.#kv, deletes);
			return written();
		}
		const kept = puts.map(({ key }) => key);
		const rest: Intent = { ranges: pairsOf(around(ranges, kept)), deletes, pieces: 0 };
		const restEntry = intentEntry(rest);
		const isSmall =
			restEntry.value.byteLength <= RUNNER_KV_VALUE_BYTES_MAX && fitsInOnePut([...puts, restEntry]);
		if (isSmall) {
			await putEntries(this.#kv, [...puts, restEntry]);
			written();
			await this.#carryOut(rest);
			return;
		}
		const logged = loggedOf({ ranges, deletes, puts });
		const whole: Intent = { ranges: [], deletes: [], pieces: await writeLog(this.#kv, logged) };
		await putEntries(this.#kv, [intentEntry(whole)]);
		written();
		await this.#carryOut(whole, logged);
	}

	/** Does what is left of a commit that is durable. When that fails, nobody may read before it is done. */
	async #carryOut(intent: Intent, logged?: Logged): Promise<void> {
		try {
			await carryOut(this.#kv, intent, logged);
		} catch (error) {
			this.#fence(error);
		}
	}

	/** The incarnation does not know what is stored: the next one reads it. */
	#fence(error: unknown): FencedOff {
		const fenced =
			error instanceof FencedOff ? error : new FencedOff(this.#kv.actorId, { cause: error });
		this.end(fenced);
		return fenced;
	}

	async #scan({ start, end, limit, reverse }: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		const range = { start, end: withinPublic(end) };
		const entries = await listEntries(this.#kv, {
			...range,
			...(limit === undefined ? undefined : { limit }),
			...(reverse === undefined ? undefined : { reverse }),
		});
		return this.#large.whole(this.#kv, entries);
	}
}

const EMPTY = new Uint8Array(0);

/** What a destroyed actor still has is nobody's; its record stays until the engine knows. */
const EVERYTHING: readonly StorageOp[] = [{ op: "deleteRange", start: EMPTY, end: null }];

/** The one key of ours that tools of others read and write as it is (protocol 4.6). */
function isInspectorToken(key: Uint8Array): boolean {
	return key.byteLength === 1 && key[0] === 0x03;
}

function isSameRange(a: StorageRange, b: StorageRange): boolean {
	return (
		compareKeys(a.start, b.start) === 0 &&
		compareKeys(withinPublic(a.end), withinPublic(b.end)) === 0 &&
		a.limit === b.limit &&
		a.reverse === b.reverse
	);
}
