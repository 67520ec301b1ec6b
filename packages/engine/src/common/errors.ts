import {
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	CLOSE_ERROR,
	contentType,
	type Encoding,
	encodeHttpResponseError,
	encodeToClient,
	HEADER_ENCODING,
	HEADER_RAY_ID,
	type HeadersView,
	isActorError,
	isLogged,
	parseActorId,
	parseEncoding,
	parseSubprotocols,
	toWireError,
} from "@rivetkit/protocol";
import type { EngineLogger } from "./logger.ts";

/** The path of the action and event protocol, with anything a request may add to it. */
const CONNECT_PATH = /^\/connect\/?(?:\?|$)/;

/** Whether a look-up or a start found that the actor is gone. */
export function isActorNotFound(error: unknown): boolean {
	return isActorError(error) && error.group === "actor" && error.code === "not_found";
}

/** Whether an actor was not ready in the time that who waited for it had. */
export function isReadyTimeout(error: unknown): boolean {
	return isActorError(error) && error.group === "guard" && error.code === "actor_ready_timeout";
}

/** The unstructured answer for a route that does not exist (protocol 2.2). */
export function notFound(): ActorResponse {
	return {
		status: 404,
		headers: { "content-type": "text/plain; charset=UTF-8" },
		body: "Not Found",
	};
}

/** Turns what was thrown into what callers see, masked and encoded as they asked (protocol 2.6, 6.1). */
export class ErrorAnswers {
	readonly #logger: EngineLogger;
	readonly #expose: () => boolean;

	/** @param expose - whether callers see private errors; asked for each error */
	constructor(logger: EngineLogger, expose: () => boolean) {
		this.#logger = logger;
		this.#expose = expose;
	}

	/** An HTTP answer in the encoding the request asked for, or in JSON when it asked for none. */
	response(error: unknown, request: { readonly headers: HeadersView }): ActorResponse {
		const encoding = encodingOf(request.headers.get(HEADER_ENCODING));
		const wire = this.#wire(error);
		return {
			status: wire.statusCode,
			headers: { "content-type": contentType(encoding) },
			body: encodeHttpResponseError(encoding, wire),
		};
	}

	/** Something went wrong that is nobody's fault but ours. */
	log(error: unknown, message: string): void {
		this.#logger.error({ err: error }, message);
	}

	/** Closes with 1011 `group.code`, or `group.code#ray` where requests have ids (engine 3.1); protocol sockets get the whole error in a frame first (3.3). */
	closeSocket(
		socket: Pick<ActorSocket, "send" | "close">,
		error: unknown,
		upgrade: ActorUpgrade,
	): void {
		const wire = this.#wire(error);
		if (CONNECT_PATH.test(upgrade.path)) {
			const { encoding, error: unreadable } = parseSubprotocols(upgrade.protocols);
			if (unreadable?.group !== "encoding") {
				socket.send(encodeToClient(encoding, { tag: "Error", ...wire, actionId: null }));
			}
		}
		const ray = upgrade.headers.get(HEADER_RAY_ID);
		const isNamed = ray !== null && parseActorId(ray) !== null;
		socket.close(CLOSE_ERROR, `${wire.group}.${wire.code}${isNamed ? `#${ray}` : ""}`);
	}

	#wire(error: unknown) {
		const wire = toWireError(error, { expose: this.#expose() });
		if (isCallerGone(error)) {
			this.#logger.debug({ err: error }, "a caller went away before its call reached the actor");
		} else if (wire.statusCode >= 500) {
			// Of an actor that does not start each caller gets the same error.
			const level = isLogged(error) ? "debug" : "error";
			this.#logger[level]({ err: error }, "a call failed before it reached its actor");
		}
		return wire;
	}
}

function isCallerGone(error: unknown): boolean {
	return error instanceof DOMException && error.name === "AbortError";
}

function encodingOf(text: string | null): Encoding {
	try {
		return parseEncoding(text);
	} catch {
		return "json";
	}
}
