import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { CountingClock } from "../../../../tests/support/counting-clock.ts";
import { createEngine } from "../../src/index.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { until } from "../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "./scripted-runner.ts";

/** What an engine apart leaves when it is closed. */

type Json = Record<string, unknown>;

it("keeps no process: whatever it waits for, its timers go with it", async () => {
	const clock = new CountingClock();
	const engine = createEngine({
		store: createMemoryStore(),
		clock,
		version: "test",
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	const stats = engine.attachRunners({ retryBaseMs: 300_000, actorStopThresholdMs: 600_000 });
	const { url } = await engine.listen({ port: 0 });
	const call = async (method: string, path: string, body?: unknown) => {
		const answer = await fetch(`${url}${path}?namespace=default`, {
			method,
			...(body !== undefined && {
				headers: { "content-type": "application/json" },
				body: JSON.stringify(body),
			}),
		});
		return (await answer.json()) as Json;
	};
	const create = async (key: string, crash_policy: string, runner_name_selector = "default") => {
		const body = { name: "any", key, runner_name_selector, crash_policy };
		const { actor } = await call("PUT", "/actors", body);
		return (actor as Json).actor_id as string;
	};
	const actorOf = async (actorId: string) => {
		const answer = await fetch(`${url}/actors?namespace=default&actor_ids=${actorId}`);
		return ((await answer.json()) as { actors: Json[] }).actors[0]!;
	};
	const connect = async (options: RunnerOptions) => {
		const runner = await ScriptedRunner.connect(url, {
			token: null,
			stopsAtOnce: true,
			...options,
		});
		onTestFinished(() => runner.close());
		await until(() => expect(runner.init).toBeDefined());
		return runner;
	};
	const runner = await connect({});
	// One that crashes again and again waits for its next start.
	const crashing = await create("crashing", "restart");
	const crashed = new Set<number>();
	await until(async () => {
		for (const { checkpoint } of runner.commands) {
			if (crashed.has(checkpoint.generation)) continue;
			crashed.add(checkpoint.generation);
			runner.state(crashing, checkpoint.generation, "Error");
		}
		expect((await actorOf(crashing)).reschedule_ts).not.toBeNull();
	});
	// One runner is about to leave, one actor waits for a runner, and a client is there.
	const leaving = await connect({ pool: "leaving", key: "leaving" });
	leaving.send({ tag: "ToServerStopping", val: undefined });
	const stays = await create("stays", "sleep");
	await until(() => expect(runner.commands.at(-1)?.checkpoint.actorId).toBe(stays));
	const client = new WebSocket(`${url.replace("http", "ws")}/gateway/${stays}/websocket`, "rivet");
	await until(() => expect(runner.tunnel).toHaveLength(1));
	await call("PUT", "/runner-configs/none", { datacenters: { default: { normal: {} } } });
	await create("waits", "restart", "none");
	// A pool whose host fails.
	const host = createServer((_request, response) => response.writeHead(500).end()).listen(0);
	await once(host, "listening");
	onTestFinished(() => {
		host.closeAllConnections();
		host.close();
	});
	const serverless = {
		url: `http://127.0.0.1:${(host.address() as AddressInfo).port}`,
		request_lifespan: 3_000,
		slots_per_runner: 1,
		max_runners: 1,
		min_runners: 1,
	};
	await call("PUT", "/runner-configs/failing", { datacenters: { default: { serverless } } });
	await until(() => expect(stats()).toMatchObject({ poolsFailing: 1, draining: 1, waiting: 1 }));
	expect(clock.set).not.toEqual([]);
	await engine.close();
	client.terminate();
	expect(clock.set).toEqual([]);
});
