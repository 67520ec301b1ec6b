export type { AttachRunnersOptions, EngineStats } from "./apart.ts";
export type { TransferAccess, Whereabouts } from "./api/management-api.ts";
export { openApiDocument } from "./api/openapi.ts";
export {
	type ClusterNode,
	type JoinOptions,
	joinCluster,
	type NodeOptions,
} from "./cluster/join-cluster.ts";
export { ErrorAnswers } from "./common/errors.ts";
export { DEFAULT_LIMITS, type EngineLimits } from "./common/limits.ts";
export type { EngineLogger } from "./common/logger.ts";
export { createEngine } from "./engine.ts";
export type { AttachHostOptions, Engine, EngineOptions } from "./engine.types.ts";
export type { AcceptedSocket, AcceptedSocketHandler } from "./gateway/accepted-socket.ts";
export { FetchRequest, fetchPreflight, fetchResponse } from "./gateway/fetch-request.ts";
export { isBelowBasePath } from "./gateway/front.ts";
export type { ActorQuery, ResolvedActor } from "./gateway/resolver.ts";
export {
	createSocketPair,
	type PairEvents,
	type PairedWebSocket,
	type SocketPairOptions,
} from "./gateway/socket-pair.ts";
export { RUNNER_LIMITS, type RunnerLimits } from "./runners/runner-limits.ts";
export type { ListeningServer } from "./server/listen.ts";
export { alreadyServed, type ListenOptions, type NodeListeners } from "./server/listeners.ts";
export { ListenError, type Occupant, PortTakenError } from "./server/port-taken.ts";
export { assertSupportedRuntime } from "./server/supported-runtime.ts";
export { SERVERLESS_LIMITS, type ServerlessLimits } from "./serverless/serverless-limits.ts";
export { createMemoryStore, type MemoryStoreOptions } from "./store/memory/memory-store.ts";
export type { PostgresSettings, PostgresTls } from "./store/postgres/connection-settings.ts";
export {
	openPostgresStore,
	type PostgresStoreOptions,
} from "./store/postgres/open-postgres-store.ts";
export {
	loadSqliteEngine,
	type SqliteConnection,
	type SqliteEngine,
	type SqliteRow,
	type SqliteStatement,
	type SqliteValue,
} from "./store/sqlite/engine.ts";
export { openSqliteStore, type SqliteStoreOptions } from "./store/sqlite/open-sqlite-store.ts";
export {
	type ActorRecord,
	type CommitBatch,
	type ListActors,
	type NewActor,
	StaleGenerationError,
	type Store,
	StoreError,
	type StoreErrorCode,
} from "./store/store.ts";
export { TOMBSTONE_LIMITS, type TombstoneLimits } from "./store/tombstones.ts";
export type { TransferLayout } from "./transfer/transfers.ts";
