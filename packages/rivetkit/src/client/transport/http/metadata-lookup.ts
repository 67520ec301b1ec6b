import type { Clock, ServerMetadata, Timer } from "@rivetkit/protocol";
import { RUNTIME, RUNTIME_ENGINE } from "@rivetkit/protocol";
import { untilAborted } from "../../abort.ts";
import { describeCause, HttpRequestError } from "../../errors.ts";
import type { ClientLog } from "../../log.ts";
import type { Fetch } from "./exchange.ts";

/** Delay after the first failed look-up (contract: protocol 5.2). Doubles up to {@link RETRY_MAX_MS}. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 15_000;
/** How long one request may take. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How long an operation waits for the look-up before it fails (contract: api 15.1). */
const METADATA_WAIT_MS = 15_000;

export interface LookupOptions {
	readonly url: string;
	readonly headers: Headers;
	readonly fetch: Fetch;
	/** For the retries; should not keep the process alive. */
	readonly backgroundClock: Clock;
	readonly log: ClientLog;
}

/**
 * The look-up of one endpoint, shared by all its clients. It goes on until it has an answer or until
 * nobody is left who wants it, and starts at once when an operation comes after others gave up waiting.
 */
export class MetadataLookup {
	/** The answer, for the rest of the process. */
	answer: ServerMetadata | null = null;

	readonly #options: LookupOptions;
	readonly #waiting = new Set<(metadata: ServerMetadata) => void>();
	/** Clients, and operations that wait. */
	#users = 0;
	#failureCount = 0;
	#lastFailure: unknown;
	#request: AbortController | null = null;
	#retryTimer: Timer | null = null;
	#someoneGaveUp = false;

	constructor(options: LookupOptions) {
		this.#options = options;
	}

	/** Somebody came who wants the answer. Starts the look-up unless it runs. */
	retain(): void {
		this.#users++;
		if (!this.answer && !this.#request && !this.#retryTimer) void this.#look();
	}

	/** Somebody went. The last one stops the look-up. */
	release(): void {
		if (--this.#users > 0) return;
		this.#retryTimer?.stop();
		this.#retryTimer = null;
		this.#request?.abort();
		this.#request = null;
	}

	/**
	 * The answer, as soon as there is one. Rejects with an `HttpRequestError` naming endpoint and last
	 * cause after {@link METADATA_WAIT_MS}, and with the signal's reason after an abort.
	 */
	async wait(clock: Clock, signal: AbortSignal | undefined): Promise<ServerMetadata> {
		if (this.answer) return this.answer;
		if (this.#someoneGaveUp) {
			this.#retryTimer?.stop();
			this.#retryTimer = null;
		}
		this.retain();
		let stop: (() => void) | undefined;
		const answered = new Promise<ServerMetadata>((resolve, reject) => {
			const timer = clock.after(METADATA_WAIT_MS, () => {
				this.#someoneGaveUp = true;
				reject(this.#unreachable());
			});
			this.#waiting.add(resolve);
			stop = () => {
				timer.stop();
				this.#waiting.delete(resolve);
				this.release();
			};
		});
		return untilAborted(answered, signal).finally(stop);
	}

	async #look(): Promise<void> {
		const { backgroundClock, log } = this.#options;
		const request = new AbortController();
		this.#request = request;
		this.#someoneGaveUp = false;
		const timeout = backgroundClock.after(REQUEST_TIMEOUT_MS, () =>
			request.abort(new Error(`no answer within ${REQUEST_TIMEOUT_MS} ms`)),
		);
		try {
			const metadata = await this.#ask(request.signal);
			if (this.#request !== request) return;
			this.answer = metadata;
			this.#request = null;
			for (const tell of [...this.#waiting]) tell(metadata);
		} catch (error) {
			if (this.#request !== request) return;
			this.#request = null;
			this.#lastFailure = error;
			if (this.#failureCount === 0) log.warn(`${this.#unreachable().message}. Retrying.`);
			const delayMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failureCount);
			this.#failureCount++;
			this.#retryTimer = backgroundClock.after(delayMs, () => {
				this.#retryTimer = null;
				void this.#look();
			});
		} finally {
			timeout.stop();
		}
	}

	async #ask(signal: AbortSignal): Promise<ServerMetadata> {
		const { fetch, url, headers } = this.#options;
		const response = await fetch(url, { headers, signal, credentials: "include" });
		if (!response.ok) {
			await response.body?.cancel();
			throw new Error(`it answered ${response.status} ${response.statusText}`);
		}
		return parseMetadata(await response.text());
	}

	#unreachable(): HttpRequestError {
		const { origin, pathname } = new URL(this.#options.url);
		return new HttpRequestError(
			`no RivetKit server answers at ${origin}${pathname}: ${describeCause(this.#lastFailure ?? "no answer yet")}`,
			{ cause: this.#lastFailure },
		);
	}
}

/** Only `runtime` and `version` are required of a server (contract: protocol 8.6). */
function parseMetadata(text: string): ServerMetadata {
	let body: unknown;
	try {
		body = JSON.parse(text);
	} catch (cause) {
		throw new Error("its /metadata is not JSON", { cause });
	}
	const metadata = (body ?? {}) as Partial<ServerMetadata>;
	const isKnown = metadata.runtime === RUNTIME || metadata.runtime === RUNTIME_ENGINE;
	if (!isKnown || typeof metadata.version !== "string") {
		throw new Error("its /metadata is not that of a RivetKit server");
	}
	return metadata as ServerMetadata;
}
