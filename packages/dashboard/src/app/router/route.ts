import { normalizeEndpoint } from "./endpoint.ts";

/** The tabs of an actor, in the order they are shown. */
export const TABS = [
	"state",
	"actions",
	"connections",
	"events",
	"queue",
	"schedules",
	"database",
	"kv",
	"workflow",
	"traces",
	"metrics",
	"logs",
	"lifecycle",
] as const;

export type Tab = (typeof TABS)[number];

/** Where in the dashboard somebody is. It stands behind the `#`, so that any static server can serve it. */
export type Route =
	| { readonly page: "types" }
	| { readonly page: "actors"; readonly name: string; readonly search: string }
	| {
			readonly page: "actor";
			readonly actorId: string;
			readonly tab: Tab;
			/** What the tab keeps in the address, such as the table it shows. */
			readonly options: Readonly<Record<string, string>>;
	  }
	| { readonly page: "unknown"; readonly path: string };

/** A page, and of which server. */
export interface Address {
	readonly route: Route;
	/** Its endpoint; null for the one that serves the page. */
	readonly server: string | null;
}

/** @param hash - with or without `#`; never fails */
export function parseAddress(hash: string): Address {
	const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
	const { server, ...options } = Object.fromEntries(new URLSearchParams(query));
	if (server === undefined) return { route: parseRoute(path, options), server: null };
	try {
		return { route: parseRoute(path, options), server: normalizeEndpoint(server) };
	} catch {
		return { route: { page: "unknown", path }, server: null };
	}
}

export function printAddress({ route, server }: Address): string {
	const [path, query] = printRoute(route);
	if (server !== null) query.set("server", server);
	return query.size === 0 ? `#${path}` : `#${path}?${query}`;
}

function parseRoute(path: string, options: Readonly<Record<string, string>>): Route {
	const segments = path.split("/").filter((segment) => segment !== "");
	const unknown: Route = { page: "unknown", path };
	let decoded: string[];
	try {
		decoded = segments.map(decodeURIComponent);
	} catch {
		return unknown;
	}
	const [page, name, tab] = decoded;
	if (page === undefined) return { page: "types" };
	if (name === undefined || decoded.length > 3) return unknown;
	if (page === "actors" && tab === undefined) {
		return { page: "actors", name, search: options.q ?? "" };
	}
	if (page !== "actor") return unknown;
	if (tab === undefined) return { page: "actor", actorId: name, tab: "state", options };
	return isTab(tab) ? { page: "actor", actorId: name, tab, options } : unknown;
}

function printRoute(route: Route): [path: string, query: URLSearchParams] {
	switch (route.page) {
		case "types":
			return ["/", new URLSearchParams()];
		case "actors": {
			const query = new URLSearchParams(route.search === "" ? {} : { q: route.search });
			return [`/actors/${encodeURIComponent(route.name)}`, query];
		}
		case "actor": {
			const path = `/actor/${encodeURIComponent(route.actorId)}/${route.tab}`;
			return [path, new URLSearchParams(route.options)];
		}
		case "unknown":
			return [route.path, new URLSearchParams()];
	}
}

export function actorRoute(actorId: string, tab: Tab = "state"): Route {
	return { page: "actor", actorId, tab, options: {} };
}

function isTab(text: string): text is Tab {
	return (TABS as readonly string[]).includes(text);
}
