import { anySignal } from "../abort.ts";
import { type ActionInput, type ActionResult, actionResult } from "../action-stream.ts";
import { ActorConnDisposed, type ActorError } from "../errors.ts";
import type { QueueSendOptions, QueueSendResult } from "../queue-send.ts";
import { Callbacks } from "./callbacks.ts";
import { type ConnectionEnvironment, ConnectionLoop } from "./connection-loop.ts";
import type { ActorConnStatus } from "./status.ts";
import { type EventListener, type EventUnsubscribe, Subscriptions } from "./subscriptions.ts";

/** Hears of failed attempts, structured closes and refused subscriptions. */
export type ActorErrorCallback = (error: ActorError) => void;
export type ConnectionStateCallback = () => void;
export type StatusChangeCallback = (status: ActorConnStatus) => void;

/** What a connection is made of; by its handle. */
export interface ConnectionOptions extends ConnectionEnvironment {
	/** Ends the connection for good when it fires: waiting calls reject with its reason. */
	readonly signal: AbortSignal | undefined;
	queueSend(
		queue: string,
		body: unknown,
		options: QueueSendOptions | undefined,
	): Promise<QueueSendResult | undefined>;
	stream(call: ActionInput, signal: AbortSignal | undefined): Promise<ReadableStream<Uint8Array>>;
	/** Nothing of the connection runs any more. */
	ended(connection: ActorConnRaw): void;
}

/**
 * A connection to one actor that outlives its sockets (contract: api 15.5). Calls made while no socket
 * is open wait for the next one; subscriptions are renewed on each. Made by `handle.connect()`, and
 * used through a proxy that takes unknown members as actions.
 */
export class ActorConnRaw {
	readonly #options: ConnectionOptions;
	readonly #loop: ConnectionLoop;
	readonly #subscriptions: Subscriptions;
	readonly #onOpen: Callbacks<[]>;
	readonly #onClose: Callbacks<[]>;
	readonly #onError: Callbacks<[error: ActorError]>;
	readonly #onStatusChange: Callbacks<[status: ActorConnStatus]>;
	readonly #onResync: Callbacks<[]>;
	#disposal: Promise<void> | null = null;

	constructor(options: ConnectionOptions) {
		this.#options = options;
		const { log } = options;
		const threw = (error: unknown) => log.error("a callback of a connection threw", error);
		this.#onOpen = new Callbacks(threw);
		this.#onClose = new Callbacks(threw);
		this.#onError = new Callbacks(threw);
		this.#onStatusChange = new Callbacks(threw);
		this.#onResync = new Callbacks(threw);
		this.#subscriptions = new Subscriptions({
			subscriptionChanged: (name, subscribe) => this.#loop.subscriptionChanged(name, subscribe),
			listenerFailed: (name, error) => log.error(`a listener of event "${name}" threw`, error),
		});
		this.#loop = new ConnectionLoop(options, {
			statusChanged: (status, before) => {
				this.#onStatusChange.call(status);
				if (status === "connected") this.#onOpen.call();
				else if (before === "connected") this.#onClose.call();
			},
			troubled: (error) => this.#onError.call(error),
			event: (name, args) => this.#subscriptions.deliver(name, args),
			resync: () => this.#onResync.call(),
			subscriptions: () => this.#subscriptions.names(),
			gaveUp: (error) => {
				if (this.#onError.size === 0) log.error(`${this.#describe()} was refused for good`, error);
				this.#ended();
			},
		});
	}

	/** Starts connecting in the background; `handle.connect()` has done so already. */
	connect(): void {
		if (this.#disposal) throw new ActorConnDisposed();
		const { signal } = this.#options;
		if (signal?.aborted) {
			this.#onAbort();
			return;
		}
		signal?.addEventListener("abort", this.#onAbort, { once: true });
		this.#loop.start();
	}

	/**
	 * Runs an action over the connection; waits for it when it is not open. Rejects with an `ActorError`
	 * when the server answered with one or refused the connection, with the signal's reason after an abort, and with an `Error`
	 * naming the close when the socket was lost and the call cannot be repeated. What an action streams comes
	 * over HTTP, whatever the state of the socket, and as long as the connection is not disposed.
	 */
	action(call: ActionInput): ActionResult {
		return actionResult({
			encoding: this.#options.transport.encoding,
			signal: () => anySignal(call.signal, this.#loop.ending),
			run: (isStream) => this.#loop.call(call, isStream),
			open: (signal) => this.#options.stream(call, signal),
		});
	}

	/** Sends a queue message over HTTP, whatever the state of the socket. */
	async send(
		queue: string,
		body: unknown,
		options?: QueueSendOptions,
	): Promise<QueueSendResult | undefined> {
		if (this.#disposal) throw new ActorConnDisposed();
		return this.#options.queueSend(queue, body, options);
	}

	/** Calls `listener` with the arguments of each event of this name. */
	on(eventName: string, listener: EventListener): EventUnsubscribe {
		if (this.#disposal) throw new ActorConnDisposed();
		return this.#subscriptions.add(eventName, listener, false);
	}

	/** Calls `listener` with the arguments of the next event of this name. */
	once(eventName: string, listener: EventListener): EventUnsubscribe {
		if (this.#disposal) throw new ActorConnDisposed();
		return this.#subscriptions.add(eventName, listener, true);
	}

	/** Called each time the connection opens. Returns how to unsubscribe. */
	onOpen(callback: ConnectionStateCallback): () => void {
		return this.#onOpen.add(callback);
	}

	/** Called each time the connection stops being open. Returns how to unsubscribe. */
	onClose(callback: ConnectionStateCallback): () => void {
		return this.#onClose.add(callback);
	}

	/** Called with errors that belong to no call. Returns how to unsubscribe. */
	onError(callback: ActorErrorCallback): () => void {
		return this.#onError.add(callback);
	}

	/** Called with each new status. Returns how to unsubscribe. */
	onStatusChange(callback: StatusChangeCallback): () => void {
		return this.#onStatusChange.add(callback);
	}

	/**
	 * Called when events may have been missed for good, before the first one after the gap: the connection
	 * was away for longer than `options.resumeWindow`, or for more events than the actor keeps, or the
	 * server has restarted. What events keep up to date has to be read anew. Returns how to unsubscribe.
	 */
	onResync(callback: ConnectionStateCallback): () => void {
		return this.#onResync.add(callback);
	}

	get connStatus(): ActorConnStatus {
		return this.#loop.status;
	}

	/** @deprecated Use {@link connStatus}. */
	get isConnected(): boolean {
		return this.#loop.status === "connected";
	}

	/** `undefined` until the connection was open once. */
	get actorId(): string | undefined {
		return this.#loop.actorId;
	}

	/** The server's id of the connection; a new one after each reconnect. */
	get connId(): string | undefined {
		return this.#loop.connectionId;
	}

	/** Same as {@link connId}. */
	get connectionId(): string | undefined {
		return this.#loop.connectionId;
	}

	/**
	 * Closes the connection for good; resolves when the socket is closed. Waiting calls reject with
	 * `ActorConnDisposed`, and so does every later use. A second call does nothing more.
	 */
	dispose(): Promise<void> {
		if (!this.#disposal) {
			this.#disposal = this.#loop.end(new ActorConnDisposed(), "disposed", "Disposed");
			this.#subscriptions.clear();
			this.#ended();
		}
		return this.#disposal;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	readonly #onAbort = () => {
		void this.#loop.end(this.#options.signal!.reason, "failed", "Aborted");
		this.#ended();
	};

	#ended(): void {
		this.#options.signal?.removeEventListener("abort", this.#onAbort);
		this.#options.ended(this);
	}

	#describe(): string {
		const query = this.#options.query();
		const which = "key" in query ? JSON.stringify(query.key) : query.actorId;
		return `the connection to ${query.name} ${which}`;
	}
}
