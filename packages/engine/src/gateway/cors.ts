import type { HeadersView } from "@rivetkit/protocol";

/** Header names and values alternating, as `ServerResponse.writeHead` takes them. */
export type FlatHeaders = string[];

const ANY_ORIGIN: readonly string[] = [
	"access-control-allow-origin",
	"*",
	"access-control-allow-credentials",
	"true",
	"access-control-expose-headers",
	"*",
];

/** Headers of every answer but a preflight (protocol 4.9). The caller may append to the list. */
export function corsHeaders(origin: string | null | undefined): FlatHeaders {
	const headers = ANY_ORIGIN.slice();
	if (origin !== null && origin !== undefined) {
		headers[1] = origin;
		headers.push("vary", "Origin");
	}
	return headers;
}

/** Headers of the answer to `OPTIONS` (protocol 4.9). */
export function preflightHeaders(headers: HeadersView): FlatHeaders {
	return [
		...corsHeaders(headers.get("origin")),
		"access-control-allow-methods",
		"GET, POST, PUT, DELETE, OPTIONS, PATCH",
		"access-control-allow-headers",
		headers.get("access-control-request-headers") ?? "*",
		"access-control-max-age",
		"86400",
	];
}

/** Response headers that belong to the gateway or to one connection; an actor's are dropped. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
	"access-control-allow-origin",
	"access-control-allow-credentials",
	"access-control-expose-headers",
	"connection",
	"keep-alive",
	"transfer-encoding",
	"upgrade",
]);

export function isOwnHeader(name: string): boolean {
	return OWN_HEADERS.has(name);
}
