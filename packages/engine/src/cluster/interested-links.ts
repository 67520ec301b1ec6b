import type { IncarnationEnd } from "../placement/incarnation.ts";
import type { NodeLink } from "./node-link.ts";

/** Links whose nodes are to be told when an actor's incarnation here ends (C3). */
export class InterestedLinks {
	readonly #byActor = new Map<string, Set<NodeLink>>();

	note(actorId: string, link: NodeLink): void {
		const links = this.#byActor.get(actorId) ?? new Set();
		this.#byActor.set(actorId, links.add(link));
	}

	ended(actorId: string, generation: number, how: IncarnationEnd): void {
		const links = this.#byActor.get(actorId);
		this.#byActor.delete(actorId);
		for (const link of links ?? []) {
			link.ended(actorId, generation, how);
		}
	}

	linkLost(link: NodeLink): void {
		for (const links of this.#byActor.values()) {
			links.delete(link);
		}
	}
}
