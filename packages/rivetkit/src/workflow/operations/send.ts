import type { PreparedSend, SentMessage } from "../../runtime/durable/held-messages.ts";
import { never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { isOver, refuse } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import type { StepAttempt } from "../engine/step-attempt.ts";
import { segmentId } from "../history/location.ts";

interface UserMessage {
	readonly id: bigint;
	readonly name: string;
	readonly body: unknown;
	readonly createdAt: number;
	readonly attempt: number;
}

function userMessage({ admitted }: PreparedSend, { id, createdAt }: SentMessage): UserMessage {
	return { id: BigInt(id), name: admitted.name, body: admitted.body, createdAt, attempt: 0 };
}

/** `queue.send` inside a step: part of the step's commit. */
export async function sendInStep(
	execution: Execution,
	attempt: StepAttempt,
	name: string,
	body: unknown,
	options: unknown,
): Promise<UserMessage> {
	const { messages } = execution.host;
	const preparing = messages.prepare(name, body, options);
	// Without a wait, if it can be: a step need not wait for what it sends.
	const prepared = preparing instanceof Promise ? await preparing : preparing;
	if (!attempt.isOpen) throw execution.host.guardError("queue.send");
	if (prepared.admitted.dedupeKey !== null) {
		// The key makes it one message, however often the step is tried.
		return userMessage(prepared, await messages.sendOnce(prepared, () => {}));
	}
	messages.assertRoom(name);
	const id = messages.reserveId();
	attempt.sendWhenRecorded(id, name, () => void messages.send(prepared, id));
	return userMessage(prepared, { id, createdAt: execution.host.now() });
}

/** `queue.send` between entries: recorded in the commit of the message, so that it happens once. */
export async function sendBetween(
	execution: Execution,
	scope: Scope,
	name: string,
	body: unknown,
	options: unknown,
): Promise<UserMessage> {
	if (isOver(execution, scope)) {
		return refuse(execution, scope, { kind: "send", name: String(name) });
	}
	const { messages } = execution.host;
	const segment = { kind: "send" as const, queue: String(name), ordinal: scope.nextSend(name) };
	const recorded = scope.records?.get(segmentId(segment));
	if (recorded?.is("send")) {
		execution.answered(scope, recorded);
		const { id } = recorded.data;
		return { id: BigInt(id), name, body, createdAt: recorded.createdAt, attempt: 0 };
	}
	if (execution.isRollback) return execution.park();
	const preparing = messages.prepare(name, body, options);
	const prepared = preparing instanceof Promise ? await preparing : preparing;
	if (execution.isStoppedIn(scope)) return never();
	const record = ({ id }: SentMessage) => {
		const entry = execution.create(scope, "send", {
			id,
			queue: name,
			...(prepared.admitted.dedupeKey === null ? undefined : { isOnce: true }),
		});
		execution.complete(scope, entry);
		execution.record(scope, execution.key(scope, segment), entry);
	};
	if (prepared.admitted.dedupeKey !== null) {
		return userMessage(prepared, await messages.sendOnce(prepared, record));
	}
	messages.assertRoom(name);
	const sent = messages.send(prepared);
	record(sent);
	return userMessage(prepared, sent);
}
