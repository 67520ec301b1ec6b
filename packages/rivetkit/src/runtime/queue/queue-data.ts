import type { StorageOp } from "@rivetkit/protocol";
import type { Incarnation } from "../../backends/backend.ts";
import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import { DedupeLog } from "./dedupe-log.ts";
import { KeptAnswers, type SendOutcome } from "./kept-answers.ts";
import { type MessageHeader, QueuedMessage } from "./message.ts";
import { MessageBodies, type StorageReads } from "./message-bodies.ts";
import { MessageIndex } from "./message-index.ts";
import { QueueJournal } from "./queue-journal.ts";
import { putNextId, readIndexEntry } from "./queue-layout.ts";
import { mayComeAgain, SenderWaits, type WaitClock } from "./sender-waits.ts";

/** What became of a message; its sender hears of it when that is durable. */
interface Ending {
	readonly message: QueuedMessage;
	readonly waitKey: string | null;
	readonly outcome: SendOutcome;
}

export interface QueueDataOptions {
	readonly store: StorageReads;
	readonly actor: Incarnation;
	readonly clock: WaitClock;
	readonly isDeadLetter: (name: string) => boolean;
	/** Something was written that the next commit has to contain. */
	readonly wrote: () => void;
}

/**
 * The messages of an actor, in memory and on their way to the disk. Every change is in the next commit
 * with whatever else the actor wrote; when that fails, all is as it was at the last one.
 */
export class QueueData implements BatchPart {
	readonly index: MessageIndex;
	readonly bodies: MessageBodies;
	readonly answers: KeptAnswers;
	readonly dedupe: DedupeLog;
	readonly senders: SenderWaits;
	readonly isDeadLetter: (name: string) => boolean;
	readonly #clock: WaitClock;
	readonly #wrote: () => void;
	readonly #journal: QueueJournal;
	#nextId = 1;
	#storedNextId = 1;
	#endings: Ending[] = [];
	#takenEndings: Ending[] = [];

	constructor({ store, actor, clock, isDeadLetter, wrote }: QueueDataOptions) {
		this.isDeadLetter = isDeadLetter;
		this.index = new MessageIndex(isDeadLetter);
		this.bodies = new MessageBodies(store, actor, this.index, () => clock.now());
		this.answers = new KeptAnswers(store, actor);
		this.dedupe = new DedupeLog(store, actor);
		this.senders = new SenderWaits(clock);
		this.#clock = clock;
		this.#wrote = wrote;
		this.#journal = new QueueJournal(this.bodies);
	}

	/** Adopts what an earlier incarnation stored. */
	load(entries: StoredEntries): void {
		const now = this.#clock.now();
		for (const [key, value] of entries) {
			const entry = readIndexEntry(key, value);
			switch (entry.kind) {
				case "nextId":
					this.#nextId = entry.nextId;
					this.#storedNextId = entry.nextId;
					break;
				case "header": {
					const message = new QueuedMessage(entry.id, entry.header, true);
					this.index.add(message, now);
					this.senders.know(message);
					break;
				}
				case "answer":
					this.answers.load(entry.sequence, entry.value);
					break;
				default:
					entry satisfies never;
			}
		}
	}

	/** An id for a message that is added later. */
	reserveId(): number {
		return this.#nextId++;
	}

	/** A new message; it may be handed out at once, before it is durable. */
	add(header: MessageHeader, body: Uint8Array, id: number = this.#nextId++): QueuedMessage {
		const message = new QueuedMessage(id, header, false);
		this.bodies.add(message.id, body);
		this.#journal.added(message);
		this.index.add(message, this.#clock.now());
		this.senders.know(message);
		this.#wrote();
		return message;
	}

	/** Changes a message, but neither its name nor where it is. */
	change(message: QueuedMessage, changes: Partial<Omit<MessageHeader, "name">>): void {
		this.#journal.changing(message);
		message.header = { ...message.header, ...changes };
		this.#wrote();
	}

	/** Moves a message that is in nobody's hands to another queue; `outcome` is for who waits for it. */
	move(message: QueuedMessage, changes: Partial<MessageHeader>, outcome: SendOutcome | null): void {
		this.#journal.changing(message);
		if (outcome) this.#ended(message, outcome);
		this.index.move(message, { ...message.header, ...changes }, this.#clock.now());
		this.#wrote();
	}

	/** Removes a message. Whoever waits for it hears `outcome` when that is durable. */
	remove(message: QueuedMessage, outcome: SendOutcome): void {
		this.#journal.changing(message);
		this.#ended(message, outcome);
		this.index.remove(message);
		message.delivery = null;
		this.bodies.forget(message.id);
		this.#wrote();
	}

	/** Drops completions that nobody came for. */
	dropOldAnswers(): void {
		if (this.answers.dropOld(this.#clock.now())) this.#wrote();
	}

	/** Whether somebody waits for what the next commit says. */
	get hasEndings(): boolean {
		return this.#endings.length > 0;
	}

	take(batch: OpenBatch): void {
		const ops: StorageOp[] = this.#journal.take();
		if (this.#nextId !== this.#storedNextId) {
			ops.push(putNextId(this.#nextId));
			this.#storedNextId = this.#nextId;
		}
		this.#takenEndings.push(...this.#endings);
		this.#endings = [];
		batch.ops.push(...ops, ...this.answers.take(), ...this.dedupe.take());
	}

	committed(): void {
		this.#journal.committed();
		this.answers.committed();
		this.dedupe.committed();
		const endings = this.#takenEndings;
		this.#takenEndings = [];
		for (const { message, waitKey, outcome } of endings) {
			this.senders.answer(message, waitKey, outcome);
		}
	}

	rollBack(): void {
		this.#endings = [];
		this.#takenEndings = [];
		this.answers.rollBack();
		this.dedupe.rollBack();
		// Ids are not given out twice, not even those of messages that never were.
		this.#storedNextId = -1;
		const now = this.#clock.now();
		for (const [message, { header, isStored }] of this.#journal.rollBack()) {
			message.isStored = isStored;
			if (header === null) this.#neverWas(message);
			else this.#goBackTo(message, header, now);
		}
	}

	/** Messages are sent and decided upon at the end of a scope ({@link Deliveries}). */
	savepoint(scope: AtomicScope): Savepoint {
		return this.dedupe.savepoint(scope);
	}

	/** A message that was added since the last commit never was. */
	takeBack(message: QueuedMessage): void {
		this.#neverWas(message);
	}

	#neverWas(message: QueuedMessage): void {
		if (message.place !== "gone") this.index.remove(message);
		message.delivery = null;
		this.bodies.forget(message.id);
		this.senders.forget(message);
	}

	#goBackTo(message: QueuedMessage, header: MessageHeader, nowMs: number): void {
		if (message.place === "gone") {
			message.header = header;
			this.index.add(message, nowMs);
		} else if (message.place === "held" && message.header.name === header.name) {
			message.header = header;
		} else {
			this.index.move(message, header, nowMs);
		}
	}

	#ended(message: QueuedMessage, outcome: SendOutcome): void {
		const { waitKey } = message.header;
		const isAwaited = this.senders.has(message);
		if (waitKey === null && !isAwaited) return;
		this.#endings.push({ message, waitKey, outcome });
		if (waitKey !== null && (!isAwaited || mayComeAgain(waitKey))) {
			this.answers.add(waitKey, outcome, this.#clock.now());
		}
	}
}
