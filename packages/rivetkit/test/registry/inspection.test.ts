// What a registry's configuration and environment make of the inspector (api 14.1, 18; ruling 13).
import { afterEach, describe, expect, it, vi } from "vitest";
import { actor, createMemoryDriver, setup } from "../../src/index.ts";
import type { RegistryConfigInput } from "../../src/registry/config/registry-config.ts";
import { setupTest } from "../../src/test/index.ts";

const counter = actor({ state: { count: 0 }, actions: { get: (c) => c.state.count } });

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
	vi.unstubAllEnvs();
});

async function statusOf(
	options: Partial<RegistryConfigInput>,
	env: Record<string, string>,
	authorization?: string,
): Promise<number> {
	for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
	const registry = setup({
		use: { counter },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		handleSignals: false,
		logging: { level: "silent" },
		...options,
	});
	cleanUps.push(() => registry.shutdown());
	const { port } = await registry.listen();
	return inspect(`http://127.0.0.1:${port}`, authorization);
}

async function inspect(url: string, authorization?: string): Promise<number> {
	const query = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=a";
	const response = await fetch(`${url}/gateway/counter/inspector/state?${query}`, {
		headers: authorization === undefined ? {} : { authorization },
	});
	await response.text();
	return response.status;
}

describe("the inspector of a registry", () => {
	it.each<[string, Partial<RegistryConfigInput>, Record<string, string>, number, number]>([
		["in development", {}, {}, 200, 200],
		["in development on another address", { managerHost: "0.0.0.0" }, {}, 401, 401],
		["in production", {}, { NODE_ENV: "production" }, 401, 401],
		["with a token", {}, { RIVET_INSPECTOR_TOKEN: "t" }, 401, 200],
		["with a token of its own", { inspector: { token: () => "t" } }, {}, 401, 200],
		[
			"with a token in production on another address",
			{ managerHost: "0.0.0.0" },
			{ NODE_ENV: "production", RIVET_INSPECTOR_TOKEN: "t" },
			401,
			200,
		],
		["switched off by the environment", {}, { RIVET_INSPECTOR_DISABLE: "1" }, 404, 404],
		["switched off", { inspector: { enabled: false, token: () => "t" } }, {}, 404, 404],
	])("%s", async (_what, options, env, without, withToken) => {
		expect(await statusOf(options, env)).toBe(without);
		expect(await statusOf(options, env, "Bearer t")).toBe(withToken);
	});

	it("of a test opens with the token `token`", async (context) => {
		const { endpoint } = await setupTest(context, setup({ use: { counter } }));
		expect(await inspect(endpoint)).toBe(401);
		expect(await inspect(endpoint, "Bearer token")).toBe(200);
	});
});
