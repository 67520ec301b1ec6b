import type { Socket } from "node:net";
import { type PreparedMessage, truncateCloseReason } from "@rivetkit/protocol";
import { type RawData, WebSocket } from "ws";
import { isSendableCloseCode } from "../common/close-codes.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { AcceptedSocket, AcceptedSocketHandler } from "./accepted-socket.ts";
import { SharedMessage } from "./prepared-message.ts";
import { TurnFrames } from "./turn-frames.ts";
import type { WriteTurn } from "./write-turn.ts";

const OPEN = 1;

interface CloseEvent {
	readonly code: number;
	readonly reason: string;
	readonly wasClean: boolean;
}

/** Tells before it sends a close frame, also when that answers the peer's. */
export class OrderedWebSocket extends WebSocket {
	beforeClose: (() => void) | undefined;

	override close(code?: number, data?: string | Buffer): void {
		this.beforeClose?.();
		super.close(code, data);
	}
}

/**
 * A client's WebSocket on Node. `ws` does the handshake, parses what comes in and speaks the closing
 * handshake; messages going out are framed here, so that the frames of one turn leave in one buffer and a
 * broadcast is framed once.
 *
 * Until somebody listens, the TCP socket is paused: a client that sends early waits, and costs no memory.
 */
export class NodeSocket implements AcceptedSocket {
	readonly #ws: WebSocket;
	readonly #socket: Socket;
	readonly #turn: WriteTurn;
	readonly #logger: EngineLogger;
	#handler: AcceptedSocketHandler | undefined;
	/** What this turn sends. */
	readonly #frames = new TurnFrames();
	#isInTurn = false;
	/** Messages that were in the same chunk as the handshake, before anybody listened. */
	#early: (string | Uint8Array)[] | undefined;
	/** This side has closed: what still comes is for nobody. */
	#isClosing = false;
	#closed: CloseEvent | undefined;

	constructor(ws: OrderedWebSocket, socket: Socket, turn: WriteTurn, logger: EngineLogger) {
		this.#ws = ws;
		this.#socket = socket;
		this.#turn = turn;
		this.#logger = logger;
		ws.beforeClose = () => this.#write();
		ws.pause();
		ws.on("message", (data, isBinary) => this.#receive(data, isBinary));
		ws.on("pong", () => this.#handler?.onPong?.());
		ws.on("close", (code, reason) => this.#onClose(code, reason));
		// `ws` closes the socket itself; "close" follows.
		ws.on("error", (error) => logger.debug({ err: error }, "websocket failed"));
	}

	get protocol(): string {
		return this.#ws.protocol;
	}

	get bufferedBytes(): number {
		return this.#socket.writableLength + this.#frames.byteLength;
	}

	send(message: string | Uint8Array): void {
		if (this.#ws.readyState === OPEN) {
			this.#frames.add(message);
			this.#flushLater();
		}
	}

	sendPrepared(message: PreparedMessage): void {
		if (this.#ws.readyState === OPEN) {
			if (message instanceof SharedMessage) this.#frames.addFrame(message.frame);
			else this.#frames.add(message.data);
			this.#flushLater();
		}
	}

	prepare(message: string | Uint8Array): PreparedMessage {
		return new SharedMessage(message);
	}

	ping(): void {
		if (this.#ws.readyState === OPEN) {
			this.#write();
			this.#ws.ping();
		}
	}

	/** @throws RangeError for a code that no endpoint may send */
	close(code: number, reason: string): void {
		if (!isSendableCloseCode(code)) {
			throw new RangeError(`${code} is not a close code that can be sent`);
		}
		if (this.#ws.readyState !== OPEN) {
			return;
		}
		this.#isClosing = true;
		this.#ws.close(code, truncateCloseReason(reason));
		// The peer's close frame has to be read, also when nobody ever listened.
		this.#ws.resume();
	}

	listen(handler: AcceptedSocketHandler): void {
		this.#handler = handler;
		const early = this.#early;
		this.#early = undefined;
		for (const message of early ?? []) {
			this.#deliver(message);
		}
		if (this.#closed === undefined) {
			this.#ws.resume();
		} else {
			queueMicrotask(() => this.#tellClosed());
		}
	}

	/** Cuts the connection without a closing handshake. */
	terminate(): void {
		this.#ws.terminate();
	}

	/** The turn is over. */
	flush(): void {
		this.#isInTurn = false;
		this.#write();
	}

	#flushLater(): void {
		if (this.#isInTurn) {
			return;
		}
		this.#isInTurn = true;
		this.#turn.add(this);
	}

	/** Also before `ws` writes something that must not overtake the frames of this turn. */
	#write(): void {
		if (this.#frames.byteLength === 0) {
			return;
		}
		const buffers = this.#frames.take();
		if (this.#ws.readyState !== OPEN) {
			return;
		}
		if (buffers.length === 1) {
			this.#socket.write(buffers[0]!);
			return;
		}
		this.#socket.cork();
		for (const buffer of buffers) {
			this.#socket.write(buffer);
		}
		this.#socket.uncork();
	}

	#receive(data: RawData, isBinary: boolean): void {
		if (this.#isClosing) {
			return;
		}
		const bytes = data as Buffer;
		const message = isBinary
			? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
			: bytes.toString("utf8");
		if (this.#handler === undefined) {
			this.#early ??= [];
			this.#early.push(message);
			return;
		}
		this.#deliver(message);
	}

	#deliver(message: string | Uint8Array): void {
		// What arrives while our own close is under way is dropped, as browsers do.
		if (this.#ws.readyState !== OPEN && this.#closed === undefined) {
			return;
		}
		try {
			this.#handler!.onMessage(message);
		} catch (error) {
			this.#logger.error({ err: error }, "a websocket message handler threw");
			if (this.#closed === undefined) {
				this.close(1011, "rivetkit.internal_error");
			}
		}
	}

	#onClose(code: number, reason: Buffer): void {
		this.#closed = { code, reason: reason.toString("utf8"), wasClean: code !== 1006 };
		this.#tellClosed();
	}

	#tellClosed(): void {
		const handler = this.#handler;
		if (handler === undefined) {
			return;
		}
		this.#handler = undefined;
		const { code, reason, wasClean } = this.#closed!;
		try {
			handler.onClose(code, reason, wasClean);
		} catch (error) {
			this.#logger.error({ err: error }, "a websocket close handler threw");
		}
	}
}
