import type { ActorContext, ConnContext, ConnInitContext } from "./context.types.ts";
import type { ActorDefinition, AnyActorDefinition } from "./definition.ts";
import type {
	ActionContext,
	BeforeActionResponseContext,
	BeforeConnectContext,
	ConnectContext,
	CreateConnStateContext,
	CreateContext,
	CreateVarsContext,
	DestroyContext,
	DisconnectContext,
	MigrateContext,
	RequestContext,
	RunContext,
	SleepContext,
	StateChangeContext,
	WakeContext,
	WebSocketContext,
} from "./hook-contexts.types.ts";

/** All contexts of one actor, so that a definition is taken apart in one place. */
interface Contexts<S, CP, CS, V, I, DB, E, Q> {
	actor: ActorContext<S, CP, CS, V, I, DB, E, Q>;
	conn: ConnContext<S, CP, CS, V, I, DB, E, Q>;
	connInit: ConnInitContext<S, CP, CS, V, I, DB, E, Q>;
	create: CreateContext<S, CP, CS, V, I, DB, E, Q>;
	createVars: CreateVarsContext<S, CP, CS, V, I, DB, E, Q>;
	createConnState: CreateConnStateContext<S, CP, CS, V, I, DB, E, Q>;
	migrate: MigrateContext<S, CP, CS, V, I, DB, E, Q>;
	beforeConnect: BeforeConnectContext<S, CP, CS, V, I, DB, E, Q>;
	connect: ConnectContext<S, CP, CS, V, I, DB, E, Q>;
	disconnect: DisconnectContext<S, CP, CS, V, I, DB, E, Q>;
	wake: WakeContext<S, CP, CS, V, I, DB, E, Q>;
	sleep: SleepContext<S, CP, CS, V, I, DB, E, Q>;
	destroy: DestroyContext<S, CP, CS, V, I, DB, E, Q>;
	stateChange: StateChangeContext<S, CP, CS, V, I, DB, E, Q>;
	beforeActionResponse: BeforeActionResponseContext<S, CP, CS, V, I, DB, E, Q>;
	action: ActionContext<S, CP, CS, V, I, DB, E, Q>;
	run: RunContext<S, CP, CS, V, I, DB, E, Q>;
	request: RequestContext<S, CP, CS, V, I, DB, E, Q>;
	webSocket: WebSocketContext<S, CP, CS, V, I, DB, E, Q>;
}

type ContextsOf<D> =
	D extends ActorDefinition<
		infer S,
		infer CP,
		infer CS,
		infer V,
		infer I,
		infer DB,
		infer E,
		infer Q,
		infer _Actions
	>
		? Contexts<S, CP, CS, V, I, DB, E, Q>
		: never;

/** What every hook and action of the actor can be given; see {@link ActorContext}. */
export type ActorContextOf<D extends AnyActorDefinition> = ContextsOf<D>["actor"];
/** Work done for one connection: actions, `onConnect`, `onRequest`, `onWebSocket`. */
export type ConnContextOf<D extends AnyActorDefinition> = ContextsOf<D>["conn"];
/** Work done before a connection is accepted: `onBeforeConnect`, `createConnState`. */
export type ConnInitContextOf<D extends AnyActorDefinition> = ContextsOf<D>["connInit"];
/** `c` of `createState` and `onCreate`. */
export type CreateContextOf<D extends AnyActorDefinition> = ContextsOf<D>["create"];
/** `c` of `createVars`. */
export type CreateVarsContextOf<D extends AnyActorDefinition> = ContextsOf<D>["createVars"];
/** `c` of `createConnState`. */
export type CreateConnStateContextOf<D extends AnyActorDefinition> =
	ContextsOf<D>["createConnState"];
/** `c` of `onMigrate`. */
export type MigrateContextOf<D extends AnyActorDefinition> = ContextsOf<D>["migrate"];
/** `c` of `onBeforeConnect`. */
export type BeforeConnectContextOf<D extends AnyActorDefinition> = ContextsOf<D>["beforeConnect"];
/** `c` of `onConnect`. */
export type ConnectContextOf<D extends AnyActorDefinition> = ContextsOf<D>["connect"];
/** `c` of `onDisconnect`. */
export type DisconnectContextOf<D extends AnyActorDefinition> = ContextsOf<D>["disconnect"];
/** `c` of `onWake`. */
export type WakeContextOf<D extends AnyActorDefinition> = ContextsOf<D>["wake"];
/** `c` of `onSleep`. */
export type SleepContextOf<D extends AnyActorDefinition> = ContextsOf<D>["sleep"];
/** `c` of `onDestroy`. */
export type DestroyContextOf<D extends AnyActorDefinition> = ContextsOf<D>["destroy"];
/** `c` of `onStateChange`. */
export type StateChangeContextOf<D extends AnyActorDefinition> = ContextsOf<D>["stateChange"];
/** `c` of `onBeforeActionResponse`. */
export type BeforeActionResponseContextOf<D extends AnyActorDefinition> =
	ContextsOf<D>["beforeActionResponse"];
/** `c` of actions. */
export type ActionContextOf<D extends AnyActorDefinition> = ContextsOf<D>["action"];
/** `c` of `run`. */
export type RunContextOf<D extends AnyActorDefinition> = ContextsOf<D>["run"];
/** `c` of `onRequest`. */
export type RequestContextOf<D extends AnyActorDefinition> = ContextsOf<D>["request"];
/** `c` of `onWebSocket`. */
export type WebSocketContextOf<D extends AnyActorDefinition> = ContextsOf<D>["webSocket"];
