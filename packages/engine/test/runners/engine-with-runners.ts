import { type CrashPolicy, systemRandom } from "@rivetkit/protocol";
import { afterEach, expect } from "vitest";
import { createEngine, type Engine, type RunnerLimits } from "../../src/index.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { callApi, type Json } from "../helpers/call.ts";
import type { TestClock } from "../helpers/test-clock.ts";
import { until } from "../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "./scripted-runner.ts";

export type { Json };

export const startsOn = (runner: ScriptedRunner) =>
	runner.commands
		.filter(({ inner }) => inner.tag === "CommandStartActor")
		.map(({ checkpoint }) => checkpoint.generation);

export const tagsOn = (runner: ScriptedRunner) => runner.commands.map(({ inner }) => inner.tag);

/**
 * An engine apart from any application for each test of a file, with runners that say what the test wants.
 *
 * @param token - of the engine, if it has one
 */
export function engineWithRunners(token?: string) {
	let engine: Engine | undefined;
	let store: Store;
	let url: string;
	let clock: TestClock | undefined;
	const warnings: string[] = [];
	const runners: ScriptedRunner[] = [];

	async function serve(
		limits: Partial<RunnerLimits> = {},
		at?: TestClock,
		stored: Store = createMemoryStore(),
	): Promise<void> {
		clock = at;
		store = stored;
		warnings.length = 0;
		const random = systemRandom();
		engine = createEngine({
			store,
			version: "test",
			...(token !== undefined && { token }),
			...(at && { clock: at }),
			random: {
				uuid: () => random.uuid(),
				bytes: (length) => random.bytes(length),
				fraction: () => 0.5,
			},
			logger: { debug() {}, info() {}, warn: (_, text) => void warnings.push(text), error() {} },
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

	async function stop(): Promise<void> {
		for (const runner of runners) runner.obey();
		const closing = engine?.close() ?? Promise.resolve();
		engine = undefined;
		for (let isClosed = false; clock !== undefined && !isClosed; ) {
			clock.advance(60_000);
			isClosed = await Promise.race([
				closing.then(() => true),
				new Promise<false>((resolve) => setImmediate(resolve, false)),
			]);
		}
		await closing;
		for (const runner of runners.splice(0)) await runner.close();
	}

	afterEach(stop);

	async function connect(options: RunnerOptions = {}): Promise<ScriptedRunner> {
		const runner = await ScriptedRunner.connect(url, { token: token ?? null, ...options });
		runners.push(runner);
		if (!options.isSilent) await until(() => expect(runner.init).toBeDefined());
		return runner;
	}

	async function call(method: string, path: string, given?: unknown) {
		const { status, body } = await callApi(
			`${url}${path}${path.includes("?") ? "&" : "?"}namespace=default`,
			method,
			given,
			token === undefined ? {} : { authorization: `Bearer ${token}` },
		);
		return { status, body };
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

	/** A new actor that runs on one of the runners; resolves when it does. */
	async function place(key: string, crashPolicy: CrashPolicy = "sleep", pool = "default") {
		const query = { kind: "getOrCreate", name: "any", key: [key], input: null } as const;
		return (await engine!.resolve({ ...query, crashPolicy, pool })).actor.actorId;
	}

	async function actorOf(actorId: string): Promise<Json> {
		const { body } = await call("GET", `/actors?actor_ids=${actorId}`);
		return (body.actors as Json[])[0]!;
	}

	const configure = (config: object) =>
		call("PUT", "/runner-configs/default", { datacenters: { default: config } });

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

	return {
		serve,
		/** Ends the engine, and its runners, before the test does. */
		stop,
		connect,
		place,
		call,
		create,
		actorOf,
		configure,
		isAwake,
		answerNext,
		/** Of the engine that was served last. */
		warnings,
		/** Of the engine that was served last. */
		get url() {
			return url;
		},
		get engine() {
			return engine!;
		},
		get store() {
			return store;
		},
	};
}
