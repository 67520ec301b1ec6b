import type { Inventory, InventoryEntry, InventoryKind, InventoryPosition } from "../inventory.ts";
import { compareText } from "../order.ts";

/** The inventory of a store without a disk. */
export class MemoryInventory implements Inventory {
	readonly #entries = new Map<string, InventoryEntry>();
	readonly #assertOpen: () => void;

	constructor(assertOpen: () => void) {
		this.#assertOpen = assertOpen;
	}

	async insert(entry: InventoryEntry): Promise<boolean> {
		this.#assertOpen();
		const id = idOf(entry);
		const known = this.#entries.get(id);
		if (known === undefined) {
			this.#entries.set(id, { ...entry });
		}
		return known === undefined || known.value === entry.value;
	}

	async put(entry: InventoryEntry): Promise<void> {
		this.#assertOpen();
		const id = idOf(entry);
		const { createTs } = this.#entries.get(id) ?? entry;
		this.#entries.set(id, { ...entry, createTs });
	}

	async delete(kind: InventoryKind, scope: string, name: string): Promise<boolean> {
		this.#assertOpen();
		return this.#entries.delete(idOf({ kind, scope, name }));
	}

	async get(kind: InventoryKind, scope: string, name: string): Promise<InventoryEntry | undefined> {
		this.#assertOpen();
		return this.#entries.get(idOf({ kind, scope, name }));
	}

	async listByName(
		kind: InventoryKind,
		scope: string,
		limit: number,
		after?: string,
	): Promise<InventoryEntry[]> {
		this.#assertOpen();
		return this.#of(kind, scope)
			.filter(({ name }) => after === undefined || compareText(name, after) > 0)
			.sort((a, b) => compareText(a.name, b.name))
			.slice(0, Math.max(0, limit));
	}

	async listNewest(
		kind: InventoryKind,
		scope: string,
		limit: number,
		before?: InventoryPosition,
	): Promise<InventoryEntry[]> {
		this.#assertOpen();
		return this.#of(kind, scope)
			.filter((entry) => before === undefined || isBefore(entry, before))
			.sort((a, b) => b.createTs - a.createTs || compareText(b.name, a.name))
			.slice(0, Math.max(0, limit));
	}

	async listKind(kind: InventoryKind): Promise<InventoryEntry[]> {
		this.#assertOpen();
		return [...this.#entries.values()]
			.filter((entry) => entry.kind === kind)
			.sort((a, b) => compareText(a.scope, b.scope) || compareText(a.name, b.name));
	}

	#of(kind: InventoryKind, scope: string): InventoryEntry[] {
		return [...this.#entries.values()].filter(
			(entry) => entry.kind === kind && entry.scope === scope,
		);
	}
}

function isBefore(entry: InventoryEntry, { createTs, name }: InventoryPosition): boolean {
	return (
		entry.createTs < createTs ||
		(entry.createTs === createTs && name !== undefined && compareText(entry.name, name) < 0)
	);
}

function idOf({ kind, scope, name }: Pick<InventoryEntry, "kind" | "scope" | "name">): string {
	return JSON.stringify([kind, scope, name]);
}
