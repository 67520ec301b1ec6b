import {
	type ActorRequest,
	type ActorResponse,
	ANY_CLIENT,
	type ClientAbilities,
	catalogueError,
	contentType,
	decodeHttpActionRequest,
	type Encoding,
	encodeHttpActionResponse,
	HEADER_CALL_ID,
	HEADER_STREAM,
	IDENTIFYING_CLIENT,
	utf8Length,
} from "@rivetkit/protocol";
import { ActionCall } from "../actions/action-call.ts";
import type { ItemStream } from "../actions/item-stream.ts";
import type { Outcome, Run, Settle } from "../calls/call-log.ts";
import { Connection } from "../connections/connection.ts";
import { encodeError } from "../instance/describe-error.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { metadataRequest } from "../raw/incoming-request.ts";
import { callerOf } from "../telemetry/caller-of.ts";
import { errorResponse } from "./error-response.ts";
import { StreamedAnswer } from "./http-stream.ts";

/**
 * `POST /action/{name}` (contract: protocol 2.3). The call is a short-lived connection; the answer leaves
 * when what the call wrote is durable.
 */
export async function handleAction(
	instance: ActorInstance,
	name: string,
	request: ActorRequest,
	encoding: Encoding,
	params: unknown,
): Promise<ActorResponse> {
	const { limits } = instance.services;
	const body = await request.body.bytes(limits.maxIncomingMessageSize);
	const { args } = decodeHttpActionRequest(encoding, body);
	instance.assertAcceptsWork();
	if (request.headers.get(HEADER_STREAM) !== null) {
		return new Promise((resolve) => {
			const answer = new StreamedAnswer(instance, name, encoding, resolve);
			const end = (outcome: Outcome) => answer.end(outcome);
			runOnConnection(instance, name, args, request, params, end, end, (items) =>
				answer.begin(items),
			);
		});
	}
	const callId = request.headers.get(HEADER_CALL_ID);
	const client = callId === null ? ANY_CLIENT : IDENTIFYING_CLIENT;
	return new Promise((resolve) => {
		const run: Run = (settle, refuse) => {
			runOnConnection(instance, name, args, request, params, settle, refuse);
		};
		const answer = (outcome: Outcome) => {
			const response = actionResponse(instance, name, encoding, outcome, client);
			instance.afterDurable((error) => {
				resolve(
					error === undefined
						? response
						: errorResponse(encoding, instance.describeError(error, { action: name })),
				);
			});
		};
		if (callId === null) run(answer, answer);
		else instance.calls.once(callId, instance.services.clock, run, answer);
	});
}

function runOnConnection(
	instance: ActorInstance,
	name: string,
	args: unknown[],
	request: ActorRequest,
	params: unknown,
	settle: Settle,
	refuse: Settle,
	onStream: ((items: ItemStream) => void) | null = null,
): void {
	const connection = new Connection(instance, "http", params);
	connection.tracedFrom = callerOf(instance, request);
	const call = () => {
		let signal: AbortSignal | null = null;
		const abort = () => action.callerLeft(signal?.reason);
		const ended = (outcome: Outcome) => {
			signal?.removeEventListener("abort", abort);
			settle(outcome);
			void instance.connections.close(connection);
		};
		const action = new ActionCall(instance, connection, name, args, ended, null, onStream);
		action.start();
		if (action.settled) return;
		signal = request.signal;
		if (signal.aborted) abort();
		else signal.addEventListener("abort", abort, { once: true });
	};
	const fail = (error: unknown) => {
		refuse({ ok: false, error: instance.describeError(error, { action: name }) });
	};
	try {
		const hooks = instance.config;
		const needsRequest = hooks.onBeforeConnect || hooks.createConnState || hooks.onConnect;
		const opened = instance.connections.open(
			connection,
			needsRequest
				? metadataRequest(request.headers, `/action/${encodeURIComponent(name)}`)
				: undefined,
		);
		if (isPromiseLike(opened)) {
			opened.then(call).catch(fail);
			return;
		}
		call();
	} catch (error) {
		fail(error);
	}
}

function actionResponse(
	instance: ActorInstance,
	name: string,
	encoding: Encoding,
	outcome: Outcome,
	client: ClientAbilities,
): ActorResponse {
	if (!outcome.ok) {
		return encodeError(instance, outcome.error, (error) => errorResponse(encoding, error));
	}
	try {
		const body = encodeHttpActionResponse(encoding, { output: outcome.output }, client);
		const size = typeof body === "string" ? utf8Length(body) : body.byteLength;
		const limit = instance.services.limits.maxOutgoingMessageSize;
		if (size > limit) throw catalogueError("message.outgoing_too_long", { size, limit });
		return { status: 200, headers: HEADERS[encoding], body };
	} catch (error) {
		outcome.call?.notSent(error);
		return errorResponse(encoding, instance.describeError(error, { action: name }));
	}
}

const HEADERS: Readonly<Record<Encoding, ActorResponse["headers"]>> = {
	bare: { "content-type": contentType("bare") },
	cbor: { "content-type": contentType("cbor") },
	json: { "content-type": contentType("json") },
};
