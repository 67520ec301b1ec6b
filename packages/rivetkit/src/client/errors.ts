import { isActorError } from "@rivetkit/protocol";

/** Base of every error that `rivetkit/client` throws on its own account. */
export class ActorClientError extends Error {
	override readonly name: string = "ActorClientError";
}

/**
 * A structured error: what the server answered with (contract: protocol 6), or, as
 * `rivetkit.internal_error` with its real message, what kept the call from being answered.
 * `group` and `code` are the interface; messages may change.
 */
export class ActorError extends ActorClientError {
	override readonly name: string = "ActorError";
	/** Recognises the error across copies of the library. */
	readonly __type = "ActorError";
	readonly group: string;
	readonly code: string;
	/** What the server attached; `undefined` when it attached nothing. */
	readonly metadata: unknown;

	constructor(
		group: string,
		code: string,
		message: string,
		metadata?: unknown,
		options?: ErrorOptions,
	) {
		super(message, options);
		this.group = group;
		this.code = code;
		this.metadata = metadata;
	}
}

/** The engine could not start the actor. `details` is what it says about why. */
export class ActorSchedulingError extends ActorError {
	override readonly name = "ActorSchedulingError";
	readonly actorId: string;
	readonly details: unknown;

	constructor(group: string, code: string, actorId: string, details: unknown) {
		super(group, code, `Actor failed to start (${actorId}): ${JSON.stringify(details)}`, {
			actorId,
			details,
		});
		this.actorId = actorId;
		this.details = details;
	}
}

/** No usable answer arrived: the network failed, or what answered does not speak the protocol. */
export class HttpRequestError extends ActorClientError {
	override readonly name: string = "HttpRequestError";

	constructor(detail: string, options?: ErrorOptions) {
		super(`HTTP request error: ${detail}`, options);
	}
}

/** A connection was used after `dispose()`, or disposed while the call was waiting. */
export class ActorConnDisposed extends ActorClientError {
	override readonly name = "ActorConnDisposed";

	constructor() {
		super("Attempting to interact with a disposed actor connection.");
	}
}

/** The client broke one of its own rules; always a defect. */
export class InternalError extends ActorClientError {
	override readonly name = "InternalError";
}

/** The management API answered something unusable. */
export class ManagerError extends ActorClientError {
	override readonly name = "ManagerError";

	constructor(detail: string, options?: ErrorOptions) {
		super(`Manager error: ${detail}`, options);
	}
}

/** A server message could not be decoded. */
export class MalformedResponseMessage extends ActorClientError {
	override readonly name = "MalformedResponseMessage";

	constructor(cause?: unknown) {
		super(`Malformed response message: ${describeCause(cause)}`, { cause });
	}
}

/** Whether `error` is a structured error with this group and code, from whatever copy of the library. */
export function isRivetErrorCode(error: unknown, group: string, code: string): boolean {
	if (typeof error !== "object" || error === null) return false;
	const candidate = error as { group?: unknown; code?: unknown };
	return candidate.group === group && candidate.code === code;
}

/**
 * Contract (protocol 6.4): actions fail with an `ActorError` only. Failures on this side of the wire
 * become `rivetkit.internal_error` with their real message.
 */
export function asActorError(error: unknown): ActorError {
	if (error instanceof ActorError) return error;
	if (isActorError(error)) {
		return new ActorError(error.group, error.code, error.message, error.metadata, { cause: error });
	}
	return new ActorError("rivetkit", "internal_error", describeCause(error), undefined, {
		cause: error,
	});
}

/** Errors of ours stay what they are; others, such as values that cannot travel, become `ActorError`s. */
export function asClientError(error: unknown): ActorClientError {
	return error instanceof ActorClientError ? error : asActorError(error);
}

/** The message of an error with those of its causes, which is where fetch hides the reason. */
export function describeCause(error: unknown): string {
	const texts: string[] = [];
	for (let link = error, depth = 0; link !== undefined && depth < 4; depth++) {
		const text = link instanceof Error ? link.message || link.name : String(link);
		for (const part of [text, codeOf(link)]) {
			if (part && !texts.some((known) => known.includes(part))) texts.push(part);
		}
		link = link instanceof Error ? link.cause : undefined;
	}
	return texts.join(": ");
}

function codeOf(error: unknown): string | undefined {
	const code = (error as { code?: unknown } | null)?.code;
	return typeof code === "string" && !(error instanceof ActorError) ? code : undefined;
}
