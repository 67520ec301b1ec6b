import type { ActorContext, ConnContext, ConnInitContext } from "./context.types.ts";
import type { Undeclared } from "./declarations.types.ts";

/** `c` of `createState` (where `state`, `vars` and connections do not exist yet) and `onCreate`. */
export interface CreateContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `createVars`. */
export interface CreateVarsContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onMigrate`. */
export interface MigrateContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onWake`. */
export interface WakeContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `run`. */
export interface RunContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onSleep`. */
export interface SleepContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onDestroy`. */
export interface DestroyContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onStateChange`. */
export interface StateChangeContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onBeforeActionResponse`. */
export interface BeforeActionResponseContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onDisconnect`. */
export interface DisconnectContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onBeforeConnect`. */
export interface BeforeConnectContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ConnInitContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `createConnState`. */
export interface CreateConnStateContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ConnInitContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onConnect`. */
export interface ConnectContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ConnContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of actions. */
export interface ActionContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ConnContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {}

/** `c` of `onRequest`. */
export interface RequestContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ConnContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {
	/** The request, with the path behind `/request`. */
	readonly request: Request | undefined;
}

/** `c` of `onWebSocket`. */
export interface WebSocketContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ConnContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {
	/** The upgrade request; its URL has path and query of the socket. */
	readonly request: Request | undefined;
}
