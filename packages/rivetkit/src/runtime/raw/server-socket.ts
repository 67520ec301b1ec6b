import { type ActorSocket, socketMessage } from "@rivetkit/protocol";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";

type SocketEventType = "open" | "message" | "close" | "error";
type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };

/** What the owner of a {@link ServerSocket} does for it. */
export interface ServerSocketOwner {
	/** Runs `step` when what was written so far is durable; `whenDropped` if a `c.atomic` takes it back. */
	release(step: () => void, whenDropped: () => void): void;
	/** The actor closes the socket. */
	closed(code: number, reason: string): void;
	/** A listener threw or rejected. */
	failed(error: unknown): void;
	/** A listener returned a promise: the actor is busy until it settles. */
	track(promise: PromiseLike<unknown>): void;
	/** A listener for messages was attached. */
	listening(): void;
}

/**
 * The standard-like WebSocket that `onWebSocket` gets (contract: api 5, lifecycle 11): text arrives as
 * strings, binary as `ArrayBuffer`.
 */
export class ServerSocket {
	static readonly CONNECTING = 0;
	static readonly OPEN = 1;
	static readonly CLOSING = 2;
	static readonly CLOSED = 3;
	readonly CONNECTING = 0;
	readonly OPEN = 1;
	readonly CLOSING = 2;
	readonly CLOSED = 3;

	readonly url: string;
	readonly extensions = "";
	binaryType: "arraybuffer" | "blob" = "arraybuffer";
	onopen: ((event: Event) => unknown) | null = null;
	onclose: ((event: CloseEvent) => unknown) | null = null;
	onerror: ((event: Event) => unknown) | null = null;

	readonly #socket: ActorSocket;
	readonly #owner: ServerSocketOwner;
	readonly #listeners = new Map<SocketEventType, { listener: Listener; once: boolean }[]>();
	#readyState: 0 | 1 | 2 | 3 = ServerSocket.OPEN;
	#onmessage: ((event: MessageEvent) => unknown) | null = null;
	/** A blob is being read; what is sent after it waits. */
	#reading: Promise<void> | null = null;

	constructor(socket: ActorSocket, url: string, owner: ServerSocketOwner) {
		this.#socket = socket;
		this.url = url;
		this.#owner = owner;
	}

	get readyState(): number {
		return this.#readyState;
	}

	get protocol(): string {
		return this.#socket.protocol;
	}

	get bufferedAmount(): number {
		return this.#socket.bufferedBytes;
	}

	get onmessage(): ((event: MessageEvent) => unknown) | null {
		return this.#onmessage;
	}

	set onmessage(handler: ((event: MessageEvent) => unknown) | null) {
		this.#onmessage = handler;
		if (handler) this.#owner.listening();
	}

	/**
	 * Does nothing once the socket is closed, as the standard says. Throws a `TypeError` for anything else than the
	 * declared types, which browsers would send as `String(data)`.
	 */
	send(data: string | ArrayBufferLike | ArrayBufferView | Blob): void {
		const message = data instanceof Blob ? null : socketMessage(data);
		if (this.#readyState !== ServerSocket.OPEN) return;
		if (data instanceof Blob) {
			this.#inOrder(async () => this.#release(new Uint8Array(await data.arrayBuffer())));
			return;
		}
		if (this.#reading) this.#inOrder(async () => this.#release(message!));
		else this.#release(message!);
	}

	#release(message: string | Uint8Array): void {
		this.#owner.release(
			() => this.#socket.send(message),
			() => {},
		);
	}

	#inOrder(step: () => Promise<void>): void {
		const reading = (this.#reading ?? Promise.resolve())
			.then(step)
			.catch((error) => this.#owner.failed(error))
			.finally(() => {
				if (this.#reading === reading) this.#reading = null;
			});
		this.#reading = reading;
	}

	/** Any code a server may send: 1000 to 1014 but 1004 to 1006, 3000 to 4999. Reason: 123 bytes. */
	close(code = 1000, reason = ""): void {
		if (!isSendable(code)) {
			throw new RangeError(
				`Close code ${code} cannot be sent: use 1000 (1004 to 1006 are reserved, as is what is over 1014) or 3000 to 4999`,
			);
		}
		if (this.#readyState >= ServerSocket.CLOSING) return;
		this.#readyState = ServerSocket.CLOSING;
		const closed = () => this.#owner.closed(code, reason);
		// It looks closed already: that cannot be taken back.
		const close = () => this.#owner.release(closed, closed);
		if (this.#reading) this.#inOrder(async () => close());
		else close();
	}

	addEventListener(
		type: SocketEventType,
		listener: Listener | null,
		options?: boolean | { once?: boolean },
	): void {
		if (!listener) return;
		const known = this.#listeners.get(type) ?? [];
		if (known.some((entry) => entry.listener === listener)) return;
		known.push({ listener, once: typeof options === "object" && options.once === true });
		this.#listeners.set(type, known);
		if (type === "message") this.#owner.listening();
	}

	removeEventListener(type: SocketEventType, listener: Listener | null): void {
		const known = this.#listeners.get(type);
		if (!known) return;
		this.#listeners.set(
			type,
			known.filter((entry) => entry.listener !== listener),
		);
	}

	dispatchEvent(event: Event): boolean {
		const type = event.type as SocketEventType;
		const handler = this[`on${type}`] as ((event: Event) => unknown) | null;
		if (handler) this.#call(() => handler.call(this, event));
		for (const entry of [...(this.#listeners.get(type) ?? [])]) {
			// An earlier listener may have removed it.
			if (!this.#listeners.get(type)?.includes(entry)) continue;
			if (entry.once) this.removeEventListener(type, entry.listener);
			const { listener } = entry;
			this.#call(() =>
				typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event),
			);
		}
		return true;
	}

	/** It was open before `onWebSocket` could listen: tells what listens by now. */
	opened(): void {
		if (this.#readyState === ServerSocket.OPEN) this.dispatchEvent(new Event("open"));
	}

	/** The peer sent something. */
	receive(message: string | Uint8Array): void {
		if (this.#readyState !== ServerSocket.OPEN) return;
		const data = typeof message === "string" ? message : this.#binary(message);
		this.dispatchEvent(new MessageEvent("message", { data }));
	}

	/** The socket is gone. */
	end(code: number, reason: string, wasClean: boolean): void {
		if (this.#readyState === ServerSocket.CLOSED) return;
		this.#readyState = ServerSocket.CLOSED;
		const event = new Event("close");
		Object.defineProperties(event, {
			code: { value: code, enumerable: true },
			reason: { value: reason, enumerable: true },
			wasClean: { value: wasClean, enumerable: true },
		});
		this.dispatchEvent(event);
	}

	#binary(bytes: Uint8Array): ArrayBuffer | Blob {
		const { buffer } = new Uint8Array(bytes);
		return this.binaryType === "blob" ? new Blob([buffer]) : buffer;
	}

	#call(listener: () => unknown): void {
		try {
			const result = listener();
			if (isPromiseLike(result)) this.#owner.track(result);
		} catch (error) {
			this.#owner.failed(error);
		}
	}
}

function isSendable(code: number): boolean {
	if (!Number.isInteger(code) || (code >= 1004 && code <= 1006)) return false;
	return (code >= 1000 && code <= 1014) || (code >= 3000 && code <= 4999);
}
