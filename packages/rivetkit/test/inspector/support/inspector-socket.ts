import {
	decodeInspectorToClient,
	encodeInspectorToServer,
	type InspectorToClient,
	type InspectorToServer,
	type InspectorVersion,
	inspectorSubprotocols,
} from "rivetkit/inspector";
import { WebSocket } from "ws";
import type { TestRuntime } from "../../support/test-runtime.ts";

type MessageOf<Tag extends InspectorToClient["tag"]> = Extract<InspectorToClient, { tag: Tag }>;

export interface InspectorSocketOptions {
	readonly token?: string;
	/** Speaks and asks for this version; that of 2.1.3 when absent, which asks for none. */
	readonly version?: InspectorVersion;
	readonly query?: string;
}

/** The token of an actor, as anybody gets it who may read its store. */
export async function tokenOf(
	runtime: Pick<TestRuntime, "url">,
	actorId: string,
	engineToken = "engine",
): Promise<string> {
	const response = await fetch(`${runtime.url}/actors/${actorId}/kv/keys/Aw==`, {
		headers: { "x-rivet-token": engineToken },
	});
	const { value } = (await response.json()) as { value: string | null };
	return Buffer.from(value ?? "", "base64").toString("utf8");
}

/** An inspector's socket, message by message. */
export class InspectorSocket {
	readonly ws: WebSocket;
	readonly closed: Promise<string>;
	/** Versions in which the server spoke, message by message. */
	readonly versions: number[] = [];
	readonly version: InspectorVersion;
	#messages: InspectorToClient[] = [];
	#waiting: (() => void)[] = [];
	#end: string | null = null;

	constructor(
		runtime: Pick<TestRuntime, "url">,
		actorId: string,
		{ token, version, query = "" }: InspectorSocketOptions = {},
	) {
		this.version = version ?? 3;
		const url = `${runtime.url.replace(/^http/, "ws")}/gateway/${actorId}/inspector/connect${query}`;
		this.ws = new WebSocket(url, token === undefined ? ["rivet"] : inspectorSubprotocols(token));
		this.ws.on("error", () => {});
		this.ws.on("message", (data: Buffer) => {
			const { version: spoken, message } = decodeInspectorToClient(new Uint8Array(data));
			this.versions.push(spoken);
			this.#messages.push(message);
			this.#wake();
		});
		this.closed = new Promise((resolve) => {
			this.ws.on("close", (code, reason) => {
				this.#end = `${code} ${reason.toString("utf8")}`;
				resolve(this.#end);
				this.#wake();
			});
		});
	}

	/** One that has got its Init. */
	static async open(
		runtime: Pick<TestRuntime, "url">,
		actorId: string,
		options: InspectorSocketOptions = {},
	): Promise<{ socket: InspectorSocket; init: MessageOf<"Init">["val"] }> {
		const token = options.token ?? (await tokenOf(runtime, actorId));
		const socket = new InspectorSocket(runtime, actorId, { ...options, token });
		return { socket, init: (await socket.expect("Init")).val };
	}

	send(message: InspectorToServer): void {
		this.ws.send(encodeInspectorToServer(this.version, message));
	}

	async next(): Promise<InspectorToClient> {
		while (this.#messages.length === 0) {
			if (this.#end !== null) throw new Error(`closed: ${this.#end}`);
			await new Promise<void>((resolve) => this.#waiting.push(resolve));
		}
		return this.#messages.shift()!;
	}

	/** The next message, which must be of this kind. */
	async expect<Tag extends InspectorToClient["tag"]>(tag: Tag): Promise<MessageOf<Tag>> {
		const message = await this.next();
		if (message.tag === tag) return message as MessageOf<Tag>;
		const shown = JSON.stringify(message, (_key, value) =>
			typeof value === "bigint" ? String(value) : value,
		);
		throw new Error(`expected ${tag}, got ${shown}`);
	}

	/** The next message of this kind; those before it are dropped. */
	async until<Tag extends InspectorToClient["tag"]>(
		tag: Tag,
		isMeant: (val: MessageOf<Tag>["val"]) => boolean = () => true,
	): Promise<MessageOf<Tag>["val"]> {
		for (;;) {
			const message = await this.next();
			if (message.tag === tag && isMeant(message.val as MessageOf<Tag>["val"])) {
				return message.val as MessageOf<Tag>["val"];
			}
		}
	}

	async ask<Tag extends InspectorToClient["tag"]>(
		message: InspectorToServer,
		tag: Tag,
	): Promise<MessageOf<Tag>["val"]> {
		this.send(message);
		return this.until(tag);
	}

	get unread(): readonly InspectorToClient[] {
		return this.#messages;
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

	#wake(): void {
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const resolve of waiting) resolve();
	}
}
