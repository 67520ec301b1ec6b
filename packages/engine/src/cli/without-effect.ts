/** Keys of the published engine that are taken, so that its configuration starts this one, and change nothing. */
const REASONS: Readonly<Record<string, string>> = {
	cache: "what is kept in memory is kept right by the engine itself",
	nats: "engines that share a PostgreSQL reach each other directly",
	postgres_notify: "hints between engines always go through the PostgreSQL of postgres.url",
	memory: "one engine alone needs nothing to reach others",
	"runtime.worker": "there are no workflow workers; every engine does its own work",
	"runtime.worker_shutdown_duration":
		"there are no workflow workers; every engine does its own work",
	"runtime.allow_version_rollback": "an older engine never opens the store of a newer one",
	"pegboard.gateway_update_ping_interval_ms":
		"calls go over the runner's own socket, which is pinged every pegboard.runner_update_ping_interval_ms",
	"pegboard.gateway_tunnel_ping_timeout_ms":
		"calls go over the runner's own socket, which is lost after pegboard.runner_lost_threshold",
	"pegboard.hibernating_request_eligible_threshold":
		"a hibernating WebSocket counts exactly while it is open",
	"pegboard.actor_allocation_candidate_sample_size": "all runners of a pool are compared",
};

export const KEYS_WITHOUT_EFFECT: readonly string[] = Object.keys(REASONS);

/** One sentence for each key that is set and changes nothing. */
export function withoutEffect(given: object): string[] {
	return Object.entries(REASONS).flatMap(([key, reason]) => {
		const value = key.split(".").reduce<unknown>(member, given);
		// What it says is what is done.
		const isSo = key === "runtime.allow_version_rollback" && value === false;
		return value === undefined || isSo ? [] : [`${key} has no effect here: ${reason}`];
	});
}

function member(tree: unknown, key: string): unknown {
	return (tree as Record<string, unknown> | undefined)?.[key];
}
