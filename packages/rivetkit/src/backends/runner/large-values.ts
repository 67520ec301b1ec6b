import { createHash } from "node:crypto";
import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { RUNNER_KV_VALUE_BYTES_MAX } from "@rivetkit/protocol/runner";
import { largeKey, partKey } from "./private-keys.ts";
import { piecesOf } from "./put-limits.ts";
import { listEntries, type RemoteKv } from "./remote-kv.ts";
import { compareKeys, type Entry, idOf, type Writes } from "./storage-plan.ts";

const EMPTY = new Uint8Array(0);

/** How many parts there are of which values once a commit is written; 0 for those that are large no more. */
export type LargeChanges = ReadonlyMap<string, number>;

/** The values of one actor that the engine would refuse for their size: they are stored in parts. */
export class LargeValues {
	/** How many parts there are of each, by the id of its key. Made with the first: few actors have one. */
	#parts: Map<string, number> | null = null;

	/** Forgets what {@link read} has told. */
	clear(): void {
		this.#parts = null;
	}

	/** What is stored under the {@link largeKey} of one. */
	read(value: Uint8Array): void {
		const { of, parts } = decodeCbor(value) as { of: Uint8Array; parts: number };
		this.#set(idOf(of), parts);
	}

	#set(id: string, parts: number): void {
		this.#parts ??= new Map();
		this.#parts.set(id, parts);
	}

	has(id: string): boolean {
		return this.#parts?.has(id) ?? false;
	}

	get isEmpty(): boolean {
		return this.#parts === null || this.#parts.size === 0;
	}

	/** What {@link inParts} has planned is written. */
	written(changes: LargeChanges): void {
		for (const [id, parts] of changes) {
			if (parts === 0) this.#parts?.delete(id);
			else this.#set(id, parts);
		}
	}

	/** The same writes, without values that are too large; and how many parts of which keys there are then. */
	inParts(writes: Writes): { writes: Writes; large: LargeChanges } {
		const large = new Map<string, number>();
		const isPlain =
			this.isEmpty &&
			writes.puts.every(({ value }) => value.byteLength <= RUNNER_KV_VALUE_BYTES_MAX);
		if (isPlain) return { writes, large };
		const deletes = [...writes.deletes];
		const puts: Entry[] = [];
		const forget = (id: string, keptParts = 0) => {
			const parts = this.#parts?.get(id);
			if (parts === undefined) return;
			const hash = hashOf(id);
			for (let index = keptParts; index < parts; index++) deletes.push(partKey(hash, index));
			if (keptParts === 0) {
				deletes.push(largeKey(hash));
				large.set(id, 0);
			}
		};
		for (const id of this.#parts?.keys() ?? []) {
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

	/** @param id - of one that there {@link has | is} */
	async load(kv: RemoteKv, id: string): Promise<Uint8Array> {
		const hash = hashOf(id);
		const start = partKey(hash, 0);
		const parts = this.#parts!.get(id)!;
		const entries = await listEntries(kv, { start, end: partKey(hash, parts), limit: parts });
		return Buffer.concat(entries.map(([, value]) => value));
	}

	/** The entries with the values that are stored in parts. */
	async whole(
		kv: RemoteKv,
		entries: [Uint8Array, Uint8Array][],
	): Promise<[Uint8Array, Uint8Array][]> {
		if (this.isEmpty) return entries;
		for (const entry of entries) {
			const id = idOf(entry[0]);
			if (this.has(id)) entry[1] = await this.load(kv, id);
		}
		return entries;
	}
}

function hashOf(id: string): Uint8Array {
	return createHash("sha256").update(Buffer.from(id, "latin1")).digest().subarray(0, 16);
}
