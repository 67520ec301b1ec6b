/**
 * The file of an exported actor (docs/cli.md, record 0028). Numbers are little-endian.
 *
 *     magic    89 52 56 4b 41 0d 0a 1a   so that what changes line ends is noticed
 *     u16      version of this format: 1
 *     u32      length of the header
 *     header   CBOR, see {@link ActorFileHeader}
 *     entries  u32 length of the key, u32 length of the value, key, value; in the order of their keys
 *     u32      ff ff ff ff: no more entries
 *     u64      number of entries
 *     32 bytes SHA-256 of everything before
 */
import { createHash } from "node:crypto";
import { catalogueError, decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { compareBytes } from "../store/order.ts";

export const ACTOR_FILE_TYPE = "application/vnd.rivetkit.actor";
export const ACTOR_FILE_VERSION = 1;

const MAGIC = Uint8Array.of(0x89, 0x52, 0x56, 0x4b, 0x41, 0x0d, 0x0a, 0x1a);
const END_OF_ENTRIES = 0xffff_ffff;
const DIGEST_BYTES = 32;

/** What identifies the actor, and what its record says. Times in ms since the epoch. */
export interface ActorFileHeader {
	/** Version of the layout of the entries, which is the runtime's affair. */
	readonly layout: number;
	/** Of the library that wrote the file. */
	readonly version: string;
	readonly exportedTs: number;
	readonly actorId: string;
	readonly name: string;
	readonly key: readonly string[];
	/** CBOR, as it was given when the actor was made. */
	readonly input: Uint8Array | null;
	readonly crashPolicy: string;
	readonly createTs: number;
	readonly startTs: number | null;
	/** When the actor wants to be woken. */
	readonly alarmTs: number | null;
}

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

export interface ActorFile {
	readonly header: ActorFileHeader;
	readonly entries: readonly Entry[];
}

/** Writes a file piece by piece. */
export class ActorFileWriter {
	readonly #hash = createHash("sha256");
	#count = 0;

	begin(header: ActorFileHeader): Uint8Array {
		const encoded = encodeCbor(header);
		const head = Buffer.alloc(MAGIC.byteLength + 6);
		head.set(MAGIC);
		head.writeUInt16LE(ACTOR_FILE_VERSION, MAGIC.byteLength);
		head.writeUInt32LE(encoded.byteLength, MAGIC.byteLength + 2);
		return this.#written(Buffer.concat([head, encoded]));
	}

	entries(entries: readonly Entry[]): Uint8Array {
		this.#count += entries.length;
		const parts = entries.flatMap(([key, value]) => {
			const lengths = Buffer.alloc(8);
			lengths.writeUInt32LE(key.byteLength, 0);
			lengths.writeUInt32LE(value.byteLength, 4);
			return [lengths, key, value];
		});
		return this.#written(Buffer.concat(parts));
	}

	end(): Uint8Array {
		const tail = Buffer.alloc(12);
		tail.writeUInt32LE(END_OF_ENTRIES, 0);
		tail.writeBigUInt64LE(BigInt(this.#count), 4);
		return Buffer.concat([this.#written(tail), this.#hash.digest()]);
	}

	#written(bytes: Buffer): Buffer {
		this.#hash.update(bytes);
		return bytes;
	}
}

/**
 * Reads a whole file. Throws `transfer.invalid_file` for anything but a whole and undamaged one, and
 * `transfer.newer_file` for one that is newer than this version can read.
 */
export function readActorFile(bytes: Uint8Array, layoutMax: number): ActorFile {
	const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (file.byteLength === 0) throw invalid("it is empty");
	const begun = Math.min(file.byteLength, MAGIC.byteLength);
	if (Buffer.compare(file.subarray(0, begun), MAGIC.subarray(0, begun)) !== 0) {
		throw invalid("it is no exported actor");
	}
	const reader = new Reader(file);
	reader.bytes(MAGIC.byteLength);
	const version = reader.u16();
	// What comes after may be of another form, its checksum included.
	if (version > ACTOR_FILE_VERSION) throw newer("format", version, ACTOR_FILE_VERSION);
	if (version < 1) throw invalid("it is damaged (version 0)");
	const header = reader.bytes(reader.u32());
	const entries: Entry[] = [];
	for (;;) {
		const keyBytes = reader.u32();
		if (keyBytes === END_OF_ENTRIES) break;
		const valueBytes = reader.u32();
		entries.push([reader.bytes(keyBytes), reader.bytes(valueBytes)]);
	}
	const count = reader.u64();
	const digest = createHash("sha256").update(file.subarray(0, reader.position)).digest();
	if (!digest.equals(reader.bytes(DIGEST_BYTES))) {
		throw invalid("it is damaged (its checksum is not that of its content)");
	}
	if (reader.position !== file.byteLength) throw invalid("something comes after its end");
	if (count !== BigInt(entries.length)) throw invalid("it is damaged (entries are missing)");
	const parsed = readHeader(header);
	if (parsed.layout > layoutMax) throw newer("layout", parsed.layout, layoutMax);
	assertOrdered(entries);
	return { header: parsed, entries };
}

class Reader {
	position = 0;
	readonly #file: Buffer;

	constructor(file: Buffer) {
		this.#file = file;
	}

	bytes(length: number): Buffer {
		const end = this.position + length;
		if (end > this.#file.byteLength) {
			throw invalid(`it is cut off after ${this.#file.byteLength} bytes`);
		}
		const bytes = this.#file.subarray(this.position, end);
		this.position = end;
		return bytes;
	}

	u16(): number {
		return this.bytes(2).readUInt16LE();
	}

	u32(): number {
		return this.bytes(4).readUInt32LE();
	}

	u64(): bigint {
		return this.bytes(8).readBigUInt64LE();
	}
}

function readHeader(bytes: Uint8Array): ActorFileHeader {
	let header: Partial<Record<keyof ActorFileHeader, unknown>>;
	try {
		header = Object(decodeCbor(bytes));
	} catch (error) {
		throw invalid("its header is not CBOR", error);
	}
	for (const [name, isOfKind] of Object.entries(HEADER_FIELDS)) {
		if (!isOfKind(header[name as keyof ActorFileHeader])) {
			throw invalid(`its header has no usable '${name}'`);
		}
	}
	return header as unknown as ActorFileHeader;
}

const isText = (value: unknown) => typeof value === "string" && !/\p{Surrogate}/u.test(value);
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
const isTime = (value: unknown) => Number.isSafeInteger(value);

const HEADER_FIELDS: Readonly<Record<keyof ActorFileHeader, (value: unknown) => boolean>> = {
	layout: isCount,
	version: isText,
	exportedTs: isTime,
	actorId: isText,
	name: isText,
	key: (value) => Array.isArray(value) && value.every(isText),
	input: (value) => value === null || value instanceof Uint8Array,
	crashPolicy: (value) => isText(value) && String(value).length <= 64,
	createTs: isTime,
	startTs: (value) => value === null || isTime(value),
	alarmTs: (value) => value === null || isTime(value),
};

function assertOrdered(entries: readonly Entry[]): void {
	entries.forEach(([key], index) => {
		const before = entries[index - 1]?.[0];
		if (before !== undefined && compareBytes(before, key) >= 0) {
			throw invalid("its entries are not in order");
		}
	});
}

export function invalid(reason: string, cause?: unknown): Error {
	return catalogueError("transfer.invalid_file", { reason }, { cause });
}

function newer(what: string, version: number, known: number): Error {
	return catalogueError("transfer.newer_file", { what, version, known });
}
