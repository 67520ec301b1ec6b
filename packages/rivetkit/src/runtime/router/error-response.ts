import type { WireError } from "@rivetkit/protocol";
import {
	type ActorResponse,
	contentType,
	type Encoding,
	encodeHttpResponseError,
} from "@rivetkit/protocol";

/** A structured error in the encoding the caller asked for (contract: protocol 2.6). */
export function errorResponse(encoding: Encoding, error: WireError): ActorResponse {
	const { group, code, message, metadata } = error;
	return {
		status: error.statusCode,
		headers: { "content-type": contentType(encoding) },
		body: encodeHttpResponseError(encoding, { group, code, message, metadata }),
	};
}

/** A path or method that does not exist: plain text, not a structured error (protocol 2.2). */
export const NOT_FOUND: ActorResponse = {
	status: 404,
	headers: { "content-type": "text/plain; charset=UTF-8" },
	body: "Not Found (RivetKit)",
};
