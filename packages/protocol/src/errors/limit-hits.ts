/**
 * Errors that say that a limit was hit (contract: lifecycle 21), as `group.code`: of the catalogue, and
 * reasons for which sockets are closed.
 */
export const LIMIT_ERRORS = [
	"action.timed_out",
	"actor.input_too_large",
	"actor.key_too_large",
	"atomic.timed_out",
	"connection.buffer_full",
	"connection.state_too_large",
	"database.busy",
	"database.commit_too_large",
	"database.full",
	"database.result_too_large",
	"database.statement_timed_out",
	"database.stream_timed_out",
	"database.too_many_rows",
	"database.too_many_streams",
	"database.transaction_timed_out",
	"event.name_too_long",
	"event.too_many_subscriptions",
	"guard.actor_ready_timeout",
	"guard.invalid_request_body",
	"guard.rate_limit",
	"guard.request_body_too_large",
	"guard.request_timeout",
	"guard.tunnel_backlog_full",
	"guard.websocket_pending_limit_reached",
	"input.too_large",
	"inspector.too_many_streams",
	"kv.batch_too_large",
	"kv.key_too_large",
	"kv.storage_full",
	"kv.too_many_keys",
	"kv.uncommitted_too_large",
	"kv.value_too_large",
	"message.incoming_too_long",
	"message.outgoing_too_long",
	"queue.full",
	"queue.message_too_large",
	"queue.too_many_waits",
	"request.timed_out",
	"schedule.arguments_too_large",
	"schedule.full",
	"state.too_large",
	"transfer.too_many",
	"validation.too_many_actor_ids",
	"workflow.entry_too_large",
	"workflow.too_many_entries",
] as const;

const hits = new Map<string, number>(LIMIT_ERRORS.map((error) => [error, 0]));

/** One of the catalogue's errors was made. */
export function countLimitHit(error: string): void {
	const count = hits.get(error);
	if (count !== undefined) hits.set(error, count + 1);
}

/** How often each limit was hit since the process began; those that never were are left out. */
export function limitHits(): [error: string, count: number][] {
	return [...hits].filter(([, count]) => count > 0);
}
