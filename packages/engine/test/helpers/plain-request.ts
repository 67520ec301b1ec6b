import type { ActorRequest } from "@rivetkit/protocol";

/** A request that came without a network. */
export function plainRequest(
	method: string,
	path: string,
	body = "",
	headers: Record<string, string> = {},
	signal: AbortSignal = new AbortController().signal,
): ActorRequest {
	const bytes = new TextEncoder().encode(body);
	return {
		method,
		path,
		headers: {
			get: (name) => headers[name] ?? null,
			entries: () => Object.entries(headers),
		},
		body: {
			bytes: () => Promise.resolve(bytes),
			stream: () => (body === "" ? null : new Blob([bytes]).stream()),
		},
		signal,
	};
}
