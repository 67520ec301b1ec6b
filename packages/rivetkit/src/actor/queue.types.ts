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

/**
 * A message that stays stored until it is completed (api 9). It is in its receiver's hands alone until
 * then, or until the action or `run` that received it ends, which releases it.
 */
export interface CompletableQueueMessage<Name extends string = string, Body = unknown, R = never>
	extends QueueMessage<Name, Body> {
	/**
	 * Deletes the message, in one commit with what was written before, and answers the sender that waits
	 * for it when that is durable. Resolves when it is part of the commit.
	 *
	 * Throws `queue.already_completed` the second time and when the message is in other hands by now, and
	 * `queue.invalid_completion_payload` when the queue's `complete` schema refuses the response or it
	 * cannot be encoded; then the message stays uncompleted.
	 */
	complete(...args: CompletionArgs<R>): Promise<void>;
	/**
	 * Makes the message available again without completing it, at once or after the queue's `retryDelay`.
	 * It keeps its place, and this delivery counts for `maxAttempts`. Throws `queue.already_completed`
	 * when the message is not in these hands any more.
	 */
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
	/** Queues to take from; all of them but dead-letter queues when empty or missing. */
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
	/** Not handed out before this has passed (ms). Default 0. */
	delay?: number | undefined;
	/** Messages with a higher one are handed out first; a whole number. Default 0. */
	priority?: number | undefined;
	/** Dropped when nobody took it within this time (ms), and when it is given back after it. Default: never. */
	ttl?: number | undefined;
	/**
	 * A send with the key of a message of the last 24 hours, to the same queue, stores nothing and returns
	 * that message, with the body it was sent with (lifecycle W-Q-10); with the body of this send once it has left its
	 * queue, as no body is kept then. 1 to 512 bytes; 100,000 keys are remembered per actor.
	 */
	dedupeKey?: string | undefined;
}

/** A message that was given up after `maxAttempts` deliveries, in a dead-letter queue. */
export interface DeadLetter {
	readonly id: bigint;
	/** The dead-letter queue that holds it. */
	readonly name: string;
	/** The queue it could not be handled in. */
	readonly queue: string;
	readonly body: unknown;
	/** Deliveries in its queue. */
	readonly attempts: number;
	/** Milliseconds since the epoch. */
	readonly createdAt: number;
	/** When it was given up (ms since the epoch). */
	readonly givenUpAt: number;
}

export interface DeadLetterOptions {
	/** Only those of this queue, as named before they were given up. */
	queue?: string | undefined;
	/** Most to list. Default 100. */
	limit?: number | undefined;
}

export interface RedriveOptions extends DeadLetterOptions {
	/**
	 * Only these. Throws `queue.message_not_found` when one is no dead letter (of `queue`, if that is given),
	 * or is in somebody's hands; then none goes back.
	 */
	ids?: readonly bigint[] | undefined;
	/** Most to redrive. Default: all. */
	limit?: number | undefined;
}

/** Body and options behind the name; a body that may be undefined may be left out. */
export type QueueSendArgs<Body> = undefined extends Body
	? [body?: Body, options?: QueueSendOptions]
	: [body: Body, options?: QueueSendOptions];

/** `c.queue`: the actor's durable messages (api 9). */
export interface ActorQueue<Q> {
	/**
	 * Stores a message: it is in one commit with what else the actor writes now, and resolves when it is
	 * part of it (ruling 18). Throws `queue.full`, `queue.message_too_large`, `queue.message_invalid`,
	 * `queue.invalid_option`, or `queue.invalid_payload` when the queue's schema refuses the body.
	 */
	send<K extends QueueName<Q>>(
		name: K,
		...args: QueueSendArgs<QueueBody<Q, K>>
	): Promise<QueueMessage<K, QueueBody<Q, K>>>;
	/**
	 * Waits for one message; `undefined` after `timeout`. Rejects with `actor.aborted` when the actor
	 * stops or `signal` fires, and with `queue.previous_message_not_completed` while a completable
	 * message of this context is open.
	 *
	 * A plain message (`completable` not set) leaves the queue in one commit with the first thing its
	 * receiver writes after it, or when the receiver asks for the next message or comes to its end; until
	 * then a crash, or a `run` or action that throws, hands it out again. So its effects on this actor
	 * happen once, if they are written without waiting for something outside first. Use completable
	 * messages when there is more than one such write. To work on several at the same time take them with
	 * one `nextBatch`: while one is open, other loops of the same `run` or action receive nothing either.
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
	/** Messages in one queue, or in all of them, dead letters and those in somebody's hands included. */
	size(name?: QueueName<Q>): number;
	/** Messages that were given up, oldest first. They stay where they are. */
	deadLetters(options?: DeadLetterOptions): Promise<DeadLetter[]>;
	/**
	 * Moves dead letters back to the queues they were given up in, with their deliveries counted from 0;
	 * returns how many. Throws `queue.message_not_found` for an id that is no dead letter.
	 */
	redrive(options?: RedriveOptions): Promise<number>;
}
