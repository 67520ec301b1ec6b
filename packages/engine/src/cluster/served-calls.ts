import { ActorGone, CLOSE_GOING_AWAY, type Clock } from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import { StartsElsewhere } from "../placement/elsewhere.ts";
import type { Incarnation } from "../placement/incarnation.ts";
import type { ActorRecord } from "../store/store.ts";
import type { Acquisitions } from "./acquisitions.ts";
import { answerOf, requestOf, upgradeOf } from "./forwarding.ts";
import type { InterestedLinks } from "./interested-links.ts";
import type { LinkCall, ReadyAnswer, ResponseHead } from "./link-messages.ts";
import type { LinkSocket } from "./link-socket.ts";
import type { LinkSockets } from "./link-sockets.ts";
import type { LocalEngine } from "./local-engine.ts";
import type { NodeLease } from "./node-lease.ts";
import type { NodeLink, Streamed } from "./node-link.ts";
import type { Peers } from "./peers.ts";
import type { PoolsOfNodes } from "./pools-of-nodes.ts";
import type { SocketHandover } from "./socket-handover.ts";

export interface ServedCallsOptions {
	readonly clock: Clock;
	readonly lease: NodeLease;
	readonly engine: () => LocalEngine;
	readonly peers: Peers;
	readonly pools: PoolsOfNodes;
	readonly acquisitions: Acquisitions;
	readonly interested: InterestedLinks;
	readonly handover: SocketHandover;
	/** Sockets of other nodes' clients that actors here have. */
	readonly sockets: LinkSockets;
	/** Sockets of other nodes' clients that look at actors here. */
	readonly inspectors: LinkSockets;
	/** Nobody runs the actor any more. */
	readonly release: (actorId: string, generation: number) => void;
}

/** What other nodes ask of this one. */
export class ServedCalls {
	readonly #options: ServedCallsOptions;

	constructor(options: ServedCallsOptions) {
		this.#options = options;
	}

	async serve(link: NodeLink, call: LinkCall, signal: AbortSignal): Promise<unknown> {
		const { sockets, inspectors, handover } = this.#options;
		const engine = this.#options.engine();
		switch (call.do) {
			case "ready":
				return this.#ready(link, call);
			case "request":
				return this.#request(call, signal);
			case "openSocket": {
				const incarnation = this.#live(call.actorId, call.generation);
				return offered(sockets, link, call, (socket) =>
					incarnation.host.openSocket(call.actorId, upgradeOf(call), socket),
				);
			}
			case "inspect": {
				const answer = await engine.inspect(call.actorId, requestOf(call, signal));
				return answer === null ? null : answerOf(answer);
			}
			case "inspectSocket":
				return offered(inspectors, link, call, (socket) =>
					engine.inspectSocket(call.actorId, upgradeOf(call), socket),
				);
			case "stop":
				await engine.stop(call.actorId, call.intent);
				return null;
			case "gather":
				return handover.handOver(link, call);
			case "runnerMoved":
				engine.runnerMoved(call.pool, call.key, call.version);
				return null;
			case "rooms":
				this.#options.pools.heard(link.epoch, call.rooms);
				engine.heardRooms(call.rooms);
				return null;
			case "askRunners":
				return engine.askRunners(call.question);
			case "dropResting":
				for (const socket of engine.attachAll(call.actorId)) {
					socket.close(CLOSE_GOING_AWAY, "");
				}
				return null;
		}
	}

	async #ready(
		link: NodeLink,
		{ actorId, waitMs, isPatient = false, onlyBegins = false }: Extract<LinkCall, { do: "ready" }>,
	): Promise<ReadyAnswer> {
		const { clock, lease, peers, acquisitions, release, engine } = this.#options;
		const { placement } = engine();
		const deadlineTs = clock.now() + waitMs;
		for (;;) {
			if (!lease.isHeld) {
				return { is: "elsewhere" };
			}
			const live = placement.liveHere(actorId);
			if (live !== undefined) {
				return this.#answerReady(link, actorId, live);
			}
			if (peers.isDraining) {
				return { is: "elsewhere" };
			}
			let acquired: ActorRecord | undefined;
			try {
				if (placement.phase(actorId) === undefined) {
					acquired = await acquisitions.acquireBy(deadlineTs, actorId);
					if (acquired === undefined) {
						return { is: "elsewhere" };
					}
					if (placement.phase(actorId) === undefined) {
						const wait = { isPatient, onlyBegins };
						if ((await placement.readyHere(actorId, deadlineTs, acquired, wait)) === undefined) {
							return { is: "waiting", isCrowded: placement.isCrowdedFor(actorId) };
						}
					}
				} else if (onlyBegins && placement.phase(actorId) === "starting") {
					if (await placement.isWaitingHere(actorId, deadlineTs)) {
						return { is: "waiting", isCrowded: placement.isCrowdedFor(actorId) };
					}
				} else {
					await placement.changed(actorId, deadlineTs);
				}
			} catch (error) {
				// A start that was refused before it began has nothing to end: its alarm would find an owner for ever.
				if (acquired !== undefined && placement.phase(actorId) === undefined) {
					release(actorId, acquired.generation);
				}
				if (isActorNotFound(error) || error instanceof StartsElsewhere) {
					return { is: "elsewhere" };
				}
				throw error;
			}
		}
	}

	#answerReady(link: NodeLink, actorId: string, live: Incarnation): ReadyAnswer {
		const { interested, engine } = this.#options;
		const place = engine().placement.placeOf(actorId);
		if (place === undefined) {
			return { is: "elsewhere" };
		}
		interested.note(actorId, link);
		return { is: "live", generation: live.generation, ...place };
	}

	async #request(
		call: Extract<LinkCall, { do: "request" }>,
		signal: AbortSignal,
	): Promise<ResponseHead | Streamed> {
		const incarnation = this.#live(call.actorId, call.generation);
		const request = requestOf(call, signal);
		return answerOf(await this.#options.engine().request(call.actorId, incarnation, request));
	}

	#live(actorId: string, generation: number): Incarnation {
		const live = this.#options.engine().placement.liveHere(actorId);
		if (live === undefined || live.generation !== generation) {
			throw new ActorGone(actorId);
		}
		return live;
	}
}

/** Has a socket taken that another node offers; one that is refused is nobody's. */
async function offered(
	sockets: LinkSockets,
	link: NodeLink,
	{ actorId, socket: offer }: Extract<LinkCall, { do: "openSocket" | "inspectSocket" }>,
	take: (socket: LinkSocket) => Promise<void>,
): Promise<null> {
	const socket = sockets.accept(link, actorId, offer);
	try {
		await take(socket);
	} catch (error) {
		sockets.forget(link, offer.key);
		throw error;
	}
	return null;
}
