import type { Connection } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { ActorContext } from "./actor-context.ts";
import { BeforeConnectContext, ConnectionContext, RequestContext } from "./connection-context.ts";

/** Makes the contexts of one instance; the one that hooks share is made on first use. */
export class ContextFactory {
	readonly #instance: ActorInstance;
	#actor: ActorContext | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	/** The per-instance context of lifecycle hooks, `run` and scheduled actions. */
	get actor(): ActorContext {
		this.#actor ??= new ActorContext(this.#instance);
		return this.#actor;
	}

	/** The hooks that come now get a context of their own. */
	renew(): void {
		this.#actor = null;
	}

	beforeConnect(request: Request | undefined): BeforeConnectContext {
		return new BeforeConnectContext(this.#instance, request);
	}

	request(connection: Connection, request: Request, caller: AbortSignal): RequestContext {
		return new RequestContext(this.#instance, connection, request, caller);
	}

	connection(connection: Connection, request: Request | undefined): ConnectionContext {
		return new ConnectionContext(this.#instance, connection, request);
	}
}
