/** `rivetkit`: define actors, put them into a registry, run it. */
import { assertSupportedRuntime } from "./backends/embedded/engine.ts";

// First of all: on a runtime that is too old this prints one sentence and ends the process.
assertSupportedRuntime();

export type { Encoding } from "@rivetkit/protocol";
export type * from "./actor/index.ts";
export { ActorDefinition, actor, event, queue } from "./actor/index.ts";
export {
	createFileSystemDriver,
	createMemoryDriver,
	type DriverConfig,
} from "./backends/driver.ts";
export type { Client } from "./client/types/client.types.ts";
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
export { Registry, type ServerlessHandler, setup } from "./registry/registry.ts";
export { toUint8Array } from "./utils/bytes.ts";
export type {
	WorkflowBranchContextOf,
	WorkflowContextOf,
	WorkflowLoopContextOf,
	WorkflowStepContextOf,
} from "./workflow/context-of.types.ts";
