import type { PairedWebSocket } from "../../src/gateway/socket-pair.ts";
import type { TestEngine } from "./engine.ts";
import { type Closed, TestSocket } from "./web-socket.ts";

/** A client of an actor, whatever carries its messages. */
export interface HeldClient {
	send(message: string | Uint8Array): void;
	close(code: number, reason: string): void;
	/** Resolves when this many messages have arrived in all. */
	received(count: number): Promise<(string | Uint8Array)[]>;
	readonly closed: Promise<Closed>;
	readonly isOpen: boolean;
}

export type Transport = (t: TestEngine, actorId: string) => Promise<HeldClient>;

/** Over a network connection. */
export const overNetwork: Transport = async (t, actorId) => {
	const server = await t.listen();
	const socket = new TestSocket(`${server.url}/gateway/${actorId}/websocket`);
	await socket.opened;
	return {
		send: (message) => socket.ws.send(message),
		close: (code, reason) => socket.ws.close(code, reason),
		received: (count) => socket.received(count),
		closed: socket.closed,
		get isOpen() {
			return socket.ws.readyState === socket.ws.OPEN;
		},
	};
};

/** Inside this process. */
export const inProcess: Transport = async (t, actorId) => {
	const upgrade = {
		path: "/websocket",
		headers: { get: () => null, entries: () => [] },
		protocols: [],
	};
	const socket = t.engine.connect(actorId, upgrade, "");
	await new Promise((resolve) => socket.addEventListener("open", resolve));
	return new PairedClient(socket);
};

class PairedClient implements HeldClient {
	readonly closed: Promise<Closed>;
	readonly #socket: PairedWebSocket;
	readonly #messages: (string | Uint8Array)[] = [];
	#arrived = () => {};

	constructor(socket: PairedWebSocket) {
		this.#socket = socket;
		socket.addEventListener("message", ({ data }) => {
			this.#messages.push(typeof data === "string" ? data : new Uint8Array(data));
			this.#arrived();
		});
		this.closed = new Promise((resolve) =>
			socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason })),
		);
	}

	get isOpen(): boolean {
		return this.#socket.readyState === this.#socket.OPEN;
	}

	send(message: string | Uint8Array): void {
		this.#socket.send(message as string);
	}

	close(code: number, reason: string): void {
		this.#socket.close(code, reason);
	}

	async received(count: number): Promise<(string | Uint8Array)[]> {
		while (this.#messages.length < count) {
			await new Promise<void>((resolve) => {
				this.#arrived = resolve;
			});
		}
		return this.#messages;
	}
}
