import { catalogueError, type WireError } from "@rivetkit/protocol";
import { type ErasedAction, findAction } from "../../actor/erased.ts";
import type { Settle, SettledCall } from "../calls/call-log.ts";
import type { RunningCall } from "../calls/running-call.ts";
import type { Connection } from "../connections/connection.ts";
import { ActionContext } from "../context/action-context.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { JournalEntry } from "../instance/state-journal.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { untracked } from "../state/index.ts";
import type { ActorTelemetry } from "../telemetry/actor-telemetry.ts";
import { type Attributes, Span, type SpanParent, type Work } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import type { Wait } from "../telemetry/waits.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import { ItemStream, isAsyncIterable } from "./item-stream.ts";
import { validateArguments } from "./validate-arguments.ts";

/** What is different about a call that no client waits for. */
export interface ScheduledBy {
	/** Goes behind the arguments; null for nothing. */
	readonly info: object | null;
	/** Of its span. */
	readonly attributes: Attributes;
	/** The form in which a failure is reported. */
	describe(error: unknown): WireError;
}

/** What the attributes of a call's span take, about. */
const ATTRIBUTES_BYTES = 160;

/**
 * One run of one action: lookup, argument validation, the handler with its time limit and abort signal,
 * `onBeforeActionResponse`. Settles exactly once, synchronously when the handler does not wait. A scheduled
 * one has no response, and is counted as work by whoever runs it.
 */
export class ActionCall implements RunningCall, SettledCall {
	readonly name: string;
	readonly #instance: ActorInstance;
	readonly #args: readonly unknown[];
	readonly #settle: Settle;
	readonly #context: ActionContext;
	readonly #scheduled: ScheduledBy | null;
	#timer: WheelTimer | null = null;
	#settled = false;
	/** Waits for a `c.atomic` to end. */
	#isInLine = false;
	/** Set when the call's changes are taken back if it fails. */
	#entry: JournalEntry | null = null;
	#rollBacksBefore: number;
	/** Null when nothing is recorded, and while it is one of many that are not timed. */
	#work: Work | null = null;
	/** Null while it has not left the stack, and when nothing is recorded. */
	#left: Wait | null = null;
	readonly #connection: Connection | null;
	/** Hears of the stream that the handler returns; null for a call that wants one value. */
	readonly #onStream: ((items: ItemStream) => void) | null;
	#items: ItemStream | null = null;
	#callerLeft: { readonly reason: unknown } | null = null;

	constructor(
		instance: ActorInstance,
		connection: Connection | null,
		name: string,
		args: readonly unknown[],
		settle: Settle,
		scheduled: ScheduledBy | null = null,
		onStream: ((items: ItemStream) => void) | null = null,
	) {
		this.#instance = instance;
		this.name = name;
		this.#args = args;
		this.#settle = settle;
		this.#scheduled = scheduled;
		this.#connection = connection;
		this.#onStream = onStream;
		this.#context = new ActionContext(instance, connection);
		this.#rollBacksBefore = instance.writes.rollBackCount;
	}

	get kind(): "action" | "scheduled" {
		return this.#scheduled ? "scheduled" : "action";
	}

	get settled(): boolean {
		return this.#settled;
	}

	start(): void {
		const instance = this.#instance;
		if (!this.#scheduled) instance.work.begin("action");
		const { telemetry } = instance;
		if (telemetry && (this.#scheduled || !telemetry.skipsCall())) this.#beginWork(telemetry);
		if (instance.isFree) {
			this.#begin();
			return;
		}
		this.#isInLine = true;
		this.#leavesStack();
		instance.whenFree(() => this.#beginLater());
	}

	#beginWork(telemetry: ActorTelemetry): void {
		const connection = this.#connection;
		if (this.#scheduled) {
			this.#work = telemetry.begin(SPAN_KINDS.scheduled, this.name, null);
		} else {
			this.#work = telemetry.beginCall(this.name, this.#tracedFrom);
		}
		const span = this.#span;
		if (span === null) return;
		if (connection) {
			const { id, kind: type, isHibernatable } = connection;
			span.begin(
				{
					"rivet.conn.id": id,
					"rivet.conn.type": type,
					"rivet.conn.hibernatable": isHibernatable,
				},
				ATTRIBUTES_BYTES,
			);
		}
		if (this.#scheduled) {
			const { attributes } = this.#scheduled;
			span.begin(attributes, ATTRIBUTES_BYTES);
			span.addEvent("schedule.triggered", span.startMs, attributes);
		}
	}

	get #tracedFrom(): SpanParent {
		return this.#connection?.tracedFrom ?? null;
	}

	#beginLater(): void {
		if (this.#settled) return;
		const instance = this.#instance;
		this.#isInLine = false;
		instance.runningCalls.delete(this);
		try {
			instance.assertAcceptsWork();
		} catch (error) {
			this.#fail(error);
			return;
		}
		this.#rollBacksBefore = instance.writes.rollBackCount;
		this.#begin();
	}

	#begin(): void {
		const instance = this.#instance;
		try {
			const action = findAction(instance.config, this.name);
			if (!action) throw catalogueError("action.not_found", { name: this.name });
			if (action.inputSchema) this.#validateAndRun(action);
			else this.#run(action, this.#args);
		} catch (error) {
			this.#fail(error);
		}
	}

	/** The caller went away: the handler's signal fires, and a stream ends. */
	callerLeft(reason: unknown): void {
		this.#callerLeft = { reason };
		this.abort(reason);
		this.#items?.cancel(reason);
	}

	/** The caller went away, or the actor stops: the handler's signal fires. */
	abort(reason: unknown): void {
		this.#context.abortCall(reason);
	}

	/** Null when it is not recorded. */
	get #span(): Span | null {
		return this.#work instanceof Span ? this.#work : null;
	}

	/** Answers the caller without waiting for the handler any longer. */
	giveUp(error: unknown): void {
		// The handler may still be running: it must not be run again.
		this.#callerLeft = null;
		this.#context.abortCall(error);
		this.#fail(error);
	}

	#validateAndRun(action: ErasedAction): void {
		const validated = validateArguments(this.name, action, this.#args);
		if (!isPromiseLike(validated)) {
			this.#run(action, validated);
			return;
		}
		this.#wait();
		validated.then(
			(args) => {
				if (!this.#settled) this.#run(action, args);
			},
			(error) => this.#fail(error),
		);
	}

	#run(action: ErasedAction, validated: readonly unknown[]): void {
		const instance = this.#instance;
		const info = this.#scheduled?.info;
		const args = info ? [...validated, info] : validated;
		let result: unknown;
		try {
			result = this.#enter(() => this.#runHandler(action, args));
		} catch (error) {
			this.#fail(error);
			return;
		}
		if (!isPromiseLike(result)) {
			this.#returned(result);
			return;
		}
		instance.writes.saveSoon();
		this.#wait();
		try {
			result.then(
				(output) => this.#returned(output),
				(error) => this.#fail(error),
			);
		} catch (error) {
			this.#fail(error);
		}
	}

	#runHandler(action: ErasedAction, args: readonly unknown[]): unknown {
		const instance = this.#instance;
		const span = this.#span;
		const handler = () => action.handler(this.#context, ...args);
		if (span === null) return instance.runCall(this, handler);
		const { habits } = instance.telemetry!.host;
		const result = instance.runCall(this, handler, span, habits.returnsAtOnce(action));
		habits.saw(action, span.goesOn || isPromiseLike(result) || isAsyncIterable(result));
		return result;
	}

	/** Runs code of the handler on the stack of this call. */
	#enter<T>(work: () => T): T {
		const instance = this.#instance;
		this.#entry ??= instance.state.beginEntry();
		instance.inCall = true;
		try {
			return this.#entry ? this.#entry.run(work) : work();
		} finally {
			instance.inCall = false;
		}
	}

	#returned(output: unknown): void {
		if (this.#settled) return;
		try {
			if (isAsyncIterable(output)) this.#stream(output);
			else if (this.#onStream) throw catalogueError("action.not_a_stream", { name: this.name });
			else if (!this.#scheduled) this.#pass(output, (passed) => this.#succeed(passed));
			else if (!this.#failIfLost()) this.#succeed(undefined);
		} catch (error) {
			this.#fail(error);
		}
	}

	#stream(output: AsyncIterable<unknown>): void {
		const instance = this.#instance;
		this.#items = new ItemStream(
			{
				isOver: () => this.#settled,
				enter: (work) => {
					const result = this.#enter(() => instance.runCall(this, work, this.#span));
					instance.writes.saveSoon();
					return result;
				},
				whenFree: (begin) => instance.whenFree(begin),
				begin: () => this.#wait(),
				rest: () => this.#rest(),
				pass: (value, then) => this.#pass(value, then),
				keep: () => {
					this.#entry?.end();
					this.#entry = null;
					this.#rollBacksBefore = instance.writes.rollBackCount;
				},
				abort: (reason) => this.abort(reason),
				succeed: (value) => this.#succeed(value),
				fail: (error) => this.#fail(error),
				threwLate: (err) =>
					instance.log.warn({ err, action: this.name }, "a stream failed when its call was over"),
			},
			output,
		);
		if (!this.#onStream) throw catalogueError("action.is_stream", { name: this.name });
		// A stop has to reach it, also between its items.
		this.#leavesStack();
		this.#rest();
		this.#onStream(this.#items);
		if (this.#callerLeft) this.#items.cancel(this.#callerLeft.reason);
	}

	/**
	 * From here on the call goes on without the stack: it has a time limit, and a stop can reach it. While
	 * it is on the stack nothing else can end it, and most calls never leave the stack.
	 */
	#wait(): void {
		if (this.#timer) return;
		this.#leavesStack();
		const limitMs = this.#instance.options.actionTimeout;
		this.#timer = this.#instance.services.timers.schedule(limitMs, () => {
			this.#instance.log.warn(
				{ action: this.name, limitMs },
				"action timed out; its handler may still be running (options.actionTimeout)",
			);
			this.giveUp(catalogueError("action.timed_out", {}));
		});
	}

	#leavesStack(): void {
		const { runningCalls, telemetry } = this.#instance;
		runningCalls.add(this);
		if (telemetry) this.#left ??= telemetry.leavesStack(this.#work);
	}

	/** Null still when nothing is recorded. */
	#beginLateWork(): Work | null {
		const { telemetry } = this.#instance;
		this.#work ??= telemetry?.beginLate(this.name, this.#tracedFrom, this.#left) ?? null;
		return this.#work;
	}

	#rest(): void {
		this.#timer?.cancel();
		this.#timer = null;
	}

	/** What leaves for the caller passes `onBeforeActionResponse`. */
	#pass(output: unknown, then: (passed: unknown) => void): void {
		if (this.#failIfLost()) return;
		const { onBeforeActionResponse } = this.#instance.config;
		if (!onBeforeActionResponse) {
			then(output);
			return;
		}
		const keep = (error: unknown) => {
			if (this.#settled) return;
			this.#instance.log.error(
				{ err: error, action: this.name },
				"onBeforeActionResponse failed; the original output is sent",
			);
			then(output);
		};
		let replaced: unknown;
		try {
			const { contexts } = this.#instance;
			const hook = () => onBeforeActionResponse(contexts.actor, this.name, this.#args, output);
			replaced = this.#traced("onBeforeActionResponse", hook);
		} catch (error) {
			keep(error);
			return;
		}
		if (!isPromiseLike(replaced)) {
			then(replaced);
			return;
		}
		this.#wait();
		replaced.then((value) => {
			if (!this.#settled) then(value);
		}, keep);
	}

	/** Some of what was written may be lost: the call must not report success. */
	#failIfLost(): boolean {
		const rolledBack = this.#instance.writes.rolledBackSince(this.#rollBacksBefore);
		if (rolledBack) this.#fail(rolledBack.error);
		return rolledBack !== null;
	}

	/** Runs a hook below the call's span; one of a call that is left out has none either. */
	#traced<T>(name: string, hook: () => T): T {
		const span = this.#span;
		if (span === null) return hook();
		return this.#instance.telemetry!.traced(SPAN_KINDS.hook, name, hook, span);
	}

	#succeed(output: unknown): void {
		let plain: unknown;
		try {
			// Encoders do not see bytes of the state through their proxies.
			plain = untracked(output);
		} catch (error) {
			this.#fail(error);
			return;
		}
		this.#entry?.end();
		this.#context.endReceiving(true);
		this.#finish(() => this.#settle({ ok: true, output: plain, call: this }));
	}

	#fail(error: unknown): void {
		if (this.#settled) return;
		this.#beginLateWork()?.fail(error);
		this.#takeBack();
		this.#context.endReceiving(false);
		this.#finish(() =>
			this.#settle({
				ok: false,
				error:
					this.#scheduled?.describe(error) ??
					this.#instance.describeError(error, { action: this.name }),
				callerLeft: this.#callerLeft !== null,
			}),
		);
	}

	notSent(error: unknown): void {
		this.#beginLateWork()?.fail(error);
	}

	#endWork(telemetry: ActorTelemetry): void {
		const left = this.#left;
		const hasWritten = this.#instance.committer.dirty;
		if (this.#work === null && (left === null || left.isEstimated)) {
			telemetry.countUntimed(left, hasWritten);
			return;
		}
		const work = this.#beginLateWork();
		if (work === null) return;
		telemetry.endCall(work, left);
		if (hasWritten) telemetry.wrote(work);
	}

	#takeBack(): void {
		try {
			this.#entry?.undo();
		} catch (error) {
			this.#instance.log.error(
				{ err: error, action: this.name },
				"the state changes of a failed action could not be taken back",
			);
		}
	}

	#finish(settle: () => void): void {
		if (this.#settled) return;
		this.#settled = true;
		if (this.#timer || this.#isInLine || this.#items) {
			this.#timer?.cancel();
			this.#instance.runningCalls.delete(this);
		}
		this.#items?.end();
		this.#instance.database?.callEnded(this);
		// The answer is asked for before the ledger says "idle": a stop that waits for it must see it.
		settle();
		// Not before: what cannot be sent has failed.
		if (this.#instance.telemetry) this.#endWork(this.#instance.telemetry);
		if (!this.#scheduled) this.#instance.work.end("action");
		this.#instance.writes.saveSoon();
	}
}
