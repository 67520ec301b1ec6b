import {
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	CLOSE_GOING_AWAY,
	type Clock,
	catalogueError,
	type InspectedActor,
	type InspectionTarget,
	PATH_INSPECTOR_CONNECT,
	PATH_INSPECTOR_STREAM,
	type PlainSocket,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { Placement } from "../placement/placement.ts";
import type { Store } from "../store/store.ts";
import type { AcceptedSocket } from "./accepted-socket.ts";

export interface InspectionsOptions {
	readonly store: Store;
	readonly placement: Placement;
	readonly clock: Clock;
	readonly limits: EngineLimits;
}

/** Looks at actors without waking them. */
export class Inspections {
	readonly #options: InspectionsOptions;
	readonly #sockets = new Set<AcceptedSocket>();
	#closing = new AbortController();

	constructor(options: InspectionsOptions) {
		this.#options = options;
	}

	/** Null when the answer needs an incarnation. Throws `actor.not_found`. */
	async answer(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const { host } = this.#options.placement;
		if (host?.inspect === undefined) {
			return null;
		}
		return host.inspect(await this.#look(actorId), request);
	}

	/** Whether an upgrade is an inspector's, and the host takes it whatever its actor does. */
	takes(upgrade: ActorUpgrade): boolean {
		const path = upgrade.path.replace(/\/?(?:\?.*)?$/, "");
		return (
			path === PATH_INSPECTOR_CONNECT && this.#options.placement.host?.inspectSocket !== undefined
		);
	}

	/** For what {@link takes} accepts. Resolves when the host has it, or it was closed. */
	async openSocket(
		actorId: string,
		upgrade: ActorUpgrade,
		accepted: AcceptedSocket,
	): Promise<void> {
		const { placement } = this.#options;
		this.#sockets.add(accepted);
		const socket: PlainSocket = {
			get bufferedBytes() {
				return accepted.bufferedBytes;
			},
			send: (message) => accepted.send(message),
			close: (code, reason) => accepted.close(code, reason),
			listen: (handler) =>
				accepted.listen({
					onMessage: (message) => handler.onMessage(message),
					onClose: (code, reason, wasClean) => {
						this.#sockets.delete(accepted);
						handler.onClose(code, reason, wasClean);
					},
				}),
		};
		await placement.host!.inspectSocket!(this.#target(actorId), upgrade, socket);
	}

	/** Whether a request is for the stream of an actor, and the host has one whatever the actor does. */
	follows({ method, path }: ActorRequest): boolean {
		if (!path.startsWith(PATH_INSPECTOR_STREAM) || method !== "GET") {
			return false;
		}
		const rest = path.slice(PATH_INSPECTOR_STREAM.length);
		return /^\/?(?:\?|$)/.test(rest) && this.#options.placement.host?.follow !== undefined;
	}

	/** For what {@link follows} accepts. */
	follow(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		return this.#options.placement.host!.follow!(this.#target(actorId), request);
	}

	#target(actorId: string): InspectionTarget {
		const { placement, clock, limits } = this.#options;
		return {
			actorId,
			look: () => this.#look(actorId),
			wake: async () => {
				await placement.ready(actorId, clock.now() + limits.routeTimeoutMs, "id");
			},
			closing: this.#closing.signal,
		};
	}

	/** What looks at the actors of a host that was replaced would see no more changes: it has to come again. */
	hostReplaced(): void {
		this.closeAll();
		this.#closing = new AbortController();
	}

	/** Closes every socket and ends every stream. */
	closeAll(): void {
		this.#closing.abort();
		for (const socket of [...this.#sockets]) {
			socket.close(CLOSE_GOING_AWAY, "");
		}
	}

	async #look(actorId: string): Promise<InspectedActor> {
		const { store, placement } = this.#options;
		const record = await store.actorById(actorId);
		if (record === undefined || record.destroyTs !== null) {
			throw catalogueError("actor.not_found", { identifier: actorId });
		}
		const phase = placement.phase(actorId);
		return {
			assignment: placement.assignmentOf(record),
			placement: phase === undefined || phase === "gone" ? "resting" : phase,
			startTs: record.startTs,
			sleepTs: record.sleepTs,
			retryTs: placement.retryTs(actorId),
		};
	}
}
