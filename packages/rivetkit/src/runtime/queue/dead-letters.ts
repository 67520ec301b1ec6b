import { catalogueError, decodeCbor } from "@rivetkit/protocol";
import type { GivenUp, QueuedMessage } from "./message.ts";
import type { MessageQueue } from "./message-queue.ts";

/** A message that was given up, as users see it. */
export interface DeadLetterView {
	readonly id: bigint;
	readonly name: string;
	readonly queue: string;
	readonly body: unknown;
	readonly attempts: number;
	readonly createdAt: number;
	readonly givenUpAt: number;
}

/** Which dead letters are meant: with `ids`, each of them has to be one of `queue`. */
export interface DeadLetterChoice {
	/** The queue they were given up in; any when absent. */
	readonly queue?: string | undefined;
	readonly limit?: number | undefined;
	readonly ids?: readonly bigint[] | undefined;
}

/** What moving dead letters needs of a queue. */
export interface RedrivenQueue extends Pick<MessageQueue, "data" | "assertRoomFor"> {
	readonly deliveries: Pick<MessageQueue["deliveries"], "decisions" | "offerAll">;
}

interface Letter {
	readonly message: QueuedMessage;
	readonly givenUp: GivenUp;
}

/** How many are listed when nothing else is said: their bodies are read together. */
const LISTED_DEFAULT = 100;

/** Dead letters in the order of their ids, with their bodies. */
export async function listDeadLetters(
	{ data }: Pick<MessageQueue, "data">,
	choice: DeadLetterChoice,
): Promise<DeadLetterView[]> {
	const letters = lettersOf(data.index.all(), choice.queue).slice(
		0,
		choice.limit ?? LISTED_DEFAULT,
	);
	if (letters.length === 0) return [];
	const headers = letters.map(({ message }) => message.header);
	const bodies = await data.bodies.read(letters.map(({ message }) => message));
	return letters.map(({ message, givenUp }, index) => ({
		id: BigInt(message.id),
		name: headers[index]!.name,
		queue: givenUp.queue,
		body: decodeCbor(bodies[index]!),
		attempts: givenUp.attempts,
		createdAt: headers[index]!.createdAt,
		givenUpAt: givenUp.at,
	}));
}

/**
 * Moves dead letters back to where they came from; all of them, or none when an id is wrong or a queue
 * has no room (`queue.full`). Returns how many.
 */
export function redrive(queue: RedrivenQueue, { ids, ...choice }: DeadLetterChoice): number {
	const { data, deliveries } = queue;
	const letters = (
		ids
			? [...new Set(ids)].map((id) => letterOf(data.index.get(Number(id)), id, choice.queue))
			: lettersOf(data.index.all(), choice.queue)
	)
		.filter(({ message }) => message.place !== "held")
		.slice(0, choice.limit);
	const perQueue = new Map<string, number>();
	for (const { givenUp } of letters) {
		perQueue.set(givenUp.queue, (perQueue.get(givenUp.queue) ?? 0) + 1);
	}
	for (const [name, count] of perQueue) queue.assertRoomFor(name, count);
	const move = () => {
		for (const { message, givenUp } of letters) {
			// Put off, it may come to a message that is in somebody's hands meanwhile, or gone.
			if (message.header.givenUp !== givenUp || message.place === "held") continue;
			if (message.place === "gone") continue;
			data.answers.forgetMessage(message.id);
			data.move(message, { name: givenUp.queue, attempt: 0, availableAt: 0, givenUp: null }, null);
		}
		// Together, so that their priorities count.
		deliveries.offerAll();
	};
	const { decisions } = deliveries;
	if (decisions) decisions.putOff(move);
	else move();
	return letters.length;
}

function lettersOf(messages: Iterable<QueuedMessage>, queue: string | undefined): Letter[] {
	const letters: Letter[] = [];
	for (const message of messages) {
		const { givenUp } = message.header;
		if (givenUp && (queue === undefined || givenUp.queue === queue))
			letters.push({ message, givenUp });
	}
	return letters.sort((a, b) => a.message.id - b.message.id);
}

function letterOf(
	message: QueuedMessage | undefined,
	id: bigint,
	queue: string | undefined,
): Letter {
	const givenUp = message?.header.givenUp;
	const isMeant = givenUp && (queue === undefined || givenUp.queue === queue);
	if (!message || !isMeant || message.place === "held") {
		throw catalogueError("queue.message_not_found", { id });
	}
	return { message, givenUp };
}
