/** `rivetkit/client`: typed clients for actors. Runs in browsers; imports nothing of the server. */
export type { Encoding } from "@rivetkit/protocol";
export type { ActorDefinition, AnyActorDefinition } from "../actor/definition.ts";
export type { ActionResult } from "./action-stream.ts";
export type { ClientRaw, KeyInput } from "./client.ts";
export type { ClientConfigInput } from "./config.ts";
export {
	ActorConnRaw,
	type ActorErrorCallback,
	type ConnectionStateCallback,
	type StatusChangeCallback,
} from "./connection/connection.ts";
export type { ActorConnStatus } from "./connection/status.ts";
export type { EventUnsubscribe } from "./connection/subscriptions.ts";
export { createClient } from "./create-client.ts";
export {
	ActorClientError,
	ActorConnDisposed,
	ActorError,
	ActorSchedulingError,
	HttpRequestError,
	InternalError,
	isRivetErrorCode,
	MalformedResponseMessage,
	ManagerError,
} from "./errors.ts";
export { ActorHandleRaw } from "./handle.ts";
export { KV_KEYS } from "./kv-keys.ts";
export type { QueueSendOptions, QueueSendResult } from "./queue-send.ts";
export type {
	ActorActionFunction,
	ActorActionItems,
	ActorActionResult,
	ActorActionStream,
} from "./types/action.types.ts";
export type { ActorConn, ActorEventSubscriber } from "./types/actor-conn.types.ts";
export type { ActorHandle } from "./types/actor-handle.types.ts";
export type {
	ActorAccessor,
	Client,
	ExtractActorsFromRegistry,
	ExtractRegistryFromClient,
} from "./types/client.types.ts";
export type {
	CreateOptions,
	CreateRequest,
	GetOptions,
	GetOrCreateOptions,
	GetWithIdOptions,
	QueryOptions,
	Region,
} from "./types/options.types.ts";
