import type { Incarnation } from "../../backends/backend.ts";
import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import { DedupeLog } from "./dedupe-log.ts";
import { KeptAnswers, type SendOutcome } from "./kept-answers.ts";
import { type MessageHeader, QueuedMessage } from "./message.ts";
import { MessageBodies, type StorageReads } from "./message-bodies.ts";
import { MessageIndex, type QueueNames } from "./message-index.ts";
import { QueueJournal } from "./queue-journal.ts";
import { putNextId, readIndexEntry } from "./queue-layout.ts";
import { mayComeAgain, SenderWaits, type WaitHost } from "./sender-waits.ts";

/** What became of a message; its sender hears of it when that is durable. */
interface Ending {
	readonly message: QueuedMessage;
	readonly waitKey: string | null;
	readonly outcome: SendOutcome;
}

/** Whose messages they are. */
export interface QueueOwner extends WaitHost, QueueNames {
	/** Something was written that the next commit has to contain. */
	wrote(): void;
}

/**
 * The messages of an actor, in memory and on their way to the disk. Every change is in the next commit
 * with whatever else the actor wrote; when that fails, all is as it was at the last one.
 */
export class QueueData implements BatchPart {
	readonly index: MessageIndex;
	readonly #store: StorageReads;
	readonly #actor: Incarnation;
	readonly #owner: QueueOwner;
	readonly #journal: QueueJournal;
	// Made when they are needed: many queues are waited for, and little comes.
	#bodies: MessageBodies | null = null;
	#answers: KeptAnswers | null = null;
	#dedupe: DedupeLog | null = null;
	#senders: SenderWaits | null = null;
	#nextId = 1;
	#storedNextId = 1;
	#endings: Ending[] | null = null;
	#takenEndings: Ending[] | null = null;

	constructor(store: StorageReads, actor: Incarnation, owner: QueueOwner) {
		this.#store = store;
		this.#actor = actor;
		this.#owner = owner;
		this.index = new MessageIndex(owner);
		this.#journal = new QueueJournal(this);
	}

	get bodies(): MessageBodies {
		this.#bodies ??= new MessageBodies(this.#store, this.#actor, this.index, this.#owner);
		return this.#bodies;
	}

	get answers(): KeptAnswers {
		this.#answers ??= new KeptAnswers(this.#store, this.#actor);
		return this.#answers;
	}

	get dedupe(): DedupeLog {
		this.#dedupe ??= new DedupeLog(this.#store, this.#actor);
		return this.#dedupe;
	}

	get senders(): SenderWaits {
		this.#senders ??= new SenderWaits(this.#owner);
		return this.#senders;
	}

	isDeadLetter(name: string): boolean {
		return this.#owner.isDeadLetter(name);
	}

	/** When the oldest completion that nobody came for is to be dropped; null for never. */
	get nextAnswerTs(): number | null {
		return this.#answers?.nextTs ?? null;
	}

	/** Adopts what an earlier incarnation stored. */
	load(entries: StoredEntries): void {
		const now = this.#owner.now();
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
					this.#know(message);
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

	/** The body of a message that is there; undefined when it goes while its body is read. */
	async bodyOf(message: QueuedMessage): Promise<Uint8Array | undefined> {
		try {
			return (await this.bodies.read([message]))[0];
		} catch (error) {
			if (message.place === "gone") return undefined;
			throw error;
		}
	}

	/** An id for a message that is added later. */
	reserveId(): number {
		return this.#nextId++;
	}

	/** Whether an id was given to a message that is gone: it is given to no other one. */
	wasGiven(id: number): boolean {
		return id < this.#nextId && this.index.get(id) === undefined;
	}

	/** A new message; it may be handed out at once, before it is durable. */
	add(header: MessageHeader, body: Uint8Array, id: number = this.#nextId++): QueuedMessage {
		const message = new QueuedMessage(id, header, false);
		this.bodies.add(message.id, body);
		this.#journal.added(message);
		this.index.add(message, this.#owner.now());
		this.#know(message);
		this.#owner.wrote();
		return message;
	}

	/** Changes a message, but neither its name nor where it is. */
	change(message: QueuedMessage, changes: Partial<Omit<MessageHeader, "name">>): void {
		this.#journal.changing(message);
		message.header = { ...message.header, ...changes };
		this.#owner.wrote();
	}

	/** Moves a message that is in nobody's hands to another queue; `outcome` is for who waits for it. */
	move(message: QueuedMessage, changes: Partial<MessageHeader>, outcome: SendOutcome | null): void {
		this.#journal.changing(message);
		if (outcome) this.#ended(message, outcome);
		this.index.move(message, { ...message.header, ...changes }, this.#owner.now());
		this.#owner.wrote();
	}

	/** Removes a message. Whoever waits for it hears `outcome` when that is durable. */
	remove(message: QueuedMessage, outcome: SendOutcome): void {
		this.#journal.changing(message);
		this.#ended(message, outcome);
		this.index.remove(message);
		message.delivery = null;
		this.bodies.forget(message.id);
		this.#owner.wrote();
	}

	/** Drops completions that nobody came for. */
	dropOldAnswers(): void {
		if (this.#answers?.dropOld(this.#owner.now())) this.#owner.wrote();
	}

	/** Whether somebody waits for what the next commit says. */
	get hasEndings(): boolean {
		return this.#endings !== null;
	}

	/** Messages whose senders hear what became of them when that is durable. */
	get ended(): ReadonlySet<QueuedMessage> {
		const endings = [...(this.#endings ?? []), ...(this.#takenEndings ?? [])];
		return new Set(endings.map(({ message }) => message));
	}

	take(batch: OpenBatch): void {
		this.#journal.take(batch.ops);
		if (this.#nextId !== this.#storedNextId) {
			batch.ops.push(putNextId(this.#nextId));
			this.#storedNextId = this.#nextId;
		}
		if (this.#endings) {
			this.#takenEndings = [...(this.#takenEndings ?? []), ...this.#endings];
			this.#endings = null;
		}
		if (this.#answers) batch.ops.push(...this.#answers.take());
		if (this.#dedupe) batch.ops.push(...this.#dedupe.take());
	}

	committed(): void {
		this.#journal.committed();
		this.#answers?.committed();
		this.#dedupe?.committed();
		// Not kept for messages that may never come.
		if (this.index.size === 0) this.#bodies = null;
		const endings = this.#takenEndings;
		if (endings === null) return;
		this.#takenEndings = null;
		for (const { message, waitKey, outcome } of endings) {
			this.senders.answer(message, waitKey, outcome);
		}
	}

	rollBack(): void {
		this.#endings = null;
		this.#takenEndings = null;
		this.#answers?.rollBack();
		this.#dedupe?.rollBack();
		// Ids are not given out twice, not even those of messages that never were.
		this.#storedNextId = -1;
		const now = this.#owner.now();
		const before = this.#journal.rollBack();
		// First, because one that was put back has the id of one that was there.
		for (const [message, { header }] of before) if (header === null) this.#neverWas(message);
		for (const [message, { header, isStored }] of before) {
			message.isStored = isStored;
			if (header !== null) this.#goBackTo(message, header, now);
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

	/** Somebody may ask for it by the key of its send. */
	#know(message: QueuedMessage): void {
		if (message.header.waitKey !== null) this.senders.know(message);
	}

	#neverWas(message: QueuedMessage): void {
		if (message.place !== "gone") this.index.remove(message);
		message.delivery = null;
		this.bodies.forget(message.id);
		this.#senders?.forget(message);
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
		const isAwaited = this.#senders?.has(message) ?? false;
		if (waitKey === null && !isAwaited) return;
		this.#endings ??= [];
		this.#endings.push({ message, waitKey, outcome });
		if (waitKey !== null && (!isAwaited || mayComeAgain(waitKey))) {
			this.answers.add(waitKey, message.id, outcome, this.#owner.now());
			this.dropOldAnswers();
		}
	}
}
