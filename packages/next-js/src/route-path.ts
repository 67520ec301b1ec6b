/** A request to `[...all]`, taken apart. */
export interface RoutedRequest {
	/** Where the route itself is, without a trailing slash. */
	readonly route: string;
	/** The request as it would have come to the engine: its path is what `[...all]` stands for. */
	readonly request: Request;
}

/**
 * Strips the part of the path that leads to the route. What follows stays as it came, byte for byte; of the
 * segments that Next.js gives (decoded in some versions) only the number is used.
 */
export function withoutRoute(request: Request, all: readonly string[]): RoutedRequest {
	const url = new URL(request.url);
	const parts = url.pathname.split("/");
	const isSlashed = parts.at(-1) === "";
	const first = Math.max(1, parts.length - all.length - (isSlashed ? 1 : 0));
	const route = url.origin + parts.slice(0, first).join("/");
	url.pathname = `/${parts.slice(first).join("/")}`;
	return { route, request: new Request(url, request) };
}
