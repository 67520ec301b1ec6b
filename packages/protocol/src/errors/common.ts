/**
 * The few catalogue errors that codecs and clients raise themselves, apart from the catalogue so that
 * a browser bundle does not carry the whole table. A test holds their texts against it.
 */
import { RivetError } from "./rivet-error.ts";

/** `message.malformed`: bytes or text that are not the message they should be. */
export function malformed(cause: string, error?: unknown): RivetError {
	return publicError("message", "malformed", `Malformed message: ${cause}`, error);
}

/** What decoding threw: an error of ours as it is, any other as the cause of `message.malformed`. */
export function asMalformed(error: unknown): RivetError {
	if (error instanceof RivetError) return error;
	return malformed(error instanceof Error ? error.message : String(error), error);
}

/** `request.invalid`. */
export function invalidRequest(detail: string): RivetError {
	return publicError("request", "invalid", `Invalid request: ${detail}`);
}

/** `params.invalid`. */
export function invalidParams(detail: string, error?: unknown): RivetError {
	return publicError("params", "invalid", `Invalid params JSON: ${detail}`, error);
}

function publicError(group: string, code: string, message: string, cause?: unknown): RivetError {
	return new RivetError(group, code, message, {
		public: true,
		...(cause === undefined ? {} : { cause }),
	});
}
