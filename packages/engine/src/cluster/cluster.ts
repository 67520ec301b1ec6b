import {
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	CLOSE_GOING_AWAY,
	catalogueError,
	type PlainSocket,
	type Random,
	type RequestBody,
} from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLogger } from "../common/logger.ts";
import { Deferred } from "../placement/deferred.ts";
import type { ActorKind, Elsewhere, Route } from "../placement/elsewhere.ts";
import type { Incarnation, IncarnationEnd } from "../placement/incarnation.ts";
import type { Placement } from "../placement/placement.ts";
import {
	type NodeRow,
	type NodeRows,
	poolTag,
	type Whereabouts,
} from "../store/postgres/node-rows.ts";
import type { PostgresStore } from "../store/postgres/postgres-store.ts";
import { type ActorRecord, StaleGenerationError } from "../store/store.ts";
import type { ClusterClock } from "./cluster-clock.ts";
import type { ClusterCounters } from "./cluster-counters.ts";
import {
	type LinkCall,
	LinkLost,
	type ReadyAnswer,
	type ResponseHead,
	type RunnerPool,
	type SocketNews,
	type SocketOffer,
} from "./link-messages.ts";
import { LinkSockets } from "./link-sockets.ts";
import type { Links } from "./links.ts";
import type { NodeLease } from "./node-lease.ts";
import type { NodeLink, Streamed } from "./node-link.ts";
import { type LinkLimits, RemoteNode } from "./remote-node.ts";

/** Pause before an actor is looked for again whose node is dead or cannot be reached (ms). */
const LOOK_AGAIN_MS = 100;
/** How long the sockets of an actor are waited for that another node holds (ms). */
const GATHER_MS = 3_000;
/** How long what an incarnation sent at its end may take to get here before its sockets are the next one's (ms). */
const LAST_WORDS_MS = 500;
/** A node that runs no more than this many actors above the least loaded one keeps what it is asked for. */
const LOAD_SLACK = 8;
const LOAD_SLACK_PART = 0.1;

export interface ClusterOptions {
	readonly store: PostgresStore;
	readonly rows: NodeRows;
	readonly lease: NodeLease;
	readonly links: Links;
	readonly clock: ClusterClock;
	readonly random: Random;
	readonly logger: EngineLogger;
	readonly limits: LinkLimits;
	readonly counters: ClusterCounters;
}

/** What the cluster needs of this node's engine. */
export interface LocalEngine {
	readonly placement: Placement;
	/** Sockets of this node's clients that wait for the actor's next incarnation. */
	attachAll(actorId: string): readonly ActorSocket[];
	/** An incarnation elsewhere is gone. */
	ended(actorId: string, how: IncarnationEnd): void;
	/** A request to an actor that lives here, from another node. */
	request(actorId: string, incarnation: Incarnation, request: ActorRequest): Promise<ActorResponse>;
	/** Whether it can run such actors now. */
	hosts(actor: ActorKind): boolean;
	/** Looks at an actor that is here, or nowhere; null when it has to be woken for the answer. */
	inspect(actorId: string, request: ActorRequest): Promise<ActorResponse | null>;
	inspectSocket(actorId: string, upgrade: ActorUpgrade, socket: PlainSocket): Promise<void>;
	/** A runner that was here has come to another node. */
	runnerMoved(pool: RunnerPool, key: string): void;
}

interface RemoteIncarnation extends Incarnation {
	readonly node: RemoteNode;
	readonly actorId: string;
	readonly liveKey: string;
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
	/** Incarnations of other nodes that calls were given to. */
	readonly #remote = new Map<string, RemoteIncarnation>();
	readonly #remoteIds = new Map<string, string>();
	readonly #nodes = new Map<NodeLink, RemoteNode>();
	/** Links whose nodes are to be told when an actor's incarnation here ends. */
	readonly #interested = new Map<string, Set<NodeLink>>();
	readonly #sockets = new LinkSockets();
	/** Sockets of other nodes' clients that look at actors here. */
	readonly #inspectors = new LinkSockets();
	/** Other nodes, as of the last renewal; `assigned` is what they were given since. */
	#peers: (NodeRow & { assigned: number })[] = [];
	/** Who waits for the end of an actor's incarnation before its sockets are handed over. */
	readonly #ends = new Map<string, Deferred<void>>();
	readonly #acquiring = new Map<string, Promise<ActorRecord | undefined>>();
	/** Nodes that could not be asked for an actor's sockets, by actors that run here. */
	readonly #missed = new Map<string, Set<number>>();
	/** Actors that this node has taken since the last renewal, perhaps not running yet. */
	#assignedHere = 0;
	#isDraining = false;

	constructor(options: ClusterOptions) {
		this.#options = options;
	}

	attach(engine: LocalEngine): void {
		this.#engine = engine;
	}

	get isServing(): boolean {
		return this.#options.lease.isHeld;
	}

	serving(deadlineTs: number): Promise<void> {
		const { lease, clock } = this.#options;
		return lease.held(deadlineTs - clock.now(), () => catalogueError("guard.service_unavailable"));
	}

	takesNext(actor: ActorKind): boolean {
		if (this.#isDraining || !this.#engine.hosts(actor)) {
			return false;
		}
		const least = Math.min(...this.#candidates(actor).map(loadOf));
		const isNext =
			this.#engine.placement.liveCount + this.#assignedHere <=
			least + Math.max(LOAD_SLACK, least * LOAD_SLACK_PART);
		if (isNext) {
			this.#assignedHere++;
		}
		return isNext;
	}

	/** Other nodes take what this one is asked for, from now on. */
	async drain(): Promise<void> {
		this.#isDraining = true;
		await this.#options.lease.drain();
	}

	/** Whether no other node lives. */
	get isAlone(): boolean {
		return this.#peers.length === 0;
	}

	/** Who else lives. */
	know(nodes: readonly NodeRow[]): void {
		this.#peers = nodes.map((node) => ({ ...node, assigned: 0 }));
		this.#assignedHere = 0;
		const living = new Set(nodes.map(({ epoch }) => epoch));
		for (const [actorId, epochs] of this.#missed) {
			const left = [...epochs].filter((epoch) => living.has(epoch));
			if (left.length === 0) {
				this.#missed.delete(actorId);
			} else {
				this.#missed.set(actorId, new Set(left));
			}
		}
		this.#options.links.know(nodes);
	}

	/** How many of the nodes that live this one has a link to. */
	get links(): { readonly open: number; readonly missing: number } {
		const open = this.#peers.filter(({ epoch }) => this.#options.links.isOpen(epoch)).length;
		return { open, missing: this.#peers.length - open };
	}

	/** Nodes that live, this one included. */
	get nodes(): { readonly serving: number; readonly draining: number } {
		const others = this.#peers.filter(({ isDraining }) => isDraining).length;
		const draining = others + (this.#isDraining ? 1 : 0);
		return { serving: this.#peers.length + 1 - draining, draining };
	}

	get isDraining(): boolean {
		return this.#isDraining;
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
		return this.#remoteIds.get(liveKeyOf(name, key));
	}

	gone(incarnation: Incarnation): boolean {
		const remote = incarnation as RemoteIncarnation;
		if (remote.node === undefined) {
			return false;
		}
		// Its node tells when it is over; until then its sockets are its own.
		if (this.#remote.get(remote.actorId) === remote) {
			this.#unlist(remote);
		}
		return true;
	}

	async route(actorId: string, deadlineTs: number): Promise<Route> {
		const { rows, clock, lease } = this.#options;
		const unreachable = new Set<number>();
		for (;;) {
			await this.serving(deadlineTs);
			const where = await this.#within(deadlineTs, rows.whereIs(actorId), actorId);
			if (where.kind === "unknown") {
				throw catalogueError("actor.not_found", { identifier: actorId });
			}
			if (this.#isDraining && this.#candidates().length === 0) {
				throw catalogueError("guard.service_unavailable");
			}
			const target = this.#targetOf(where, lease.epoch, unreachable);
			if (target === "here") {
				if (this.#engine.placement.phase(actorId) !== undefined) {
					// Another node has asked for it meanwhile: to acquire it again would end what began.
					return { kind: "here", acquired: undefined };
				}
				const acquired = await this.#acquireBy(deadlineTs, actorId);
				if (acquired !== undefined) {
					this.#options.counters.takeOvers += where.kind === "free" && where.isLeft ? 1 : 0;
					return { kind: "here", acquired };
				}
			} else if (target !== undefined) {
				const incarnation = await this.#readyAt(target, actorId, deadlineTs);
				if (incarnation !== undefined) {
					return { kind: "remote", incarnation };
				}
				unreachable.add(target);
			}
			if (clock.now() + LOOK_AGAIN_MS >= deadlineTs) {
				throw catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			}
			await new Promise<void>((resolve) => {
				clock.after(LOOK_AGAIN_MS, resolve);
			});
		}
	}

	async gather({ actorId, generation }: ActorRecord): Promise<readonly ActorSocket[]> {
		const { logger } = this.#options;
		const gathered = await Promise.all(
			this.#peers.map(async ({ epoch }) => {
				try {
					return await this.#gatherFrom(epoch, actorId, generation);
				} catch (error) {
					this.#missed.set(actorId, (this.#missed.get(actorId) ?? new Set()).add(epoch));
					logger.warn(
						{ actorId, node: epoch, err: error },
						"a node did not tell which sockets it holds for an actor; they are taken for lost",
					);
					return [];
				}
			}),
		);
		return gathered.flat();
	}

	async #gatherFrom(
		epoch: number,
		actorId: string,
		generation: number,
	): Promise<readonly ActorSocket[]> {
		const link = await this.#options.links.to(epoch, GATHER_MS);
		const offers = await link.call<SocketOffer[]>(
			{ do: "gather", actorId, generation },
			{
				waitMs: GATHER_MS,
				late: () => new Error(`no answer within ${GATHER_MS} ms`),
				onLate: (late) => this.#refuse(link, actorId, late),
			},
		);
		this.#noteInterest(actorId, link);
		return offers.map((offer) => this.#sockets.accept(link, actorId, offer));
	}

	/** The actor has gone on without these: their clients are to know, and come again. */
	#refuse(link: NodeLink, actorId: string, offers: readonly SocketOffer[]): void {
		this.#missed.get(actorId)?.delete(link.epoch);
		for (const { key } of offers) {
			link.deed(key, { do: "close", code: CLOSE_GOING_AWAY, reason: "" });
			link.deed(key, { do: "release" });
		}
	}

	/** See `InspectedElsewhere` of the gateway. Rejects with `guard.service_unavailable`. */
	async inspectorOf(actorId: string) {
		const { rows, lease, links } = this.#options;
		const where = await rows.whereIs(actorId);
		if (where.kind !== "owned" || where.epoch === lease.epoch) {
			return undefined;
		}
		const link = await links.to(where.epoch, GATHER_MS).catch(() => {
			throw catalogueError("guard.service_unavailable");
		});
		const node = this.#nodeOf(link);
		return {
			request: (request: ActorRequest) => node.look(actorId, request),
			openSocket: (upgrade: ActorUpgrade, socket: PlainSocket) =>
				node.openInspector(actorId, upgrade, socket),
		};
	}

	runElsewhere(actorIds: readonly string[]): Promise<ReadonlySet<string>> {
		const { rows, lease } = this.#options;
		return rows.ownedByOthers(actorIds, lease.epoch);
	}

	/** A runner has connected here: what other nodes have of it is over. */
	runnerCame(pool: RunnerPool, key: string): void {
		for (const { epoch } of this.#peers) {
			this.#options.links
				.to(epoch, GATHER_MS)
				.then((link) => link.call({ do: "runnerMoved", pool, key }, { waitMs: GATHER_MS }))
				.catch((error: unknown) => {
					this.#options.logger.warn(
						{ node: epoch, pool, err: error },
						"a node could not be told that a runner is here now; it notices when the runner is lost to it",
					);
				});
		}
	}

	/** Actors here have gone on without the sockets of a node that could not be asked, and can be now. */
	linkOpened(link: NodeLink): void {
		for (const [actorId, epochs] of this.#missed) {
			if (epochs.delete(link.epoch)) {
				this.#dropResting(link, actorId);
			}
		}
	}

	#dropResting(link: NodeLink, actorId: string): void {
		link.call({ do: "dropResting", actorId }, { waitMs: GATHER_MS }).catch((error: unknown) => {
			this.#options.logger.warn(
				{ actorId, node: link.epoch, err: error },
				"clients of an actor that were lost could not be told",
			);
		});
	}

	ended(actorId: string, generation: number, how: IncarnationEnd): void {
		this.#ends.get(actorId)?.resolve();
		this.#missed.delete(actorId);
		const links = this.#interested.get(actorId);
		this.#interested.delete(actorId);
		for (const link of links ?? []) {
			link.ended(actorId, generation, how);
		}
		this.#sockets.actorEnded(actorId);
		if (how !== "destroyed" && generation >= 0) {
			// One that fell asleep has been released with its last commit; this is for those that did not.
			this.#release(actorId, generation);
		}
	}

	#release(actorId: string, generation: number): void {
		this.#options.store.release(actorId, generation).catch((error: unknown) => {
			this.#options.logger.warn(
				{ actorId, generation, err: error },
				"an actor could not be released; other nodes take it when this node's lease ends",
			);
		});
	}

	// What other nodes ask for.

	async called(link: NodeLink, call: LinkCall, signal: AbortSignal): Promise<unknown> {
		switch (call.do) {
			case "ready":
				return this.#ready(link, call);
			case "request":
				return this.#request(call, signal);
			case "openSocket": {
				const incarnation = this.#live(call.actorId, call.generation);
				const { actorId, path, protocols } = call;
				const socket = this.#sockets.accept(link, actorId, call.socket);
				const upgrade = { path, protocols, headers: headersView(call.headers) };
				await incarnation.host.openSocket(actorId, upgrade, socket);
				return null;
			}
			case "inspect": {
				const answer = await this.#engine.inspect(call.actorId, requestOf(call, signal));
				return answer === null ? null : answerOf(answer);
			}
			case "inspectSocket": {
				const { actorId, path, protocols } = call;
				const socket = this.#inspectors.accept(link, actorId, call.socket);
				const upgrade = { path, protocols, headers: headersView(call.headers) };
				await this.#engine.inspectSocket(actorId, upgrade, socket);
				return null;
			}
			case "stop":
				await this.#engine.placement.stop(call.actorId, call.intent);
				return null;
			case "gather":
				return this.#handOver(link, call);
			case "runnerMoved":
				this.#engine.runnerMoved(call.pool, call.key);
				return null;
			case "dropResting":
				for (const socket of this.#engine.attachAll(call.actorId)) {
					socket.close(CLOSE_GOING_AWAY, "");
				}
				return null;
		}
	}

	news(link: NodeLink, key: number, news: SocketNews): void {
		this.#sockets.heard(link, key, news);
		this.#inspectors.heard(link, key, news);
	}

	deed(link: NodeLink, key: number, deed: Parameters<RemoteNode["deed"]>[1]): void {
		this.#nodeOf(link).deed(key, deed);
	}

	/** An incarnation elsewhere is gone. */
	endedElsewhere(link: NodeLink, actorId: string, generation: number, how: IncarnationEnd): void {
		const known = this.#remote.get(actorId);
		if (known !== undefined && known.generation > generation) {
			return;
		}
		if (known !== undefined) {
			this.#forget(known);
		}
		this.#nodeOf(link).forget(actorId);
		this.#engine.ended(actorId, how);
		this.#ends.get(actorId)?.resolve();
	}

	linkLost(link: NodeLink): void {
		for (const remote of [...this.#remote.values()]) {
			if (remote.node.link === link) {
				this.#forget(remote);
				this.#engine.ended(remote.actorId, "lost");
			}
		}
		for (const actorId of this.#nodes.get(link)?.offeredActors ?? []) {
			this.#engine.ended(actorId, "lost");
		}
		this.#inspectors.linkLost(link);
		this.#nodes.get(link)?.close();
		this.#nodes.delete(link);
		for (const links of this.#interested.values()) {
			links.delete(link);
		}
		// Only a new incarnation can go on with sockets that it cannot hear of any more.
		for (const actorId of this.#sockets.linkLost(link)) {
			void this.#engine.placement.stop(actorId, "sleep").catch((error: unknown) => {
				this.#options.logger.error(
					{ actorId, err: error },
					"an actor could not be stopped that had lost the way to its clients",
				);
			});
		}
	}

	#candidates(actor?: ActorKind): (NodeRow & { assigned: number })[] {
		const linked = this.#peers.filter(
			({ epoch, isDraining }) => !isDraining && this.#options.links.isOpen(epoch),
		);
		return actor === undefined
			? linked
			: linked.filter(({ names }) => names.includes(actor.name) || names.includes(poolTag(actor)));
	}

	#targetOf(
		where: Exclude<Whereabouts, { kind: "unknown" }>,
		own: number | undefined,
		unreachable: ReadonlySet<number>,
	): number | "here" | undefined {
		if (where.kind === "free") {
			return this.#choose(where, unreachable);
		}
		if (where.epoch !== own) {
			return where.epoch;
		}
		// Nobody else gets it from a node that lives.
		return this.#isDraining ? undefined : "here";
	}

	/** Least loaded first; undefined when nobody runs such actors. */
	#choose(actor: ActorKind, unreachable: ReadonlySet<number>): number | "here" | undefined {
		const others = this.#candidates(actor)
			.filter(({ epoch }) => !unreachable.has(epoch))
			.sort((a, b) => loadOf(a) - loadOf(b));
		const [least] = others;
		const isHere = this.#engine.hosts(actor) && !this.#isDraining;
		if (least === undefined) {
			return isHere ? "here" : undefined;
		}
		if (isHere && this.takesNext(actor)) {
			return "here";
		}
		least.assigned++;
		return least.epoch;
	}

	/** As {@link #acquire}; what comes too late is given back, unless somebody has begun to use it. */
	async #acquireBy(deadlineTs: number, actorId: string): Promise<ActorRecord | undefined> {
		const acquiring = this.#acquire(actorId);
		try {
			return await this.#within(deadlineTs, acquiring, actorId);
		} catch (error) {
			void acquiring.then(
				(late) => {
					if (late !== undefined && this.#engine.placement.phase(actorId) === undefined) {
						return this.#options.store.release(actorId, late.generation);
					}
					return undefined;
				},
				// Whoever waits for it is told.
				() => {},
			);
			throw error;
		}
	}

	/** Undefined when somebody else has it. Once for all that ask at the same time. */
	#acquire(actorId: string): Promise<ActorRecord | undefined> {
		let acquiring = this.#acquiring.get(actorId);
		if (acquiring === undefined) {
			acquiring = this.#acquireOnce(actorId).finally(() => this.#acquiring.delete(actorId));
			this.#acquiring.set(actorId, acquiring);
		}
		return acquiring;
	}

	async #acquireOnce(actorId: string): Promise<ActorRecord | undefined> {
		try {
			return await this.#options.store.acquire(actorId);
		} catch (error) {
			if (error instanceof StaleGenerationError) {
				return undefined;
			}
			throw error;
		}
	}

	/** Undefined when the node cannot be reached, or does not have it. */
	async #readyAt(
		epoch: number,
		actorId: string,
		deadlineTs: number,
	): Promise<RemoteIncarnation | undefined> {
		const { links, clock } = this.#options;
		let link: NodeLink;
		let answer: ReadyAnswer;
		const waitMs = deadlineTs - clock.now();
		try {
			link = await links.to(epoch, Math.min(waitMs, LOOK_AGAIN_MS));
			answer = await this.#nodeOf(link).ready(actorId, waitMs);
		} catch (error) {
			if (error instanceof LinkLost) {
				return undefined;
			}
			throw error;
		}
		if (answer.is === "elsewhere" || link.isLost) {
			return undefined;
		}
		const node = this.#nodeOf(link);
		const { generation, name, key } = answer;
		const incarnation: RemoteIncarnation = {
			actorId,
			node,
			generation,
			phase: "live",
			liveKey: liveKeyOf(name, key),
			host: hostOf(node, generation),
		};
		this.#remote.set(actorId, incarnation);
		this.#remoteIds.set(incarnation.liveKey, actorId);
		return incarnation;
	}

	async #ready(
		link: NodeLink,
		{ actorId, waitMs }: Extract<LinkCall, { do: "ready" }>,
	): Promise<ReadyAnswer> {
		const { placement } = this.#engine;
		const deadlineTs = this.#options.clock.now() + waitMs;
		for (;;) {
			if (!this.isServing) {
				return { is: "elsewhere" };
			}
			const live = placement.liveHere(actorId);
			if (live !== undefined) {
				return this.#answerReady(link, actorId, live);
			}
			if (this.#isDraining) {
				return { is: "elsewhere" };
			}
			let acquired: ActorRecord | undefined;
			try {
				if (placement.phase(actorId) === undefined) {
					acquired = await this.#acquireBy(deadlineTs, actorId);
					if (acquired === undefined) {
						return { is: "elsewhere" };
					}
					if (placement.phase(actorId) === undefined) {
						await placement.readyHere(actorId, deadlineTs, acquired);
					}
				} else {
					await placement.changed(actorId, deadlineTs);
				}
			} catch (error) {
				// A start that was refused before it began has nothing to end: its alarm would find an owner for ever.
				if (acquired !== undefined && placement.phase(actorId) === undefined) {
					this.#release(actorId, acquired.generation);
				}
				if (isActorNotFound(error)) {
					return { is: "elsewhere" };
				}
				throw error;
			}
		}
	}

	async #answerReady(link: NodeLink, actorId: string, live: Incarnation): Promise<ReadyAnswer> {
		const place = this.#engine.placement.placeOf(actorId);
		if (place === undefined) {
			return { is: "elsewhere" };
		}
		this.#noteInterest(actorId, link);
		return { is: "live", generation: live.generation, ...place };
	}

	#live(actorId: string, generation: number): Incarnation {
		const live = this.#engine.placement.liveHere(actorId);
		if (live === undefined || live.generation !== generation) {
			throw new ActorGone(actorId);
		}
		return live;
	}

	async #request(
		call: Extract<LinkCall, { do: "request" }>,
		signal: AbortSignal,
	): Promise<ResponseHead | Streamed> {
		const incarnation = this.#live(call.actorId, call.generation);
		const request = requestOf(call, signal);
		return answerOf(await this.#engine.request(call.actorId, incarnation, request));
	}

	#noteInterest(actorId: string, link: NodeLink): void {
		const links = this.#interested.get(actorId) ?? new Set();
		this.#interested.set(actorId, links.add(link));
	}

	#nodeOf(link: NodeLink): RemoteNode {
		let node = this.#nodes.get(link);
		if (node === undefined) {
			const { clock, limits } = this.#options;
			node = new RemoteNode({ link, clock, limits });
			this.#nodes.set(link, node);
		}
		return node;
	}

	#forget(incarnation: RemoteIncarnation): void {
		this.#unlist(incarnation);
		incarnation.node.forget(incarnation.actorId);
	}

	#unlist({ actorId, liveKey }: RemoteIncarnation): void {
		this.#remote.delete(actorId);
		this.#remoteIds.delete(liveKey);
	}

	/** The sockets of this node's clients that the actor's next incarnation, over there, goes on with. */
	async #handOver(
		link: NodeLink,
		{ actorId, generation }: Extract<LinkCall, { do: "gather" }>,
	): Promise<SocketOffer[]> {
		if (this.#hasSocketsOf(actorId)) {
			// The incarnation before may be through, and its last words on their way.
			const over = new Deferred<void>();
			this.#ends.set(actorId, over);
			await over
				.within(this.#options.clock, LAST_WORDS_MS, () => new Error("late"))
				.catch(() => {});
			this.#ends.delete(actorId);
		}
		const known = this.#remote.get(actorId);
		if (known !== undefined && known.generation < generation) {
			this.#unlist(known);
		}
		for (const node of this.#nodes.values()) {
			node.forget(actorId);
		}
		this.#engine.ended(actorId, "lost");
		const node = this.#nodeOf(link);
		return this.#engine.attachAll(actorId).map((socket) => node.offer(actorId, socket));
	}

	#hasSocketsOf(actorId: string): boolean {
		return (
			this.#engine.placement.phase(actorId) !== undefined ||
			[...this.#nodes.values()].some((node) => node.hasSocketsOf(actorId))
		);
	}

	/** What PostgreSQL does not answer while it is away. */
	#within<T>(deadlineTs: number, promise: Promise<T>, actorId: string): Promise<T> {
		const { clock } = this.#options;
		return new Promise<T>((resolve, reject) => {
			const timer = clock.after(deadlineTs - clock.now(), () =>
				reject(catalogueError("guard.actor_ready_timeout", { actor_id: actorId })),
			);
			promise.then(resolve, reject).finally(() => timer.stop());
		});
	}
}

function loadOf({
	actors,
	assigned,
}: {
	readonly actors: number;
	readonly assigned: number;
}): number {
	return actors + assigned;
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

function requestOf(
	{ method, path, headers, body, peerAddress }: Extract<LinkCall, { do: "request" | "inspect" }>,
	signal: AbortSignal,
): ActorRequest {
	return {
		method,
		path,
		headers: headersView(headers),
		body: bodyOf(body),
		signal,
		...(peerAddress === null ? undefined : { peerAddress }),
	};
}

function answerOf(response: ActorResponse): ResponseHead | Streamed {
	const { status, headers, body } = response;
	const head = { status, statusText: response.statusText ?? null, headers };
	return body instanceof ReadableStream
		? { head: { ...head, body: null, isStream: true }, stream: body }
		: { ...head, body, isStream: false };
}

function headersView(entries: readonly (readonly [name: string, value: string])[]) {
	return {
		get: (name: string) => {
			const values = entries.filter(([other]) => other === name).map(([, value]) => value);
			return values.length === 0 ? null : values.join(", ");
		},
		entries: () => entries.map(([name, value]): [string, string] => [name, value]),
	};
}

function bodyOf(bytes: Uint8Array): RequestBody {
	return {
		bytes: async (limitBytes) => {
			if (bytes.byteLength > limitBytes) {
				throw catalogueError("message.incoming_too_long", { limit: limitBytes } as never);
			}
			return bytes;
		},
		stream: () => (bytes.byteLength === 0 ? null : new Response(bytes as BodyInit).body),
	};
}
