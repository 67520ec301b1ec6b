import type { ActorBackend, Incarnation } from "../../backends/backend.ts";
import { SparseMap } from "../../utils/sparse-map.ts";
import { READ_AHEAD_AFTER_MS, READ_AHEAD_BYTES_MAX, READ_AHEAD_MESSAGES_MAX } from "./limits.ts";
import type { QueuedMessage } from "./message.ts";
import type { MessageIndex } from "./message-index.ts";
import { bodyRows, joinChunks } from "./queue-layout.ts";

/** Reads of an actor's store. */
export type StorageReads = Pick<ActorBackend, "get" | "scan">;

/**
 * Bodies of messages. In memory only until they are stored, and for a moment when a consumer works off a
 * backlog: then the next ones are read together. So a slow consumer holds no bodies.
 */
export class MessageBodies {
	readonly #store: StorageReads;
	readonly #actor: Incarnation;
	readonly #index: MessageIndex;
	readonly #clock: { now(): number };
	#lastReadMs = Number.NEGATIVE_INFINITY;
	/** Not durable yet. */
	readonly #fresh = new SparseMap<number, Uint8Array>();
	readonly #ahead = new SparseMap<number, Uint8Array>();
	#aheadBytes = 0;

	constructor(
		store: StorageReads,
		actor: Incarnation,
		index: MessageIndex,
		clock: { now(): number },
	) {
		this.#store = store;
		this.#actor = actor;
		this.#index = index;
		this.#clock = clock;
	}

	/** Bodies in memory. */
	get heldBytes(): number {
		let bytes = this.#aheadBytes;
		for (const body of this.#fresh.values()) bytes += body.byteLength;
		return bytes;
	}

	/** The body of a new message, until {@link stored} or {@link forget}. */
	add(id: number, body: Uint8Array): void {
		this.#fresh.set(id, body);
	}

	/** Of a message that is not durable yet. */
	fresh(id: number): Uint8Array {
		return this.#fresh.get(id)!;
	}

	/** The body is durable. */
	stored(id: number): void {
		this.#fresh.delete(id);
	}

	/** The message is gone. */
	forget(id: number): void {
		this.#fresh.delete(id);
		this.#dropAhead(id);
	}

	/** In the order of `messages`; synchronous when they are all in memory. */
	read(messages: readonly QueuedMessage[]): Uint8Array[] | Promise<Uint8Array[]> {
		const bodies = messages.map(({ id }) => this.#fresh.get(id) ?? this.#takeAhead(id));
		if (bodies.every((body) => body !== undefined)) return bodies;
		return this.#readMissing(messages, bodies);
	}

	async #readMissing(
		messages: readonly QueuedMessage[],
		known: readonly (Uint8Array | undefined)[],
	): Promise<Uint8Array[]> {
		const missing = messages.filter((_, index) => known[index] === undefined);
		const nowMs = this.#clock.now();
		const isFast = nowMs - this.#lastReadMs <= READ_AHEAD_AFTER_MS;
		this.#lastReadMs = nowMs;
		const next = isFast ? this.#nextAfter(missing.at(-1)!) : [];
		const wanted = [...missing, ...next].map(({ id, header }) => bodyRows.keys(id, header.size));
		const chunks = await this.#store.get(this.#actor, wanted.flat());
		const read = wanted.map((keys) => chunks.splice(0, keys.length));
		for (const [index, message] of next.entries()) {
			const ahead = read[missing.length + index]!;
			// Somebody else may have taken it meanwhile.
			if (message.place === "ready") this.#addAhead(message, joinChunks(ahead, "queue message"));
		}
		let at = 0;
		return known.map((body) => body ?? joinChunks(read[at]!, `queue message ${missing[at++]!.id}`));
	}

	/** Messages that are likely to be asked for next: of the same queue, with the next ids. */
	#nextAfter({ id, header }: QueuedMessage): QueuedMessage[] {
		const next: QueuedMessage[] = [];
		let bytes = this.#aheadBytes;
		for (let offset = 1; offset <= READ_AHEAD_MESSAGES_MAX; offset++) {
			const message = this.#index.get(id + offset);
			if (message?.place !== "ready" || message.header.name !== header.name) continue;
			if (this.#fresh.has(message.id) || this.#ahead.has(message.id)) continue;
			bytes += message.header.size;
			if (bytes > READ_AHEAD_BYTES_MAX) break;
			next.push(message);
		}
		return next;
	}

	#addAhead({ id }: QueuedMessage, body: Uint8Array): void {
		if (this.#ahead.has(id)) return;
		this.#ahead.set(id, body);
		this.#aheadBytes += body.byteLength;
		for (const oldest of this.#ahead.keys()) {
			if (this.#aheadBytes <= READ_AHEAD_BYTES_MAX) return;
			this.#dropAhead(oldest);
		}
	}

	#takeAhead(id: number): Uint8Array | undefined {
		const body = this.#ahead.get(id);
		this.#dropAhead(id);
		return body;
	}

	#dropAhead(id: number): void {
		const body = this.#ahead.get(id);
		if (!body) return;
		this.#ahead.delete(id);
		this.#aheadBytes -= body.byteLength;
	}
}
