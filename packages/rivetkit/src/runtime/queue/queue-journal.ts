import type { StorageOp } from "@rivetkit/protocol";
import { SparseMap } from "../../utils/sparse-map.ts";
import type { MessageHeader, QueuedMessage } from "./message.ts";
import type { MessageBodies } from "./message-bodies.ts";
import { bodyRows, deleteHeader, putHeader } from "./queue-layout.ts";

/** How a message was before its first change since the last commit; a null header: it was not there. */
export interface Before {
	readonly header: MessageHeader | null;
	readonly isStored: boolean;
}

/** Changes of one batch, by message. */
type Changes = SparseMap<QueuedMessage, Before>;

/**
 * Which messages changed since the last commit, and how they were then. What was added and removed
 * between two commits is never written.
 */
export class QueueJournal {
	readonly #data: { readonly bodies: MessageBodies };
	#open: Changes = new SparseMap();
	/** Of the commit under way. */
	#taken: Changes = new SparseMap();

	constructor(data: { readonly bodies: MessageBodies }) {
		this.#data = data;
	}

	/** To be called before a message is changed or removed. */
	changing(message: QueuedMessage): void {
		if (this.#open.has(message)) return;
		this.#open.set(message, { header: message.header, isStored: message.isStored });
	}

	/** A message was made. */
	added(message: QueuedMessage): void {
		this.#open.set(message, { header: null, isStored: false });
	}

	/** Adds the writes of everything that changed since the last call. */
	take(ops: StorageOp[]): void {
		if (this.#open.size === 0) return;
		for (const message of this.#open.keys()) this.#write(message, ops);
		[this.#taken, this.#open] = [this.#open, this.#taken];
		this.#open.clear();
	}

	committed(): void {
		if (this.#taken.size === 0) return;
		for (const { id, place } of this.#taken.keys()) {
			// The body of one that is gone may be that of another one, which was put back under its id.
			if (place !== "gone") this.#data.bodies.stored(id);
		}
		this.#taken.clear();
	}

	/** Forgets all changes; returns how the changed messages were at the last commit. */
	rollBack(): ReadonlyMap<QueuedMessage, Before> {
		const before = new Map([...this.#open, ...this.#taken]);
		this.#open.clear();
		this.#taken.clear();
		return before;
	}

	#write(message: QueuedMessage, ops: StorageOp[]): void {
		const { id, header } = message;
		if (message.place !== "gone") {
			ops.push(putHeader(id, header));
			if (!message.isStored) ops.push(...bodyRows.put(id, this.#data.bodies.fresh(id)));
			message.isStored = true;
		} else if (message.isStored) {
			ops.push(deleteHeader(id), ...bodyRows.delete(id, header.size));
			message.isStored = false;
		}
	}
}
