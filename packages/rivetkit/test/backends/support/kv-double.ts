import {
	type KvListQuery,
	type KvRequestData,
	type KvResponseData,
	RUNNER_KV_KEY_BYTES_MAX,
	RUNNER_KV_KEYS_MAX,
	RUNNER_KV_PUT_BYTES_MAX,
	RUNNER_KV_VALUE_BYTES_MAX,
} from "@rivetkit/protocol/runner";
import type { RemoteKv } from "../../../src/backends/runner/remote-kv.ts";

type Entries = Map<string, { readonly key: Buffer; readonly value: Buffer }>;

/** An engine's stores as the runner protocol has them (contract: engine 4.8), with the limits of the stock one. */
export class KvDouble {
	readonly #actors = new Map<string, Entries>();
	readonly deletesRanges: boolean;
	/** Called before a request is worked on; what it throws fails the request, as a broken socket does. */
	before: (data: KvRequestData) => void = () => {};

	constructor(deletesRanges: boolean) {
		this.deletesRanges = deletesRanges;
	}

	/** What a crash at this instant leaves. */
	copy(): KvDouble {
		const copy = new KvDouble(this.deletesRanges);
		for (const [id, entries] of this.#actors) copy.#actors.set(id, new Map(entries));
		return copy;
	}

	keysOf(actorId: string): Buffer[] {
		return [...this.#entriesOf(actorId).values()].map(({ key }) => key);
	}

	kvOf(actorId: string): RemoteKv {
		return {
			actorId,
			deletesRanges: this.deletesRanges,
			request: async (data) => {
				await null;
				this.before(data);
				try {
					return this.#answer(this.#entriesOf(actorId), data);
				} catch (error) {
					return { tag: "KvErrorResponse", val: { message: (error as Error).message } };
				}
			},
		};
	}

	#entriesOf(actorId: string): Entries {
		const entries = this.#actors.get(actorId) ?? new Map();
		this.#actors.set(actorId, entries);
		return entries;
	}

	#answer(entries: Entries, data: KvRequestData): KvResponseData {
		switch (data.tag) {
			case "KvGetRequest":
				checkKeys(data.val.keys);
				return {
					tag: "KvGetResponse",
					val: found(data.val.keys.flatMap((key) => entries.get(idOf(key)) ?? [])),
				};
			case "KvListRequest": {
				const { query, reverse = false, limit = 16_384 } = data.val;
				const all = [...entries.values()].filter(({ key }) => matches(query, key));
				all.sort((a, b) => Buffer.compare(a.key, b.key) * (reverse ? -1 : 1));
				return { tag: "KvListResponse", val: found(all.slice(0, Number(limit))) };
			}
			case "KvPutRequest": {
				const { keys, values } = data.val;
				checkKeys(keys);
				let bytes = 0;
				for (const [index, key] of keys.entries()) {
					const value = values[index]!;
					if (value.byteLength > RUNNER_KV_VALUE_BYTES_MAX) throw new Error("kv.value_too_large");
					bytes += key.byteLength + 2 + value.byteLength;
				}
				if (bytes > RUNNER_KV_PUT_BYTES_MAX) throw new Error("kv.payload_too_large");
				for (const [index, key] of keys.entries()) {
					entries.set(idOf(key), { key: Buffer.from(key), value: Buffer.from(values[index]!) });
				}
				return { tag: "KvPutResponse", val: undefined };
			}
			case "KvDeleteRequest":
				checkKeys(data.val.keys);
				for (const key of data.val.keys) entries.delete(idOf(key));
				return { tag: "KvDeleteResponse", val: undefined };
			case "KvDeleteRangeRequest": {
				if (!this.deletesRanges) throw new Error("this version has no range deletion");
				const range: KvListQuery = { tag: "KvListRange", val: { ...data.val, exclusive: true } };
				for (const [id, { key }] of entries) if (matches(range, key)) entries.delete(id);
				return { tag: "KvDeleteResponse", val: undefined };
			}
			case "KvDropRequest":
				entries.clear();
				return { tag: "KvDropResponse", val: undefined };
		}
	}
}

function checkKeys(keys: readonly Uint8Array[]): void {
	if (keys.length > RUNNER_KV_KEYS_MAX) throw new Error("kv.too_many_keys");
	for (const key of keys) {
		if (key.byteLength > RUNNER_KV_KEY_BYTES_MAX) throw new Error("kv.key_too_large");
	}
}

function matches(query: KvListQuery, key: Buffer): boolean {
	switch (query.tag) {
		case "KvListAll":
			return true;
		case "KvListPrefix":
			return key.subarray(0, query.val.key.byteLength).equals(query.val.key);
		case "KvListRange": {
			const { start, end, exclusive } = query.val;
			const atEnd = Buffer.compare(key, end);
			return Buffer.compare(key, start) >= 0 && (exclusive ? atEnd < 0 : atEnd <= 0);
		}
	}
}

function found(entries: readonly { readonly key: Buffer; readonly value: Buffer }[]) {
	return {
		keys: entries.map(({ key }) => key),
		values: entries.map(({ value }) => value),
		metadata: entries.map(() => ({ version: Buffer.from("double"), updateTs: 0 })),
	};
}

function idOf(key: Uint8Array): string {
	return Buffer.from(key).toString("latin1");
}
