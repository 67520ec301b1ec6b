import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";

export interface RecordedRequest {
	readonly method: string;
	readonly path: string;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly body: Buffer;
}

interface RecordedSocket {
	readonly path: string;
	/** The `Sec-WebSocket-Protocol` header. */
	readonly protocols: string;
	send(data: string | Uint8Array): void;
	/** The next frame that has not been taken yet. */
	next(): Promise<string | Uint8Array>;
}

export type Answer = { status?: number; type?: string; body: string | Uint8Array };

/** A server that answers as it is told and remembers what it was asked. */
export interface Recorder extends AsyncDisposable {
	readonly url: string;
	readonly requests: RecordedRequest[];
	/** The next socket that has not been taken yet. */
	nextSocket(): Promise<RecordedSocket>;
}

export async function startRecorder(
	answer: (request: RecordedRequest) => Answer,
): Promise<Recorder> {
	const requests: RecordedRequest[] = [];
	const sockets = new Mailbox<RecordedSocket>();
	const http = createServer((request, response) => {
		void record(request, response);
	});
	const webSockets = new WebSocketServer({ server: http, handleProtocols: () => "rivet" });

	async function record(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const recorded = {
			method: request.method ?? "",
			path: request.url ?? "",
			headers: request.headers,
			body: Buffer.concat(chunks),
		};
		requests.push(recorded);
		const { status = 200, type = "application/json", body } = answer(recorded);
		response.writeHead(status, { "content-type": type }).end(body);
	}

	webSockets.on("connection", (socket: WebSocket, request) => {
		const frames = new Mailbox<string | Uint8Array>();
		socket.on("message", (data, isBinary) => {
			const bytes = data as Buffer;
			frames.put(isBinary ? new Uint8Array(bytes) : bytes.toString());
		});
		sockets.put({
			path: request.url ?? "",
			protocols: request.headers["sec-websocket-protocol"] ?? "",
			send: (data) => socket.send(data),
			next: () => frames.take(),
		});
	});

	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	const address = http.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	return {
		url: `http://127.0.0.1:${address.port}`,
		requests,
		nextSocket: () => sockets.take(),
		async [Symbol.asyncDispose]() {
			for (const socket of webSockets.clients) socket.terminate();
			http.closeAllConnections();
			http.close();
			await once(http, "close");
		},
	};
}

/** Things in the order they came, for whoever asks. */
export class Mailbox<T> {
	readonly #things: T[] = [];
	readonly #takers: ((thing: T) => void)[] = [];

	put(thing: T): void {
		const taker = this.#takers.shift();
		if (taker) taker(thing);
		else this.#things.push(thing);
	}

	take(): Promise<T> {
		const thing = this.#things.shift();
		if (thing !== undefined) return Promise.resolve(thing);
		return new Promise((resolve) => this.#takers.push(resolve));
	}
}
