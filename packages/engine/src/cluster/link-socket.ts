import type { ActorSocket, ActorSocketHandler, PreparedMessage } from "@rivetkit/protocol";
import type { SocketDeed, SocketNews, SocketOffer } from "./link-messages.ts";
import type { NodeLink } from "./node-link.ts";

export const CLOSE_ABNORMAL = 1006;

type ClosedNews = Extract<SocketNews, { closed: unknown }>["closed"];

/** A client's socket that another node holds, as an incarnation on this one has it. */
export class LinkSocket implements ActorSocket {
	readonly id: string;
	readonly protocol: string;
	readonly canHibernate: boolean;
	readonly outlivesHost = true;
	readonly isInterrupted: boolean;
	sentCount: number;
	readonly #key: number;
	readonly #link: NodeLink;
	#handler: ActorSocketHandler | undefined;
	/** Its end, of which nobody has heard. */
	#end: ClosedNews | undefined;
	/** Whether it waits for the next incarnation when its link is lost. */
	isHeld = false;
	/** As its node said last: what waits on the link itself is not the client's doing. */
	bufferedBytes = 0;

	constructor(link: NodeLink, offer: SocketOffer) {
		this.#link = link;
		this.#key = offer.key;
		this.id = offer.id;
		this.protocol = offer.protocol;
		this.sentCount = offer.sentCount;
		this.isInterrupted = offer.isInterrupted;
		this.canHibernate = offer.canHibernate;
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
		const end = this.#end;
		if (end !== undefined) {
			queueMicrotask(() => handler.onClose(...end));
			return;
		}
		this.#handler = handler;
		this.#do({ do: "listen" });
	}

	hold(): void {
		this.isHeld = true;
		this.#do({ do: "hold" });
	}

	acknowledge(index: number): void {
		this.#do({ do: "acknowledge", index });
	}

	release(): void {
		this.#do({ do: "release" });
	}

	heard(news: SocketNews): void {
		if ("message" in news) {
			this.#handler?.onMessage(news.message, news.index);
		} else if ("closed" in news) {
			const handler = this.#handler;
			this.#handler = undefined;
			if (handler === undefined) this.#end = news.closed;
			else handler.onClose(...news.closed);
		} else if ("pong" in news) {
			this.#handler?.onPong?.();
		} else {
			this.bufferedBytes = news.buffered;
		}
	}

	/** Its node cannot be reached any more, and it was not to be held. */
	cut(): void {
		this.heard({ closed: [CLOSE_ABNORMAL, "", false] });
	}

	#do(deed: SocketDeed): void {
		this.#link.deed(this.#key, deed);
	}
}
