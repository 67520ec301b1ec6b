import { decodeBase64, decodeCbor } from "@rivetkit/protocol";
import type { TestRuntime } from "../../support/test-runtime.ts";

export interface StreamMessage {
	readonly event: string;
	readonly id: string | null;
	// biome-ignore lint/suspicious/noExplicitAny: whatever the topic has
	readonly data: any;
}

/** A stream of server-sent events, message by message. */
export class InspectorStream {
	readonly status: number;
	readonly headers: Headers;
	readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
	readonly #abort: AbortController;
	readonly #decoder = new TextDecoder();
	#text = "";
	isOver = false;

	private constructor(response: Response, abort: AbortController) {
		this.status = response.status;
		this.headers = response.headers;
		this.#reader = response.body!.getReader();
		this.#abort = abort;
	}

	static async open(
		runtime: Pick<TestRuntime, "url">,
		actorId: string,
		query = "",
		headers: Record<string, string> = {},
	): Promise<InspectorStream> {
		const abort = new AbortController();
		const response = await fetch(`${runtime.url}/gateway/${actorId}/inspector/stream${query}`, {
			headers,
			signal: abort.signal,
		});
		return new InspectorStream(response, abort);
	}

	/** The next message; null at the end. */
	async next(): Promise<StreamMessage | null> {
		for (;;) {
			const end = this.#text.indexOf("\n\n");
			if (end >= 0) {
				const block = this.#text.slice(0, end);
				this.#text = this.#text.slice(end + 2);
				if (!block.startsWith(":")) return readMessage(block);
				continue;
			}
			const { done, value } = await this.#reader.read();
			if (done) {
				this.isOver = true;
				return null;
			}
			this.#text += this.#decoder.decode(value, { stream: true });
		}
	}

	/** The next message of this topic that is meant; those before it are dropped. */
	async until(
		event: string,
		isMeant: (data: StreamMessage["data"]) => boolean = () => true,
	): Promise<StreamMessage> {
		for (;;) {
			const message = await this.next();
			if (message === null) throw new Error(`the stream ended without ${event}`);
			if (message.event === event && isMeant(message.data)) return message;
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#abort.abort();
		await this.#reader.cancel().catch(() => {});
	}
}

function readMessage(block: string): StreamMessage {
	const fields = new Map(
		block.split("\n").map((line): [string, string] => {
			const colon = line.indexOf(": ");
			return [line.slice(0, colon), line.slice(colon + 2)];
		}),
	);
	return {
		event: fields.get("event") ?? "message",
		id: fields.get("id") ?? null,
		data: readData(fields.get("data") ?? "null"),
	};
}

/** JSON, or base64 of CBOR. */
function readData(text: string): unknown {
	const bytes = text.startsWith("{") ? null : decodeBase64(text);
	return bytes === null ? JSON.parse(text) : decodeCbor(bytes);
}
