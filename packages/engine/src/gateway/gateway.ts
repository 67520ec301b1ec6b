/**
 * Carries calls and sockets to live actors, whatever transport they came by.
 *
 * - G1. A call is given to an incarnation at most once; the next one gets it only when the host said
 *   `ActorGone`, that is when nothing of it was run, or when what is left of it is a wait (resumable). One that
 *   lives on and declined (`ActorDeclined`) may get it again.
 * - G2. Every wait is bounded, and no caller is left without an answer.
 */
import {
	ActorDeclined,
	ActorGone,
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	type Clock,
	catalogueError,
	isInspectorPath,
	type ResumedCall,
} from "@rivetkit/protocol";
import { type ErrorAnswers, isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { Incarnation } from "../placement/incarnation.ts";
import type { Placement } from "../placement/placement.ts";
import type { AcceptedSocket } from "./accepted-socket.ts";
import type { HeldSockets } from "./held-sockets.ts";
import { callerGone } from "./inbound.ts";
import type { Inspections } from "./inspections.ts";
import { ResumedRequest } from "./resumed-request.ts";

/** An actor by id, or whatever a query resolves to at each attempt. */
export type Target = string | QueryTarget;

export interface QueryTarget {
	/** Id of the actor if it is live now. */
	live(): string | undefined;
	/** Id of the actor, looked up and made if the query says so. */
	resolve(): Promise<string>;
}

/** How often a call is offered to incarnations of its actor. */
export interface Attempts {
	readonly max: number;
	/** Pause before the second one, doubled each time (ms). */
	readonly pauseMs: number;
}

export interface GatewayOptions {
	readonly placement: Placement;
	readonly sockets: HeldSockets;
	readonly inspections: Inspections;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	readonly errors: ErrorAnswers;
	/** Default: `limits.attemptsMax`, without pauses. */
	readonly attempts?: () => Attempts | undefined;
	/** Whether actors decide what they take at which path; otherwise only what RivetKit's actors have is offered. */
	readonly takesAnySocketPath?: () => boolean;
	/** What callers of an id that is not found here are told instead; undefined for nothing else. */
	readonly absent?: (actorId: string) => Error | undefined;
}

export class Gateway {
	readonly #options: GatewayOptions;
	/** Ends each of the pauses between attempts. */
	readonly #pauses = new Set<() => void>();
	#isClosing = false;

	constructor(options: GatewayOptions) {
		this.#options = options;
	}

	/** What is to be offered again is so at once: this process is about to end. */
	stopPausing(): void {
		this.#isClosing = true;
		for (const end of [...this.#pauses]) end();
	}

	/** One HTTP call. Never rejects: errors are answers in the encoding the caller asked for. */
	request(target: Target, request: ActorRequest): Promise<ActorResponse> {
		if (isInspectorPath(request.path) && this.#options.inspections.follows(request)) {
			return this.#follow(target, request);
		}
		const actorId = typeof target === "string" ? target : target.live();
		const live = actorId === undefined ? undefined : this.#options.placement.live(actorId);
		if (live !== undefined) {
			return live.host
				.request(actorId!, request)
				.catch((error: unknown) => this.#afterFailure(target, live, request, error));
		}
		return isInspectorPath(request.path)
			? this.#inspect(target, request)
			: this.#offer(target, request, 1);
	}

	/** One accepted WebSocket. Resolves when the actor has it or it was closed. Never rejects. */
	async openSocket(target: Target, upgrade: ActorUpgrade, accepted: AcceptedSocket): Promise<void> {
		const { sockets, inspections, clock, limits, errors, takesAnySocketPath } = this.#options;
		if (!isSocketPath(upgrade.path) && !takesAnySocketPath?.()) {
			errors.closeSocket(accepted, catalogueError("route.not_found"), upgrade);
			return;
		}
		if (inspections.takes(upgrade)) {
			await this.#openInspector(target, upgrade, accepted);
			return;
		}
		const socket = sockets.accept(accepted);
		try {
			await this.#attempts(target, undefined, async (actorId, incarnation) => {
				// The wait for an incarnation has limits of its own, the same as for calls; a host that is offered sockets
				// several times ends each of the offers by itself.
				const timer =
					this.#options.attempts?.() === undefined
						? clock.after(limits.webSocketOpenTimeoutMs, () =>
								errors.closeSocket(socket, catalogueError("guard.request_timeout"), upgrade),
							)
						: undefined;
				try {
					await sockets.offer(socket, actorId, (offered) =>
						incarnation.host.openSocket(actorId, upgrade, offered),
					);
				} finally {
					timer?.stop();
				}
			});
		} catch (error) {
			errors.closeSocket(socket, error, upgrade);
		}
	}

	async #openInspector(
		target: Target,
		upgrade: ActorUpgrade,
		accepted: AcceptedSocket,
	): Promise<void> {
		const { inspections, errors } = this.#options;
		try {
			const actorId = typeof target === "string" ? target : await target.resolve();
			await inspections.openSocket(actorId, upgrade, accepted);
		} catch (error) {
			errors.closeSocket(accepted, this.#meaning(target, error), upgrade);
		}
	}

	async #afterFailure(
		target: Target,
		incarnation: Incarnation,
		request: ActorRequest,
		error: unknown,
	): Promise<ActorResponse> {
		if (!(error instanceof ActorGone)) {
			return this.#options.errors.response(error, request);
		}
		this.#gone(incarnation, error);
		if (error.resume) {
			return this.#offer(target, new ResumedRequest(request, error.resume), 1);
		}
		return isInspectorPath(request.path) && !(error instanceof ActorDeclined)
			? this.#inspect(target, request)
			: this.#offer(target, request, 2);
	}

	/** Asks the host about an actor that takes no calls now; it is woken only if the answer needs it. */
	async #inspect(target: Target, request: ActorRequest): Promise<ActorResponse> {
		try {
			const actorId = typeof target === "string" ? target : await target.resolve();
			const answer = await this.#options.inspections.answer(actorId, request);
			return answer ?? this.#offer(actorId, request, 1);
		} catch (error) {
			if (error instanceof ActorGone) {
				return this.#offer(target, request, 1);
			}
			return this.#options.errors.response(this.#meaning(target, error), IN_JSON);
		}
	}

	async #follow(target: Target, request: ActorRequest): Promise<ActorResponse> {
		try {
			const actorId = typeof target === "string" ? target : await target.resolve();
			return await this.#options.inspections.follow(actorId, request);
		} catch (error) {
			return this.#options.errors.response(this.#meaning(target, error), IN_JSON);
		}
	}

	async #offer(
		target: Target,
		request: ActorRequest,
		firstAttempt: number,
	): Promise<ActorResponse> {
		let offered = request;
		try {
			return await this.#attempts(
				target,
				request.signal,
				(actorId, incarnation, waited) => {
					if (waited && request.signal.aborted) {
						throw callerGone();
					}
					return incarnation.host.request(actorId, offered);
				},
				firstAttempt,
				(left) => {
					offered = new ResumedRequest(request, left);
				},
			);
		} catch (error) {
			return this.#options.errors.response(error, request);
		}
	}

	async #attempts<T>(
		target: Target,
		signal: AbortSignal | undefined,
		call: (actorId: string, incarnation: Incarnation, waited: boolean) => Promise<T>,
		firstAttempt = 1,
		resume: (left: ResumedCall) => void = () => {},
	): Promise<T> {
		const { placement, clock, limits } = this.#options;
		const { max, pauseMs } = this.#options.attempts?.() ?? {
			max: limits.attemptsMax,
			pauseMs: 0,
		};
		let deadlineTs = clock.now() + limits.routeTimeoutMs;
		for (let attempt = firstAttempt; attempt <= max; attempt++) {
			if (pauseMs > 0 && attempt > 1) {
				await this.#pause(pauseMs * 2 ** (attempt - 2), signal);
			}
			const actorId = typeof target === "string" ? target : await target.resolve();
			try {
				const through = typeof target === "string" ? "id" : "key";
				const live = placement.live(actorId);
				const incarnation = live ?? (await placement.ready(actorId, deadlineTs, through));
				try {
					return await call(actorId, incarnation, live === undefined);
				} catch (error) {
					if (!(error instanceof ActorGone)) {
						throw error;
					}
					this.#gone(incarnation, error);
					if (error.resume) {
						// It was taken: what comes now is a wait of its own, however often that happens.
						resume(error.resume);
						attempt = 0;
						deadlineTs = clock.now() + limits.routeTimeoutMs;
					}
				}
			} catch (error) {
				// A query that found an actor on its way out is asked again.
				const again = typeof target !== "string" && isActorNotFound(error);
				if (!again || attempt === max) {
					throw this.#meaning(target, error);
				}
			}
		}
		throw catalogueError("guard.retry_attempts_exceeded", { attempts: max });
	}

	#meaning(target: Target, error: unknown): unknown {
		const isUnknownId = typeof target === "string" && isActorNotFound(error);
		return (isUnknownId && this.#options.absent?.(target)) || error;
	}

	#gone(incarnation: Incarnation, error: ActorGone): void {
		if (error instanceof ActorDeclined) return;
		this.#options.placement.gone(incarnation);
	}

	/** Rejects when the caller goes away meanwhile. */
	#pause(pauseMs: number, signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve, reject) => {
			const end = () => {
				timer.stop();
				this.#pauses.delete(end);
				signal?.removeEventListener("abort", end);
				if (signal?.aborted) reject(callerGone());
				else resolve();
			};
			const timer = this.#options.clock.after(pauseMs, end);
			this.#pauses.add(end);
			signal?.addEventListener("abort", end);
			if (signal?.aborted || this.#isClosing) end();
		});
	}
}

/** Asks for no encoding: the inspector speaks plain JSON only. */
const IN_JSON = { headers: { get: () => null, entries: () => [] } };

const SOCKET_PATHS = ["/connect", "/inspector/connect", "/websocket"];

/** Whether an actor takes WebSockets there (protocol 3.1). */
function isSocketPath(pathAndQuery: string): boolean {
	const end = pathAndQuery.indexOf("?");
	const path = end < 0 ? pathAndQuery : pathAndQuery.slice(0, end);
	if (path.startsWith("/websocket/")) {
		return true;
	}
	return SOCKET_PATHS.includes(path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path);
}
