import { catalogueError } from "@rivetkit/protocol";
import type { ActorKv } from "../../actor/actor-kv.ts";
import type { ActorCron, ActorSchedule } from "../../actor/schedule.types.ts";
import type { Logger } from "../../log/logger.ts";
import type { ConnectionView } from "../connections/connection.ts";
import type { InProcessClient } from "../host/services.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { ContextQueue } from "../queue/context-queue.ts";

/**
 * The `c` that user code sees (contract: api 5.1). One per instance serves the hooks; calls, connection
 * hooks and raw handlers get a subclass of their own. It holds nothing but a reference to the instance.
 */
export class ActorContext {
	protected readonly instance: ActorInstance;
	protected readonly era: number;
	#queue: ContextQueue | null = null;

	constructor(instance: ActorInstance) {
		this.instance = instance;
		this.era = instance.era;
	}

	/** What has this context has outlived the grace period of the actor's stop: it may only read. */
	get #isRevoked(): boolean {
		return this.era !== this.instance.era;
	}

	/** For all that writes. Throws `actor.stopping` when the context may only read (W-STOP-1, W-STOP-5). */
	get #writable(): ActorInstance {
		if (!this.#isRevoked) return this.instance;
		throw catalogueError("actor.stopping", { actorId: this.instance.actorId });
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

	/** For `JSON.stringify(c)`, and loggers that are given `c`. */
	toJSON(): object {
		return this.instance.toJSON();
	}

	get region(): string {
		return this.instance.assignment.region;
	}

	get log(): Logger {
		return this.instance.log;
	}

	get state(): unknown {
		const current = this.instance.userState();
		return this.#isRevoked ? this.instance.state.formerValue : current;
	}

	/** Replaces the root; the same as one change of everything. */
	set state(next: unknown) {
		this.#writable.replaceState(next);
	}

	get vars(): unknown {
		return this.instance.userVars();
	}

	get conns(): Map<string, ConnectionView> {
		return this.instance.connections.viewsOf(this.era);
	}

	get kv(): ActorKv {
		this.#writable.assertAllowed("kv");
		return this.instance.userKv;
	}

	get db(): unknown {
		if (this.instance.isWritable) this.#writable.assertAllowed("db");
		return this.instance.userDatabase();
	}

	get queue(): ContextQueue {
		this.#queue ??= new ContextQueue(this.#writable, this.queueKind);
		return this.#queue;
	}

	/** Whether what is received through this context is decided upon when the context ends. */
	protected get queueKind(): "call" | "shared" {
		return "shared";
	}

	/** The call of this context is over. */
	endReceiving(succeeded: boolean): void {
		// Nothing of what outlasted the grace period counts as done.
		this.#queue?.end(succeeded && !this.#isRevoked);
	}

	get schedule(): ActorSchedule {
		this.#writable.assertAllowed("schedule");
		return this.instance.schedules.calls;
	}

	get cron(): ActorCron {
		this.#writable.assertAllowed("schedule");
		return this.instance.schedules.cron;
	}

	/** The workflow behind `run`. Throws `workflow.not_enabled` when it is none. */
	get workflow(): object {
		const { durable } = this.instance;
		if (!durable) throw catalogueError("workflow.not_enabled", {});
		return durable.control;
	}

	get abortSignal(): AbortSignal {
		return this.instance.abortSignal;
	}

	get aborted(): boolean {
		return this.instance.isAborted;
	}

	broadcast(name: string, ...args: unknown[]): void {
		this.#writable.assertAllowed("broadcast");
		this.instance.events.broadcast(name, args);
	}

	client(): InProcessClient {
		return this.#writable.client();
	}

	saveState(options: { immediate?: boolean; maxWait?: number } = {}): Promise<void> {
		this.#writable.assertAllowed("saveState");
		return this.instance.writes.saveState(options);
	}

	waitUntil(promise: PromiseLike<unknown>): void {
		this.#writable.assertAllowed("waitUntil");
		this.instance.background.waitUntil(promise);
	}

	keepAwake<T>(promise: PromiseLike<T>): Promise<T> {
		this.#writable.assertAllowed("keepAwake");
		return this.instance.background.keepAwake(promise);
	}

	atomic<T>(work: () => T | PromiseLike<T>, options: { timeout?: number } = {}): Promise<T> {
		this.#writable.assertAllowed("atomic");
		return this.instance.atomic.run(work, options.timeout);
	}

	sleep(): void {
		this.instance.requestStop("sleep");
	}

	destroy(): void {
		this.instance.requestStop("destroy");
	}
}
