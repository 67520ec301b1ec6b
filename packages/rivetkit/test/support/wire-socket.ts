import type { Engine, PairedWebSocket } from "@rivetkit/engine";
import {
	buildSubprotocols,
	decodeToClient,
	type Encoding,
	encodeToServer,
	type SubprotocolOffer,
	type ToClient,
	type ToServer,
} from "@rivetkit/protocol";
import { WebSocket } from "ws";

export interface WireSocketOptions extends SubprotocolOffer {
	readonly encoding?: Encoding;
	/** Whether pings are answered. Default true. */
	readonly autoPong?: boolean;
	/** Offered as they are, instead of what the other options say. */
	readonly protocols?: string[];
	/** More headers of the upgrade. */
	readonly headers?: Record<string, string>;
}

export interface SocketEnd {
	readonly code: number;
	readonly reason: string;
}

type FrameOf<Tag extends ToClient["tag"]> = Extract<ToClient, { tag: Tag }>;

/** A peer seen frame by frame, so that tests can send what no client would. */
export abstract class WirePeer {
	readonly encoding: Encoding;
	readonly closed: Promise<SocketEnd>;
	#frames: (string | Uint8Array)[] = [];
	#waiting: (() => void)[] = [];
	#end: SocketEnd | null = null;
	#tellClosed!: (end: SocketEnd) => void;

	constructor(encoding: Encoding) {
		this.encoding = encoding;
		this.closed = new Promise((resolve) => {
			this.#tellClosed = resolve;
		});
	}

	abstract sendData(data: string | Uint8Array): void;

	protected received(data: string | Uint8Array): void {
		this.#frames.push(data);
		this.#wake();
	}

	protected ended(code: number, reason: string): void {
		this.#end = { code, reason };
		this.#tellClosed(this.#end);
		this.#wake();
	}

	get isOpen(): boolean {
		return this.#end === null;
	}

	send(message: ToServer): void {
		this.sendData(encodeToServer(this.encoding, message));
	}

	act(id: number, name: string, ...args: unknown[]): void {
		this.send({ tag: "ActionRequest", id, name, args });
	}

	subscribe(eventName: string, subscribe = true): void {
		this.send({ tag: "SubscriptionRequest", eventName, subscribe });
	}

	/** The next message as it came; rejects when the socket is closed first. */
	async raw(): Promise<string | Uint8Array> {
		while (this.#frames.length === 0) {
			if (this.#end) throw new Error(`closed: ${this.#end.code} ${this.#end.reason}`);
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
		return this.#frames.shift()!;
	}

	async next(): Promise<ToClient> {
		return decodeToClient(this.encoding, await this.raw());
	}

	/** The next frame, which must be of this kind. */
	async expect<Tag extends ToClient["tag"]>(tag: Tag): Promise<FrameOf<Tag>> {
		const frame = await this.next();
		if (frame.tag !== tag) throw new Error(`expected ${tag}, got ${JSON.stringify(frame)}`);
		return frame as FrameOf<Tag>;
	}

	/** Runs an action and returns the frame that answers it; frames before it are dropped. */
	async call(id: number, name: string, ...args: unknown[]): Promise<ToClient> {
		this.act(id, name, ...args);
		for (;;) {
			const frame = await this.next();
			if (frame.tag === "ActionResponse" && Number(frame.id) === id) return frame;
			if (frame.tag === "Error" && frame.actionId !== null && Number(frame.actionId) === id) {
				return frame;
			}
		}
	}

	/** Frames that came and were not read, decoded. */
	get unread(): ToClient[] {
		return this.#frames.map((frame) => decodeToClient(this.encoding, frame));
	}

	#wake(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}
}

/** One WebSocket over the network. */
export class WireSocket extends WirePeer {
	readonly ws: WebSocket;

	constructor(url: string, options: WireSocketOptions = {}) {
		super(options.encoding ?? "json");
		const protocols =
			options.protocols ?? buildSubprotocols({ ...options, encoding: this.encoding });
		const autoPong = options.autoPong ?? true;
		this.ws = new WebSocket(url.replace(/^http/, "ws"), protocols, {
			autoPong,
			...(options.headers ? { headers: options.headers } : undefined),
		});
		this.ws.on("error", () => {});
		this.ws.on("message", (data: Buffer, isBinary) =>
			this.received(isBinary ? new Uint8Array(data) : data.toString("utf8")),
		);
		this.ws.on("close", (code, reason) => this.ended(code, reason.toString("utf8")));
	}

	override sendData(data: string | Uint8Array): void {
		this.ws.send(data);
	}

	/** Resolves when the upgrade is done. */
	opened(): Promise<void> {
		if (this.ws.readyState !== WebSocket.CONNECTING) return Promise.resolve();
		return new Promise((resolve, reject) => {
			this.ws.once("open", resolve);
			this.ws.once("error", reject);
		});
	}

	/** A connection that has got its Init. */
	static async connect(url: string, options?: WireSocketOptions): Promise<WireSocket> {
		const socket = new WireSocket(url, options);
		await socket.expect("Init");
		return socket;
	}

	/** Resolves when everything the server has sent so far is here. */
	async roundTrip(): Promise<void> {
		const pong = new Promise((resolve) => this.ws.once("pong", resolve));
		this.ws.ping();
		await pong;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.ws.terminate();
		if (this.ws.readyState !== WebSocket.CLOSED) await this.closed;
	}
}

/** One WebSocket inside this process. */
export class LocalWireSocket extends WirePeer {
	readonly #socket: PairedWebSocket;

	constructor(engine: Engine, actorId: string, path: string, options: WireSocketOptions = {}) {
		super(options.encoding ?? "json");
		const protocols = buildSubprotocols({ ...options, encoding: this.encoding });
		const headers = { get: () => null, entries: () => [] };
		this.#socket = engine.connect(actorId, { path, headers, protocols }, "rivet");
		this.#socket.addEventListener("message", ({ data }) =>
			this.received(typeof data === "string" ? data : new Uint8Array(data)),
		);
		this.#socket.addEventListener("close", ({ code, reason }) => this.ended(code, reason));
	}

	override sendData(data: string | Uint8Array): void {
		this.#socket.send(data as string);
	}

	opened(): Promise<void> {
		if (this.#socket.readyState !== this.#socket.CONNECTING) return Promise.resolve();
		return new Promise((resolve) => this.#socket.addEventListener("open", () => resolve()));
	}

	close(code?: number, reason?: string): void {
		this.#socket.close(code, reason);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#socket.close();
		await this.closed;
	}
}
