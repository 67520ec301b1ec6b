import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ActorResponse, loggedPath } from "@rivetkit/protocol";
import { corsHeaders, type FlatHeaders, isOwnHeader } from "./cors.ts";
import { callerGone } from "./inbound.ts";
import { keepsLength } from "./keeps-length.ts";
import type { NodeRequest } from "./node-request.ts";

/** How long a client whose body was refused may go on sending before its connection is cut. */
const LINGER_MS = 2_000;

/** Whether an answer with this status has no body at all. */
function isBodiless(status: number): boolean {
	return status === 204 || status === 304;
}

/**
 * Sends an actor's answer. Never throws: one that cannot be sent (an invalid header) is replaced by what
 * `onFailure` makes of the error, and one that breaks off (a failing stream, of which the actor's host
 * knows) cuts the connection.
 */
export function writeResponse(
	request: NodeRequest,
	answer: ActorResponse,
	onFailure: (error: unknown) => ActorResponse,
): void {
	const { response } = request;
	if (response.destroyed) {
		discardBody(answer);
		return;
	}
	try {
		const headers = corsHeaders(request.message.headers.origin);
		const { status, body } = answer;
		const isHead = request.message.method === "HEAD";
		appendHeaders(headers, answer, keepsLength(answer, isHead));
		if (request.overLimit) {
			headers.push("connection", "close");
			closeAfterLinger(request);
		}
		if (body instanceof ReadableStream && !isHead && !isBodiless(status)) {
			writeHead(request, answer, headers);
			response.flushHeaders();
			void pump(request, body).catch((error: unknown) => {
				const { context, method } = request;
				const path = loggedPath(request.path);
				context.logger.debug({ err: error, method, path }, "a streamed answer broke off");
				response.destroy();
			});
			return;
		}
		if (body === null || body instanceof ReadableStream || isBodiless(status)) {
			discardBody(answer);
			if (!isBodiless(status) && !isHead) {
				headers.push("content-length", "0");
			}
			writeHead(request, answer, headers);
			response.end();
			return;
		}
		const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
		headers.push("content-length", String(length));
		writeHead(request, answer, headers);
		if (isHead) {
			response.end();
		} else {
			response.end(body);
		}
	} catch (error) {
		discardBody(answer);
		const instead = onFailure(error);
		if (response.headersSent || instead === answer) {
			response.destroy();
		} else {
			writeResponse(request, instead, () => instead);
		}
	}
}

function writeHead(request: NodeRequest, answer: ActorResponse, headers: FlatHeaders): void {
	if (answer.statusText === undefined || answer.statusText === "") {
		request.response.writeHead(answer.status, headers);
	} else {
		request.response.writeHead(answer.status, answer.statusText, headers);
	}
}

function appendHeaders(flat: FlatHeaders, answer: ActorResponse, keepLength: boolean): void {
	const { headers } = answer;
	for (const name in headers) {
		const value = headers[name]!;
		if (isOwnHeader(name) || (!keepLength && name === "content-length")) {
			continue;
		}
		if (typeof value === "string") {
			if (name === "vary" && flat[6] === "vary") {
				flat[7] = `Origin, ${value}`;
			} else {
				flat.push(name, value);
			}
		} else {
			for (const one of value) {
				flat.push(name, one);
			}
		}
	}
}

/** Copies a stream to the client at the client's pace; its leaving cancels the stream. */
async function pump(request: NodeRequest, body: ReadableStream<Uint8Array>): Promise<void> {
	const { response } = request;
	const reader = body.getReader();
	let gone = false;
	let wake: (() => void) | undefined;
	const cancelled = new Promise<void>((resolve, reject) => {
		response.once("close", () => {
			gone = !response.writableFinished;
			wake?.();
			if (gone) {
				reader.cancel(callerGone()).then(resolve, reject);
			} else {
				resolve();
			}
		});
	});
	// The copying below fails with the same error first; this is only awaited when it did not.
	cancelled.catch(() => {});
	response.on("drain", () => wake?.());
	while (!gone) {
		const next = await reader.read();
		if (gone) {
			break;
		}
		if (next.done) {
			response.end();
			break;
		}
		if (!response.write(next.value)) {
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
			wake = undefined;
		}
	}
	await cancelled;
}

/** Ends a stream that nobody will read. */
export function discardBody(answer: ActorResponse): void {
	if (answer.body instanceof ReadableStream) {
		void answer.body.cancel().catch(() => {});
	}
}

/** A client that is still sending a refused body gets time to read the answer, then no more. */
function closeAfterLinger(request: NodeRequest): void {
	const { socket } = request.message;
	request.response.once("finish", () => {
		const timer = request.context.clock.after(LINGER_MS, () => socket.destroy());
		socket.once("close", () => timer.stop());
	});
}

/** Answers an upgrade with plain HTTP and ends the connection. */
export function refuseUpgrade(
	socket: Duplex,
	answer: ActorResponse,
	origin: string | undefined,
): void {
	const body = answer.body === null || answer.body instanceof ReadableStream ? "" : answer.body;
	const headers = corsHeaders(origin);
	appendHeaders(headers, answer, false);
	headers.push("content-length", String(Buffer.byteLength(body)), "connection", "close");
	let head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}\r\n`;
	for (let index = 0; index < headers.length; index += 2) {
		head += `${headers[index]}: ${headers[index + 1]}\r\n`;
	}
	socket.on("error", () => socket.destroy());
	// A client that never closes its side would keep the connection.
	socket.once("finish", () => socket.destroy());
	socket.cork();
	socket.write(`${head}\r\n`, "latin1");
	socket.write(body);
	socket.uncork();
	socket.end();
}
