import { useMemo, useSyncExternalStore } from "react";
import { useSession } from "../api/context.tsx";
import type { Kept, KeptByActor } from "./kept-by-actor.ts";

/** What is kept of an actor of the server that the page is about; draws again what uses it when that changes. */
export function useKept<T>(store: KeptByActor<T>, actorId: string): [T, Kept<T>] {
	const { endpoint } = useSession().session;
	const kept = useMemo(() => store.of(endpoint, actorId), [store, endpoint, actorId]);
	return [useSyncExternalStore(store.subscribe, kept.latest), kept];
}
