/**
 * What an engine knows beside actors: few, small, named values. Namespaces, pools and the names of actors are kept here, so
 * that every node of a cluster has the same ones.
 *
 * Part of every {@link Store}; guarantees S1, S2 and S6 hold. A change is durable when it resolves.
 */
export interface Inventory {
	/**
	 * Inserts an entry unless there is one of its kind, scope and name. Tells whether the one that is there has
	 * this value: an insert that is made again because its answer was lost is one.
	 */
	insert(entry: InventoryEntry): Promise<boolean>;
	/** Inserts an entry, or gives the one of its kind, scope and name another value; that keeps its `createTs`. */
	put(entry: InventoryEntry): Promise<void>;
	/** Tells whether there was one. */
	delete(kind: InventoryKind, scope: string, name: string): Promise<boolean>;
	get(kind: InventoryKind, scope: string, name: string): Promise<InventoryEntry | undefined>;
	/** In the order of names (by code points), strictly after `after`. */
	listByName(
		kind: InventoryKind,
		scope: string,
		limit: number,
		after?: string,
	): Promise<InventoryEntry[]>;
	/** Newest first, ties by name, highest first, so that pages neither lose nor repeat an entry. */
	listNewest(
		kind: InventoryKind,
		scope: string,
		limit: number,
		before?: InventoryPosition,
	): Promise<InventoryEntry[]>;
	/** Every entry of a kind, by scope and name. For kinds of which there are few. */
	listKind(kind: InventoryKind): Promise<InventoryEntry[]>;
}

export type InventoryKind =
	/** Scope: none, "". */
	| "namespace"
	/** Scope: a namespace. */
	| "pool"
	/** What was announced of a name of actors. Scope: a namespace. */
	| "actor_name"
	/** A runner that may come back, by its id. Scope: a namespace. */
	| "runner"
	/** An incarnation that runs on a runner. Scope: the runner's id. */
	| "runner_actor";

export interface InventoryEntry {
	readonly kind: InventoryKind;
	readonly scope: string;
	readonly name: string;
	/** JSON. */
	readonly value: string;
	/** Milliseconds since the epoch. */
	readonly createTs: number;
}

/** Without a name: only entries created before `createTs`, so those that share it are passed over. */
export interface InventoryPosition {
	readonly createTs: number;
	readonly name?: string;
}
