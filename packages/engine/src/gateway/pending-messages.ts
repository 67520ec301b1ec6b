/** What a waiting message takes besides its content. */
const MESSAGE_OVERHEAD_BYTES = 64;
/** From this many acknowledged places on, they are given back when they are half of the list. */
const COMPACT_AT = 1_024;

/**
 * Messages of one client that no incarnation has acknowledged yet, in order. They are numbered from 1
 * and leave from the front.
 */
export class PendingMessages {
	#messages: (string | Uint8Array)[] = [];
	/** Where in the list the oldest one is; those before it are gone. */
	#head = 0;
	#lastIndex = 0;
	#bytes = 0;

	get count(): number {
		return this.#messages.length - this.#head;
	}

	/** Bytes of all that wait, with what keeping them costs. */
	get bytes(): number {
		return this.#bytes + this.count * MESSAGE_OVERHEAD_BYTES;
	}

	/** The index of the message that came last; 0 before the first. */
	get lastIndex(): number {
		return this.#lastIndex;
	}

	/** Keeps a message and returns its index. */
	push(message: string | Uint8Array): number {
		this.#messages.push(message);
		this.#bytes += message.length;
		return ++this.#lastIndex;
	}

	/** Numbers a message that is not kept. Only while none is. */
	pass(): number {
		return ++this.#lastIndex;
	}

	/** Lets go of everything up to this index. */
	acknowledge(index: number): void {
		const end = this.#messages.length - (this.#lastIndex - Math.min(index, this.#lastIndex));
		while (this.#head < end) {
			this.#bytes -= this.#messages[this.#head]!.length;
			this.#messages[this.#head++] = "";
		}
		if (this.#head === this.#messages.length) {
			this.#messages.length = 0;
			this.#head = 0;
		} else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#messages.length) {
			this.#messages = this.#messages.slice(this.#head);
			this.#head = 0;
		}
	}

	clear(): void {
		this.acknowledge(this.#lastIndex);
	}

	/** Those that wait, oldest first, as they are now. */
	entries(): [index: number, message: string | Uint8Array][] {
		const waiting = this.#messages.slice(this.#head);
		const first = this.#lastIndex - waiting.length + 1;
		return waiting.map((message, at) => [first + at, message]);
	}
}
