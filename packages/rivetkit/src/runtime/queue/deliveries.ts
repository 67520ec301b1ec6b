import { catalogueError } from "@rivetkit/protocol";
import { type ErasedQueue, queueDeclaration } from "../../actor/erased.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import type { AtomicScope, Savepoint } from "../commit/batch-part.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import { AtomicDecisions } from "./atomic-decisions.ts";
import { giveUp } from "./dead-lettering.ts";
import { Delivery } from "./delivery.ts";
import { DeliveryRecorder } from "./delivery-recorder.ts";
import { COMPLETED } from "./kept-answers.ts";
import { DELIVERIES_PER_TURN_MAX, RECEIVES_WAITING_MAX } from "./limits.ts";
import type { QueuedMessage } from "./message.ts";
import { PendingReceive, type ReceiveRequest, type Settle } from "./pending-receive.ts";
import type { QueueData } from "./queue-data.ts";
import type { Receiver } from "./receiver.ts";
import { isExhausted, retryDelayMs } from "./retry-policy.ts";

/** A message in its receiver's hands, with its body. */
export interface DeliveredMessage {
	readonly delivery: Delivery;
	/** CBOR. */
	readonly body: Uint8Array;
}

/**
 * Hands messages out and takes them back (contract: lifecycle 12.2, 12.3).
 *
 * - D1. A message is in one receiver's hands at most.
 * - D2. A plain message leaves the queue with the first write its receiver makes after it, or when the
 *   receiver asks for more or comes to its end, in the commit of that; a receiver that fails before that
 *   gives it back (W-Q-1).
 * - D3. A completable message is handed out when the count of its deliveries is durable, so that a message
 *   that kills its consumer is counted too. It leaves the queue when it is completed.
 * - D4. Receives that wait are served in the order they began to.
 * - D5. What a `c.atomic` sends, completes and releases, and what its writes make final, waits for its end
 *   ({@link AtomicDecisions}).
 */
export class Deliveries {
	readonly #instance: ActorInstance;
	readonly #data: QueueData;
	readonly #waiting = new SparseSet<PendingReceive>();
	/** Receives whose messages are on their way to them. */
	readonly #serving = new SparseSet<PendingReceive>();
	/** Receivers with plain messages that are not decided upon. */
	readonly #undecided = new SparseSet<Receiver>();
	/** Plain deliveries that are not counted in the store yet. */
	readonly #uncounted = new SparseSet<Delivery>();
	#countTimer: WheelTimer | null = null;
	#handedOutThisTurn = 0;
	#isOwnWrite = false;
	/** Of the `c.atomic` that is under way. */
	#atomic: AtomicDecisions | null = null;

	/** Null when nothing is recorded. */
	readonly #recorder: DeliveryRecorder | null;

	constructor(instance: ActorInstance, data: QueueData) {
		this.#instance = instance;
		this.#data = data;
		this.#recorder = instance.telemetry && new DeliveryRecorder(instance.telemetry);
	}

	/** Receives that wait for a message. */
	get waitingCount(): number {
		return this.#waiting.size;
	}

	/** A `c.atomic` begins. */
	savepoint(scope: AtomicScope): Savepoint {
		const decisions = new AtomicDecisions(scope, () => {
			this.#atomic = null;
		});
		this.#atomic = decisions;
		decisions.putOff(() => {
			for (const receiver of decisions.writers) if (!receiver.isOver) this.#settleAll(receiver);
		});
		return decisions;
	}

	/** Puts off what the `c.atomic` decides that is running; null when none is. */
	get decisions(): AtomicDecisions | null {
		return this.#atomic?.isRunning ? this.#atomic : null;
	}

	/** A message was sent. It may be handed out at once, before it is durable. */
	added(message: QueuedMessage): void {
		const { index } = this.#data;
		const { decisions } = this;
		if (decisions) {
			index.hold(message);
			decisions.putOff(
				() => {
					if (message.place === "held") this.#putBack(message);
				},
				() => this.#data.takeBack(message),
			);
		} else if (message.place === "ready") {
			this.offer(message);
		}
	}

	/** Takes what there is; waits for it when the request says so and there is nothing. */
	async receive(receiver: Receiver, request: ReceiveRequest): Promise<DeliveredMessage[]> {
		if (this.decisions) throw catalogueError("atomic.no_receive", {});
		if (receiver.hasOpenMessage) throw catalogueError("queue.previous_message_not_completed", {});
		this.#settleAll(receiver);
		const wasOver = receiver.isOver;
		if (this.#handedOutThisTurn >= DELIVERIES_PER_TURN_MAX) await this.#nextTurn();
		const mayWait = request.timeoutMs === null || request.timeoutMs > 0;
		const isCalledOff =
			request.signal?.aborted || request.isCalledOff?.() || receiver.isOver !== wasOver;
		if (isCalledOff || (mayWait && this.#instance.isAborted)) {
			throw catalogueError("actor.aborted", {});
		}
		this.#instance.assertWritable();
		this.refresh();
		const messages = this.#take(request);
		if (messages.length === 0 && !mayWait) return [];
		return new Promise((resolve, reject) => {
			const pending = new PendingReceive(receiver, request, { resolve, reject });
			this.#recorder?.receives(pending);
			if (messages.length > 0) this.#serve(pending, messages);
			else this.#wait(pending);
		});
	}

	/** Ends the receives of this very request that are not over, as their signal would. */
	callOff(request: ReceiveRequest): void {
		for (const pending of [...this.#waiting, ...this.#serving]) {
			if (pending.request === request) pending.abort();
		}
	}

	/** As {@link receive} without a limit of time, for a receiver that takes no more than it can handle. */
	begin(receiver: Receiver, request: ReceiveRequest, settle: Settle): PendingReceive {
		this.#instance.assertWritable();
		this.refresh();
		const messages = this.#take(request);
		const pending = new PendingReceive(receiver, request, settle);
		this.#recorder?.receives(pending);
		if (messages.length > 0) this.#serve(pending, messages);
		else this.#wait(pending);
		return pending;
	}

	/** A message became ready: receives that wait for it are served, until one has it. */
	offer(message: QueuedMessage): void {
		if (this.#waiting.size === 0) return;
		this.refresh();
		for (const pending of this.#waiting) {
			if (message.place !== "ready") return;
			if (this.#accepts(pending.request, message.header.name)) this.#serveWaiting(pending);
		}
	}

	/** Serves every receive that waits for something that is there. */
	offerAll(): void {
		this.refresh();
		this.#serveAllWaiting();
	}

	#serveAllWaiting(): void {
		for (const pending of this.#waiting) this.#serveWaiting(pending);
	}

	#serveWaiting(pending: PendingReceive): void {
		const messages = this.#take(pending.request);
		if (messages.length > 0) this.#serve(pending, messages);
	}

	/** Whether a receive waits although there is a message for it. */
	get isBehind(): boolean {
		for (const { request } of this.#waiting) if (this.#data.index.first(request.names)) return true;
		return false;
	}

	/**
	 * Makes the messages ready whose time has come, and drops those whose time is over. To be called before
	 * messages are taken, so that none is early or late because a timer is. Those who wait come before the one
	 * who asks: they are served when every message is where it belongs.
	 */
	refresh(): void {
		const now = this.#instance.now();
		const { index } = this.#data;
		let isMoreReady = false;
		for (let due = index.takeDue(now); due; due = index.takeDue(now)) {
			index.place(due, now);
			isMoreReady = true;
		}
		for (let over = index.takeExpired(now); over; over = index.takeExpired(now)) {
			if (over.place !== "held") this.#expire(over);
		}
		if (isMoreReady) this.#serveAllWaiting();
	}

	/** Something of the actor was written: what the writer has received before that is final (D2). */
	wrote(): void {
		if (this.#isOwnWrite || this.#undecided.size === 0) return;
		const runScope = this.#instance.run?.scope ?? null;
		for (const receiver of this.#undecided) {
			if (!receiver.isWriting(runScope)) continue;
			const { decisions } = this;
			if (decisions) decisions.writers.add(receiver);
			else this.#settleAll(receiver);
		}
	}

	/** Notes a write that is nobody's decision over what was received. */
	noteOwnWrite(): void {
		this.#isOwnWrite = true;
		this.#instance.committer.markDirty();
		this.#isOwnWrite = false;
	}

	/**
	 * Removes a completable message and answers its sender. Throws `queue.already_completed` unless the
	 * delivery still holds it, `queue.invalid_completion_payload`, and `actor.stopping`.
	 */
	complete(delivery: Delivery, response: Uint8Array | null): void {
		this.assertHeld(delivery);
		this.#decide(delivery, () => {
			delivery.receiver.held.delete(delivery);
			if (!delivery.isHeld) return;
			this.#recorder?.over(delivery, "completed");
			this.#data.remove(delivery.message, { status: "completed", response });
			this.#committedSoon();
		});
	}

	assertHeld(delivery: Delivery): void {
		this.#instance.assertWritable();
		const isDecided = this.#atomic?.decided.has(delivery);
		if (isDecided || !delivery.isHeld) throw catalogueError("queue.already_completed", {});
	}

	/** Gives a message back that its receiver did not complete; the delivery counts. */
	release(delivery: Delivery): void {
		this.#decide(delivery, () => this.#release(delivery));
	}

	/** Removes a message that nobody waits for, whether somebody holds it or not. */
	withdraw(message: QueuedMessage): void {
		const { delivery } = message;
		if (delivery) {
			delivery.receiver.held.delete(delivery);
			this.#recorder?.over(delivery, "released");
		}
		this.#data.remove(message, COMPLETED);
		this.#committedSoon();
	}

	/** Does `decision` now, or with the end of the `c.atomic` that is running. */
	#decide(delivery: Delivery, decision: () => void): void {
		const { decisions } = this;
		if (!decisions) {
			decision();
			return;
		}
		decisions.decided.add(delivery);
		// Its receiver may have come to its end, and left it to this decision.
		decisions.putOff(decision, () => {
			if (delivery.receiver.isOver) this.#release(delivery);
		});
	}

	#release(delivery: Delivery): void {
		const { message, receiver } = delivery;
		receiver.held.delete(delivery);
		this.#uncounted.delete(delivery);
		this.#leaveUndecided(receiver);
		if (!delivery.isHeld) return;
		this.#recorder?.over(delivery, "released");
		const now = this.#instance.now();
		const delayMs = retryDelayMs(this.#declaration(message), delivery.attempt);
		this.#count(delivery, delayMs > 0 ? now + delayMs : message.header.availableAt);
		if (message.header.leased) this.#data.change(message, { leased: false });
		this.#putBack(message);
		this.#committedSoon();
	}

	/** The receiver comes to its end: what it holds is decided upon. Afterwards it is a loose one. */
	end(receiver: Receiver, succeeded: boolean): void {
		if (receiver.kind === "loose" || receiver.kind === "durable") return;
		for (const pending of [...receiver.pending]) pending.abort();
		if (succeeded) this.#settleAll(receiver);
		for (const delivery of [...receiver.held]) {
			if (!this.#atomic?.decided.has(delivery)) this.#release(delivery);
		}
		receiver.kind = "loose";
		receiver.isOver = true;
	}

	/** The actor stops: receives that wait end, and those that are being served give back. */
	abort(): void {
		for (const pending of [...this.#waiting]) pending.abort();
		for (const pending of [...this.#serving]) pending.abort();
	}

	/** After {@link abort}: nothing of this has a timer any more. */
	stop(): void {
		this.#countTimer?.cancel();
	}

	/** Counts the deliveries of plain messages that are still undecided; for the next commit. */
	countDeliveries(): void {
		if (this.#uncounted.size === 0) return;
		for (const delivery of this.#uncounted) {
			const { message, attempt } = delivery;
			const delayMs = retryDelayMs(this.#declaration(message), attempt);
			const { availableAt } = message.header;
			this.#count(delivery, delayMs > 0 ? this.#instance.now() + delayMs : availableAt);
		}
		this.#uncounted.clear();
	}

	/** Gives up a message whose deliveries are used up, or hands it out again later. */
	#putBack(message: QueuedMessage): void {
		const { index } = this.#data;
		const now = this.#instance.now();
		const { attempt, expiresAt } = message.header;
		message.delivery = null;
		if (isExhausted(this.#declaration(message), attempt)) {
			this.giveUp(message);
		} else if (expiresAt !== null && expiresAt <= now) {
			this.#expire(message);
		} else {
			index.place(message, now);
			if (message.place === "ready") this.offer(message);
			this.#instance.alarm.changed();
			this.#instance.queue.placed(message);
		}
	}

	/** Moves a message to the dead-letter queue of its queue, or drops it when there is none. */
	giveUp(message: QueuedMessage): void {
		if (giveUp(this.#instance, this.#data, message)) this.offer(message);
	}

	#expire(message: QueuedMessage): void {
		const { name, createdAt } = message.header;
		this.#instance.log.debug(
			{ queue: name, messageId: message.id, createdAt },
			"a queue message was not received within its time to live and is dropped",
		);
		this.#data.remove(message, { status: "timedOut" });
	}

	#take({ names, count }: ReceiveRequest): QueuedMessage[] {
		const { index } = this.#data;
		const messages: QueuedMessage[] = [];
		while (messages.length < count) {
			const message = index.first(names);
			if (!message) break;
			index.hold(message);
			messages.push(message);
		}
		return messages;
	}

	#accepts({ names }: ReceiveRequest, name: string): boolean {
		return names === null ? !this.#data.isDeadLetter(name) : names.includes(name);
	}

	#wait(pending: PendingReceive): void {
		const instance = this.#instance;
		if (this.#waiting.size >= RECEIVES_WAITING_MAX) {
			pending.reject(catalogueError("queue.too_many_waits", { limit: RECEIVES_WAITING_MAX }));
			return;
		}
		this.#waiting.add(pending);
		instance.beginRunWait();
		pending.wait(instance.services.timers, this);
	}

	/** A receive does not wait any more. */
	waitEnded(pending: PendingReceive): void {
		this.#waiting.delete(pending);
		this.#instance.endRunWait();
	}

	#serve(pending: PendingReceive, messages: readonly QueuedMessage[]): void {
		const { receiver, request } = pending;
		const deliveries = messages.map((message) => {
			const delivery = new Delivery(message, receiver, request.completable);
			message.delivery = delivery;
			return delivery;
		});
		this.#serving.add(pending);
		pending.serve(() => {
			this.#serving.delete(pending);
			this.#giveBack(deliveries);
		});
		if (request.completable) this.#countFirst(pending, deliveries);
		else this.#readBodies(pending, deliveries);
	}

	/** D3. A message is available again if this process ends before it is completed. */
	#countFirst(pending: PendingReceive, deliveries: readonly Delivery[]): void {
		const instance = this.#instance;
		const now = instance.now();
		const isLease = pending.receiver.kind === "durable";
		for (const delivery of deliveries) {
			const { message, attempt } = delivery;
			const delayMs = retryDelayMs(this.#declaration(message), attempt);
			this.#count(delivery, delayMs > 0 ? now + delayMs : message.header.availableAt);
			if (isLease) this.#data.change(message, { leased: true });
		}
		if (isLease) {
			// Counted in the commit of what its receiver records, which waits for that before it works.
			this.#readBodies(pending, deliveries);
			return;
		}
		instance.afterDurable((error) => {
			if (pending.isOver) return;
			if (error === undefined) this.#readBodies(pending, deliveries);
			else this.#failed(pending, deliveries, error);
		});
	}

	#readBodies(pending: PendingReceive, deliveries: readonly Delivery[]): void {
		const read = this.#data.bodies.read(deliveries.map(({ message }) => message));
		if (Array.isArray(read)) {
			this.#handOut(pending, deliveries, read);
			return;
		}
		read.then(
			(bodies) => {
				if (!pending.isOver) this.#handOut(pending, deliveries, bodies);
			},
			(error: unknown) => {
				if (!pending.isOver) this.#failed(pending, deliveries, error);
			},
		);
	}

	#failed(pending: PendingReceive, deliveries: readonly Delivery[], error: unknown): void {
		this.#serving.delete(pending);
		pending.reject(error);
		this.#giveBack(deliveries);
	}

	#handOut(
		pending: PendingReceive,
		deliveries: readonly Delivery[],
		bodies: readonly Uint8Array[],
	): void {
		const { receiver } = pending;
		this.#serving.delete(pending);
		for (const delivery of deliveries) {
			receiver.held.add(delivery);
			if (!delivery.completable) this.#undecide(delivery);
			this.#recorder?.handedOut(delivery, pending);
		}
		this.#countHandedOut(deliveries.length);
		pending.resolve(deliveries.map((delivery, index) => ({ delivery, body: bodies[index]! })));
		// What it does next belongs to the same turn, and so to the same commit.
		if (receiver.kind === "loose" || receiver.kind === "durable") this.#settleAll(receiver);
	}

	#undecide(delivery: Delivery): void {
		this.#undecided.add(delivery.receiver);
		this.#onWrite ??= () => this.wrote();
		this.#instance.committer.onWrite = this.#onWrite;
		this.#uncounted.add(delivery);
		if (this.#countTimer) return;
		const { timers } = this.#instance.services;
		this.#countTimer = timers.schedule(this.#instance.options.stateSaveInterval, () => {
			this.#countTimer = null;
			if (this.#uncounted.size === 0 || !this.#instance.isReady) return;
			this.countDeliveries();
			this.#instance.committer.cutSoon();
		});
	}

	#onWrite: (() => void) | null = null;

	#leaveUndecided(receiver: Receiver): void {
		if (receiver.hasPlainMessage) return;
		this.#undecided.delete(receiver);
		if (this.#undecided.size === 0) this.#instance.committer.onWrite = null;
	}

	/** The plain messages of a receiver are handled: they leave with the next commit. */
	#settleAll(receiver: Receiver): void {
		let settled = false;
		for (const delivery of receiver.held) {
			if (delivery.completable) continue;
			receiver.held.delete(delivery);
			this.#uncounted.delete(delivery);
			if (!delivery.isHeld) continue;
			this.#recorder?.over(delivery, "completed");
			this.#data.remove(delivery.message, COMPLETED);
			settled = true;
		}
		this.#leaveUndecided(receiver);
		if (settled) this.#committedSoon();
	}

	/** Undoes a delivery that its receiver never heard of. */
	#giveBack(deliveries: readonly Delivery[]): void {
		for (const delivery of deliveries) {
			if (!delivery.isHeld) continue;
			const { message, attempt, availableAt } = delivery;
			if (message.header.attempt === attempt) {
				this.#data.change(message, { attempt: attempt - 1, availableAt });
			}
			if (message.header.leased) this.#data.change(message, { leased: false });
			this.#putBack(message);
		}
	}

	#count({ message, attempt }: Delivery, availableAt: number): void {
		const { header } = message;
		if (header.attempt === attempt && header.availableAt === availableAt) return;
		this.#data.change(message, { attempt, availableAt });
	}

	/** Ends of messages are not left to the next save: until then a crash would hand them out again. */
	#committedSoon(): void {
		this.#instance.committer.cutSoon();
	}

	#countHandedOut(count: number): void {
		if (this.#handedOutThisTurn === 0) {
			this.#instance.services.turns.request({
				endOfTurn: () => {
					this.#handedOutThisTurn = 0;
				},
			});
		}
		this.#handedOutThisTurn += count;
	}

	#nextTurn(): Promise<void> {
		return new Promise((resolve) => {
			this.#instance.services.turns.request({ endOfTurn: resolve });
		});
	}

	#declaration({ header: { name } }: QueuedMessage): ErasedQueue | undefined {
		return queueDeclaration(this.#instance.config, name);
	}
}
