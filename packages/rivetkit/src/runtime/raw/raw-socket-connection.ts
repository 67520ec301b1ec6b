import {
	type ActorSocket,
	type ActorSocketHandler,
	type ActorUpgrade,
	catalogueError,
} from "@rivetkit/protocol";
import { CLOSE_REFUSED, truncateCloseReason } from "../connections/close-codes.ts";
import { Connection } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { upgradeRequest } from "./incoming-request.ts";
import { ServerSocket } from "./server-socket.ts";

/** Bytes kept for a handler that has not attached its listeners yet (W-RAW-3). */
const EARLY_BYTES_MAX = 16 * 1024 * 1024;

/**
 * One raw WebSocket (contract: lifecycle 11, protocol 3.10). Messages wait, in order, until the handler
 * has attached a listener for them, or its promise has settled.
 *
 *     opening ─▶ open ─▶ closed
 */
export class RawSocketConnection implements ActorSocketHandler {
	readonly #instance: ActorInstance;
	readonly #socket: ActorSocket;
	readonly #connection: Connection;
	readonly #request: Request;
	readonly #userSocket: ServerSocket;
	#phase: "opening" | "open" | "closed" = "opening";
	#early: (string | Uint8Array)[] = [];
	#earlyBytes = 0;

	constructor(
		instance: ActorInstance,
		upgrade: ActorUpgrade,
		socket: ActorSocket,
		params: unknown,
	) {
		this.#instance = instance;
		this.#socket = socket;
		this.#request = upgradeRequest(upgrade);
		this.#connection = new Connection(instance, "raw-websocket", params);
		this.#connection.closeTransport = (code, reason) => this.#close(code, reason);
		this.#userSocket = new ServerSocket(socket, this.#request.url.replace(/^http/, "ws"), {
			release: (send) =>
				instance.afterDurable((error) => {
					if (error !== undefined) {
						this.#fail(error);
						return;
					}
					send();
					this.#limitBuffer();
				}),
			closed: (code, reason) => this.#close(code, reason),
			failed: (error) => this.#fail(error),
			track: (promise) => this.#track(promise),
			listening: () => queueMicrotask(() => this.#deliverEarly()),
		});
	}

	/** Resolves when the hooks are done and the handler is called; it may go on for as long as it likes. */
	async open(): Promise<void> {
		const instance = this.#instance;
		this.#socket.listen(this);
		try {
			const { onWebSocket } = instance.config;
			if (!onWebSocket) throw catalogueError("handler.websocket_not_defined", {});
			await instance.connections.open(this.#connection, this.#request);
			if (this.#phase === "closed") {
				await instance.connections.close(this.#connection);
				return;
			}
			const c = instance.contexts.connection(this.#connection, this.#request);
			const pending = onWebSocket(c, this.#userSocket);
			instance.saveSoon();
			if (isPromiseLike(pending)) {
				pending.then(
					() => this.#deliverEarly(),
					(error) => this.#fail(error),
				);
			} else {
				this.#deliverEarly();
			}
		} catch (error) {
			this.#fail(error);
		}
	}

	#deliverEarly(): void {
		this.#instance.saveSoon();
		if (this.#phase !== "opening") return;
		this.#phase = "open";
		const early = this.#early;
		this.#early = [];
		for (const message of early) this.#deliver(message);
	}

	onMessage(message: string | Uint8Array): void {
		if (this.#phase === "open") {
			this.#deliver(message);
			return;
		}
		if (this.#phase === "closed") return;
		this.#earlyBytes += message.length;
		if (this.#earlyBytes > EARLY_BYTES_MAX) this.#close(CLOSE_REFUSED, "connection.backlog_full");
		else this.#early.push(message);
	}

	onClose(code: number, reason: string, wasClean: boolean): void {
		this.#phase = "closed";
		this.#early = [];
		this.#userSocket.end(code, reason, wasClean);
		void this.#instance.connections.close(this.#connection);
		this.#instance.saveSoon();
	}

	#deliver(message: string | Uint8Array): void {
		// The actor has asked for the close, which follows when its last writes are durable.
		if (this.#connection.phase !== "open") return;
		this.#userSocket.receive(message);
		this.#instance.saveSoon();
	}

	#track(promise: PromiseLike<unknown>): void {
		const { work } = this.#instance;
		work.begin("socketListener");
		const done = () => {
			work.end("socketListener");
			this.#instance.saveSoon();
		};
		promise.then(done, (error) => {
			this.#fail(error);
			done();
		});
	}

	/** W-CONN-6, as for connections with events. */
	#limitBuffer(): void {
		const { bufferedBytes } = this.#socket;
		const limit = this.#instance.options.maxConnectionBufferSize;
		if (bufferedBytes <= limit) return;
		this.#instance.log.warn(
			{ connId: this.#connection.id, bufferedBytes, limit },
			"connection closed: the client reads too slowly (options.maxConnectionBufferSize)",
		);
		this.#close(CLOSE_REFUSED, "connection.buffer_full");
	}

	/** Ruling 24: a throwing listener is logged and closes this socket; the process lives. */
	#fail(error: unknown): void {
		const wire = this.#instance.describeError(error, { connId: this.#connection.id });
		this.#close(CLOSE_REFUSED, `${wire.group}.${wire.code}`);
	}

	#close(code: number, reason: string): void {
		if (this.#phase === "closed") return;
		this.#phase = "closed";
		this.#early = [];
		const cut = truncateCloseReason(reason);
		this.#socket.close(code, cut);
		this.#userSocket.end(code, cut, true);
		void this.#instance.connections.close(this.#connection);
	}
}
