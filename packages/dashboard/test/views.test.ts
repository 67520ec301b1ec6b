import type { WorkflowEntryDetails } from "@rivetkit/protocol/inspector/answers";
import { describe, expect, it } from "vitest";
import { parseMetrics } from "../src/app/api/metrics.ts";
import { actorTitle, fullActorTitle, shortActorTitle } from "../src/app/pages/actor-title.ts";
import { matchingActors } from "../src/app/pages/matching-actors.ts";
import { keyText } from "../src/app/panels/kv/key-text.ts";
import { gauge, quantile, rate } from "../src/app/panels/metrics/series.ts";
import { lineOf } from "../src/app/panels/metrics/sparkline.tsx";
import { tracesOf } from "../src/app/panels/traces/spans.ts";
import { blockedText } from "../src/app/panels/workflow/blocked-text.ts";
import { flowOf, leftAsTheyWere } from "../src/app/panels/workflow/flow.ts";
import { normalizeEndpoint } from "../src/app/router/endpoint.ts";
import { parseAddress, printAddress, type Route } from "../src/app/router/route.ts";
import { bytesText } from "../src/app/ui/size.ts";
import { duration, relativeTime, withDurations } from "../src/app/ui/time.tsx";

describe("addresses", () => {
	it.each<[string, Route]>([
		["#/", { page: "types" }],
		["#/actors/chat%20room?q=a%2Fb", { page: "actors", name: "chat room", search: "a/b" }],
		[
			"#/actor/id-1/database?table=a%26b&offset=100",
			{
				page: "actor",
				actorId: "id-1",
				tab: "database",
				options: { table: "a&b", offset: "100" },
			},
		],
	])("%s is a page and back", (hash, route) => {
		expect(parseAddress(hash)).toEqual({ route, server: null });
		for (const server of [null, "https://actors.example:8443/api"]) {
			expect(parseAddress(printAddress({ route, server }))).toEqual({ route, server });
		}
	});

	it.each(["ftp://a.example", "https://user:secret@a.example", "http://"])(
		"lead nowhere when they name the server %s",
		(server) => {
			const { route } = parseAddress(`#/actors/chat?server=${encodeURIComponent(server)}`);
			expect(route.page).toBe("unknown");
		},
	);

	it.each(["#/nowhere", "#/actors", "#/actor/id/nothing", "#/actors/a/b/c", "#/actors/%"])(
		"%s leads nowhere",
		(hash) => expect(parseAddress(hash).route.page).toBe("unknown"),
	);

	it("of servers are taken as people write them", () => {
		expect(normalizeEndpoint(" localhost:6420/ ")).toBe("http://localhost:6420");
		expect(normalizeEndpoint("https://a.example/api/rivet/?x#y")).toBe(
			"https://a.example/api/rivet",
		);
		expect(() => normalizeEndpoint("ftp://a.example")).toThrow(TypeError);
		expect(() => normalizeEndpoint("")).toThrow(TypeError);
		expect(() => normalizeEndpoint("https://default:token@a.example")).toThrow(TypeError);
	});
});

it("sizes are told in the unit that keeps them short", () => {
	expect([0, 1, 2, 999, 1_000, 123_456, 5e9].map(bytesText)).toEqual([
		"0 bytes",
		"1 byte",
		"2 bytes",
		"999 bytes",
		"1.0 kB",
		"123 kB",
		"5.0 GB",
	]);
});

it.each([
	[{ key: "a/b c" }, "a/b c"],
	[{ key: "" }, '""'],
	[{ key: "a " }, '"a "'],
	[{ key: "a\nb" }, '"a\\nb"'],
	[{ key: "\ufffd", keyBytes: Uint8Array.of(255) }, 'Bytes("/w==")'],
])("the key %j is shown as %s", (key, text) => expect(keyText(key)).toBe(text));

describe("a workflow", () => {
	const entry = (id: string, more: Partial<WorkflowEntryDetails> = {}): WorkflowEntryDetails => ({
		id,
		parentId: null,
		name: id,
		path: id,
		kind: "step",
		status: "completed",
		attempts: 1,
		startedAt: 0,
		endedAt: 1,
		lastAttemptAt: 0,
		deadline: null,
		error: null,
		rolledBackAt: null,
		rollbackError: null,
		...more,
	});

	it("that has ended leaves nothing that goes on", () => {
		const left = leftAsTheyWere([
			entry("a", { status: "completed" }),
			entry("b", { status: "retrying", deadline: 5 }),
			entry("c", { status: "failed" }),
		]);
		expect(left.map(({ status, deadline }) => [status, deadline])).toEqual([
			["completed", null],
			["cancelled", null],
			["failed", null],
		]);
	});

	it("has branches side by side, also one in which nothing is recorded yet, and iterations in order", () => {
		const nodes = flowOf([
			entry("first"),
			entry("join", {
				kind: "join",
				branches: [
					{ name: "a", status: "running", error: null },
					{ name: "b", status: "running", error: null },
				],
			}),
			entry("in-a", { parentId: "join", branch: "a" }),
			entry("loop", { kind: "loop" }),
			entry("turn-4", { parentId: "loop", iteration: 4 }),
			entry("turn-5", { parentId: "loop", iteration: 5 }),
			entry("lost", { parentId: "left out" }),
		]);
		const shape = nodes.map(({ entry: { id }, lanes }) => [
			id,
			lanes.map((lane) => [lane.title, lane.nodes.map((node) => node.entry.id)]),
		]);
		expect(shape).toEqual([
			["first", []],
			[
				"join",
				[
					["a", ["in-a"]],
					["b", []],
				],
			],
			[
				"loop",
				[
					["4", ["turn-4"]],
					["5", ["turn-5"]],
				],
			],
			["lost", []],
		]);
	});
});

describe("traces", () => {
	const span = (traceId: string, spanId: string, parentSpanId: string | undefined, ms: number) => ({
		traceId,
		spanId,
		...(parentSpanId !== undefined && { parentSpanId }),
		name: spanId,
		startTimeUnixNano: `${BigInt(ms) * 1_000_000n + 500_000n}`,
		endTimeUnixNano: spanId === "open" ? "0" : `${BigInt(ms + 10) * 1_000_000n}`,
		attributes: [
			{ key: "count", value: { intValue: "5" } },
			{ key: "text", value: { stringValue: "x" } },
		],
		flags: 1,
		kind: 1,
		droppedAttributesCount: 0,
		events: [],
		droppedEventsCount: 0,
		links: [],
		droppedLinksCount: 0,
		status: spanId === "failed" ? { code: 2, message: "no" } : { code: 1 },
	});

	it("have each span below its parent, the newest trace first", () => {
		const spans = [
			span("t1", "late-child", "root", 30),
			span("t1", "root", "elsewhere", 10),
			span("t1", "failed", "root", 20),
			span("t1", "grandchild", "failed", 21),
			span("t2", "open", undefined, 50),
		];
		const [newest, older] = tracesOf({
			otlp: { resourceSpans: [{ scopeSpans: [{ spans }] }] },
			clamped: false,
		});
		expect(newest?.rows.map(({ span: { id, endMs } }) => [id, endMs])).toEqual([["open", null]]);
		expect(older?.rows.map(({ span: { id }, depth }) => [id, depth])).toEqual([
			["root", 0],
			["failed", 1],
			["grandchild", 2],
			["late-child", 1],
		]);
		expect(older).toMatchObject({ name: "root", startMs: 10.5, endMs: 40, isFailed: true });
		expect(older?.rows[0]?.span.attributes).toEqual({ count: 5, text: "x" });
		expect([newest?.end, older?.end]).toEqual(["open", "known"]);
		expect(tracesOf({ otlp: { resourceSpans: [] }, clamped: false })).toEqual([]);
	});

	it.each([
		["the one that has no end was", [["root", true]], "cut off"],
		[
			"some have an end",
			[
				["child", false],
				["root", true],
			],
			"cut off",
		],
		[
			"one goes on in another process",
			[
				["root", true],
				["other", null],
			],
			"open",
		],
	] as const)("a trace is told from one that ended at once when %s cut off", (_, list, end) => {
		const spans = list.map(([id, isCutOff], at) => {
			const made = span("t", id, undefined, 10 + at);
			if (isCutOff === false) return made;
			const interrupted = { key: "rivet.trace.interrupted", value: { boolValue: true } };
			return { ...made, endTimeUnixNano: "0", attributes: isCutOff ? [interrupted] : [] };
		});
		const [trace] = tracesOf({
			otlp: { resourceSpans: [{ scopeSpans: [{ spans }] }] },
			clamped: false,
		});
		expect(trace?.end).toBe(end);
	});
});

describe("metrics", () => {
	const at = (atMs: number, text: string) => ({ atMs, samples: parseMetrics(text) });
	const [before, after] = [
		at(
			1_000,
			'# HELP x y\ncalls_total{actor="a",outcome="ok"} 10\nactors{actor="a"} 3\ntime_bucket{actor="a",le="0.1"} 5\ntime_bucket{actor="a",le="1"} 5\ntime_bucket{actor="a",le="+Inf"} 5\n',
		),
		at(
			3_000,
			'calls_total{actor="a",outcome="ok"} 14\ncalls_total{actor="a",outcome="error"} 2\ncalls_total{actor="b\\"c",outcome="ok"} 99\nactors{actor="a"} 4\ntime_bucket{actor="a",le="0.1"} 5\ntime_bucket{actor="a",le="1"} 15\ntime_bucket{actor="a",le="+Inf"} 15\n',
		),
	];

	it("are drawn as a line where they are known, and as a dot where one is alone", () => {
		expect(lineOf([1, 2, null, 0, null], 2)).toBe("M2.0 23.0L56.0 4.0M164.0 42.0h0");
		expect(lineOf([5], 5)).toBe("M2.0 4.0h0");
		expect(lineOf([0, 0], 0)).toBe("M2.0 42.0L218.0 42.0");
		expect(lineOf([null], 0)).toBe("");
	});

	it("are read with their labels", () => {
		expect(after.samples[2]).toEqual({
			name: "calls_total",
			labels: { actor: 'b"c', outcome: "ok" },
			value: 99,
		});
	});

	it("become rates, gauges and quantiles of what happened in between", () => {
		const all = [before, after];
		expect(rate(all, "calls_total", { actor: "a" })).toEqual([3]);
		expect(rate(all, "calls_total", { actor: "a", outcome: "error" })).toEqual([1]);
		expect(gauge(all, "actors", { actor: "a" })).toEqual([3, 4]);
		expect(gauge(all, "actors", { actor: "z" })).toEqual([null, null]);
		expect(quantile(all, "time", { actor: "a" }, 0.5)).toEqual([0.55]);
		expect(rate([after, before], "calls_total", { actor: "a" })).toEqual([null]);
	});
});

describe("times", () => {
	it.each([
		[0.25, "0.25 ms"],
		[12, "12 ms"],
		[4_200, "4.2 s"],
		[42_000, "42 s"],
		[192_000, "3 min 12 s"],
		[3_600_000 * 3 + 60_000 * 12, "3 h 12 min"],
		[86_400_000 * 2, "2 d"],
	])("%d ms are %s", (ms, text) => {
		expect(duration(ms)).toBe(text);
	});

	it("are told in units that people read, also in sentences of the server's", () => {
		expect(
			withDurations(
				"it has been idle for 10382 ms, and sleeps after 600000 ms (options.sleepTimeout)",
			),
		).toBe("it has been idle for 10 s, and sleeps after 10 min (options.sleepTimeout)");
		expect(withDurations("1 action in progress: wait250 ms; it waits 90000 ms")).toBe(
			"1 action in progress: wait250 ms; it waits 1 min 30 s",
		);
	});

	it("are told from now", () => {
		expect(relativeTime(1_000, 1_500)).toBe("now");
		expect(relativeTime(10_000, 5_000)).toBe("in 5 s");
		expect(relativeTime(5_000, 10_000)).toBe("5 s ago");
	});
});

describe("the list of actors", () => {
	it("is searched by key and id; actors of engines need not have a key", () => {
		const actor = (actor_id: string, key: string | null) => ({
			actor_id,
			key,
			name: "any",
			status: "sleeping" as const,
			create_ts: 1,
			connectable_ts: null,
			start_ts: null,
			sleep_ts: null,
			destroy_ts: null,
		});
		const actors = [actor("id-1", "Room"), actor("id-2", null), actor("id-3", "a\\/b/c")];
		const found = (search: string, status = "all") =>
			matchingActors(actors, search, status).map(({ actor_id }) => actor_id);
		expect(found("")).toEqual(["id-1", "id-2", "id-3"]);
		expect(found("room")).toEqual(["id-1"]);
		expect(found("id-2")).toEqual(["id-2"]);
		// As it is, or as it is shown.
		expect([found("A/B"), found("a\\/b")]).toEqual([["id-3"], ["id-3"]]);
		expect(found("", "awake")).toEqual([]);
	});
});

it("actors are told apart by key, and one without by the name of its type", () => {
	const titles = (key: string[]) =>
		[actorTitle, fullActorTitle, shortActorTitle].map((title) => title("chat", key));
	expect(titles(["a", "b/c"])).toEqual(["a/b\\/c", "chat a/b\\/c", "a/b\\/c · chat"]);
	expect(titles([])).toEqual(Array(3).fill("chat (no key)"));
});

it("a workflow that its own code blocks is not said to have another history", () => {
	const text = (name: string) => blockedText({ name });
	expect(text("HistoryDivergedError")).toContain("does not fit its history");
	for (const name of ["TypeError", "EntryInProgressError", "ActorError"]) {
		expect(text(name)).toContain("cannot go on, as the error says");
	}
});
