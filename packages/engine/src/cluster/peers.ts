import type { ActorKind } from "../placement/elsewhere.ts";
import { type NodeRow, poolTag } from "../store/postgres/node-rows.ts";

/** A node that runs no more than this many actors above the least loaded one keeps what it is asked for. */
const LOAD_SLACK = 8;
const LOAD_SLACK_PART = 0.1;

/** Another node that lives, as of the last renewal; `assigned` is what it was given since. */
type Peer = NodeRow & { assigned: number };

export interface PeersOptions {
	/** Whether there is a link to the node. */
	readonly isLinked: (epoch: number) => boolean;
	/** Whether this node can run such actors now. */
	readonly hosts: (actor: ActorKind) => boolean;
	/** How many actors this node runs. */
	readonly liveCount: () => number;
}

/** The nodes that live, and which of them runs the next actor: the least loaded one that can. */
export class Peers {
	readonly #options: PeersOptions;
	#others: Peer[] = [];
	/** Actors that this node has taken since the last renewal, perhaps not running yet. */
	#assignedHere = 0;
	/** Whether others take what this node is asked for. */
	isDraining = false;

	constructor(options: PeersOptions) {
		this.#options = options;
	}

	/** Who else lives. */
	know(nodes: readonly NodeRow[]): void {
		this.#others = nodes.map((node) => ({ ...node, assigned: 0 }));
		this.#assignedHere = 0;
	}

	/** Whether no other node lives. */
	get isAlone(): boolean {
		return this.#others.length === 0;
	}

	get epochs(): readonly number[] {
		return this.#others.map(({ epoch }) => epoch);
	}

	/** How many of the nodes that live this one has a link to. */
	get links(): { readonly open: number; readonly missing: number } {
		const open = this.#others.filter(({ epoch }) => this.#options.isLinked(epoch)).length;
		return { open, missing: this.#others.length - open };
	}

	/** Nodes that live, this one included. */
	get nodes(): { readonly serving: number; readonly draining: number } {
		const others = this.#others.filter(({ isDraining }) => isDraining).length;
		const draining = others + (this.isDraining ? 1 : 0);
		return { serving: this.#others.length + 1 - draining, draining };
	}

	/** Whether any other node takes actors. */
	get hasSuccessor(): boolean {
		return this.#candidates().length > 0;
	}

	/** Whether this node is to run one such actor more; it is then counted as if it did. */
	takesNext(actor: ActorKind): boolean {
		if (this.isDraining || !this.#options.hosts(actor)) {
			return false;
		}
		const least = Math.min(...this.#candidates(actor).map(loadOf));
		const isNext =
			this.#options.liveCount() + this.#assignedHere <=
			least + Math.max(LOAD_SLACK, least * LOAD_SLACK_PART);
		if (isNext) {
			this.#assignedHere++;
		}
		return isNext;
	}

	/** Least loaded first; undefined when nobody runs such actors. */
	choose(actor: ActorKind, unreachable: ReadonlySet<number>): number | "here" | undefined {
		const others = this.#candidates(actor)
			.filter(({ epoch }) => !unreachable.has(epoch))
			.sort((a, b) => loadOf(a) - loadOf(b));
		const [least] = others;
		const isHere = this.#options.hosts(actor) && !this.isDraining;
		if (least === undefined) {
			return isHere ? "here" : undefined;
		}
		if (isHere && this.takesNext(actor)) {
			return "here";
		}
		least.assigned++;
		return least.epoch;
	}

	#candidates(actor?: ActorKind): Peer[] {
		const linked = this.#others.filter(
			({ epoch, isDraining }) => !isDraining && this.#options.isLinked(epoch),
		);
		return actor === undefined
			? linked
			: linked.filter(({ names }) => names.includes(actor.name) || names.includes(poolTag(actor)));
	}
}

function loadOf({ actors, assigned }: Peer): number {
	return actors + assigned;
}
