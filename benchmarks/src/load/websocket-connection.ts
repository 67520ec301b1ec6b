import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Wire } from "../wire.ts";
import { clientFrame, FrameReader, opcodes } from "./websocket-frames.ts";

const RECEIVE_BUFFER_BYTES = 16 * 1024;

export interface ConnectionEvents {
	/** An answered action. */
	onReply?(id: number): void;
	/** Any other message after Init. */
	onEvent?(): void;
	/** What broke the connection after Init; nothing follows. */
	onFailure(error: Error): void;
}

/** A WebSocket straight on a TCP socket, for `/connect` of one actor. */
export class WebSocketConnection {
	readonly #socket: Socket;
	readonly #wire: Wire;
	readonly #events: ConnectionEvents;
	#closing = false;

	private constructor(socket: Socket, wire: Wire, events: ConnectionEvents) {
		this.#socket = socket;
		this.#wire = wire;
		this.#events = events;
	}

	/** Resolves when Init has arrived. */
	static open(
		port: number,
		actorId: string,
		wire: Wire,
		events: ConnectionEvents,
	): Promise<WebSocketConnection> {
		return new Promise((resolve, reject) => {
			let connection: WebSocketConnection | undefined;
			let head = "";
			let isUpgraded = false;
			const onFrame = (opcode: number, payload: Buffer): void => {
				if (connection === undefined) {
					if (opcode === opcodes.close)
						throw new Error(`refused: ${payload.toString("latin1", 2)}`);
					wire.readReply(payload);
					connection = new WebSocketConnection(socket, wire, events);
					resolve(connection);
				} else {
					connection.#receive(opcode, payload);
				}
			};
			const fail = (error: Error): void => {
				socket.destroy();
				if (connection === undefined) reject(error);
				else connection.#fail(error);
			};
			const reader = new FrameReader(onFrame);
			const socket = connect({
				port,
				host: "127.0.0.1",
				noDelay: true,
				onread: {
					buffer: Buffer.allocUnsafe(RECEIVE_BUFFER_BYTES),
					callback: (size, buffer) => {
						const chunk = Buffer.from(buffer.buffer, buffer.byteOffset, size);
						try {
							if (isUpgraded) {
								// What the answers of one read lead to leaves in one write.
								socket.cork();
								reader.push(chunk);
								socket.uncork();
								return true;
							}
							head += chunk.toString("latin1");
							const end = head.indexOf("\r\n\r\n");
							if (end < 0) return true;
							if (!head.startsWith("HTTP/1.1 101")) throw new Error(`no upgrade: ${head}`);
							isUpgraded = true;
							if (head.length > end + 4) reader.push(Buffer.from(head.slice(end + 4), "latin1"));
						} catch (error) {
							fail(error as Error);
						}
						return true;
					},
				},
			});
			socket.on("error", fail);
			socket.on("close", () => fail(new Error("the server closed the connection")));
			socket.write(
				[
					`GET /gateway/${actorId}/connect HTTP/1.1`,
					"Host: 127.0.0.1",
					"Connection: Upgrade",
					"Upgrade: websocket",
					"Sec-WebSocket-Version: 13",
					`Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
					`Sec-WebSocket-Protocol: rivet, rivet_encoding.${wire.encoding}`,
					"\r\n",
				].join("\r\n"),
			);
		});
	}

	/** Frames a message once; {@link write} sends it. */
	frame(message: Buffer): Buffer {
		return clientFrame(this.#wire.binary ? opcodes.binary : opcodes.text, message);
	}

	write(frame: Buffer): void {
		this.#socket.write(frame);
	}

	close(): Promise<void> {
		this.#closing = true;
		return new Promise((resolve) => {
			if (this.#socket.destroyed) resolve();
			else this.#socket.once("close", () => resolve());
			this.#socket.destroySoon();
		});
	}

	#fail(error: Error): void {
		if (this.#closing) return;
		this.#closing = true;
		this.#events.onFailure(error);
	}

	#receive(opcode: number, payload: Buffer): void {
		switch (opcode) {
			case opcodes.text:
			case opcodes.binary: {
				const id = this.#wire.readReply(payload);
				if (id === undefined) this.#events.onEvent?.();
				else this.#events.onReply?.(id);
				return;
			}
			case opcodes.ping:
				this.#socket.write(clientFrame(opcodes.pong, payload));
				return;
			case opcodes.close:
				throw new Error(`closed by the server: ${payload.toString("latin1", 2)}`);
			default:
				return;
		}
	}
}
