import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	catalogueError,
	type HostEvents,
	type StopIntent,
} from "@rivetkit/protocol";
import type { ErasedActorConfig } from "../../actor/erased.ts";
import { CLOSE_NORMAL } from "../connections/close-codes.ts";
import { ActorInstance } from "../instance/instance.ts";
import { hasEnded } from "../lifecycle/lifecycle.ts";
import { startInstance } from "../lifecycle/start.ts";
import { stopInstance } from "../lifecycle/stop.ts";
import { routeRequest } from "../router/actor-router.ts";
import { routeSocket } from "../router/socket-router.ts";
import type { HostServices } from "./services.ts";

/** The actors that live in this process, by id. */
export class RuntimeHost implements ActorHost {
	readonly #services: HostServices;
	readonly #definitions: ReadonlyMap<string, ErasedActorConfig>;
	readonly #live = new Map<string, ActorInstance>();
	readonly #stopping = new Map<string, Promise<void>>();
	#events: HostEvents | null = null;

	constructor(services: HostServices, definitions: ReadonlyMap<string, ErasedActorConfig>) {
		this.#services = services;
		this.#definitions = definitions;
	}

	/** Whom to tell when an incarnation ends; set once, before the first start. */
	attach(events: HostEvents): void {
		this.#events = events;
	}

	/** Ids of the actors that are live now. */
	get liveActorIds(): string[] {
		return [...this.#live.keys()];
	}

	/** Commits what the live actors have written. Resolves when all of it is durable or has failed. */
	async flush(): Promise<void> {
		const pending = [...this.#live.values()].filter(({ committer }) => committer.pending);
		await Promise.allSettled(pending.map(({ committer }) => committer.flush()));
	}

	/** `name/key` of the actors that still stop, or whose last writes are not durable yet. */
	get unsaved(): string[] {
		const instances = [...this.#live.values()].filter(
			({ committer, isStopping }) => isStopping || committer.pending,
		);
		return instances.map(({ name, key }) => [name, ...key].join("/"));
	}

	async start(assignment: ActorAssignment): Promise<void> {
		const { actorId } = assignment;
		if (this.#live.has(actorId)) throw new Error(`Actor ${actorId} is already live on this host`);
		const config = this.#definitions.get(assignment.name);
		if (!config) {
			throw catalogueError("request.invalid", {
				detail: `no actor is registered under the name '${assignment.name}'`,
			});
		}
		const instance = new ActorInstance(this.#services, config, assignment);
		this.#live.set(actorId, instance);
		instance.onFenced = () => this.#fenced(instance);
		instance.onStopRequested = (intent) => this.#stopLater(instance, intent);
		const failure = await startInstance(instance).catch((error: unknown) => ({
			error,
			removeActor: false,
		}));
		if (failure === null) {
			if (instance.stopIntent) this.#stopLater(instance, instance.stopIntent);
			return;
		}
		if (this.#live.get(actorId) === instance) this.#live.delete(actorId);
		if (failure.removeActor) await this.#services.backend.discard(assignment);
		throw failure.error;
	}

	stop(actorId: string, intent: StopIntent): Promise<void> {
		const instance = this.#live.get(actorId);
		if (!instance) return this.#stopping.get(actorId) ?? Promise.resolve();
		const running = this.#stopping.get(actorId);
		if (running) {
			instance.requestStop(intent);
			return running;
		}
		if (!instance.isReady) {
			instance.requestStop(intent);
			return Promise.resolve();
		}
		const done = this.#stop(instance, intent);
		this.#stopping.set(actorId, done);
		return done;
	}

	// Not an async function: a layer of promises less on the way of every call.
	request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const instance = this.#live.get(actorId);
		if (!instance?.isReady) return Promise.reject(new ActorGone(actorId));
		return routeRequest(instance, request);
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		const instance = this.#ready(actorId);
		instance.work.begin("request");
		try {
			await routeSocket(instance, upgrade, socket);
		} finally {
			instance.work.end("request");
		}
	}

	#ready(actorId: string): ActorInstance {
		const instance = this.#live.get(actorId);
		if (!instance?.isReady) throw new ActorGone(actorId);
		return instance;
	}

	/** A stop the actor asked for itself begins on a later tick, so that the current call is answered. */
	#stopLater(instance: ActorInstance, intent: StopIntent): void {
		if (instance.isStopping) {
			this.#events?.stopping(instance.actorId, instance.assignment.generation, intent);
			return;
		}
		if (!instance.isReady) return;
		this.#services.turns.request({
			endOfTurn: () => {
				if (instance.isReady) void this.stop(instance.actorId, instance.stopIntent ?? intent);
			},
		});
	}

	async #stop(instance: ActorInstance, intent: StopIntent): Promise<void> {
		const { actorId } = instance;
		const { generation } = instance.assignment;
		this.#events?.stopping(actorId, generation, intent);
		let final: StopIntent = intent;
		try {
			final = await stopInstance(instance, intent);
		} catch (error) {
			instance.log.error({ err: error }, "stopping failed; the actor is as it was last committed");
			if (!hasEnded(instance.phase)) instance.end("fenced");
			final = "sleep";
		}
		this.#forget(instance, final);
	}

	#fenced(instance: ActorInstance): void {
		if (hasEnded(instance.phase)) return;
		instance.log.warn(
			{ generation: instance.assignment.generation },
			"a newer incarnation of the actor exists; this one stops without writing",
		);
		// A start or a stop in progress reports the end itself.
		const unattended = instance.isReady;
		instance.end("fenced");
		// Callers over connections get their answers first.
		this.#services.turns.request({
			endOfTurn: () => void instance.connections.closeAll(CLOSE_NORMAL, ""),
		});
		if (unattended) this.#forget(instance, "sleep");
	}

	#forget(instance: ActorInstance, intent: StopIntent): void {
		const { actorId } = instance;
		this.#stopping.delete(actorId);
		if (this.#live.get(actorId) === instance) this.#live.delete(actorId);
		this.#events?.stopped(actorId, instance.assignment.generation, intent);
	}
}
