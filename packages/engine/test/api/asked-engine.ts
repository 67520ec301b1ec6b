import { afterEach, beforeEach, expect } from "vitest";
import type { AttachRunnersOptions } from "../../src/index.ts";
import { callApi, type Json } from "../helpers/call.ts";
import { type EngineApart, startEngineApart } from "../helpers/engine-apart.ts";
import { until } from "../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "../runners/scripted-runner.ts";

export type { Json };

export const fails = async (
	answer: Promise<{ status: number; body: Json }>,
	code: string,
	status = 400,
) => {
	const { status: given, body } = await answer;
	expect([`${body.group}.${body.code}`, given]).toEqual([code, status]);
	return body;
};

export const wanted = {
	name: "any",
	key: "a",
	runner_name_selector: "default",
	crash_policy: "sleep",
};
export const normal = { datacenters: { default: { normal: {} } } };
export const serverless = (fields: object = {}) => ({
	datacenters: {
		default: {
			serverless: {
				url: "http://127.0.0.1:9/api/rivet",
				request_lifespan: 900,
				slots_per_runner: 1,
				max_runners: 0,
				...fields,
			},
		},
	},
});

/** For each test of a suite an engine apart from any application, with the token `admin`, whose nodes are asked in turns. */
export function askedEngine() {
	let engine: EngineApart;
	/** Of the node that was asked last. */
	let url: string;
	let turn = 0;
	let runners: ScriptedRunner[];

	const nextUrl = () => {
		url = engine.urls[turn++ % engine.urls.length]!;
		return url;
	};

	async function serve(
		token: string | undefined,
		options: AttachRunnersOptions = {},
	): Promise<void> {
		await engine?.close();
		const limits = { pingIntervalMs: 50, runnerLostThresholdMs: 10_000, actorStopThresholdMs: 500 };
		engine = await startEngineApart({ token, limits, options });
	}

	beforeEach(async () => {
		runners = [];
		await serve("admin");
	});

	afterEach(async () => {
		for (const runner of runners) runner.obey();
		await engine.close();
		for (const runner of runners) await runner.close();
	});

	async function connect(options: RunnerOptions = {}): Promise<ScriptedRunner> {
		const runner = await ScriptedRunner.connect(nextUrl(), options);
		runners.push(runner);
		await until(() => expect(runner.init).toBeDefined());
		return runner;
	}

	const call = (
		method: string,
		path: string,
		body?: unknown,
		headers: Record<string, string> = { authorization: "Bearer admin" },
	) => callApi(nextUrl() + path, method, body, headers);

	const put = (body: object = wanted, namespace = "default") =>
		call("PUT", `/actors?namespace=${namespace}`, body);
	const configure = (name: string, body: unknown, namespace = "default") =>
		call("PUT", `/runner-configs/${name}?namespace=${namespace}`, body);

	return {
		/** Anew, in place of the engine that there is. */
		serve,
		connect,
		/** Of the node whose turn it is. */
		nextUrl,
		call,
		put,
		configure,
		/** Of the node that was asked last. */
		get url() {
			return url;
		},
	};
}
