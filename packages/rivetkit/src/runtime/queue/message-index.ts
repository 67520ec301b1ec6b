import { SparseMap } from "../../utils/sparse-map.ts";
import { LazyHeap } from "../collections/lazy-heap.ts";
import type { QueuedMessage } from "./message.ts";

/** A message in a heap, with what the heap's order needs. It counts while it is the message's slot. */
interface ReadySlot {
	readonly message: QueuedMessage;
	readonly priority: number;
}

interface TimedSlot {
	readonly message: QueuedMessage;
	readonly ts: number;
}

const isBefore = (a: ReadySlot, b: ReadySlot) =>
	a.priority > b.priority || (a.priority === b.priority && a.message.id < b.message.id);
const isReady = (slot: ReadySlot) => slot.message.slot === slot;
const readyHeap = () => new LazyHeap<ReadySlot>(isBefore, isReady);
const isEarlier = (a: TimedSlot, b: TimedSlot) => a.ts < b.ts;
const isDelayed = ({ message, ts }: TimedSlot) =>
	message.place === "delayed" && message.header.availableAt === ts;
const expires = ({ message, ts }: TimedSlot) =>
	message.place !== "gone" && message.header.expiresAt === ts;

/** What the index needs to know of the actor's queues. */
export interface QueueNames {
	isDeadLetter(name: string): boolean;
}

/** Messages of one name. */
interface Lane {
	readonly ready: LazyHeap<ReadySlot>;
	count: number;
}

/**
 * All messages of an actor by name, priority and id, without their bodies. Counts are derived from it and
 * stored nowhere. Every operation is O(log n) in the number of messages, but for {@link all} and
 * {@link oldestOf}.
 */
export class MessageIndex {
	readonly #queues: QueueNames;
	readonly #byId = new SparseMap<number, QueuedMessage>();
	readonly #lanes = new SparseMap<string, Lane>();
	// Made with the first message of the kind, and gone with the last one of all.
	/** Of all names that are no dead-letter queues. */
	#ready: LazyHeap<ReadySlot> | null = null;
	#delayed: LazyHeap<TimedSlot> | null = null;
	#expiring: LazyHeap<TimedSlot> | null = null;

	#delayedCount = 0;

	/** Receives without names do not take from dead-letter queues. */
	constructor(queues: QueueNames) {
		this.#queues = queues;
	}

	/** Messages, wherever they are. */
	get size(): number {
		return this.#byId.size;
	}

	/** Messages that wait for their time. */
	get delayedCount(): number {
		return this.#delayedCount;
	}

	sizeOf(name: string): number {
		return this.#lanes.get(name)?.count ?? 0;
	}

	get(id: number): QueuedMessage | undefined {
		return this.#byId.get(id);
	}

	/** Every message, in no order. */
	all(): Iterable<QueuedMessage> {
		return this.#byId.values();
	}

	/** Takes a message in that is in nobody's hands. */
	add(message: QueuedMessage, nowMs: number): void {
		this.#byId.set(message.id, message);
		this.#lane(message.header.name).count++;
		this.place(message, nowMs);
		const { expiresAt } = message.header;
		if (expiresAt === null) return;
		this.#expiring ??= new LazyHeap(isEarlier, expires);
		this.#expiring.push({ message, ts: expiresAt });
	}

	/** Where a message goes that nobody holds: it may be handed out, or has to wait. */
	place(message: QueuedMessage, nowMs: number): void {
		const { name, priority, availableAt } = message.header;
		message.delivery = null;
		this.#leavePlace(message);
		if (availableAt > nowMs) {
			message.place = "delayed";
			this.#delayedCount++;
			this.#delayed ??= new LazyHeap(isEarlier, isDelayed);
			this.#delayed.push({ message, ts: availableAt });
		} else {
			message.place = "ready";
			const slot: ReadySlot = { message, priority };
			message.slot = slot;
			this.#lane(name).ready.push(slot);
			if (this.#queues.isDeadLetter(name)) return;
			this.#ready ??= readyHeap();
			this.#ready.push(slot);
		}
	}

	remove(message: QueuedMessage): void {
		this.#byId.delete(message.id);
		this.#leaveLane(message.header.name);
		this.#leavePlace(message);
		message.place = "gone";
		if (this.#byId.size > 0) return;
		// Slots of messages that are gone would keep them in memory.
		this.#ready = null;
		this.#delayed = null;
		this.#expiring = null;
	}

	/** Changes the name of a message that is in nobody's hands, and places it anew. */
	move(message: QueuedMessage, header: QueuedMessage["header"], nowMs: number): void {
		this.#leaveLane(message.header.name);
		message.header = header;
		this.#lane(header.name).count++;
		this.place(message, nowMs);
	}

	/** The first message of these names (null: of all but dead letters) that may be handed out. */
	first(names: readonly string[] | null): QueuedMessage | undefined {
		if (names === null) return this.#ready?.peek()?.message;
		let first: ReadySlot | undefined;
		for (const name of names) {
			const slot = this.#lanes.get(name)?.ready.peek();
			if (slot && (!first || isBefore(slot, first))) first = slot;
		}
		return first?.message;
	}

	/** The one with the lowest id that may be handed out, whatever its priority. O(messages). */
	oldestOf(name: string): QueuedMessage | undefined {
		let oldest: QueuedMessage | undefined;
		for (const message of this.#byId.values()) {
			if (message.header.name !== name || message.place !== "ready") continue;
			if (!oldest || message.id < oldest.id) oldest = message;
		}
		return oldest;
	}

	/** Takes a message into somebody's hands. */
	hold(message: QueuedMessage): void {
		this.#leavePlace(message);
		message.place = "held";
	}

	/** The next time a delayed message becomes ready; null for never. */
	get nextDelayedTs(): number | null {
		return this.#delayed?.peek()?.ts ?? null;
	}

	get nextExpiryTs(): number | null {
		return this.#expiring?.peek()?.ts ?? null;
	}

	/** A delayed message whose time has come; it is not delayed any more. */
	takeDue(nowMs: number): QueuedMessage | undefined {
		const slot = this.#delayed?.peek();
		if (!slot || slot.ts > nowMs) return undefined;
		this.#delayed!.pop();
		return slot.message;
	}

	/** A message whose time to live is over, once; it may be in somebody's hands. */
	takeExpired(nowMs: number): QueuedMessage | undefined {
		const slot = this.#expiring?.peek();
		if (!slot || slot.ts > nowMs) return undefined;
		this.#expiring!.pop();
		return slot.message;
	}

	#leavePlace(message: QueuedMessage): void {
		if (message.place === "delayed") this.#delayedCount--;
		message.slot = null;
	}

	#lane(name: string): Lane {
		let lane = this.#lanes.get(name);
		if (!lane) {
			lane = { ready: readyHeap(), count: 0 };
			this.#lanes.set(name, lane);
		}
		return lane;
	}

	#leaveLane(name: string): void {
		const lane = this.#lanes.get(name)!;
		if (--lane.count === 0) this.#lanes.delete(name);
	}
}
