import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { Mailbox } from "./mailbox.ts";

/** A request with its whole body. */
export interface SeenRequest {
	readonly method: string;
	/** Path without query. */
	readonly path: string;
	/** Path with query, as it came. */
	readonly target: string;
	readonly query: URLSearchParams;
	readonly headers: IncomingMessage["headers"];
	readonly body: Buffer;
	/** Cuts the connection without an answer. */
	cut(): void;
}

/** What a script answers. `undefined` passes the request on to the default script. */
export interface Answer {
	readonly status?: number;
	readonly statusText?: string;
	readonly headers?: Record<string, string>;
	readonly body?: string | Uint8Array | object;
}

export type Script = (request: SeenRequest) => Answer | undefined | Promise<Answer | undefined>;

/** A JSON frame of the client protocol, as plain text: the tests do not trust the codecs. */
export interface JsonFrame {
	readonly body: { readonly tag: string; readonly val: Record<string, unknown> };
}

/** The server's end of a `/connect` or `/websocket` socket. */
export class ScriptedSocket {
	readonly path: string;
	readonly protocols: readonly string[];
	readonly frames = new Mailbox<JsonFrame>();
	readonly raw = new Mailbox<string | Buffer>();
	readonly closed: Promise<{ code: number; reason: string }>;
	readonly #socket: WebSocket;

	constructor(socket: WebSocket, request: IncomingMessage) {
		this.#socket = socket;
		this.path = request.url ?? "";
		this.protocols = (request.headers["sec-websocket-protocol"] ?? "")
			.split(",")
			.map((entry) => entry.trim());
		socket.on("message", (data: Buffer, isBinary) => {
			if (isBinary) this.raw.put(data);
			else if (this.path.includes("/connect")) this.frames.put(JSON.parse(data.toString()));
			else this.raw.put(data.toString());
		});
		this.closed = new Promise((resolve) => {
			socket.once("close", (code, reason: Buffer) => resolve({ code, reason: String(reason) }));
		});
	}

	/** The session entry the client offered. */
	get session(): string | undefined {
		return this.protocols.find((entry) => entry.startsWith("rivet_session."))?.slice(14);
	}

	init(connectionId = "conn-1", actorId = "actor-1"): this {
		return this.frame("Init", { actorId, connectionId });
	}

	answer(id: unknown, output: unknown): this {
		return this.frame("ActionResponse", { id, output });
	}

	fail(actionId: unknown, group: string, code: string, message = `${group} ${code}`): this {
		return this.frame("Error", { group, code, message, actionId });
	}

	event(name: string, ...args: unknown[]): this {
		return this.frame("Event", { name, args });
	}

	frame(tag: string, val: Record<string, unknown>): this {
		return this.text(JSON.stringify({ body: { tag, val } }));
	}

	text(text: string): this {
		this.#socket.send(text);
		return this;
	}

	close(code: number, reason = ""): void {
		this.#socket.close(code, reason);
	}

	/** Cuts the connection without a closing handshake. */
	cut(): void {
		this.#socket.terminate();
	}
}

/**
 * A server that does what a test says, over real sockets. Without a script of its own it serves
 * `/metadata` and finds (or creates) the actor `actor-1` for every query.
 */
export class ScriptedServer {
	readonly requests: SeenRequest[] = [];
	readonly sockets = new Mailbox<ScriptedSocket>();
	/** Added to `/metadata`. */
	metadata: Record<string, unknown> = {};
	script: Script = () => undefined;

	readonly #server: Server;
	readonly #open = new Set<Socket>();
	#port = 0;

	private constructor(server: Server) {
		this.#server = server;
	}

	static async start(port = 0): Promise<ScriptedServer> {
		const server = createServer();
		const scripted = new ScriptedServer(server);
		const upgrades = new WebSocketServer({
			noServer: true,
			handleProtocols: (offered) => (offered.has("rivet") ? "rivet" : ([...offered][0] ?? false)),
		});
		server.on("connection", (socket) => {
			scripted.#open.add(socket);
			socket.once("close", () => scripted.#open.delete(socket));
		});
		server.on("request", (request, response) => void scripted.#serve(request, response));
		server.on("upgrade", (request, socket, head) => {
			upgrades.handleUpgrade(request, socket, head, (webSocket) =>
				scripted.sockets.put(new ScriptedSocket(webSocket, request)),
			);
		});
		server.listen(port, "127.0.0.1");
		await once(server, "listening");
		scripted.#port = (server.address() as AddressInfo).port;
		return scripted;
	}

	get port(): number {
		return this.#port;
	}

	get endpoint(): string {
		return `http://127.0.0.1:${this.#port}`;
	}

	requestsTo(pathPart: string): SeenRequest[] {
		return this.requests.filter(({ path }) => path.includes(pathPart));
	}

	/** Cuts every connection and goes on listening. */
	stopSockets(): void {
		for (const socket of this.#open) socket.destroy();
	}

	/** Stops listening and cuts every connection. */
	async stop(): Promise<void> {
		const closed = once(this.#server, "close");
		this.#server.close();
		this.stopSockets();
		await closed;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#server.listening) await this.stop();
	}

	async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
		const chunks: Buffer[] = [];
		for await (const chunk of incoming) chunks.push(chunk);
		const url = new URL(incoming.url ?? "/", "http://server");
		const request: SeenRequest = {
			method: incoming.method ?? "",
			path: url.pathname,
			target: incoming.url ?? "",
			query: url.searchParams,
			headers: incoming.headers,
			body: Buffer.concat(chunks),
			cut: () => incoming.socket.destroy(),
		};
		this.requests.push(request);
		const answer = (await this.script(request)) ?? this.#default(request);
		if (response.destroyed) return;
		const { body = "" } = answer;
		const isData = typeof body === "string" || body instanceof Uint8Array;
		response.writeHead(answer.status ?? 200, answer.statusText, {
			...(isData ? {} : { "content-type": "application/json" }),
			...answer.headers,
		});
		response.end(isData ? body : JSON.stringify(body));
	}

	#default({ method, path }: SeenRequest): Answer {
		if (path.endsWith("/metadata")) {
			return { body: { runtime: "rivetkit", version: "2.1.3", ...this.metadata } };
		}
		const actor = { actor_id: "actor-1", name: "room", key: "k", create_ts: 0 };
		if (path.endsWith("/actors") && method === "GET") return { body: { actors: [actor] } };
		if (path.endsWith("/actors")) return { body: { actor, created: true } };
		if (path.includes("/action/")) return { body: { output: "done" } };
		return { status: 404, body: "nothing here" };
	}
}

/** A port nobody listens on. */
export async function unusedPort(): Promise<number> {
	const server = await ScriptedServer.start();
	const { port } = server;
	await server.stop();
	return port;
}
