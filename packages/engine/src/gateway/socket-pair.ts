/**
 * A WebSocket inside one process: two linked ends, no network. What is sent arrives in order, on a later
 * turn of the event loop, and as a copy, exactly as from a real socket.
 */
import { type PreparedMessage, socketMessage, truncateCloseReason } from "@rivetkit/protocol";
import { isSendableCloseCode } from "../common/close-codes.ts";
import { later } from "../common/later.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { AcceptedSocket, AcceptedSocketHandler } from "./accepted-socket.ts";
import { SharedMessage } from "./prepared-message.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const CLOSE_NO_STATUS = 1005;

export interface PairEvents {
	open: { readonly type: "open"; readonly target: PairedWebSocket };
	message: {
		readonly type: "message";
		readonly data: string | ArrayBuffer;
		readonly target: PairedWebSocket;
	};
	close: {
		readonly type: "close";
		readonly code: number;
		readonly reason: string;
		readonly wasClean: boolean;
		readonly target: PairedWebSocket;
	};
	error: { readonly type: "error"; readonly error: unknown; readonly target: PairedWebSocket };
}

type Listener<K extends keyof PairEvents> = (event: PairEvents[K]) => void;

/** What waits to be delivered to the other end. */
type Delivery =
	| { readonly kind: "message"; readonly data: string | Uint8Array }
	| { readonly kind: "close"; readonly code: number; readonly reason: string };

/** Deliveries in order, a turn's worth at a time, held back while nobody can take them. */
class Mailbox {
	#waiting: Delivery[] = [];
	#scheduled = false;
	#take: ((delivery: Delivery) => void) | undefined;
	bytes = 0;

	put(delivery: Delivery): void {
		this.#waiting.push(delivery);
		if (delivery.kind === "message") {
			this.bytes += sizeOf(delivery.data);
		}
		this.#schedule();
	}

	/** Sets who takes deliveries; those that wait come first. */
	open(take: (delivery: Delivery) => void): void {
		this.#take = take;
		this.#schedule();
	}

	#schedule(): void {
		if (!this.#scheduled && this.#take !== undefined && this.#waiting.length > 0) {
			this.#scheduled = true;
			later(() => {
				this.#scheduled = false;
				const deliveries = this.#waiting;
				this.#waiting = [];
				this.bytes = 0;
				for (const delivery of deliveries) {
					this.#take!(delivery);
				}
			});
		}
	}
}

/** The client's end: as much of the WHATWG `WebSocket` as clients use. Binary arrives as `ArrayBuffer`. */
export class PairedWebSocket {
	static readonly CONNECTING = CONNECTING;
	static readonly OPEN = OPEN;
	static readonly CLOSING = CLOSING;
	static readonly CLOSED = CLOSED;
	readonly CONNECTING = CONNECTING;
	readonly OPEN = OPEN;
	readonly CLOSING = CLOSING;
	readonly CLOSED = CLOSED;

	readonly url: string;
	readonly protocol: string;
	readonly extensions = "";
	binaryType: "arraybuffer" = "arraybuffer";
	readyState: 0 | 1 | 2 | 3 = CONNECTING;
	onopen: Listener<"open"> | null = null;
	onmessage: Listener<"message"> | null = null;
	onclose: Listener<"close"> | null = null;
	onerror: Listener<"error"> | null = null;
	readonly #outgoing: Mailbox;
	readonly #logger: EngineLogger;
	readonly #listeners = new Map<keyof PairEvents, Map<unknown, { once: boolean }>>();

	constructor(
		url: string,
		protocol: string,
		outgoing: Mailbox,
		incoming: Mailbox,
		logger: EngineLogger,
	) {
		this.url = url;
		this.protocol = protocol;
		this.#outgoing = outgoing;
		this.#logger = logger;
		later(() => {
			if (this.readyState === CONNECTING) {
				this.readyState = OPEN;
				this.#emit("open", { type: "open", target: this });
			}
			incoming.open((delivery) => this.#deliver(delivery));
		});
	}

	get bufferedAmount(): number {
		return this.#outgoing.bytes;
	}

	/**
	 * After the socket's close, messages are dropped.
	 *
	 * @throws Error while the socket is connecting
	 * @throws TypeError for anything but text and bytes
	 */
	send(data: string | ArrayBufferLike | ArrayBufferView): void {
		if (this.readyState === CONNECTING) {
			throw new Error("The WebSocket is still connecting");
		}
		const message = socketMessage(data);
		if (this.readyState === OPEN) {
			this.#outgoing.put({ kind: "message", data: message });
		}
	}

	/** @throws RangeError for a code that is neither 1000 nor from 3000 to 4999 */
	close(code?: number, reason = ""): void {
		if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) {
			throw new RangeError(`${code} is not a close code that an application may send`);
		}
		if (this.readyState === CLOSING || this.readyState === CLOSED) {
			return;
		}
		this.readyState = CLOSING;
		const sent = { code: code ?? CLOSE_NO_STATUS, reason: truncateCloseReason(reason) };
		this.#outgoing.put({ kind: "close", ...sent });
		later(() => this.#closed(sent.code, sent.reason));
	}

	addEventListener<K extends keyof PairEvents>(
		type: K,
		listener: Listener<K>,
		options?: boolean | { once?: boolean },
	): void {
		let listeners = this.#listeners.get(type);
		if (listeners === undefined) {
			listeners = new Map();
			this.#listeners.set(type, listeners);
		}
		if (!listeners.has(listener)) {
			listeners.set(listener, { once: typeof options === "object" && options.once === true });
		}
	}

	removeEventListener<K extends keyof PairEvents>(type: K, listener: Listener<K>): void {
		this.#listeners.get(type)?.delete(listener);
	}

	#deliver(delivery: Delivery): void {
		if (delivery.kind === "close") {
			this.#closed(delivery.code, delivery.reason);
			return;
		}
		if (this.readyState !== OPEN) {
			return;
		}
		const { data } = delivery;
		this.#emit("message", {
			type: "message",
			data: typeof data === "string" ? data : bufferOf(data),
			target: this,
		});
	}

	#closed(code: number, reason: string): void {
		if (this.readyState === CLOSED) {
			return;
		}
		this.readyState = CLOSED;
		this.#emit("close", { type: "close", code, reason, wasClean: true, target: this });
	}

	#emit<K extends keyof PairEvents>(type: K, event: PairEvents[K]): void {
		const own = this[`on${type}`] as Listener<K> | null;
		if (own !== null) {
			this.#call(own, event);
		}
		const listeners = this.#listeners.get(type);
		for (const [listener, { once }] of [...(listeners ?? [])]) {
			// An earlier listener may have removed it.
			if (!listeners!.has(listener)) {
				continue;
			}
			if (once) {
				listeners!.delete(listener);
			}
			this.#call(listener as Listener<K>, event);
		}
	}

	#call<K extends keyof PairEvents>(listener: Listener<K>, event: PairEvents[K]): void {
		try {
			listener.call(this, event);
		} catch (error) {
			this.#logger.error({ err: error, event: event.type }, "a websocket listener threw");
		}
	}
}

/** The server's end. */
class PairedServerSocket implements AcceptedSocket {
	readonly protocol: string;
	readonly #outgoing: Mailbox;
	readonly #incoming: Mailbox;
	readonly #logger: EngineLogger;
	#handler: AcceptedSocketHandler | undefined;
	#open = true;

	constructor(protocol: string, outgoing: Mailbox, incoming: Mailbox, logger: EngineLogger) {
		this.protocol = protocol;
		this.#outgoing = outgoing;
		this.#incoming = incoming;
		this.#logger = logger;
	}

	get bufferedBytes(): number {
		return this.#outgoing.bytes;
	}

	send(message: string | Uint8Array): void {
		if (this.#open) {
			this.#outgoing.put({ kind: "message", data: socketMessage(message) });
		}
	}

	sendPrepared(message: PreparedMessage): void {
		if (this.#open) {
			// Bytes are copied when they are delivered; until then a prepared message does not change.
			this.#outgoing.put({ kind: "message", data: message.data });
		}
	}

	prepare(message: string | Uint8Array): PreparedMessage {
		return new SharedMessage(message);
	}

	/** There is no network that could be cut, so the peer always answers. */
	ping(): void {
		later(() => this.#handler?.onPong?.());
	}

	close(code: number, reason: string): void {
		if (!isSendableCloseCode(code)) {
			throw new RangeError(`${code} is not a close code that can be sent`);
		}
		if (!this.#open) {
			return;
		}
		this.#open = false;
		const cut = truncateCloseReason(reason);
		this.#outgoing.put({ kind: "close", code, reason: cut });
		later(() => this.#closed(code, cut));
	}

	listen(handler: AcceptedSocketHandler): void {
		this.#handler = handler;
		this.#incoming.open((delivery) => this.#deliver(delivery));
	}

	#deliver(delivery: Delivery): void {
		if (!this.#open) {
			return;
		}
		if (delivery.kind === "close") {
			this.#open = false;
			this.#closed(delivery.code, delivery.reason);
			return;
		}
		try {
			this.#handler!.onMessage(delivery.data);
		} catch (error) {
			this.#logger.error({ err: error }, "a websocket message handler threw");
			this.close(1011, "rivetkit.internal_error");
		}
	}

	#closed(code: number, reason: string): void {
		const handler = this.#handler;
		this.#handler = undefined;
		try {
			handler?.onClose(code, reason, true);
		} catch (error) {
			this.#logger.error({ err: error }, "a websocket close handler threw");
		}
	}
}

export interface SocketPairOptions {
	/** What the client's end reports as its address. */
	readonly url?: string;
	/** The selected sub-protocol. */
	readonly protocol?: string;
	readonly logger: EngineLogger;
}

/** Two linked ends: one for the client library, one for the gateway. */
export function createSocketPair(options: SocketPairOptions): {
	readonly client: PairedWebSocket;
	readonly server: AcceptedSocket;
} {
	const { url = "ws://actor/", protocol = "", logger } = options;
	const toServer = new Mailbox();
	const toClient = new Mailbox();
	return {
		client: new PairedWebSocket(url, protocol, toServer, toClient, logger),
		server: new PairedServerSocket(protocol, toClient, toServer, logger),
	};
}

function sizeOf(data: string | Uint8Array): number {
	return typeof data === "string" ? data.length : data.byteLength;
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
	return new Uint8Array(bytes).buffer;
}
