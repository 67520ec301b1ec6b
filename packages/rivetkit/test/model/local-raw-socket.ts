import type { PairedWebSocket } from "@rivetkit/engine";
import { buildSubprotocols, SUBPROTOCOL_RIVET } from "@rivetkit/protocol";
import type { Embedded } from "../../src/backends/embedded/embedded.ts";

/** A client's raw WebSocket inside this process. */
export class LocalRawSocket {
	readonly #socket: PairedWebSocket;
	/** What the actor answered, in order; the first message tells the connection's id. */
	readonly received: string[] = [];
	isOpen = true;

	constructor(embedded: Embedded, actorId: string, path: string) {
		const upgrade = {
			path,
			headers: { get: () => null, entries: () => [] },
			protocols: buildSubprotocols({ encoding: "json" }),
		};
		this.#socket = embedded.engine.connect(actorId, upgrade, SUBPROTOCOL_RIVET);
		this.#socket.onmessage = ({ data }) => void this.received.push(String(data));
		this.#socket.onclose = () => {
			this.isOpen = false;
		};
	}

	/** Whether it can send. */
	get isReady(): boolean {
		return this.#socket.readyState === this.#socket.OPEN;
	}

	send(text: string): void {
		this.#socket.send(text);
	}

	close(): void {
		this.#socket.close();
		this.isOpen = false;
	}

	/** The process at the other end is gone: nothing arrives any more. */
	cut(): void {
		this.#socket.onmessage = null;
		this.isOpen = false;
	}
}
