import { CLOSE_ERROR, type PreparedMessage, truncateCloseReason } from "@rivetkit/protocol";
import type { AcceptedSocket, AcceptedSocketHandler } from "../backends/embedded/engine.ts";
import { getLogger } from "../log/base-logger.ts";
import type { Logger } from "../log/logger.ts";

/** What may arrive before an actor listens; a client that sends more is closed. */
export const EARLY_BYTES_MAX: number = 16 * 1024 * 1024;
/** Added to close codes that a platform keeps for itself. */
const PRIVATE_CODE_OFFSET = 3_000;

/** The part of a standard WebSocket that is used; `ws`, Deno and Durable Objects have it. */
export interface PlatformWebSocket {
	binaryType?: string;
	readonly bufferedAmount?: number;
	readonly protocol?: string | null;
	send(data: string | Uint8Array<ArrayBuffer>): void;
	close(code?: number, reason?: string): void;
	addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
	addEventListener(
		type: "close",
		listener: (event: { code: number; reason: string; wasClean: boolean }) => void,
	): void;
}

/**
 * The server's end of a platform's own WebSocket, accepted already, in the form that
 * {@link routeWebSocket} passes on. Standard sockets cannot ping, so the platform has to notice dead peers.
 * Where it refuses a close code that only protocols may use (1011), the code is sent 3,000 higher (4011).
 */
export function acceptWebSocket(
	socket: PlatformWebSocket,
	options: { readonly log?: Logger } = {},
): AcceptedSocket {
	return new AcceptedPlatformSocket(socket, options.log ?? getLogger());
}

class AcceptedPlatformSocket implements AcceptedSocket {
	readonly protocol: string;
	readonly #socket: PlatformWebSocket;
	readonly #log: Logger;
	#handler: AcceptedSocketHandler | null = null;
	#isOpen = true;
	/** What arrived before anybody listened. */
	#early: (() => void)[] = [];
	#earlyBytes = 0;

	constructor(socket: PlatformWebSocket, log: Logger) {
		this.#socket = socket;
		this.#log = log;
		this.protocol = socket.protocol ?? "";
		socket.binaryType = "arraybuffer";
		socket.addEventListener("message", ({ data }) => this.#receive(data));
		socket.addEventListener("close", ({ code, reason, wasClean }) => {
			this.#isOpen = false;
			this.#tell((handler) => handler.onClose(code, reason, wasClean));
		});
	}

	get bufferedBytes(): number {
		return this.#socket.bufferedAmount ?? 0;
	}

	send(message: string | Uint8Array): void {
		if (this.#isOpen) this.#socket.send(message as string | Uint8Array<ArrayBuffer>);
	}

	sendPrepared(message: PreparedMessage): void {
		this.send(message.data);
	}

	prepare(message: string | Uint8Array): PreparedMessage {
		return { data: message };
	}

	ping(): void {
		queueMicrotask(() => this.#handler?.onPong?.());
	}

	close(code: number, reason: string): void {
		if (!this.#isOpen) return;
		this.#isOpen = false;
		const cut = truncateCloseReason(reason);
		try {
			this.#socket.close(code, cut);
		} catch {
			// Browsers' rules allow 1000 and 3000 to 4999 only.
			this.#socket.close(code + PRIVATE_CODE_OFFSET, cut);
		}
	}

	listen(handler: AcceptedSocketHandler): void {
		this.#handler = handler;
		for (const deliver of this.#early.splice(0)) deliver();
	}

	#receive(data: unknown): void {
		if (!this.#isOpen) return;
		const message = typeof data === "string" ? data : bytesOf(data);
		if (!this.#handler) {
			this.#earlyBytes += message.length;
			if (this.#earlyBytes > EARLY_BYTES_MAX) {
				this.close(CLOSE_ERROR, "connection.backlog_full");
				return;
			}
		}
		this.#tell((handler) => handler.onMessage(message));
	}

	#tell(what: (handler: AcceptedSocketHandler) => void): void {
		const deliver = () => {
			try {
				what(this.#handler!);
			} catch (error) {
				this.#log.error({ err: error }, "a websocket handler threw");
				this.close(CLOSE_ERROR, "rivetkit.internal_error");
			}
		};
		if (this.#handler) deliver();
		else this.#early.push(deliver);
	}
}

function bytesOf(data: unknown): Uint8Array {
	if (data instanceof ArrayBuffer) return new Uint8Array(data);
	if (ArrayBuffer.isView(data))
		return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
	throw new TypeError(
		`expected text or binary from a WebSocket, got ${Object.prototype.toString.call(data)}`,
	);
}
