import {
	type ActorRequest,
	HEADER_CALL_ID,
	HEADER_WAIT_UNTIL,
	type HeadersView,
	type RequestBody,
	type ResumedCall,
} from "@rivetkit/protocol";

/** A call that waits, on its way to the next incarnation: it says which call it is, and until when. */
export class ResumedRequest implements ActorRequest, HeadersView {
	readonly #request: ActorRequest;
	/** Headers that are others than the request's; null for none. */
	readonly #own: ReadonlyMap<string, string | null>;

	constructor(request: ActorRequest, { callId, deadlineTs }: ResumedCall) {
		this.#request = request;
		this.#own = new Map([
			[HEADER_CALL_ID, callId],
			[HEADER_WAIT_UNTIL, deadlineTs === null ? null : String(deadlineTs)],
		]);
	}

	get method(): string {
		return this.#request.method;
	}

	get path(): string {
		return this.#request.path;
	}

	get body(): RequestBody {
		return this.#request.body;
	}

	get signal(): AbortSignal {
		return this.#request.signal;
	}

	get headers(): HeadersView {
		return this;
	}

	get(name: string): string | null {
		const own = this.#own.get(name);
		return own === undefined ? this.#request.headers.get(name) : own;
	}

	*entries(): Iterable<[name: string, value: string]> {
		for (const entry of this.#request.headers.entries()) {
			if (!this.#own.has(entry[0])) {
				yield entry;
			}
		}
		for (const [name, value] of this.#own) {
			if (value !== null) {
				yield [name, value];
			}
		}
	}
}
