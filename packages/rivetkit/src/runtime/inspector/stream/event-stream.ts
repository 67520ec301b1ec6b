/** Bytes that wait for a client that reads slowly; of entries beyond them only the number is told. */
const WAITING_BYTES_MAX = 1_048_576;

const UTF8 = new TextEncoder();

/**
 * One response of server-sent events, for as long as its client reads. A client that is slow misses entries,
 * and is told how many; of what can be told anew it gets the latest.
 */
export class EventStream {
	readonly body: ReadableStream<Uint8Array>;
	#waiting: Uint8Array[] = [];
	#waitingBytes = 0;
	/** By topic. */
	readonly #dropped = new Map<string, number>();
	readonly #latest = new Map<string, string>();
	#pulled: (() => void) | null = null;
	#isOver = false;

	/** @param closed - called once, when the client is gone or {@link end} was called */
	constructor(closed: () => void) {
		this.#closed = closed;
		this.body = new ReadableStream<Uint8Array>(
			{
				pull: (controller) => this.#pull(controller),
				cancel: () => this.end(),
			},
			{ highWaterMark: 0 },
		);
	}
	readonly #closed: () => void;

	get isOver(): boolean {
		return this.#isOver;
	}

	/** One of many: left out when too much waits. `id`: what the client may go on after. */
	entry(topic: string, data: string, id: number): void {
		if (this.#isFull) {
			this.#countDropped(topic);
			return;
		}
		this.#tellDropped(topic);
		this.#push(message(topic, data, id));
	}

	/** One of many that cannot be written: it counts as one that was left out. */
	drop(topic: string): void {
		this.#countDropped(topic);
		if (!this.#isFull) this.#tellDropped(topic);
	}

	/** What takes the place of all that was sent under this topic before. */
	latest(topic: string, data: string): void {
		// What waits to be told anew must not come after this.
		if (this.#isFull || this.#latest.has(topic)) this.#latest.set(topic, data);
		else this.#push(message(topic, data, null));
	}

	/** Always sent. */
	say(topic: string, data: string): void {
		this.#push(message(topic, data, null));
	}

	keepAlive(): void {
		if (this.#waitingBytes === 0) this.#push(":\n\n");
	}

	/** What waits is still sent. */
	end(): void {
		if (this.#isOver) return;
		this.#over();
		this.#pulled?.();
	}

	get #isFull(): boolean {
		return this.#waitingBytes >= WAITING_BYTES_MAX;
	}

	#push(text: string): void {
		if (this.#isOver) return;
		const bytes = UTF8.encode(text);
		this.#waiting.push(bytes);
		this.#waitingBytes += bytes.byteLength;
		this.#pulled?.();
	}

	async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
		while (this.#waiting.length === 0) {
			if (this.#isOver) {
				controller.close();
				return;
			}
			await new Promise<void>((resolve) => {
				this.#pulled = resolve;
			});
			this.#pulled = null;
		}
		const bytes = this.#waiting.shift()!;
		this.#waitingBytes -= bytes.byteLength;
		if (this.#waiting.length === 0) this.#catchUp();
		controller.enqueue(bytes);
	}

	#countDropped(topic: string): void {
		this.#dropped.set(topic, (this.#dropped.get(topic) ?? 0) + 1);
	}

	/** Before the entries that come after those that are missing. */
	#tellDropped(topic: string): void {
		const count = this.#dropped.get(topic);
		if (count === undefined) return;
		this.#dropped.delete(topic);
		this.#push(message("dropped", JSON.stringify({ topic, count }), null));
	}

	/** The client has read everything. */
	#catchUp(): void {
		for (const topic of [...this.#dropped.keys()]) this.#tellDropped(topic);
		for (const [topic, data] of this.#latest) this.#push(message(topic, data, null));
		this.#latest.clear();
	}

	#over(): void {
		if (this.#isOver) return;
		this.#isOver = true;
		this.#closed();
	}
}

/** `data` has no line ends: it is JSON. */
function message(topic: string, data: string, id: number | null): string {
	return `${id === null ? "" : `id: ${id}\n`}event: ${topic}\ndata: ${data}\n\n`;
}
