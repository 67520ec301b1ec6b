import { serializeKey } from "@rivetkit/protocol";
import type { ActorView } from "../../inspector/view/actor-view.ts";
import { type Labels, PrometheusText } from "./prometheus.ts";

/** What one incarnation did since it began. */
export interface ActorCounts {
	readonly succeeded: number;
	readonly failed: number;
	readonly commits: number;
	readonly failedCommits: number;
	readonly commitBytes: number;
}

/**
 * Metrics of one actor, awake or not (contract: protocol 8.4). Counters are those of its incarnation: without
 * one there are none. Names and labels: docs/metrics.md.
 */
export function actorMetrics(view: ActorView): string {
	const { actorId, name, key, status, generation, wakesAtMs } = view.lifecycle;
	const labels = { actor: name, key: serializeKey(key), actor_id: actorId };
	const one = (value: number, more: Labels = {}): [Labels, number][] => [
		[{ ...labels, ...more }, value],
	];
	const text = new PrometheusText();
	const isAwake = status === "awake" || status === "stopping";
	text.gauge("rivetkit_actor_awake", "Whether the actor is awake.", one(isAwake ? 1 : 0));
	text.gauge("rivetkit_actor_generation", "How often it was started.", one(generation));
	const wakes = wakesAtMs === null ? [] : one(wakesAtMs / 1_000);
	text.gauge("rivetkit_actor_wakes_at_seconds", "When its alarm wakes it, since the epoch.", wakes);
	text.gauge("rivetkit_actor_queue_depth", "Messages.", one(view.queue?.index.size ?? 0));
	text.gauge("rivetkit_actor_connections", "Connections.", one(view.connections.length));
	const { counts } = view;
	if (counts === null) return text.text;
	text.counter("rivetkit_actor_calls_total", "Calls that have ended since it was started.", [
		...one(counts.succeeded, { outcome: "ok" }),
		...one(counts.failed, { outcome: "error" }),
	]);
	text.counter("rivetkit_actor_commits_total", "Commits since it was started.", [
		...one(counts.commits, { outcome: "ok" }),
		...one(counts.failedCommits, { outcome: "error" }),
	]);
	text.counter(
		"rivetkit_actor_commit_bytes_total",
		"Keys and values of its commits since it was started.",
		one(counts.commitBytes),
	);
	return text.text;
}
