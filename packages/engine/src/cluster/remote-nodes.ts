import type { Clock } from "@rivetkit/protocol";
import type { NodeLink } from "./node-link.ts";
import { type LinkLimits, RemoteNode } from "./remote-node.ts";

/** The other end of each link. */
export class RemoteNodes {
	readonly #clock: Clock;
	readonly #limits: LinkLimits;
	readonly #byLink = new Map<NodeLink, RemoteNode>();

	constructor(clock: Clock, limits: LinkLimits) {
		this.#clock = clock;
		this.#limits = limits;
	}

	of(link: NodeLink): RemoteNode {
		let node = this.#byLink.get(link);
		if (node === undefined) {
			node = new RemoteNode({ link, clock: this.#clock, limits: this.#limits });
			this.#byLink.set(link, node);
		}
		return node;
	}

	/** Whether an actor somewhere else has sockets of this node's clients. */
	haveSocketsOf(actorId: string): boolean {
		return [...this.#byLink.values()].some((node) => node.hasSocketsOf(actorId));
	}

	/** The sockets of this node's clients that the actor had are another incarnation's. */
	forget(actorId: string): void {
		for (const node of this.#byLink.values()) {
			node.forget(actorId);
		}
	}

	/** Actors over there that have sockets of this node's clients. */
	offeredTo(link: NodeLink): readonly string[] {
		return this.#byLink.get(link)?.offeredActors ?? [];
	}

	/** Nothing goes over the link any more. */
	drop(link: NodeLink): void {
		this.#byLink.get(link)?.close();
		this.#byLink.delete(link);
	}
}
