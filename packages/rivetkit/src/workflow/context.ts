import type { Logger } from "../log/logger.ts";
import type { ActorContext } from "../runtime/context/actor-context.ts";
import { codeError } from "./engine/code-error.ts";
import { drawBytes, fractionOf, uuidOf } from "./engine/draws.ts";
import type { Execution } from "./engine/execution.ts";
import { insideStep } from "./engine/in-progress.ts";
import type { Scope } from "./engine/scope.ts";
import { silent } from "./engine/silent-logger.ts";
import { warnOfUnknownOptions } from "./engine/unknown-options.ts";
import { join, readJoinBranches } from "./operations/join.ts";
import { loop } from "./operations/loop.ts";
import { getVersion, removed, rollbackCheckpoint } from "./operations/markers.ts";
import { race, readRaceBranches } from "./operations/race.ts";
import { receiveBatch, receiveNext } from "./operations/receive.ts";
import { sendBetween, sendInStep } from "./operations/send.ts";
import { sleep, sleepUntil } from "./operations/sleep.ts";
import { step } from "./operations/step.ts";
import { noteStepFailure, tryBlock, tryStep } from "./operations/try.ts";

type Config = Readonly<Record<string, unknown>>;
type Callback = (...args: unknown[]) => unknown;

/** The `ctx` of a workflow, of its loops, branches and blocks (workflows 1.5). */
export class WorkflowContext {
	readonly #execution: Execution;
	readonly #scope: Scope;

	constructor(execution: Execution, scope: Scope) {
		this.#execution = execution;
		this.#scope = scope;
	}

	/** The actor's context, inside a step of this workflow; throws anywhere else (workflows 1.6). */
	#inStep(member: string): ActorContext {
		const attempt = this.#execution.currentAttempt();
		if (attempt?.isOpen) return attempt.context;
		const { host } = this.#execution;
		const error = host.guardError(member);
		Object.defineProperty(error, "hint", { value: GUARD_HINT, configurable: true });
		host.log.error({ member, hint: GUARD_HINT }, error.message);
		host.noteGuard(GUARD_KEY);
		throw codeError(error);
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
		const { host } = this.#execution;
		return this.#scope.strand.isLive || this.#execution.currentAttempt()
			? host.log
			: silent(host.log);
	}

	get abortSignal(): AbortSignal {
		const attempt = this.#execution.currentAttempt();
		if (attempt) return attempt.signal;
		return this.#scope.strand.signal(this.#execution.isStopped, this.#execution.stopReason);
	}

	isEvicted(): boolean {
		return this.#execution.isStopped;
	}

	get isReplaying(): boolean {
		return !this.#scope.strand.isLive;
	}

	// The actor's data

	get state(): unknown {
		return this.#inStep("state").state;
	}

	set state(next: unknown) {
		this.#inStep("state").state = next;
	}

	get vars(): unknown {
		return this.#inStep("vars").vars;
	}

	get db(): unknown {
		return this.#inStep("db").db;
	}

	get kv(): unknown {
		return this.#inStep("kv").kv;
	}

	client(): unknown {
		return this.#inStep("client").client();
	}

	/** Between entries: on the first passage, not on replay. */
	broadcast(name: string, ...args: unknown[]): void {
		const attempt = this.#execution.currentAttempt();
		if (attempt ? attempt.isOpen : this.#scope.strand.isLive && !this.#isStopped) {
			this.#execution.host.context.broadcast(name, ...args);
		}
	}

	get #isStopped(): boolean {
		return this.#execution.isStoppedFor(this.#scope.strand);
	}

	keepAwake<T>(promise: PromiseLike<T>): Promise<T> {
		return this.#execution.host.context.keepAwake(promise);
	}

	waitUntil(promise: PromiseLike<unknown>): void {
		this.#execution.host.context.waitUntil(promise);
	}

	// Operations

	#configOf(
		operation: "step" | "tryStep" | "try" | "loop",
		nameOrConfig: unknown,
		run: unknown,
	): { name: unknown; config: Config } {
		if (typeof nameOrConfig !== "object" || nameOrConfig === null) {
			return { name: nameOrConfig, config: { run } };
		}
		const config = nameOrConfig as Config;
		warnOfUnknownOptions(this.#execution.host, operation, config.name, config);
		return { name: config.name, config };
	}

	step(nameOrConfig: unknown, run?: unknown): Promise<unknown> {
		const { name, config } = this.#configOf("step", nameOrConfig, run);
		const ended = step(this.#execution, this.#scope, name, config).then((end) => {
			if (end.ok) return end.value;
			noteStepFailure(String(name), end);
			throw end.error;
		});
		return quiet(ended);
	}

	tryStep(nameOrConfig: unknown, run?: unknown): Promise<unknown> {
		const { name, config } = this.#configOf("tryStep", nameOrConfig, run);
		return quiet(tryStep(this.#execution, this.#scope, name, config));
	}

	try(nameOrConfig: unknown, run?: unknown): Promise<unknown> {
		const { name, config } = this.#configOf("try", nameOrConfig, run);
		const body = callbackOf(config.run, `try "${String(name)}"`);
		const ended = tryBlock(this.#execution, this.#scope, name, config, (scope) =>
			body(this.#contextOf(scope)),
		);
		return quiet(ended);
	}

	loop(nameOrConfig: unknown, run?: unknown): Promise<unknown> {
		const { name, config } = this.#configOf("loop", nameOrConfig, run);
		const body = callbackOf(config.run, `loop "${String(name)}"`);
		return loop(this.#execution, this.#scope, name, config, (scope, state) =>
			body(this.#contextOf(scope), state),
		);
	}

	sleep(name: unknown, durationMs: unknown): Promise<void> {
		return sleep(this.#execution, this.#scope, name, durationMs);
	}

	sleepUntil(name: unknown, time: unknown): Promise<void> {
		return sleepUntil(this.#execution, this.#scope, name, time);
	}

	join(name: unknown, branches: unknown): Promise<unknown> {
		return quiet(this.#join(name, branches));
	}

	async #join(name: unknown, branches: unknown): Promise<unknown> {
		const configs = readJoinBranches(name, branches).map(
			([branch, run, cancelsOthers]) =>
				[
					branch,
					{ run: (scope: Scope) => run(this.#contextOf(scope) as never), cancelsOthers },
				] as const,
		);
		return join(this.#execution, this.#scope, name, new Map(configs));
	}

	race(name: unknown, branches: unknown): Promise<unknown> {
		return quiet(this.#race(name, branches));
	}

	async #race(name: unknown, branches: unknown): Promise<unknown> {
		const configs = readRaceBranches(name, branches).map(([branch, run]) => ({
			name: branch,
			run: (scope: Scope) => run(this.#contextOf(scope) as never),
		}));
		return race(this.#execution, this.#scope, name, configs);
	}

	rollbackCheckpoint(name: unknown): Promise<void> {
		return rollbackCheckpoint(this.#execution, this.#scope, name);
	}

	removed(name: unknown, originalType: unknown): Promise<void> {
		return quiet(removed(this.#execution, this.#scope, name, originalType));
	}

	getVersion(name: unknown, latest: unknown): Promise<number> {
		return quiet(getVersion(this.#execution, this.#scope, name, latest));
	}

	get queue(): object {
		// Not kept: a context that waits for a message needs it no more.
		return {
			next: (name: unknown, options?: unknown) => {
				warnOfUnknownOptions(this.#execution.host, "queue.next", name, options);
				return receiveNext(this.#execution, this.#scope, name, options);
			},
			nextBatch: (name: unknown, options?: unknown) => {
				warnOfUnknownOptions(this.#execution.host, "queue.nextBatch", name, options);
				return receiveBatch(this.#execution, this.#scope, name, options);
			},
			send: (name: string, body?: unknown, options?: unknown) =>
				quiet(this.#send(name, body, options)),
		};
	}

	async #send(name: string, body: unknown, options: unknown): Promise<unknown> {
		const attempt = this.#execution.currentAttempt();
		if (!attempt) return sendBetween(this.#execution, this.#scope, name, body, options);
		if (!attempt.isOpen) throw this.#execution.host.guardError("queue.send");
		return sendInStep(this.#execution, attempt, name, body, options);
	}

	// Deterministic helpers

	now(): number {
		this.#assertBetween("now()");
		return this.#scope.lastTs;
	}

	random(): number {
		this.#assertBetween("random()");
		return fractionOf(drawBytes(this.#execution, this.#scope));
	}

	uuid(): string {
		this.#assertBetween("uuid()");
		return uuidOf(drawBytes(this.#execution, this.#scope));
	}

	/** A step's code does not run again on replay: what it draws would be missing there (workflows 1.5). */
	#assertBetween(member: string): void {
		const attempt = this.#execution.currentAttempt();
		if (attempt) throw insideStep(member, attempt.stepName);
	}

	#contextOf(scope: Scope): WorkflowContext {
		return new WorkflowContext(this.#execution, scope);
	}
}

/** Where published tools look for it (workflows 1.6). */
const GUARD_KEY = "__rivet_actor_workflow_guard_triggered";
const GUARD_HINT =
	"Code between entries runs again on every replay, so it may not read what changes. Read it in a step and return the value.";

/** Who forgets to wait for an operation hears of that with the next one, and not by the end of the process. */
function quiet<T>(promise: Promise<T>): Promise<T> {
	promise.catch(noop);
	return promise;
}

function noop(): void {}

function callbackOf(run: unknown, what: string): Callback {
	if (typeof run === "function") return run as Callback;
	throw codeError(new TypeError(`${what} has no function run`));
}
