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

/** @param hash - with or without `#`; never fails */
export function parseRoute(hash: string): Route {
	const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
	const options = Object.fromEntries(new URLSearchParams(query));
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

export function printRoute(route: Route): string {
	switch (route.page) {
		case "types":
			return "#/";
		case "actors": {
			const query = route.search === "" ? "" : `?${new URLSearchParams({ q: route.search })}`;
			return `#/actors/${encodeURIComponent(route.name)}${query}`;
		}
		case "actor": {
			const query = new URLSearchParams(route.options);
			const text = query.size === 0 ? "" : `?${query}`;
			return `#/actor/${encodeURIComponent(route.actorId)}/${route.tab}${text}`;
		}
		case "unknown":
			return `#${route.path}`;
	}
}

export function actorRoute(actorId: string, tab: Tab = "state"): Route {
	return { page: "actor", actorId, tab, options: {} };
}

function isTab(text: string): text is Tab {
	return (TABS as readonly string[]).includes(text);
}
