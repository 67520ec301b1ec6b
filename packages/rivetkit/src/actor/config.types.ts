import type { ActionMap } from "./actions.types.ts";
import type { Conn } from "./connection.types.ts";
import type { DatabaseProvider } from "./database.types.ts";
import type { EventsConfig, QueuesConfig, Undeclared } from "./declarations.types.ts";
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
import type { ActorOptions, ActorOptionsInput } from "./options.ts";
import type { UniversalWebSocket } from "./web-socket.types.ts";

/**
 * The result of a hook that produces nothing. Not `void | Promise<void>`: a result that is compared is
 * a result that must be inferred first, and then a helper typed by the actor itself would be a cycle.
 */
// biome-ignore lint/suspicious/noExplicitAny: the one type whose comparison does not look at the hook's body
type HookResult = any;

/** What the host tells `createVars`: nothing locally, `state` on Durable Objects. */
export interface ActorDriverContext {
	readonly state?: unknown;
}

export type InspectorUnsubscribe = () => void;

/** How an inspector reads the history of a workflow. */
export interface WorkflowInspectorConfig<History = unknown> {
	getHistory(): History | null;
	onHistoryUpdated?(listener: (history: History) => void): InspectorUnsubscribe;
}

export interface RunInspectorConfig<History = unknown> {
	workflow?: WorkflowInspectorConfig<History> | undefined;
}

/** `run` with a name, an icon, or an inspector adapter of its own. */
export interface RunConfig<Context = RunContext> {
	/** Display name, unless `options.name` is set. */
	name?: string | undefined;
	/** Emoji or FontAwesome name, unless `options.icon` is set. */
	icon?: string | undefined;
	run: (c: Context) => HookResult;
	inspector?: RunInspectorConfig | undefined;
}

/** Types only; what is written here is ignored at run time. */
export interface ActorTypes<State, ConnParams, ConnState, Vars, Input, Database> {
	state?: State | undefined;
	connParams?: ConnParams | undefined;
	connState?: ConnState | undefined;
	vars?: Vars | undefined;
	input?: Input | undefined;
	database?: Database | undefined;
}

/** A hook that produces nothing. */
type Hook<Args extends readonly unknown[]> = (...args: Args) => HookResult;

/**
 * A function whose parameters are compared both ways, so that one may be annotated with more than is
 * known here, and may come after a hook that left it open.
 */
type Bivariant<Args extends readonly unknown[], Result> = {
	method(...args: Args): Result;
}["method"];

/**
 * What an actor has when it may be written as a value, as a function, or as both: the type comes from
 * the value, and only without one from the function (api 4.1). Without a value the compiler has
 * `unknown`, or `never` while it still infers.
 */
export type Produced<Static, Created> = [Static] extends [never]
	? Created
	: 0 extends 1 & Static
		? Static
		: unknown extends Static
			? Created
			: Static;

/** Everything of a config that uses state, connection state and vars but does not produce them. */
interface ActorHooks<
	State,
	ConnParams,
	ConnState,
	Vars,
	Input,
	Database,
	Events,
	Queues,
	Actions,
	Inputs,
> {
	/** On every start, before any other hook; the place for schema changes. Timed. */
	onMigrate?:
		| Hook<
				[
					c: MigrateContext<never, never, never, never, unknown, Database, Events, Queues>,
					isNew: boolean,
				]
		  >
		| undefined;
	/** Once per actor, after `createState`. */
	onCreate?:
		| Hook<
				[
					c: CreateContext<State, never, never, never, unknown, Database, Events, Queues>,
					input: Input,
				]
		  >
		| undefined;
	/** On every start, the first included. */
	onWake?:
		| Hook<[c: WakeContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>]>
		| undefined;
	/** Background work, started on every start. */
	run?:
		| Hook<[c: RunContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>]>
		| RunConfig<RunContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>>
		| undefined;
	/** Before every sleep. Timed. */
	onSleep?:
		| Hook<[c: SleepContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>]>
		| undefined;
	/** Before the actor's data is deleted. Timed. */
	onDestroy?:
		| Hook<
				[c: DestroyContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>]
		  >
		| undefined;
	/** After every change of `c.state`. Must not be async. Changes made in it do not trigger it again. */
	onStateChange?:
		| Hook<
				[
					c: StateChangeContext<
						State,
						ConnParams,
						ConnState,
						Vars,
						unknown,
						Database,
						Events,
						Queues
					>,
					newState: State,
				]
		  >
		| undefined;
	/** Per connection attempt; a throw rejects it. Timed. */
	onBeforeConnect?:
		| Hook<
				[
					c: BeforeConnectContext<
						State,
						ConnParams,
						ConnState,
						Vars,
						unknown,
						Database,
						Events,
						Queues
					>,
					params: ConnParams,
				]
		  >
		| undefined;
	/** Per accepted connection, before anything else of it is handled. Timed. */
	onConnect?:
		| Hook<
				[
					c: ConnectContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>,
					conn: Conn<ConnParams, ConnState, Events>,
				]
		  >
		| undefined;
	/** Once per accepted connection, after it has left `c.conns`. */
	onDisconnect?:
		| Hook<
				[
					c: DisconnectContext<
						State,
						ConnParams,
						ConnState,
						Vars,
						unknown,
						Database,
						Events,
						Queues
					>,
					conn: Conn<ConnParams, ConnState, Events>,
				]
		  >
		| undefined;
	/** Answers raw HTTP requests below `/request`. Timed like an action. */
	onRequest?:
		| ((
				c: RequestContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>,
				request: Request,
		  ) => Response | Promise<Response>)
		| undefined;
	/** Takes raw WebSockets below `/websocket`. Messages wait until it has attached its listeners. */
	onWebSocket?:
		| Hook<
				[
					c: WebSocketContext<
						State,
						ConnParams,
						ConnState,
						Vars,
						unknown,
						Database,
						Events,
						Queues
					>,
					socket: UniversalWebSocket,
				]
		  >
		| undefined;
	/** May replace the result of a successful action. */
	onBeforeActionResponse?:
		| (<Out>(
				c: BeforeActionResponseContext<
					State,
					ConnParams,
					ConnState,
					Vars,
					unknown,
					Database,
					Events,
					Queues
				>,
				name: string,
				args: unknown[],
				output: Out,
		  ) => Out | Promise<Out>)
		| undefined;
	/** Callable from clients and schedules. */
	actions?:
		| (Actions &
				ActionMap<
					ActionContext<State, ConnParams, ConnState, Vars, unknown, Database, Events, Queues>,
					Inputs
				>)
		| undefined;
}

/**
 * What `actor()` takes (api 3.1, 3.4). Everything is optional.
 *
 * Types are inferred from top to bottom: write `createState`, `createVars` and `createConnState` before
 * the hooks and actions that use what they produce. Their own `c` does not know what they produce.
 */
export interface ActorConfigInput<
	State,
	ConnParams,
	ConnState,
	Vars,
	Input,
	Database,
	Events = Undeclared,
	Queues = Undeclared,
	Actions = Undeclared,
	Inputs = unknown,
	CreatedState = State,
	CreatedConnState = ConnState,
	CreatedVars = Vars,
> extends ActorHooks<
		Produced<State, CreatedState>,
		ConnParams,
		Produced<ConnState, CreatedConnState>,
		Produced<Vars, CreatedVars>,
		Input,
		Database,
		Events,
		Queues,
		Actions,
		Inputs
	> {
	types?: ActorTypes<State, ConnParams, ConnState, Vars, Input, Database> | undefined;
	/** Limits, timeouts, display. */
	options?: ActorOptionsInput | undefined;

	/** Initial state, copied per actor. With `createState` it only helps typing. */
	state?: State | undefined;
	/** Initial connection state, copied per connection. With `createConnState` it only helps typing. */
	connState?: ConnState | undefined;
	/** In-memory data, copied on every start. With `createVars` it only helps typing. */
	vars?: Vars | undefined;
	/** Gives `c.db`. */
	db?: DatabaseProvider<Database> | undefined;
	/** See `event()`. */
	events?: (Events & EventsConfig) | undefined;
	/** See `queue()`. */
	queues?: (Queues & QueuesConfig) | undefined;

	/** Computes the initial state, once per actor. */
	createState?:
		| ((
				c: CreateContext<never, never, never, never, unknown, Database, Events, Queues>,
				input: Input,
		  ) => CreatedState | Promise<CreatedState>)
		| undefined;
	/** Computes `c.vars` on every start; any value is allowed. Timed. */
	createVars?:
		| Bivariant<
				[
					c: CreateVarsContext<
						Produced<State, CreatedState>,
						never,
						never,
						never,
						unknown,
						Database,
						Events,
						Queues
					>,
					driverContext: ActorDriverContext,
				],
				CreatedVars | Promise<CreatedVars>
		  >
		| undefined;
	/** Computes the state of an accepted connection; a throw rejects it. Timed. */
	createConnState?:
		| Bivariant<
				[
					c: CreateConnStateContext<
						Produced<State, CreatedState>,
						never,
						never,
						Produced<Vars, CreatedVars>,
						unknown,
						Database,
						Events,
						Queues
					>,
					params: ConnParams,
				],
				CreatedConnState | Promise<CreatedConnState>
		  >
		| undefined;
}

/** Holds a function that creates something against the static value that stands beside it. */
type Fitting<Property extends string, Static, Created> = [Created] extends [Static]
	? unknown
	: {
			readonly [P in Property]?:
				| ((...args: never[]) => NoInfer<Static> | Promise<NoInfer<Static>>)
				| undefined;
		};

/** With both forms, what the function creates must fit the type of the static value (api 4.1). */
export type FittingForms<State, CreatedState, ConnState, CreatedConnState, Vars, CreatedVars> =
	Fitting<"createState", State, CreatedState> &
		Fitting<"createConnState", ConnState, CreatedConnState> &
		Fitting<"createVars", Vars, CreatedVars>;

/** A definition's config as `actor()` leaves it: checked, with defaults, read-only. */
export type ActorConfig<
	State,
	ConnParams,
	ConnState,
	Vars,
	Input,
	Database,
	Events = Undeclared,
	Queues = Undeclared,
	Actions = Undeclared,
> = Readonly<
	Omit<
		ActorConfigInput<
			State,
			ConnParams,
			ConnState,
			Vars,
			Input,
			Database,
			Events,
			Queues,
			Actions,
			unknown
		>,
		"options" | "actions" | "types"
	>
> & {
	readonly options: ActorOptions;
	readonly actions: Actions;
};
