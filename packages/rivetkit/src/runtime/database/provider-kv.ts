import type { DatabaseKv } from "../../actor/database.types.ts";
import { providerKey } from "../../sqlite/pages/stored-pages.ts";
import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { UndoLog } from "../commit/undo-log.ts";
import type { ActorInstance } from "../instance/instance.ts";

/** Null for a deleted key. */
type Written = Map<string, { readonly key: Uint8Array; readonly value: Uint8Array | null }>;

/**
 * Bytes of a database provider's own (contract: api 11.3), committed with everything else the actor
 * wrote. Reads see what was written before them.
 */
export class ProviderKv implements BatchPart, DatabaseKv {
	readonly #instance: ActorInstance;
	#written: Written = new Map();
	/** In the commit that is in flight. */
	#taken: Written = new Map();
	#undo: UndoLog | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	async batchPut(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Promise<void> {
		this.#write(entries.map(([key, value]) => ({ key, value: value.slice() })));
	}

	async batchDelete(keys: readonly Uint8Array[]): Promise<void> {
		this.#write(keys.map((key) => ({ key, value: null })));
	}

	async batchGet(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		const { backend } = this.#instance.services;
		// Looked at before waiting: a commit may end meanwhile, and the answer must not be older.
		const own = keys.map((key) => {
			const name = nameOf(key);
			return this.#written.get(name) ?? this.#taken.get(name);
		});
		const stored = await backend.get(this.#instance.assignment, keys.map(providerKey));
		return own.map((written, index) => {
			if (written === undefined) return stored[index] ?? null;
			return written.value?.slice() ?? null;
		});
	}

	take(batch: OpenBatch): void {
		if (this.#written.size === 0) return;
		this.#taken = this.#written;
		this.#written = new Map();
		for (const { key, value } of this.#taken.values()) {
			const stored = providerKey(key);
			batch.ops.push(
				value === null ? { op: "delete", key: stored } : { op: "put", key: stored, value },
			);
		}
	}

	committed(): void {
		this.#taken = new Map();
	}

	rollBack(): void {
		this.#taken = new Map();
		this.#written = new Map();
		this.#undo?.clear();
	}

	savepoint(scope: AtomicScope): Savepoint {
		this.#undo = new UndoLog(scope, () => {
			this.#undo = null;
		});
		return this.#undo;
	}

	#write(
		entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[],
	): void {
		this.#instance.assertWritable();
		for (const { key, value } of entries) {
			const name = nameOf(key);
			const before = this.#written.get(name);
			const entry = { key: key.slice(), value };
			this.#written.set(name, entry);
			this.#undo?.note(() => {
				// Somebody else has written it since.
				if (this.#written.get(name) !== entry) return;
				if (before === undefined) this.#written.delete(name);
				else this.#written.set(name, before);
			});
		}
		this.#instance.committer.markDirty();
		if (this.#instance.isReady) this.#instance.writes.saveSoon();
	}
}

function nameOf(key: Uint8Array): string {
	return Buffer.from(key).toString("latin1");
}
