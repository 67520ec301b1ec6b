import type { ActorSocket, ActorSocketHandler, PreparedMessage } from "@rivetkit/protocol";
import type { SocketDeed, SocketNews, SocketOffer } from "./messages.ts";

type Deed = SocketDeed extends infer D ? (D extends unknown ? Omit<D, "socket"> : never) : never;

/** A client's socket that another process holds. */
export class LinkSocket implements ActorSocket {
	readonly id: string;
	readonly protocol: string;
	readonly bufferedBytes = 0;
	readonly canHibernate = true;
	readonly outlivesHost = true;
	readonly isInterrupted: boolean;
	sentCount: number;
	readonly #key: number;
	readonly #send: (deed: SocketDeed) => void;
	#handler: ActorSocketHandler | null = null;

	constructor(
		{ key, id, protocol, sentCount, isInterrupted }: SocketOffer,
		send: (deed: SocketDeed) => void,
	) {
		this.#key = key;
		this.id = id;
		this.protocol = protocol;
		this.sentCount = sentCount;
		this.isInterrupted = isInterrupted;
		this.#send = send;
	}

	send(message: string | Uint8Array): void {
		this.sentCount++;
		this.#do({ do: "send", message });
	}
	sendPrepared({ data }: PreparedMessage): void {
		this.send(data);
	}
	prepare(data: string | Uint8Array): PreparedMessage {
		return { data };
	}
	ping(): void {
		this.#do({ do: "ping" });
	}
	close(code: number, reason: string): void {
		this.#do({ do: "close", code, reason });
	}
	listen(handler: ActorSocketHandler): void {
		this.#handler = handler;
		this.#do({ do: "listen" });
	}
	hold(): void {
		this.#do({ do: "hold" });
	}
	acknowledge(index: number): void {
		this.#do({ do: "acknowledge", index });
	}
	release(): void {
		this.#do({ do: "release" });
	}

	heard(news: SocketNews): void {
		if ("message" in news) this.#handler?.onMessage(news.message, news.index);
		else if ("closed" in news) this.#handler?.onClose(...news.closed);
		else this.#handler?.onPong?.();
	}

	#do(deed: Deed): void {
		this.#send({ ...deed, socket: this.#key } as SocketDeed);
	}
}
