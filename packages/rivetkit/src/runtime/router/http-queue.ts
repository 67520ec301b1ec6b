import {
	type ActorRequest,
	type ActorResponse,
	catalogueError,
	contentType,
	decodeCbor,
	decodeHttpQueueSendRequest,
	type Encoding,
	encodeHttpQueueSendResponse,
	HEADER_CALL_ID,
	HEADER_QUEUE_OPTIONS,
	HEADER_WAIT_UNTIL,
} from "@rivetkit/protocol";
import { type ErasedQueue, queueDeclaration } from "../../actor/erased.ts";
import { runInSpan } from "../calls/call-scope.ts";
import { Connection } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike, withTimeout } from "../lifecycle/with-timeout.ts";
import { readSendOptions, type SendOptions } from "../queue/admission.ts";
import { ClientSend, type SenderPatience } from "../queue/client-send.ts";
import type { SendOutcome } from "../queue/kept-answers.ts";
import { warnOnce } from "../queue/warn-once.ts";
import { metadataRequest } from "../raw/incoming-request.ts";
import { callerOf } from "../telemetry/caller-of.ts";
import { Span } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";

/**
 * `POST /queue` and `POST /queue/{name}` (contract: protocol 2.4). The call is a short-lived connection;
 * it is answered when the message is durable, or with `wait` when what became of it is.
 *
 * A sender that waits while the actor falls asleep is handed on: the call ends with an `ActorGone` that
 * says how the next incarnation finds its message, and the wait goes on there.
 */
export async function handleQueueSend(
	instance: ActorInstance,
	pathName: string | null,
	request: ActorRequest,
	encoding: Encoding,
	params: unknown,
): Promise<ActorResponse> {
	const send = await readSend(instance, pathName, request, encoding);
	instance.assertAcceptsWork();
	const declaration = queueDeclaration(instance.config, send.name);
	if (!declaration) {
		warnOfUndeclared(instance, send.name);
		return answer(encoding, { status: "completed", response: null });
	}
	const connection = new Connection(instance, "http", params);
	connection.tracedFrom = callerOf(instance, request);
	const { telemetry } = instance;
	const work = telemetry?.begin(SPAN_KINDS.queueSend, send.name, connection.tracedFrom) ?? null;
	const take = () => takeIn(instance, send, declaration, connection, request);
	let outcome: SendOutcome;
	try {
		outcome = await (work instanceof Span ? runInSpan(work, take) : take());
	} catch (thrown) {
		if (work !== null) telemetry!.end(work, { thrown });
		throw thrown;
	}
	if (work !== null) telemetry!.end(work);
	return answer(encoding, outcome);
}

/** Resolves with what became of the message, as far as its sender wants to know. */
async function takeIn(
	instance: ActorInstance,
	send: ClientSend,
	declaration: ErasedQueue,
	connection: Connection,
	request: ActorRequest,
): Promise<SendOutcome> {
	const { onBeforeConnect, createConnState, onConnect } = instance.config;
	const opened = instance.connections.open(
		connection,
		onBeforeConnect || createConnState || onConnect
			? metadataRequest(request.headers, `/queue/${encodeURIComponent(send.name)}`)
			: undefined,
	);
	if (isPromiseLike(opened)) await opened;
	try {
		if (declaration.canPublish)
			await assertMayPublish(instance, connection, declaration.canPublish);
		return await send.run(instance, () => request.signal);
	} finally {
		void instance.connections.close(connection);
	}
}

async function readSend(
	instance: ActorInstance,
	pathName: string | null,
	request: ActorRequest,
	encoding: Encoding,
): Promise<ClientSend> {
	const body = await request.body.bytes(instance.services.limits.maxIncomingMessageSize);
	const message = decodeHttpQueueSendRequest(encoding, body);
	const name = pathName ?? message.name;
	if (name === undefined) throw catalogueError("request.invalid", { detail: "missing queue name" });
	return new ClientSend({
		name,
		body: message.body,
		options: optionsOf(request),
		callId: request.headers.get(HEADER_CALL_ID),
		wait: message.wait ? patienceOf(instance, request, message.timeout) : null,
	});
}

function patienceOf(
	instance: ActorInstance,
	request: ActorRequest,
	timeout: number | undefined,
): SenderPatience {
	if (timeout === undefined) return { deadlineMs: null, isOver: false };
	// Of a wait that goes on here: its time has begun before.
	const until = Number(request.headers.get(HEADER_WAIT_UNTIL) ?? Number.NaN);
	return {
		deadlineMs: Number.isFinite(until) ? until : instance.now() + timeout,
		isOver: timeout <= 0,
	};
}

function optionsOf(request: ActorRequest): SendOptions {
	const text = request.headers.get(HEADER_QUEUE_OPTIONS);
	if (text === null) return readSendOptions(undefined);
	let raw: unknown;
	try {
		raw = JSON.parse(text);
	} catch (error) {
		const detail = `header ${HEADER_QUEUE_OPTIONS} is not JSON: ${(error as Error).message}`;
		throw catalogueError("request.invalid", { detail });
	}
	return readSendOptions(raw);
}

/** Throws `auth.forbidden`, what the guard threw, or that its answer is no boolean. */
async function assertMayPublish(
	instance: ActorInstance,
	connection: Connection,
	canPublish: (c: unknown) => unknown,
): Promise<void> {
	instance.work.begin("guard");
	try {
		const verdict = await withTimeout(
			instance,
			"canPublish",
			instance.options.actionTimeout,
			canPublish(instance.contexts.connection(connection, undefined)),
			"actionTimeout",
		);
		if (verdict === true) return;
		throw verdict === false
			? catalogueError("auth.forbidden", {})
			: catalogueError("handler.invalid_can_publish_response", {});
	} finally {
		instance.work.end("guard");
		instance.writes.saveSoon();
	}
}

function answer(encoding: Encoding, outcome: SendOutcome): ActorResponse {
	switch (outcome.status) {
		case "completed": {
			if (outcome.response === null) return respond(encoding, { status: "completed" });
			const response = decodeCbor(outcome.response);
			return respond(encoding, { status: "completed", response });
		}
		case "timedOut":
			return respond(encoding, { status: "timedOut" });
		case "givenUp": {
			const { queue, attempts } = outcome;
			throw catalogueError("queue.message_given_up", { queue, attempts });
		}
	}
}

function respond(
	encoding: Encoding,
	response: Parameters<typeof encodeHttpQueueSendResponse>[1],
): ActorResponse {
	return {
		status: 200,
		headers: { "content-type": contentType(encoding) },
		body: encodeHttpQueueSendResponse(encoding, response),
	};
}

/** W-Q-7: the message is ignored, as callers of the contract expect; the log says so once per name. */
function warnOfUndeclared(instance: ActorInstance, name: string): void {
	const known = [...instance.config.queues.keys()].join(", ") || "none";
	warnOnce(
		instance,
		`queue ${name}`,
		{ queue: name, known },
		"messages to a queue that is not declared are ignored; declare it under `queues`",
	);
}
