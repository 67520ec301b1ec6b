"use client";
import type { ActorName, ActorState, Subscribable } from "@rivetkit/framework-base";
import { useEffect, useRef, useSyncExternalStore } from "react";
import {
	ActorConnDisposed,
	type ActorEventSubscriber,
	type ExtractActorsFromRegistry,
} from "rivetkit/client";

/** A hook that listens to the events of one actor, with the names and payloads of its definition. */
export type UseEvent<Registry, Name extends ActorName<Registry>> = ActorEventSubscriber<
	ExtractActorsFromRegistry<Registry>[Name],
	void
>;

/** What the hook needs of a connection. */
interface Listens {
	on(eventName: string, listener: (...args: unknown[]) => void): () => void;
}

/** What there is on a server, and in a part of its page that is being hydrated. */
const noConnection = (): null => null;

export function makeUseEvent<Registry, Name extends ActorName<Registry>>(
	state: Subscribable<ActorState<Registry, Name>>,
): UseEvent<Registry, Name> {
	const connectionNow = (): Listens | null => state.get().connection as Listens | null;

	function useEvent(eventName: string, handler: (...args: unknown[]) => void): void {
		const latest = useRef(handler);
		useEffect(() => {
			latest.current = handler;
		});
		const connection = useSyncExternalStore(state.subscribe, connectionNow, noConnection);
		useEffect(() => {
			if (!connection) return;
			try {
				return connection.on(eventName, (...args) => latest.current(...args));
			} catch (error) {
				// It was closed between rendering and now: the next rendering has another one.
				if (!(error instanceof ActorConnDisposed)) throw error;
			}
		}, [connection, eventName]);
	}

	// The names and payloads are known to the types only.
	return useEvent as UseEvent<Registry, Name>;
}
