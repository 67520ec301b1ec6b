/** What opens a server. */
export interface Tokens {
	/** The inspector's; "" for none. */
	readonly token: string;
	/** The engine's own, where it differs from the inspector's; "" for none. */
	readonly engineToken: string;
}

/** Which server the page talks to, and with which tokens. */
export interface Session extends Tokens {
	/** Without a slash at the end. */
	readonly endpoint: string;
}

/** Tokens by the endpoint of the server that they are for: none is sent to any other. */
export type TokensByEndpoint = Readonly<Record<string, Tokens>>;

const STORED_AS = "rivetkit.dashboard.tokens";
const NONE: Tokens = { token: "", engineToken: "" };

/** Those of this tab; they live as long as it. */
export function readTokens(): TokensByEndpoint {
	const found: unknown = JSON.parse(window.sessionStorage.getItem(STORED_AS) ?? "{}");
	if (typeof found !== "object" || found === null) return {};
	return Object.fromEntries(
		Object.entries(found).filter((entry): entry is [string, Tokens] => isTokens(entry[1])),
	);
}

export function writeTokens(tokens: TokensByEndpoint): void {
	window.sessionStorage.setItem(STORED_AS, JSON.stringify(tokens));
}

export function sessionOf(endpoint: string, tokens: TokensByEndpoint): Session {
	const { token, engineToken } = Object.hasOwn(tokens, endpoint) ? tokens[endpoint]! : NONE;
	return { endpoint, token, engineToken };
}

function isTokens(value: unknown): value is Tokens {
	if (typeof value !== "object" || value === null) return false;
	const { token, engineToken } = value as Partial<Tokens>;
	return typeof token === "string" && typeof engineToken === "string";
}
