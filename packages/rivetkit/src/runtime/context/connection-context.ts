import type { Connection, ConnectionView } from "../connections/connection.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { ActorContext } from "./actor-context.ts";

/** The `c` of `onBeforeConnect` and `createConnState`: there is a request, but no connection yet. */
export class BeforeConnectContext extends ActorContext {
	readonly request: Request | undefined;

	constructor(instance: ActorInstance, request: Request | undefined) {
		super(instance);
		this.request = request;
	}
}

/** The `c` of `onConnect`, `onWebSocket` and the guards. */
export class ConnectionContext extends ActorContext {
	readonly request: Request | undefined;
	readonly conn: ConnectionView;

	constructor(instance: ActorInstance, connection: Connection, request: Request | undefined) {
		super(instance);
		this.conn = connection.view;
		this.request = request;
	}
}

/** The `c` of `onRequest`: its abort signal also fires when the call is over for its caller. */
export class RequestContext extends ConnectionContext {
	readonly #caller: AbortSignal;
	#signal: AbortSignal | null = null;

	/** `caller` fires when the caller goes away or has been given an answer in the handler's stead. */
	constructor(
		instance: ActorInstance,
		connection: Connection,
		request: Request,
		caller: AbortSignal,
	) {
		super(instance, connection, request);
		this.#caller = caller;
	}

	override get abortSignal(): AbortSignal {
		this.#signal ??= AbortSignal.any([this.#caller, this.instance.abortSignal]);
		return this.#signal;
	}

	protected override get queueKind(): "call" {
		return "call";
	}

	override get aborted(): boolean {
		return this.#caller.aborted || this.instance.isAborted;
	}
}
