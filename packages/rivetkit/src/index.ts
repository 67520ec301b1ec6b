/** `rivetkit`: define actors, put them into a registry, run it. */
import { assertSupportedRuntime } from "./backends/embedded/engine.ts";

// First of all: on a runtime that is too old this prints one sentence and ends the process.
assertSupportedRuntime();

export type { Encoding } from "@rivetkit/protocol";
export type * from "./actor/index.ts";
export { ActorDefinition, ActorKv, actor, event, queue } from "./actor/index.ts";
export {
	createEngineDriver,
	createFileSystemDriver,
	createMemoryDriver,
	type DriverConfig,
} from "./backends/driver.ts";
export type { ActorQuery } from "./backends/manager.ts";
export type { AnyClient, Client } from "./client/types/client.types.ts";
export { type ActorRouter, createActorRouter } from "./driver-helpers/actor-router.ts";
export { InlineWebSocketAdapter } from "./driver-helpers/inline-web-socket.ts";
export { createClientWithDriver } from "./driver-helpers/manager.ts";
export {
	ALLOWED_PUBLIC_HEADERS,
	PATH_CONNECT,
	PATH_WEBSOCKET_PREFIX,
} from "./driver-helpers/names.ts";
export { noopNext } from "./driver-helpers/noop-next.ts";
export { routeWebSocket } from "./driver-helpers/route-web-socket.ts";
export { KEYS as KV_KEYS } from "./driver-helpers/storage-keys.ts";
export { UserError, type UserErrorOptions } from "./errors/user-error.ts";
export {
	type RegistryActors,
	type RegistryConfig,
	type RegistryConfigInput,
	RegistryConfigSchema,
	type RunnerPoolConfig,
	type RunnerPoolConfigInput,
	type TestConfig,
} from "./registry/config/registry-config.ts";
export {
	ActorsSchema,
	DocConfigureRunnerPoolSchema,
	DocInspectorConfigSchema,
	DocRegistryConfigSchema,
	DocRunnerConfigSchema,
	DocServerlessConfigSchema,
	DriverConfigSchema,
	TestConfigSchema,
} from "./registry/config/schemas.ts";
export { buildActorNames, lookupInRegistry } from "./registry/definitions.ts";
export type { NodeListeners, NodeListenersOptions } from "./registry/node-listeners.ts";
export {
	type FetchHandler,
	type LegacyStartServerOutput,
	Registry,
	type ServerlessHandler,
	setup,
} from "./registry/registry.ts";
export type { AnyActorInstance } from "./runtime/instance/instance.ts";
export { toUint8Array } from "./utils/bytes.ts";
export type {
	WorkflowBranchContextOf,
	WorkflowContextOf,
	WorkflowLoopContextOf,
	WorkflowStepContextOf,
} from "./workflow/context-of.types.ts";
