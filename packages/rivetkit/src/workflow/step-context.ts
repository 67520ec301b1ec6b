import type { Logger } from "../log/logger.ts";
import type { ActorContext } from "../runtime/context/actor-context.ts";
import type { Execution } from "./engine/execution.ts";
import type { StepAttempt } from "./engine/step-attempt.ts";
import { sendInStep } from "./operations/send.ts";

/** The `c` of one try of a step, or of one rollback handler. Of no use when that is over (workflows 1.8). */
export class StepContext {
	readonly #execution: Execution;
	readonly #attempt: StepAttempt;
	readonly #key: () => string;

	constructor(execution: Execution, attempt: StepAttempt, idempotencyKey: () => string) {
		this.#execution = execution;
		this.#attempt = attempt;
		this.#key = idempotencyKey;
	}

	/** Throws when the step is over. */
	#open(member: string): ActorContext {
		if (!this.#attempt.isOpen) throw this.#execution.host.guardError(member);
		return this.#attempt.context;
	}

	get workflowId(): string {
		return this.#execution.host.actorId;
	}

	get actorId(): string {
		return this.#execution.host.actorId;
	}

	get name(): string {
		return this.#execution.host.name;
	}

	get key(): string[] {
		return this.#execution.host.key;
	}

	get log(): Logger {
		return this.#execution.host.log;
	}

	get attempt(): number {
		return this.#attempt.number;
	}

	get idempotencyKey(): string {
		return this.#key();
	}

	get abortSignal(): AbortSignal {
		return this.#attempt.signal;
	}

	isEvicted(): boolean {
		return this.#execution.isStopped;
	}

	get state(): unknown {
		return this.#open("state").state;
	}

	set state(next: unknown) {
		this.#open("state").state = next;
	}

	get vars(): unknown {
		return this.#open("vars").vars;
	}

	get db(): unknown {
		return this.#open("db").db;
	}

	get kv(): unknown {
		return this.#open("kv").kv;
	}

	client(): unknown {
		return this.#open("client").client();
	}

	broadcast(name: string, ...args: unknown[]): void {
		this.#open("broadcast").broadcast(name, ...args);
	}

	keepAwake<T>(promise: PromiseLike<T>): Promise<T> {
		return this.#open("keepAwake").keepAwake(promise);
	}

	waitUntil(promise: PromiseLike<unknown>): void {
		this.#open("waitUntil").waitUntil(promise);
	}

	get queue(): { send(name: string, body?: unknown, options?: unknown): Promise<unknown> } {
		this.#open("queue");
		return {
			send: async (name, body, options) => {
				this.#open("queue.send");
				return sendInStep(this.#execution, this.#attempt, name, body, options);
			},
		};
	}

	/** The step is recorded, and then the actor is destroyed; nothing of the workflow comes after it. */
	destroy(): void {
		this.#open("destroy");
		const { host } = this.#execution;
		const keep = () => {
			this.#execution.stop(new Error("The workflow has destroyed its actor"));
			host.destroyWhenDurable();
		};
		this.#attempt.onRecorded({ keep });
	}
}
