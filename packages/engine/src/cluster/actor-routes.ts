import { catalogueError } from "@rivetkit/protocol";
import type { Route, RouteWait } from "../placement/elsewhere.ts";
import type { NodeRows, Whereabouts } from "../store/postgres/node-rows.ts";
import { type Acquisitions, answeredBy } from "./acquisitions.ts";
import type { ClusterClock } from "./cluster-clock.ts";
import type { ClusterCounters } from "./cluster-counters.ts";
import { LinkLost, type ReadyAnswer } from "./link-messages.ts";
import type { Links } from "./links.ts";
import type { NodeLease } from "./node-lease.ts";
import type { NodeLink } from "./node-link.ts";
import type { Peers } from "./peers.ts";
import type { RemoteIncarnations } from "./remote-incarnations.ts";
import type { RemoteNodes } from "./remote-nodes.ts";

/** Pause before an actor is looked for again whose node is dead or cannot be reached (ms). */
export const LOOK_AGAIN_MS = 100;
/** The same of one that has a pause after crashes, which only a deletion ends earlier (contract: engine 6.1). */
const LOOK_AGAIN_PAUSED_MS = 1_000;

export interface ActorRoutesOptions {
	readonly rows: NodeRows;
	readonly lease: NodeLease;
	readonly links: Links;
	readonly clock: ClusterClock;
	readonly counters: ClusterCounters;
	readonly peers: Peers;
	readonly acquisitions: Acquisitions;
	readonly remote: RemoteIncarnations;
	readonly nodes: RemoteNodes;
	/** Whether an incarnation of the actor exists here, or begins. */
	readonly isUsed: (actorId: string) => boolean;
	/** Resolves when an actor that has ended here is nobody's; undefined when none is on its way out. */
	readonly released: (actorId: string) => Promise<void> | undefined;
}

/** Where an actor's calls go: to its owner, or, when it has none, to the node that is to have it (C1). */
export class ActorRoutes {
	readonly #options: ActorRoutesOptions;

	constructor(options: ActorRoutesOptions) {
		this.#options = options;
	}

	/** Resolves when this node may run actors. Rejects with `guard.service_unavailable`. */
	serving(deadlineTs: number): Promise<void> {
		const { lease, clock } = this.#options;
		return lease.held(deadlineTs - clock.now(), () => catalogueError("guard.service_unavailable"));
	}

	/** Finds out where an actor is, or decides it. Rejects as a start does. */
	async route(actorId: string, deadlineTs: number, wait: RouteWait): Promise<Route> {
		const { rows, clock, lease, peers, acquisitions, counters, isUsed, released } = this.#options;
		const unreachable = new Set<number>();
		for (;;) {
			await this.serving(deadlineTs);
			const leaving = released(actorId);
			if (leaving !== undefined) {
				await answeredBy(clock, deadlineTs, leaving, actorId);
			}
			const where = await answeredBy(clock, deadlineTs, rows.whereIs(actorId), actorId);
			if (where.kind === "unknown") {
				throw catalogueError("actor.not_found", { identifier: actorId });
			}
			if (peers.isDraining && !peers.hasSuccessor) {
				throw catalogueError("guard.service_unavailable");
			}
			const pauseMs = where.kind === "free" ? (where.pausedUntilTs ?? 0) - clock.now() : 0;
			const target = pauseMs > 0 ? undefined : this.#targetOf(where, lease.epoch, unreachable);
			if (target === "here") {
				if (isUsed(actorId)) {
					// Another node has asked for it meanwhile: to acquire it again would end what began.
					return { kind: "here", acquired: undefined };
				}
				const acquired = await acquisitions.acquireBy(deadlineTs, actorId);
				if (acquired !== undefined) {
					counters.takeOvers += where.kind === "free" && where.isLeft ? 1 : 0;
					return { kind: "here", acquired };
				}
			} else if (target !== undefined) {
				const route = await this.#readyAt(target, actorId, deadlineTs, wait);
				if (route !== undefined) {
					return route;
				}
				unreachable.add(target);
			}
			const waitMs = pauseMs > 0 ? Math.min(pauseMs, LOOK_AGAIN_PAUSED_MS) : LOOK_AGAIN_MS;
			if (clock.now() + waitMs >= deadlineTs) {
				throw catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			}
			await new Promise<void>((resolve) => {
				clock.after(waitMs, resolve);
			});
		}
	}

	#targetOf(
		where: Exclude<Whereabouts, { kind: "unknown" }>,
		own: number | undefined,
		unreachable: ReadonlySet<number>,
	): number | "here" | undefined {
		const { peers } = this.#options;
		if (where.kind === "free") {
			return peers.choose(where, unreachable);
		}
		if (where.epoch !== own) {
			return where.epoch;
		}
		// Nobody else gets it from a node that lives.
		return peers.isDraining ? undefined : "here";
	}

	/** Undefined when the node cannot be reached, or does not have it. */
	async #readyAt(
		epoch: number,
		actorId: string,
		deadlineTs: number,
		wait: RouteWait,
	): Promise<Route | undefined> {
		const { links, clock, nodes, remote } = this.#options;
		let link: NodeLink;
		let answer: ReadyAnswer;
		const waitMs = deadlineTs - clock.now();
		try {
			link = await links.to(epoch, Math.min(waitMs, LOOK_AGAIN_MS));
			answer = await nodes.of(link).ready(actorId, waitMs, wait);
		} catch (error) {
			if (error instanceof LinkLost) {
				return undefined;
			}
			throw error;
		}
		if (answer.is === "elsewhere" || link.isLost) {
			return undefined;
		}
		return answer.is === "waiting"
			? { kind: "waiting", isCrowded: answer.isCrowded ?? false }
			: { kind: "remote", incarnation: remote.add(actorId, nodes.of(link), answer) };
	}
}
