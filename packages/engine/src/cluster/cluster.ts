import {
	type ActorRequest,
	type ActorSocket,
	type ActorUpgrade,
	catalogueError,
	type PlainSocket,
} from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import type { PoolState, PoolsElsewhere } from "../common/pool-state.ts";
import type { RunnerAnswers, RunnerQuestion } from "../common/runner-questions.ts";
import type { ActorKind, Elsewhere, Route, RouteWait } from "../placement/elsewhere.ts";
import type { Incarnation, IncarnationEnd } from "../placement/incarnation.ts";
import type { NodeRow, NodeRows } from "../store/postgres/node-rows.ts";
import type { PostgresStore } from "../store/postgres/postgres-store.ts";
import type { ActorRecord } from "../store/store.ts";
import { Acquisitions } from "./acquisitions.ts";
import { ActorRoutes, LOOK_AGAIN_MS } from "./actor-routes.ts";
import type { ClusterClock } from "./cluster-clock.ts";
import type { ClusterCounters } from "./cluster-counters.ts";
import { InterestedLinks } from "./interested-links.ts";
import {
	type LinkCall,
	LinkLost,
	type RunnerPool,
	type SocketDeed,
	type SocketNews,
} from "./link-messages.ts";
import { LinkSockets } from "./link-sockets.ts";
import type { Links } from "./links.ts";
import type { LocalEngine } from "./local-engine.ts";
import type { NodeLease } from "./node-lease.ts";
import type { NodeLink } from "./node-link.ts";
import { Peers } from "./peers.ts";
import { PoolsOfNodes } from "./pools-of-nodes.ts";
import { type RemoteIncarnation, RemoteIncarnations } from "./remote-incarnations.ts";
import type { LinkLimits } from "./remote-node.ts";
import { RemoteNodes } from "./remote-nodes.ts";
import { ServedCalls } from "./served-calls.ts";
import { SocketHandover } from "./socket-handover.ts";

/** How long a node is waited for that is asked something beside calls (ms). */
const ASK_MS = 3_000;
/** What this node has for pools is told so soon after it has changed (ms): with what changes meanwhile. */
const ROOMS_TOLD_MS = 10;
/** What a node that drains has let go of is told so soon (ms): with what it lets go of meanwhile. */
const LEFT_TOLD_MS = 100;
/** From so many free slots on, others are told of many: each start would be news otherwise. */
const SLOTS_TOLD_MAX = 64;
const MANY_SLOTS = 1_000_000;

export interface ClusterOptions {
	readonly store: PostgresStore;
	readonly rows: NodeRows;
	readonly lease: NodeLease;
	readonly links: Links;
	readonly clock: ClusterClock;
	readonly logger: EngineLogger;
	readonly limits: LinkLimits;
	readonly counters: ClusterCounters;
}

/**
 * This node among the others: where actors run, and how calls and sockets get there.
 *
 * - C1. Who owns an actor is what its row says, with an owner whose lease has not ended. What is remembered here only
 *   saves the look, and is wrong without harm: the other node answers `elsewhere`.
 * - C2. A node starts what it has acquired under a lease that it holds, and nothing else.
 * - C3. A node is told of the end of each incarnation that it has asked for, or loses the link.
 */
export class Cluster implements Elsewhere {
	readonly #options: ClusterOptions;
	#engine!: LocalEngine;
	readonly #peers: Peers;
	readonly #routes: ActorRoutes;
	readonly #handover: SocketHandover;
	readonly #calls: ServedCalls;
	readonly #remote = new RemoteIncarnations();
	readonly #nodes: RemoteNodes;
	readonly #interested = new InterestedLinks();
	/** Sockets of other nodes' clients that actors here have. */
	readonly #sockets = new LinkSockets();
	/** Sockets of other nodes' clients that look at actors here. */
	readonly #inspectors = new LinkSockets();
	/** What other nodes have for the next actors of pools. */
	readonly #pools = new PoolsOfNodes();
	#roomsTold = "";
	#isTellingRooms = false;
	#isTellingLeft = false;
	/** Actors that are on their way back to being nobody's. */
	readonly #releasing = new Map<string, Promise<void>>();

	constructor(options: ClusterOptions) {
		const { store, lease, links, clock, limits, logger, counters, rows } = options;
		this.#options = options;
		this.#nodes = new RemoteNodes(clock, limits);
		this.#peers = new Peers({
			isLinked: (epoch) => links.isOpen(epoch),
			hosts: (actor) => this.#engine.hosts(actor),
			liveCount: () => this.#engine.placement.liveCount,
			pools: this.#pools,
			roomFor: (actor) => this.#engine.roomFor(actor),
		});
		const isUsed = (actorId: string) => this.#engine.placement.phase(actorId) !== undefined;
		const parts = {
			engine: () => this.#engine,
			clock,
			logger,
			lease,
			links,
			peers: this.#peers,
			pools: this.#pools,
			acquisitions: new Acquisitions({
				store,
				clock,
				logger,
				isUsed,
				isHeld: (acquired) => this.holds(acquired),
			}),
			remote: this.#remote,
			nodes: this.#nodes,
			interested: this.#interested,
			sockets: this.#sockets,
		};
		this.#handover = new SocketHandover(parts);
		this.#routes = new ActorRoutes({
			...parts,
			rows,
			counters,
			isUsed,
			released: (actorId) => this.#releasing.get(actorId),
		});
		this.#calls = new ServedCalls({
			...parts,
			handover: this.#handover,
			inspectors: this.#inspectors,
			release: (actorId, generation) => this.#release(actorId, generation),
		});
	}

	attach(engine: LocalEngine): void {
		this.#engine = engine;
	}

	get isServing(): boolean {
		return this.#options.lease.isHeld;
	}

	serving(deadlineTs: number): Promise<void> {
		return this.#routes.serving(deadlineTs);
	}

	holds({ acquiredUnder }: ActorRecord): boolean {
		const { epoch } = this.#options.lease;
		return epoch !== undefined && acquiredUnder === epoch;
	}

	takesNext(actor: ActorKind): boolean {
		return this.#peers.takesNext(actor);
	}

	/** Other nodes take what this one is asked for, from now on. */
	async drain(): Promise<void> {
		this.#peers.isDraining = true;
		this.#tellRooms(true);
		await this.#options.lease.drain();
	}

	get isDraining(): boolean {
		return this.#peers.isDraining;
	}

	/** Whether no other node lives. */
	get isAlone(): boolean {
		return this.#peers.isAlone;
	}

	/** How many of the nodes that live this one has a link to. */
	get links(): Peers["links"] {
		return this.#peers.links;
	}

	/** Nodes that live, this one included. */
	get nodes(): Peers["nodes"] {
		return this.#peers.nodes;
	}

	/** What other nodes have for pools, as far as actors may be sent there. */
	get pools(): PoolsElsewhere {
		return this.#peers;
	}

	/** Who else lives. */
	know(nodes: readonly NodeRow[]): void {
		this.#peers.know(nodes);
		this.#handover.know(new Set(this.#peers.epochs));
		this.#options.links.know(nodes);
		this.#tellRooms(true);
	}

	/** What this node has for some pool may be something else now. */
	roomChanged(): void {
		if (this.#isTellingRooms) {
			return;
		}
		this.#isTellingRooms = true;
		this.#options.clock.after(ROOMS_TOLD_MS, () => {
			this.#isTellingRooms = false;
			this.#tellRooms(false);
		});
	}

	get #rooms(): PoolState[] {
		// Whoever drains takes nothing.
		const rooms = this.#peers.isDraining ? [] : (this.#engine?.rooms() ?? []);
		return rooms.map((room) => ({
			...room,
			free: room.free < SLOTS_TOLD_MAX ? room.free : MANY_SLOTS,
		}));
	}

	/**
	 * @param again - also when it is what they were told last: they count what they give this node themselves, and may
	 * not have heard
	 */
	#tellRooms(again: boolean): void {
		const rooms = this.#rooms;
		const told = JSON.stringify(rooms);
		if (told === this.#roomsTold && !again) {
			return;
		}
		this.#roomsTold = told;
		for (const epoch of this.#peers.epochs) {
			if (this.#options.links.isOpen(epoch)) {
				this.#options.links
					.to(epoch, ASK_MS)
					.then((link) => this.#tellRoomsOver(link, rooms))
					.catch(() => {
						// The link is lost: the next one begins with this.
					});
			}
		}
	}

	async #tellRoomsOver(link: NodeLink, rooms: readonly PoolState[]): Promise<void> {
		try {
			await link.call({ do: "rooms", rooms }, { waitMs: ASK_MS });
		} catch (error) {
			this.#options.logger.debug(
				{ node: link.epoch, err: error },
				"a node could not be told what there is room for here; it is told again soon",
			);
		}
	}

	/** The lease is lost: nothing that was begun under it goes on. */
	lost(): void {
		this.#options.counters.leasesLost++;
		this.#engine?.placement.abandon();
		this.#options.links.closeAll();
	}

	live(actorId: string): Incarnation | undefined {
		return this.#remote.get(actorId);
	}

	liveId(name: string, key: string): string | undefined {
		return this.#remote.liveId(name, key);
	}

	gone(incarnation: Incarnation): boolean {
		const remote = incarnation as RemoteIncarnation;
		if (remote.node === undefined) {
			return false;
		}
		if (this.#remote.get(remote.actorId) === remote) {
			this.#remote.unlist(remote);
		}
		return true;
	}

	route(actorId: string, deadlineTs: number, wait: RouteWait): Promise<Route> {
		return this.#routes.route(actorId, deadlineTs, wait);
	}

	gather(actor: ActorRecord): Promise<readonly ActorSocket[]> {
		return this.#handover.gather(actor);
	}

	ended(actorId: string, generation: number, how: IncarnationEnd): void {
		this.#handover.endedHere(actorId);
		this.#interested.ended(actorId, generation, how);
		this.#sockets.actorEnded(actorId);
		if (how !== "destroyed" && generation >= 0) {
			// One that fell asleep has been released with its last commit; this is for those that did not.
			this.#release(actorId, generation);
		}
	}

	#release(actorId: string, generation: number): void {
		const releasing = this.#options.store
			.release(actorId, generation)
			.catch((error: unknown) => {
				this.#options.logger.warn(
					{ actorId, generation, err: error },
					"an actor could not be released; other nodes take it when this node's lease ends",
				);
			})
			.finally(() => {
				if (this.#releasing.get(actorId) === releasing) {
					this.#releasing.delete(actorId);
				}
				if (this.#peers.isDraining) {
					this.#tellLeft();
				}
			});
		this.#releasing.set(actorId, releasing);
	}

	/** Others start what is to run of what this node has let go of: it may be long until the last of its actors has stopped. */
	#tellLeft(): void {
		if (this.#isTellingLeft) {
			return;
		}
		this.#isTellingLeft = true;
		const { clock, lease, rows, logger } = this.#options;
		clock.after(LEFT_TOLD_MS, () => {
			this.#isTellingLeft = false;
			if (!lease.isHeld) {
				// It is gone, which tells the others the same.
				return;
			}
			rows.hint("left").catch((error: unknown) => {
				logger.debug(
					{ err: error },
					"other nodes could not be told of actors that are to run; they look when this one is gone",
				);
			});
		});
	}

	/** See `InspectedElsewhere` of the gateway. Rejects with `guard.service_unavailable`. */
	async inspectorOf(actorId: string) {
		const epoch = await this.#ownerElsewhere(actorId);
		if (epoch === undefined) {
			return undefined;
		}
		const link = await this.#options.links.to(epoch, ASK_MS).catch(() => {
			throw catalogueError("guard.service_unavailable");
		});
		const node = this.#nodes.of(link);
		return {
			request: (request: ActorRequest) => node.look(actorId, request),
			openSocket: (upgrade: ActorUpgrade, socket: PlainSocket) =>
				node.openInspector(actorId, upgrade, socket),
		};
	}

	/**
	 * Has the node that has the actor destroy it, be it live or about to be. False when no other node has it. Whoever asks looks
	 * whether it is destroyed: a node that cannot be reached may have it until its lease ends.
	 */
	async destroyElsewhere(actorId: string): Promise<boolean> {
		const { links, clock } = this.#options;
		const epoch = await this.#ownerElsewhere(actorId);
		if (epoch === undefined) {
			return false;
		}
		try {
			const link = await links.to(epoch, ASK_MS);
			await this.#nodes.of(link).stop(actorId, "destroy");
		} catch (error) {
			if (!(error instanceof LinkLost)) {
				throw error;
			}
			await new Promise<void>((resolve) => {
				clock.after(LOOK_AGAIN_MS, resolve);
			});
		}
		return true;
	}

	/** The epoch of the other node that has the actor. */
	async #ownerElsewhere(actorId: string): Promise<number | undefined> {
		const { rows, lease } = this.#options;
		const where = await rows.whereIs(actorId);
		return where.kind === "owned" && where.epoch !== lease.epoch ? where.epoch : undefined;
	}

	runElsewhere(actorIds: readonly string[]): Promise<ReadonlySet<string>> {
		const { rows, lease } = this.#options;
		return rows.ownedByOthers(actorIds, lease.epoch);
	}

	/** A runner has connected here: what other nodes have of it is over, and what older ones have, where its pool says so. */
	runnerCame(pool: RunnerPool, key: string, version: number): void {
		for (const epoch of this.#peers.epochs) {
			this.#options.links
				.to(epoch, ASK_MS)
				.then((link) => link.call({ do: "runnerMoved", pool, key, version }, { waitMs: ASK_MS }))
				.catch((error: unknown) => {
					this.#options.logger.warn(
						{ node: epoch, pool, err: error },
						"a node could not be told that a runner is here now; it notices when the runner is lost to it",
					);
				});
		}
	}

	/** What the other nodes know of their runners; one that does not answer is left out, and logged. */
	async askRunners<About extends keyof RunnerAnswers>(
		question: RunnerQuestion<About>,
	): Promise<RunnerAnswers[About][]> {
		const { links, logger } = this.#options;
		const call = { do: "askRunners", question } as LinkCall;
		const answers = await Promise.all(
			this.#peers.epochs.map(async (epoch) => {
				try {
					const link = await links.to(epoch, ASK_MS);
					return await link.call<RunnerAnswers[About][]>(call, { waitMs: ASK_MS });
				} catch (error) {
					logger.warn(
						{ node: epoch, about: question.about, err: error },
						"a node did not tell of its runners; what it has is left out",
					);
					return [];
				}
			}),
		);
		// A node of a version before this question has nothing to say.
		return answers.flatMap((answer) => answer ?? []);
	}

	// What comes over the links.

	called(link: NodeLink, call: LinkCall, signal: AbortSignal): Promise<unknown> {
		return this.#calls.serve(link, call, signal);
	}

	news(link: NodeLink, key: number, news: SocketNews): void {
		this.#sockets.heard(link, key, news);
		this.#inspectors.heard(link, key, news);
	}

	deed(link: NodeLink, key: number, deed: SocketDeed): void {
		this.#nodes.of(link).deed(key, deed);
	}

	linkOpened(link: NodeLink): void {
		this.#handover.linkOpened(link);
		void this.#tellRoomsOver(link, this.#rooms);
	}

	/** An incarnation elsewhere is gone. */
	endedElsewhere(link: NodeLink, actorId: string, generation: number, how: IncarnationEnd): void {
		const known = this.#remote.get(actorId);
		if (known !== undefined && known.generation > generation) {
			return;
		}
		if (known !== undefined) {
			this.#remote.forget(known);
		}
		this.#nodes.of(link).forget(actorId);
		this.#engine.ended(actorId, how);
		this.#handover.ended(actorId);
	}

	linkLost(link: NodeLink): void {
		if (!this.#options.links.isOpen(link.epoch)) {
			this.#pools.forget(link.epoch);
			this.#engine.heardRooms([]);
		}
		for (const remote of this.#remote.of(link)) {
			this.#remote.forget(remote);
			this.#engine.ended(remote.actorId, "lost");
		}
		for (const actorId of this.#nodes.offeredTo(link)) {
			this.#engine.ended(actorId, "lost");
		}
		this.#inspectors.linkLost(link);
		this.#nodes.drop(link);
		this.#interested.linkLost(link);
		// Only a new incarnation can go on with sockets that it cannot hear of any more.
		for (const actorId of this.#sockets.linkLost(link)) {
			void this.#engine.placement.restart(actorId).catch((error: unknown) => {
				this.#options.logger.error(
					{ actorId, err: error },
					"an actor could not be stopped that had lost the way to its clients",
				);
			});
		}
	}
}
