/** Which server the page talks to, and with which secrets. */
export interface Session {
	/** Without a slash at the end. */
	readonly endpoint: string;
	/** The inspector's; "" for none. */
	readonly token: string;
	/** The engine's own, where it differs from the inspector's; "" for none. */
	readonly engineToken: string;
}

const STORED_AS = "rivetkit.dashboard.session";
/** Where a server in development listens, for a page that no server of ours serves. */
const DEVELOPMENT_ENDPOINT = "http://127.0.0.1:6420";

/** The server that serves the page: the page is in its folder `ui/`. */
export function servingEndpoint(): string {
	const { pathname } = window.location;
	if (!/\/ui\/(?:index\.html)?$/.test(pathname)) return DEVELOPMENT_ENDPOINT;
	return withoutEndSlash(new URL("..", window.location.href).href);
}

/** Secrets live as long as the tab. */
export function readSession(): Session {
	const fallback: Session = { endpoint: servingEndpoint(), token: "", engineToken: "" };
	const stored = window.sessionStorage.getItem(STORED_AS);
	if (stored === null) return fallback;
	const found: unknown = JSON.parse(stored);
	return isSession(found) ? found : fallback;
}

export function writeSession(session: Session): void {
	window.sessionStorage.setItem(STORED_AS, JSON.stringify(session));
}

/** Throws a `TypeError` for anything but an http or https address. */
export function normalizeEndpoint(text: string): string {
	const trimmed = text.trim();
	const url = new URL(/^[a-z]+:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`);
	if (url.protocol !== "http:" && url.protocol !== "https:") {
		throw new TypeError(`${url.protocol} is not http: or https:`);
	}
	url.search = "";
	url.hash = "";
	return withoutEndSlash(url.href);
}

function withoutEndSlash(url: string): string {
	return url.replace(/[?#].*$/, "").replace(/\/+$/, "");
}

function isSession(value: unknown): value is Session {
	if (typeof value !== "object" || value === null) return false;
	const { endpoint, token, engineToken } = value as Partial<Session>;
	return (
		typeof endpoint === "string" && typeof token === "string" && typeof engineToken === "string"
	);
}
