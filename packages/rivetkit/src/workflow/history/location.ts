/**
 * Where entries are: a path of segments from the root (workflows 4.1). Identity is the list of segments,
 * never its text.
 *
 * | key | what |
 * |---|---|
 * | `0e` | the head, see `head.ts`; read by every wake |
 * | `14 01 <u8 depth> <segments of the scope> <segment>` | one entry, or its beginning |
 * | `14 01 … <segment> 01 <u16 chunk>` | the rest of an entry that is too large for one value |
 *
 * The depth (segments of the scope) comes first, so that the entries of one scope are contiguous, and so
 * is everything of one depth below it. Segments are ordered: names by their bytes, iterations by number.
 */
export type Segment =
	| { readonly kind: "name"; readonly name: string }
	| { readonly kind: "iteration"; readonly iteration: number }
	/** `queue.send` between entries: queue and ordinal in the scope. */
	| { readonly kind: "send"; readonly queue: string; readonly ordinal: number }
	/** How a branch ended. */
	| { readonly kind: "outcome" }
	/** What an iteration that is kept for its rollback began with. */
	| { readonly kind: "start" };

const HISTORY = 0x14;
const ENTRIES = 0x01;
/** Where the segments of a key begin: after the two above and the depth. */
const SEGMENTS_AT = 3;

const CHUNK = 0x01;
const NAME = 0x02;
const ITERATION = 0x03;
const SEND = 0x04;
const OUTCOME = 0x05;
const START = 0x06;

/** Longest name (UTF-8 bytes). */
export const NAME_BYTES_MAX = 256;
/** Scopes inside scopes; a loop or a branch counts as two. */
export const DEPTH_MAX = 200;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** A scope of entry names: the root, one iteration, one branch, one block. */
export class Location {
	static readonly root: Location = new Location(null, null);

	readonly parent: Location | null;
	readonly segment: Segment | null;
	readonly depth: number;
	/** Bytes of the segments in a key. They are written anew for each: a scope that waits holds none. */
	readonly #length: number;

	private constructor(parent: Location | null, segment: Segment | null) {
		this.parent = parent;
		this.segment = segment;
		this.depth = parent === null ? 0 : parent.depth + 1;
		this.#length = parent === null ? 0 : parent.#length + segmentLength(segment!);
	}

	child(segment: Segment): Location {
		return new Location(this, segment);
	}

	#writeTo(key: Uint8Array): void {
		key[0] = HISTORY;
		key[1] = ENTRIES;
		key[2] = this.depth;
		let end = SEGMENTS_AT + this.#length;
		for (let at: Location = this; at.parent !== null; at = at.parent) {
			end = SEGMENTS_AT + at.parent.#length;
			writeSegment(key, end, at.segment!);
		}
	}

	/** The key of an entry in this scope. */
	keyAt(segment: Segment): Uint8Array {
		const end = SEGMENTS_AT + this.#length;
		const key = new Uint8Array(end + segmentLength(segment));
		this.#writeTo(key);
		writeSegment(key, end, segment);
		return key;
	}

	/** {@link keyAt} of a name: what almost all entries have. */
	namedKey(name: string): Uint8Array {
		return this.keyAt({ kind: "name", name });
	}

	/** The entries of this scope, without those of scopes below. */
	get entries(): KeyRange {
		return this.below(this.depth);
	}

	/** Everything at `depth` that lies below this location. */
	below(depth: number): KeyRange {
		const start = new Uint8Array(SEGMENTS_AT + this.#length);
		this.#writeTo(start);
		start[2] = depth;
		return { start, end: successor(start) };
	}

	/** As {@link below}, for the iterations `from` to `to` (exclusive) of a loop at this location. */
	iterationsBelow(depth: number, from: number, to: number): KeyRange {
		const first = (iteration: number) => {
			const key = this.keyAt({ kind: "iteration", iteration });
			key[2] = depth;
			return key;
		};
		return { start: first(from), end: first(to) };
	}

	get segments(): Segment[] {
		const segments: Segment[] = [];
		for (let at: Location = this; at.parent !== null; at = at.parent) segments.push(at.segment!);
		return segments.reverse();
	}

	/** For people: `parts/~0/part`; a way of saying, not an identity. */
	get path(): string {
		return this.segments.map(segmentText).join("/");
	}

	/** The path of an entry in this scope. */
	pathOf(segment: Segment): string {
		const { path } = this;
		return path === "" ? segmentText(segment) : `${path}/${segmentText(segment)}`;
	}
}

export interface KeyRange {
	readonly start: Uint8Array;
	/** Exclusive. */
	readonly end: Uint8Array;
}

/** All entries there are. */
export const ALL_ENTRIES: KeyRange = {
	start: Uint8Array.of(HISTORY, ENTRIES),
	end: Uint8Array.of(HISTORY, ENTRIES + 1),
};

/** Everything but the head. */
export const ALL_HISTORY: KeyRange = {
	start: Uint8Array.of(HISTORY),
	end: Uint8Array.of(HISTORY + 1),
};

/** Where the rest of an entry is. */
export function chunkKey(entryKey: Uint8Array, chunk: number): Uint8Array {
	const key = new Uint8Array(entryKey.byteLength + 3);
	key.set(entryKey);
	key[entryKey.byteLength] = CHUNK;
	new DataView(key.buffer).setUint16(entryKey.byteLength + 1, chunk);
	return key;
}

/** An entry with all its chunks. */
export function entryRange(entryKey: Uint8Array): KeyRange {
	const end = new Uint8Array(entryKey.byteLength + 1);
	end.set(entryKey);
	end[entryKey.byteLength] = CHUNK + 1;
	return { start: entryKey, end };
}

/** Whether `key` is a chunk of the entry with this key. */
export function isChunkOf(entryKey: Uint8Array, key: Uint8Array): boolean {
	if (key.byteLength !== entryKey.byteLength + 3 || key[entryKey.byteLength] !== CHUNK)
		return false;
	return entryKey.every((byte, at) => byte === key[at]);
}

/** The first key that does not begin with `prefix`. */
function successor(prefix: Uint8Array): Uint8Array {
	const end = prefix.slice();
	let last = end.byteLength - 1;
	while (end[last] === 0xff) last--;
	end[last]!++;
	return end.subarray(0, last + 1);
}

/** What no name has in it (half of a surrogate pair): ids of entries that users have not named begin so. */
const INNER = "\ud800";

/** Whether an entry with this id has no name of its own. */
export function isInnerId(id: string): boolean {
	return id.startsWith(INNER);
}

/** Tells entries of one scope apart: a name is its own id. */
export function segmentId(segment: Segment): string {
	switch (segment.kind) {
		case "name":
			return segment.name;
		case "send":
			return `${INNER}send ${segment.ordinal} ${segment.queue}`;
		case "iteration":
			return `${INNER}iteration ${segment.iteration}`;
		case "outcome":
			return OUTCOME_ID;
		case "start":
			return START_ID;
	}
}

export const OUTCOME_ID: string = `${INNER}outcome`;
export const START_ID: string = `${INNER}start`;

function segmentText(segment: Segment): string {
	switch (segment.kind) {
		case "name":
			return segment.name.replace(/[\\/~]/g, (special) => `\\${special}`);
		case "iteration":
			return `~${segment.iteration}`;
		case "send":
			return `~send ${segment.queue} ${segment.ordinal}`;
		case "outcome":
			return "~outcome";
		case "start":
			return "~start";
	}
}

function segmentLength(segment: Segment): number {
	switch (segment.kind) {
		case "name":
			return namedLength(segment.name);
		case "iteration":
			return 7;
		case "send":
			return namedLength(segment.queue) + 6;
		case "outcome":
		case "start":
			return 1;
	}
}

function writeSegment(key: Uint8Array, at: number, segment: Segment): void {
	switch (segment.kind) {
		case "name":
			writeName(key, at, NAME, segment.name);
			return;
		case "iteration":
			key[at] = ITERATION;
			writeU48(key, at + 1, segment.iteration);
			return;
		case "send":
			writeName(key, at, SEND, segment.queue);
			writeU48(key, at + namedLength(segment.queue), segment.ordinal);
			return;
		case "outcome":
			key[at] = OUTCOME;
			return;
		case "start":
			key[at] = START;
			return;
	}
}

/** Whether a name is written as it is, a byte for each unit. */
function isPlain(name: string): boolean {
	for (let index = 0; index < name.length; index++) {
		const unit = name.charCodeAt(index);
		if (unit < 0x02 || unit > 0x7f) return false;
	}
	return true;
}

/** With its tag and its end. */
function namedLength(name: string): number {
	return 2 + (isPlain(name) ? name.length : bytesOf(name).byteLength);
}

/** A name so that no other one begins with it: NUL ends it, and is `01 01` inside (01 is `01 02`). */
function writeName(key: Uint8Array, at: number, tag: number, name: string): void {
	key[at] = tag;
	if (!isPlain(name)) {
		key.set(bytesOf(name), at + 1);
		return;
	}
	for (let index = 0; index < name.length; index++) key[at + 1 + index] = name.charCodeAt(index);
}

function bytesOf(name: string): Uint8Array {
	return utf8.encode(ESCAPED.test(name) ? escapeName(name) : name);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the two that are escaped
const ESCAPED = /[\0\u0001]/;

function escapeName(name: string): string {
	return name.replaceAll("\u0001", "\u0001\u0002").replaceAll("\0", "\u0001\u0001");
}

function unescapeName(name: string): string {
	if (!ESCAPED.test(name)) return name;
	return name.replaceAll("\u0001\u0001", "\0").replaceAll("\u0001\u0002", "\u0001");
}

/** The segments of an entry's key. Throws on what no version of this file has written. */
export function decodeKey(key: Uint8Array): Segment[] {
	const segments: Segment[] = [];
	let at = 3;
	const readName = (): string => {
		const start = at;
		while (key[at] !== 0) at++;
		const name = unescapeName(text.decode(key.subarray(start, at)));
		at++;
		return name;
	};
	const readNumber = (): number => {
		const number = readU48(key, at);
		at += 6;
		return number;
	};
	while (at < key.byteLength) {
		const tag = key[at++];
		if (tag === NAME) segments.push({ kind: "name", name: readName() });
		else if (tag === ITERATION) segments.push({ kind: "iteration", iteration: readNumber() });
		else if (tag === SEND)
			segments.push({ kind: "send", queue: readName(), ordinal: readNumber() });
		else if (tag === OUTCOME) segments.push({ kind: "outcome" });
		else if (tag === START) segments.push({ kind: "start" });
		else throw new Error(`Workflow history has a segment of unknown kind ${tag}`);
	}
	return segments;
}

/** The last segment of a key in a scope. */
export function lastSegment(key: Uint8Array): Segment {
	return decodeKey(key).at(-1)!;
}

function writeU48(bytes: Uint8Array, at: number, value: number): void {
	const high = Math.floor(value / 2 ** 32);
	bytes[at] = high >>> 8;
	bytes[at + 1] = high;
	bytes[at + 2] = value >>> 24;
	bytes[at + 3] = value >>> 16;
	bytes[at + 4] = value >>> 8;
	bytes[at + 5] = value;
}

function readU48(bytes: Uint8Array, at: number): number {
	const view = new DataView(bytes.buffer, bytes.byteOffset);
	return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}
