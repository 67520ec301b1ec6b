import { once } from "node:events";
import {
	type ActorSocket,
	type ActorSocketHandler,
	newActorId,
	systemRandom,
} from "@rivetkit/protocol";
import type { ToServerInit } from "@rivetkit/protocol/runner";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { DEFAULT_LIMITS } from "../../src/common/limits.ts";
import { createEngine, type Engine, type RunnerLimits } from "../../src/index.ts";
import { RunnerExchanges } from "../../src/runners/runner-exchanges.ts";
import { RUNNER_LIMITS } from "../../src/runners/runner-limits.ts";
import { RunnerRecord } from "../../src/runners/runner-record.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { until } from "../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "./scripted-runner.ts";

/** What becomes of actors on runners over time (engine 11: numbers behind the names). */

type Json = Record<string, unknown>;

let engine: Engine;
let store: Store;
let url: string;
const runners: ScriptedRunner[] = [];
let clock: TestClock | undefined;

async function serve(
	limits: Partial<RunnerLimits> = {},
	at?: TestClock,
	stored: Store = createMemoryStore(),
): Promise<void> {
	clock = at;
	store = stored;
	const random = systemRandom();
	engine = createEngine({
		store,
		version: "test",
		...(at && { clock: at }),
		random: {
			uuid: () => random.uuid(),
			bytes: (length) => random.bytes(length),
			fraction: () => 0.5,
		},
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	engine.attachRunners({
		pingIntervalMs: 50,
		runnerEligibleThresholdMs: 10_000,
		runnerLostThresholdMs: 10_000,
		actorStartThresholdMs: 10_000,
		actorStopThresholdMs: 10_000,
		...limits,
	});
	({ url } = await engine.listen({ port: 0 }));
}

afterEach(async () => {
	for (const runner of runners) runner.obey();
	const closing = engine.close();
	for (let isClosed = false; clock !== undefined && !isClosed; ) {
		clock.advance(60_000);
		isClosed = await Promise.race([
			closing.then(() => true),
			new Promise<false>((resolve) => setImmediate(resolve, false)),
		]);
	}
	await closing;
	for (const runner of runners.splice(0)) await runner.close();
});

async function connect(options: RunnerOptions = {}): Promise<ScriptedRunner> {
	const runner = await ScriptedRunner.connect(url, { token: null, ...options });
	runners.push(runner);
	await until(() => expect(runner.init).toBeDefined());
	return runner;
}

async function call(method: string, path: string, body?: unknown) {
	const answer = await fetch(`${url}${path}${path.includes("?") ? "&" : "?"}namespace=default`, {
		method,
		...(body === undefined
			? {}
			: { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
	});
	return { status: answer.status, body: (await answer.json()) as Json };
}

async function create(crashPolicy = "sleep", key = "a"): Promise<string> {
	const { body } = await call("PUT", "/actors", {
		name: "any",
		key,
		runner_name_selector: "default",
		crash_policy: crashPolicy,
	});
	return (body.actor as Json).actor_id as string;
}

async function actorOf(actorId: string): Promise<Json> {
	const { body } = await call("GET", `/actors?actor_ids=${actorId}`);
	return (body.actors as Json[])[0]!;
}

const configure = (config: object) =>
	call("PUT", "/runner-configs/default", { datacenters: { default: config } });

const startsOn = (runner: ScriptedRunner) =>
	runner.commands
		.filter(({ inner }) => inner.tag === "CommandStartActor")
		.map(({ checkpoint }) => checkpoint.generation);

const tagsOn = (runner: ScriptedRunner) => runner.commands.map(({ inner }) => inner.tag);

const isAwake = (actorId: string) =>
	until(async () => expect((await actorOf(actorId)).status).toBe("awake"));

/** Answers what the runner is asked for next. */
async function answerNext(runner: ScriptedRunner, body: string): Promise<void> {
	const request = await until(() => {
		const found = runner.tunnel
			.filter(({ messageKind }) => messageKind.tag === "ToClientRequestStart")
			.at(-1);
		expect(found).toBeDefined();
		return found!;
	});
	const val = { status: 200, headers: new Map(), body: Buffer.from(body), stream: false };
	runner.answer(request, { tag: "ToServerResponseStart", val });
}

describe("pauses after crashes (no. 60)", () => {
	it("0, then 2, 4, 8, 16 s; none again after ten quiet minutes, and after a clean stop", async () => {
		const hour = 3_600_000;
		const time = new TestClock();
		const far = {
			runnerEligibleThresholdMs: hour,
			runnerLostThresholdMs: hour,
			pingIntervalMs: hour,
		};
		await serve({ ...far, actorStartThresholdMs: hour, actorStopThresholdMs: hour }, time);
		const runner = await connect();
		const actorId = await create("restart");
		await until(() => expect(startsOn(runner)).toEqual([0]));
		let generation = 0;
		const crashesAndIsBackAfter = async (pauseMs: number) => {
			await isAwake(actorId);
			runner.state(actorId, generation, "Error");
			if (pauseMs > 0) {
				const dueTs = time.now() + pauseMs;
				await until(async () => {
					expect(await actorOf(actorId)).toMatchObject({
						reschedule_ts: dueTs,
						error: { crashed: { message: expect.any(String) } },
					});
				});
				time.advance(pauseMs - 1);
				expect(startsOn(runner).at(-1)).toBe(generation);
				time.advance(1);
			}
			generation++;
			await until(() => {
				// A pause of nothing is a timer, too.
				time.advance(0);
				expect(startsOn(runner).at(-1)).toBe(generation);
			});
			await isAwake(actorId);
			expect(await actorOf(actorId)).toMatchObject({ reschedule_ts: null });
			expect(await actorOf(actorId)).not.toHaveProperty("error");
		};
		for (const pauseMs of [0, 2_250, 4_250, 8_250, 16_250]) await crashesAndIsBackAfter(pauseMs);
		time.advance(600_001);
		await crashesAndIsBackAfter(0);
		await crashesAndIsBackAfter(2_250);
		runner.state(actorId, generation, "wantsSleep");
		runner.state(actorId, generation, "Ok");
		await until(async () => expect((await actorOf(actorId)).status).toBe("sleeping"));
		const answered = call("GET", `/gateway/${actorId}/x`);
		await answerNext(runner, "{}");
		await answered;
		generation++;
		await crashesAndIsBackAfter(0);
	});

	it("holds also where its actor crashes as soon as it runs, and for whoever calls it meanwhile (engine 6.1)", async () => {
		const hour = 3_600_000;
		const time = new TestClock();
		await serve(
			{ pingIntervalMs: hour, runnerEligibleThresholdMs: hour, runnerLostThresholdMs: hour },
			time,
		);
		const runner = await connect({ runsAtOnce: false });
		const actorId = await create("restart");
		await until(() => expect(startsOn(runner)).toEqual([0]));
		const called = call("GET", `/gateway/${actorId}/x`);
		const crashes = (generation: number) => {
			const state = (index: number, tag: "running" | "Error") =>
				runner.event(actorId, generation, index, tag);
			state(0, "running");
			state(1, "Error");
		};
		crashes(0);
		// The first one has no pause.
		await until(() => {
			time.advance(0);
			expect(startsOn(runner)).toEqual([0, 1]);
		});
		crashes(1);
		const dueTs = time.now() + 2_250;
		await until(async () => expect(await actorOf(actorId)).toMatchObject({ reschedule_ts: dueTs }));
		const late = call("GET", `/gateway/${actorId}/x`);
		time.advance(2_249);
		// Whatever wanted to start it meanwhile has had its turn.
		await actorOf(actorId);
		expect(startsOn(runner)).toEqual([0, 1]);
		time.advance(1);
		await until(() => expect(startsOn(runner)).toEqual([0, 1, 2]));
		runner.state(actorId, 2, "running");
		await until(() => expect(runner.tunnel.length).toBeGreaterThanOrEqual(2));
		for (const request of runner.tunnel) {
			const val = { status: 200, headers: new Map(), body: Buffer.from("{}"), stream: false };
			runner.answer(request, { tag: "ToServerResponseStart", val });
		}
		expect([(await called).status, (await late).status]).toEqual([200, 200]);
	});

	it("a deletion during the pause ends it, also for whoever waits for its end", async () => {
		await serve({ retryBaseMs: 300 });
		const runner = await connect();
		const actorId = await create("restart");
		for (const generation of [0, 1]) {
			await until(() => expect(startsOn(runner).at(-1)).toBe(generation));
			await isAwake(actorId);
			runner.state(actorId, generation, "Error");
		}
		await until(async () => expect((await actorOf(actorId)).reschedule_ts).not.toBeNull());
		const waits = call("GET", `/gateway/${actorId}/x`);
		await call("DELETE", `/actors/${actorId}`);
		expect(await waits).toMatchObject({ status: 404, body: { code: "not_found" } });
		expect(await actorOf(actorId)).toMatchObject({ status: "destroyed", reschedule_ts: null });
		const other = await create("restart", "other");
		await isAwake(other);
		expect(startsOn(runner)).toEqual([0, 1, 0]);
	});
});

describe("a runner that does not answer (no. 61)", () => {
	it("a start: its actor is lost, shown with the runner, and started again elsewhere", async () => {
		await serve({ actorStartThresholdMs: 500 });
		const silent = await connect({ key: "silent", runsAtOnce: false });
		const actorId = await create();
		const error = { runner_no_response: { runner_id: silent.init!.runnerId } };
		await until(async () => expect(await actorOf(actorId)).toMatchObject({ error }));
		await until(() => expect(tagsOn(silent)).toEqual(["CommandStartActor", "CommandStopActor"]));
		const next = await connect({ key: "next", codeVersion: 2 });
		const answered = call("GET", `/gateway/${actorId}/x`);
		await answerNext(next, "{}");
		expect((await answered).status).toBe(200);
		expect(startsOn(next)).toEqual([1]);
		expect(await actorOf(actorId)).not.toHaveProperty("error");
	});

	it("a start whose commit is refused is over at once: its runner is told to stop it", async () => {
		await serve({ actorStartThresholdMs: 60_000 });
		const runner = await connect({ runsAtOnce: false });
		const actorId = await create();
		await until(() => expect(tagsOn(runner)).toEqual(["CommandStartActor"]));
		await store.acquire(actorId);
		runner.state(actorId, 0, "running");
		await until(() =>
			expect(tagsOn(runner).slice(0, 2)).toEqual(["CommandStartActor", "CommandStopActor"]),
		);
	});

	it("a stop: its actor is lost, and the next generation starts", async () => {
		await serve({ actorStopThresholdMs: 500 });
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		runner.state(actorId, 0, "wantsSleep");
		await until(() => expect(tagsOn(runner)).toEqual(["CommandStartActor", "CommandStopActor"]));
		await until(async () => {
			expect(await actorOf(actorId)).toMatchObject({
				status: "sleeping",
				error: { runner_no_response: { runner_id: runner.init!.runnerId } },
			});
		});
		const answered = call("GET", `/gateway/${actorId}/x`);
		await answerNext(runner, "{}");
		expect((await answered).status).toBe(200);
		expect(startsOn(runner)).toEqual([0, 1]);
		expect(await actorOf(actorId)).not.toHaveProperty("error");
	});

	it("anything: a lost runner is told from one that has left", async () => {
		await serve({ runnerEligibleThresholdMs: 500, runnerLostThresholdMs: 500 });
		const runner = await connect({ answersPings: false });
		const actorId = await create();
		await until(async () => {
			expect(await actorOf(actorId)).toMatchObject({
				error: { runner_connection_lost: { runner_id: runner.init!.runnerId } },
			});
		});
	});
});

describe("a newer version (no. 66)", () => {
	it("sends the older runners away: their actors stop and come back on it, with what they stored", async () => {
		await serve();
		await configure({ normal: {}, drain_on_version_upgrade: true });
		const old = await connect({ key: "old", codeVersion: 1 });
		const [restarted, slept] = [await create("restart", "r"), await create("sleep", "s")];
		await isAwake(restarted);
		await isAwake(slept);
		const entry = { keys: [Uint8Array.of(1)], values: [Uint8Array.of(2)] };
		await old.kv(slept, { tag: "KvPutRequest", val: entry });
		const fresh = await connect({ key: "new", codeVersion: 2 });
		await until(() =>
			expect(tagsOn(old).filter((tag) => tag === "CommandStopActor")).toHaveLength(2),
		);
		expect(await until(async () => (await call("GET", "/runners")).body)).toMatchObject({
			runners: expect.arrayContaining([
				expect.objectContaining({ key: "old", drain_ts: expect.any(Number) }),
			]),
		});
		for (const actorId of [restarted, slept]) old.state(actorId, 0, "Ok");
		expect(await old.closed).toEqual({ code: 1000, reason: "ws.eviction" });
		await until(() =>
			expect(fresh.commands.map(({ checkpoint }) => checkpoint)).toEqual([
				{ actorId: restarted, generation: 1, index: 0 },
			]),
		);
		const answered = call("GET", `/gateway/${slept}/x`);
		await answerNext(fresh, "{}");
		expect((await answered).status).toBe(200);
		const stored = await fresh.kv(slept, { tag: "KvGetRequest", val: { keys: entry.keys } });
		expect(stored).toMatchObject({ tag: "KvGetResponse", val: { values: [expect.anything()] } });
	});

	it("leaves them alone where the pool does not say so, and when the version is known already", async () => {
		await serve();
		await configure({ normal: {} });
		const old = await connect({ key: "old", codeVersion: 1 });
		await connect({ key: "new", codeVersion: 2 });
		await configure({ normal: { drain_on_version_upgrade: true } });
		const actorId = await create();
		await isAwake(actorId);
		expect(old.commands).toEqual([]);
		const { body } = await call("GET", "/runners");
		expect((body.runners as Json[]).map(({ drain_ts }) => drain_ts)).toEqual([null, null]);
	});
});

describe("a deletion while the actor runs (no. 67)", () => {
	it("tells the runner, is a 404 and frees the key at once; late writes are refused", async () => {
		await serve({ actorStopThresholdMs: 500 });
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const put = {
			tag: "KvPutRequest",
			val: { keys: [Uint8Array.of(1)], values: [Uint8Array.of(2)] },
		} as const;
		await runner.kv(actorId, put);
		const open = call("GET", `/gateway/${actorId}/x`);
		await until(() => expect(runner.tunnel).toHaveLength(1));
		expect((await call("DELETE", `/actors/${actorId}`)).status).toBe(200);
		expect((await open).status).toBe(404);
		expect((await call("GET", `/gateway/${actorId}/x`)).status).toBe(404);
		const next = await create();
		expect(next).not.toBe(actorId);
		await isAwake(next);
		expect(tagsOn(runner)).toEqual(["CommandStartActor", "CommandStopActor", "CommandStartActor"]);
		expect(await runner.kv(actorId, put)).toMatchObject({
			tag: "KvErrorResponse",
			val: { message: expect.stringMatching(/^kv\.not_owner/) },
		});
		expect(await store.get(actorId, [Uint8Array.of(1)])).toEqual([null]);
		// Its end is the end of its stop command.
		runner.state(actorId, 0, "Ok");
		await runner.kv(next, put);
		await runner.close();
		const again = await connect();
		expect(again.commands).toEqual([]);
		expect((await call("GET", "/runners")).body).toMatchObject({
			runners: [{ remaining_slots: 99 }],
		});
	});

	it("of one that waits for a slot, starts, or is asleep leaves nothing behind", async () => {
		await serve();
		await configure({ normal: {} });
		const waiting = await create("restart", "waiting");
		await until(async () => expect((await actorOf(waiting)).pending_allocation_ts).not.toBeNull());
		await call("DELETE", `/actors/${waiting}`);
		const runner = await connect({ runsAtOnce: false });
		const starting = await create("sleep", "starting");
		await until(() => expect(startsOn(runner)).toEqual([0]));
		await call("DELETE", `/actors/${starting}`);
		expect(runner.commands.map(({ checkpoint }) => checkpoint.actorId)).toEqual([
			starting,
			starting,
		]);
		for (const actorId of [waiting, starting]) {
			expect(await actorOf(actorId)).toMatchObject({
				status: "destroyed",
				pending_allocation_ts: null,
			});
		}
		expect((await call("GET", "/runners")).body).toMatchObject({
			runners: [{ remaining_slots: 100 }],
		});
	});

	it("gives its slot to whoever waits longest (no. 65)", async () => {
		await serve();
		const runner = await connect({ slots: 1 });
		const [first, second] = [await create("restart", "1"), await create("restart", "2")];
		await isAwake(first);
		await until(async () => expect((await actorOf(second)).pending_allocation_ts).not.toBeNull());
		await call("DELETE", `/actors/${first}`);
		await isAwake(second);
		expect(runner.commands.at(-1)!.checkpoint.actorId).toBe(second);
	});
});

describe("a call that its runner could not bring to the actor (no. 25)", () => {
	const answersWith = async (method: string, status: number, code: string) => {
		await serve({ attemptPauseMs: 1 });
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const answered = fetch(`${url}/gateway/${actorId}/x`, { method });
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const headers = new Map(code === "" ? [] : [["x-rivet-error", code]]);
		const val = { status, headers, body: undefined, stream: false };
		runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseStart", val });
		return { runner, answered };
	};

	it.each([
		[503, "guard.service_unavailable"],
		[503, "guard.tunnel_request_aborted"],
		[503, "guard.actor_ready_timeout"],
		[504, "guard.gateway_response_start_timeout"],
	])("is made again after %d %s", async (status, code) => {
		const { runner, answered } = await answersWith("GET", status, code);
		await until(() => expect(runner.tunnel).toHaveLength(2));
		const val = { status: 200, headers: new Map(), body: undefined, stream: false };
		runner.answer(runner.tunnel[1]!, { tag: "ToServerResponseStart", val });
		expect((await answered).status).toBe(200);
		expect(startsOn(runner)).toEqual([0]);
	});

	it.each([
		["GET", 503, "runner.actor_not_found"],
		["GET", 503, "user.failed"],
		["GET", 503, ""],
		["GET", 500, "guard.service_unavailable"],
		["POST", 503, "guard.service_unavailable"],
	])("has its answer, %s with %d '%s', otherwise", async (method, status, code) => {
		const { runner, answered } = await answersWith(method, status, code);
		expect((await answered).status).toBe(status);
		expect(runner.tunnel).toHaveLength(1);
	});
});

describe("a WebSocket of an actor on a runner (engine 3.8, 3.9, 4.11)", () => {
	const opened = async () => {
		await serve();
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const client = new WebSocket(
			`${url.replace("http", "ws")}/gateway/${actorId}/websocket`,
			"rivet",
		);
		const closed = new Promise<[number, string]>((resolve) => {
			client.on("close", (code, reason) => resolve([code, String(reason)]));
		});
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const answer = (kind: Parameters<ScriptedRunner["answer"]>[1]) =>
			runner.answer(runner.tunnel[0]!, kind);
		answer({ tag: "ToServerWebSocketOpen", val: { canHibernate: false } });
		if (client.readyState !== client.OPEN) await once(client, "open");
		const ends = () =>
			runner.tunnel.flatMap(({ messageKind }) =>
				messageKind.tag === "ToClientWebSocketClose" ? [messageKind.val] : [],
			);
		return { client, closed, answer, ends };
	};

	it("that its client closes without a code is closed for the actor with 1000 and no reason (no. 29)", async () => {
		const { client, ends } = await opened();
		client.close();
		await until(() => expect(ends()).toEqual([{ code: 1_000, reason: undefined }]));
	});

	it("that the actor closes is closed back", async () => {
		const { closed, answer, ends } = await opened();
		const val = { code: 4_321, reason: "enough", hibernate: false };
		answer({ tag: "ToServerWebSocketClose", val });
		expect(await closed).toEqual([4_321, "enough"]);
		await until(() => expect(ends()).toEqual([{ code: 1_000, reason: undefined }]));
	});

	it("carries messages of the actor of 32 MiB; a longer one ends it, and nothing else", async () => {
		const { client, closed, answer, ends } = await opened();
		const limit = 32 * 1024 * 1024;
		const received = once(client, "message");
		const message = (bytes: number) =>
			answer({
				tag: "ToServerWebSocketMessage",
				val: { data: new Uint8Array(bytes), binary: true },
			});
		message(limit);
		expect((await received)[0]).toHaveLength(limit);
		message(limit + 1);
		const reason = "message.outgoing_too_long";
		expect(await closed).toEqual([1_011, reason]);
		await until(() => expect(ends()).toEqual([{ code: 1_011, reason }]));
	});
});

describe("times of an actor (engine 2.4)", () => {
	it("it first ran once; it sleeps and takes no calls from when it wishes to", async () => {
		const time = new TestClock();
		await serve({ pingIntervalMs: 3_600_000, actorStopThresholdMs: 3_600_000 }, time);
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const first = await actorOf(actorId);
		expect(first.start_ts).toEqual(first.connectable_ts);
		time.advance(1_000);
		const askedTs = time.now();
		runner.state(actorId, 0, "wantsSleep");
		const asleep = { connectable_ts: null, sleep_ts: askedTs, start_ts: first.start_ts };
		await until(async () =>
			expect(await actorOf(actorId)).toMatchObject({ ...asleep, status: "stopping" }),
		);
		time.advance(1_000);
		runner.state(actorId, 0, "Ok");
		await until(async () =>
			expect(await actorOf(actorId)).toMatchObject({ ...asleep, status: "sleeping" }),
		);
		const answered = call("GET", `/gateway/${actorId}/x`);
		await until(() => expect(startsOn(runner)).toEqual([0, 1]));
		await until(() => expect(runner.tunnel).toHaveLength(1));
		await answerNext(runner, "null");
		await answered;
		expect(await actorOf(actorId)).toMatchObject({
			start_ts: first.start_ts,
			connectable_ts: time.now(),
			sleep_ts: null,
		});
	});

	it("one that is destroyed takes no calls", async () => {
		await serve();
		await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		await call("DELETE", `/actors/${actorId}`);
		expect(await actorOf(actorId)).toMatchObject({ connectable_ts: null, status: "destroyed" });
	});

	it("one that nobody had room for sleeps since it was made, one that is to run again does not", async () => {
		await serve({ retryBaseMs: 60_000 });
		await configure({ normal: {} });
		const left = await actorOf(await create());
		expect(left).toMatchObject({ error: "no_capacity", sleep_ts: left.create_ts });
		const runner = await connect();
		const actorId = await create("restart", "b");
		await isAwake(actorId);
		runner.state(actorId, 0, "Error");
		await until(() => expect(startsOn(runner)).toEqual([0, 1]));
		await isAwake(actorId);
		runner.state(actorId, 1, "Error");
		await until(async () =>
			expect(await actorOf(actorId)).toMatchObject({
				reschedule_ts: expect.any(Number),
				sleep_ts: null,
				connectable_ts: null,
			}),
		);
	});
});

describe("a call that is open when its actor stops (no. 24)", () => {
	const stopsUnder = async (method: string) => {
		await serve();
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const answered = call(method, `/gateway/${actorId}/x`, method === "GET" ? undefined : {});
		await until(() => expect(runner.tunnel).toHaveLength(1));
		runner.state(actorId, 0, "wantsSleep");
		runner.state(actorId, 0, "Ok");
		return { runner, answered };
	};

	it.each(["GET", "PUT", "DELETE"])("%s is made again at the next incarnation", async (method) => {
		const { runner, answered } = await stopsUnder(method);
		await until(() => expect(runner.tunnel).toHaveLength(2));
		expect(startsOn(runner)).toEqual([0, 1]);
		await answerNext(runner, `"again"`);
		expect(await answered).toEqual({ status: 200, body: "again" });
	});

	it.each(["POST", "PATCH"])("%s is not: it may have been carried out", async (method) => {
		const { runner, answered } = await stopsUnder(method);
		expect(await answered).toMatchObject({
			status: 503,
			body: { group: "guard", code: "actor_stopped_while_waiting" },
		});
		expect(runner.tunnel).toHaveLength(1);
	});
});

describe("a call that no incarnation takes (engine 3.7)", () => {
	const hour = 3_600_000;

	it("is offered seven times, with growing pauses, and fails; after five its runner is asked to end the actor (Q12)", async () => {
		const time = new TestClock();
		await serve(
			{
				runnerEligibleThresholdMs: hour,
				runnerLostThresholdMs: hour,
				pingIntervalMs: hour,
				actorStartThresholdMs: hour,
				actorStopThresholdMs: hour,
			},
			time,
		);
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const answered = call("GET", `/gateway/${actorId}/x`);
		const aborts = async (attempt: number) => {
			await until(() => expect(runner.tunnel).toHaveLength(attempt));
			runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseAbort", val: undefined });
		};
		for (const [index, pauseMs] of [150, 300, 600, 1_200, 2_400, 4_800].entries()) {
			await aborts(index + 1);
			await time.armed(pauseMs);
			time.advance(pauseMs);
		}
		await aborts(7);
		expect(await answered).toMatchObject({
			status: 502,
			body: { code: "retry_attempts_exceeded", metadata: { attempts: 7 } },
		});
		expect(startsOn(runner)).toEqual([0, 1]);
		expect((await actorOf(actorId)).status).toBe("awake");
	});

	it("is not offered again to an actor whose caller has gone", async () => {
		await serve({ attemptPauseMs: 60_000 });
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const abort = new AbortController();
		const gone = fetch(`${url}/gateway/${actorId}/x`, { signal: abort.signal });
		const rejected = expect(gone).rejects.toThrow();
		await until(() => expect(runner.tunnel).toHaveLength(1));
		runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseAbort", val: undefined });
		// Behind it on the same socket.
		await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
		abort.abort();
		await rejected;
		expect((await actorOf(actorId)).status).toBe("awake");
		expect(runner.tunnel).toHaveLength(1);
	});

	it("is not offered again if it may have been carried out; its actor goes on as it was (Q8)", async () => {
		await serve();
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		for (let made = 1; made <= 7; made++) {
			const answered = call("POST", `/gateway/${actorId}/x`, {});
			await until(() => expect(runner.tunnel).toHaveLength(made));
			runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseAbort", val: undefined });
			expect(await answered).toMatchObject({
				status: 503,
				body: { group: "guard", code: "tunnel_request_aborted" },
			});
			// A sign of the actor's.
			await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
		}
		expect(tagsOn(runner)).toEqual(["CommandStartActor"]);
		const next = call("GET", `/gateway/${actorId}/x`);
		await until(() => expect(runner.tunnel).toHaveLength(8));
		await answerNext(runner, "{}");
		expect((await next).status).toBe(200);
	});

	it("is offered to the next incarnation if its runner aborts it on the actor's way out", async () => {
		await serve();
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const answered = call("POST", `/gateway/${actorId}/x`, {});
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const [first] = runner.tunnel;
		runner.state(actorId, 0, "wantsSleep");
		runner.answer(first!, { tag: "ToServerResponseAbort", val: undefined });
		await until(() => expect(runner.tunnel).toHaveLength(2));
		await answerNext(runner, "{}");
		expect((await answered).status).toBe(200);
		expect(startsOn(runner)).toEqual([0, 1]);
	});
});

describe("a WebSocket that no actor takes (engine 3.8, 4.11)", () => {
	const hour = 3_600_000;
	const still = {
		runnerEligibleThresholdMs: hour,
		runnerLostThresholdMs: hour,
		pingIntervalMs: hour,
	};
	const pausesMs = [150, 300, 600, 1_200, 2_400, 4_800];

	/** A client on its way to an actor, and the offers of it. */
	const offering = async () => {
		const time = new TestClock();
		await serve(still, time);
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const client = new WebSocket(`${url.replace("http", "ws")}/gateway/${actorId}/websocket`, [
			"rivet",
		]);
		const closed = new Promise<string>((resolve) =>
			client.on("close", (code, reason) => resolve(`${code} ${String(reason).replace(/#.*/, "")}`)),
		);
		const offers = () =>
			runner.tunnel.filter(({ messageKind }) => messageKind.tag === "ToClientWebSocketOpen");
		const offer = (nth: number) =>
			until(() => {
				expect(offers()).toHaveLength(nth);
				return offers()[nth - 1]!;
			});
		const pause = async (nth: number) => {
			await time.armed(pausesMs[nth - 1]!);
			time.advance(pausesMs[nth - 1]!);
		};
		const isWell = async () => {
			expect(startsOn(runner)).toEqual([0]);
			const before = runner.tunnel.length;
			const answered = call("GET", `/gateway/${actorId}/x`);
			await until(() => expect(runner.tunnel.length).toBeGreaterThan(before));
			await answerNext(runner, "{}");
			expect((await answered).status).toBe(200);
		};
		return { time, runner, client, closed, offer, pause, isWell };
	};

	it.each<[number | undefined, string | undefined]>([
		[undefined, undefined],
		[1000, "bye"],
		[1011, "internal"],
		[4000, "no"],
	])(
		"closed by its runner with %s, it is offered seven times and closed; its actor is as well as before",
		async (code, reason) => {
			const { runner, closed, offer, pause, isWell } = await offering();
			for (let nth = 1; nth <= 7; nth++) {
				const val = { code, reason, hibernate: nth % 2 === 0 };
				runner.answer(await offer(nth), { tag: "ToServerWebSocketClose", val });
				if (nth < 7) await pause(nth);
			}
			expect(await closed).toBe("1011 guard.retry_attempts_exceeded");
			await isWell();
		},
	);

	it("taken at last, its client has noticed nothing", async () => {
		const { runner, client, offer, pause, isWell } = await offering();
		const val = { code: 1011, reason: "not yet", hibernate: false };
		runner.answer(await offer(1), { tag: "ToServerWebSocketClose", val });
		await pause(1);
		const taken = await offer(2);
		runner.answer(taken, { tag: "ToServerWebSocketOpen", val: { canHibernate: false } });
		const heard = new Promise((resolve) => client.once("message", (data) => resolve(String(data))));
		const hello = { data: Buffer.from("hello"), binary: false };
		runner.answer(taken, { tag: "ToServerWebSocketMessage", val: hello });
		expect(await heard).toBe("hello");
		await isWell();
		client.close();
	});

	it("left without an answer for 15 s, it is offered again, and the runner told that the first offer is over", async () => {
		const { time, runner, closed, offer, pause, isWell } = await offering();
		for (let nth = 1; nth <= 7; nth++) {
			await offer(nth);
			await time.armed(15_000);
			time.advance(15_000);
			if (nth < 7) await pause(nth);
		}
		expect(await closed).toBe("1011 guard.retry_attempts_exceeded");
		await until(() =>
			expect(runner.tunnel.map(({ messageKind }) => messageKind.tag)).toEqual(
				Array.from({ length: 7 }, () => ["ToClientWebSocketOpen", "ToClientWebSocketClose"]).flat(),
			),
		);
		await isWell();
	});
});

it("a body of 20 MiB goes through the tunnel, one byte more is 413 (no. 26)", async () => {
	await serve();
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const post = (bytes: number) =>
		fetch(`${url}/gateway/${actorId}/x`, { method: "POST", body: new Uint8Array(bytes) });
	const limit = 20 * 1024 * 1024;
	const passed = post(limit);
	await answerNext(runner, "null");
	expect((await passed).status).toBe(200);
	const refused = await post(limit + 1);
	expect(refused.status).toBe(413);
	expect(await refused.json()).toMatchObject({
		group: "guard",
		code: "invalid_request_body",
		metadata: { limit },
	});
	expect(runner.tunnel).toHaveLength(1);
});

it.each<[string, number, [string, string][]]>([
	["a status that is none", 99, []],
	["a header that is none", 200, [["x-a", "b\r\nx-c: d"]]],
])("an answer with %s fails its call and nothing else (Q9)", async (_what, status, headers) => {
	await serve();
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const answered = call("GET", `/gateway/${actorId}/x`);
	await until(() => expect(runner.tunnel).toHaveLength(1));
	const val = { status, headers: new Map(headers), body: undefined, stream: false };
	runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseStart", val });
	expect(await answered).toMatchObject({ status: 502, body: { code: "invalid_response_body" } });
	const next = call("GET", `/gateway/${actorId}/y`);
	await until(() => expect(runner.tunnel).toHaveLength(2));
	await answerNext(runner, "{}");
	expect((await next).status).toBe(200);
	expect(runner.commands).toHaveLength(1);
});

it("an actor stores no more than its share; what it replaces and deletes is room again (engine 4.8)", async () => {
	await serve({ kvBytesMax: 1_000 });
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const put = (key: number, bytes: number) =>
		runner.kv(actorId, {
			tag: "KvPutRequest",
			val: { keys: [Uint8Array.of(key)], values: [new Uint8Array(bytes)] },
		});
	const full = {
		tag: "KvErrorResponse",
		val: { message: expect.stringMatching(/^kv\.quota_exceeded: .*1000 bytes/) },
	};
	for (let times = 0; times < 20; times++) {
		expect((await put(1, 100)).tag).toBe("KvPutResponse");
	}
	for (let key = 2; key <= 9; key++) {
		expect((await put(key, 100)).tag).toBe("KvPutResponse");
	}
	expect(await put(10, 100)).toEqual(full);
	await runner.kv(actorId, { tag: "KvDeleteRequest", val: { keys: [Uint8Array.of(1)] } });
	expect((await put(10, 100)).tag).toBe("KvPutResponse");
	expect(await store.storedBytes(actorId)).toBe(909);
});

it("an answer over the limit fails its call and nothing else (Q9)", async () => {
	const limit = 64 * 1024;
	await serve({ responseBodyBytesMax: limit });
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const answered = async (bytes: number) => {
		const before = runner.tunnel.length;
		const answer = fetch(`${url}/gateway/${actorId}/x`);
		await until(() => expect(runner.tunnel.length).toBeGreaterThan(before));
		const val = { status: 200, headers: new Map(), body: Buffer.alloc(bytes), stream: false };
		runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseStart", val });
		return answer;
	};
	const tooLarge = await answered(limit + 1);
	expect([tooLarge.status, await tooLarge.json()]).toMatchObject([
		502,
		{ code: "invalid_response_body" },
	]);
	const largest = await answered(limit);
	expect(largest.status).toBe(200);
	expect((await largest.arrayBuffer()).byteLength).toBe(limit);
	expect(startsOn(runner)).toEqual([0]);
});

it("what a killed engine has left: `restart` actors start when a runner comes, others rest (engine 6.5)", async () => {
	const left = createMemoryStore();
	const leave = async (crashPolicy: string, hasRun: boolean) => {
		const actorId = newActorId(systemRandom());
		await left.insertActor({
			actorId,
			namespace: "default",
			name: "any",
			key: `${crashPolicy}-${hasRun}`,
			runnerNameSelector: "default",
			crashPolicy,
			datacenter: "default",
			input: null,
			createTs: 1,
		});
		if (hasRun) {
			const { generation } = await left.acquire(actorId);
			const record = { initialised: true as const, startTs: 2, connectableTs: 2, sleepTs: null };
			await left.commit({ actorId, generation, ops: [], record });
		}
		return actorId;
	};
	const rests = await leave("sleep", true);
	const again = await leave("restart", true);
	const first = await leave("restart", false);
	await serve({}, undefined, left);
	await until(async () => {
		expect(await actorOf(rests)).toMatchObject({
			status: "sleeping",
			connectable_ts: null,
			sleep_ts: expect.any(Number),
		});
		expect(await actorOf(again)).toMatchObject({ connectable_ts: null });
		for (const id of [again, first]) {
			expect((await actorOf(id)).pending_allocation_ts).not.toBeNull();
		}
	});
	const runner = await connect();
	await until(() => {
		const started = runner.commands.map(({ checkpoint }) => checkpoint.actorId);
		expect(started.sort()).toEqual([again, first].sort());
	});
	for (const id of [again, first]) await isAwake(id);
});

it("many that a killed engine has left are begun a few at a time", async () => {
	const left = createMemoryStore();
	for (let key = 0; key < 100; key++) {
		await left.insertActor({
			actorId: newActorId(systemRandom()),
			namespace: "default",
			name: "any",
			key: String(key),
			runnerNameSelector: "default",
			crashPolicy: "restart",
			datacenter: "default",
			input: null,
			createTs: key,
		});
	}
	const acquire = left.acquire.bind(left);
	const atOnce = { now: 0, most: 0 };
	left.acquire = async (actorId) => {
		atOnce.most = Math.max(atOnce.most, ++atOnce.now);
		await new Promise((resolve) => setImmediate(resolve));
		atOnce.now--;
		return acquire(actorId);
	};
	await serve({}, undefined, left);
	const runner = await connect();
	await until(() => expect(startsOn(runner)).toHaveLength(100));
	expect(atOnce.most).toBe(DEFAULT_LIMITS.wakesAtOnceMax);
});

it("key/value requests of one actor are done in the order in which they came (engine 4.8)", async () => {
	await serve();
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const keys = [Uint8Array.of(1)];
	const [, read, , gone] = await Promise.all([
		runner.kv(actorId, { tag: "KvPutRequest", val: { keys, values: [Uint8Array.of(7)] } }),
		runner.kv(actorId, { tag: "KvGetRequest", val: { keys } }),
		runner.kv(actorId, { tag: "KvDeleteRequest", val: { keys } }),
		runner.kv(actorId, { tag: "KvGetRequest", val: { keys } }),
	]);
	expect(read).toMatchObject({ tag: "KvGetResponse", val: { keys: [expect.anything()] } });
	expect(gone).toMatchObject({ tag: "KvGetResponse", val: { keys: [] } });
});

describe("messages of clients that are held", () => {
	/** A client whose socket the actor holds. */
	const held = async (limits: Partial<RunnerLimits>, time?: TestClock) => {
		await serve(limits, time);
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const socket = new WebSocket(`${url.replace("http", "ws")}/gateway/${actorId}/websocket`, [
			"rivet",
		]);
		const closed = new Promise<string>((resolve) =>
			socket.on("close", (code, reason) => resolve(`${code} ${reason}`)),
		);
		const open = await until(() => {
			expect(runner.tunnel).toHaveLength(1);
			return runner.tunnel[0]!;
		});
		runner.answer(open, { tag: "ToServerWebSocketOpen", val: { canHibernate: true } });
		await until(() => expect(socket.readyState).toBe(WebSocket.OPEN));
		return { runner, actorId, socket, closed, open };
	};

	/** What came to a runner from the client of an exchange: index and text. */
	const messagesOf = (runner: ScriptedRunner) =>
		runner.tunnel.flatMap(({ messageId, messageKind }) =>
			messageKind.tag === "ToClientWebSocketMessage"
				? [[messageId.messageIndex, String(Buffer.from(messageKind.val.data))]]
				: [],
		);
	const listedOn = (runner: ScriptedRunner) =>
		runner.commands.flatMap(({ inner }) =>
			inner.tag === "CommandStartActor"
				? inner.val.hibernatingRequests.map(({ gatewayId, requestId }) =>
						Buffer.concat([gatewayId, requestId]).toString("hex"),
					)
				: [],
		);

	it("outlive a runner that is killed: the next one has the client, and what was not acknowledged (nos. 53, 58)", async () => {
		const { runner, socket, open } = await held({ runnerLostThresholdMs: 300 });
		for (const text of ["one", "two"]) socket.send(text);
		await until(() => expect(messagesOf(runner)).toHaveLength(2));
		runner.answer(open, { tag: "ToServerWebSocketMessageAck", val: { index: 1 } });
		// Behind the acknowledgement on the same socket.
		const echo = { data: Buffer.from("echo"), binary: false };
		const heard = new Promise((resolve) => socket.once("message", resolve));
		runner.answer(open, { tag: "ToServerWebSocketMessage", val: echo });
		await heard;
		await runner.close();
		// Nobody calls it: its client's message is what wakes it.
		const next = await connect({ key: "next" });
		await until(() => expect(messagesOf(next)).toEqual([[2, "two"]]));
		const { gatewayId, requestId } = open.messageId;
		expect(listedOn(next)).toEqual([Buffer.concat([gatewayId, requestId]).toString("hex")]);
		socket.send("three");
		await until(() =>
			expect(messagesOf(next)).toEqual([
				[2, "two"],
				[3, "three"],
			]),
		);
		expect(next.tunnel.some(({ messageKind }) => messageKind.tag === "ToClientWebSocketOpen")).toBe(
			false,
		);
		expect(socket.readyState).toBe(WebSocket.OPEN);
		socket.close();
	});

	it("an acknowledgement that does not come closes the client (no. 55)", async () => {
		const { socket, closed, runner } = await held({
			messageAckTimeoutMs: 200,
			messageAckLookMs: 20,
		});
		socket.send("never acknowledged");
		expect(await closed).toBe("1011 guard.websocket_garbage_collected");
		await until(() => {
			expect(runner.tunnel.at(-1)!.messageKind).toMatchObject({ tag: "ToClientWebSocketClose" });
		});
	});

	it("a close with a code that no endpoint may send is a plain one, and the engine goes on", async () => {
		const { closed, runner, open } = await held({});
		runner.answer(open, {
			tag: "ToServerWebSocketClose",
			val: { code: 1006, reason: "broke behind the actor", hibernate: false },
		});
		expect(await closed).toBe("1000 broke behind the actor");
		expect((await call("GET", "/health")).status).toBe(200);
	});

	it("one that is acknowledged does not, however long it stays open (no. 55)", async () => {
		const time = new TestClock();
		const { socket, runner, open, actorId } = await held(
			{ messageAckTimeoutMs: 100, messageAckLookMs: 10 },
			time,
		);
		for (let index = 1; index <= 5; index++) {
			socket.send(`${index}`);
			await until(() => expect(runner.tunnel).toHaveLength(index + 1));
			runner.answer(open, { tag: "ToServerWebSocketMessageAck", val: { index } });
			// Behind it on the same socket.
			await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
			time.advance(60);
		}
		expect(socket.readyState).toBe(WebSocket.OPEN);
		socket.close();
	});

	it("acknowledgements 65535, 0, 1 release in this order (no. 54)", () => {
		const init: ToServerInit = {
			name: "default",
			version: 1,
			totalSlots: 1,
			prepopulateActorNames: undefined,
			metadata: undefined,
		};
		const runner = new RunnerRecord(
			{ runnerId: "r", namespace: "n", key: "k" },
			init,
			0,
			RUNNER_LIMITS,
		);
		const random = systemRandom();
		const exchanges = new RunnerExchanges(
			random.bytes(4),
			() => random.bytes(4),
			new TestClock(),
			15_000,
		);
		const released: number[] = [];
		let handler: ActorSocketHandler | undefined;
		const socket = {
			id: random.uuid(),
			listen: (given: ActorSocketHandler) => {
				handler = given;
			},
			acknowledge: (index: number) => released.push(index),
		} as Partial<ActorSocket> as ActorSocket;
		exchanges.resume(runner, "actor", [socket]);
		const [id] = RunnerExchanges.idsOf([socket]);
		for (let index = 65_534; index <= 65_538; index++) handler!.onMessage("m", index);
		for (const index of [65_535, 0, 1]) {
			exchanges.received(
				runner,
				{ ...id!, messageIndex: 0 },
				{ tag: "ToServerWebSocketMessageAck", val: { index } },
			);
		}
		expect(released).toEqual([65_535, 65_536, 65_537]);
	});
});
