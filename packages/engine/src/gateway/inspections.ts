import {
	ActorDeclined,
	ActorGone,
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
	type Timer,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { Placement } from "../placement/placement.ts";
import type { Store } from "../store/store.ts";
import type { AcceptedSocket } from "./accepted-socket.ts";
import { endingWith } from "./ending-with.ts";

/** How often it is looked whether an actor that somebody follows has gone to another node (ms). */
const LOOK_MS = 1_000;

/** Actors that other nodes run, for who looks at them. */
export interface InspectedElsewhere {
	/** The other node that runs an actor; undefined when none does. Rejects when that cannot be reached. */
	inspectorOf(actorId: string): Promise<RemoteInspector | undefined>;
	/** Those of these actors that other nodes run now. */
	runElsewhere(actorIds: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface RemoteInspector {
	/** Null when the answer needs an incarnation. */
	request(request: ActorRequest): Promise<ActorResponse | null>;
	openSocket(upgrade: ActorUpgrade, socket: PlainSocket): Promise<void>;
}

export interface InspectionsOptions {
	readonly store: Store;
	readonly placement: Placement;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	/** Default: there are no other nodes. */
	readonly elsewhere?: InspectedElsewhere;
}

/** Somebody who follows an actor here. */
interface Session {
	readonly actorId: string;
	/** Lets go of it: it is to come again. */
	end(): void;
}

/** Looks at actors without waking them. */
export class Inspections {
	readonly #options: InspectionsOptions;
	readonly #sessions = new Set<Session>();
	#timer: Timer | undefined;

	constructor(options: InspectionsOptions) {
		this.#options = options;
	}

	/** Null when the answer needs an incarnation. Throws `actor.not_found`. */
	async answer(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const remote = await this.#options.elsewhere?.inspectorOf(actorId);
		return remote === undefined ? this.#answerHere(actorId, request) : remote.request(request);
	}

	/** As {@link answer} and {@link follow}, for another node: the actor is here, or nowhere. */
	async here(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const { placement } = this.#options;
		if (this.follows(request)) {
			return this.#followHere(actorId, request);
		}
		const live = placement.liveHere(actorId);
		if (live !== undefined) {
			try {
				return await live.host.request(actorId, request);
			} catch (error) {
				if (!(error instanceof ActorGone) || error instanceof ActorDeclined) {
					throw error;
				}
				placement.gone(live);
			}
		}
		return this.#answerHere(actorId, request);
	}

	async #answerHere(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const { placement, clock, limits, elsewhere } = this.#options;
		const { host } = placement;
		if (host?.inspect === undefined) {
			return null;
		}
		return host.inspect(await this.#look(actorId), request, {
			place: elsewhere === undefined ? "here" : "anywhere",
			isFailing: () => placement.isFailing(actorId),
			start: async () => {
				const deadlineTs = clock.now() + limits.routeTimeoutMs;
				await (elsewhere === undefined
					? placement.startAgain(actorId, deadlineTs)
					: placement.ready(actorId, deadlineTs, "id"));
			},
		});
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
		const remote = await this.#options.elsewhere?.inspectorOf(actorId);
		await (remote === undefined
			? this.openSocketHere(actorId, upgrade, accepted)
			: remote.openSocket(
					upgrade,
					plain(accepted, () => {}),
				));
	}

	/** As {@link openSocket}, for another node, too: the actor is here, or nowhere. */
	async openSocketHere(
		actorId: string,
		upgrade: ActorUpgrade,
		accepted: PlainSocket,
	): Promise<void> {
		const { host } = this.#options.placement;
		const closing = new AbortController();
		const session = this.#begin(actorId, () => {
			closing.abort();
			accepted.close(CLOSE_GOING_AWAY, "");
		});
		const over = () => this.#sessions.delete(session);
		try {
			const socket = plain(accepted, over);
			await host!.inspectSocket!(this.#target(actorId, closing.signal), upgrade, socket);
		} catch (error) {
			over();
			throw error;
		}
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
	async follow(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const remote = await this.#options.elsewhere?.inspectorOf(actorId);
		const answer = remote && (await remote.request(request));
		return answer ?? this.#followHere(actorId, request);
	}

	async #followHere(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const { host } = this.#options.placement;
		const closing = new AbortController();
		const session = this.#begin(actorId, () => closing.abort());
		const over = () => this.#sessions.delete(session);
		try {
			const answer = await host!.follow!(this.#target(actorId, closing.signal), request);
			if (answer.body instanceof ReadableStream && !request.signal.aborted) {
				request.signal.addEventListener("abort", over, { once: true });
				return { ...answer, body: endingWith(answer.body, over) };
			}
			over();
			return answer;
		} catch (error) {
			over();
			throw error;
		}
	}

	#begin(actorId: string, end: () => void): Session {
		const session: Session = {
			actorId,
			end: () => {
				this.#sessions.delete(session);
				end();
			},
		};
		this.#sessions.add(session);
		this.#watch();
		return session;
	}

	/** Who follows an actor here that now runs on another node would see nothing more of it. */
	#watch(): void {
		const { elsewhere, clock } = this.#options;
		if (elsewhere === undefined || this.#sessions.size === 0) {
			return;
		}
		this.#timer ??= clock.after(LOOK_MS, () => {
			const actorIds = [...new Set([...this.#sessions].map(({ actorId }) => actorId))];
			elsewhere
				.runElsewhere(actorIds)
				.then(
					(moved) => {
						for (const session of [...this.#sessions]) {
							if (moved.has(session.actorId)) {
								session.end();
							}
						}
					},
					// It is looked again.
					() => {},
				)
				.finally(() => {
					this.#timer = undefined;
					this.#watch();
				});
		});
	}

	#target(actorId: string, closing: AbortSignal): InspectionTarget {
		const { placement, clock, limits } = this.#options;
		return {
			actorId,
			look: () => this.#look(actorId),
			wake: async () => {
				await placement.ready(actorId, clock.now() + limits.routeTimeoutMs, "id");
			},
			closing,
		};
	}

	/** What looks at the actors of a host that was replaced would see no more changes: it has to come again. */
	hostReplaced(): void {
		this.closeAll();
	}

	/** Closes every socket and ends every stream. */
	closeAll(): void {
		this.#timer?.stop();
		this.#timer = undefined;
		for (const session of [...this.#sessions]) {
			session.end();
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

/** A client's socket as the host of its inspector gets it. */
function plain(accepted: PlainSocket, onClosed: () => void): PlainSocket {
	return {
		get bufferedBytes() {
			return accepted.bufferedBytes;
		},
		send: (message) => accepted.send(message),
		close: (code, reason) => {
			accepted.close(code, reason);
			// Of one that is refused nobody hears the end.
			onClosed();
		},
		listen: (handler) =>
			accepted.listen({
				onMessage: (message) => handler.onMessage(message),
				onClose: (code, reason, wasClean) => {
					onClosed();
					handler.onClose(code, reason, wasClean);
				},
			}),
	};
}
