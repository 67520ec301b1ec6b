/** Where a server in development listens, for a page that no server of ours serves. */
const DEVELOPMENT_ENDPOINT = "http://127.0.0.1:6420";

/** The server that serves the page: the page is in its folder `ui/`. Null for a page that anything else serves. */
export function servingEndpoint(): string | null {
	const { pathname, href } = window.location;
	if (!/\/ui\/(?:index\.html)?$/.test(pathname)) return null;
	return withoutEndSlash(new URL("..", href).href);
}

/** The server that a page is about whose address names none. */
export function defaultEndpoint(): string {
	return servingEndpoint() ?? DEVELOPMENT_ENDPOINT;
}

/**
 * The address of a server as it is compared and shown, without a slash at the end. Throws a `TypeError` for anything but an
 * http or https address, and for one with a name or a password: addresses are shown, and sent to others.
 */
export function normalizeEndpoint(text: string): string {
	const trimmed = text.trim();
	const url = new URL(/^[a-z]+:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`);
	if (url.protocol !== "http:" && url.protocol !== "https:") {
		throw new TypeError(`${url.protocol} is not http: or https:`);
	}
	if (url.username !== "" || url.password !== "") {
		throw new TypeError("A token has no place in an address: it goes into its own field");
	}
	url.search = "";
	url.hash = "";
	return withoutEndSlash(url.href);
}

function withoutEndSlash(url: string): string {
	return url.replace(/[?#].*$/, "").replace(/\/+$/, "");
}
