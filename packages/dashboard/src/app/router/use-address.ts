import { useMemo, useSyncExternalStore } from "react";
import { parseRoute, printRoute, type Route } from "./route.ts";

function subscribe(listener: () => void): () => void {
	window.addEventListener("hashchange", listener);
	return () => window.removeEventListener("hashchange", listener);
}

export function useRoute(): Route {
	const hash = useSyncExternalStore(subscribe, () => window.location.hash);
	return useMemo(() => parseRoute(hash), [hash]);
}

export function goTo(route: Route): void {
	window.location.hash = printRoute(route);
}

/** Changes the address without a new entry in the history: for what is typed. */
export function replaceRoute(route: Route): void {
	window.history.replaceState(null, "", printRoute(route));
	window.dispatchEvent(new HashChangeEvent("hashchange"));
}
