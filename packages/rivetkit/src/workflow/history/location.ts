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
	static readonly root: Location = new Location(null, null, new Uint8Array(0));

	readonly parent: Location | null;
	readonly segment: Segment | null;
	readonly depth: number;
	/** The segments, encoded. */
	readonly #bytes: Uint8Array;

	private constructor(parent: Location | null, segment: Segment | null, bytes: Uint8Array) {
		this.parent = parent;
		this.segment = segment;
		this.depth = parent === null ? 0 : parent.depth + 1;
		this.#bytes = bytes;
	}

	child(segment: Segment): Location {
		return new Location(this, segment, concat(this.#bytes, encodeSegment(segment)));
	}

	/** The key of an entry in this scope. */
	entryKey(segment: Uint8Array): Uint8Array {
		const key = new Uint8Array(3 + this.#bytes.byteLength + segment.byteLength);
		key[0] = HISTORY;
		key[1] = ENTRIES;
		key[2] = this.depth;
		key.set(this.#bytes, 3);
		key.set(segment, 3 + this.#bytes.byteLength);
		return key;
	}

	/** {@link entryKey} of a name: what almost all entries have. */
	namedKey(name: string): Uint8Array {
		const { length } = name;
		const at = 4 + this.#bytes.byteLength;
		const key = new Uint8Array(at + length + 1);
		for (let index = 0; index < length; index++) {
			const unit = name.charCodeAt(index);
			// Others take several bytes, or are escaped.
			if (unit < 0x02 || unit > 0x7f) return this.entryKey(named(NAME, name));
			key[at + index] = unit;
		}
		key[0] = HISTORY;
		key[1] = ENTRIES;
		key[2] = this.depth;
		key.set(this.#bytes, 3);
		key[at - 1] = NAME;
		return key;
	}

	keyAt(segment: Segment): Uint8Array {
		return this.entryKey(encodeSegment(segment));
	}

	/** The entries of this scope, without those of scopes below. */
	get entries(): KeyRange {
		return rangeOf(this.depth, this.#bytes);
	}

	/** Everything at `depth` that lies below this location. */
	below(depth: number): KeyRange {
		return rangeOf(depth, this.#bytes);
	}

	/** As {@link below}, for the iterations `from` to `to` (exclusive) of a loop at this location. */
	iterationsBelow(depth: number, from: number, to: number): KeyRange {
		const bytes = (iteration: number) =>
			concat(this.#bytes, encodeSegment({ kind: "iteration", iteration }));
		return { start: rangeOf(depth, bytes(from)).start, end: rangeOf(depth, bytes(to)).start };
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

function rangeOf(depth: number, prefix: Uint8Array): KeyRange {
	const start = new Uint8Array(3 + prefix.byteLength);
	start[0] = HISTORY;
	start[1] = ENTRIES;
	start[2] = depth;
	start.set(prefix, 3);
	return { start, end: successor(start) };
}

/** The first key that does not begin with `prefix`. */
function successor(prefix: Uint8Array): Uint8Array {
	const end = prefix.slice();
	let last = end.byteLength - 1;
	while (end[last] === 0xff) last--;
	end[last]!++;
	return end.subarray(0, last + 1);
}

/** Tells entries of one scope apart: a name is its own id. */
export function segmentId(segment: Segment): string {
	switch (segment.kind) {
		case "name":
			return segment.name;
		case "send":
			return `\0send ${segment.ordinal} ${segment.queue}`;
		case "iteration":
			return `\0iteration ${segment.iteration}`;
		case "outcome":
			return OUTCOME_ID;
		case "start":
			return START_ID;
	}
}

export const OUTCOME_ID = "\0outcome";
export const START_ID = "\0start";

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

export function encodeSegment(segment: Segment): Uint8Array {
	switch (segment.kind) {
		case "name":
			return named(NAME, segment.name);
		case "iteration": {
			const bytes = new Uint8Array(7);
			bytes[0] = ITERATION;
			writeU48(bytes, 1, segment.iteration);
			return bytes;
		}
		case "send": {
			const name = named(SEND, segment.queue);
			const bytes = new Uint8Array(name.byteLength + 6);
			bytes.set(name);
			writeU48(bytes, name.byteLength, segment.ordinal);
			return bytes;
		}
		case "outcome":
			return Uint8Array.of(OUTCOME);
		case "start":
			return Uint8Array.of(START);
	}
}

/** A name so that no other one begins with it: NUL ends it, and is `01 01` inside (01 is `01 02`). */
function named(tag: number, name: string): Uint8Array {
	const bytes = utf8.encode(ESCAPED.test(name) ? escapeName(name) : name);
	const encoded = new Uint8Array(bytes.byteLength + 2);
	encoded[0] = tag;
	encoded.set(bytes, 1);
	return encoded;
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

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(a.byteLength + b.byteLength);
	bytes.set(a);
	bytes.set(b, a.byteLength);
	return bytes;
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
