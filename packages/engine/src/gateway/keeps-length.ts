import type { ActorResponse } from "@rivetkit/protocol";

/** Whether the length that the actor tells is that of what there is; otherwise what is sent is counted. */
export function keepsLength({ status, body }: ActorResponse, isHead: boolean): boolean {
	if (body === null) {
		return isHead ? status !== 204 : status === 304;
	}
	return body instanceof ReadableStream && status !== 204;
}
