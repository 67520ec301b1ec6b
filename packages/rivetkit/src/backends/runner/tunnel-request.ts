import {
	type ActorRequest,
	catalogueError,
	HEADER_CALL_ID,
	HEADER_RAY_ID,
	type HeadersView,
	type RequestBody,
} from "@rivetkit/protocol";

/** Headers as the tunnel carries them: lower-case names, one value each. */
export class TunnelHeaders implements HeadersView {
	readonly #headers: ReadonlyMap<string, string>;

	constructor(headers: ReadonlyMap<string, string>) {
		this.#headers = headers;
	}

	get(name: string): string | null {
		return this.#headers.get(name) ?? null;
	}

	entries(): Iterable<[string, string]> {
		return this.#headers.entries();
	}
}

export interface TunnelRequestHead {
	readonly method: string;
	readonly path: string;
	readonly headers: ReadonlyMap<string, string>;
	readonly body: Uint8Array | undefined;
	/** The body comes in chunks. */
	readonly stream: boolean;
}

/**
 * Headers with a call id: an engine sends a whole request again when its actor stops before the answer, under
 * the same ray id, and then the actor answers without doing it twice.
 */
export function withCallId(
	headers: ReadonlyMap<string, string>,
	exchange: string,
): ReadonlyMap<string, string> {
	const ray = headers.get(HEADER_RAY_ID);
	if (ray === undefined || headers.has(HEADER_CALL_ID)) return headers;
	return new Map([...headers, [HEADER_CALL_ID, `${ray}.${exchange}`]]);
}

/** One HTTP call that came through the tunnel. */
export class TunnelRequest implements ActorRequest, RequestBody {
	readonly method: string;
	readonly path: string;
	readonly headers: HeadersView;
	readonly #chunks: Uint8Array[] = [];
	readonly #abort = new AbortController();
	readonly #whole: Promise<void>;
	#complete!: () => void;

	constructor({ method, path, headers, body, stream }: TunnelRequestHead) {
		this.method = method;
		this.path = path;
		this.headers = new TunnelHeaders(headers);
		this.#whole = new Promise((resolve) => {
			this.#complete = resolve;
		});
		if (body) this.#chunks.push(new Uint8Array(body));
		if (!stream) this.#complete();
	}

	get body(): RequestBody {
		return this;
	}

	get signal(): AbortSignal {
		return this.#abort.signal;
	}

	/** The next part of a streamed body. */
	chunk(bytes: Uint8Array, isLast: boolean): void {
		this.#chunks.push(new Uint8Array(bytes));
		if (isLast) this.#complete();
	}

	/** The caller went away. */
	cancel(): void {
		this.#abort.abort(
			new DOMException("The caller went away before the answer was complete", "AbortError"),
		);
		this.#complete();
	}

	async bytes(limitBytes: number): Promise<Uint8Array> {
		await this.#whole;
		this.signal.throwIfAborted();
		const size = this.#chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
		if (size > limitBytes) {
			throw catalogueError("message.incoming_too_long", { size, limit: limitBytes });
		}
		if (this.#chunks.length === 1) return this.#chunks[0]!;
		return new Uint8Array(Buffer.concat(this.#chunks));
	}

	stream(): ReadableStream<Uint8Array> | null {
		return new ReadableStream({
			start: async (controller) => {
				try {
					await this.#whole;
					this.signal.throwIfAborted();
					for (const chunk of this.#chunks) controller.enqueue(chunk);
					controller.close();
				} catch (error) {
					controller.error(error);
				}
			},
		});
	}
}
