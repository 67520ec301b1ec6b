import type { PreparedMessage } from "@rivetkit/protocol";

/**
 * A client's WebSocket after the handshake, whatever transport carries it. Calls after a close do
 * nothing. What arrives before somebody listens waits.
 */
export interface AcceptedSocket {
	/** The selected sub-protocol, or "". */
	readonly protocol: string;
	/** Bytes accepted by `send` that have not left this process. */
	readonly bufferedBytes: number;
	send(message: string | Uint8Array): void;
	sendPrepared(message: PreparedMessage): void;
	prepare(message: string | Uint8Array): PreparedMessage;
	ping(): void;
	/** @throws RangeError for a code that no endpoint may send */
	close(code: number, reason: string): void;
	/** Sets, once, who hears of messages. */
	listen(handler: AcceptedSocketHandler): void;
}

/** Calls come one at a time and in order; `onClose` comes once, last. */
export interface AcceptedSocketHandler {
	onMessage(message: string | Uint8Array): void;
	onClose(code: number, reason: string, wasClean: boolean): void;
	onPong?(): void;
}
