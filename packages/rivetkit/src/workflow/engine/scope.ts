import { SparseSet } from "../../utils/sparse-set.ts";
import type { Entry } from "../history/entry.ts";
import { isInnerId, type Location } from "../history/location.ts";
import type { Asked } from "./in-progress.ts";
import type { OpenMessage } from "./open-message.ts";
import type { Strand } from "./strand.ts";

/** A namespace of entries while its code runs: the root, an iteration, a branch, a block. */
export class Scope {
	readonly location: Location;
	readonly parent: Scope | null;
	readonly strand: Strand;
	/** What was recorded in it before; null when that can only be nothing. */
	records: Map<string, Entry> | null = null;
	readonly visited: SparseSet<string> = new SparseSet();
	/** The operation that is in progress. */
	open: Asked | null = null;
	/** Its code has come to its end, or it is forgotten with what it was part of: nothing begins in it any more. */
	hasEnded = false;
	hasCheckpoint = false;
	/** Its code has failed: nothing begins in it any more. */
	hasFailed = false;
	/** Completable messages that were received here and not completed. */
	#open: Set<OpenMessage> | null = null;
	/** Sends so far, by queue. */
	#sends: Map<string, number> | null = null;
	/** Completed steps, here and below, that may have to be undone. */
	compensable = 0;
	/** When the latest entry before this point ended. */
	lastTs: number;
	/** Random numbers drawn here. */
	draws = 0;
	/** {@link Strand.live} when it began: what was added since is of this scope, or of one in it. */
	readonly liveBefore: number;

	constructor(location: Location, parent: Scope | null, strand: Strand, startTs: number) {
		this.location = location;
		this.parent = parent;
		this.strand = strand;
		this.lastTs = startTs;
		this.liveBefore = strand.live;
	}

	/** Whether it is this scope, or one below it. */
	isWithin(scope: Scope): boolean {
		for (let at: Scope | null = this; at !== null; at = at.parent) if (at === scope) return true;
		return false;
	}

	/** Whether its code, or that of a scope around it, has failed. */
	get isWithinFailed(): boolean {
		return this.failed !== null;
	}

	/** The innermost scope at or around it whose code has failed. */
	get failed(): Scope | null {
		return this.hasFailed ? this : (this.parent?.failed ?? null);
	}

	get hasOpenMessages(): boolean {
		return this.#open !== null;
	}

	addOpen(message: OpenMessage): void {
		this.#open ??= new Set();
		this.#open.add(message);
	}

	deleteOpen(message: OpenMessage): void {
		if (this.#open?.delete(message) && this.#open.size === 0) this.#open = null;
	}

	/** Its open messages, which are in nobody's hands from now on. */
	takeOpen(): Iterable<OpenMessage> {
		const open = this.#open ?? [];
		this.#open = null;
		return open;
	}

	/** The ordinal of the next send to this queue. */
	nextSend(queue: string): number {
		this.#sends ??= new Map();
		const ordinal = this.#sends.get(queue) ?? 0;
		this.#sends.set(queue, ordinal + 1);
		return ordinal;
	}

	/** Whether a checkpoint here or around makes steps undoable. */
	get isCovered(): boolean {
		return this.hasCheckpoint || (this.parent?.isCovered ?? false);
	}

	/** Whether something recorded here has not been visited yet. */
	get hasUnvisited(): boolean {
		return this.unvisited() !== null;
	}

	/** Id of an entry that is recorded and was not visited, but should be; what has no name of its own does not count. */
	unvisited(): { readonly name: string; readonly entry: Entry } | null {
		if (this.records === null) return null;
		for (const [name, entry] of this.records) {
			if (this.visited.has(name) || isInnerId(name) || entry.data.isOptional) continue;
			return { name, entry };
		}
		return null;
	}
}
