import { decodeCbor, encodeCbor, type StorageOp } from "@rivetkit/protocol";
import { type StoredEntries, SUBSPACE_CONNECTIONS } from "../commit/storage-layout.ts";

/** What is stored of a connection; each part is written when it changes. */
export const PART_HEAD = 0;
export const PART_STATE = 1;
export const PART_SUBSCRIPTIONS = 2;
export const PART_HANDLED = 3;
const PART_END = 0xff;
const ID_BYTES = 16;
const PREFIX_BYTES = 1 + ID_BYTES;

/** What stays the same for as long as the connection lasts. */
export type StoredHead = StoredEventHead | StoredRawHead;

interface StoredIdentity {
	readonly params: unknown;
	/** Names the client's socket at its gateway. */
	readonly socketId: string;
}

export interface StoredEventHead extends StoredIdentity {
	readonly kind: "websocket";
	readonly encoding: "bare" | "cbor" | "json";
	readonly session: string | null;
	/** Whether the client counts its frames, to come back for what it misses. */
	readonly resumes: boolean;
}

export interface StoredRawHead extends StoredIdentity {
	readonly kind: "raw-websocket";
	/** Of the upgrade request, which the next `onWebSocket` gets too. */
	readonly path: string;
	readonly headers: readonly (readonly [name: string, value: string])[];
}

/** A connection as an earlier incarnation left it. */
export interface StoredConnection {
	readonly id: string;
	readonly head: StoredHead;
	/** CBOR; null when the connection has no state. */
	readonly state: Uint8Array | null;
	readonly subscriptions: readonly string[];
	/** The last message of the client that was handled, as far as that had to be stored. */
	readonly handled: number;
}

export function putPart(id: string, part: number, value: Uint8Array): StorageOp {
	return { op: "put", key: partKey(id, part), value };
}

export function deleteConnection(id: string): StorageOp {
	return { op: "deleteRange", start: partKey(id, PART_HEAD), end: partKey(id, PART_END) };
}

/**
 * Reads what {@link putPart} wrote, from the ordered entries of the subspace. Parts without their head are
 * a defect of whoever wrote them; they are told of, and not worth an actor that cannot start.
 */
export function readConnections(
	entries: StoredEntries,
	incomplete: (id: string) => void,
): StoredConnection[] {
	const connections: StoredConnection[] = [];
	let at = 0;
	while (at < entries.length) {
		const id = idOf(entries[at]![0]);
		const parts = new Map<number, Uint8Array>();
		for (; at < entries.length && idOf(entries[at]![0]) === id; at++) {
			const [key, value] = entries[at]!;
			parts.set(key[PREFIX_BYTES]!, value);
		}
		const head = parts.get(PART_HEAD);
		if (!head) {
			incomplete(id);
			continue;
		}
		const read = (part: number): unknown => {
			const value = parts.get(part);
			return value && decodeCbor(value);
		};
		connections.push({
			id,
			head: decodeCbor(head) as StoredHead,
			state: parts.get(PART_STATE) ?? null,
			subscriptions: (read(PART_SUBSCRIPTIONS) as string[] | undefined) ?? [],
			handled: (read(PART_HANDLED) as number | undefined) ?? 0,
		});
	}
	return connections;
}

export function encodeHead(head: StoredHead): Uint8Array {
	return encodeCbor(head);
}

function partKey(id: string, part: number): Uint8Array {
	const key = new Uint8Array(PREFIX_BYTES + 1);
	writePrefix(key, id);
	key[PREFIX_BYTES] = part;
	return key;
}

/** What the keys of all parts of a connection begin with. */
export function connectionPrefix(id: string): Uint8Array {
	const prefix = new Uint8Array(PREFIX_BYTES);
	writePrefix(prefix, id);
	return prefix;
}

function writePrefix(key: Uint8Array, id: string): void {
	key[0] = SUBSPACE_CONNECTIONS;
	const hex = id.replaceAll("-", "");
	for (let at = 0; at < ID_BYTES; at++) {
		key[1 + at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
	}
}

function idOf(key: Uint8Array): string {
	const hex = Array.from(key.subarray(1, 1 + ID_BYTES), (byte) =>
		byte.toString(16).padStart(2, "0"),
	).join("");
	const groups = [0, 8, 12, 16, 20, 32];
	return groups
		.slice(1)
		.map((end, at) => hex.slice(groups[at], end))
		.join("-");
}
