import type { StorageRange } from "@rivetkit/protocol";
import { idOfStoredKey, type KeyId, storedEnd, storedKey } from "./keys.ts";
import type { IdRange } from "./range-set.ts";
import type { Entry, HeldValue } from "./values.ts";
import type { WriteLayer } from "./write-layer.ts";

/** `isOwned`: nobody else holds the bytes of the value. */
export interface ListedEntry {
	readonly id: KeyId;
	readonly value: HeldValue;
	readonly isOwned: boolean;
}

interface Listing {
	readonly range: IdRange;
	/** `Infinity` for all. */
	readonly limit: number;
	readonly reverse: boolean;
}

type StoredEntry = readonly [key: Uint8Array, value: Uint8Array];
type WrittenEntry = readonly [id: KeyId, entry: Entry];

interface ListSource {
	scan(range: StorageRange): Promise<[key: Uint8Array, value: Uint8Array][]>;
}

/** Entries of the store under layers of writes, the oldest first, all as they are at this moment. */
export async function listEntries(
	store: ListSource,
	layers: readonly WriteLayer[],
	listing: Listing,
): Promise<ListedEntry[]> {
	const { range, limit, reverse } = listing;
	const written = writtenIn(range, layers);
	const deleted = written.filter(([, { value }]) => value === null).length;
	const stored = await scanAll(store, gapsIn(range, layers), { limit: limit + deleted, reverse });
	return combine(stored, reverse ? written.reverse() : written, listing);
}

/** In order, deleted ones included. */
function writtenIn(range: IdRange, layers: readonly WriteLayer[]): WrittenEntry[] {
	return layers.reduce<WrittenEntry[]>((below, layer) => {
		const entries = layer.entriesIn(range);
		const visible = below.filter(([id]) => layer.get(id) === undefined);
		if (visible.length === 0) return entries;
		return [...visible, ...entries].sort(([a], [b]) => (a < b ? -1 : 1));
	}, []);
}

/** What has to be read from the store: the rest is emptied. */
function gapsIn(range: IdRange, layers: readonly WriteLayer[]): IdRange[] {
	return layers.reduce<IdRange[]>(
		(gaps, { emptied }) => (emptied.isEmpty ? gaps : gaps.flatMap((gap) => emptied.gapsIn(gap))),
		[range],
	);
}

/** All ranges are asked for at the same moment, so that they are read without a commit in between. */
async function scanAll(
	store: ListSource,
	ranges: readonly IdRange[],
	{ limit, reverse }: Omit<Listing, "range">,
): Promise<readonly StoredEntry[]> {
	if (limit === 0) return [];
	const bounded = limit === Number.POSITIVE_INFINITY ? undefined : { limit };
	const scans = (reverse ? ranges.toReversed() : ranges).map(({ start, end }) =>
		store.scan({ start: storedKey(start), end: storedEnd(end), reverse, ...bounded }),
	);
	return (await Promise.all(scans)).flat();
}

/** What is stored with what is written over it, both in the same order. */
function combine(
	stored: readonly StoredEntry[],
	written: readonly WrittenEntry[],
	{ limit, reverse }: Listing,
): ListedEntry[] {
	const entries: ListedEntry[] = [];
	let next = 0;
	const addWritten = (): void => {
		const [id, { value }] = written[next++]!;
		if (value !== null && entries.length < limit) entries.push({ id, value, isOwned: false });
	};
	for (const [key, value] of stored) {
		if (entries.length >= limit) return entries;
		const id = idOfStoredKey(key);
		let isOverwritten = false;
		for (; next < written.length; addWritten()) {
			const writtenId = written[next]![0];
			if (reverse ? writtenId < id : writtenId > id) break;
			if (writtenId === id) isOverwritten = true;
		}
		if (!isOverwritten && entries.length < limit) entries.push({ id, value, isOwned: true });
	}
	while (next < written.length && entries.length < limit) addWritten();
	return entries;
}
