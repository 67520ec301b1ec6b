import type { EngineStats } from "../apart.ts";
import type { ClusterMetric } from "../cluster/cluster-metrics.ts";

/** What `rivet-engine` counts, as Prometheus text (contract: engine 8). */
export function engineMetrics(
	stats: EngineStats,
	liveCount: number,
	socketCount: number,
	cluster: readonly ClusterMetric[],
): string {
	const lines: string[] = [];
	const gauge = (name: string, help: string, values: readonly (readonly [string, number])[]) => {
		lines.push(`# HELP rivet_engine_${name} ${help}`, `# TYPE rivet_engine_${name} gauge`);
		for (const [labels, value] of values) lines.push(`rivet_engine_${name}${labels} ${value}`);
	};
	gauge("runners", "Runners by state.", [
		[`{state="connected"}`, stats.connected],
		[`{state="disconnected"}`, stats.disconnected],
		[`{state="draining"}`, stats.draining],
	]);
	gauge("slots_free", "Actors that connected runners could take.", [["", stats.freeSlots]]);
	gauge("actors_waiting", "Actors that wait for a slot.", [["", stats.waiting]]);
	gauge("tunnel_backlog_bytes", "Calls and messages that wait for runners to come back.", [
		["", stats.tunnelBacklogBytes],
	]);
	gauge("serverless_requests_open", "Requests to hosts of serverless pools.", [
		["", stats.serverlessRequests],
	]);
	gauge("pools_failing", "Serverless pools whose starts fail.", [["", stats.poolsFailing]]);
	gauge("actors_live", "Actors with an incarnation.", [["", liveCount]]);
	gauge("websockets_open", "WebSockets of clients.", [["", socketCount]]);
	for (const { name, help, type, values } of cluster) {
		lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
		for (const [labels, value] of values) {
			const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
			lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`);
		}
	}
	return `${lines.join("\n")}\n`;
}
