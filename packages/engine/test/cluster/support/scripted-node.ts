import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { systemRandom } from "@rivetkit/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { Handshake, type Introduction } from "../../../src/cluster/handshake.ts";
import {
	decodeMessage,
	encodeMessage,
	type LinkMessage,
} from "../../../src/cluster/link-messages.ts";

/** The older node of a pair, down to the bytes: it is called, and says what a test wants. */
export class ScriptedNode {
	readonly received: LinkMessage[] = [];
	readonly #server: WebSocketServer;
	readonly #handshake: Handshake;
	#socket: WebSocket | undefined;
	/** Sent in one piece with the welcome. */
	withWelcome: LinkMessage[] = [];

	private constructor(server: WebSocketServer, secret: string) {
		this.#server = server;
		this.#handshake = new Handshake(secret, systemRandom());
		server.on("connection", (socket) => this.#greet(socket));
	}

	static async start(secret: string): Promise<ScriptedNode> {
		// Nothing is sent but what the test says.
		const server = new WebSocketServer({ port: 0, host: "127.0.0.1", autoPong: false });
		await once(server, "listening");
		return new ScriptedNode(server, secret);
	}

	get address(): string {
		return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** That of the last link. */
	get socket(): WebSocket {
		return this.#socket!;
	}

	send(message: LinkMessage): void {
		this.#socket!.send(encodeMessage(message));
	}

	sendBytes(bytes: Uint8Array): void {
		this.#socket!.send(bytes);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#socket?.terminate();
		this.#server.close();
		await once(this.#server, "close");
	}

	#greet(socket: WebSocket): void {
		const hello = this.#handshake.hello();
		socket.once("message", (data: Buffer) => {
			const introduction = JSON.parse(String(data)) as Introduction;
			// One that does not know the secret pretends to.
			const welcome = this.#handshake.welcome(hello, introduction) ?? { proof: "0".repeat(64) };
			socket.on("message", (bytes: Buffer) => this.received.push(decodeMessage(bytes)));
			const stream = (socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
			stream.cork();
			socket.send(JSON.stringify(welcome));
			for (const message of this.withWelcome) socket.send(encodeMessage(message));
			stream.uncork();
			this.#socket = socket;
		});
		socket.send(JSON.stringify(hello));
	}
}
