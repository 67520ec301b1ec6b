import type { Connection, ConnectionView } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { ActorContext } from "./actor-context.ts";

/** The `c` of one action call: knows the caller, and has an abort signal of its own (W-ACT-1). */
export class ActionContext extends ActorContext {
	readonly #connection: Connection | null;
	#controller: AbortController | null = null;
	#signal: AbortSignal | null = null;
	#aborted: { readonly reason: unknown } | null = null;

	constructor(instance: ActorInstance, connection: Connection | null) {
		super(instance);
		this.#connection = connection;
	}

	/** The calling connection; undefined for scheduled actions. */
	get conn(): ConnectionView | undefined {
		return this.#connection?.viewOf(this.era);
	}

	/** Fires when the actor stops, the call times out, or its caller goes away. */
	override get abortSignal(): AbortSignal {
		if (!this.#signal) {
			this.#controller = new AbortController();
			if (this.#aborted) this.#controller.abort(this.#aborted.reason);
			// The call may be over while work it left behind goes on: that, too, ends with the actor.
			this.#signal = AbortSignal.any([this.#controller.signal, this.instance.abortSignal]);
		}
		return this.#signal;
	}

	override get aborted(): boolean {
		return this.#aborted !== null || this.instance.isAborted;
	}

	protected override get queueKind(): "call" {
		return "call";
	}

	abortCall(reason: unknown): void {
		if (this.#aborted) return;
		this.#aborted = { reason };
		this.#controller?.abort(reason);
	}
}
