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

/** The `c` of `onConnect`, `onRequest`, `onWebSocket` and the guards. */
export class ConnectionContext extends ActorContext {
	readonly request: Request | undefined;
	readonly conn: ConnectionView;

	constructor(instance: ActorInstance, connection: Connection, request: Request | undefined) {
		super(instance);
		this.conn = connection.view;
		this.request = request;
	}
}
