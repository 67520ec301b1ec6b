import { importSqliteVfs, type SqliteEngine } from "rivetkit/driver-helpers";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
	actor,
	buildActorNames,
	createEngineDriver,
	createMemoryDriver,
	lookupInRegistry,
	noopNext,
	setup,
} from "../../src/index.ts";

afterEach(() => {
	vi.unstubAllEnvs();
});

const plain = actor({});
const shown = actor({ options: { name: "Shown", icon: "📦" } });
const registry = setup({ use: { plain, shown }, driver: createMemoryDriver() });
const config = registry.parseConfig();

describe("lookupInRegistry", () => {
	it("finds definitions by their own names only", () => {
		expect(lookupInRegistry(config, "shown")).toBe(shown);
		for (const name of ["other", "toString", "__proto__"]) {
			expect(() => lookupInRegistry(config, name)).toThrow(
				expect.objectContaining({ group: "request", code: "invalid" }),
			);
		}
	});

	it("names what there is in development (ruling 6)", () => {
		vi.stubEnv("NODE_ENV", undefined);
		expect(() => lookupInRegistry(config, "other")).toThrow(/registered are: plain, shown/);
		vi.stubEnv("NODE_ENV", "production");
		expect(() => lookupInRegistry(config, "other")).toThrow(/'other' is not registered$/);
	});
});

it("buildActorNames is what /metadata says", async () => {
	expect(buildActorNames(config)).toEqual({
		plain: { metadata: {} },
		shown: { metadata: { name: "Shown", icon: "📦" } },
	});
	const response = await registry.handler(new Request("http://any/api/rivet/metadata"));
	const { actorNames } = (await response.json()) as { actorNames: unknown };
	expect(actorNames).toEqual(buildActorNames(config));
	await registry.shutdown();
});

describe("createEngineDriver", () => {
	const behindEngine = () =>
		setup({ use: { plain }, driver: createEngineDriver(), handleSignals: false });

	it("stands behind the engine of this machine", async () => {
		const registry = behindEngine();
		const response = await registry.handler(new Request("http://any/api/rivet/metadata"));
		expect(await response.json()).toMatchObject({
			runner: { kind: { serverless: {} } },
			clientEndpoint: "http://127.0.0.1:6420",
		});
		await expect(registry.listen()).rejects.toMatchObject({
			group: "feature",
			code: "unsupported",
		});
		await registry.shutdown();
	});

	it("is not started by itself", async () => {
		vi.stubEnv("NODE_ENV", "development");
		behindEngine();
		// The tick on which a registry starts by itself; a throw there would fail this test.
		await new Promise((resolve) => setImmediate(resolve));
		await new Promise((resolve) => setImmediate(resolve));
	});
});

describe("importSqliteVfs", () => {
	it("opens databases with the SQLite of this runtime", async () => {
		const { module, open }: SqliteEngine = await importSqliteVfs();
		expect(module).toBe("node:sqlite");
		const database = open(":memory:");
		database.exec("create table t (n integer)");
		database.prepare("insert into t values (?)").get(7);
		expect(database.prepare("select n from t").all()).toEqual([{ n: 7 }]);
		database.close();
	});
});

it("noopNext resolves", async () => {
	expect(await noopNext()).toBeUndefined();
});
