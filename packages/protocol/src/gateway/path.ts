/** The id form of gateway paths: `/gateway/{actorId}[@{token}][/{rest}]` (contract 4.2). */

export interface GatewayPath {
	readonly actorId: string;
	readonly token: string | null;
	/** What the actor sees: path and query behind the prefix, untouched. */
	readonly path: string;
}

/** Reads a path with query, base path already removed; `null` when it is not a gateway path. */
export function parseGatewayPath(pathWithQuery: string): GatewayPath | null {
	const [path, query] = splitQuery(pathWithQuery);
	if (!path.startsWith("/gateway/") || path.includes("//")) return null;
	const start = "/gateway/".length;
	const slash = path.indexOf("/", start);
	const target = slash < 0 ? path.slice(start) : path.slice(start, slash);
	const rest = slash < 0 ? "/" : path.slice(slash);
	const at = target.indexOf("@");
	try {
		const actorId = decodeURIComponent(at < 0 ? target : target.slice(0, at));
		const token = at < 0 ? null : decodeURIComponent(target.slice(at + 1));
		return actorId === "" || token === "" ? null : { actorId, token, path: rest + query };
	} catch {
		return null;
	}
}

/** The gateway path of an actor. `rest` is the path (and query) at the actor; empty for none. */
export function gatewayPath(actorId: string, token?: string | null, rest = ""): string {
	const suffix = token ? `@${encodeURIComponent(token)}` : "";
	const [path, query] = splitQuery(rest);
	const separator = path === "" || path.startsWith("/") ? "" : "/";
	const prefix = `/gateway/${encodeURIComponent(actorId)}${suffix}`;
	return collapseSlashes(prefix + separator + path) + query;
}

/** Path without fragment, and the query with its `?` (or ""). */
export function splitQuery(pathWithQuery: string): [path: string, query: string] {
	const hash = pathWithQuery.indexOf("#");
	const text = hash < 0 ? pathWithQuery : pathWithQuery.slice(0, hash);
	const mark = text.indexOf("?");
	return mark < 0 ? [text, ""] : [text.slice(0, mark), text.slice(mark)];
}

/** A path as logs may have it: without its query and the token of a gateway path, which are secrets. */
export function loggedPath(pathWithQuery: string): string {
	return splitQuery(pathWithQuery)[0].replace(/(\/gateway\/[^/@]*)@[^/]*/, "$1@***");
}

/** `a=1&b=2` of the parameters that are there. */
export function encodeQuery(
	parameters: Readonly<Record<string, string | null | undefined>>,
): string {
	return Object.entries(parameters)
		.filter((parameter): parameter is [string, string] => typeof parameter[1] === "string")
		.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
		.join("&");
}

export function collapseSlashes(path: string): string {
	return path.replace(/\/{2,}/g, "/");
}
