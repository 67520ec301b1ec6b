import { catalogueError } from "@rivetkit/protocol";
import type { ActorCron, ActorSchedule } from "../../actor/schedule.types.ts";
import type { Logger } from "../../log/logger.ts";
import type { ConnectionView } from "../connections/connection.ts";
import type { InProcessClient } from "../host/services.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { ContextQueue } from "../queue/context-queue.ts";
import { LATER_FEATURES } from "./later-features.ts";

/**
 * The `c` that user code sees (contract: api 5.1). One per instance serves the hooks; calls, connection
 * hooks and raw handlers get a subclass of their own. It holds nothing but a reference to the instance.
 */
export class ActorContext {
	protected readonly instance: ActorInstance;
	#queue: ContextQueue | null = null;

	constructor(instance: ActorInstance) {
		this.instance = instance;
	}

	get actorId(): string {
		return this.instance.actorId;
	}

	get name(): string {
		return this.instance.name;
	}

	get key(): string[] {
		return [...this.instance.key];
	}

	get region(): string {
		return this.instance.assignment.region;
	}

	get log(): Logger {
		return this.instance.log;
	}

	get state(): unknown {
		return this.instance.userState();
	}

	/** Replaces the root; the same as one change of everything. */
	set state(next: unknown) {
		this.instance.replaceState(next);
	}

	get vars(): unknown {
		return this.instance.userVars();
	}

	get conns(): Map<string, ConnectionView> {
		return this.instance.connections.views;
	}

	get kv(): object {
		this.instance.assertAllowed("kv");
		return LATER_FEATURES.kv;
	}

	get db(): object {
		this.instance.assertAllowed("db");
		if (!this.instance.config.db) throw catalogueError("database.not_enabled", {});
		return LATER_FEATURES.db;
	}

	get queue(): ContextQueue {
		this.#queue ??= new ContextQueue(this.instance, this.queueKind);
		return this.#queue;
	}

	/** Whether what is received through this context is decided upon when the context ends. */
	protected get queueKind(): "call" | "shared" {
		return "shared";
	}

	/** The call of this context is over. */
	endReceiving(succeeded: boolean): void {
		this.#queue?.end(succeeded);
	}

	get schedule(): ActorSchedule {
		this.instance.assertAllowed("schedule");
		return this.instance.schedules.calls;
	}

	get cron(): ActorCron {
		this.instance.assertAllowed("schedule");
		return this.instance.schedules.cron;
	}

	get abortSignal(): AbortSignal {
		return this.instance.abortSignal;
	}

	get aborted(): boolean {
		return this.instance.isAborted;
	}

	broadcast(name: string, ...args: unknown[]): void {
		this.instance.assertAllowed("broadcast");
		this.instance.events.broadcast(name, args);
	}

	client(): InProcessClient {
		return this.instance.client();
	}

	saveState(options: { immediate?: boolean; maxWait?: number } = {}): Promise<void> {
		this.instance.assertAllowed("saveState");
		return this.instance.saveState(options);
	}

	waitUntil(promise: PromiseLike<unknown>): void {
		this.instance.assertAllowed("waitUntil");
		this.instance.waitUntil(promise);
	}

	keepAwake<T>(promise: PromiseLike<T>): Promise<T> {
		this.instance.assertAllowed("keepAwake");
		return this.instance.keepAwake(promise);
	}

	atomic(): never {
		throw catalogueError("feature.not_implemented", { feature: "c.atomic" });
	}

	sleep(): void {
		this.instance.requestStop("sleep");
	}

	destroy(): void {
		this.instance.requestStop("destroy");
	}
}
