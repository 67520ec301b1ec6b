import { useSyncExternalStore } from "react";

/** Endpoints that did not answer when they were asked last. */
const lost = new Set<string>();
const listeners = new Set<() => void>();

/** Says how a request to a server went. */
export function noteReachable(endpoint: string, isReachable: boolean): void {
	if (lost.has(endpoint) !== isReachable) return;
	if (isReachable) lost.delete(endpoint);
	else lost.add(endpoint);
	for (const hear of listeners) hear();
}

function subscribe(listener: () => void): () => void {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

/** Whether the server answered the last request, whichever part of the page made it. */
export function useIsReachable(endpoint: string): boolean {
	return useSyncExternalStore(subscribe, () => !lost.has(endpoint));
}
