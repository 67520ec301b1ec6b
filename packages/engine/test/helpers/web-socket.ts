import { type ClientOptions, WebSocket } from "ws";

export interface Closed {
	readonly code: number;
	readonly reason: string;
}

/** A client WebSocket that keeps what it gets, so that tests can ask for it later. */
export class TestSocket {
	readonly ws: WebSocket;
	readonly messages: (string | Uint8Array)[] = [];
	readonly closed: Promise<Closed>;
	readonly opened: Promise<void>;
	#waiting: { count: number; resolve: () => void }[] = [];

	constructor(url: string, protocols: string | string[] = [], options: ClientOptions = {}) {
		this.ws = new WebSocket(url.replace(/^http/, "ws"), protocols, options);
		this.ws.on("message", (data: Buffer, isBinary) => {
			this.messages.push(isBinary ? new Uint8Array(data) : data.toString("utf8"));
			this.#waiting = this.#waiting.filter(({ count, resolve }) => {
				if (this.messages.length >= count) {
					resolve();
					return false;
				}
				return true;
			});
		});
		this.opened = new Promise((resolve, reject) => {
			this.ws.once("open", resolve);
			this.ws.once("error", reject);
		});
		this.opened.catch(() => {});
		this.closed = new Promise((resolve) => {
			this.ws.on("close", (code, reason) => resolve({ code, reason: reason.toString("utf8") }));
		});
		this.ws.on("error", () => {});
	}

	/** Resolves when this many messages have arrived in all. */
	async received(count: number): Promise<(string | Uint8Array)[]> {
		if (this.messages.length < count) {
			await new Promise<void>((resolve) => {
				this.#waiting.push({ count, resolve });
			});
		}
		return this.messages;
	}
}
