import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { createMemoryDriver } from "../../src/backends/driver.ts";
import { parseRegistryConfig } from "../../src/registry/config/registry-config.ts";

const use = { any: actor({ actions: {} }) };
const url = "postgres://user:secret@db:5432/app";

describe("database", () => {
	it("takes files for TLS, given ones before those of the environment", () => {
		const env = {
			RIVET__DATABASE__POSTGRES__SSL__ROOT_CERT_PATH: "/env/ca.pem",
			RIVET__DATABASE__POSTGRES__SSL__CLIENT_KEY_PATH: "/env/key.pem",
		};
		const ssl = { rootCertPath: "/own/ca.pem" };
		expect(
			parseRegistryConfig({ use, database: { postgres: { url, ssl } } }, env).database,
		).toEqual({
			postgres: { url, ssl: { rootCertPath: "/own/ca.pem", clientKeyPath: "/env/key.pem" } },
		});
	});

	it("a driver in the code wins over the environment", () => {
		const env = { RIVET__DATABASE__POSTGRES__URL: url };
		const config = parseRegistryConfig({ use, driver: createMemoryDriver() }, env);
		expect(config.database).toBeUndefined();
	});

	it.each([
		["another scheme", { database: { postgres: { url: "mysql://db" } } }, "expected postgres://"],
		[
			"a driver as well",
			{ database: { postgres: { url } }, driver: createMemoryDriver() },
			"cannot be used together with driver",
		],
		[
			"an endpoint as well",
			{ database: { postgres: { url } }, endpoint: "http://engine:6420" },
			"cannot be used together with endpoint",
		],
		["a lease that is too short", { node: { leaseMs: 10 } }, "leaseMs"],
	])("refuses %s", (_what, input, message) => {
		expect(() => parseRegistryConfig({ use, ...input }, {})).toThrow(message);
	});

	it("refuses a port of the environment that is no number, by its name", () => {
		expect(() => parseRegistryConfig({ use }, { RIVET__NODE__PORT: "many" })).toThrow(
			/^RIVET__NODE__PORT: expected a whole number from 0 to 65535, found "many"$/,
		);
	});
});
