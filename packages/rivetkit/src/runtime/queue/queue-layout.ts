import { decodeCbor, encodeCbor, type StorageOp } from "@rivetkit/protocol";
import { SUBSPACE_QUEUE, SUBSPACE_QUEUE_DATA } from "../commit/storage-layout.ts";
import type { MessageHeader } from "./message.ts";

/**
 * Where a queue is stored. Read whole by every wake:
 *
 * | key | value |
 * |---|---|
 * | `05 00` | the id that the next message gets |
 * | `05 01 <u48 id>` | header of one message |
 * | `05 02 <u48 sequence>` | one kept completion, without its response |
 *
 * Read when asked for:
 *
 * | key | value |
 * |---|---|
 * | `10 00 <u48 id> [<u16 chunk>]` | body of one message |
 * | `10 01 <u48 sequence> [<u16 chunk>]` | response of one kept completion |
 * | `10 02 <u32 length of name> <name> <dedupe key>` | which message has the key |
 * | `10 03 <u48 sequence>` | the dedupe keys in the order they came |
 */
const NEXT_ID = 0x00;
const HEADER = 0x01;
const ANSWER = 0x02;

const BODY = 0x00;
const RESPONSE = 0x01;
const DEDUPE = 0x02;
const DEDUPE_ORDER = 0x03;

/** Values over this many bytes are split; a backend's limit for one value is 128 KiB (api 8). */
const CHUNK_BYTES = 96 * 1024;

export const NEXT_ID_KEY: Uint8Array = Uint8Array.of(SUBSPACE_QUEUE, NEXT_ID);

const headerKey = (id: number): Uint8Array => numbered(SUBSPACE_QUEUE, HEADER, id);
export const answerKey = (sequence: number): Uint8Array =>
	numbered(SUBSPACE_QUEUE, ANSWER, sequence);
export const dedupeOrderKey = (sequence: number): Uint8Array =>
	numbered(SUBSPACE_QUEUE_DATA, DEDUPE_ORDER, sequence);
export const DEDUPE_ORDER_END: Uint8Array = Uint8Array.of(SUBSPACE_QUEUE_DATA, DEDUPE_ORDER + 1);

const utf8 = new TextEncoder();

export function dedupeKey(name: string, key: string): Uint8Array {
	const [nameBytes, keyBytes] = [utf8.encode(name), utf8.encode(key)];
	const bytes = new Uint8Array(6 + nameBytes.byteLength + keyBytes.byteLength);
	bytes[0] = SUBSPACE_QUEUE_DATA;
	bytes[1] = DEDUPE;
	new DataView(bytes.buffer).setUint32(2, nameBytes.byteLength);
	bytes.set(nameBytes, 6);
	bytes.set(keyBytes, 6 + nameBytes.byteLength);
	return bytes;
}

/** What an entry of the part that every wake reads is about. */
export type IndexEntry =
	| { readonly kind: "nextId"; readonly nextId: number }
	| { readonly kind: "header"; readonly id: number; readonly header: MessageHeader }
	| { readonly kind: "answer"; readonly sequence: number; readonly value: Uint8Array };

/** Throws on what no version of this file has written. */
export function readIndexEntry(key: Uint8Array, value: Uint8Array): IndexEntry {
	switch (key[1]) {
		case NEXT_ID:
			return { kind: "nextId", nextId: decodeCbor(value) as number };
		case HEADER:
			return { kind: "header", id: numberOf(key), header: decodeHeader(value) };
		case ANSWER:
			return { kind: "answer", sequence: numberOf(key), value };
		default:
			throw new Error(`Stored queue entry of unknown kind ${key[1]}: written by a newer version`);
	}
}

export function putNextId(nextId: number): StorageOp {
	return { op: "put", key: NEXT_ID_KEY, value: encodeCbor(nextId) };
}

export function putHeader(id: number, header: MessageHeader): StorageOp {
	return { op: "put", key: headerKey(id), value: encodeHeader(header) };
}

export function deleteHeader(id: number): StorageOp {
	return { op: "delete", key: headerKey(id) };
}

/** Bytes of any size under a number, in as many values as they need. */
class Chunked {
	readonly #kind: number;

	constructor(kind: number) {
		this.#kind = kind;
	}

	put(number: number, bytes: Uint8Array): StorageOp[] {
		return this.keys(number, bytes.byteLength).map((key, index) => ({
			op: "put",
			key,
			value: bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
		}));
	}

	delete(number: number, size: number): StorageOp[] {
		return this.keys(number, size).map((key) => ({ op: "delete", key }));
	}

	/** The keys of `size` bytes; at least one. */
	keys(number: number, size: number): Uint8Array[] {
		const first = numbered(SUBSPACE_QUEUE_DATA, this.#kind, number);
		const keys = [first];
		for (let chunk = 1; chunk * CHUNK_BYTES < size; chunk++) {
			const key = new Uint8Array(first.byteLength + 2);
			key.set(first);
			new DataView(key.buffer).setUint16(first.byteLength, chunk);
			keys.push(key);
		}
		return keys;
	}
}

/** Message bodies by id. */
export const bodyRows: Chunked = new Chunked(BODY);
/** Responses of kept completions by sequence. */
export const responseRows: Chunked = new Chunked(RESPONSE);

/** Puts together what {@link Chunked.put} took apart. Throws when a chunk is missing. */
export function joinChunks(chunks: readonly (Uint8Array | null)[], what: string): Uint8Array {
	const found = chunks.filter((chunk) => chunk !== null);
	if (found.length < chunks.length) throw new Error(`Stored ${what} is incomplete`);
	if (found.length === 1) return found[0]!;
	const bytes = new Uint8Array(found.reduce((sum, chunk) => sum + chunk.byteLength, 0));
	let offset = 0;
	for (const chunk of found) {
		bytes.set(chunk, offset);
		offset += chunk.byteLength;
	}
	return bytes;
}

type StoredHeader = [
	name: string,
	size: number,
	createdAt: number,
	priority?: number,
	attempt?: number,
	availableAt?: number,
	expiresAt?: number | null,
	waitKey?: string | null,
	given?: [queue: string, attempts: number, at: number] | null,
	leased?: boolean,
];

function encodeHeader(header: MessageHeader): Uint8Array {
	const { name, size, createdAt, priority, attempt, availableAt, expiresAt, waitKey } = header;
	const stored: StoredHeader = [name, size, createdAt];
	const isPlain =
		priority === 0 &&
		attempt === 0 &&
		availableAt === 0 &&
		expiresAt === null &&
		waitKey === null &&
		header.givenUp === null &&
		!header.leased;
	if (!isPlain) {
		const { givenUp } = header;
		stored.push(priority, attempt, availableAt, expiresAt, waitKey);
		stored.push(givenUp && [givenUp.queue, givenUp.attempts, givenUp.at]);
		if (header.leased) stored.push(true);
	}
	return encodeCbor(stored);
}

function decodeHeader(value: Uint8Array): MessageHeader {
	const [
		name,
		size,
		createdAt,
		priority = 0,
		attempt = 0,
		availableAt = 0,
		expiresAt = null,
		waitKey = null,
		given = null,
		leased = false,
	] = decodeCbor(value) as StoredHeader;
	const givenUp = given && { queue: given[0], attempts: given[1], at: given[2] };
	return {
		name,
		size,
		createdAt,
		priority,
		attempt,
		availableAt,
		expiresAt,
		waitKey,
		givenUp,
		...(leased ? { leased } : undefined),
	};
}

function numbered(subspace: number, kind: number, number: number): Uint8Array {
	const key = new Uint8Array(8);
	key[0] = subspace;
	key[1] = kind;
	const view = new DataView(key.buffer);
	view.setUint16(2, Math.floor(number / 2 ** 32));
	view.setUint32(4, number >>> 0);
	return key;
}

/** The number in a key that {@link numbered} made. */
export function numberOf(key: Uint8Array): number {
	const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
	return view.getUint16(2) * 2 ** 32 + view.getUint32(4);
}
