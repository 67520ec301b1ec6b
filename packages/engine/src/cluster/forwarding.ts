// How a request to an actor on another node looks to the actor, and its answer to the link.
import {
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	catalogueError,
	type RequestBody,
} from "@rivetkit/protocol";
import type { HeaderEntries, LinkCall, ResponseHead } from "./link-messages.ts";
import type { Streamed } from "./node-link.ts";

export function requestOf(
	{ method, path, headers, body, peerAddress }: Extract<LinkCall, { do: "request" | "inspect" }>,
	signal: AbortSignal,
): ActorRequest {
	return {
		method,
		path,
		headers: headersView(headers),
		body: bodyOf(body),
		signal,
		...(peerAddress === null ? undefined : { peerAddress }),
	};
}

export function upgradeOf({
	path,
	protocols,
	headers,
}: Extract<LinkCall, { do: "openSocket" | "inspectSocket" }>): ActorUpgrade {
	return { path, protocols, headers: headersView(headers) };
}

export function answerOf(response: ActorResponse): ResponseHead | Streamed {
	const { status, headers, body } = response;
	const head = { status, statusText: response.statusText ?? null, headers };
	return body instanceof ReadableStream
		? { head: { ...head, body: null, isStream: true }, stream: body }
		: { ...head, body, isStream: false };
}

function headersView(entries: HeaderEntries) {
	return {
		get: (name: string) => {
			const values = entries.filter(([other]) => other === name).map(([, value]) => value);
			return values.length === 0 ? null : values.join(", ");
		},
		entries: () => entries.map(([name, value]): [string, string] => [name, value]),
	};
}

function bodyOf(bytes: Uint8Array): RequestBody {
	return {
		bytes: async (limitBytes) => {
			if (bytes.byteLength > limitBytes) {
				throw catalogueError("message.incoming_too_long", { limit: limitBytes } as never);
			}
			return bytes;
		},
		stream: () => (bytes.byteLength === 0 ? null : new Response(bytes as BodyInit).body),
	};
}
