import { catalogueError } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { type AdmittedMessage, admit, admitResponse, readSendOptions } from "../queue/admission.ts";
import type { DeliveredMessage } from "../queue/deliveries.ts";
import { Delivery } from "../queue/delivery.ts";
import type { MessageHeader } from "../queue/message.ts";
import type { PendingReceive, ReceiveRequest, Settle } from "../queue/pending-receive.ts";
import { Receiver } from "../queue/receiver.ts";

/** What a durable wait asks for: a receive whose limit of time, if it has one, is a deadline of the run. */
export interface MessageWait extends ReceiveRequest {
	readonly timeoutMs: null;
}

/** A message in the hands of a durable run. */
export interface HeldMessage {
	readonly id: number;
	readonly name: string;
	/** CBOR. */
	readonly body: Uint8Array;
	readonly createdAt: number;
	readonly attempt: number;
	readonly header: MessageHeader;
}

export interface MessageWaiter {
	/** In one stretch with what it records: the messages leave the queue, or are leased, with that. */
	resolve(messages: HeldMessage[]): void;
	/** The actor stops. */
	reject(error: unknown): void;
}

/** What is known of a message that was sent. */
export interface SentMessage {
	readonly id: number;
	readonly createdAt: number;
}

/** A message that is sent with the record of whoever sends it. */
export interface PreparedSend {
	readonly admitted: AdmittedMessage;
}

/**
 * The actor's queue for a durable run. A plain message leaves the queue in the commit of what is recorded
 * when it is handed over; a completable one is leased: it stays, in nobody else's hands, over crashes too,
 * until it is completed or released.
 */
export class HeldMessages {
	readonly #instance: ActorInstance;
	readonly #receiver = new Receiver("durable");

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** When the first message was sent that a wait would get now; null when there is none. */
	firstCreatedAt(names: readonly string[] | null): number | null {
		const { queue } = this.#instance;
		queue.deliveries.refresh();
		return queue.data.index.first(names)?.header.createdAt ?? null;
	}

	/** Whether a message is in its queue, in somebody's hands or in nobody's. */
	isQueued({ id, name }: Pick<HeldMessage, "id" | "name">): boolean {
		return this.#instance.queue.data.index.get(id)?.header.name === name;
	}

	/** Takes what there is, or waits for it. Aborting what is returned ends the wait. */
	receive(wait: MessageWait, waiter: MessageWaiter): PendingReceive {
		const { deliveries } = this.#instance.queue;
		return deliveries.begin(this.#receiver, wait, new Handover(waiter));
	}

	/** Checks what is to be sent. Throws as `c.queue.send` does. */
	prepare(name: string, body: unknown, options?: unknown): PreparedSend | Promise<PreparedSend> {
		this.#instance.assertAllowed("queue.send");
		if (typeof name !== "string" || name === "") {
			throw catalogueError("queue.invalid_option", {
				option: "name",
				expected: "the name of a queue",
				found: String(name),
			});
		}
		const admitted = admit(this.#instance, name, body, readSendOptions(options));
		return isPromiseLike(admitted)
			? admitted.then((message) => ({ admitted: message }))
			: { admitted };
	}

	/** The id that the message of a send will have. */
	reserveId(): number {
		return this.#instance.queue.data.reserveId();
	}

	/** Throws `queue.full`. */
	assertRoom(name: string): void {
		this.#instance.queue.assertAdmits(name);
	}

	/** Adds a message to the next commit that was found to have room before. */
	send({ admitted }: PreparedSend, id?: number): SentMessage {
		const message = this.#instance.queue.add(admitted, null, id);
		return { id: message.id, createdAt: message.header.createdAt };
	}

	/**
	 * As {@link send}, unless a message with this dedupe key was sent before: then that one. `sent` is called
	 * in one stretch with the sending.
	 */
	async sendOnce(
		prepared: PreparedSend,
		sent: (message: SentMessage) => void,
	): Promise<SentMessage> {
		const { name, dedupeKey } = prepared.admitted;
		const { data } = this.#instance.queue;
		const outcome = await data.dedupe.once(name, dedupeKey!, this.#instance.now(), () => {
			this.assertRoom(name);
			const message = this.send(prepared);
			sent(message);
			return message;
		});
		if (outcome.isNew) return outcome.sent;
		const { id, createdAt } = outcome.earlier;
		sent({ id, createdAt });
		return { id, createdAt };
	}

	/** A response as it is stored. Throws `queue.invalid_completion_payload`. */
	admitResponse(name: string, response: unknown): Uint8Array | null | Promise<Uint8Array | null> {
		return admitResponse(this.#instance, name, response);
	}

	/** Removes a leased message with the next commit, whose sender is answered then. */
	complete(id: number, response: Uint8Array | null): void {
		const delivery = this.#lease(id);
		if (delivery) this.#instance.queue.deliveries.complete(delivery, response);
	}

	/** Gives a leased message back with the next commit; the delivery counts. */
	release(id: number): void {
		const delivery = this.#lease(id);
		if (delivery) this.#instance.queue.deliveries.release(delivery);
	}

	/**
	 * Removes a message with the next commit as if it had never been sent: nobody is answered for it. One that has left
	 * the queue, is a dead letter, or is in other hands than those of this run stays as it is; with `isFreeOnly` also
	 * one that this run holds.
	 */
	withdraw(id: number, { isFreeOnly }: { isFreeOnly: boolean }): void {
		const { data, deliveries } = this.#instance.queue;
		const message = data.index.get(id);
		if (message === undefined || message.header.givenUp !== null) return;
		if (message.place === "held" && (isFreeOnly || this.#lease(id) === null)) return;
		deliveries.withdraw(message);
	}

	/** Gives back all leases that an earlier incarnation or this one holds. */
	releaseAll(): void {
		for (const message of [...this.#instance.queue.data.index.all()]) {
			if (message.header.leased) this.release(message.id);
		}
	}

	/** A plain message that was received is put back at its old place. */
	putBack({ id, header, body }: HeldMessage): void {
		this.#instance.queue.putBack(id, header, body);
	}

	/** Null when the message is gone, or is in the queue again. */
	#lease(id: number): Delivery | null {
		const message = this.#instance.queue.data.index.get(id);
		if (message?.place !== "held") return null;
		if (message.delivery)
			return message.delivery.receiver === this.#receiver ? message.delivery : null;
		if (!message.header.leased) return null;
		// Leased by an earlier incarnation, which has counted the delivery.
		const delivery = new Delivery(message, this.#receiver, true, message.header.attempt);
		message.delivery = delivery;
		this.#receiver.held.add(delivery);
		return delivery;
	}
}

/** Hands what was delivered to a durable run. */
class Handover implements Settle {
	readonly #waiter: MessageWaiter;

	constructor(waiter: MessageWaiter) {
		this.#waiter = waiter;
	}

	resolve(delivered: DeliveredMessage[]): void {
		this.#waiter.resolve(delivered.map(held));
	}

	reject(error: unknown): void {
		this.#waiter.reject(error);
	}
}

function held({ delivery, body }: DeliveredMessage): HeldMessage {
	const { message, attempt } = delivery;
	const { name, createdAt } = message.header;
	return { id: message.id, name, body, createdAt, attempt, header: message.header };
}
