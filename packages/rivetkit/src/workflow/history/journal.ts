import type { StorageOp } from "@rivetkit/protocol";
import type { OpenBatch } from "../../runtime/commit/batch-part.ts";
import { type Entry, NOT_STAGED } from "./entry.ts";
import { encodeHead, HEAD_KEY, type Head } from "./head.ts";
import type { KeyRange } from "./location.ts";
import { putEntry } from "./stored-entries.ts";

/** An entry that the next commit has to contain, as it is then. */
export class Put {
	readonly key: Uint8Array;
	readonly entry: Entry;

	constructor(key: Uint8Array, entry: Entry) {
		this.key = key;
		this.entry = entry;
	}
}

/** Writes of so many bytes together do not wait for company (workflows 6.3). */
const STAGED_BYTES_MAX = 256 * 1024;

/** What a workflow wrote since the last commit, in the order it did. */
export class Journal {
	readonly #owner: { wrote(): void };
	#open: (Put | StorageOp)[] = [];
	/** What the commit that is under way was made of. */
	#taken: (Put | StorageOp)[] = [];
	#head: Head | null = null;
	/** As the commit that is under way has it; null for one without. */
	#takenHead: Uint8Array | null = null;
	/** As the store has it. */
	storedHead: Uint8Array | null = null;
	#isInFlight = false;
	/** Of what is open, about. */
	#bytes = 0;
	/** Writes so far. */
	writes = 0;

	/** @param owner - told of each write */
	constructor(owner: { wrote(): void }) {
		this.#owner = owner;
	}

	/** Whether something is staged, or on its way to the disk. */
	get isPending(): boolean {
		return this.#isInFlight || this.isOpen;
	}

	get isOpen(): boolean {
		return this.#open.length > 0 || this.#head !== null;
	}

	/** Whether so much is staged that it should leave. */
	get isFull(): boolean {
		return this.#bytes >= STAGED_BYTES_MAX;
	}

	entry(key: Uint8Array, entry: Entry): void {
		const bytes = key.byteLength + entry.size;
		if (entry.isStaged) this.#bytes -= entry.stagedBytes;
		else this.#open.push(new Put(key, entry));
		entry.stagedBytes = bytes;
		this.#bytes += bytes;
		this.writes++;
		this.#owner.wrote();
	}

	deleteRange(range: KeyRange): void {
		this.#open.push({ op: "deleteRange", ...range });
		this.#bytes += range.start.byteLength + range.end.byteLength;
		this.writes++;
		this.#owner.wrote();
	}

	head(head: Head): void {
		this.#head = head;
		this.writes++;
		this.#owner.wrote();
	}

	take(batch: OpenBatch): void {
		if (!this.isOpen) return;
		for (const write of this.#open) {
			if (!(write instanceof Put)) batch.ops.push(write);
			else {
				write.entry.stagedBytes = NOT_STAGED;
				if (!write.entry.isGone) putEntry(write.key, write.entry, batch.ops);
			}
		}
		if (this.#head) {
			this.#takenHead = encodeHead(this.#head);
			batch.ops.push({ op: "put", key: HEAD_KEY, value: this.#takenHead });
		}
		this.#taken = this.#open;
		this.#open = [];
		this.#bytes = 0;
		this.#head = null;
		this.#isInFlight = true;
	}

	/** What the store may not have yet, in order. */
	get pending(): (Put | StorageOp)[] {
		return [...this.#taken, ...this.#open];
	}

	committed(): void {
		this.#taken = [];
		this.storedHead = this.#takenHead ?? this.storedHead;
		this.#takenHead = null;
		this.#isInFlight = false;
	}

	rollBack(): void {
		this.#taken = [];
		for (const write of this.#open) if (write instanceof Put) write.entry.stagedBytes = NOT_STAGED;
		this.#open = [];
		this.#bytes = 0;
		this.#head = null;
		this.#takenHead = null;
		this.#isInFlight = false;
	}
}
