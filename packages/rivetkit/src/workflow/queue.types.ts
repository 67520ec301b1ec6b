import type { QueueBody, QueueName } from "../actor/declarations.types.ts";
import type { QueueMessage, QueueSendArgs, ReceivedMessage } from "../actor/queue.types.ts";

export interface WorkflowQueueNextOptions<Names extends string, Completable extends boolean> {
	/** Queues to take from; all of them when empty or missing. */
	names?: readonly Names[] | undefined;
	/** Milliseconds from the first time the wait is reached. Missing: no limit. */
	timeout?: number | undefined;
	/** Whether the message stays stored until `complete`. Default false. */
	completable?: Completable | undefined;
	/** Allows the wait while a completable message of this scope is open. Default false. */
	allowOpen?: boolean | undefined;
}

export interface WorkflowQueueNextBatchOptions<Names extends string, Completable extends boolean>
	extends WorkflowQueueNextOptions<Names, Completable> {
	/** Most messages to take. Default 1; resolves as soon as there is one. */
	count?: number | undefined;
}

/**
 * Messages of the named queues, discriminated by `name`. Those that left the queue when they were taken have no
 * `complete`, which tells them apart where both kinds may come (workflows 12.3).
 */
export type WorkflowMessage<
	Queues,
	Names extends string,
	Completable extends boolean,
> = Completable extends true
	? ReceivedMessage<Queues, Names, true>
	: ReceivedMessage<Queues, Names, false> & { readonly complete?: undefined };

/** Sending from a workflow or a step; recorded, so that it happens once. */
export interface WorkflowQueueSender<Queues> {
	send<K extends QueueName<Queues>>(
		name: K,
		...args: QueueSendArgs<QueueBody<Queues, K>>
	): Promise<QueueMessage<K, QueueBody<Queues, K>>>;
}

/** `ctx.queue` (workflows 3.5). The first argument of a wait names its entry, not a queue. */
export interface WorkflowQueue<Queues> extends WorkflowQueueSender<Queues> {
	/** Waits for a message. Throws `QueueTimeoutError` after `timeout`. */
	next<
		const Names extends QueueName<Queues> = QueueName<Queues>,
		Completable extends boolean = false,
	>(
		name: string,
		options?: WorkflowQueueNextOptions<Names, Completable>,
	): Promise<WorkflowMessage<Queues, Names, Completable>>;
	/** Waits for at least one message; empty after `timeout`. */
	nextBatch<
		const Names extends QueueName<Queues> = QueueName<Queues>,
		Completable extends boolean = false,
	>(
		name: string,
		options?: WorkflowQueueNextBatchOptions<Names, Completable>,
	): Promise<WorkflowMessage<Queues, Names, Completable>[]>;
}
