import { catalogueError } from "@rivetkit/protocol";
import { ActorKv } from "../../actor/actor-kv.ts";
import type {
	KvKey,
	KvKeyType,
	KvKeyTypes,
	KvListOptions,
	KvReadOptions,
	KvValue,
	KvValueType,
	KvValueTypes,
	KvWriteOptions,
} from "../../actor/kv.types.ts";
import {
	boundId,
	keyId,
	keyIds,
	listQuery,
	typeOption,
	valueEntries,
	valueEntry,
} from "./arguments.ts";
import { bytesOfId, type KeyId, textOfId } from "./keys.ts";
import type { KvKeeper } from "./kv-keeper.ts";
import { BATCH_BYTES_MAX, ENTRY_EXTRA_BYTES } from "./limits.ts";
import { type Entry, readAs } from "./values.ts";

/** What `c.kv` needs of its actor. */
export interface KvOwner {
	/** Throws when the actor may not use `c.kv` now. */
	assertAllowed(): void;
	/** A call of a method was refused. */
	refused(operation: string, error: unknown): void;
}

const DONE: Promise<void> = Promise.resolve();

/**
 * `c.kv` of one instance. No method is an async function: what needs no store costs one settled promise
 * at the most, and writes share one.
 */
export class UserKv extends ActorKv {
	readonly #keeper: KvKeeper;
	readonly #owner: KvOwner;

	constructor(keeper: KvKeeper, owner: KvOwner) {
		super();
		this.#keeper = keeper;
		this.#owner = owner;
	}

	override get<T extends KvValueType = "text">(
		key: KvKey,
		options?: KvReadOptions<T>,
	): Promise<KvValueTypes[T] | null> {
		try {
			this.#owner.assertAllowed();
			const type = (typeOption(options) ?? "text") as T;
			const id = keyId(key);
			const known = this.#keeper.find(id);
			if (known !== undefined) return Promise.resolve(heldAs(known, type));
			return this.#keeper.read(id).then((entry) => heldAs(entry, type));
		} catch (error) {
			return this.#refused("get", error);
		}
	}

	override getBatch<T extends KvValueType = "text">(
		keys: readonly KvKey[],
		options?: KvReadOptions<T>,
	): Promise<(KvValueTypes[T] | null)[]> {
		try {
			this.#owner.assertAllowed();
			const type = (typeOption(options) ?? "text") as T;
			// All of it as it is now: what has to be read is asked for at once.
			const entries = keyIds(keys).map((id) => this.#keeper.find(id) ?? this.#keeper.read(id));
			if (entries.every(isKnown)) {
				return Promise.resolve(entries.map((entry) => heldAs(entry, type)));
			}
			return Promise.all(entries).then((all) => all.map((entry) => heldAs(entry, type)));
		} catch (error) {
			return this.#refused("getBatch", error);
		}
	}

	override put(key: KvKey, value: KvValue, options?: KvWriteOptions): Promise<void> {
		try {
			this.#owner.assertAllowed();
			const entry = valueEntry(value, typeOption(options));
			const written = this.#keeper.put(keyId(key), entry);
			return written === undefined ? DONE : this.#later("put", written);
		} catch (error) {
			return this.#refused("put", error);
		}
	}

	override putBatch(
		entries: readonly (readonly [key: KvKey, value: KvValue])[],
		options?: KvWriteOptions,
	): Promise<void> {
		try {
			this.#owner.assertAllowed();
			const all = valueEntries(entries, typeOption(options));
			const size = all.reduce((sum, entry) => sum + batchBytes(entry), 0);
			if (size > BATCH_BYTES_MAX) {
				throw catalogueError("kv.batch_too_large", { size, limit: BATCH_BYTES_MAX });
			}
			const written = this.#keeper.putAll(all);
			return written === undefined ? DONE : this.#later("putBatch", written);
		} catch (error) {
			return this.#refused("putBatch", error);
		}
	}

	override delete(key: KvKey): Promise<void> {
		try {
			this.#owner.assertAllowed();
			this.#keeper.deleteAll([keyId(key)]);
			return DONE;
		} catch (error) {
			return this.#refused("delete", error);
		}
	}

	override deleteBatch(keys: readonly KvKey[]): Promise<void> {
		try {
			this.#owner.assertAllowed();
			this.#keeper.deleteAll(keyIds(keys));
			return DONE;
		} catch (error) {
			return this.#refused("deleteBatch", error);
		}
	}

	override deleteRange(start: KvKey, end: KvKey): Promise<void> {
		try {
			this.#owner.assertAllowed();
			this.#keeper.deleteRange(boundId(start), boundId(end));
			return DONE;
		} catch (error) {
			return this.#refused("deleteRange", error);
		}
	}

	override list<T extends KvValueType = "text", K extends KvKeyType = "text">(
		prefix?: K extends "binary" ? Uint8Array : KvKey,
		options?: KvListOptions<T, K>,
	): Promise<[key: KvKeyTypes[K], value: KvValueTypes[T]][]> {
		try {
			this.#owner.assertAllowed();
			const type = (typeOption(options) ?? "text") as T;
			const { range, keyType, limit, reverse } = listQuery(prefix, options);
			return this.#keeper
				.list(range, limit, reverse)
				.then((entries) =>
					entries.map(({ id, value, isOwned }) => [
						keyOf(id, keyType) as KvKeyTypes[K],
						readAs(value, type, isOwned),
					]),
				);
		} catch (error) {
			return this.#refused("list", error);
		}
	}

	/** A refusal is a rejection; one that nobody looks at is in the log, and does not end the process. */
	#refused(operation: string, error: unknown): Promise<never> {
		const refused = Promise.reject(error);
		refused.catch(() => this.#owner.refused(operation, error));
		return refused;
	}

	/** Settles later, and is refused in the same way. */
	#later(operation: string, written: Promise<void>): Promise<void> {
		written.catch((error: unknown) => this.#owner.refused(operation, error));
		return written;
	}
}

function isKnown(entry: Entry | Promise<Entry>): entry is Entry {
	return !(entry instanceof Promise);
}

function heldAs<T extends KvValueType>({ value }: Entry, type: T): KvValueTypes[T] | null {
	return value === null ? null : readAs(value, type, false);
}

function keyOf(id: KeyId, type: KvKeyType): string | Uint8Array {
	return type === "binary" ? bytesOfId(id) : textOfId(id);
}

function batchBytes([id, { size }]: readonly [KeyId, Entry]): number {
	return id.length + size + ENTRY_EXTRA_BYTES;
}
