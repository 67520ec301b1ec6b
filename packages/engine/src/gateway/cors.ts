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

/** The same of the API of an engine apart: the method that is asked for, and what the answer depends on (engine 2.1). */
export function apiPreflightHeaders(headers: HeadersView): FlatHeaders {
	const flat = preflightHeaders(headers);
	const asked = headers.get("access-control-request-method");
	const methods = flat.indexOf("access-control-allow-methods") + 1;
	if (asked !== null) flat[methods] = asked;
	const vary = flat.indexOf("vary");
	if (vary >= 0) flat[vary + 1] = `Origin, ${apiVary(headers)}`;
	else flat.push("vary", apiVary(headers));
	return flat;
}

/** What its answers depend on, without the `Origin` that {@link corsHeaders} names. */
export function apiVary(headers: HeadersView): string {
	const asked = "Access-Control-Request-Method, Access-Control-Request-Headers";
	return headers.get("origin") === null ? `Origin, ${asked}` : asked;
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
