import { type ActorSocket, CLOSE_GOING_AWAY, type Clock } from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import { Deferred } from "../placement/deferred.ts";
import type { ActorRecord } from "../store/store.ts";
import type { InterestedLinks } from "./interested-links.ts";
import type { LinkCall, SocketOffer } from "./link-messages.ts";
import type { LinkSockets } from "./link-sockets.ts";
import type { Links } from "./links.ts";
import type { LocalEngine } from "./local-engine.ts";
import type { NodeLink } from "./node-link.ts";
import type { Peers } from "./peers.ts";
import type { RemoteIncarnations } from "./remote-incarnations.ts";
import type { RemoteNodes } from "./remote-nodes.ts";

/** How long the sockets of an actor are waited for that another node holds (ms). */
const GATHER_MS = 3_000;
/** How long what an incarnation sent at its end may take to get here before its sockets are the next one's (ms). */
const LAST_WORDS_MS = 500;

export interface SocketHandoverOptions {
	readonly clock: Clock;
	readonly logger: EngineLogger;
	readonly engine: () => LocalEngine;
	readonly peers: Peers;
	readonly links: Links;
	readonly interested: InterestedLinks;
	readonly sockets: LinkSockets;
	readonly remote: RemoteIncarnations;
	readonly nodes: RemoteNodes;
}

/**
 * Sockets that wait for their actor go on with its next incarnation, whichever node holds the socket and whichever has
 * the actor.
 */
export class SocketHandover {
	readonly #options: SocketHandoverOptions;
	/** Nodes that could not be asked for an actor's sockets, by actors that run here. */
	readonly #missed = new Map<string, Set<number>>();
	/** Who waits for the end of an actor's incarnation before its sockets are handed over. */
	readonly #ends = new Map<string, Deferred<void>>();

	constructor(options: SocketHandoverOptions) {
		this.#options = options;
	}

	/** The sockets that other nodes hold for an actor that begins here. */
	async gather({ actorId, generation }: ActorRecord): Promise<readonly ActorSocket[]> {
		const { peers, logger } = this.#options;
		const gathered = await Promise.all(
			peers.epochs.map(async (epoch) => {
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

	/** The sockets of this node's clients that the actor's next incarnation, over there, goes on with. */
	async handOver(
		link: NodeLink,
		{ actorId, generation }: Extract<LinkCall, { do: "gather" }>,
	): Promise<SocketOffer[]> {
		const { clock, remote, nodes, engine } = this.#options;
		if (engine().placement.phase(actorId) !== undefined || nodes.haveSocketsOf(actorId)) {
			// The incarnation before may be through, and its last words on their way.
			const over = new Deferred<void>();
			this.#ends.set(actorId, over);
			await over.within(clock, LAST_WORDS_MS, () => new Error("late")).catch(() => {});
			this.#ends.delete(actorId);
		}
		const known = remote.get(actorId);
		if (known !== undefined && known.generation < generation) {
			remote.unlist(known);
		}
		nodes.forget(actorId);
		engine().ended(actorId, "lost");
		const node = nodes.of(link);
		return engine()
			.attachAll(actorId)
			.map((socket) => node.offer(actorId, socket));
	}

	/** An incarnation is gone, here or elsewhere: nothing more comes from it. */
	ended(actorId: string): void {
		this.#ends.get(actorId)?.resolve();
	}

	/** One that this node had is gone: the next one gathers anew. */
	endedHere(actorId: string): void {
		this.ended(actorId);
		this.#missed.delete(actorId);
	}

	/** Only nodes that live can be told later. */
	know(living: ReadonlySet<number>): void {
		for (const [actorId, epochs] of this.#missed) {
			const left = [...epochs].filter((epoch) => living.has(epoch));
			if (left.length === 0) {
				this.#missed.delete(actorId);
			} else {
				this.#missed.set(actorId, new Set(left));
			}
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

	async #gatherFrom(
		epoch: number,
		actorId: string,
		generation: number,
	): Promise<readonly ActorSocket[]> {
		const { links, interested, sockets } = this.#options;
		const link = await links.to(epoch, GATHER_MS);
		const offers = await link.call<SocketOffer[]>(
			{ do: "gather", actorId, generation },
			{
				waitMs: GATHER_MS,
				late: () => new Error(`no answer within ${GATHER_MS} ms`),
				onLate: (late) => this.#refuse(link, actorId, late),
			},
		);
		interested.note(actorId, link);
		return offers.map((offer) => sockets.accept(link, actorId, offer));
	}

	/** The actor has gone on without these: their clients are to know, and come again. */
	#refuse(link: NodeLink, actorId: string, offers: readonly SocketOffer[]): void {
		this.#missed.get(actorId)?.delete(link.epoch);
		for (const { key } of offers) {
			link.deed(key, { do: "close", code: CLOSE_GOING_AWAY, reason: "" });
			link.deed(key, { do: "release" });
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
}
