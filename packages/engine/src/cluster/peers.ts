import type { PoolName, PoolRoom, PoolsElsewhere } from "../common/pool-state.ts";
import type { ActorKind } from "../placement/elsewhere.ts";
import { type NodeRow, poolTag } from "../store/postgres/node-rows.ts";
import { NOTHING, type PoolsOfNodes } from "./pools-of-nodes.ts";

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
	/** What the others have for pools. */
	readonly pools: PoolsOfNodes;
	/** What this node has for such actors; undefined where it has no runners. */
	readonly roomFor: (actor: ActorKind) => PoolRoom | undefined;
}

/** Those of some nodes whose runners come first. */
interface Best {
	readonly others: readonly Peer[];
	readonly isHere: boolean;
}

/**
 * The nodes that live, and which of them runs the next actor: of those with runners of the newest version, and with room
 * if any of them has, the least loaded one (contract: engine 7.2). What it says of their pools is said of those nodes
 * that it may choose, and of no others.
 */
export class Peers implements PoolsElsewhere {
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
		const best = this.#best(actor, this.#candidates(actor));
		return best.isHere && this.#isLeast(best.others);
	}

	/** Whether this node is as little loaded as these; it is then counted as if it ran one more. */
	#isLeast(others: readonly Peer[]): boolean {
		const least = Math.min(...others.map(loadOf));
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
		const reachable = this.#candidates(actor).filter(({ epoch }) => !unreachable.has(epoch));
		const { others, isHere } = this.#best(actor, reachable);
		const [least] = others.toSorted((a, b) => loadOf(a) - loadOf(b));
		if (least === undefined) {
			return isHere ? "here" : undefined;
		}
		if (isHere && this.#isLeast(others)) {
			return "here";
		}
		least.assigned++;
		this.#options.pools.given(least.epoch, actor);
		return least.epoch;
	}

	newestVersion(pool: PoolName): number {
		return Math.max(-1, ...this.#roomsElsewhere(pool).map(({ version }) => version));
	}

	hasRoom(pool: PoolName, version: number): boolean {
		return this.#roomsElsewhere(pool).some((room) => room.version >= version && room.free > 0);
	}

	#roomsElsewhere(pool: PoolName): PoolRoom[] {
		return this.#candidates().map(({ epoch }) => this.#options.pools.at(epoch, pool));
	}

	#best(actor: ActorKind, others: readonly Peer[]): Best {
		const { hosts, roomFor, pools } = this.#options;
		const canHere = !this.isDraining && hosts(actor);
		const here = (canHere ? roomFor(actor) : undefined) ?? NOTHING;
		const rooms = others.map(({ epoch }) => pools.at(epoch, actor));
		const newest = Math.max(...[here, ...rooms].map(({ version }) => version));
		const isNewest = (room: PoolRoom) => room.version === newest;
		const hasRoom = (room: PoolRoom) => isNewest(room) && room.free > 0;
		const best = (is: (room: PoolRoom) => boolean): Best => ({
			others: others.filter((_, index) => is(rooms[index]!)),
			isHere: canHere && is(here),
		});
		const withRoom = best(hasRoom);
		return withRoom.isHere || withRoom.others.length > 0 ? withRoom : best(isNewest);
	}

	#candidates(actor?: ActorKind): Peer[] {
		const linked = this.#others.filter(
			({ epoch, isDraining }) => !isDraining && this.#options.isLinked(epoch),
		);
		return actor === undefined
			? linked
			: linked.filter(
					({ epoch, names }) =>
						names.includes(actor.name) ||
						names.includes(poolTag(actor)) ||
						this.#options.pools.at(epoch, actor).version >= 0,
				);
	}
}

function loadOf({ actors, assigned }: Peer): number {
	return actors + assigned;
}
