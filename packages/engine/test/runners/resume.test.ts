import { afterEach, expect, it, onTestFinished } from "vitest";
import { createEngine, type Engine, type RunnerLimits } from "../../src/index.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { type Store, StoreError } from "../../src/store/store.ts";
import { Gate } from "../helpers/gate.ts";
import { until } from "../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "./scripted-runner.ts";

/** Runners of an engine that was killed, and what they run, go on with its next process (engine 4.4, 7.1). */

type Json = Record<string, unknown>;

const runners: ScriptedRunner[] = [];
const engines: Engine[] = [];

afterEach(async () => {
	for (const runner of runners) runner.obey();
	await Promise.allSettled(engines.splice(0).map((engine) => engine.close()));
	for (const runner of runners.splice(0)) await runner.close();
});

/** What a process has of a store that outlives it. */
function mortal(store: Store) {
	let isDead = false;
	const gone = () => Promise.reject(new StoreError("closed", "data", "the process is gone"));
	const guard = <T extends object>(target: T): T =>
		new Proxy(target, {
			get(inner, name) {
				const value: unknown = inner[name as keyof T];
				if (typeof value === "object" && value !== null) return guard(value);
				if (typeof value !== "function") return value;
				return (...given: unknown[]) => (isDead ? gone() : value.apply(inner, given));
			},
		});
	return {
		store: guard(store),
		kill: () => {
			isDead = true;
		},
	};
}

interface Process {
	readonly url: string;
	/** Nothing that it does counts any more. */
	kill(): void;
	call(method: string, path: string, body?: object): Promise<{ status: number; body: Json }>;
	/** A new actor, or the one with this key; its id. */
	create(crashPolicy?: string, key?: string): Promise<string>;
	actorOf(actorId: string): Promise<Json>;
}

async function startProcess(store: Store, limits: Partial<RunnerLimits> = {}): Promise<Process> {
	const { store: own, kill } = mortal(store);
	const engine = createEngine({
		store: own,
		version: "test",
		limits: { closeGraceMs: 50 },
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	engines.push(engine);
	engine.attachRunners({
		pingIntervalMs: 50,
		runnerLostThresholdMs: 10_000,
		actorStartThresholdMs: 1_000,
		actorStopThresholdMs: 50,
		...limits,
	});
	const { url } = await engine.listen({ port: 0 });
	const call = async (method: string, path: string, body?: object) => {
		const answer = await fetch(`${url}${path}${path.includes("?") ? "&" : "?"}namespace=default`, {
			method,
			...(body && {
				headers: { "content-type": "application/json" },
				body: JSON.stringify(body),
			}),
		});
		return { status: answer.status, body: (await answer.json()) as Json };
	};
	return {
		url,
		kill,
		call,
		async create(crash_policy = "sleep", key = "a") {
			const wanted = { name: "any", key, runner_name_selector: "default", crash_policy };
			const { body } = await call("PUT", "/actors", wanted);
			return (body.actor as Json).actor_id as string;
		},
		async actorOf(actorId) {
			const { body } = await call("GET", `/actors?actor_ids=${actorId}`);
			return (body.actors as Json[])[0]!;
		},
	};
}

async function connect({ url }: Process, options: RunnerOptions = {}): Promise<ScriptedRunner> {
	const runner = await ScriptedRunner.connect(url, { token: null, ...options });
	runners.push(runner);
	await until(() => expect(runner.init).toBeDefined());
	return runner;
}

const commandsOf = (runner: ScriptedRunner) =>
	runner.commands.map(({ checkpoint: { actorId, generation }, inner }) => [
		inner.tag,
		actorId,
		generation,
	]);

/** An actor that runs on a runner of a process that is then killed. */
async function killed(crashPolicy = "sleep", options: RunnerOptions = {}) {
	const store = createMemoryStore();
	const first = await startProcess(store);
	const runner = await connect(first, options);
	const actorId = await first.create(crashPolicy);
	await until(() => expect(commandsOf(runner)).toEqual([["CommandStartActor", actorId, 0]]));
	if (options.runsAtOnce !== false) {
		await until(async () => expect((await first.actorOf(actorId)).status).toBe("awake"));
	}
	first.kill();
	await runner.close();
	return { store, runner, actorId };
}

async function answerNext(runner: ScriptedRunner): Promise<void> {
	await until(() => expect(runner.tunnel.length).toBeGreaterThan(0));
	const val = { status: 200, headers: new Map(), body: Buffer.from("{}"), stream: false };
	runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseStart", val });
}

it("a runner that comes back is the one that it was, and its actor runs on", async () => {
	const { store, runner, actorId } = await killed();
	const key = { keys: [Uint8Array.of(1)], values: [Uint8Array.of(2)] };
	const next = await startProcess(store);
	// Before it is back, a call waits for it.
	const called = next.call("GET", `/gateway/${actorId}/x`);
	const { body } = await next.call("GET", "/runners");
	expect(body.runners).toEqual([
		expect.objectContaining({ runner_id: runner.init!.runnerId, remaining_slots: 99 }),
	]);
	const back = await connect(next);
	expect(back.init).toEqual(runner.init);
	await answerNext(back);
	expect((await called).status).toBe(200);
	expect((await back.kv(actorId, { tag: "KvPutRequest", val: key })).tag).toBe("KvPutResponse");
	expect(commandsOf(back)).toEqual([]);
	// What it tells again changes nothing, what it tells anew counts.
	back.state(actorId, 0, "running");
	back.state(actorId, 0, "wantsSleep");
	await until(() => expect(commandsOf(back)).toEqual([["CommandStopActor", actorId, 0]]));
	back.state(actorId, 0, "Ok");
	await until(async () => expect((await next.actorOf(actorId)).status).toBe("sleeping"));
	// Nothing is kept of what is over.
	await until(async () => expect(await store.inventory.listKind("runner_actor")).toEqual([]));
});

it.each([
	["sleep", "sleeping", []],
	["restart", "awake", [1]],
	["destroy", "destroyed", []],
])(
	"one that does not come back in time has lost its actors: `%s`",
	async (crashPolicy, status, starts) => {
		const { store, runner, actorId } = await killed(crashPolicy);
		const next = await startProcess(store, { runnerLostThresholdMs: 200 });
		const other = await connect(next, { key: "other" });
		await until(async () => expect(await store.inventory.listKind("runner")).toHaveLength(1));
		await until(() =>
			expect(other.commands.map((one) => one.checkpoint.generation)).toEqual(starts),
		);
		await until(async () => expect((await next.actorOf(actorId)).status).toBe(status));
		const { body } = await next.call("GET", "/runners");
		expect((body.runners as Json[]).map(({ key }) => key)).toEqual(["other"]);
		const late = await connect(next);
		expect(late.init!.runnerId).not.toBe(runner.init!.runnerId);
	},
);

it("another process with the key of one that ran actors has none of them: they are lost at once", async () => {
	const { store, runner, actorId } = await killed("restart", { processId: "1" });
	const next = await startProcess(store, { runnerLostThresholdMs: 60_000 });
	const other = await connect(next, { processId: "2" });
	expect(other.init!.runnerId).not.toBe(runner.init!.runnerId);
	await until(() => expect(commandsOf(other)).toEqual([["CommandStartActor", actorId, 1]]));
	// The same one that comes back, and one that does not say, are what they were.
	await other.close();
	for (const processId of ["2", undefined]) {
		const back = await connect(next, processId === undefined ? {} : { processId });
		expect(back.init).toEqual(other.init);
		await back.close();
	}
});

it("what a runner has that the engine does not know to run is stopped there, and starts anew", async () => {
	const { store, actorId } = await killed("restart", { runsAtOnce: false });
	const next = await startProcess(store);
	const back = await connect(next, { runsAtOnce: false });
	await until(() => expect(commandsOf(back)).toEqual([["CommandStartActor", actorId, 1]]));
	back.state(actorId, 0, "running");
	await until(() => expect(commandsOf(back).slice(1)).toEqual([["CommandStopActor", actorId, 0]]));
	// Told once, however often it tells of it.
	back.event(actorId, 0, 1, "running");
	back.state(actorId, 1, "running");
	await until(async () => expect((await next.actorOf(actorId)).status).toBe("awake"));
	expect(commandsOf(back)).toHaveLength(2);
});

it("one that was destroyed while its runner was away is stopped there", async () => {
	const store = createMemoryStore();
	const first = await startProcess(store);
	const runner = await connect(first);
	const actorId = await first.create();
	await until(async () => expect((await first.actorOf(actorId)).status).toBe("awake"));
	await runner.close();
	const { generation } = (await store.actorById(actorId))!;
	first.kill();
	await store.commit({ actorId, generation, ops: [], destroyTs: Date.now() });
	const back = await connect(await startProcess(store));
	await until(() => expect(commandsOf(back)).toEqual([["CommandStopActor", actorId, generation]]));
});

it.each([
	["sleep", "sleeping"],
	["restart", "awake"],
	["destroy", "sleeping"],
])(
	"a clean end of which nobody knows the reason any more destroys nothing: `%s`",
	async (crashPolicy, status) => {
		const { store, actorId } = await killed(crashPolicy);
		const next = await startProcess(store);
		const back = await connect(next);
		back.event(actorId, 0, 5, "Ok");
		await until(async () => expect((await next.actorOf(actorId)).status).toBe(status));
		await until(() => expect(back.commands).toHaveLength(status === "awake" ? 1 : 0));
	},
);

it("one that wants to be destroyed is, also after its engine was killed", async () => {
	const { store, actorId } = await killed();
	const next = await startProcess(store);
	const back = await connect(next);
	back.event(actorId, 0, 1, "wantsStop");
	back.event(actorId, 0, 2, "Ok");
	await until(async () => expect((await next.actorOf(actorId)).status).toBe("destroyed"));
});

it("an engine that stops lets its actors sleep, and the next one starts those that are to run", async () => {
	const store = createMemoryStore();
	const first = await startProcess(store);
	const runner = await connect(first, { stopsAtOnce: true });
	const rests = await first.create("sleep", "rests");
	const again = await first.create("restart", "again");
	await until(() => expect(runner.commands).toHaveLength(2));
	await until(async () => expect((await first.actorOf(again)).status).toBe("awake"));
	await engines[0]!.close();
	expect(await runner.closed).toEqual({ code: 1011, reason: "ws.going_away" });
	expect(await store.inventory.listKind("runner_actor")).toEqual([]);
	const next = await startProcess(store);
	const back = await connect(next);
	expect(back.init).toEqual(runner.init);
	await until(() => expect(commandsOf(back)).toEqual([["CommandStartActor", again, 1]]));
	expect(await next.actorOf(rests)).toMatchObject({ status: "sleeping" });
});

it("nothing is started before it is known what runs", async () => {
	const { store, runner, actorId } = await killed();
	const read = new Gate();
	onTestFinished(() => read.open());
	const listKind = store.inventory.listKind.bind(store.inventory);
	store.inventory.listKind = async (kind) => {
		if (kind === "runner") await read.opened;
		return listKind(kind);
	};
	const next = await startProcess(store);
	const called = next.call("GET", `/gateway/${actorId}/x`);
	const waiting = await ScriptedRunner.connect(next.url, { token: null });
	runners.push(waiting);
	await new Promise((resolve) => setTimeout(resolve, 50));
	expect(waiting.init).toBeUndefined();
	expect((await store.actorById(actorId))!.generation).toBe(0);
	read.open();
	await until(() => expect(waiting.init).toEqual(runner.init));
	await answerNext(waiting);
	expect((await called).status).toBe(200);
	expect(commandsOf(waiting)).toEqual([]);
});

it("a client whose engine is gone is closed for its actor when that sends to it", async () => {
	const { store } = await killed();
	const back = await connect(await startProcess(store));
	const messageId = {
		gatewayId: Uint8Array.of(1, 2, 3, 4),
		requestId: Uint8Array.of(5, 6, 7, 8),
		messageIndex: 7,
	};
	const messageKind = {
		tag: "ToServerWebSocketMessage",
		val: { data: Buffer.from("are you there"), binary: false },
	} as const;
	back.send({ tag: "ToServerTunnelMessage", val: { messageId, messageKind } });
	await until(() =>
		expect(back.tunnel).toEqual([
			{
				messageId: {
					gatewayId: expect.objectContaining({ 3: 4 }),
					requestId: expect.objectContaining({ 3: 8 }),
					messageIndex: 0,
				},
				messageKind: {
					tag: "ToClientWebSocketClose",
					val: { code: 1011, reason: "ws.downstream_closed" },
				},
			},
		]),
	);
});

it("a runner that leaves, and one that a request has brought, is nothing to come back to", async () => {
	const store = createMemoryStore();
	const first = await startProcess(store);
	const stays = await connect(first, { key: "stays" });
	const leaves = await connect(first, { key: "leaves" });
	await until(async () => expect(await store.inventory.listKind("runner")).toHaveLength(2));
	leaves.send({ tag: "ToServerStopping", val: undefined });
	await until(async () => expect(await store.inventory.listKind("runner")).toHaveLength(1));
	const serverless = { url: "http://127.0.0.1:9/", request_lifespan: 60, slots_per_runner: 1 };
	await first.call("PUT", "/runner-configs/asked", {
		datacenters: { default: { serverless: { ...serverless, max_runners: 0 } } },
	});
	await connect(first, { key: "asked", pool: "asked" });
	const kept = await store.inventory.listKind("runner");
	expect(kept.map(({ name }) => name)).toEqual([stays.init!.runnerId]);
});
