import { expect, it, onTestFinished } from "vitest";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { createEngine, openPostgresStore, openSqliteStore } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";
import { until } from "../helpers/until.ts";
import { ScriptedRunner } from "../runners/scripted-runner.ts";
import { temporaryDirectory } from "../store/temporary-directory.ts";

let directory: string | undefined;
let database: string | undefined;

async function serve(store: Store) {
	const engine = createEngine({
		store,
		version: "test",
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	engine.attachRunners({ actorStopThresholdMs: 100 });
	const { url } = await engine.listen({ port: 0 });
	const call = async (method: string, path: string, body?: unknown) => {
		const headers = { "content-type": "application/json" };
		const init = body === undefined ? {} : { headers, body: JSON.stringify(body) };
		const answer = await fetch(url + path, { method, ...init });
		return (await answer.json()) as Record<string, unknown>;
	};
	return { engine, url, call };
}

it.each<[string, () => Promise<Store>]>([
	[
		"SQLite",
		() => {
			directory ??= temporaryDirectory();
			return openSqliteStore({ directory });
		},
	],
	[
		"PostgreSQL",
		async () => {
			database ??= await emptiedDatabase();
			return openPostgresStore({ url: database });
		},
	],
])("namespaces, pools, names and actors outlive the process in %s", async (_name, open) => {
	const store = await open();
	const first = await serve(store);
	const lab = await first.call("POST", "/namespaces", { name: "lab", display_name: "Lab" });
	await first.call("PUT", "/runner-configs/pool?namespace=lab", {
		datacenters: { default: { normal: { drain_on_version_upgrade: true } } },
	});
	const options = { token: null, namespace: "lab", pool: "pool", names: { other: "{}" } };
	const runner = await ScriptedRunner.connect(first.url, options);
	await until(() => expect(runner.init).toBeDefined());
	const wanted = { name: "any", key: "a", runner_name_selector: "pool", crash_policy: "sleep" };
	const { actor } = await first.call("PUT", "/actors?namespace=lab", wanted);
	await until(() => expect(runner.commands).toHaveLength(1));
	await first.engine.close();
	await runner.close();
	await store.close();

	const reopened = await open();
	const again = await serve(reopened);
	onTestFinished(async () => {
		await again.engine.close();
		await reopened.close();
	});
	const { namespaces } = await again.call("GET", "/namespaces?name=lab");
	expect(namespaces).toEqual([lab.namespace]);
	expect((await again.call("GET", "/runner-configs?namespace=lab")).runner_configs).toMatchObject({
		pool: { datacenters: { default: { drain_on_version_upgrade: true } } },
	});
	expect(
		Object.keys((await again.call("GET", "/actors/names?namespace=lab")).names as object),
	).toEqual(["any", "other"]);
	const second = await again.call("PUT", "/actors?namespace=lab", wanted);
	expect(second).toMatchObject({
		created: false,
		actor: { actor_id: (actor as Record<string, unknown>).actor_id },
	});
});
