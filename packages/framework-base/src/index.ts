/** `@rivetkit/framework-base`: shared actor connections for user interfaces. */
export type { ActorConnStatus } from "rivetkit/client";
export { ConnectionStore } from "./connection-store.ts";
export { type ActorUse, createRivetKit, type RivetKit } from "./create-rivetkit.ts";
export { defaultHash } from "./hash.ts";
export type { ConnectionView } from "./shared-connection.ts";
export type {
	ActorName,
	ActorOptions,
	ActorState,
	ActorsStateDerived,
	AnyActorOptions,
	AnyActorRegistry,
	CreateRivetKitOptions,
	Subscribable,
} from "./types.ts";
