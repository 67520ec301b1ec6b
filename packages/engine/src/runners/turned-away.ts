import { type ActorResponse, HEADER_ERROR } from "@rivetkit/protocol";

/** What a runner says in `x-rivet-error` of a call that it could not bring to its actor (contract: engine 3.7). */
const CODES: ReadonlySet<string> = new Set([
	"guard.service_unavailable",
	"guard.actor_ready_timeout",
	"guard.actor_stopped_while_waiting",
	"guard.tunnel_request_aborted",
	"guard.tunnel_message_timeout",
	"guard.tunnel_response_closed",
	"guard.gateway_response_start_timeout",
]);

/** Whether an answer is none of the actor's: its call may be made again. */
export function turnsAway({ status, headers }: ActorResponse): boolean {
	if (status !== 503 && status !== 504) return false;
	const code = headers[HEADER_ERROR];
	return typeof code === "string" && CODES.has(code);
}
