import {
	ActorGone,
	type ActorRequest,
	type ActorResponse,
	type Clock,
	INSPECTOR_TOKEN_KEY,
	type InspectedActor,
	PATH_INSPECTOR,
	toWireError,
} from "@rivetkit/protocol";
import type { ErasedActorConfig } from "../../actor/erased.ts";
import type { ActorBackend, Incarnation } from "../../backends/backend.ts";
import type { Logger } from "../../log/logger.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { isStarting } from "../lifecycle/lifecycle.ts";
import { NOT_FOUND } from "../router/error-response.ts";
import { InspectorAccess } from "./access.ts";
import { answer, CallFailed, errorAnswer } from "./http/answers.ts";
import { InspectorCall } from "./http/call.ts";
import { type MatchedRoute, matchRoute } from "./http/routes.ts";
import type { InspectionConfig } from "./inspection-config.ts";
import { invalid } from "./invalid.ts";
import type { LifecycleLog } from "./lifecycle-log.ts";
import type { ActorView } from "./view/actor-view.ts";
import { LiveView } from "./view/live-view.ts";
import { StoredView } from "./view/stored-view.ts";

export interface InspectorServices {
	readonly backend: ActorBackend;
	readonly clock: Clock;
	readonly log: Logger;
	exposeErrors(): boolean;
}

interface ParsedRequest extends MatchedRoute {
	readonly query: URLSearchParams;
}

const UTF8 = new TextDecoder();

/**
 * The inspector of one host's actors over HTTP (contract: protocol 7). Looking at an actor is no work of
 * it: it neither wakes it nor keeps it awake. Changing it needs it awake, as any other call does.
 */
export class Inspector {
	readonly #config: InspectionConfig;
	readonly #services: InspectorServices;
	readonly #lifecycle: LifecycleLog;
	readonly #access: InspectorAccess;

	constructor(config: InspectionConfig, services: InspectorServices, lifecycle: LifecycleLog) {
		this.#config = config;
		this.#services = services;
		this.#lifecycle = lifecycle;
		this.#access = new InspectorAccess(config, services.log);
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
			return errorAnswer(instance.describeError(error, { path: request.path }));
		}
	}

	/**
	 * One request about an actor that takes no calls now; null when it needs an incarnation.
	 *
	 * @param instance - what there is of it, if it is on its way in or out
	 */
	async handleResting(
		actor: InspectedActor,
		config: ErasedActorConfig | undefined,
		instance: ActorInstance | undefined,
		request: ActorRequest,
	): Promise<ActorResponse | null> {
		try {
			const parsed = await this.#admit(actor.assignment, request);
			if (!parsed) return NOT_FOUND;
			const { name } = actor.assignment;
			if (!config) throw invalid(`no actor is registered under the name '${name}'`);
			if (parsed.route.kind === "change" || parsed.query.get("wake") === "true") return null;
			const view =
				instance && !isStarting(instance.phase)
					? new LiveView(instance, this.#lifecycle)
					: await StoredView.read({ ...this.#services, log: this.#lifecycle }, config, actor);
			return await this.#read(view, parsed.route.run, call(request, parsed));
		} catch (error) {
			const { exposeErrors, log } = this.#services;
			const wire = toWireError(error, { expose: exposeErrors() });
			const { actorId } = actor.assignment;
			if (wire.statusCode >= 500) log.error({ err: error, actorId }, "inspecting an actor failed");
			return errorAnswer(wire);
		}
	}

	/** The route, for whoever may use it; null when there is none. Throws `inspector.unauthorized`. */
	async #admit(actor: Incarnation, request: ActorRequest): Promise<ParsedRequest | null> {
		if (!this.#config.enabled) return null;
		await this.#access.checkRequest(request, () => this.#actorToken(actor));
		const { path } = request;
		const mark = path.indexOf("?");
		const pathname = path.slice(PATH_INSPECTOR.length, mark < 0 ? path.length : mark);
		const matched = matchRoute(request.method, pathname);
		return matched && { ...matched, query: new URLSearchParams(mark < 0 ? "" : path.slice(mark)) };
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
		return answer(await run(view, call), call.wantsCbor);
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
			return answer(await run(instance, call), call.wantsCbor);
		} finally {
			instance.work.end("request");
		}
	}
}

function call(request: ActorRequest, { parameters, query }: ParsedRequest): InspectorCall {
	return new InspectorCall(request, parameters.map(decoded), query);
}

function decoded(segment: string): string {
	try {
		return decodeURIComponent(segment);
	} catch {
		throw invalid(`bad percent-encoding in path: ${segment}`);
	}
}
