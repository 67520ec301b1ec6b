import type { HibernatingRequest, RunnerToClient } from "@rivetkit/protocol/runner";
import { exchangeKey } from "./exchange-key.ts";
import type { RunnerLimits } from "./runner-limits.ts";

export type TunnelMessage = Extract<RunnerToClient, { tag: "ToClientTunnelMessage" }>;

/** What a message takes besides its content, about. */
const MESSAGE_OVERHEAD_BYTES = 128;

interface Kept {
	readonly message: TunnelMessage;
	readonly bytes: number;
}

/** What goes to a runner while its socket is away, in order, until it has the next one. */
export class TunnelBacklog {
	readonly #limits: RunnerLimits;
	readonly #kept = new Set<Kept>();
	readonly #byExchange = new Map<string, Set<Kept>>();
	#bytes = 0;

	constructor(limits: RunnerLimits) {
		this.#limits = limits;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** False when it does not fit any more, and is not kept. */
	keep(message: TunnelMessage): boolean {
		const { tunnelBacklogBytesMax, tunnelBacklogMessagesMax } = this.#limits;
		const bytes = messageBytes(message);
		const isFull =
			this.#kept.size >= tunnelBacklogMessagesMax || this.#bytes + bytes > tunnelBacklogBytesMax;
		if (isFull) return false;
		const kept: Kept = { message, bytes };
		this.#bytes += bytes;
		this.#kept.add(kept);
		const key = exchangeKey(message.val.messageId);
		const others = this.#byExchange.get(key);
		if (others) others.add(kept);
		else this.#byExchange.set(key, new Set([kept]));
		return true;
	}

	/** Whether something of an exchange waits. */
	has(exchange: HibernatingRequest): boolean {
		return this.#byExchange.has(exchangeKey(exchange));
	}

	/** Forgets an exchange. True when the runner has not heard of it at all. */
	drop(exchange: HibernatingRequest): boolean {
		const key = exchangeKey(exchange);
		const dropped = this.#byExchange.get(key);
		if (!dropped) return false;
		this.#byExchange.delete(key);
		let isUnheardOf = false;
		for (const kept of dropped) {
			this.#kept.delete(kept);
			this.#bytes -= kept.bytes;
			isUnheardOf ||= isBeginning(kept.message);
		}
		return isUnheardOf;
	}

	/**
	 * Gives each to a runner that is back, in order. Those behind one that is not taken stay; one that throws is gone, so that
	 * it does not keep the others from every next socket.
	 */
	drain(send: (message: TunnelMessage) => boolean): void {
		for (const kept of this.#kept) {
			let isDone = true;
			try {
				isDone = send(kept.message);
			} finally {
				if (isDone) this.#remove(kept);
			}
			if (!isDone) return;
		}
	}

	clear(): void {
		this.#kept.clear();
		this.#byExchange.clear();
		this.#bytes = 0;
	}

	#remove(kept: Kept): void {
		this.#kept.delete(kept);
		this.#bytes -= kept.bytes;
		const key = exchangeKey(kept.message.val.messageId);
		const others = this.#byExchange.get(key);
		others?.delete(kept);
		if (others?.size === 0) this.#byExchange.delete(key);
	}
}

/** What it takes while it is kept, about. */
export function messageBytes(message: TunnelMessage): number {
	return MESSAGE_OVERHEAD_BYTES + contentBytes(message);
}

function isBeginning({ val }: TunnelMessage): boolean {
	const { tag } = val.messageKind;
	return tag === "ToClientRequestStart" || tag === "ToClientWebSocketOpen";
}

function contentBytes({ val: { messageKind } }: TunnelMessage): number {
	switch (messageKind.tag) {
		case "ToClientRequestStart": {
			const { path, headers, body } = messageKind.val;
			return path.length + headerBytes(headers) + (body?.byteLength ?? 0);
		}
		case "ToClientWebSocketOpen":
			return messageKind.val.path.length + headerBytes(messageKind.val.headers);
		case "ToClientWebSocketMessage":
			return messageKind.val.data.byteLength;
		case "ToClientRequestChunk":
			return messageKind.val.body.byteLength;
		case "ToClientRequestAbort":
		case "ToClientWebSocketClose":
			return 0;
	}
}

function headerBytes(headers: ReadonlyMap<string, string>): number {
	let bytes = 0;
	for (const [name, value] of headers) bytes += name.length + value.length;
	return bytes;
}
