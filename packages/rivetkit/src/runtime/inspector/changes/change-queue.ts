import { catalogueError } from "@rivetkit/protocol";
import { queueDeclaration } from "../../../actor/erased.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { admit, DEFAULT_SEND_OPTIONS } from "../../queue/admission.ts";
import { type DeadLetterChoice, redrive } from "../../queue/dead-letters.ts";
import type { SendOutcome } from "../../queue/kept-answers.ts";
import type { QueuedMessage } from "../../queue/message.ts";
import type { QueueData } from "../../queue/queue-data.ts";
import { invalid } from "../invalid.ts";

/**
 * Puts a message into a queue, as a client would. Resolves when it is durable. Throws `request.invalid` for
 * a queue that is not declared, and what `c.queue.send` throws.
 */
export async function sendMessage(
	instance: ActorInstance,
	name: string,
	body: unknown,
): Promise<{ id: string; name: string; createdAtMs: number }> {
	if (!queueDeclaration(instance.config, name)) {
		const known = [...instance.config.queues.keys()].join(", ") || "none";
		throw invalid(`there is no queue '${name}'; declared are: ${known}`);
	}
	const admitted = await admit(instance, name, body, DEFAULT_SEND_OPTIONS);
	await free(instance);
	const { id, header } = instance.queue.enqueue(admitted);
	await instance.committer.flush();
	return { id: String(id), name, createdAtMs: header.createdAt };
}

/**
 * Drops messages: all, those of one queue, or one; those in the hands of a receiver stay. Senders that wait
 * hear that theirs was given up. Resolves with how many, when it is durable.
 */
export async function dropMessages(
	instance: ActorInstance,
	isMeant: (message: QueuedMessage) => boolean,
): Promise<number> {
	await free(instance);
	const { queue } = instance.made;
	if (!queue) return 0;
	const dropped = droppable(queue.data, isMeant);
	for (const { message, outcome } of dropped) queue.data.remove(message, outcome);
	if (dropped.length === 0) return 0;
	instance.alarm.changed();
	instance.log.warn({ messages: dropped.length }, "queue messages were dropped by the inspector");
	await instance.committer.flush();
	return dropped.length;
}

/** What may be dropped of the messages that are meant, and what whoever waits for one hears then. */
export function droppable(
	{ index }: QueueData,
	isMeant: (message: QueuedMessage) => boolean,
): { message: QueuedMessage; outcome: SendOutcome }[] {
	return [...index.all()]
		.filter((message) => message.place !== "held" && isMeant(message))
		.map((message) => {
			const { name, attempt } = message.header;
			return { message, outcome: { status: "givenUp", queue: name, attempts: attempt } };
		});
}

/** Moves dead letters back to where they came from. Throws as `c.queue.redrive` does. */
export async function redriveMessages(
	instance: ActorInstance,
	choice: DeadLetterChoice,
): Promise<number> {
	await free(instance);
	const { queue } = instance.made;
	if (!queue) {
		const [id] = choice.ids ?? [];
		if (id !== undefined) throw catalogueError("queue.message_not_found", { id });
		return 0;
	}
	const count = redrive(queue, choice);
	await instance.committer.flush();
	return count;
}

async function free(instance: ActorInstance): Promise<void> {
	await instance.untilFree();
	instance.assertAcceptsWork();
}
