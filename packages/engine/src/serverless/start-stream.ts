import { decodeBase64, PATH_START } from "@rivetkit/protocol";
import { decodeServerlessGreeting } from "@rivetkit/protocol/runner";
import { EventStreamError, readEvents } from "./event-stream.ts";
import { HostFailure, readStart, reasonOf } from "./pool-error.ts";

/** Characters of what a host said that an error shows (contract: engine 5.5). */
const BODY_CHARS_MAX = 512;

export interface StartStreamOptions {
	/** Of the host, without a slash at its end. */
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	/** Lets go of the request. */
	readonly signal: AbortSignal;
	/** The host says that its runner is connected; called once. What it throws ends the request. */
	readonly greeted: (runnerId: string) => void;
}

/**
 * Asks a host for a runner, and stays with it (contract: engine 5.1, 5.2). Resolves when the stream is over after it
 * has greeted, or was let go of. Rejects with a {@link HostFailure}.
 */
export async function openStartStream(options: StartStreamOptions): Promise<void> {
	const { url, headers, signal, greeted } = options;
	try {
		const response = await fetch(`${url}${PATH_START}`, { headers, signal });
		if (!response.ok) {
			const body = await readStart(response, BODY_CHARS_MAX);
			throw new HostFailure({ serverless_http_error: { status_code: response.status, body } });
		}
		let isGreeted = false;
		for await (const { event, data } of readEvents(response.body!)) {
			if (event !== "message" || isGreeted) continue;
			isGreeted = true;
			greeted(readGreeting(data));
		}
		if (!isGreeted) throw new HostFailure("serverless_stream_ended_early");
	} catch (error) {
		if (signal.aborted) return;
		if (error instanceof HostFailure) throw error;
		if (error instanceof EventStreamError) {
			throw invalidPayload(error.message, "");
		}
		throw new HostFailure({ serverless_connection_error: { message: reasonOf(error, url) } });
	}
}

function readGreeting(data: string): string {
	const bytes = decodeBase64(data);
	if (bytes === null) throw invalidPayload("not base64", data);
	try {
		return decodeServerlessGreeting(bytes).runnerId;
	} catch (error) {
		throw invalidPayload((error as Error).message, data);
	}
}

function invalidPayload(message: string, raw: string): HostFailure {
	return new HostFailure({
		serverless_invalid_sse_payload: { message, raw_payload: raw.slice(0, BODY_CHARS_MAX) },
	});
}
