import type { PairedWebSocket } from "@rivetkit/engine";
import {
	buildSubprotocols,
	decodeToClient,
	encodeToServer,
	SUBPROTOCOL_RIVET,
	type ToClient,
	type ToServer,
} from "@rivetkit/protocol";
import type { Embedded } from "../../src/backends/embedded/embedded.ts";

/** A client's connection inside this process, frame by frame, without a client that reconnects. */
export class LocalConnection {
	readonly #socket: PairedWebSocket;
	readonly #waiting = new Map<number, (output: unknown) => void>();
	readonly #begun: Promise<string>;
	/** Payloads of the events that arrived, in order. */
	readonly events: unknown[] = [];
	id = "";
	isOpen = true;
	#calls = 0;

	private constructor(socket: PairedWebSocket) {
		this.#socket = socket;
		let begin!: (id: string) => void;
		this.#begun = new Promise((resolve) => {
			begin = resolve;
		});
		socket.onmessage = ({ data }) => {
			const frame: ToClient = decodeToClient("json", data as string);
			if (frame.tag === "Init") begin(frame.connectionId);
			else if (frame.tag === "Event") this.events.push(frame.args[0]);
			else if (frame.tag === "ActionResponse") this.#settle(Number(frame.id), frame.output);
			else this.#settle(Number(frame.actionId), `${frame.group}.${frame.code}`);
		};
		socket.onclose = () => {
			this.isOpen = false;
		};
	}

	/** Resolves when the connection is accepted and hears `event`. */
	static async open(embedded: Embedded, actorId: string, event: string): Promise<LocalConnection> {
		const upgrade = {
			path: "/connect",
			headers: { get: () => null, entries: () => [] },
			protocols: buildSubprotocols({ encoding: "json" }),
		};
		const connection = new LocalConnection(
			embedded.engine.connect(actorId, upgrade, SUBPROTOCOL_RIVET),
		);
		connection.id = await connection.#begun;
		connection.#send({ tag: "SubscriptionRequest", eventName: event, subscribe: true });
		return connection;
	}

	/** The output, or `group.code` of the error. */
	call(name: string, ...args: unknown[]): Promise<unknown> {
		const id = this.#calls++;
		this.#send({ tag: "ActionRequest", id, name, args });
		return new Promise((resolve) => this.#waiting.set(id, resolve));
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

	#send(message: ToServer): void {
		this.#socket.send(encodeToServer("json", message));
	}

	#settle(id: number, output: unknown): void {
		this.#waiting.get(id)?.(output);
		this.#waiting.delete(id);
	}
}
