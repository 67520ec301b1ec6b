import { type ActorResponse, catalogueError } from "@rivetkit/protocol";

/**
 * Bytes of one answer. Engines of 2.3 close the socket of a runner, and with it all its actors, for one byte
 * more (Q9).
 */
export const RESPONSE_BYTES_MAX: number = 20 * 1024 * 1024;

export interface WholeResponse {
	readonly status: number;
	readonly headers: Map<string, string>;
	readonly body: Uint8Array | undefined;
}

/**
 * An answer as the runner protocol carries it: in one piece, with one value per header.
 *
 * @throws `feature.unsupported` for a stream of events, which has no end; `message.outgoing_too_long`
 */
export async function wholeResponse(response: ActorResponse): Promise<WholeResponse> {
	const headers = new Map<string, string>();
	for (const [name, value] of Object.entries(response.headers)) {
		headers.set(name, typeof value === "string" ? value : value.join(", "));
	}
	const { body: given } = response;
	if (given instanceof ReadableStream && isEventStream(headers.get("content-type"))) {
		await given.cancel();
		throw catalogueError("feature.unsupported", {
			feature: "streams of server-sent events through the runner protocol",
		});
	}
	const body = given instanceof ReadableStream ? await collect(given) : bytesOf(given);
	if (body && body.byteLength > RESPONSE_BYTES_MAX) throw tooLong(body.byteLength);
	if (body && !headers.has("content-length")) {
		headers.set("content-length", String(body.byteLength));
	}
	return { status: response.status, headers, body };
}

function bytesOf(body: string | Uint8Array | null): Uint8Array | undefined {
	if (body === null) return undefined;
	return typeof body === "string" ? Buffer.from(body) : body;
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
	const chunks: Uint8Array[] = [];
	let size = 0;
	// Leaving the loop cancels the stream.
	for await (const chunk of stream) {
		size += chunk.byteLength;
		if (size > RESPONSE_BYTES_MAX) throw tooLong(size);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

function isEventStream(contentType: string | undefined): boolean {
	return contentType?.toLowerCase().startsWith("text/event-stream") ?? false;
}

function tooLong(size: number): Error {
	return catalogueError("message.outgoing_too_long", { size, limit: RESPONSE_BYTES_MAX });
}
