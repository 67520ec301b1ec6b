import type { EventArgs, EventName, Undeclared } from "./declarations.types.ts";

/** How a connection came about (lifecycle 9.1). */
export type ConnectionKind = "http" | "websocket" | "raw-request" | "raw-websocket" | "inspector";

/** One client connection of an actor (api 5.2). */
export interface Conn<ConnParams = unknown, ConnState = unknown, Events = Undeclared> {
	/** UUID. */
	readonly id: string;
	readonly kind: ConnectionKind;
	/** What the client passed; undefined when it passed nothing. */
	readonly params: ConnParams;
	/** Live and tracked; throws `actor.conn_state_not_enabled` when the actor defines none. */
	state: ConnState;
	/** Whether the connection can outlive the instance (experimental). */
	readonly isHibernatable: boolean;
	/** Names of the events the client listens to. */
	readonly subscriptions: Set<string>;
	/**
	 * Sends an event to this connection only, whether it subscribed or not. Validated like `broadcast`.
	 * Has no effect but a warning on HTTP and raw connections.
	 */
	send<K extends EventName<Events>>(name: K, ...args: EventArgs<Events, K>): void;
	/**
	 * Closes with code 1000 and resolves when `onDisconnect` is done. With `final` the client is told not
	 * to reconnect.
	 */
	disconnect(reason?: string, options?: { final?: boolean | undefined }): Promise<void>;
}

/** Any connection, when its types do not matter. */
// biome-ignore lint/suspicious/noExplicitAny: stands for every instantiation, in both directions
export type AnyConn = Conn<any, any, any>;
