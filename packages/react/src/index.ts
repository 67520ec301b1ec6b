/** `@rivetkit/react`: actors in React components. */
export type { CreateRivetKitOptions } from "@rivetkit/framework-base";
export { ActorConnDisposed, type ActorConnStatus, createClient } from "rivetkit/client";
export { createRivetKit, createRivetKitWithClient, type RivetKitHooks } from "./create-rivetkit.ts";
export type { UseActor, UseActorOptions, UseActorResult } from "./use-actor.ts";
export type { UseEvent } from "./use-event.ts";
