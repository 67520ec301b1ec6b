// `GET /metrics`: Prometheus text against counted work (ours; docs/metrics.md).
import { CATALOGUE, LIMIT_ERRORS } from "@rivetkit/protocol";
import { expect, it, vi } from "vitest";
import { actor, event, queue } from "../../src/index.ts";
import { Histogram } from "../../src/runtime/telemetry/metrics/histogram.ts";
import { PrometheusText } from "../../src/runtime/telemetry/metrics/prometheus.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

/** Values by name and labels, as they are written; and the type of each family. */
interface Metrics {
	readonly values: ReadonlyMap<string, number>;
	readonly types: ReadonlyMap<string, string>;
}

/** Reads the text format strictly: each line has to be one that the format knows. */
function readMetrics(text: string): Metrics {
	const values = new Map<string, number>();
	const types = new Map<string, string>();
	expect(text.endsWith("\n")).toBe(true);
	for (const line of text.slice(0, -1).split("\n")) {
		const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
		if (type) {
			expect(types.has(type[1]!)).toBe(false);
			types.set(type[1]!, type[2]!);
			continue;
		}
		if (/^# HELP [a-z_]+ \S/.test(line)) continue;
		const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+)$/.exec(line);
		if (!sample) throw new Error(`no line of the format: ${line}`);
		const [, name, labels = "", value] = sample;
		const family = types.has(name!) ? name! : name!.replace(/_(bucket|sum|count)$/, "");
		expect([line, types.has(family)]).toEqual([line, true]);
		expect(values.has(name! + labels)).toBe(false);
		values.set(name! + labels, Number(value));
	}
	return { values, types };
}

async function metricsOf(runtime: TestRuntime): Promise<Metrics> {
	const response = await fetch(`${runtime.url}/metrics`);
	expect(response.status).toBe(200);
	expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
	return readMetrics(await response.text());
}

const worker = actor({
	state: { n: 0 },
	events: { news: event() },
	queues: { jobs: queue<number>(), left: queue<number>() },
	options: { noSleep: true },
	onRequest: () => new Response("x"),
	run: async (c) => {
		for await (const message of c.queue.iter({ names: ["jobs"] })) c.state.n += message.body;
	},
	actions: {
		add: (c, by: number) => {
			c.state.n += by;
			c.broadcast("news", 1);
		},
		fail: () => {
			throw new Error("broken");
		},
		leave: (c) => c.queue.send("left", 1),
		soon: (c) => c.schedule.after(1, "add", 1),
		tomorrow: (c) => c.schedule.after(86_400_000, "add", 1),
		nap: (c) => c.sleep(),
		tooMuch: (c) => c.kv.put("k", "x".repeat(200_000)).catch(() => {}),
	},
});
const other = actor({ actions: { get: () => 1 } });

it("counts calls, commits, lives, messages and events by type of actor", async () => {
	await using runtime = await TestRuntime.start({ worker, other });
	const [one, two] = [await runtime.actorId("worker", "1"), await runtime.actorId("worker", "2")];
	const third = await runtime.actorId("other", 'a"b');
	for (let at = 0; at < 5; at++) await runtime.action(one, "add", 1);
	for (let at = 0; at < 2; at++) await runtime.action(two, "fail");
	await runtime.action(two, "leave");
	await runtime.action(third, "get");
	await fetch(`${runtime.url}/gateway/${one}/request/`);
	await fetch(`${runtime.url}/gateway/${one}/queue/jobs`, { method: "POST", body: '{"body":2}' });
	await using _socket = await WireSocket.connect(`${runtime.url}/gateway/${one}/connect`);
	await runtime.action(one, "soon");
	await runtime.embedded.host.stop(third, "sleep");
	const { values, types } = await eventually(async () => {
		const metrics = await metricsOf(runtime);
		expect(
			metrics.values.get('rivetkit_calls_total{actor="worker",kind="scheduled",outcome="ok"}'),
		).toBe(1);
		expect(
			metrics.values.get('rivetkit_queue_deliveries_total{actor="worker",outcome="completed"}'),
		).toBe(1);
		return metrics;
	});
	const calls = (kind: string, outcome: string) =>
		values.get(`rivetkit_calls_total{actor="worker",kind="${kind}",outcome="${outcome}"}`);
	expect(calls("action", "ok")).toBe(7);
	expect(calls("action", "error")).toBe(2);
	expect(calls("request", "ok")).toBe(1);
	expect(calls("queue-send", "ok")).toBe(1);
	const duration = 'rivetkit_call_duration_seconds_count{actor="worker",kind="action"}';
	expect(values.get(duration)).toBe(9);
	expect(
		values.get('rivetkit_call_duration_seconds_bucket{actor="worker",kind="action",le="+Inf"}'),
	).toBe(9);
	expect(values.get('rivetkit_actors{actor="worker",status="live"}')).toBe(2);
	expect(values.get('rivetkit_actors{actor="worker",status="sleeping"}')).toBe(0);
	expect(values.get('rivetkit_actors{actor="other",status="live"}')).toBe(0);
	expect(values.get('rivetkit_actors{actor="other",status="sleeping"}')).toBe(1);
	expect(values.get('rivetkit_actor_starts_total{actor="worker",outcome="ok"}')).toBe(2);
	expect(values.get('rivetkit_actor_stops_total{actor="other",outcome="asleep"}')).toBe(1);
	expect(values.get('rivetkit_events_total{actor="worker"}')).toBe(6);
	expect(values.get('rivetkit_queue_depth{actor="worker"}')).toBe(1);
	expect(values.get('rivetkit_connections{actor="worker"}')).toBe(1);
	// Of which none is live: not the last value they had.
	expect(values.get('rivetkit_queue_depth{actor="other"}')).toBe(0);
	expect(values.get('rivetkit_connections{actor="other"}')).toBe(0);
	expect(values.get("rivetkit_websockets_open")).toBe(1);
	const commits = values.get('rivetkit_commits_total{actor="worker",outcome="ok"}')!;
	expect(commits).toBeGreaterThanOrEqual(7);
	expect(values.get('rivetkit_commit_bytes_count{actor="worker"}')).toBe(commits);
	expect(values.get('rivetkit_commit_duration_seconds_count{actor="worker"}')).toBe(commits);
	expect(values.get('rivetkit_commit_bytes_sum{actor="worker"}')).toBeGreaterThan(0);
	expect(values.get("process_resident_memory_bytes")).toBeGreaterThan(1e6);
	expect(types.get("rivetkit_call_duration_seconds")).toBe("histogram");
	expect(types.get("process_cpu_seconds_total")).toBe("counter");
});

it("is for callers on this machine, or with the token when there is one", async () => {
	const status = async (runtime: TestRuntime, headers: Record<string, string> = {}) =>
		(await fetch(`${runtime.url}/metrics`, { headers })).status;
	await using open = await TestRuntime.start({ other });
	expect(await status(open)).toBe(200);
	// A page on this machine may; one from elsewhere would have the browser of somebody who works here ask.
	expect(await status(open, { origin: "http://localhost:5173" })).toBe(200);
	expect(await status(open, { origin: "https://evil.example" })).toBe(403);
	// Nobody knows where a request comes from that came through a server of the user's.
	const through = () => open.embedded.engine.fetch(new Request("http://x/metrics"));
	expect((await through()).status).toBe(403);
	vi.stubEnv("NODE_ENV", "development");
	expect((await through()).status).toBe(200);
	vi.unstubAllEnvs();
	await using closed = await TestRuntime.start({ other }, { token: "engine" });
	expect(await status(closed)).toBe(403);
	expect(await status(closed, { authorization: "Bearer engine" })).toBe(200);
	expect(await status(closed, { "x-rivet-token": "engine" })).toBe(200);
	await using off = await TestRuntime.start(
		{ other },
		{ telemetry: { traces: null, metrics: false } },
	);
	expect(await status(off)).toBe(404);
});

it("one actor's own, awake or asleep, for whoever may inspect it, without waking it", async () => {
	await using runtime = await TestRuntime.start(
		{ worker },
		{ token: "engine", inspection: { token: () => "s3cret" } },
	);
	const id = await runtime.actorId("worker", 'a"b');
	await runtime.action(id, "add", 1);
	await runtime.action(id, "fail");
	await runtime.action(id, "leave");
	const get = (headers: Record<string, string> = {}) =>
		fetch(`${runtime.url}/gateway/${id}/metrics`, { headers });
	expect((await get()).status).toBe(401);
	const read = async () => {
		const response = await get({ authorization: "Bearer s3cret" });
		expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
		const { values } = readMetrics(await response.text());
		return (name: string, more = "") =>
			values.get(`rivetkit_actor_${name}{actor="worker",key="a\\"b",actor_id="${id}"${more}}`);
	};
	const awake = await read();
	expect(awake("awake")).toBe(1);
	expect(awake("queue_depth")).toBe(1);
	expect(awake("connections")).toBe(0);
	expect(awake("calls_total", ',outcome="ok"')).toBe(2);
	expect(awake("calls_total", ',outcome="error"')).toBe(1);
	expect(awake("commits_total", ',outcome="ok"')).toBeGreaterThan(1);
	expect(awake("commit_bytes_total")).toBeGreaterThan(0);
	const generation = awake("generation")!;
	await runtime.action(id, "tomorrow");
	const tomorrow = Date.now() / 1_000 + 86_400;
	await runtime.embedded.host.stop(id, "sleep");
	const asleep = await read();
	expect(Math.abs(asleep("wakes_at_seconds")! - tomorrow)).toBeLessThan(60);
	expect(asleep("generation")).toBe(generation);
	expect([asleep("awake"), asleep("queue_depth")]).toEqual([0, 1]);
	expect(asleep("calls_total", ',outcome="ok"')).toBeUndefined();
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});

it("counts each limit that is hit, by the error that says so", async () => {
	await using runtime = await TestRuntime.start({ worker }, { maxIncomingMessageSize: 2_000 });
	const id = await runtime.actorId("worker");
	const before = await metricsOf(runtime);
	const hits = async (limit: string) => {
		const name = `rivetkit_limit_hits_total{limit="${limit}"}`;
		return ((await metricsOf(runtime)).values.get(name) ?? 0) - (before.values.get(name) ?? 0);
	};
	expect((await runtime.action(id, "add", "x".repeat(3_000))).status).toBe(400);
	expect(await hits("message.incoming_too_long")).toBe(1);
	// One that its actor deals with counts as well.
	await runtime.action(id, "tooMuch");
	expect(await hits("kv.value_too_large")).toBe(1);
	expect(await hits("queue.full")).toBe(0);
	// Keys over their limits are refused as invalid requests, and counted as what they are.
	await expect(runtime.actorId("worker", "k".repeat(129))).rejects.toThrow();
	await expect(runtime.actorId("worker", "k".repeat(128))).resolves.toBeTypeOf("string");
	expect(await hits("actor.key_too_large")).toBe(1);
	for (const limit of LIMIT_ERRORS) {
		const isClose = limit === "connection.buffer_full";
		expect([limit, limit in CATALOGUE || isClose]).toEqual([limit, true]);
	}
});

it("counts without spans, too", async () => {
	await using runtime = await TestRuntime.start(
		{ other },
		{ telemetry: { traces: null, metrics: true } },
	);
	const id = await runtime.actorId("other");
	await runtime.action(id, "get");
	const { values } = await metricsOf(runtime);
	expect(values.get('rivetkit_calls_total{actor="other",kind="action",outcome="ok"}')).toBe(1);
	expect(values.get('rivetkit_commit_duration_seconds_count{actor="other"}')).toBe(1);
	expect(values.get("rivetkit_trace_bytes")).toBe(0);
});

it("writes the text format: cumulative buckets, escaped labels", () => {
	const histogram = new Histogram([1, 2, 5]);
	for (const value of [0.5, 1, 1.5, 5, 7]) histogram.observe(value);
	const text = new PrometheusText();
	text.histogram("h", "Help.", [[{ a: 'x"\\\n' }, histogram]]);
	text.gauge("empty", "Nothing.", []);
	expect(text.text).toBe(
		[
			"# HELP h Help.",
			"# TYPE h histogram",
			'h_bucket{a="x\\"\\\\\\n",le="1"} 2',
			'h_bucket{a="x\\"\\\\\\n",le="2"} 3',
			'h_bucket{a="x\\"\\\\\\n",le="5"} 4',
			'h_bucket{a="x\\"\\\\\\n",le="+Inf"} 5',
			'h_sum{a="x\\"\\\\\\n"} 15',
			'h_count{a="x\\"\\\\\\n"} 5',
			"",
		].join("\n"),
	);
});
