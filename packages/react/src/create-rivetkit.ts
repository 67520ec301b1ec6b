"use client";
import {
	type CreateRivetKitOptions,
	createRivetKit as createSharedConnections,
} from "@rivetkit/framework-base";
import { type Client, type ClientConfigInput, createClient } from "rivetkit/client";
import { makeUseActor, type UseActor } from "./use-actor.ts";

/** The hooks for the actors of one registry. */
export interface RivetKitHooks<Registry> {
	readonly useActor: UseActor<Registry>;
}

/**
 * Hooks for the actors of the registry whose type is given: `createRivetKit<typeof registry>()`. Call it once, outside of
 * components. `clientInput` is what `createClient` takes; the client is made when the first component mounts, so servers that
 * render make none. A configuration that is wrong is the `error` of every `useActor`.
 */
export function createRivetKit<Registry>(
	clientInput?: string | ClientConfigInput,
	opts?: CreateRivetKitOptions,
): RivetKitHooks<Registry> {
	let client: Client<Registry> | undefined;
	const clientOnce = (): Client<Registry> => {
		client ??= createClient<Registry>(clientInput);
		return client;
	};
	return { useActor: makeUseActor(createSharedConnections<Registry>(clientOnce, opts)) };
}

/** {@link createRivetKit} with a client that there is already. */
export function createRivetKitWithClient<Registry>(
	client: Client<Registry>,
	opts?: CreateRivetKitOptions,
): RivetKitHooks<Registry> {
	return { useActor: makeUseActor(createSharedConnections(client, opts)) };
}
