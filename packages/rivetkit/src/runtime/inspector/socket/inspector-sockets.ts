import {
	ActorGone,
	type ActorUpgrade,
	catalogueError,
	type InspectionTarget,
	type PlainSocket,
	parseSubprotocols,
	toWireError,
} from "@rivetkit/protocol";
import {
	INSPECTOR_EXTENDED_VERSION,
	INSPECTOR_VERSION,
	type InspectorVersion,
} from "@rivetkit/protocol/inspector";
import type { Logger } from "../../../log/logger.ts";
import { outsideSections } from "../../atomic/section.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import type { TimerWheel } from "../../timers/timer-wheel.ts";
import type { ActorView } from "../view/actor-view.ts";
import { ActorWatch, type Watcher, type WatchHost } from "./actor-watch.ts";
import { EntryFollower, type FollowerHost } from "./entry-follower.ts";
import { answerRequest, RequestFailed, type RequestHost } from "./requests.ts";
import { InspectorSession } from "./session.ts";

/** Incarnations that one change is offered to. */
const ATTEMPTS_MAX = 3;

export interface SocketsHost extends FollowerHost {
	readonly log: Logger;
	exposeErrors(): boolean;
	/** Throws `inspector.unauthorized`. */
	admit(target: InspectionTarget, token: string | null): Promise<void>;
	view(target: InspectionTarget): Promise<ActorView>;
	/** The incarnation that takes calls now. */
	live(actorId: string): ActorInstance | undefined;
}

/** The inspector sockets of one host, by the actors they watch. */
export class InspectorSockets implements WatchHost {
	readonly #host: SocketsHost;
	readonly #watches = new Map<string, ActorWatch>();

	constructor(host: SocketsHost) {
		this.#host = host;
	}

	get timers(): TimerWheel {
		return this.#host.timers;
	}

	get log(): Logger {
		return this.#host.log;
	}

	view(target: InspectionTarget): Promise<ActorView> {
		return this.#host.view(target);
	}

	ended({ target }: ActorWatch): void {
		this.#watches.delete(target.actorId);
		const instance = this.#host.live(target.actorId);
		if (instance) instance.watcher = null;
	}

	/** How many actors are watched. */
	get watchedCount(): number {
		return this.#watches.size;
	}

	/** An incarnation began, or is gone. */
	changed(instance: ActorInstance): void {
		const watch = this.#watches.get(instance.actorId);
		if (!watch) return;
		this.#attach(watch, instance);
		watch.changed();
	}

	async open(target: InspectionTarget, upgrade: ActorUpgrade, socket: PlainSocket): Promise<void> {
		const session = new InspectorSession(socket, askedVersion(upgrade.path));
		const gone = new AbortController();
		try {
			const { inspectorToken } = parseSubprotocols(upgrade.protocols);
			await this.#host.admit(target, inspectorToken);
			const watch = this.#watchOf(target);
			const follower = new EntryFollower(this.#host, target.actorId, session);
			const requests = this.#requestsOf(watch, session, follower, gone.signal);
			await watch.join(session);
			// What the client has sent meanwhile is answered after Init.
			session.listen({
				answer: (request) => answerRequest(requests, request),
				closed: () => {
					watch.leave(session);
					follower.end();
					gone.abort();
				},
				describe: (error, request) => this.#describe(error, target, request),
			});
		} catch (error) {
			session.refuse(error);
		}
	}

	/** Keeps somebody else up to date, too. Rejects with `actor.not_found`. What is returned ends it. */
	async watch(target: InspectionTarget, watcher: Watcher): Promise<() => void> {
		const watch = this.#watchOf(target);
		await watch.join(watcher);
		return () => watch.leave(watcher);
	}

	#watchOf(target: InspectionTarget): ActorWatch {
		let watch = this.#watches.get(target.actorId);
		if (!watch) {
			watch = new ActorWatch(target, this);
			this.#watches.set(target.actorId, watch);
			const instance = this.#host.live(target.actorId);
			if (instance) this.#attach(watch, instance);
		}
		return watch;
	}

	#attach(watch: ActorWatch, instance: ActorInstance): void {
		instance.watcher = () => watch.changed();
	}

	#requestsOf(
		watch: ActorWatch,
		session: InspectorSession,
		follower: EntryFollower,
		signal: AbortSignal,
	): RequestHost {
		const { target } = watch;
		const view = () => this.#host.view(target);
		return {
			signal,
			follow: (options) => follower.follow(options),
			view,
			async show(read) {
				await watch.inTurn(async () => session.reply(await read(await view())));
				return null;
			},
			change: (run) => outsideSections(() => this.#change(target, run)),
		};
	}

	async #change<T>(
		target: InspectionTarget,
		run: (instance: ActorInstance) => Promise<T>,
	): Promise<T> {
		for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
			const instance = this.#host.live(target.actorId);
			if (!instance?.acceptsCalls) {
				await target.wake();
				continue;
			}
			instance.work.begin("request");
			try {
				return await run(instance);
			} catch (error) {
				if (!(error instanceof ActorGone)) throw error;
			} finally {
				instance.work.end("request");
			}
		}
		throw catalogueError("guard.retry_attempts_exceeded", { attempts: ATTEMPTS_MAX });
	}

	#describe(error: unknown, { actorId }: InspectionTarget, request: string): string {
		if (error instanceof RequestFailed) return error.message;
		const wire = toWireError(error, { expose: this.#host.exposeErrors() });
		if (wire.statusCode >= 500) {
			this.log.error({ err: error, actorId, request }, "a request of an inspector failed");
		}
		return wire.message;
	}
}

/** Ours: `?version=6`, `?version=32774`. Anything else is as if nothing was asked for. */
function askedVersion(path: string): InspectorVersion | null {
	const mark = path.indexOf("?");
	if (mark < 0) return null;
	const version = Number(new URLSearchParams(path.slice(mark)).get("version"));
	const isOfContract = Number.isInteger(version) && version >= 1 && version <= INSPECTOR_VERSION;
	const isKnown = isOfContract || version === INSPECTOR_EXTENDED_VERSION;
	return isKnown ? (version as InspectorVersion) : null;
}
