import type { SocketNews, SocketOffer } from "./link-messages.ts";
import { LinkSocket } from "./link-socket.ts";
import type { NodeLink } from "./node-link.ts";

interface Accepted {
	readonly socket: LinkSocket;
	readonly actorId: string;
}

/** Sockets of other nodes' clients that actors on this node have, until those or the link are gone. */
export class LinkSockets {
	readonly #byLink = new Map<NodeLink, Map<number, Accepted>>();
	readonly #byActor = new Map<string, Map<NodeLink, Set<number>>>();

	accept(link: NodeLink, actorId: string, offer: SocketOffer): LinkSocket {
		const { key } = offer;
		const socket = new LinkSocket(link, offer);
		const accepted = this.#byLink.get(link) ?? new Map<number, Accepted>();
		this.#byLink.set(link, accepted.set(key, { socket, actorId }));
		const links = this.#byActor.get(actorId) ?? new Map<NodeLink, Set<number>>();
		this.#byActor.set(actorId, links.set(link, (links.get(link) ?? new Set()).add(key)));
		return socket;
	}

	heard(link: NodeLink, key: number, news: SocketNews): void {
		const accepted = this.#byLink.get(link)?.get(key);
		if (accepted === undefined) {
			return;
		}
		accepted.socket.heard(news);
		if ("closed" in news) {
			// Nothing comes after it.
			this.forget(link, key);
		}
	}

	/** Nobody has it, or it is over. */
	forget(link: NodeLink, key: number): void {
		const accepted = this.#byLink.get(link)?.get(key);
		if (accepted === undefined) {
			return;
		}
		this.#byLink.get(link)?.delete(key);
		const links = this.#byActor.get(accepted.actorId);
		const keys = links?.get(link);
		if (keys?.delete(key) && keys.size === 0) {
			links?.delete(link);
		}
		if (links?.size === 0) {
			this.#byActor.delete(accepted.actorId);
		}
	}

	actorEnded(actorId: string): void {
		for (const [link, keys] of this.#byActor.get(actorId) ?? []) {
			for (const key of keys) {
				this.#byLink.get(link)?.delete(key);
			}
		}
		this.#byActor.delete(actorId);
	}

	/**
	 * Sockets that were not to be held are over; returns the actors of those that were, which cannot be heard of any
	 * more.
	 */
	linkLost(link: NodeLink): ReadonlySet<string> {
		const interrupted = new Set<string>();
		for (const { socket, actorId } of this.#byLink.get(link)?.values() ?? []) {
			this.#byActor.get(actorId)?.delete(link);
			if (socket.isHeld) {
				interrupted.add(actorId);
			} else {
				socket.cut();
			}
		}
		this.#byLink.delete(link);
		return interrupted;
	}
}
