import { countLimitHit } from "@rivetkit/protocol";
import type { RunnerLimits } from "./runner-limits.ts";
import { messageBytes, type TunnelMessage } from "./tunnel-backlog.ts";

interface ClientEnd {
	/** What may be told twice of what it has sent, and its close behind that. */
	readonly messages: readonly TunnelMessage[];
	readonly bytes: number;
	/** Of the first ping that was sent behind it on the socket of now; null for none. */
	pingTs: number | null;
}

/**
 * Clients that have left, of which it is not known that their runner has heard it: the socket may be one that nobody reads any
 * more. What was sent before a ping has arrived when that is answered.
 */
export class ClientEnds {
	readonly #limits: RunnerLimits;
	/** In the order they came, so that those of later pings are behind those of earlier ones. */
	readonly #ends = new Set<ClientEnd>();
	#bytes = 0;

	constructor(limits: RunnerLimits) {
		this.#limits = limits;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/**
	 * Keeps an end. Without what is sent again before it, where that is too much; beyond `tunnelBacklogEndsMax` the oldest is
	 * forgotten.
	 */
	add(sentBefore: readonly TunnelMessage[], close: TunnelMessage): void {
		const { tunnelBacklogBytesMax, tunnelBacklogEndsMax } = this.#limits;
		const whole = [...sentBefore, close];
		const isTooMuch = this.#bytes + bytesOf(whole) > tunnelBacklogBytesMax;
		const messages = isTooMuch ? [close] : whole;
		const end: ClientEnd = { messages, bytes: bytesOf(messages), pingTs: null };
		this.#ends.add(end);
		this.#bytes += end.bytes;
		const [oldest] = this.#ends;
		if (this.#ends.size <= tunnelBacklogEndsMax || oldest === undefined) return;
		countLimitHit("guard.tunnel_backlog_full");
		this.#remove(oldest);
	}

	/** A ping was sent on the runner's socket. */
	pinged(ts: number): void {
		for (const end of this.#ends) end.pingTs ??= ts;
	}

	/** A ping was answered: what was sent before it has arrived. */
	answered(pingTs: number): void {
		for (const end of this.#ends) {
			if (end.pingTs === null || end.pingTs > pingTs) return;
			this.#remove(end);
		}
	}

	/** On a new socket, up to the first that it does not take; one that throws is gone. */
	tellAgain(send: (message: TunnelMessage) => boolean): void {
		for (const end of this.#ends) end.pingTs = null;
		for (const end of this.#ends) {
			try {
				if (!end.messages.every(send)) return;
			} catch (error) {
				this.#remove(end);
				throw error;
			}
		}
	}

	clear(): void {
		this.#ends.clear();
		this.#bytes = 0;
	}

	#remove(end: ClientEnd): void {
		this.#ends.delete(end);
		this.#bytes -= end.bytes;
	}
}

function bytesOf(messages: readonly TunnelMessage[]): number {
	return messages.reduce((bytes, message) => bytes + messageBytes(message), 0);
}
