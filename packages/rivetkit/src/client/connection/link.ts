import type { Clock, Encoding, Timer, ToClient } from "@rivetkit/protocol";
import { decodeToClient, EVENT_RESYNC, encodeToServer, parseCloseReason } from "@rivetkit/protocol";
import { ActorError, MalformedResponseMessage } from "../errors.ts";
import type { ClientLog } from "../log.ts";
import type { ClientSocket, OpenedSocket, SocketClose } from "../transport/transport.ts";

/** How long the server may take from accepting the socket to Init, which includes starting the actor. */
const INIT_TIMEOUT_MS = 60_000;
/** How long `close` waits for the peer's side of the closing handshake. */
const CLOSE_TIMEOUT_MS = 5_000;
/** Sent when the server broke the protocol; browsers allow no code below 3000 but 1000. */
const CLOSE_PROTOCOL_BROKEN = 3000;

/** What a link tells its connection, in the order of the wire. `ended` comes exactly once, last. */
interface LinkEvents {
	opened(actorId: string, connectionId: string): void;
	answered(callId: number, output: unknown): void;
	failed(callId: number, error: ActorError): void;
	/** An error that belongs to no call, on a link that is open and stays open. */
	troubled(error: ActorError): void;
	event(name: string, args: readonly unknown[]): void;
	/** The server does not have all the events that were missed. */
	resync(): void;
	/** `error` is an `ActorError` when the server gave a reason. */
	ended(error: Error, close: SocketClose): void;
}

export interface LinkOptions {
	readonly encoding: Encoding;
	readonly clock: Clock;
	readonly log: ClientLog;
	readonly events: LinkEvents;
}

/** One socket of a connection, from its opening to its end: frames in, frames out. */
export class Link {
	/** The peer answers repeated calls without running them again. */
	readonly recognisesRepeats: boolean;
	/** The peer sends the events that were missed, or says that it cannot. */
	readonly resumesEvents: boolean;
	/** Frames that have come. */
	received = 0;
	/** Time of Init; null before. */
	openedAtMs: number | null = null;
	/** A subscription was asked for on this socket, so an error without a call may be its refusal. */
	subscribed = false;
	/** Resolves when the socket is closed, or when the peer takes too long to close its side. */
	readonly closed: Promise<void>;

	readonly #socket: ClientSocket;
	readonly #options: LinkOptions;
	#ended = false;
	#lastTrouble: ActorError | null = null;
	readonly #initTimer: Timer;
	#reportClosed!: () => void;

	constructor(opened: OpenedSocket, options: LinkOptions) {
		this.#socket = opened.socket;
		this.#options = options;
		this.recognisesRepeats = opened.recognisesRepeats;
		this.resumesEvents = opened.resumesEvents;
		this.closed = new Promise((resolve) => {
			this.#reportClosed = resolve;
		});
		this.#initTimer = options.clock.after(INIT_TIMEOUT_MS, () =>
			this.#giveUp(new Error(`No Init within ${INIT_TIMEOUT_MS} ms`), 1000, "Timeout"),
		);
		const { socket } = opened;
		socket.binaryType = "arraybuffer";
		socket.addEventListener("message", ({ data }) => this.#receive(data));
		socket.addEventListener("close", (close) => {
			this.#end(close);
			this.#reportClosed();
		});
		// The close event that follows carries all there is to know.
		socket.addEventListener("error", () => {});
	}

	send(frame: string | Uint8Array): void {
		this.#socket.send(frame);
	}

	sendSubscription(eventName: string, subscribe: boolean): void {
		this.subscribed ||= subscribe;
		this.send(
			encodeToServer(this.#options.encoding, { tag: "SubscriptionRequest", eventName, subscribe }),
		);
	}

	/** Closes the socket without any further event to the connection. Resolves when it is closed. */
	close(reason: string): Promise<void> {
		this.#ended = true;
		this.#initTimer.stop();
		this.#socket.close(1000, reason);
		const timer = this.#options.clock.after(CLOSE_TIMEOUT_MS, this.#reportClosed);
		return this.closed.finally(() => timer.stop());
	}

	#receive(data: unknown): void {
		if (this.#ended) return;
		this.received++;
		let message: ToClient;
		try {
			message = decodeToClient(this.#options.encoding, frameOf(data));
		} catch (error) {
			const malformed = new MalformedResponseMessage(error);
			this.#options.log.error("undecodable frame", malformed);
			const failure = new ActorError("message", "malformed", malformed.message, undefined, {
				cause: malformed,
			});
			this.#giveUp(failure, CLOSE_PROTOCOL_BROKEN, "message.malformed");
			return;
		}
		const { events, clock } = this.#options;
		switch (message.tag) {
			case "Init":
				if (this.openedAtMs !== null) return;
				this.#initTimer.stop();
				this.openedAtMs = clock.now();
				events.opened(message.actorId, message.connectionId);
				return;
			case "ActionResponse":
				events.answered(Number(message.id), message.output);
				return;
			case "Event":
				if (message.name === EVENT_RESYNC) events.resync();
				else events.event(message.name, message.args);
				return;
			case "Error":
				this.#receiveError(message);
				return;
		}
	}

	#receiveError({ group, code, message, metadata, actionId }: ToClient & { tag: "Error" }): void {
		const error = new ActorError(group, code, message, metadata);
		if (actionId !== null) {
			this.#options.events.failed(Number(actionId), error);
		} else if (this.openedAtMs === null) {
			this.#giveUp(error, 1000, "");
		} else {
			this.#lastTrouble = error;
			this.#options.events.troubled(error);
		}
	}

	/** Ends the link from this side, with a failure of its own. */
	#giveUp(failure: Error, code: number, reason: string): void {
		this.#end({ code, reason, wasClean: true }, failure);
		this.#socket.close(code, reason);
	}

	#end(close: SocketClose, failure?: Error): void {
		if (this.#ended) return;
		this.#ended = true;
		this.#initTimer.stop();
		this.#options.events.ended(failure ?? this.#errorOf(close), close);
	}

	/** What a close means, in the words of the Error frame before it if that gave the same reason. */
	#errorOf(close: SocketClose): Error {
		const reason = parseCloseReason(close.reason);
		if (!reason) {
			const what = close.wasClean ? "Connection closed" : "Connection lost";
			return new Error(`${what} (code: ${close.code}, reason: ${close.reason})`);
		}
		const told = this.#lastTrouble;
		if (told?.group === reason.group && told.code === reason.code) return told;
		return new ActorError(reason.group, reason.code, `Connection closed: ${close.reason}`);
	}
}

function frameOf(data: unknown): string | Uint8Array {
	if (typeof data === "string") return data;
	if (data instanceof Uint8Array) return data;
	// Anything but a buffer becomes no bytes, which is no frame.
	return new Uint8Array(data as ArrayBuffer);
}
