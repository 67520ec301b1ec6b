/**
 * `rivetkit/driver-helpers`: for authors of backends (contract: api 19). A backend is an `ActorBackend`,
 * which actors stand on, and a `ManagerDriver`, which finds them; `rivetkit/driver-test-suite` holds the
 * first one to its promises. Both may change between minor versions; the constants stay.
 */
export {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorSocketHandler,
	type ActorUpgrade,
	type HeadersView,
	type HostEvents,
	type PreparedMessage,
	type RequestBody,
	type StopIntent,
	type StorageBatch,
	type StorageOp,
	type StorageRange,
	selectSubprotocol,
} from "@rivetkit/protocol";
export {
	type ActorBackend,
	type ActorBackend as ActorDriver,
	FencedOff,
	type Incarnation,
} from "../backends/backend.ts";
export type { DriverConfig } from "../backends/driver.ts";
export type {
	AcceptedSocket,
	AcceptedSocketHandler,
	SqliteConnection,
	SqliteEngine,
	SqliteRow,
	SqliteStatement,
	SqliteValue,
} from "../backends/embedded/engine.ts";
export type { ActorQuery, ManagerDriver, ResolvedActor } from "../backends/manager.ts";
export { buildActorNames, lookupInRegistry } from "../registry/definitions.ts";
export { acceptWebSocket, type PlatformWebSocket } from "./accept-web-socket.ts";
export { type ActorHostOptions, createActorHost, type HostedActors } from "./actor-host.ts";
export { type ActorRouter, createActorRouter } from "./actor-router.ts";
export { InlineWebSocketAdapter, type InlineWebSocketOptions } from "./inline-web-socket.ts";
export {
	buildManagerRouter,
	type ClientWithDriverOptions,
	createClientWithDriver,
} from "./manager.ts";
export * from "./names.ts";
export { noopNext } from "./noop-next.ts";
export { routeWebSocket, type WebSocketTarget } from "./route-web-socket.ts";
export { importSqliteVfs } from "./sqlite.ts";
export {
	getInitialActorKvState,
	type InitialActorKvState,
	KEYS,
	makeConnKey,
} from "./storage-keys.ts";
