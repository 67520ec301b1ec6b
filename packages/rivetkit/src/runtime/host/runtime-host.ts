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
import { outsideSections } from "../atomic/section.ts";
import { outsideCalls } from "../database/call-scope.ts";
import { ActorInstance, type InstanceHost } from "../instance/instance.ts";
import { startInstance } from "../lifecycle/start.ts";
import { stopInstance } from "../lifecycle/stop.ts";
import { routeRequest } from "../router/actor-router.ts";
import { routeSocket } from "../router/socket-router.ts";
import type { HostServices } from "./services.ts";

/** The actors that live in this process, by id. */
export class RuntimeHost implements ActorHost, InstanceHost {
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

	/** Why a live actor does not sleep now, in words; null for one that is not live. */
	awakeBecause(actorId: string): readonly string[] | null {
		return this.#live.get(actorId)?.awakeBecause() ?? null;
	}

	/** Commits what the live actors have written. Resolves when all of it is durable or has failed. */
	async flush(): Promise<void> {
		const pending = [...this.#live.values()].filter(({ committer }) => committer.pending);
		await Promise.allSettled(pending.map(({ committer }) => committer.flush()));
	}

	/**
	 * Whether something happens by itself now: `committing` goes on without further ado, what is `working`
	 * (calls, starts, stops) may be waiting for anything.
	 */
	get activity(): "committing" | "working" | "quiet" {
		let activity: "working" | "quiet" = "quiet";
		for (const { committer, isReady, work } of this.#live.values()) {
			if (committer.isCommitting) return "committing";
			if (!isReady || work.inProgress > 0) activity = "working";
		}
		return activity;
	}

	/** `name/key` of the actors that still stop, or whose last writes are not durable yet. */
	get unsaved(): string[] {
		const instances = [...this.#live.values()].filter(
			({ committer, isStopping }) => isStopping || committer.pending,
		);
		return instances.map(({ name, key }) => [name, ...key].join("/"));
	}

	async start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): Promise<void> {
		const { actorId } = assignment;
		if (this.#live.has(actorId)) throw new Error(`Actor ${actorId} is already live on this host`);
		const config = this.#definitions.get(assignment.name);
		if (!config) {
			throw catalogueError("request.invalid", {
				detail: `no actor is registered under the name '${assignment.name}'`,
			});
		}
		const instance = new ActorInstance(this.#services, this, config, assignment);
		this.#live.set(actorId, instance);
		const failure = await asHost(() => startInstance(instance, sockets));
		if (failure === null) return;
		if (this.#live.get(actorId) === instance) this.#live.delete(actorId);
		if (failure.removeActor) await this.#services.backend.discard(assignment);
		throw failure.error;
	}

	stop(actorId: string, intent: StopIntent): Promise<void> {
		const instance = this.#live.get(actorId);
		if (instance) {
			instance.requestStop(intent);
			instance.dispatch("stopDue");
		}
		return this.#stopping.get(actorId) ?? Promise.resolve();
	}

	// Not an async function: a layer of promises less on the way of every call.
	request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const instance = this.#live.get(actorId);
		if (!instance?.acceptsCalls) return Promise.reject(new ActorGone(actorId));
		return asHost(() => routeRequest(instance, request));
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		const instance = this.#ready(actorId);
		instance.work.begin("request");
		try {
			await asHost(() => routeSocket(instance, upgrade, socket));
		} finally {
			instance.work.end("request");
		}
	}

	beginStop(instance: ActorInstance): void {
		const { actorId } = instance;
		const done = asHost(() => stopInstance(instance)).finally(() => {
			// The next incarnation may have begun to stop before this one, fenced off, was through.
			if (this.#stopping.get(actorId) === done) this.#stopping.delete(actorId);
		});
		this.#stopping.set(actorId, done);
	}

	tellStopping(instance: ActorInstance, intent: StopIntent): void {
		this.#events?.stopping(instance.actorId, instance.assignment.generation, intent);
	}

	tellStopped(instance: ActorInstance, intent: StopIntent): void {
		const { actorId } = instance;
		if (this.#live.get(actorId) === instance) this.#live.delete(actorId);
		this.#events?.stopped(actorId, instance.assignment.generation, intent);
	}

	#ready(actorId: string): ActorInstance {
		const instance = this.#live.get(actorId);
		if (!instance?.acceptsCalls) throw new ActorGone(actorId);
		return instance;
	}
}

/** Runs what the host is asked for: it belongs to no call and no section, whoever asks. */
function asHost<T>(work: () => T): T {
	return outsideSections(() => outsideCalls(work));
}
