import { type ActorRequest, catalogueError, type HeadersView } from "@rivetkit/protocol";

/**
 * A request on its way through the front. Addressing takes off what is for the gateway (base path,
 * routing headers) by setting `path`, `method` and `headers`; what is left goes to the actor as it is.
 */
export interface InboundRequest extends ActorRequest {
	method: string;
	path: string;
	headers: HeadersView;
	readonly peerAddress: string | undefined;
}

/** Path and query of a request target: also proxies' absolute form is legal (RFC 9112, 3.2.2). */
export function pathOfTarget(target: string): string {
	if (target.startsWith("/")) {
		return target;
	}
	const absolute = /^https?:\/\/[^/?#]*(.*)$/i.exec(target);
	if (absolute === null) {
		return target;
	}
	const rest = absolute[1]!;
	return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Headers without some of them. */
export function withoutHeaders(headers: HeadersView, names: readonly string[]): HeadersView {
	return {
		get: (name) => (names.includes(name) ? null : headers.get(name)),
		*entries() {
			for (const entry of headers.entries()) {
				if (!names.includes(entry[0])) {
					yield entry;
				}
			}
		},
	};
}

/** Headers with one more, in place of those of that name. */
export function withHeader(headers: HeadersView, name: string, value: string): HeadersView {
	return {
		get: (asked) => (asked === name ? value : headers.get(asked)),
		*entries() {
			for (const entry of headers.entries()) {
				if (entry[0] !== name) {
					yield entry;
				}
			}
			yield [name, value];
		},
	};
}

/**
 * Why a body was refused: it has more bytes than its reader takes, or than any body may have.
 *
 * @param declaredBytes - its length, where the head says so
 */
export function bodyTooLong(
	limitBytes: number,
	bodyBytesMax: number,
	declaredBytes?: number,
): unknown {
	if (limitBytes >= bodyBytesMax) {
		return catalogueError("guard.invalid_request_body", { limit: bodyBytesMax });
	}
	const size = declaredBytes === undefined ? undefined : { size: declaredBytes };
	return catalogueError("message.incoming_too_long", { ...size, limit: limitBytes });
}

/** The reason of a signal whose caller went away. */
export function callerGone(): DOMException {
	return new DOMException("The caller went away before the answer was complete", "AbortError");
}
