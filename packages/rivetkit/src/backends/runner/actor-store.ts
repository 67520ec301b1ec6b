import { createHash } from "node:crypto";
import {
	catalogueError,
	decodeCbor,
	encodeCbor,
	type StorageBatch,
	type StorageOp,
	type StorageRange,
} from "@rivetkit/protocol";
import {
	type KvRequestData,
	type KvResponseData,
	RUNNER_KV_KEY_OVERHEAD_BYTES,
	RUNNER_KV_KEYS_MAX,
	RUNNER_KV_PUT_BYTES_MAX,
	RUNNER_KV_VALUE_BYTES_MAX,
} from "@rivetkit/protocol/runner";
import { FencedOff, type Loaded } from "../backend.ts";
import {
	around,
	compareKeys,
	type Entry,
	idOf,
	justAfter,
	type KeyRange,
	PRIVATE_START,
	type Writes,
	withinPublic,
	writesOf,
} from "./storage-plan.ts";

/** The engine's store of one actor, as the runner protocol has it. */
export interface ActorKv {
	/** Version 7 of the protocol; for others a range is read and its keys are deleted. */
	readonly deletesRanges: boolean;
	request(data: KvRequestData): Promise<KvResponseData>;
}

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

/*
 * Own keys, behind everything of the runtime, which `PRIVATE_START` begins:
 *
 * | next byte | what |
 * |---|---|
 * | 00 | the record, and the version of all this |
 * | 01 | what is left to do of the last commit |
 * | 02 hash | a value that is too large for the engine: its key, and how many parts it has |
 * | 03 hash index | its parts |
 * | 04 index | a commit that is too large for one put, in pieces |
 */
const LARGE = 2;
const PARTS = 3;
const LOG = 4;
const RECORD_KEY = privateKey(0);
const INTENT_KEY = privateKey(1);
/** The record, what is left to do, and the large values. */
const HEAD_RANGE: KeyRange = { start: RECORD_KEY, end: privateKey(PARTS) };
const LOG_RANGE: KeyRange = { start: privateKey(LOG), end: privateKey(LOG + 1) };
const LAYOUT_VERSION = 1;

/** Pieces of what does not fit as a whole. */
const PIECE_BYTES = 96 * 1024;
/** Entries of the first page of a list; the next ones as many as come to about {@link PAGE_BYTES}. */
const FIRST_PAGE = 128;
const PAGE_BYTES = 4 * 1024 * 1024;
const PAGE_MAX = 16_384;

/** As decoded: its types are checked where they are used. */
interface Intent {
	readonly ranges: readonly (readonly [start: Uint8Array, end: Uint8Array])[];
	readonly deletes: readonly Uint8Array[];
	/** Pieces in {@link LOG} that hold all of the commit; 0 when its entries are there already. */
	readonly pieces: number;
}

interface Logged extends Omit<Intent, "pieces"> {
	readonly puts: readonly (readonly [key: Uint8Array, value: Uint8Array])[];
}

/**
 * What one incarnation stores, over the get, list, put and delete of the runner protocol, of which only a
 * single request is atomic (record 0040).
 *
 * - K1. A commit is one put; where that is not enough, one put that says what is left to do. Whoever opens the
 *   actor next does it first, so that no reader ever sees half of a commit.
 * - K2. Reads and commits of an actor are done one after another, in the order of the calls.
 * - K3. A value or key that the engine would refuse never gets there: large values are stored in parts.
 */
export class ActorStore {
	readonly actorId: string;
	readonly #kv: ActorKv;
	readonly #setAlarm: (alarmTs: number | null) => void;
	/** How many parts there are of each large value, by the id of its key. */
	readonly #large = new Map<string, number>();
	#record: StoredRecord = NEW_RECORD;
	#isRecordStored = false;
	/** Discarded. */
	#isGone = false;
	#prefetched: { readonly range: StorageRange; entries: [Uint8Array, Uint8Array][] } | null = null;
	#tail: Promise<unknown> = Promise.resolve();
	#ended: Error | null = null;

	/** @param setAlarm - tells the engine the actor's one alarm */
	constructor(actorId: string, kv: ActorKv, setAlarm: (alarmTs: number | null) => void) {
		this.actorId = actorId;
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
				this.#list(HEAD_RANGE),
				this.#list({ ...wake, end: withinPublic(wake.end) }),
				this.#list({ start: EMPTY, end: PRIVATE_START, limit: 2 }),
			]);
			const intent = this.#readHead(head);
			if (!this.#isRecordStored) {
				if (first.some(([key]) => !isInspectorToken(key))) {
					throw new Error(
						`Actor ${this.actorId} has data of another program in the engine's store; it is left as it is. Destroy the actor, or run it where it was made`,
					);
				}
				return this.#record;
			}
			if (intent === null) {
				this.#prefetched = { range: wake, entries: await this.#whole(entries) };
				return this.#record;
			}
			await this.#finish(intent);
			this.#readHead(await this.#list(HEAD_RANGE));
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
				intent = decodeCbor(value) as Intent;
			} else {
				const { of, parts } = decodeCbor(value) as { of: Uint8Array; parts: number };
				this.#large.set(idOf(of), parts);
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
				for (const [key, value] of await this.#get(some)) found.set(idOf(key), value);
			}
			for (const id of found.keys()) {
				if (this.#large.has(id)) found.set(id, await this.#readLarge(id));
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
		return this.#inTurn(() => this.#commit(batch));
	}

	/** Deletes everything, of an actor that was never initialised. */
	discard(): Promise<void> {
		return this.#inTurn(async () => {
			if (this.#record.initialised) return;
			await this.#done({ tag: "KvDropRequest", val: undefined });
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
		if (this.#isGone || this.#record.destroyTs !== null) throw new FencedOff(this.actorId);
		const record = recordAfter(this.#record, batch);
		const recordEntry: Entry[] =
			record === this.#record && this.#isRecordStored
				? []
				: [{ key: RECORD_KEY, value: encodeRecord(record) }];
		const ops = record.destroyTs === null ? batch.ops : EVERYTHING;
		const { writes, large } = this.#inParts(writesOf(ops));
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
			for (const [id, parts] of large) {
				if (parts === 0) this.#large.delete(id);
				else this.#large.set(id, parts);
			}
			if (alarmTs !== undefined && !isEarlier) this.#setAlarm(alarmTs);
		};
		if (isEmpty) return written();
		if (ranges.length + deletes.length === 0 && fitsInOnePut(puts)) {
			await this.#put(puts);
			return written();
		}
		if (ranges.length + puts.length === 0 && deletes.length <= RUNNER_KV_KEYS_MAX) {
			await this.#delete(deletes);
			return written();
		}
		const kept = puts.map(({ key }) => key);
		const rest: Intent = { ranges: pairsOf(around(ranges, kept)), deletes, pieces: 0 };
		const intentEntry = { key: INTENT_KEY, value: encodeCbor(rest) };
		const isSmall =
			intentEntry.value.byteLength <= RUNNER_KV_VALUE_BYTES_MAX &&
			fitsInOnePut([...puts, intentEntry]);
		if (isSmall) {
			await this.#put([...puts, intentEntry]);
			written();
			await this.#carryOut(rest);
			return;
		}
		const logged: Logged = {
			ranges: pairsOf(ranges),
			deletes,
			puts: puts.map(({ key, value }) => [key, value]),
		};
		const pieces = piecesOf(encodeCbor(logged), (index) => logKey(index));
		for (const some of putsOf(pieces)) await this.#put(some);
		const whole: Intent = { ranges: [], deletes: [], pieces: pieces.length };
		await this.#put([{ key: INTENT_KEY, value: encodeCbor(whole) }]);
		written();
		await this.#carryOut(whole, logged);
	}

	/** Does what is left of a commit that is durable. When that fails, nobody may read before it is done. */
	async #carryOut(intent: Intent, logged?: Logged): Promise<void> {
		try {
			await this.#finish(intent, logged);
		} catch (error) {
			this.end(error instanceof FencedOff ? error : new FencedOff(this.actorId, { cause: error }));
		}
	}

	async #finish(intent: Intent, known?: Logged): Promise<void> {
		const logged = intent.pieces === 0 ? null : (known ?? (await this.#readLog(intent.pieces)));
		for (const [start, end] of (logged ?? intent).ranges) await this.#deleteRange({ start, end });
		const deletes = [...(logged ?? intent).deletes];
		while (deletes.length >= RUNNER_KV_KEYS_MAX) {
			await this.#delete(deletes.splice(0, RUNNER_KV_KEYS_MAX));
		}
		if (logged) {
			const entries = logged.puts.map(([key, value]) => ({ key, value }));
			for (const some of putsOf(entries)) await this.#put(some);
		}
		await this.#delete([...deletes, INTENT_KEY]);
		if (logged) await this.#deleteRange(LOG_RANGE);
	}

	async #readLog(pieces: number): Promise<Logged> {
		const entries = await this.#list({ ...LOG_RANGE, limit: pieces });
		return decodeCbor(Buffer.concat(entries.map(([, value]) => value))) as Logged;
	}

	/** The same writes, without values that are too large; and how many parts of which keys there are then. */
	#inParts(writes: Writes): { writes: Writes; large: Map<string, number> } {
		const large = new Map<string, number>();
		const isPlain =
			this.#large.size === 0 &&
			writes.puts.every(({ value }) => value.byteLength <= RUNNER_KV_VALUE_BYTES_MAX);
		if (isPlain) return { writes, large };
		const deletes = [...writes.deletes];
		const puts: Entry[] = [];
		const forget = (id: string, keptParts = 0) => {
			const parts = this.#large.get(id);
			if (parts === undefined) return;
			const hash = hashOf(id);
			for (let index = keptParts; index < parts; index++) deletes.push(partKey(hash, index));
			if (keptParts === 0) {
				deletes.push(largeKey(hash));
				large.set(id, 0);
			}
		};
		for (const id of this.#large.keys()) {
			const key = Buffer.from(id, "latin1");
			const goes =
				writes.deletes.some((deleted) => compareKeys(deleted, key) === 0) ||
				writes.ranges.some(
					({ start, end }) => compareKeys(key, start) >= 0 && compareKeys(key, end) < 0,
				);
			const isPut = writes.puts.some((put) => compareKeys(put.key, key) === 0);
			if (goes && !isPut) forget(id);
		}
		for (const entry of writes.puts) {
			const { key, value } = entry;
			const id = idOf(key);
			if (value.byteLength <= RUNNER_KV_VALUE_BYTES_MAX) {
				forget(id);
				puts.push(entry);
				continue;
			}
			const hash = hashOf(id);
			const parts = piecesOf(value, (index) => partKey(hash, index));
			forget(id, parts.length);
			puts.push({ key, value: EMPTY }, ...parts, {
				key: largeKey(hash),
				value: encodeCbor({ of: key, parts: parts.length }),
			});
			large.set(id, parts.length);
		}
		return { writes: { ranges: writes.ranges, deletes, puts }, large };
	}

	async #readLarge(id: string): Promise<Uint8Array> {
		const hash = hashOf(id);
		const start = partKey(hash, 0);
		const parts = this.#large.get(id)!;
		const entries = await this.#list({ start, end: partKey(hash, parts), limit: parts });
		return Buffer.concat(entries.map(([, value]) => value));
	}

	async #scan({ start, end, limit, reverse }: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		const range = { start, end: withinPublic(end) };
		const entries = await this.#list({
			...range,
			...(limit === undefined ? undefined : { limit }),
			...(reverse === undefined ? undefined : { reverse }),
		});
		return this.#whole(entries);
	}

	/** The entries with the values that are stored in parts. */
	async #whole(entries: [Uint8Array, Uint8Array][]): Promise<[Uint8Array, Uint8Array][]> {
		if (this.#large.size === 0) return entries;
		for (const entry of entries) {
			const id = idOf(entry[0]);
			if (this.#large.has(id)) entry[1] = await this.#readLarge(id);
		}
		return entries;
	}

	/** All entries of a range, page by page. */
	async #list({
		start,
		end,
		limit = Number.POSITIVE_INFINITY,
		reverse = false,
	}: KeyRange & { readonly limit?: number; readonly reverse?: boolean }): Promise<
		[Uint8Array, Uint8Array][]
	> {
		const entries: [Uint8Array, Uint8Array][] = [];
		let rest: KeyRange = { start, end };
		let page = FIRST_PAGE;
		let bytes = 0;
		while (entries.length < limit && compareKeys(rest.start, rest.end) < 0) {
			const wanted = Math.min(page, limit - entries.length);
			const answer = await this.#ask({
				tag: "KvListRequest",
				val: {
					query: { tag: "KvListRange", val: { ...rest, exclusive: true } },
					reverse,
					limit: wanted,
				},
			});
			if (answer.tag !== "KvListResponse") throw unexpected(answer);
			const { keys, values } = answer.val;
			for (const [index, key] of keys.entries()) {
				const value = values[index]!;
				bytes += key.byteLength + value.byteLength;
				entries.push([new Uint8Array(key), new Uint8Array(value)]);
			}
			if (keys.length < wanted) break;
			const last = keys[keys.length - 1]!;
			rest = reverse
				? { start: rest.start, end: new Uint8Array(last) }
				: { start: justAfter(last), end: rest.end };
			const average = Math.max(1, bytes / entries.length);
			page = Math.min(PAGE_MAX, Math.max(FIRST_PAGE, Math.floor(PAGE_BYTES / average)));
		}
		return entries;
	}

	async #get(keys: readonly Uint8Array[]): Promise<[Uint8Array, Uint8Array][]> {
		if (keys.length === 0) return [];
		const answer = await this.#ask({ tag: "KvGetRequest", val: { keys } });
		if (answer.tag !== "KvGetResponse") throw unexpected(answer);
		return answer.val.keys.map((key, index) => [key, new Uint8Array(answer.val.values[index]!)]);
	}

	#put(entries: readonly Entry[]): Promise<void> {
		return this.#done({
			tag: "KvPutRequest",
			val: { keys: entries.map(({ key }) => key), values: entries.map(({ value }) => value) },
		});
	}

	#delete(keys: readonly Uint8Array[]): Promise<void> {
		return this.#done({ tag: "KvDeleteRequest", val: { keys } });
	}

	async #deleteRange(range: KeyRange): Promise<void> {
		if (this.#kv.deletesRanges) {
			await this.#done({ tag: "KvDeleteRangeRequest", val: range });
			return;
		}
		for (;;) {
			const entries = await this.#list({ ...range, limit: RUNNER_KV_KEYS_MAX });
			if (entries.length > 0) await this.#delete(entries.map(([key]) => key));
			if (entries.length < RUNNER_KV_KEYS_MAX) return;
		}
	}

	async #done(data: KvRequestData): Promise<void> {
		await this.#ask(data);
	}

	async #ask(data: KvRequestData): Promise<KvResponseData> {
		const answer = await this.#kv.request(data);
		if (answer.tag !== "KvErrorResponse") return answer;
		const { message } = answer.val;
		if (message.startsWith("kv.not_owner")) {
			throw new FencedOff(this.actorId, { cause: new Error(message) });
		}
		throw catalogueError("actor.internal_error", {
			message: `The engine's store refused a ${data.tag}: ${message}`,
		});
	}
}

const EMPTY = new Uint8Array(0);

/** What a destroyed actor still has is nobody's; its record stays until the engine knows. */
const EVERYTHING: readonly StorageOp[] = [{ op: "deleteRange", start: EMPTY, end: null }];

const NEW_RECORD: StoredRecord = {
	initialised: false,
	alarmTs: null,
	startTs: null,
	sleepTs: null,
	destroyTs: null,
};

/** The same object when nothing that is stored changes. */
function recordAfter(before: StoredRecord, { alarmTs, record, destroyTs }: StorageBatch) {
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

function encodeRecord(record: StoredRecord): Uint8Array {
	return encodeCbor({ version: LAYOUT_VERSION, ...record });
}

function readRecord(value: Uint8Array): StoredRecord {
	const { version, ...record } = decodeCbor(value) as StoredRecord & { version: number };
	if (version > LAYOUT_VERSION) {
		throw new Error(
			`the actor was stored by a newer RivetKit (layout ${version}, this one knows ${LAYOUT_VERSION}); run that`,
		);
	}
	return record;
}

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

function pairsOf(ranges: readonly KeyRange[]): [Uint8Array, Uint8Array][] {
	return ranges.map(({ start, end }) => [start, end]);
}

function sizeOf({ key, value }: Entry): number {
	return key.byteLength + RUNNER_KV_KEY_OVERHEAD_BYTES + value.byteLength;
}

function fitsInOnePut(entries: readonly Entry[]): boolean {
	if (entries.length > RUNNER_KV_KEYS_MAX) return false;
	return entries.reduce((bytes, entry) => bytes + sizeOf(entry), 0) <= RUNNER_KV_PUT_BYTES_MAX;
}

/** Entries in as few puts as take them in their order. */
function* putsOf(entries: readonly Entry[]): Generator<readonly Entry[]> {
	let some: Entry[] = [];
	let bytes = 0;
	for (const entry of entries) {
		const size = sizeOf(entry);
		if (some.length === RUNNER_KV_KEYS_MAX || bytes + size > RUNNER_KV_PUT_BYTES_MAX) {
			yield some;
			some = [];
			bytes = 0;
		}
		some.push(entry);
		bytes += size;
	}
	if (some.length > 0) yield some;
}

function piecesOf(bytes: Uint8Array, keyOf: (index: number) => Uint8Array): Entry[] {
	const count = Math.ceil(bytes.byteLength / PIECE_BYTES);
	return Array.from({ length: count }, (_, index) => ({
		key: keyOf(index),
		value: bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES),
	}));
}

function hashOf(id: string): Uint8Array {
	return createHash("sha256").update(Buffer.from(id, "latin1")).digest().subarray(0, 16);
}

function largeKey(hash: Uint8Array): Uint8Array {
	return privateKey(LARGE, hash);
}

function partKey(hash: Uint8Array, index: number): Uint8Array {
	return privateKey(PARTS, [...hash, ...u32(index)]);
}

function logKey(index: number): Uint8Array {
	return privateKey(LOG, u32(index));
}

function privateKey(tag: number, rest: Iterable<number> = []): Uint8Array {
	return Uint8Array.of(...PRIVATE_START, tag, ...rest);
}

function u32(value: number): Uint8Array {
	const bytes = new Uint8Array(4);
	new DataView(bytes.buffer).setUint32(0, value);
	return bytes;
}

function unexpected({ tag }: KvResponseData): Error {
	return catalogueError("actor.internal_error", {
		message: `The engine's store answered with a ${tag}`,
	});
}
