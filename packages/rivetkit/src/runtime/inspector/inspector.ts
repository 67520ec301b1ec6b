import {
	type ActorAssignment,
	ActorGone,
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	type Clock,
	catalogueError,
	INSPECTOR_TOKEN_KEY,
	type InspectedActor,
	type InspectionTarget,
	loggedPath,
	PATH_INSPECTOR,
	type PlainSocket,
	type StartAgain,
	toWireError,
} from "@rivetkit/protocol";
import type { LifecycleChange } from "@rivetkit/protocol/inspector/answers";
import type { ErasedActorConfig } from "../../actor/erased.ts";
import type { ActorBackend, Incarnation } from "../../backends/backend.ts";
import type { Logger } from "../../log/logger.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isStarting } from "../lifecycle/lifecycle.ts";
import { NOT_FOUND } from "../router/error-response.ts";
import type { HostTelemetry } from "../telemetry/host-telemetry.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";
import { type Caller, InspectorAccess, type ReadActorToken } from "./access.ts";
import {
	answer,
	CallFailed,
	errorAnswer,
	ReadyAnswer,
	TextAnswer,
	textAnswer,
} from "./http/answers.ts";
import { InspectorCall } from "./http/call.ts";
import { type MatchedRoute, matchRoute } from "./http/routes.ts";
import type { InspectionConfig } from "./inspection-config.ts";
import { invalid } from "./invalid.ts";
import { LifecycleLog } from "./lifecycle-log.ts";
import { type Repair, repair } from "./repair/repairs.ts";
import { StoredRepairs } from "./repair/stored-repairs.ts";
import { InspectorSockets } from "./socket/inspector-sockets.ts";
import { InspectorStreams } from "./stream/inspector-streams.ts";
import type { ActorView } from "./view/actor-view.ts";
import { LiveView } from "./view/live-view.ts";
import { StoredView } from "./view/stored-view.ts";

export interface InspectorServices {
	readonly backend: ActorBackend;
	readonly clock: Clock;
	readonly log: Logger;
	readonly timers: TimerWheel;
	readonly telemetry?: HostTelemetry;
	exposeErrors(): boolean;
}

/** Where the inspector finds its actors. */
export interface InspectedHost {
	/** The incarnation that there is, whatever it does. */
	instance(actorId: string): ActorInstance | undefined;
	definition(name: string): ErasedActorConfig | undefined;
}

interface ParsedRequest extends MatchedRoute {
	readonly query: URLSearchParams;
}

const UTF8 = new TextDecoder();
/** Behind what kept an actor from being woken for a change. */
const NOT_REPAIRED =
	" (Nothing was changed: where several nodes share a store, an actor that does not start is not changed.)";

/**
 * The inspector of one host's actors (contract: protocol 7). Looking at an actor is no work of
 * it: it neither wakes it nor keeps it awake. Changing it needs it awake, as any other call does.
 */
export class Inspector {
	readonly #config: InspectionConfig;
	readonly #services: InspectorServices;
	readonly #host: InspectedHost;
	readonly #lifecycle = new LifecycleLog();
	readonly #repairs = new StoredRepairs();
	readonly #access: InspectorAccess;
	readonly #sockets: InspectorSockets;
	readonly #streams: InspectorStreams;

	constructor(config: InspectionConfig, services: InspectorServices, host: InspectedHost) {
		this.#config = config;
		this.#services = services;
		this.#host = host;
		this.#access = new InspectorAccess(config, services.log);
		this.#sockets = new InspectorSockets({
			timers: services.timers,
			log: services.log,
			telemetry: services.telemetry ?? null,
			exposeErrors: () => services.exposeErrors(),
			admit: (target, token) => this.#admitSocket(target, token),
			view: async (target) => this.#liveView(target.actorId) ?? this.#view(await target.look()),
			live: (actorId) => host.instance(actorId),
		});
		this.#streams = new InspectorStreams({
			timers: services.timers,
			log: services.log,
			telemetry: services.telemetry ?? null,
			watch: (target, watcher) => this.#sockets.watch(target, watcher),
		});
	}

	/** Something happened to an incarnation. */
	note(instance: ActorInstance, change: LifecycleChange, detail?: string): void {
		if (!this.#config.enabled) return;
		this.#lifecycle.record(instance.assignment, instance.now(), change, detail);
		this.#sockets.changed(instance);
		if (change === "destroyed") this.#streams.destroyed(instance.actorId);
	}

	/** The stream of one actor: server-sent events. */
	async follow(target: InspectionTarget, request: ActorRequest): Promise<ActorResponse> {
		try {
			const actor = await target.look();
			const admitted = await this.#admitTo(actor.assignment, request);
			if (!admitted) return NOT_FOUND;
			return await this.#streams.open(target, actor.assignment, request, admitted.query);
		} catch (error) {
			return this.#restingError(error, target.actorId);
		}
	}

	/** Whether somebody may see all of an actor. Throws `inspector.unauthorized`, `route.not_found` without an inspector. */
	async checkCaller(caller: Caller, readActorToken: ReadActorToken): Promise<void> {
		if (!this.#config.enabled) throw catalogueError("route.not_found");
		await this.#access.checkRequest(caller, readActorToken);
	}

	/** One socket. Never rejects: refusals close it. */
	openSocket(target: InspectionTarget, upgrade: ActorUpgrade, socket: PlainSocket): Promise<void> {
		return this.#sockets.open(target, upgrade, socket);
	}

	/** One request to an incarnation. Rejects with {@link ActorGone} when it is needed and has ended. */
	async handle(instance: ActorInstance, request: ActorRequest): Promise<ActorResponse> {
		const { assignment } = instance;
		try {
			const parsed = await this.#admit(assignment, request);
			if (!parsed) return NOT_FOUND;
			if (parsed.route.kind === "read") {
				const view = new LiveView(instance, this.#lifecycle);
				return await this.#read(view, parsed.route.run, call(request, parsed));
			}
			return await this.#change(instance, parsed.route.run, call(request, parsed));
		} catch (error) {
			if (error instanceof ActorGone) throw error;
			if (error instanceof CallFailed) return errorAnswer(error.wire);
			return errorAnswer(instance.describeError(error, { path: loggedPath(request.path) }));
		}
	}

	/** One request about an actor that takes no calls now; null when it needs an incarnation. */
	async handleResting(
		actor: InspectedActor,
		request: ActorRequest,
		startAgain?: StartAgain,
	): Promise<ActorResponse | null> {
		try {
			const parsed = await this.#admit(actor.assignment, request);
			if (!parsed) return NOT_FOUND;
			const { route } = parsed;
			if (route.kind === "change") {
				const config = this.#host.definition(actor.assignment.name);
				if (config) route.check?.(config);
				if (!config || !route.repair || !startAgain) return null;
				return await this.#repair(config, actor, route.repair, call(request, parsed), startAgain);
			}
			if (parsed.query.get("wake") === "true") return null;
			const view = this.#liveView(actor.assignment.actorId) ?? (await this.#view(actor));
			return await this.#read(view, route.run, call(request, parsed));
		} catch (error) {
			return this.#restingError(error, actor.assignment.actorId);
		}
	}

	/** What has to be done before an actor starts; null for nothing. */
	repairsOf(actorId: string): ((assignment: ActorAssignment) => Promise<void>) | null {
		return this.#repairs.take(actorId);
	}

	/** Changes what is stored of an actor whose last start failed; null when it runs, or is to be woken for the change. */
	async #repair(
		config: ErasedActorConfig,
		{ assignment: { actorId } }: InspectedActor,
		prepare: Repair,
		call: InspectorCall,
		startAgain: StartAgain,
	): Promise<ActorResponse | null> {
		if (startAgain.place === "anywhere") return this.#wakeForChange(actorId, startAgain);
		if (!startAgain.isFailing()) return null;
		const change = await prepare(config, call);
		// It may have run while the body was on its way.
		if (!startAgain.isFailing()) return null;
		const { backend, clock } = this.#services;
		const result = await this.#repairs.perform(
			actorId,
			(assignment) => repair({ config, assignment, backend, now: () => clock.now() }, change),
			() => startAgain.start(),
		);
		return result && answer(result, call.wantsCbor);
	}

	/** Who repairs here does not know whether another node starts the actor meanwhile. */
	async #wakeForChange(actorId: string, { start }: StartAgain): Promise<ActorResponse | null> {
		try {
			await start();
			return null;
		} catch (error) {
			return this.#restingError(error, actorId, NOT_REPAIRED);
		}
	}

	#restingError(error: unknown, actorId: string, remark = ""): ActorResponse {
		const { log } = this.#services;
		const wire = toWireError(error, { expose: this.#services.exposeErrors() });
		if (wire.statusCode >= 500) log.error({ err: error, actorId }, "inspecting an actor failed");
		return errorAnswer({ ...wire, message: wire.message + remark });
	}

	/** Of an incarnation that has its data; it may be on its way out. */
	#liveView(actorId: string): ActorView | null {
		const instance = this.#host.instance(actorId);
		if (!instance || isStarting(instance.phase)) return null;
		return new LiveView(instance, this.#lifecycle);
	}

	/** Of what is stored. Throws `request.invalid` for an actor that this host does not know. */
	#view(actor: InspectedActor): Promise<ActorView> {
		const { name } = actor.assignment;
		const config = this.#host.definition(name);
		if (!config) throw invalid(`no actor is registered under the name '${name}'`);
		return StoredView.read({ ...this.#services, log: this.#lifecycle }, config, actor);
	}

	async #admitSocket(target: InspectionTarget, token: string | null): Promise<void> {
		if (!this.#config.enabled) throw catalogueError("route.not_found");
		const { assignment } = await target.look();
		await this.#access.checkSocket(token, () => this.#actorToken(assignment));
	}

	/** The route, for whoever may use it; null when there is none. Throws `inspector.unauthorized`. */
	async #admit(actor: Incarnation, request: ActorRequest): Promise<ParsedRequest | null> {
		const admitted = await this.#admitTo(actor, request);
		const matched = admitted && matchRoute(request.method, admitted.pathname);
		return matched && { ...matched, query: admitted.query };
	}

	/** What is asked for, for whoever may ask; null without an inspector. */
	async #admitTo(
		actor: Incarnation,
		request: ActorRequest,
	): Promise<{ pathname: string; query: URLSearchParams } | null> {
		if (!this.#config.enabled) return null;
		await this.#access.checkRequest(request, () => this.#actorToken(actor));
		const { path } = request;
		const mark = path.indexOf("?");
		const pathname = path.slice(0, mark < 0 ? path.length : mark);
		return {
			// What is not below it is `/metrics`.
			pathname: pathname.startsWith(PATH_INSPECTOR)
				? pathname.slice(PATH_INSPECTOR.length)
				: pathname.slice(1),
			query: new URLSearchParams(mark < 0 ? "" : path.slice(mark)),
		};
	}

	async #actorToken(actor: Incarnation): Promise<string | null> {
		const [token] = await this.#services.backend.get(actor, [INSPECTOR_TOKEN_KEY]);
		return token ? UTF8.decode(token) : null;
	}

	async #read(
		view: ActorView,
		run: (view: ActorView, call: InspectorCall) => object | Promise<object>,
		call: InspectorCall,
	): Promise<ActorResponse> {
		const result = await run(view, call);
		return result instanceof TextAnswer ? textAnswer(result) : ready(result, call);
	}

	async #change(
		instance: ActorInstance,
		run: (instance: ActorInstance, call: InspectorCall) => Promise<object>,
		call: InspectorCall,
	): Promise<ActorResponse> {
		// It may have ended while the token was read.
		if (!instance.acceptsCalls) throw new ActorGone(instance.actorId);
		instance.work.begin("request");
		try {
			return ready(await run(instance, call), call);
		} finally {
			instance.work.end("request");
		}
	}
}

function call(request: ActorRequest, { parameters, query }: ParsedRequest): InspectorCall {
	return new InspectorCall(request, parameters.map(decoded), query);
}

function ready(result: object, call: InspectorCall): ActorResponse {
	return result instanceof ReadyAnswer ? result.response : answer(result, call.wantsCbor);
}

function decoded(segment: string): string {
	try {
		return decodeURIComponent(segment);
	} catch {
		throw invalid(`bad percent-encoding in path: ${segment}`);
	}
}
