import { RivetError, type WireError } from "@rivetkit/protocol";
import type { Outcome } from "../calls/call-log.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { type AdmittedMessage, admit, type SendOptions } from "./admission.ts";
import type { DedupedMessage } from "./dedupe-log.ts";
import type { SendOutcome } from "./kept-answers.ts";
import { QueuedMessage } from "./message.ts";
import { ownWaitKey } from "./sender-waits.ts";

export interface ClientSendOptions {
	readonly name: string;
	/** As decoded. */
	readonly body: unknown;
	readonly options: SendOptions;
	/** The client's name for this call, under which it may come again; null when it has none. */
	readonly callId: string | null;
	/** Set when the sender waits for the completion. */
	readonly wait: SenderPatience | null;
}

/** How long a sender waits. */
export interface SenderPatience {
	/** When the wait times out (ms since the epoch); null for never. */
	readonly deadlineMs: number | null;
	/** It does not wait at all: nothing is stored for it. */
	readonly isOver: boolean;
}

type Sent = QueuedMessage | DedupedMessage;

const STORED: SendOutcome = { status: "completed", response: null };
const TIMED_OUT: SendOutcome = { status: "timedOut" };
const DONE: Outcome = { ok: true, output: null };

/**
 * One message of a client on its way into a queue. Sent again with the same call id it is not stored
 * twice; a sender that waits finds its message again after a lost connection and in the actor's next
 * incarnation (lifecycle W-Q-5).
 */
export class ClientSend {
	readonly name: string;
	readonly #send: ClientSendOptions;
	/** Of the instance, when the message was taken in or found: what is rolled back since is lost. */
	#rollBacksBefore = 0;

	constructor(send: ClientSendOptions) {
		this.name = send.name;
		this.#send = send;
	}

	/** Resolves when the message is durable, or with what became of it. `signal`: the caller has gone. */
	async run(instance: ActorInstance, signal: () => AbortSignal): Promise<SendOutcome> {
		const { wait } = this.#send;
		if (wait) return this.#storeAndWait(instance, wait, signal());
		const lost = instance.writes.rolledBackSince(await this.#store(instance));
		if (lost) throw lost.error;
		await durable(instance);
		return STORED;
	}

	/** Returns the instance's `rollBackCount` of when the message was in. */
	async #store(instance: ActorInstance): Promise<number> {
		const { callId } = this.#send;
		if (callId === null) {
			await this.#enqueue(instance, null);
			return this.#rollBacksBefore;
		}
		return new Promise((resolve, reject) => {
			instance.calls.once(
				callId,
				instance.services.clock,
				(settle, refuse) => {
					const refused = (error: unknown) =>
						refuse({ ok: false, error: instance.describeError(error, { queue: this.name }) });
					try {
						const queued = this.#enqueue(instance, null);
						// In the commit of the message, if it can be: the answer to a repetition.
						if (!isPromiseLike(queued)) {
							settle(DONE);
							return;
						}
						queued.then(() => {
							const lost = instance.writes.rolledBackSince(this.#rollBacksBefore);
							if (lost) refused(lost.error);
							else settle(DONE);
						}, refused);
					} catch (error) {
						refused(error);
					}
				},
				(outcome) =>
					outcome.ok ? resolve(instance.writes.rollBackCount) : reject(asThrown(outcome.error)),
			);
		});
	}

	async #storeAndWait(
		instance: ActorInstance,
		patience: SenderPatience,
		signal: AbortSignal,
	): Promise<SendOutcome> {
		const { queue } = instance;
		const { senders, answers } = queue.data;
		const { callId, options } = this.#send;
		const waitKey = callId ?? ownWaitKey(instance.services.random.uuid(), options.dedupeKey);
		const wait = { waitKey, deadlineMs: patience.deadlineMs, signal };
		// The same send may be on its way in twice.
		for (let arriving = senders.arriving(waitKey); arriving; arriving = senders.arriving(waitKey)) {
			await arriving;
		}
		// Asked without a wait in between: what is not kept yet has its message still.
		const kept = answers.has(waitKey) ? await answers.get(waitKey) : null;
		if (kept) return kept;
		const known = senders.messageOf(waitKey);
		if (known) return queue.waitFor(known, wait);
		if (patience.isOver) return TIMED_OUT;
		senders.assertRoom();
		const queued = this.#enqueue(instance, waitKey);
		const message = isPromiseLike(queued) ? await senders.arrives(waitKey, queued) : queued;
		// Sent before under the same dedupe key, and handled since: perhaps in this very turn.
		if (!(message instanceof QueuedMessage)) {
			await durable(instance);
			return (await answers.ofMessage(message.id)) ?? STORED;
		}
		const lost = instance.writes.lostSince(this.#rollBacksBefore);
		if (lost) throw lost.error;
		const { givenUp } = message.header;
		if (givenUp) return { status: "givenUp", queue: givenUp.queue, attempts: givenUp.attempts };
		return queue.waitFor(message, wait);
	}

	/** The message that stands for this send; what is known of it when it was sent before, and handled since. */
	#enqueue(instance: ActorInstance, waitKey: string | null): Sent | Promise<Sent> {
		const { name, body, options } = this.#send;
		const admitted = admit(instance, name, body, options);
		return isPromiseLike(admitted)
			? admitted.then((message) => this.#add(instance, message, waitKey))
			: this.#add(instance, admitted, waitKey);
	}

	#add(
		instance: ActorInstance,
		message: AdmittedMessage,
		waitKey: string | null,
	): Sent | Promise<Sent> {
		const { queue } = instance;
		this.#rollBacksBefore = instance.writes.rollBackCount;
		const add = () => {
			const queued = queue.enqueue(message, waitKey);
			this.#rollBacksBefore = instance.writes.rollBackCount;
			return { queued, id: queued.id, createdAt: queued.header.createdAt };
		};
		if (message.dedupeKey === null) return add().queued;
		return queue.data.dedupe
			.once(message.name, message.dedupeKey, instance.now(), add)
			.then((sent) =>
				sent.isNew ? sent.sent.queued : (queue.data.index.get(sent.earlier.id) ?? sent.earlier),
			);
	}
}

function durable(instance: ActorInstance): Promise<void> {
	return new Promise((resolve, reject) => {
		instance.afterDurable((error) => (error === undefined ? resolve() : reject(error)));
	});
}

/** An error that was made ready for callers before, as one that can be thrown. */
function asThrown({ group, code, message, metadata, statusCode }: WireError): RivetError {
	return new RivetError(group, code, message, { public: true, statusCode, metadata });
}
