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
	type InspectedActor,
	type InspectionTarget,
	isInspectorPath,
	type PlainSocket,
	type StartAgain,
	type StopIntent,
} from "@rivetkit/protocol";
import type { LifecycleChange } from "@rivetkit/protocol/inspector/answers";
import type { ErasedActorConfig } from "../../actor/erased.ts";
import { outsideSections } from "../atomic/section.ts";
import { outsideCalls, runInSpan } from "../calls/call-scope.ts";
import { outsideBranches } from "../durable/current-branch.ts";
import { outsideSteps } from "../durable/step-work.ts";
import type { Caller, ReadActorToken } from "../inspector/access.ts";
import type { InspectionConfig } from "../inspector/inspection-config.ts";
import { Inspector } from "../inspector/inspector.ts";
import { ActorInstance, type InstanceHost } from "../instance/instance.ts";
import { isStarting, type LifecycleEvent } from "../lifecycle/lifecycle.ts";
import { type StartFailure, startInstance } from "../lifecycle/start.ts";
import { stopInstance } from "../lifecycle/stop.ts";
import { routeRequest } from "../router/actor-router.ts";
import { routeSocket } from "../router/socket-router.ts";
import type { HostTelemetry } from "../telemetry/host-telemetry.ts";
import { Span, type Work } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import type { HostServices } from "./services.ts";

/** The actors that live in this process, by id. */
export class RuntimeHost implements ActorHost, InstanceHost {
	readonly #services: HostServices;
	readonly #definitions: ReadonlyMap<string, ErasedActorConfig>;
	readonly #live = new Map<string, ActorInstance>();
	readonly #stopping = new Map<string, Promise<void>>();
	/** Actors that are not started yet: what is stored of them is changed before. */
	readonly #repaired = new Map<string, { isStopped: boolean }>();
	readonly #inspector: Inspector;
	#events: HostEvents | null = null;

	constructor(services: HostServices, definitions: ReadonlyMap<string, ErasedActorConfig>) {
		this.#services = services;
		this.#definitions = definitions;
		this.#inspector = new Inspector(services.inspection ?? NOT_INSPECTED, services, {
			instance: (actorId) => this.#live.get(actorId),
			definition: (name) => definitions.get(name),
		});
	}

	/** Whom to tell when an incarnation ends; set once, before the first start. */
	attach(events: HostEvents): void {
		this.#events = events;
	}

	/** Ids of the actors that are live now. */
	get liveActorIds(): string[] {
		return [...this.#live.keys()];
	}

	/** What is recorded of the actors; null for nothing. */
	get telemetry(): HostTelemetry | null {
		return this.#services.telemetry ?? null;
	}

	/** The live actors, for who counts them. */
	get liveInstances(): Iterable<ActorInstance> {
		return this.#live.values();
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
		for (const { committer, isReady, work, durable } of this.#live.values()) {
			if (committer.isCommitting) return "committing";
			if (!isReady || work.inProgress > 0 || work.sender > 0 || durable?.isBusy)
				activity = "working";
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

	start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): undefined | Promise<void> {
		const { actorId } = assignment;
		if (this.#live.has(actorId)) {
			return Promise.reject(new Error(`Actor ${actorId} is already live on this host`));
		}
		const config = this.#definitions.get(assignment.name);
		if (!config) {
			return Promise.reject(
				catalogueError("request.invalid", {
					detail: `no actor is registered under the name '${assignment.name}'`,
				}),
			);
		}
		const repairs = this.#inspector.repairsOf(actorId);
		if (repairs) return this.#startRepaired(repairs, assignment, sockets);
		const instance = new ActorInstance(this.#services, this, config, assignment);
		this.#live.set(actorId, instance);
		this.#inspector.note(instance, "starting");
		const { telemetry } = instance;
		telemetry?.host.lookForExporter?.();
		const work = telemetry?.begin(SPAN_KINDS.start, null, null) ?? null;
		const begin = () => startInstance(instance, sockets);
		const started = asHost(() => (work instanceof Span ? runInSpan(work, begin) : begin()));
		return started instanceof Promise
			? started.then((failure) => this.#started(instance, work, failure))
			: this.#started(instance, work, started);
	}

	/** With what an inspector has changed in its stored data: it belongs to this start already, and to nobody else. */
	async #startRepaired(
		repairs: (assignment: ActorAssignment) => Promise<void>,
		assignment: ActorAssignment,
		sockets: readonly ActorSocket[],
	): Promise<void> {
		const { actorId } = assignment;
		const repaired = { isStopped: false };
		this.#repaired.set(actorId, repaired);
		try {
			await repairs(assignment);
		} finally {
			this.#repaired.delete(actorId);
		}
		if (repaired.isStopped) throw catalogueError("actor.stopping", { actorId });
		await this.start(assignment, sockets);
	}

	#started(
		instance: ActorInstance,
		work: Work | null,
		failure: StartFailure | null,
	): undefined | Promise<never> {
		if (work) instance.telemetry!.end(work, failure ? { thrown: failure.error } : undefined);
		if (failure !== null) return this.#startFailed(instance, failure);
		this.#inspector.note(instance, "ready");
		return undefined;
	}

	async #startFailed(
		instance: ActorInstance,
		{ error, removeActor }: StartFailure,
	): Promise<never> {
		const { actorId, assignment } = instance;
		this.#inspector.note(instance, "startFailed", textOf(error));
		if (this.#live.get(actorId) === instance) this.#live.delete(actorId);
		if (removeActor) await this.#services.backend.discard(assignment);
		throw error;
	}

	stop(actorId: string, intent: StopIntent, goesOn = false): Promise<void> {
		const repaired = this.#repaired.get(actorId);
		if (repaired) repaired.isStopped = true;
		const instance = this.#live.get(actorId);
		if (instance) {
			if (!instance.isStopping && instance.stopIntent === null) instance.goesOn = goesOn;
			instance.requestStop(intent);
			instance.dispatch("stopDue");
		}
		return this.#stopping.get(actorId) ?? Promise.resolve();
	}

	abandon(): void {
		for (const repaired of this.#repaired.values()) repaired.isStopped = true;
		for (const [actorId, instance] of [...this.#live]) {
			// The next incarnation may begin before a start is through that has to wait for something.
			if (isStarting(instance.phase)) this.#live.delete(actorId);
			instance.dispatch("fenced");
		}
	}

	// Not an async function: a layer of promises less on the way of every call.
	request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const instance = this.#live.get(actorId);
		if (!instance?.acceptsCalls) return Promise.reject(new ActorGone(actorId));
		if (isInspectorPath(request.path)) {
			return asHost(() => this.#inspector.handle(instance, request));
		}
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

	inspect(
		actor: InspectedActor,
		request: ActorRequest,
		startAgain?: StartAgain,
	): Promise<ActorResponse | null> {
		return this.#inspector.handleResting(actor, request, startAgain);
	}

	/** Who may have a whole actor: whoever may inspect it. */
	checkInspector(caller: Caller, readActorToken: ReadActorToken): Promise<void> {
		return this.#inspector.checkCaller(caller, readActorToken);
	}

	inspectSocket(
		target: InspectionTarget,
		upgrade: ActorUpgrade,
		socket: PlainSocket,
	): Promise<void> {
		return this.#inspector.openSocket(target, upgrade, socket);
	}

	follow(target: InspectionTarget, request: ActorRequest): Promise<ActorResponse> {
		return this.#inspector.follow(target, request);
	}

	beginStop(instance: ActorInstance): void {
		const { actorId } = instance;
		const stop = () => stopInstance(instance);
		const { telemetry } = instance;
		const stopped = asHost(() =>
			telemetry ? telemetry.traced(SPAN_KINDS.stop, null, stop, null) : stop(),
		);
		const done = stopped.finally(() => {
			// The next incarnation may have begun to stop before this one, fenced off, was through.
			if (this.#stopping.get(actorId) === done) this.#stopping.delete(actorId);
		});
		this.#stopping.set(actorId, done);
	}

	tellStopping(instance: ActorInstance, intent: StopIntent, cause: LifecycleEvent): void {
		this.#inspector.note(instance, "stopping", stopReason(instance, intent, cause));
		this.#events?.stopping(instance.actorId, instance.assignment.generation, intent);
	}

	tellStopped(instance: ActorInstance, intent: StopIntent): void {
		const { actorId } = instance;
		if (this.#live.get(actorId) === instance) this.#live.delete(actorId);
		const end = endOf(instance, intent);
		const { telemetry } = instance;
		if (telemetry?.metrics) telemetry.metrics.stops[end]++;
		if (end === "destroyed") telemetry?.forget();
		this.#inspector.note(instance, end);
		this.#events?.stopped(actorId, instance.assignment.generation, intent);
	}

	#ready(actorId: string): ActorInstance {
		const instance = this.#live.get(actorId);
		if (!instance?.acceptsCalls) throw new ActorGone(actorId);
		return instance;
	}
}

/** Runs what the host is asked for: it belongs to no call, no section, no step and no branch, whoever asks. */
function asHost<T>(work: () => T): T {
	return outsideSections(() => outsideCalls(() => outsideSteps(() => outsideBranches(work))));
}

const NOT_INSPECTED: InspectionConfig = { enabled: false, token: () => "", isOpen: () => false };

function stopReason({ options }: ActorInstance, intent: StopIntent, cause: LifecycleEvent): string {
	if (intent === "destroy") return "it is destroyed";
	if (cause !== "idle") return "it was asked to sleep";
	return `idle for ${options.sleepTimeout} ms (options.sleepTimeout)`;
}

function endOf(
	{ phase }: ActorInstance,
	intent: StopIntent,
): Extract<LifecycleChange, "asleep" | "destroyed" | "lost"> {
	if (phase !== "stopped") return "lost";
	return intent === "destroy" ? "destroyed" : "asleep";
}

function textOf(error: unknown): string {
	try {
		return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
	} catch {
		return "an error that cannot be shown";
	}
}
