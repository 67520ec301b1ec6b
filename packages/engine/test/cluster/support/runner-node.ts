// Engines that share a PostgreSQL, with runners of their own.
import { expect, onTestFinished } from "vitest";
import {
	type ClusterNode,
	joinCluster,
	type NodeOptions,
} from "../../../src/cluster/join-cluster.ts";
import type { EngineLimits } from "../../../src/common/limits.ts";
import { createEngine } from "../../../src/engine.ts";
import type { Engine } from "../../../src/engine.types.ts";
import { until } from "../../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "../../runners/scripted-runner.ts";

const LEASE_MS = 3_000;

export interface RunnerNode {
	readonly engine: Engine;
	readonly node: ClusterNode;
	readonly url: string;
	/** A new actor; its id. */
	create(key: string): Promise<string>;
	stop(): Promise<void>;
}

/** A node in this process. It stops with the test. */
export async function startNode(
	url: string,
	{
		slotWaitMs = 5_000,
		routeTimeoutMs = 10_000,
		actorStopThresholdMs = 300,
		limits = {},
		at = {},
	}: {
		readonly slotWaitMs?: number;
		readonly routeTimeoutMs?: number;
		readonly actorStopThresholdMs?: number;
		readonly limits?: Partial<EngineLimits>;
		/** Where other nodes reach it. */
		readonly at?: NodeOptions;
	} = {},
): Promise<RunnerNode> {
	const logger = { debug() {}, info() {}, warn() {}, error() {} };
	const node = await joinCluster({
		url,
		version: "test",
		logger,
		node: { leaseMs: LEASE_MS, ...at },
	});
	const engine = createEngine({
		store: node.store,
		node,
		clock: node.clock,
		version: "test",
		token: "admin",
		logger,
		limits: { routeTimeoutMs, ...limits },
	});
	engine.attachRunners({
		pingIntervalMs: 50,
		runnerLostThresholdMs: 2_000,
		actorStopThresholdMs,
		slotWaitMs,
	});
	await engine.joined;
	const { url: listens } = await engine.listen({ port: 0 });
	let stopped: Promise<void> | undefined;
	const stop = () => {
		stopped ??= engine.close().finally(() => node.store.close());
		return stopped;
	};
	onTestFinished(stop);
	return {
		engine,
		node,
		url: listens,
		stop,
		async create(key) {
			const query = { kind: "getOrCreate", name: "any", key: [key], input: null } as const;
			return (await engine.resolve(query)).actor.actorId;
		},
	};
}

export async function connect(
	node: RunnerNode,
	options: RunnerOptions = {},
): Promise<ScriptedRunner> {
	const runner = await ScriptedRunner.connect(node.url, options);
	onTestFinished(() => runner.close());
	await until(() => expect(runner.init).toBeDefined());
	return runner;
}

/** Generations of the actors that a runner was told to start. */
export const startsOf = (runner: ScriptedRunner) =>
	runner.commands.flatMap(({ checkpoint, inner }) =>
		inner.tag === "CommandStartActor" ? [checkpoint.generation] : [],
	);

/** Makes actors of a pool through one node; their ids. */
export async function createIn(
	node: RunnerNode,
	pool: string,
	count: number,
	crashPolicy = "restart",
): Promise<string[]> {
	const create = async (key: number) => {
		const answer = await fetch(`${node.url}/actors?namespace=default`, {
			method: "PUT",
			headers: { "content-type": "application/json", authorization: "Bearer admin" },
			body: JSON.stringify({
				name: "any",
				key: `${pool}-${crashPolicy}-${key}`,
				runner_name_selector: pool,
				crash_policy: crashPolicy,
			}),
		});
		expect(answer.status).toBe(200);
		return ((await answer.json()) as { actor: { actor_id: string } }).actor.actor_id;
	};
	return Promise.all(Array.from({ length: count }, (_, key) => create(key)));
}

/** What the API shows of an actor. */
export async function actorAt(node: RunnerNode, actorId: string): Promise<Record<string, unknown>> {
	const answer = await fetch(`${node.url}/actors?namespace=default&actor_ids=${actorId}`, {
		headers: { authorization: "Bearer admin" },
	});
	const { actors } = (await answer.json()) as { actors: Record<string, unknown>[] };
	return actors[0]!;
}

/** A GET through a node, which the runner answers. */
export async function called(
	node: RunnerNode,
	runner: ScriptedRunner,
	actorId: string,
): Promise<number> {
	const before = runner.tunnel.length;
	const response = fetch(`${node.url}/gateway/${actorId}/request/x`);
	await until(() => expect(runner.tunnel.length).toBeGreaterThan(before));
	runner.answer(runner.tunnel.at(-1)!, {
		tag: "ToServerResponseStart",
		val: { status: 200, headers: new Map(), body: undefined, stream: false },
	});
	return (await response).status;
}
