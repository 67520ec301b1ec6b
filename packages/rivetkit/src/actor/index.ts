export type {
	ActionArguments,
	ActionFunction,
	ActionInput,
	ActionMap,
	Actions,
	ValidatedAction,
} from "./actions.types.ts";
export { ActorKv } from "./actor-kv.ts";
export type {
	ActorConfig,
	ActorConfigInput,
	ActorDriverContext,
	ActorTypes,
	InspectorUnsubscribe,
	RunConfig,
	RunInspectorConfig,
	WorkflowInspectorConfig,
} from "./config.types.ts";
export type { AnyConn, Conn, ConnectionKind } from "./connection.types.ts";
export type {
	ActorContext,
	AtomicOptions,
	ConnContext,
	ConnInitContext,
	SaveStateOptions,
} from "./context.types.ts";
export type {
	ActionContextOf,
	ActorContextOf,
	BeforeActionResponseContextOf,
	BeforeConnectContextOf,
	ConnContextOf,
	ConnectContextOf,
	ConnInitContextOf,
	CreateConnStateContextOf,
	CreateContextOf,
	CreateVarsContextOf,
	DestroyContextOf,
	DisconnectContextOf,
	MigrateContextOf,
	RequestContextOf,
	RunContextOf,
	SleepContextOf,
	StateChangeContextOf,
	WakeContextOf,
	WebSocketContextOf,
} from "./context-of.types.ts";
export type { DatabaseKv, DatabaseProvider, DatabaseProviderContext } from "./database.types.ts";
export type {
	EventDeclaration,
	EventPayload,
	EventsConfig,
	QueueBody,
	QueueCompletion,
	QueueDeclaration,
	QueuesConfig,
	Undeclared,
} from "./declarations.types.ts";
export { ActorDefinition, type AnyActorDefinition, actor } from "./definition.ts";
export type {
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
export type { ActorKey, AuthIntent } from "./identity.types.ts";
export type * from "./kv.types.ts";
export type { ActorOptions, ActorOptionsInput } from "./options.ts";
export type {
	ActorQueue,
	CompletableQueueMessage,
	DeadLetter,
	DeadLetterOptions,
	QueueIterOptions,
	QueueMessage,
	QueueNextBatchOptions,
	QueueNextOptions,
	QueueSendOptions,
	QueueTryNextBatchOptions,
	QueueTryNextOptions,
	ReceivedMessage,
	RedriveOptions,
} from "./queue.types.ts";
export type {
	ActorCron,
	ActorSchedule,
	CatchUp,
	CronEntry,
	CronEveryOptions,
	CronHistoryEntry,
	CronSetOptions,
	Overlap,
	RetryOptions,
	ScheduleCalls,
	ScheduledFireInfo,
	ScheduleEntry,
	ScheduleFailure,
	ScheduleOptions,
} from "./schedule.types.ts";
export {
	type EventOptions,
	type EventToken,
	event,
	type QueueOptions,
	type QueueToken,
	queue,
	type Type,
} from "./tokens.ts";
export type * from "./web-socket.types.ts";
export type * from "./workflow-control.types.ts";
