import type { ActorContext } from "../../runtime/context/actor-context.ts";
import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import type { StepSubject } from "../../runtime/durable/step-spans.ts";
import type { StepWork } from "../../runtime/durable/step-work.ts";
import type { Thrown } from "../../runtime/telemetry/actor-telemetry.ts";
import type { Span } from "../../runtime/telemetry/span.ts";
import type { Entry } from "../history/entry.ts";
import type { StepLimit } from "./step-limit.ts";

export type AttemptOutcome =
	| { readonly kind: "value"; readonly value: unknown }
	| { readonly kind: "error"; readonly error: unknown }
	| { readonly kind: "timeout" }
	/** It may not go on: whatever it comes to is dropped. */
	| { readonly kind: "revoked" }
	/** What it came to is written down already. */
	| { readonly kind: "recorded"; readonly end: unknown };

/** What a try puts off until it is known what becomes of it. */
interface Effect {
	/** Done when the try is recorded. */
	readonly keep: () => void;
	/** Done when the try is for nothing. */
	readonly drop?: () => void;
	/** Throws when it cannot be kept any more. */
	readonly check?: () => void;
}

/** One try of a step, or of a rollback handler: its callback, its limits, and what it does to the queue. */
export class StepAttempt implements StepWork {
	readonly owner: object;
	readonly number: number;
	/** Milliseconds since the epoch. */
	readonly startedAt: number;
	/** The `c` of hooks as it was when the try began: of no use once the actor's stop has taken too long. */
	readonly context: ActorContext;
	isOpen = true;
	changedState = false;
	changedKv = false;
	changedDatabase = false;
	span: Span | null = null;
	/** Ids of the messages that it sends when it is recorded, and that another run of it would send once more. */
	sent: number[] | null = null;
	/** How many it has put off, by queue. */
	#sendsPutOff: Map<string, number> | null = null;
	readonly #subject: StepSubject;
	/** Which step's; null of a rollback handler's. */
	at: { readonly key: Uint8Array; readonly entry: Entry } | null = null;
	readonly #host: DurableHost;
	#effects: Effect[] | null = null;
	#controller: AbortController | null = null;
	#aborted: { readonly reason: unknown } | null = null;
	#settle: ((outcome: AttemptOutcome) => void) | null = null;

	constructor(host: DurableHost, subject: StepSubject) {
		this.#host = host;
		this.#subject = subject;
		this.owner = host.stepOwner;
		this.context = host.context;
		this.number = subject.attempt;
		this.startedAt = host.now();
	}

	get stepName(): string {
		return this.#subject.name;
	}

	/** Fires when the try times out, its branch loses, or the workflow stops. */
	get signal(): AbortSignal {
		if (!this.#controller) {
			this.#controller = new AbortController();
			if (this.#aborted) this.#controller.abort(this.#aborted.reason);
		}
		return this.#controller.signal;
	}

	/** Resolves with how the callback ended, or when it may not go on; the callback itself is not killed. */
	run(callback: () => unknown, timeoutMs: number, limit: StepLimit): Promise<AttemptOutcome> {
		return new Promise((resolve) => {
			this.#settle = resolve;
			this.#host.stepBegins(this, this.#subject);
			let result: unknown;
			try {
				result = this.#host.runStep(this, callback);
			} catch (error) {
				this.#end({ kind: "error", error }, { thrown: error });
				return;
			}
			if (!isPromiseLike(result)) {
				this.#end({ kind: "value", value: result });
				return;
			}
			if (timeoutMs > 0 && Number.isFinite(timeoutMs)) {
				this.#timeoutMs = timeoutMs;
				limit.begin(this.#host, this, timeoutMs);
			}
			result.then(
				(value) => this.#end({ kind: "value", value }),
				(error: unknown) => {
					if (this.#settle === null)
						this.#host.log.debug({ err: error }, "a step failed after its end");
					this.#end({ kind: "error", error }, { thrown: error });
				},
			);
		});
	}

	/** For {@link StepLimit}: its time is over, unless it has ended. */
	timeOut(): void {
		const reason = new Error(`The step timed out after ${this.#timeoutMs} ms`);
		this.#close(reason, { kind: "timeout" });
	}
	#timeoutMs = 0;

	onRecorded(effect: Effect): void {
		this.#effects ??= [];
		this.#effects.push(effect);
	}

	/** Sends a message when it is recorded; until then it takes room in its queue. */
	sendWhenRecorded(id: number, queue: string, send: () => void): void {
		this.sent = [...(this.sent ?? []), id];
		this.#sendsPutOff ??= new Map();
		this.#sendsPutOff.set(queue, this.sendsPutOff(queue) + 1);
		this.onRecorded({ keep: send });
	}

	/** Messages that it sends when it is recorded; null for those of all queues. */
	sendsPutOff(queue: string | null): number {
		if (this.#sendsPutOff === null) return 0;
		if (queue !== null) return this.#sendsPutOff.get(queue) ?? 0;
		let count = 0;
		for (const ofQueue of this.#sendsPutOff.values()) count += ofQueue;
		return count;
	}

	/** Throws when something that it put off cannot be done any more. */
	assertKeepable(): void {
		for (const { check } of this.#effects ?? []) check?.();
	}

	/** What it put off is done now, in the commit of its record. */
	keep(): void {
		this.isOpen = false;
		const effects = this.#effects;
		this.#effects = null;
		this.#sendsPutOff = null;
		this.#host.adoptStepChanges(this);
		if (effects) for (const { keep } of effects) keep();
	}

	/** What it put off is not done; what it has changed stays, for the next try to see. */
	drop(): void {
		this.isOpen = false;
		const effects = this.#effects;
		this.#effects = null;
		this.#sendsPutOff = null;
		this.#host.adoptStepChanges(this);
		if (effects) for (const { drop } of effects) drop?.();
	}

	/** It counts for nothing; what it has changed stays, unless the actor stops. */
	leave(): void {
		if (!this.#host.isAborted) this.drop();
	}

	/** Its signal fires; it may still come to its end. */
	abort(reason: unknown): void {
		if (this.#aborted) return;
		this.#aborted = { reason };
		// Listeners are code of the step, whoever ends it.
		this.#host.runStep(this, () => this.#controller?.abort(reason));
	}

	/** Its signal fires, and nothing of it counts from now on. */
	revoke(reason: unknown): void {
		this.#close(reason, { kind: "revoked" });
	}

	#close(reason: unknown, outcome: AttemptOutcome): void {
		if (this.#settle === null) return;
		this.isOpen = false;
		this.abort(reason);
		if (outcome.kind === "revoked") this.span?.set("rivet.workflow.revoked", true);
		this.#end(outcome, outcome.kind === "timeout" ? { thrown: reason } : undefined);
	}

	#end(outcome: AttemptOutcome, failure?: Thrown): void {
		const settle = this.#settle;
		this.#settle = null;
		if (settle) this.#host.stepEnded(this, failure);
		settle?.(outcome);
	}
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
	return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
