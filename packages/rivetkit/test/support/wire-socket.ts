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
}

export interface SocketEnd {
	readonly code: number;
	readonly reason: string;
}

type FrameOf<Tag extends ToClient["tag"]> = Extract<ToClient, { tag: Tag }>;

/** One WebSocket seen frame by frame, so that tests can send what no client would. */
export class WireSocket {
	readonly ws: WebSocket;
	readonly encoding: Encoding;
	readonly closed: Promise<SocketEnd>;
	#frames: (string | Uint8Array)[] = [];
	#waiting: (() => void)[] = [];
	#end: SocketEnd | null = null;

	constructor(url: string, options: WireSocketOptions = {}) {
		this.encoding = options.encoding ?? "json";
		const protocols =
			options.protocols ?? buildSubprotocols({ ...options, encoding: this.encoding });
		const autoPong = options.autoPong ?? true;
		this.ws = new WebSocket(url.replace(/^http/, "ws"), protocols, { autoPong });
		this.ws.on("error", () => {});
		this.ws.on("message", (data: Buffer, isBinary) => {
			this.#frames.push(isBinary ? new Uint8Array(data) : data.toString("utf8"));
			this.#wake();
		});
		this.closed = new Promise((resolve) => {
			this.ws.on("close", (code, reason) => {
				this.#end = { code, reason: reason.toString("utf8") };
				resolve(this.#end);
				this.#wake();
			});
		});
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

	send(message: ToServer): void {
		this.ws.send(encodeToServer(this.encoding, message));
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

	/** Resolves when everything the server has sent so far is here. */
	async roundTrip(): Promise<void> {
		const pong = new Promise((resolve) => this.ws.once("pong", resolve));
		this.ws.ping();
		await pong;
	}

	/** Frames that came and were not read, decoded. */
	get unread(): ToClient[] {
		return this.#frames.map((frame) => decodeToClient(this.encoding, frame));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.ws.terminate();
		if (this.ws.readyState !== WebSocket.CLOSED) await this.closed;
	}

	#wake(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}
}
