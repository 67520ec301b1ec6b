import type { QueueBody, QueueCompletion, QueueName } from "./declarations.types.ts";

/** A message taken from a queue, or just sent to one. */
export interface QueueMessage<Name extends string = string, Body = unknown> {
	/** Unique and increasing within the actor, over all its queues. */
	readonly id: bigint;
	readonly name: Name;
	readonly body: Body;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	/** How often the message has been handed out, this time included; 0 before the first time. */
	readonly attempt: number;
}

/**
 * The argument of `complete`: of the declared type, left out when that includes undefined; any value or
 * none when the queue declares no completion type.
 */
export type CompletionArgs<R> = [R] extends [never]
	? [response?: unknown]
	: undefined extends R
		? [response?: R]
		: [response: R];

/** A message that stays stored until it is completed (api 9). */
export interface CompletableQueueMessage<Name extends string = string, Body = unknown, R = never>
	extends QueueMessage<Name, Body> {
	/**
	 * Deletes the message and answers the sender that waits for it.
	 *
	 * Throws `queue.already_completed` the second time, and `queue.invalid_completion_payload` when the
	 * queue's `complete` schema refuses the response; then the message stays uncompleted.
	 */
	complete(...args: CompletionArgs<R>): Promise<void>;
	/** Makes the message visible to others again without completing it. It keeps its place. */
	release(): Promise<void>;
}

type Selected<Q, Names extends string> = [Names] extends [never] ? QueueName<Q> : Names;

/** Messages of the named queues, discriminated by `name`. */
export type ReceivedMessage<Q, Names extends string, Completable extends boolean> = {
	[K in Selected<Q, Names>]: Completable extends true
		? CompletableQueueMessage<K, QueueBody<Q, K>, QueueCompletion<Q, K>>
		: QueueMessage<K, QueueBody<Q, K>>;
}[Selected<Q, Names>];

/** Options of the receives that never wait. */
export interface QueueTryNextOptions<Names extends string, Completable extends boolean> {
	/** Queues to take from; all of them when empty or missing. */
	names?: readonly Names[] | undefined;
	/** Whether the message stays stored until `complete`. Default false. */
	completable?: Completable | undefined;
}

export interface QueueTryNextBatchOptions<Names extends string, Completable extends boolean>
	extends QueueTryNextOptions<Names, Completable> {
	/** Most messages to take. Default 1; less than 1 means 1. */
	count?: number | undefined;
}

/** Options of `iter`, which waits as long as the actor lives. */
export interface QueueIterOptions<Names extends string, Completable extends boolean>
	extends QueueTryNextOptions<Names, Completable> {
	/** Ends the wait. */
	signal?: AbortSignal | undefined;
}

export interface QueueNextOptions<Names extends string, Completable extends boolean>
	extends QueueIterOptions<Names, Completable> {
	/** Longest wait (ms). Missing: no limit; 0: do not wait. */
	timeout?: number | undefined;
}

export interface QueueNextBatchOptions<Names extends string, Completable extends boolean>
	extends QueueNextOptions<Names, Completable> {
	/** Most messages to take. Default 1; less than 1 means 1. Resolves as soon as there is one. */
	count?: number | undefined;
}

export interface QueueSendOptions {
	/** A send with the key of a message of the last 24 hours returns that message (lifecycle W-Q-10). */
	dedupeKey?: string | undefined;
}

/** Body and options behind the name; a body that may be undefined may be left out. */
export type QueueSendArgs<Body> = undefined extends Body
	? [body?: Body, options?: QueueSendOptions]
	: [body: Body, options?: QueueSendOptions];

/** `c.queue`: the actor's durable messages (api 9). */
export interface ActorQueue<Q> {
	/**
	 * Stores a message. Throws `queue.full`, `queue.message_too_large`, `queue.message_invalid`, or
	 * `queue.invalid_payload` when the queue's schema refuses the body.
	 */
	send<K extends QueueName<Q>>(
		name: K,
		...args: QueueSendArgs<QueueBody<Q, K>>
	): Promise<QueueMessage<K, QueueBody<Q, K>>>;
	/**
	 * Waits for one message; `undefined` after `timeout`. Rejects with `actor.aborted` when the actor
	 * stops or `signal` fires, and with `queue.previous_message_not_completed` while a completable
	 * message of this context is open.
	 */
	next<const Names extends QueueName<Q> = QueueName<Q>, Completable extends boolean = false>(
		options?: QueueNextOptions<Names, Completable>,
	): Promise<ReceivedMessage<Q, Names, Completable> | undefined>;
	/** Waits for at least one message and takes up to `count`; empty after `timeout`. */
	nextBatch<const Names extends QueueName<Q> = QueueName<Q>, Completable extends boolean = false>(
		options?: QueueNextBatchOptions<Names, Completable>,
	): Promise<ReceivedMessage<Q, Names, Completable>[]>;
	/** Takes one message if there is one. */
	tryNext<const Names extends QueueName<Q> = QueueName<Q>, Completable extends boolean = false>(
		options?: QueueTryNextOptions<Names, Completable>,
	): Promise<ReceivedMessage<Q, Names, Completable> | undefined>;
	/** Takes up to `count` messages of those there are. */
	tryNextBatch<
		const Names extends QueueName<Q> = QueueName<Q>,
		Completable extends boolean = false,
	>(
		options?: QueueTryNextBatchOptions<Names, Completable>,
	): Promise<ReceivedMessage<Q, Names, Completable>[]>;
	/** Messages one after the other until the actor stops or `signal` fires; then it ends normally. */
	iter<const Names extends QueueName<Q> = QueueName<Q>, Completable extends boolean = false>(
		options?: QueueIterOptions<Names, Completable>,
	): AsyncIterableIterator<ReceivedMessage<Q, Names, Completable>>;
}
