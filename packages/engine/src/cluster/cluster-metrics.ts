import type { RoundTrips } from "../store/postgres/round-trips.ts";
import type { ClusterCounters } from "./cluster-counters.ts";

/** One measured figure with its labels, as Prometheus has it. */
export interface ClusterMetric {
	readonly name: string;
	readonly help: string;
	readonly type: "gauge" | "counter";
	readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

export interface ClusterState {
	/** Nodes that live, this one included. */
	readonly nodes: { readonly serving: number; readonly draining: number };
	/** Whether this node holds its lease, and for how long still (ms). */
	readonly lease: { readonly isHeld: boolean; readonly leftMs: number };
	readonly owned: number;
	/** To the nodes that live. */
	readonly links: { readonly open: number; readonly missing: number };
	readonly counters: ClusterCounters;
	readonly roundTrips: Readonly<Record<"write" | "read" | "lease", RoundTrips>>;
}

/** What is measured of a node among others. Names and labels: docs/metrics.md. */
export function clusterMetrics(state: ClusterState): ClusterMetric[] {
	const { nodes, lease, owned, links, counters, roundTrips } = state;
	const trips = Object.entries(roundTrips);
	return [
		gauge("rivetkit_cluster_nodes", "Nodes that live, this one included.", [
			[{ state: "serving" }, nodes.serving],
			[{ state: "draining" }, nodes.draining],
		]),
		gauge("rivetkit_cluster_lease_held", "Whether this node may run actors.", [
			[{}, lease.isHeld ? 1 : 0],
		]),
		gauge(
			"rivetkit_cluster_lease_left_seconds",
			"Until this node's lease ends unless it is renewed.",
			[[{}, lease.leftMs / 1000]],
		),
		counter("rivetkit_cluster_leases_lost_total", "Leases that could not be renewed in time.", [
			[{}, counters.leasesLost],
		]),
		gauge("rivetkit_cluster_actors_owned", "Actors with an incarnation on this node.", [
			[{}, owned],
		]),
		counter("rivetkit_cluster_take_overs_total", "Actors that were taken after a node that died.", [
			[{}, counters.takeOvers],
		]),
		gauge("rivetkit_cluster_links", "Links to the other nodes that live.", [
			[{ state: "open" }, links.open],
			[{ state: "missing" }, links.missing],
		]),
		counter("rivetkit_cluster_links_lost_total", "Links that broke.", [[{}, counters.linksLost]]),
		counter(
			"rivetkit_cluster_calls_total",
			"Calls to other nodes: for actors that run there, and about them.",
			Object.entries(counters.calls).flatMap(([call, { succeeded, failed }]) => [
				[{ call, outcome: "ok" }, succeeded] as const,
				[{ call, outcome: "error" }, failed] as const,
			]),
		),
		counter(
			"rivetkit_store_round_trips_total",
			"Questions to PostgreSQL: transactions that write, reads, and renewals of the lease.",
			trips.map(([kind, { count }]) => [{ kind }, count]),
		),
		counter(
			"rivetkit_store_round_trip_seconds_total",
			"Time until they were answered.",
			trips.map(([kind, { seconds }]) => [{ kind }, seconds]),
		),
	];
}

function gauge(name: string, help: string, values: ClusterMetric["values"]): ClusterMetric {
	return { name, help, type: "gauge", values };
}

function counter(name: string, help: string, values: ClusterMetric["values"]): ClusterMetric {
	return { name, help, type: "counter", values };
}
