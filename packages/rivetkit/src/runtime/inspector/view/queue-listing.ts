import { decodeCbor } from "@rivetkit/protocol";
import type {
	DeadLettersAnswer,
	MessagesAnswer,
	QueueMessage,
	QueueStatus,
} from "@rivetkit/protocol/inspector/answers";
import { listDeadLetters } from "../../queue/dead-letters.ts";
import type { QueuedMessage } from "../../queue/message.ts";
import type { QueueData } from "../../queue/queue-data.ts";
import type { ActorView } from "./actor-view.ts";

/** Bytes of bodies that one page carries: the page ends with the message that goes beyond. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;

/** The contract's list (protocol 7.2): what waits, dead letters included, without bodies. */
export function queueStatus({ queue, config }: ActorView, limit: number): QueueStatus {
	const maxSize = config.options.maxQueueSize;
	if (!queue) return { size: 0, maxSize, truncated: false, messages: [] };
	const { size } = queue.index;
	const messages = ordered(queue)
		.slice(0, limit)
		.map(({ id, header: { name, createdAt } }) => ({ id, name, createdAtMs: createdAt }));
	return { size, maxSize, truncated: messages.length < size, messages };
}

export interface MessagePageRequest {
	readonly limit: number;
	/** Only messages behind this id; 0 for all. */
	readonly after: number;
	/** Newest first. */
	readonly reverse: boolean;
	/** Only messages of this queue; null for all. */
	readonly name: string | null;
	readonly withBodies: boolean;
}

/** Messages with all that is known of them. `next` is the `after` of the next page, or null. */
export async function messagePage(
	{ queue }: ActorView,
	{ limit, after, reverse, name, withBodies }: MessagePageRequest,
): Promise<MessagesAnswer> {
	if (!queue) return { messages: [], next: null };
	const isBehind = (id: number) => after === 0 || (reverse ? id < after : id > after);
	const rest = ordered(queue).filter(
		({ id, header }) => isBehind(id) && (name === null || header.name === name),
	);
	if (reverse) rest.reverse();
	const page = withBodies ? upToBytes(rest.slice(0, limit)) : rest.slice(0, limit);
	const details = page.map(detailsOf);
	const next = page.length > 0 && page.length < rest.length ? page.at(-1)!.id : null;
	if (!withBodies) return { messages: details, next };
	const bodies = await bodiesOf(queue, page);
	const messages = details.map((message, at) => {
		const bytes = bodies[at];
		return bytes ? { ...message, body: decodeCbor(bytes) } : message;
	});
	return { messages, next };
}

export async function deadLettersOf(
	{ queue }: ActorView,
	{ limit, queue: name }: { readonly limit: number; readonly queue: string | null },
): Promise<DeadLettersAnswer> {
	if (!queue) return { deadLetters: [] };
	const letters = await listDeadLetters({ data: queue }, { limit, queue: name ?? undefined });
	return {
		deadLetters: letters.map(({ id, createdAt, givenUpAt, ...letter }) => ({
			id: Number(id),
			...letter,
			createdAtMs: createdAt,
			givenUpAtMs: givenUpAt,
		})),
	};
}

function ordered({ index }: QueueData): QueuedMessage[] {
	return [...index.all()].sort((a, b) => a.id - b.id);
}

function upToBytes(messages: readonly QueuedMessage[]): QueuedMessage[] {
	let bytes = 0;
	const end = messages.findIndex(({ header }) => {
		bytes += header.size;
		return bytes > PAGE_BYTES_MAX;
	});
	return messages.slice(0, end < 0 ? messages.length : end + 1);
}

/** In the order of `messages`; undefined for one that was handled while the bodies were read. */
async function bodiesOf(
	data: QueueData,
	messages: readonly QueuedMessage[],
): Promise<(Uint8Array | undefined)[]> {
	try {
		return await data.bodies.read(messages);
	} catch {
		return Promise.all(messages.map((message) => data.bodyOf(message)));
	}
}

function detailsOf({ id, header, place }: QueuedMessage): QueueMessage {
	const { name, size, createdAt, priority, attempt, availableAt, expiresAt, givenUp } = header;
	return {
		id,
		name,
		createdAtMs: createdAt,
		size,
		priority,
		attempt,
		place,
		...(availableAt > 0 && { availableAtMs: availableAt }),
		...(expiresAt !== null && { expiresAtMs: expiresAt }),
		...(givenUp && {
			givenUp: { queue: givenUp.queue, attempts: givenUp.attempts, atMs: givenUp.at },
		}),
	};
}
