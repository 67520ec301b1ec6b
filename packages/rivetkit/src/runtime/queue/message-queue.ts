import { catalogueError } from "@rivetkit/protocol";
import { isDeadLetterQueue, queueDeclaration } from "../../actor/erased.ts";
import { currentSpan } from "../calls/call-scope.ts";
import {
	type AtomicScope,
	type BatchPart,
	joinSavepoints,
	type OpenBatch,
	type Savepoint,
} from "../commit/batch-part.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import type { AlarmSource } from "../instance/alarm-keeper.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { WaitingWork } from "../instance/work-ledger.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import { type AdmittedMessage, assertRoomIn } from "./admission.ts";
import { type DeliveredMessage, Deliveries } from "./deliveries.ts";
import type { SendOutcome } from "./kept-answers.ts";
import type { MessageHeader, QueuedMessage } from "./message.ts";
import type { ReceiveRequest } from "./pending-receive.ts";
import { QueueData, type QueueOwner } from "./queue-data.ts";
import { Receiver } from "./receiver.ts";
import { isExhausted } from "./retry-policy.ts";
import type { RunScope } from "./run-scope.ts";
import type { WaitOptions } from "./sender-waits.ts";
import { WakeAlarm } from "./wake-alarm.ts";

export interface QueueSummary {
	readonly size: number;
	readonly maxSize: number;
	/** Whether there are more messages than are listed. */
	readonly truncated: boolean;
	readonly messages: readonly {
		readonly id: number;
		readonly name: string;
		readonly createdAtMs: number;
	}[];
}

/** The queue of one actor: what is sent to it, what waits, and who gets it (contract: lifecycle 12). */
export class MessageQueue implements BatchPart, AlarmSource, WaitingWork, QueueOwner {
	readonly data: QueueData;
	readonly deliveries: Deliveries;
	readonly #instance: ActorInstance;
	readonly #wakeAlarm: WakeAlarm;
	/** For hooks and whatever else has no end of its own. */
	#loose: Receiver | null = null;
	#run: { readonly scope: RunScope; readonly receiver: Receiver } | null = null;

	constructor(instance: ActorInstance) {
		const { services, assignment } = instance;
		this.#instance = instance;
		this.data = new QueueData(services.backend, assignment, this);
		this.deliveries = new Deliveries(instance, this.data);
		this.#wakeAlarm = new WakeAlarm(instance, this.data);
		instance.alarm.add(this);
		instance.work.addWaitingWork(this);
	}

	/** Adopts what an earlier incarnation left behind. */
	load(entries: StoredEntries): void {
		this.data.load(entries);
		this.data.dropOldAnswers();
		const { index } = this.data;
		for (const message of [...index.all()]) {
			const { name, attempt, leased } = message.header;
			if (leased) {
				index.hold(message);
				continue;
			}
			// Its last delivery ended with the process.
			const declaration = queueDeclaration(this.#instance.config, name);
			if (attempt > 0 && isExhausted(declaration, attempt)) this.deliveries.giveUp(message);
		}
		this.deliveries.refresh();
	}

	// Sending

	/**
	 * Adds a message to the next commit; `id`: one that was reserved for it. Throws `queue.full` and
	 * `actor.stopping`.
	 */
	enqueue(message: AdmittedMessage, waitKey: string | null = null, id?: number): QueuedMessage {
		this.assertAdmits(message.name);
		return this.add(message, waitKey, id);
	}

	/** Throws `queue.full` and `actor.stopping`. */
	assertAdmits(name: string): void {
		const instance = this.#instance;
		instance.assertWritable();
		const limit = instance.options.maxQueueSize;
		const putOff = instance.durable?.sendsPutOff(null) ?? 0;
		if (this.data.index.size + putOff >= limit) throw catalogueError("queue.full", { limit });
		this.assertRoomFor(name, 1);
	}

	/** As {@link enqueue}, of a message that was found to have room before. */
	add(message: AdmittedMessage, waitKey: string | null, id?: number): QueuedMessage {
		const instance = this.#instance;
		const now = instance.now();
		const queued = this.data.add(
			{
				name: message.name,
				size: message.bytes.byteLength,
				createdAt: now,
				priority: message.priority,
				attempt: 0,
				availableAt: message.delayMs > 0 ? now + message.delayMs : 0,
				expiresAt: message.ttlMs === null ? null : now + message.ttlMs,
				waitKey,
				givenUp: null,
			},
			message.bytes,
			id,
		);
		if (instance.telemetry?.host.recordsSpans) queued.sentBy = currentSpan();
		this.deliveries.added(queued);
		if (message.delayMs > 0 || message.ttlMs !== null) instance.alarm.changed();
		return queued;
	}

	/**
	 * A message that had left the queue takes its old place again, with the next commit. One that came from
	 * another actor's queue, whose place here is another's or may be, is a new one.
	 */
	putBack(id: number, header: MessageHeader, body: Uint8Array): void {
		const message = this.data.add(header, body, this.data.wasGiven(id) ? id : undefined);
		this.deliveries.added(message);
		if (header.expiresAt !== null) this.#instance.alarm.changed();
	}

	/** Waits for what becomes of a message that was just added, or of one that was there. */
	waitFor(message: QueuedMessage, wait: WaitOptions): Promise<SendOutcome> {
		const { senders } = this.data;
		senders.assertRoom();
		const outcome = senders.wait(message, wait);
		if (this.#instance.isAborted) this.#interruptSenders();
		// Whoever waits hears of it, also where answers do not wait for the disk.
		this.#instance.committer.whenDurable((error) => {
			// One that is stored stays, whatever else failed: who waits for it goes on waiting.
			if (error === undefined || message.isStored) senders.stored(message);
			else senders.fail(message, error);
		});
		return outcome;
	}

	/** Throws `queue.full` when so many more are too many for the queue itself. */
	assertRoomFor(name: string, count: number): void {
		const putOff = this.#instance.durable?.sendsPutOff(name) ?? 0;
		assertRoomIn(this.#instance.config, this.data.index, name, count + putOff);
	}

	/** What waits, oldest first, without bodies; for the inspector (protocol 7.2). */
	summary(limit: number): QueueSummary {
		const { index } = this.data;
		const messages = [...index.all()]
			.sort((a, b) => a.id - b.id)
			.slice(0, limit)
			.map(({ id, header: { name, createdAt } }) => ({ id, name, createdAtMs: createdAt }));
		const { maxQueueSize } = this.#instance.options;
		const truncated = messages.length < index.size;
		return { size: index.size, maxSize: maxQueueSize, truncated, messages };
	}

	// Receiving

	/** Takes messages for a receiver; see {@link Deliveries.receive}. */
	receive(receiver: Receiver, request: ReceiveRequest): Promise<DeliveredMessage[]> {
		if (receiver.kind === "run") this.#wakeAlarm.received(request.names);
		return this.deliveries.receive(receiver, request);
	}

	/** Who receives when code with the actor's shared context does: its `run`, or some hook. */
	get currentReceiver(): Receiver {
		const scope = this.#instance.run?.scope;
		if (!scope?.isCurrent) {
			this.#loose ??= new Receiver("loose");
			return this.#loose;
		}
		if (this.#run?.scope !== scope) this.#run = { scope, receiver: new Receiver("run", { scope }) };
		return this.#run.receiver;
	}

	/** One attempt of `run` is over: what it did not complete is given back. */
	runEnded(scope: RunScope, succeeded: boolean): void {
		if (this.#run?.scope !== scope) return;
		this.deliveries.end(this.#run.receiver, succeeded);
		this.#run = null;
	}

	// The actor's life

	/** For the work ledger: an actor does not fall asleep over this (W-STOP-7). */
	waitingWork(): string | null {
		return this.deliveries.isBehind ? "a queue message that a receive waits for" : null;
	}

	/**
	 * The actor stops: nobody waits for messages any more, nor for what becomes of them. When it is destroyed,
	 * those senders still wait whose answer is on its way to the disk, or whose message is in somebody's hands.
	 */
	abort(): void {
		this.deliveries.abort();
		this.#interruptSenders();
	}

	stop(): void {
		this.deliveries.stop();
		this.giveUpSenders();
	}

	/** The actor is being destroyed: nothing becomes of its messages any more. */
	giveUpSenders(): void {
		const { senders } = this.data;
		senders.giveUp(this.#instance.actorId, senders.awaited);
	}

	/** A message is in its queue again, in nobody's hands. */
	placed(message: QueuedMessage): void {
		const { actorId, isAborted, stopIntent } = this.#instance;
		if (isAborted && stopIntent === "destroy") this.data.senders.giveUp(actorId, [message]);
	}

	#interruptSenders(): void {
		const { actorId, stopIntent } = this.#instance;
		const { senders, ended } = this.data;
		if (stopIntent !== "destroy") {
			senders.handOn(actorId);
			return;
		}
		const nothingMayBecomeOf = (message: QueuedMessage) =>
			message.place !== "held" && !ended.has(message);
		senders.giveUp(actorId, senders.awaited.filter(nothingMayBecomeOf));
	}

	// What the messages themselves ask (QueueOwner)

	now(): number {
		return this.#instance.now();
	}

	schedule(delayMs: number, fn: () => void): WheelTimer {
		return this.#instance.services.timers.schedule(delayMs, fn);
	}

	waitBegan(): void {
		const { work } = this.#instance;
		work.begin("sender");
		work.end("request");
	}

	waitEnded(): void {
		const { work } = this.#instance;
		work.begin("request");
		work.end("sender");
	}

	isDeadLetter(name: string): boolean {
		return isDeadLetterQueue(this.#instance.config, name);
	}

	wrote(): void {
		this.deliveries.noteOwnWrite();
		// Somebody waits for what the next commit says.
		if (this.data.hasEndings) this.#instance.committer.cutSoon();
	}

	take(batch: OpenBatch): void {
		this.deliveries.countDeliveries();
		this.data.take(batch);
	}

	committed(): void {
		const { data } = this;
		const before = data.nextAnswerTs;
		data.committed();
		if (before === null && data.nextAnswerTs !== null) this.#instance.alarm.changed();
	}

	rollBack(): void {
		this.data.rollBack();
		// Not within a commit that fails: what is handed out writes.
		this.#instance.services.turns.request({ endOfTurn: () => this.deliveries.offerAll() });
	}

	savepoint(scope: AtomicScope): Savepoint {
		return joinSavepoints([this.data.savepoint(scope), this.deliveries.savepoint(scope)]);
	}

	nextTs(): number | null {
		const { index, nextAnswerTs } = this.data;
		return earliest(index.nextDelayedTs, earliest(index.nextExpiryTs, nextAnswerTs));
	}

	/** For the actor's record; see {@link WakeAlarm}. */
	wakeTs(): number | null {
		return this.#wakeAlarm.ts;
	}

	due(): void {
		this.deliveries.refresh();
		this.data.dropOldAnswers();
		this.#instance.writes.saveSoon();
	}
}

function earliest(a: number | null, b: number | null): number | null {
	if (a === null || b === null) return a ?? b;
	return Math.min(a, b);
}
