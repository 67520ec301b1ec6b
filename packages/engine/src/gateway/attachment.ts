import type { ActorSocket, ActorSocketHandler, PreparedMessage } from "@rivetkit/protocol";
import type { HeldSocket } from "./held-socket.ts";

/**
 * A client's socket as one incarnation of an actor has it. It works for as long as that incarnation
 * lives: what a fenced one still sends reaches nobody.
 */
export class Attachment implements ActorSocket {
	readonly id: string;
	readonly protocol: string;
	readonly outlivesHost = false;
	readonly isInterrupted: boolean;
	#held: HeldSocket | undefined;
	#handler: ActorSocketHandler | undefined;

	constructor(held: HeldSocket) {
		this.id = held.id;
		this.protocol = held.accepted.protocol;
		this.isInterrupted = held.isInterrupted;
		this.#held = held;
	}

	get isLive(): boolean {
		return this.#held !== undefined;
	}

	get isListening(): boolean {
		return this.#handler !== undefined;
	}

	get bufferedBytes(): number {
		return this.#held?.accepted.bufferedBytes ?? 0;
	}

	get canHibernate(): boolean {
		return this.#held?.canHibernate ?? false;
	}

	get sentCount(): number {
		return this.#held?.sentCount ?? 0;
	}

	send(message: string | Uint8Array): void {
		const held = this.#held;
		if (held !== undefined) {
			held.sentCount++;
			held.accepted.send(message);
		}
	}

	sendPrepared(message: PreparedMessage): void {
		const held = this.#held;
		if (held !== undefined) {
			held.sentCount++;
			held.accepted.sendPrepared(message);
		}
	}

	prepare(message: string | Uint8Array): PreparedMessage {
		return this.#held?.accepted.prepare(message) ?? { data: message };
	}

	ping(): void {
		this.#held?.accepted.ping();
	}

	close(code: number, reason: string): void {
		this.#held?.close(code, reason);
	}

	listen(handler: ActorSocketHandler): void {
		this.#handler = handler;
		this.#held?.listened();
	}

	hold(): void {
		this.#held?.hold();
	}

	acknowledge(index: number): void {
		this.#held?.acknowledge(index);
	}

	release(): void {
		this.#held?.release();
	}

	/** For the held socket only, as what follows. */
	deliver(message: string | Uint8Array, index: number): void {
		this.#handler?.onMessage(message, index);
	}

	tellClosed(code: number, reason: string, wasClean: boolean): void {
		const handler = this.#handler;
		this.#handler = undefined;
		handler?.onClose(code, reason, wasClean);
	}

	tellPong(): void {
		this.#handler?.onPong?.();
	}

	/** The incarnation has ended. */
	end(): void {
		this.#held = undefined;
		this.#handler = undefined;
	}
}
