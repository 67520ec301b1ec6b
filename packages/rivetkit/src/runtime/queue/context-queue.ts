import { catalogueError, decodeCbor, RivetError } from "@rivetkit/protocol";
import type { Operation } from "../context/permissions.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { type AdmittedMessage, admit, admitResponse, readSendOptions } from "./admission.ts";
import { type DeadLetterView, listDeadLetters, redrive } from "./dead-letters.ts";
import type { DeliveredMessage } from "./deliveries.ts";
import type { Delivery } from "./delivery.ts";
import type { QueuedMessage } from "./message.ts";
import type { ReceiveRequest } from "./pending-receive.ts";
import { readDeadLetterOptions, readReceiveOptions } from "./receive-options.ts";
import { Receiver } from "./receiver.ts";

/** A message as users see it; completable ones have `complete` and `release` besides. */
interface UserMessage {
	readonly id: bigint;
	readonly name: string;
	readonly body: unknown;
	readonly createdAt: number;
	readonly attempt: number;
}

/** `c.queue` of one context (contract: api 9). */
export class ContextQueue {
	readonly #instance: ActorInstance;
	readonly #era: number;
	/** Of a context with an end of its own; null for the one that hooks and `run` share. */
	readonly #receiver: Receiver | null;

	constructor(instance: ActorInstance, kind: "call" | "shared") {
		this.#instance = instance;
		this.#era = instance.era;
		const { rollbackOnError } = instance.options;
		this.#receiver =
			kind === "call" ? new Receiver("call", { decidesAtEnd: rollbackOnError }) : null;
	}

	async send(name: string, body?: unknown, options?: unknown): Promise<UserMessage> {
		const instance = this.#instance;
		this.#assertAllowed("queue.send");
		if (typeof name !== "string" || name === "") {
			throw catalogueError("queue.invalid_option", {
				option: "name",
				expected: "the name of a queue",
				found: String(name),
			});
		}
		const admitted = admit(instance, name, body, readSendOptions(options));
		const message = isPromiseLike(admitted) ? await admitted : admitted;
		if (message.dedupeKey === null) return sentMessage(this.#enqueue(message), message.body);
		const { queue } = instance;
		const sent = await queue.data.dedupe.once(name, message.dedupeKey, instance.now(), () => {
			const { id, header } = this.#enqueue(message);
			return { id, createdAt: header.createdAt };
		});
		const { id, createdAt } = sent.isNew ? sent.sent : sent.earlier;
		const earlier = sent.isNew ? undefined : queue.data.index.get(id);
		const stored = earlier && (await queue.data.bodyOf(earlier));
		return {
			id: BigInt(id),
			name,
			// Of one that has left its queue nobody has it any more.
			body: stored ? decodeCbor(stored) : message.body,
			createdAt,
			attempt: earlier?.header.attempt ?? 0,
		};
	}

	async next(options?: unknown): Promise<UserMessage | undefined> {
		const [message] = await this.#receive("queue.next", this.#read("next", options));
		return message;
	}

	async nextBatch(options?: unknown): Promise<UserMessage[]> {
		return this.#receive("queue.next", this.#read("nextBatch", options));
	}

	async tryNext(options?: unknown): Promise<UserMessage | undefined> {
		const request = { ...this.#read("tryNext", options), timeoutMs: 0 };
		const [message] = await this.#receive("queue.tryNext", request);
		return message;
	}

	async tryNextBatch(options?: unknown): Promise<UserMessage[]> {
		const request = { ...this.#read("tryNextBatch", options), timeoutMs: 0 };
		return this.#receive("queue.tryNext", request);
	}

	iter(options?: unknown): AsyncIterableIterator<UserMessage> {
		let isLeft = false;
		const request = { ...this.#read("iter", options), isCalledOff: () => isLeft };
		return new MessageIterator(
			() => this.#deliver("queue.next", request),
			(delivered) => this.#userMessage(delivered),
			(last) => {
				isLeft = true;
				// Of an earlier era everything has been given back.
				if (this.#era !== this.#instance.era) return;
				const { deliveries } = this.#instance.queue;
				deliveries.callOff(request);
				if (last?.completable && last.isHeld) deliveries.release(last);
			},
		);
	}

	size(name?: string): number {
		this.#assertAllowed("queue.send");
		const { index } = this.#instance.queue.data;
		return name === undefined ? index.size : index.sizeOf(name);
	}

	async deadLetters(options?: unknown): Promise<DeadLetterView[]> {
		const choice = readDeadLetterOptions(options, ["queue", "limit"]);
		this.#assertAllowed("queue.send");
		return listDeadLetters(this.#instance.queue, choice);
	}

	async redrive(options?: unknown): Promise<number> {
		const choice = readDeadLetterOptions(options, ["queue", "limit", "ids"]);
		this.#assertAllowed("queue.send");
		const count = redrive(this.#instance.queue, choice);
		if (!this.#instance.inCall) this.#instance.writes.saveSoon();
		return count;
	}

	/** The context comes to its end: what it received is decided upon. */
	end(succeeded: boolean): void {
		if (this.#receiver) this.#instance.queue.deliveries.end(this.#receiver, succeeded);
	}

	#assertAllowed(operation: Operation): void {
		this.#instance.assertCurrent(this.#era);
		this.#instance.assertAllowed(operation);
	}

	#read(form: Parameters<typeof readReceiveOptions>[1], options: unknown): ReceiveRequest {
		return readReceiveOptions(this.#instance, form, options);
	}

	/** A message of the actor's own: what it was handling leaves the queue with it. */
	#enqueue(message: AdmittedMessage): QueuedMessage {
		const instance = this.#instance;
		const queued = instance.queue.enqueue(message);
		instance.committer.markDirty();
		if (!instance.inCall) instance.writes.saveSoon();
		return queued;
	}

	async #receive(
		operation: "queue.next" | "queue.tryNext",
		request: ReceiveRequest,
	): Promise<UserMessage[]> {
		const delivered = await this.#deliver(operation, request);
		return delivered.map((message) => this.#userMessage(message));
	}

	#deliver(
		operation: "queue.next" | "queue.tryNext",
		request: ReceiveRequest,
	): Promise<DeliveredMessage[]> {
		const instance = this.#instance;
		// A loop that comes back for more while the actor stops ends as one that was waiting does.
		if (operation === "queue.next" && instance.isAborted && instance.acceptsWork) {
			return Promise.reject(catalogueError("actor.aborted", {}));
		}
		this.#assertAllowed(operation);
		const { queue } = instance;
		return queue.receive(this.#receiver ?? queue.currentReceiver, request);
	}

	#userMessage({ delivery, body }: DeliveredMessage): UserMessage {
		const { message, attempt, completable } = delivery;
		const { name, createdAt } = message.header;
		const plain = {
			id: BigInt(message.id),
			name,
			body: decodeCbor(body),
			createdAt,
			attempt,
		};
		if (!completable) return plain;
		const completion = {
			complete: (response?: unknown) => this.#complete(delivery, name, response),
			release: () => this.#release(delivery),
		};
		return { ...plain, ...completion };
	}

	async #complete(delivery: Delivery, name: string, response: unknown): Promise<void> {
		this.#instance.assertCurrent(this.#era);
		const { deliveries } = this.#instance.queue;
		deliveries.assertHeld(delivery);
		const admitted = admitResponse(this.#instance, name, response);
		deliveries.complete(delivery, isPromiseLike(admitted) ? await admitted : admitted);
	}

	async #release(delivery: Delivery): Promise<void> {
		this.#instance.assertCurrent(this.#era);
		const { deliveries } = this.#instance.queue;
		deliveries.assertHeld(delivery);
		deliveries.release(delivery);
	}
}

function sentMessage({ id, header }: QueuedMessage, body: unknown): UserMessage {
	const { name, createdAt } = header;
	return { id: BigInt(id), name, body, createdAt, attempt: 0 };
}

/**
 * Messages one after the other until the actor stops. Leaving the loop releases a completable message
 * that is not completed (ruling 11), and ends a `next()` that still waits. A plain message stays in its
 * receiver's hands: `break` and a throw look the same from here, and what comes next tells them apart.
 */
class MessageIterator implements AsyncIterableIterator<UserMessage> {
	readonly #deliver: () => Promise<DeliveredMessage[]>;
	readonly #userMessage: (delivered: DeliveredMessage) => UserMessage;
	readonly #leave: (last: Delivery | null) => void;
	#current: Delivery | null = null;
	#isDone = false;

	constructor(
		deliver: () => Promise<DeliveredMessage[]>,
		userMessage: (delivered: DeliveredMessage) => UserMessage,
		leave: (last: Delivery | null) => void,
	) {
		this.#deliver = deliver;
		this.#userMessage = userMessage;
		this.#leave = leave;
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	async next(): Promise<IteratorResult<UserMessage, undefined>> {
		if (this.#isDone) return END;
		try {
			const [delivered] = await this.#deliver();
			this.#current = delivered!.delivery;
			return { done: false, value: this.#userMessage(delivered!) };
		} catch (error) {
			this.#isDone = true;
			if (isAborted(error)) return END;
			throw error;
		}
	}

	async return(): Promise<IteratorResult<UserMessage, undefined>> {
		this.#isDone = true;
		this.#leave(this.#current);
		return END;
	}
}

const END: IteratorResult<UserMessage, undefined> = { done: true, value: undefined };

function isAborted(error: unknown): boolean {
	return error instanceof RivetError && error.group === "actor" && error.code === "aborted";
}
