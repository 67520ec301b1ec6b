import { queueDeclaration } from "../../actor/erased.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { COMPLETED, type SendOutcome } from "./kept-answers.ts";
import type { QueuedMessage } from "./message.ts";
import type { QueueData } from "./queue-data.ts";

/**
 * Moves a message whose deliveries are used up to the dead-letter queue of its queue, or drops it when there
 * is none. Returns whether it was moved, so that it can be received there.
 */
export function giveUp(instance: ActorInstance, data: QueueData, message: QueuedMessage): boolean {
	const { name, attempt, createdAt } = message.header;
	const deadLetter = queueDeclaration(instance.config, name)?.deadLetter;
	instance.log.error(
		{ queue: name, messageId: message.id, attempts: attempt, createdAt, deadLetter },
		deadLetter === undefined
			? "a queue message failed in all its deliveries and is dropped (maxAttempts, no deadLetter)"
			: "a queue message failed in all its deliveries and is moved to the dead-letter queue",
	);
	const outcome: SendOutcome = { status: "givenUp", queue: name, attempts: attempt };
	if (deadLetter === undefined) {
		data.remove(message, outcome);
		return false;
	}
	makeRoom(instance, data, deadLetter);
	const givenUp = { queue: name, attempts: attempt, at: instance.now() };
	const changes = {
		name: deadLetter,
		attempt: 0,
		availableAt: 0,
		expiresAt: null,
		waitKey: null,
	};
	data.move(message, { ...changes, givenUp }, outcome);
	return true;
}

/** A dead-letter queue at its own limit loses its oldest message, not the newest. */
function makeRoom(instance: ActorInstance, data: QueueData, deadLetter: string): void {
	const limit = queueDeclaration(instance.config, deadLetter)?.maxSize;
	const { index } = data;
	if (limit === undefined || index.sizeOf(deadLetter) < limit) return;
	const oldest = index.oldestOf(deadLetter);
	if (!oldest) return;
	instance.log.error(
		{ queue: deadLetter, messageId: oldest.id, limit },
		"the oldest dead letter is dropped: the dead-letter queue is full (maxSize)",
	);
	data.remove(oldest, COMPLETED);
}
