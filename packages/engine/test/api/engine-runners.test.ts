import { describe, expect, it } from "vitest";
import { nodeCount } from "../helpers/engine-apart.ts";
import { until } from "../helpers/until.ts";
import { askedEngine, fails, type Json, normal, serverless } from "./asked-engine.ts";

/**
 * Runners and runner configs in the management API of an engine apart from any application (engine 2.5, 2.6; numbers of engine 11 behind the
 * names).
 */

describe("runners", () => {
	const { serve, connect, call } = askedEngine();

	it("have their door named to whoever asks for it without a WebSocket (engine 4.1)", async () => {
		const path = "/runners/connect?protocol_version=7&namespace=default&runner_key=a";
		const ask = (token?: string) =>
			call("GET", path, undefined, token === undefined ? {} : { "x-rivet-token": token });
		const answer = await ask("admin");
		expect([answer.status, answer.body.text]).toEqual([200, "Runners connect here by WebSocket."]);
		await fails(ask("wrong"), "api.forbidden", 403);
		await fails(ask(), "guard.missing_header");
		await serve(undefined);
		expect((await ask()).status).toBe(200);
	});

	it("are described as in the contract, newest first, and stopped ones when asked for", async () => {
		const runner = await connect({
			slots: 7,
			codeVersion: 3,
			metadata: `{"rivetkit":{"version":"1"}}`,
		});
		const list = async (query = "") =>
			(await call("GET", `/runners?namespace=default${query}`)).body.runners as Json[];
		const [described] = await list();
		expect(described).toEqual({
			runner_id: runner.init!.runnerId,
			namespace_id: expect.stringMatching(/^[0-9a-z]{30}$/),
			datacenter: "default",
			name: "default",
			key: "key",
			version: 3,
			total_slots: 7,
			remaining_slots: 7,
			create_ts: expect.any(Number),
			drain_ts: null,
			stop_ts: null,
			last_ping_ts: expect.any(Number),
			last_connected_ts: expect.any(Number),
			last_rtt: expect.any(Number),
			metadata: { rivetkit: { version: "1" } },
		});
		await connect({ key: "second", pool: "b" });
		expect((await call("GET", "/runners/names?namespace=default")).body).toEqual({
			names: ["b", "default"],
			pagination: { cursor: null },
		});
		expect((await list("&name=b")).map(({ key }) => key)).toEqual(["second"]);
		expect((await list(`&runner_ids=${described!.runner_id}`)).map(({ key }) => key)).toEqual([
			"key",
		]);
		runner.send({ tag: "ToServerStopping", val: undefined });
		await until(async () => expect((await list("&name=default"))[0]!.drain_ts).not.toBeNull());
		await runner.close();
		await until(async () => expect(await list("&name=default")).toEqual([]));
		const [stopped] = await list("&name=default&include_stopped=true");
		expect(stopped!.stop_ts).toEqual(expect.any(Number));
	});
});

describe("runner configs", () => {
	const { call, configure } = askedEngine();

	const configs = async (query = "") =>
		(await call("GET", `/runner-configs?namespace=default${query}`)).body;

	it("are written, read with their defaults, filtered, paged and removed", async () => {
		expect((await configure("a", normal)).body).toEqual({ endpoint_config_changed: true });
		await configure("b", serverless());
		await configure("c", normal);
		expect((await configs("&variant=serverless")).runner_configs).toEqual({
			b: {
				datacenters: {
					default: {
						serverless: {
							url: "http://127.0.0.1:9/api/rivet",
							headers: {},
							request_lifespan: 900,
							drain_grace_period: 10,
							slots_per_runner: 1,
							max_runners: 0,
							min_runners: 0,
							runners_margin: 0,
							max_concurrent_actors: 0,
						},
						drain_on_version_upgrade: false,
						protocol_version: null,
					},
				},
			},
		});
		expect(
			Object.keys((await configs("&runner_name=a&runner_name=c")).runner_configs as Json),
		).toEqual(["a", "c"]);
		expect(await configs("&limit=2")).toMatchObject({ pagination: { cursor: "b" } });
		expect(Object.keys((await configs("&limit=2&cursor=b")).runner_configs as Json)).toEqual(["c"]);
		for (let times = 0; times < 2; times++) {
			expect((await call("DELETE", "/runner-configs/a?namespace=default")).body).toEqual({});
		}
		expect(Object.keys((await configs()).runner_configs as Json)).toEqual(["b", "c"]);
	});

	it("say whether what is asked for at the host is another one", async () => {
		const changed = async (body: unknown) =>
			(await configure("s", body)).body.endpoint_config_changed;
		expect(await changed(serverless())).toBe(true);
		expect(await changed(serverless({ request_lifespan: 300 }))).toBe(false);
		expect(await changed(serverless({ headers: { a: "b" } }))).toBe(true);
		expect(await changed(serverless({ headers: { a: "b" }, url: "http://127.0.0.1:9/x" }))).toBe(
			true,
		);
		expect(await changed(normal)).toBe(true);
		expect(await changed(normal)).toBe(true);
	});

	it("a datacenter that is not named loses its config, an unknown one is refused (no. 13)", async () => {
		await configure("a", normal);
		await fails(configure("a", { datacenters: { mars: { normal: {} } } }), "datacenter.not_found");
		expect((await configs()).runner_configs).toHaveProperty("a");
		await configure("a", { datacenters: {} });
		expect((await configs()).runner_configs).toEqual({});
	});

	const headers = (count: number) =>
		Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, "v"]));

	it.runIf(nodeCount === 1).each<[string, unknown]>([
		["17 headers", serverless({ headers: headers(17) })],
		["a long header", serverless({ headers: { a: "v".repeat(4_097) } })],
		["a header that is none", serverless({ headers: { "a b": "v" } })],
		["a relative URL", serverless({ url: "/api/rivet" })],
		["another scheme", serverless({ url: "ftp://host/x" })],
		["no slots", serverless({ slots_per_runner: 0 })],
		["no lifespan", serverless({ request_lifespan: 0 })],
		["a grace as long as the lifespan", serverless({ drain_grace_period: 900 })],
		[
			"both kinds",
			{ datacenters: { default: { normal: {}, ...serverless().datacenters.default } } },
		],
		["neither kind", { datacenters: { default: {} } }],
	])("%s is runner_config.invalid (no. 13)", async (_what, body) => {
		const { metadata } = await fails(configure("s", body), "runner_config.invalid");
		expect((metadata as Json).reason).toEqual(expect.any(String));
	});

	it("16 headers pass (no. 13), and a lifespan of 900 s without a grace (no. 14)", async () => {
		expect((await configure("s", serverless({ headers: headers(16) }))).status).toBe(200);
	});

	it("there is nothing to refresh in a pool that is not serverless", async () => {
		await configure("a", normal);
		for (const name of ["a", "nobody"]) {
			await fails(
				call("POST", `/runner-configs/${name}/refresh-metadata?namespace=default`, {}),
				"runner_config.not_found",
			);
		}
	});
});
