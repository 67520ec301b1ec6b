import { type ActorRequest, type ActorResponse, catalogueError } from "@rivetkit/protocol";
import { Connection } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { HookTimeout, withTimeout } from "../lifecycle/with-timeout.ts";
import { incomingRequest } from "./incoming-request.ts";

/**
 * `onRequest` (contract: lifecycle 11): streamed both ways. The head waits for the commit of what the
 * handler wrote; each chunk of a streamed body waits for what was written before it. The call counts as
 * work until the last byte is out or the caller has gone.
 */
export async function handleRawRequest(
	instance: ActorInstance,
	request: ActorRequest,
	path: string,
	params: unknown,
): Promise<ActorResponse> {
	const { onRequest } = instance.config;
	if (!onRequest) throw catalogueError("handler.request_not_defined", {});
	const incoming = incomingRequest(request, path);
	const connection = new Connection(instance, "raw-request", params);
	instance.work.begin("request");
	const finish = once(() => {
		void instance.connections.close(connection);
		instance.work.end("request");
		instance.saveSoon();
	});
	try {
		await instance.connections.open(connection, incoming);
		const response = await respond(instance, connection, incoming, onRequest);
		await durable(instance);
		return deliver(instance, response, finish);
	} catch (error) {
		finish();
		throw error;
	}
}

async function respond(
	instance: ActorInstance,
	connection: Connection,
	incoming: Request,
	onRequest: (c: unknown, request: Request) => unknown,
): Promise<Response> {
	const limitMs = instance.options.actionTimeout;
	let response: unknown;
	try {
		const c = instance.contexts.connection(connection, incoming);
		response = await withTimeout(
			instance,
			"onRequest",
			limitMs,
			onRequest(c, incoming),
			"actionTimeout",
		);
	} catch (error) {
		if (error instanceof HookTimeout)
			throw catalogueError("request.timed_out", { timeoutMs: limitMs });
		throw error;
	}
	// Structural: the Response of another realm or polyfill is one too.
	if (!isResponse(response)) throw catalogueError("handler.invalid_request_handler_response", {});
	return response;
}

function isResponse(value: unknown): value is Response {
	return (
		value instanceof Response ||
		(typeof value === "object" && value !== null && "status" in value && "arrayBuffer" in value)
	);
}

function deliver(instance: ActorInstance, response: Response, finish: () => void): ActorResponse {
	const headers: Record<string, string | readonly string[]> = {};
	for (const [name, value] of response.headers) {
		if (name !== "set-cookie") headers[name] = value;
	}
	const cookies = response.headers.getSetCookie();
	if (cookies.length > 0) headers["set-cookie"] = cookies;
	const { status, statusText } = response;
	if (!response.body) {
		finish();
		return { status, statusText, headers, body: null };
	}
	return { status, statusText, headers, body: tracked(instance, response.body, finish) };
}

/** Passes a body on chunk by chunk, each after what was written before it is durable. */
function tracked(
	instance: ActorInstance,
	body: ReadableStream<Uint8Array>,
	finish: () => void,
): ReadableStream<Uint8Array> {
	const reader = body.getReader();
	return new ReadableStream<Uint8Array>({
		async pull(controller) {
			try {
				const { done, value } = await reader.read();
				await durable(instance);
				if (done) {
					finish();
					controller.close();
				} else {
					controller.enqueue(value);
				}
			} catch (error) {
				instance.log.warn({ err: error }, "a streamed response of onRequest broke off");
				finish();
				controller.error(error);
			}
		},
		async cancel(reason) {
			finish();
			await reader.cancel(reason);
		},
	});
}

function durable(instance: ActorInstance): Promise<void> | undefined {
	return instance.options.confirmWrites && instance.committer.pending
		? instance.committer.flush()
		: undefined;
}

function once(fn: () => void): () => void {
	let called = false;
	return () => {
		if (called) return;
		called = true;
		fn();
	};
}
