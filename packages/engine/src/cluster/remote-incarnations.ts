import type { ActorHost } from "@rivetkit/protocol";
import type { Incarnation } from "../placement/incarnation.ts";
import type { ReadyAnswer } from "./link-messages.ts";
import type { NodeLink } from "./node-link.ts";
import type { RemoteNode } from "./remote-node.ts";

export interface RemoteIncarnation extends Incarnation {
	readonly node: RemoteNode;
	readonly actorId: string;
	readonly liveKey: string;
}

/** Incarnations of other nodes that calls were given to. */
export class RemoteIncarnations {
	readonly #byActor = new Map<string, RemoteIncarnation>();
	readonly #ids = new Map<string, string>();

	get(actorId: string): RemoteIncarnation | undefined {
		return this.#byActor.get(actorId);
	}

	liveId(name: string, key: string): string | undefined {
		return this.#ids.get(liveKeyOf(name, key));
	}

	of(link: NodeLink): RemoteIncarnation[] {
		return [...this.#byActor.values()].filter(({ node }) => node.link === link);
	}

	add(
		actorId: string,
		node: RemoteNode,
		{ generation, name, key }: Extract<ReadyAnswer, { is: "live" }>,
	): RemoteIncarnation {
		const incarnation: RemoteIncarnation = {
			actorId,
			node,
			generation,
			phase: "live",
			liveKey: liveKeyOf(name, key),
			host: hostOf(node, generation),
		};
		this.#byActor.set(actorId, incarnation);
		this.#ids.set(incarnation.liveKey, actorId);
		return incarnation;
	}

	/** No calls are given to it any more; its node tells when it is over, and until then its sockets are its own. */
	unlist({ actorId, liveKey }: RemoteIncarnation): void {
		this.#byActor.delete(actorId);
		this.#ids.delete(liveKey);
	}

	/** It is over, and so are its sockets. */
	forget(incarnation: RemoteIncarnation): void {
		this.unlist(incarnation);
		incarnation.node.forget(incarnation.actorId);
	}
}

function liveKeyOf(name: string, key: string): string {
	return `${name.length}:${name}${key}`;
}

/** The other node as the host of one incarnation. */
function hostOf(node: RemoteNode, generation: number): ActorHost {
	return {
		start: (assignment) => node.start(assignment),
		stop: (actorId, intent) => node.stop(actorId, intent),
		request: (actorId, request) => node.request(actorId, request, generation),
		openSocket: (actorId, upgrade, socket) => node.openSocket(actorId, upgrade, socket, generation),
	};
}
