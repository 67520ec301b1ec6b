import { performance } from "node:perf_hooks";
import { limitHits } from "@rivetkit/protocol";
import type { ActorInstance } from "../../instance/instance.ts";
import type { HostTelemetry } from "../host-telemetry.ts";
import { type Labels, PrometheusText } from "./prometheus.ts";
import type { TypeMetrics } from "./type-metrics.ts";

/** What is counted besides what actors did. */
export interface MetricsSources {
	readonly telemetry: HostTelemetry;
	readonly live: Iterable<ActorInstance>;
	/** How many actors there are by type, awake or not. */
	readonly actorCounts: ReadonlyMap<string, number>;
	/** WebSockets that are open. */
	readonly socketCount: number;
	/** Of this process as a node among others; empty when it is alone. */
	readonly cluster: readonly ClusterFigure[];
}

/** What the engine measures of nodes. */
interface ClusterFigure {
	readonly name: string;
	readonly help: string;
	readonly type: "gauge" | "counter";
	readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

/** What live actors of one type hold now. */
interface Present {
	actors: number;
	messages: number;
	connections: number;
}

/** Everything that is measured, as Prometheus text. Names and labels: docs/metrics.md. */
export function metricsText(sources: MetricsSources): string {
	const text = new PrometheusText();
	writeWork(text, sources.telemetry.types);
	writePresence(text, sources);
	writeLimits(text);
	for (const { name, help, type, values } of sources.cluster) text[type](name, help, values);
	writeProcess(text);
	return text.text;
}

type Types = ReadonlyMap<string, TypeMetrics>;

function writeWork(text: PrometheusText, types: Types): void {
	text.counter(
		"rivetkit_calls_total",
		"Calls of actors that have ended.",
		each(types, function* (actor, { calls }) {
			for (const [kind, { succeeded, failed }] of Object.entries(calls)) {
				if (succeeded + failed === 0) continue;
				yield [{ actor, kind, outcome: "ok" }, succeeded];
				yield [{ actor, kind, outcome: "error" }, failed];
			}
		}),
	);
	text.histogram(
		"rivetkit_call_duration_seconds",
		"From when a call came to its actor until it was answered, without the wait for the disk.",
		each(types, function* (actor, { calls }) {
			for (const [kind, { duration }] of Object.entries(calls)) {
				if (duration.count > 0) yield [{ actor, kind }, duration];
			}
		}),
	);
	text.counter(
		"rivetkit_commits_total",
		"Commits of actors.",
		each(types, function* (actor, { commits }) {
			yield [{ actor, outcome: "ok" }, commits.succeeded];
			yield [{ actor, outcome: "error" }, commits.failed];
		}),
	);
	text.histogram(
		"rivetkit_commit_duration_seconds",
		"From when a commit was handed to the store until it was durable.",
		each(types, function* (actor, { commits }) {
			yield [{ actor }, commits.duration];
		}),
	);
	text.histogram(
		"rivetkit_commit_bytes",
		"Keys and values of a commit.",
		each(types, function* (actor, { commitBytes }) {
			yield [{ actor }, commitBytes];
		}),
	);
	text.counter(
		"rivetkit_actor_starts_total",
		"Starts of actors: creations and wakes.",
		each(types, function* (actor, { starts }) {
			yield [{ actor, outcome: "ok" }, starts.succeeded];
			yield [{ actor, outcome: "error" }, starts.failed];
		}),
	);
	text.histogram(
		"rivetkit_actor_start_duration_seconds",
		"From when an actor began to start until it was ready.",
		each(types, function* (actor, { starts }) {
			yield [{ actor }, starts.duration];
		}),
	);
	text.counter(
		"rivetkit_actor_stops_total",
		"Ends of live actors, by what became of them.",
		each(types, function* (actor, { stops }) {
			for (const [outcome, count] of Object.entries(stops)) yield [{ actor, outcome }, count];
		}),
	);
	text.counter(
		"rivetkit_events_total",
		"Events that actors emitted, to many or to one, whoever heard them.",
		each(types, function* (actor, { events }) {
			yield [{ actor }, events];
		}),
	);
	text.counter(
		"rivetkit_queue_deliveries_total",
		"Deliveries of queue messages that have ended.",
		each(types, function* (actor, { deliveries }) {
			for (const [outcome, count] of Object.entries(deliveries)) {
				yield [{ actor, outcome }, count];
			}
		}),
	);
}

function* each<Value>(
	types: Types,
	samples: (actor: string, metrics: TypeMetrics) => Iterable<readonly [Labels, Value]>,
): Generator<readonly [Labels, Value]> {
	for (const [actor, metrics] of types) yield* samples(actor, metrics);
}

function writePresence(
	text: PrometheusText,
	{ live, actorCounts, socketCount, telemetry }: MetricsSources,
): void {
	const present = presentIn(live);
	const names = new Set([...actorCounts.keys(), ...present.keys()]);
	const actors: [Labels, number][] = [];
	for (const actor of names) {
		const awake = present.get(actor)?.actors ?? 0;
		// The count of all may be a little older.
		const asleep = Math.max(0, (actorCounts.get(actor) ?? 0) - awake);
		actors.push([{ actor, status: "live" }, awake], [{ actor, status: "sleeping" }, asleep]);
	}
	text.gauge("rivetkit_actors", "Actors there are.", actors);
	// Also of which none is live now: a gauge that stays away keeps its last value in some dashboards.
	const seen = [...new Set([...names, ...telemetry.types.keys()])];
	text.gauge(
		"rivetkit_queue_depth",
		"Messages in the queues of live actors.",
		seen.map((actor) => [{ actor }, present.get(actor)?.messages ?? 0]),
	);
	text.gauge(
		"rivetkit_connections",
		"Connections of live actors.",
		seen.map((actor) => [{ actor }, present.get(actor)?.connections ?? 0]),
	);
	text.gauge("rivetkit_websockets_open", "WebSockets that are open.", [[{}, socketCount]]);
	text.gauge(
		"rivetkit_trace_bytes",
		"What is kept of spans, events and log lines for the inspector, about.",
		[[{}, telemetry.trails.bytes]],
	);
	text.counter(
		"rivetkit_traces_left_out_total",
		"Calls and other work that no span is about, because there was too much of it.",
		telemetry.recordsSpans ? [[{}, telemetry.leftOut]] : [],
	);
}

function presentIn(live: Iterable<ActorInstance>): Map<string, Present> {
	const present = new Map<string, Present>();
	for (const { name, made } of live) {
		let sum = present.get(name);
		if (!sum) {
			sum = { actors: 0, messages: 0, connections: 0 };
			present.set(name, sum);
		}
		sum.actors++;
		sum.messages += made.queue?.data.index.size ?? 0;
		sum.connections += made.connections?.size ?? 0;
	}
	return present;
}

/** Of the whole process: also what its front refuses before an actor is asked. */
function writeLimits(text: PrometheusText): void {
	text.counter(
		"rivetkit_limit_hits_total",
		"How often a limit was hit, by the error that says so.",
		limitHits().map(([limit, count]) => [{ limit }, count]),
	);
}

/** The names that Prometheus's own libraries use. */
function writeProcess(text: PrometheusText): void {
	const { process } = globalThis;
	const { user, system } = process.cpuUsage();
	const memory = process.memoryUsage();
	const one = (value: number): [Labels, number][] => [[{}, value]];
	text.counter(
		"process_cpu_seconds_total",
		"Processor time of the process.",
		one((user + system) / 1_000_000),
	);
	text.gauge("process_resident_memory_bytes", "Resident memory.", one(memory.rss));
	text.gauge("nodejs_heap_size_used_bytes", "Heap in use.", one(memory.heapUsed));
	text.gauge("nodejs_heap_size_total_bytes", "Heap.", one(memory.heapTotal));
	text.gauge("nodejs_external_memory_bytes", "Memory outside the heap.", one(memory.external));
	text.gauge(
		"process_start_time_seconds",
		"When the process began, since the epoch.",
		one(performance.timeOrigin / 1_000),
	);
	text.gauge(
		"nodejs_eventloop_utilization_ratio",
		"How much of its time the event loop was busy, since the process began.",
		one(performance.eventLoopUtilization().utilization ?? 0),
	);
}
