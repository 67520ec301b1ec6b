import { useCallback, useMemo, useSyncExternalStore } from "react";
import { servingEndpoint } from "./endpoint.ts";
import { type Address, parseAddress, printAddress, type Route } from "./route.ts";

function subscribe(listener: () => void): () => void {
	window.addEventListener("hashchange", listener);
	return () => window.removeEventListener("hashchange", listener);
}

export function useAddress(): Address {
	const hash = useSyncExternalStore(subscribe, () => window.location.hash);
	return useMemo(() => parseAddress(hash), [hash]);
}

/** What makes links: they stay on the server that is looked at. */
export function useHref(): (route: Route) => string {
	const { server } = useAddress();
	return useCallback((route: Route) => printAddress({ route, server }), [server]);
}

export function goTo(route: Route): void {
	window.location.hash = printAddress({ ...currentAddress(), route });
}

/** Changes the address without a new entry in the history: for what is typed. */
export function replaceRoute(route: Route): void {
	window.history.replaceState(null, "", printAddress({ ...currentAddress(), route }));
	window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The same page of another server. */
export function goToServer(endpoint: string): void {
	const server = endpoint === servingEndpoint() ? null : endpoint;
	window.location.hash = printAddress({ ...currentAddress(), server });
}

/** As of now, for what ends later. */
export function currentAddress(): Address {
	return parseAddress(window.location.hash);
}
