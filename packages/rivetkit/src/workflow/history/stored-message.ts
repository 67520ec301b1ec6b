import type { HeldMessage } from "../../runtime/durable/held-messages.ts";
import type { StoredMessage } from "./entry.ts";

/** A message as the record of the wait has it that received it. */
export function storedMessage({
	id,
	name,
	body,
	createdAt,
	attempt,
	header,
}: HeldMessage): StoredMessage {
	const { priority, expiresAt, givenUp } = header;
	return {
		id,
		name,
		body,
		createdAt,
		attempt,
		isCompleted: false,
		...(priority === 0 ? undefined : { priority }),
		...(expiresAt === null ? undefined : { expiresAt }),
		...(givenUp === null ? undefined : { givenUp }),
	};
}

/** A plain message as it goes back to the queue: the delivery that comes to nothing does not count. */
export function heldAgain(message: StoredMessage): HeldMessage {
	const { id, name, body, createdAt, attempt } = message;
	const { priority = 0, expiresAt = null, givenUp = null } = message;
	const header = {
		name,
		size: body.byteLength,
		createdAt,
		priority,
		attempt: attempt - 1,
		availableAt: 0,
		expiresAt,
		// Whoever waited for it was answered when it was received.
		waitKey: null,
		givenUp,
	};
	return { id, name, body, createdAt, attempt, header };
}

/** Plain messages that left the queue for a record, and did not go back to it. */
export function keptMessages(messages: readonly StoredMessage[] | undefined): StoredMessage[] {
	return (messages ?? []).filter(({ isReturned }) => !isReturned);
}
