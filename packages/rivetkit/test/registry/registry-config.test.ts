import { pino } from "pino";
import { actor, createMemoryDriver, RegistryConfigSchema } from "rivetkit";
import { describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import {
	parseRegistryConfig,
	type RegistryConfig,
} from "../../src/registry/config/registry-config.ts";
import { VERSION } from "../../src/utils/version.ts";

const counter = actor({ state: { count: 0 }, actions: { get: (c) => c.state.count } });
const use = { counter };

type Env = Record<string, string>;

function parse(input: object = {}, env: Env = {}): RegistryConfig {
	return parseRegistryConfig({ use, ...input }, env);
}

/** What is wrong with a config, as `path: message`. */
function issuesOf(input: unknown, env: Env = {}): string[] {
	try {
		parseRegistryConfig(input, env);
	} catch (error) {
		expect(["ZodError", "EnvironmentError"]).toContain((error as Error).name);
		const { issues } = error as z.ZodError;
		return issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
	}
	return [];
}

describe("defaults (api 14.1)", () => {
	it("are those of the contract", () => {
		const { inspector, ...config } = parse();
		expect(config).toEqual({
			use,
			driver: undefined,
			database: undefined,
			node: {},
			storagePath: undefined,
			maxIncomingMessageSize: 65_536,
			maxOutgoingMessageSize: 1_048_576,
			limits: {},
			noWelcome: false,
			logging: { level: undefined, baseLogger: undefined },
			endpoint: undefined,
			token: undefined,
			namespace: "default",
			headers: {},
			serveManager: true,
			managerBasePath: "/",
			managerPort: 6420,
			managerHost: undefined,
			dashboard: { enabled: true },
			traces: {
				maxPerSecond: 100,
				maxSpans: 512,
				maxBytes: 262_144,
				maxTotalBytes: 16_777_216,
				maxAge: 604_800_000,
				store: true,
			},
			metrics: { enabled: true },
			serverless: {
				spawnEngine: false,
				engineVersion: VERSION,
				configureRunnerPool: undefined,
				basePath: "/api/rivet",
				publicEndpoint: undefined,
				publicNamespace: undefined,
				publicToken: undefined,
			},
			runner: {
				totalSlots: 100_000,
				runnerName: "default",
				runnerKey: undefined,
				version: 1,
			},
			handleSignals: true,
			shutdownTimeout: 15_000,
			maxOpenDatabases: 128,
			test: { enabled: false },
			warnings: [],
		});
		expect(inspector.enabled).toBe(true);
		expect(inspector.token()).toBe("");
	});

	it("serve the local API outside production and without an engine only", () => {
		expect(parse({}, { NODE_ENV: "development" }).serveManager).toBe(true);
		expect(parse({}, { NODE_ENV: "production" }).serveManager).toBe(false);
		expect(parse({}, { RIVET_ENDPOINT: "http://e:1" }).serveManager).toBe(false);
		expect(parse({ serveManager: true }, { NODE_ENV: "production" }).serveManager).toBe(true);
	});

	it("fill in a runner pool", () => {
		const { serverless } = parse({
			endpoint: "http://engine:6420",
			serverless: { configureRunnerPool: { url: "http://app/api/rivet", maxRunners: 5 } },
		});
		expect(serverless.configureRunnerPool).toEqual({
			url: "http://app/api/rivet",
			name: "default",
			headers: {},
			maxRunners: 5,
			minRunners: 0,
			requestLifespan: 900,
			runnersMargin: 0,
			slotsPerRunner: 1,
			metadata: undefined,
			metadataPollInterval: 1_000,
			drainOnVersionUpgrade: true,
		});
	});

	it("drop the slash at the end of base paths", () => {
		const { managerBasePath, serverless } = parse({
			managerBasePath: "/rivet/",
			serverless: { basePath: "/" },
		});
		expect(managerBasePath).toBe("/rivet");
		expect(serverless.basePath).toBe("/");
	});
});

describe("environment (A29)", () => {
	const PG = "postgres://db/app";
	const rows: [
		variable: string,
		value: string,
		pick: (c: RegistryConfig) => unknown,
		result: unknown,
	][] = [
		["RIVETKIT_STORAGE_PATH", "/data", (c) => c.storagePath, "/data"],
		["RIVET__DATABASE__POSTGRES__URL", PG, (c) => c.database?.postgres.url, PG],
		["RIVET__database__postgres__url", PG, (c) => c.database?.postgres.url, PG],
		["RIVET__POSTGRES__URL", PG, (c) => c.database?.postgres.url, PG],
		["RIVET__NODE__HOST", "0.0.0.0", (c) => c.node.host, "0.0.0.0"],
		["RIVET__NODE__LEASE_MS", "5000", (c) => c.node.leaseMs, 5000],
		["RIVET_ENDPOINT", "http://e:1/", (c) => c.endpoint, "http://e:1/"],
		["RIVET_ENGINE", "http://e:1/", (c) => c.endpoint, "http://e:1/"],
		["RIVET_TOKEN", "t", (c) => c.token, "t"],
		["RIVET_NAMESPACE", "n", (c) => c.namespace, "n"],
		["RIVET_INSPECTOR_DISABLE", "1", (c) => c.inspector.enabled, false],
		["RIVET_INSPECTOR_DISABLE", "1", (c) => c.dashboard.enabled, false],
		["RIVET_DASHBOARD_DISABLE", "1", (c) => c.dashboard.enabled, false],
		["RIVET_INSPECTOR_TOKEN", "i", (c) => c.inspector.token(), "i"],
		["RIVET_RUN_ENGINE", "1", (c) => c.serverless.spawnEngine, true],
		["RIVET_RUN_ENGINE_VERSION", "9", (c) => c.serverless.engineVersion, "9"],
		["RIVET_PUBLIC_ENDPOINT", "http://p/", (c) => c.serverless.publicEndpoint, "http://p/"],
		["RIVET_PUBLIC_TOKEN", "pt", (c) => c.serverless.publicToken, "pt"],
		["RIVET_TOTAL_SLOTS", "7", (c) => c.runner.totalSlots, 7],
		["RIVET_RUNNER", "r", (c) => c.runner.runnerName, "r"],
		["RIVET_POOL", "p", (c) => c.runner.runnerName, "p"],
		["RIVET_RUNNER_KEY", "k", (c) => c.runner.runnerKey, "k"],
		["RIVET_RUNNER_VERSION", "3", (c) => c.runner.version, 3],
	];

	it.each(rows)("%s=%s is read", (variable, value, pick, result) => {
		expect(pick(parse({}, { [variable]: value }))).toBe(result);
		expect(pick(parse({}, { [variable]: "" }))).toEqual(pick(parse()));
	});

	it("loses against what is configured", () => {
		const config = parse(
			{
				endpoint: "http://own:1/",
				token: "own",
				namespace: "own",
				storagePath: "own",
				inspector: { enabled: true, token: () => "own" },
				runner: { runnerName: "own", runnerKey: "own", totalSlots: 1, version: 2 },
			},
			{
				RIVET_ENGINE: "http://env:1/",
				RIVET_TOKEN: "env",
				RIVET_NAMESPACE: "env",
				RIVETKIT_STORAGE_PATH: "env",
				RIVET_INSPECTOR_DISABLE: "1",
				RIVET_INSPECTOR_TOKEN: "env",
				RIVET_RUNNER: "env",
				RIVET_RUNNER_KEY: "env",
				RIVET_TOTAL_SLOTS: "9",
				RIVET_RUNNER_VERSION: "9",
			},
		);
		expect(config).toMatchObject({
			endpoint: "http://own:1/",
			token: "own",
			namespace: "own",
			storagePath: "own",
			runner: { runnerName: "own", runnerKey: "own", totalSlots: 1, version: 2 },
		});
		expect(config.inspector.enabled).toBe(true);
		expect(config.inspector.token()).toBe("own");
	});

	it("RIVET_ENGINE wins over RIVET_ENDPOINT, RIVET_RUNNER over RIVET_POOL", () => {
		const config = parse(
			{},
			{
				RIVET_ENGINE: "http://engine:1/",
				RIVET_ENDPOINT: "http://endpoint:1/",
				RIVET_RUNNER: "runner",
				RIVET_POOL: "pool",
			},
		);
		expect(config.endpoint).toBe("http://engine:1/");
		expect(config.runner.runnerName).toBe("runner");
	});

	it.each(["0", "1.5", " ", "4294967296"])("refuses a runner with %j slots", (text) => {
		expect(issuesOf({ use }, { RIVET_TOTAL_SLOTS: text })).toEqual([
			`runner.totalSlots: expected a whole number from 1 to 4294967295, found "${text}"`,
		]);
		expect(issuesOf({ use, runner: { totalSlots: Number(text) } })).toHaveLength(1);
	});

	it("says which variables cannot be used, each in a line, and no more", () => {
		const env = {
			RIVET_ENGINE: "nonsense",
			RIVET_TOTAL_SLOTS: "many",
			RIVET_RUNNER_VERSION: "-1",
			RIVET__NODE__LEASE_MS: "1",
		};
		expect(() => parse({}, env)).toThrow(
			expect.objectContaining({
				name: "EnvironmentError",
				message: [
					"RIVET_ENGINE: invalid URL: nonsense; it looks like http://[namespace[:token]@]host[:port][/path], or https",
					'RIVET__NODE__LEASE_MS: expected a whole number of at least 1000, found "1"',
					'RIVET_TOTAL_SLOTS: expected a whole number from 1 to 4294967295, found "many"',
					'RIVET_RUNNER_VERSION: expected a whole number from 0 to 4294967295, found "-1"',
				].join("\n"),
			}),
		);
		expect(() =>
			parse({ managerPort: 7, endpoint: "nonsense" }, { RIVET_RUNNER_VERSION: "-1" }),
		).toThrow(
			/^Invalid registry config:\n- endpoint: [^\n]*\n- runner\.version \(RIVET_RUNNER_VERSION\): /,
		);
	});
});

describe("endpoints (A29)", () => {
	it("carry percent-encoded credentials", () => {
		expect(parse({ endpoint: "http://n%20s:t%3A@h:99/p/" })).toMatchObject({
			endpoint: "http://h:99/p/",
			namespace: "n s",
			token: "t:",
		});
		const { serverless } = parse({
			endpoint: "http://acme@engine",
			serverless: { publicEndpoint: "https://acme:pub%2Flic@edge.example/x" },
		});
		expect(serverless).toMatchObject({
			publicEndpoint: "https://edge.example/x",
			publicNamespace: "acme",
			publicToken: "pub/lic",
		});
	});

	it.each([
		["nonsense", "endpoint: invalid URL: nonsense"],
		["http://h/?a=1", "endpoint: endpoint cannot contain a query string"],
		["http://h/#a", "endpoint: endpoint cannot contain a fragment"],
		["http://:tok@h", "endpoint: endpoint cannot have a token without a namespace"],
	])("refuses %s", (endpoint, issue) => {
		expect(issuesOf({ use, endpoint })).toEqual([issue]);
		expect(issuesOf({ use }, { RIVET_ENDPOINT: endpoint })).toEqual([
			`${issue}; it looks like http://[namespace[:token]@]host[:port][/path], or https`,
		]);
		expect(issuesOf({ use, serverless: { publicEndpoint: endpoint } })).toEqual([
			issue.replace("endpoint:", "serverless.publicEndpoint:"),
		]);
	});

	it("refuse namespace and token given twice, from wherever, together", () => {
		const twice = [
			"namespace: cannot specify namespace both in endpoint URL and as a separate config option",
			"token: cannot specify token both in endpoint URL and as a separate config option",
		];
		expect(issuesOf({ use, endpoint: "http://n:t@h", namespace: "m", token: "u" })).toEqual(twice);
		expect(
			issuesOf({ use, endpoint: "http://n:t@h" }, { RIVET_NAMESPACE: "m", RIVET_TOKEN: "u" }),
		).toEqual(twice);
		expect(
			issuesOf({ use, serverless: { publicEndpoint: "http://default:t@p", publicToken: "u" } }),
		).toEqual([
			"serverless.publicToken: cannot specify token both in endpoint URL and as a separate config option",
		]);
	});

	it("refuse a public endpoint of another namespace", () => {
		expect(
			issuesOf({
				use,
				endpoint: "http://acme@h",
				serverless: { publicEndpoint: "http://other@p" },
			}),
		).toEqual([
			'serverless.publicEndpoint: the namespace of the public endpoint, "other", differs from the backend\'s, "acme"',
		]);
	});
});

describe("settings that exclude each other (A29)", () => {
	it.each([
		[{ endpoint: "http://h", serveManager: true }, /^: serveManager runs a local server/],
		[{ endpoint: "http://h", serverless: { spawnEngine: true } }, /^: serverless\.spawnEngine/],
		[
			{ serverless: { configureRunnerPool: { url: "http://a" } } },
			/^: serverless\.configureRunnerPool needs an engine/,
		],
		[{ endpoint: "http://h", driver: createMemoryDriver() }, /^driver: cannot be used together/],
	])("%o", (input, message) => {
		expect(issuesOf({ use, ...input })).toEqual([expect.stringMatching(message)]);
	});

	it("count the environment, and name it", () => {
		expect(issuesOf({ use, serveManager: true }, { RIVET_ENDPOINT: "http://h" })).toEqual([
			expect.stringMatching(/RIVET_ENGINE or RIVET_ENDPOINT/),
		]);
	});

	it("do not exclude a pool with a spawned engine", () => {
		expect(
			issuesOf({
				use,
				serverless: { spawnEngine: true, configureRunnerPool: { url: "http://a" } },
			}),
		).toEqual([]);
	});
});

describe("shapes (A29)", () => {
	it.each([
		[undefined, /expected object/],
		[{}, /^use: expected an object of actor definitions, found undefined/],
		[{ use: [counter] }, /^use: expected an object of actor definitions, found array/],
		[{ use: "counter" }, /^use: /],
		[
			{ use: { counter: { state: {} } } },
			/^use\.counter: expected an actor definition, found object; write actor\(/,
		],
		[
			{ use: { ["x".repeat(65)]: counter } },
			/^use\.x+: the name of an actor has 1 to 64 characters, this one has 65/,
		],
		[{ use, logging: { level: "loud" } }, /^logging\.level: .*"trace"/],
		[
			{ use, logging: { baseLogger: console.log } },
			/^logging\.baseLogger: expected a pino-style logger; this one has no trace, debug, info, /,
		],
		[
			{ use, logging: { baseLogger: { ...pino(), warn: console.warn, child: () => {} } } },
			/^logging\.baseLogger: expected a pino-style logger; this one has no (?!.*(warn|child))/,
		],
		[
			{ use, inspector: { token: "secret" } },
			/^inspector\.token: expected a function that returns the token, found string "secret"/,
		],
		[{ use, managerPort: 70_000 }, /^managerPort: /],
		[{ use, managerBasePath: "rivet" }, /^managerBasePath: expected a path that starts with "\/"/],
		[{ use, maxIncomingMessageSize: 0 }, /^maxIncomingMessageSize: /],
		[{ use, limits: 5 }, /^limits: /],
		[{ use, limits: { httpBodyBytesMax: -1 } }, /^limits\.httpBodyBytesMax: /],
		[{ use, limits: { requestTimeoutMs: "5s" } }, /^limits\.requestTimeoutMs: /],
		[{ use, driver: {} }, /^driver: expected a driver, found object; write createFileSystemDriver/],
		[{ use, headers: { a: 1 } }, /^headers\.a: /],
	])("%o is refused", (input, message) => {
		expect(issuesOf(input)).toEqual([expect.stringMatching(message)]);
	});

	it("names of 64 characters are fine", () => {
		expect(issuesOf({ use: { ["x".repeat(64)]: counter } })).toEqual([]);
	});

	it("keep definitions and loggers as they are", () => {
		const baseLogger = pino({ enabled: false });
		const config = parse({ logging: { baseLogger, level: "debug" } });
		expect(config.use.counter).toBe(counter);
		expect(config.logging).toEqual({ baseLogger, level: "debug" });
	});

	it("of the engine's limits leave out what was not set", () => {
		const limits = { attemptsMax: 5, httpBodyBytesMax: undefined };
		expect(parse({ limits }).limits).toEqual({ attemptsMax: 5 });
	});

	it("say everything in one readable message", () => {
		expect(() => parseRegistryConfig({ use, token: 1, managerPort: "x" }, {})).toThrow(
			/^Invalid registry config:\n- token: .*\n- managerPort: .*$/,
		);
	});

	it("are also a schema", () => {
		expect(RegistryConfigSchema.parse({ use }).managerPort).toBe(6420);
		expect(RegistryConfigSchema.safeParse({ use, endpoint: "x" }).error?.issues).toEqual([
			expect.objectContaining({ path: ["endpoint"], message: "invalid URL: x" }),
		]);
	});
});

describe("warnings (api 3.2, 14.2, 15.2)", () => {
	const quiet = { logging: { baseLogger: pino({ enabled: false }) } };
	const actions = { send: () => {}, connect: () => {}, deep: { send: () => {} }, ok: () => {} };

	it("name unknown properties and the nearest known one", () => {
		const { warnings } = parse({
			...quiet,
			storagepath: "x",
			serverless: { basepath: "/" },
			limits: { httpBodyBytes: 1 },
			zzz: 1,
		});
		expect(warnings).toEqual([
			'Unknown property "storagepath" in setup(); did you mean "storagePath"?',
			'Unknown property "serverless.basepath" in setup(); did you mean "serverless.basePath"?',
			'Unknown property "limits.httpBodyBytes" in setup(); did you mean "limits.httpBodyBytesMax"?',
			'Unknown property "zzz" in setup()',
		]);
	});

	it("name actions and actors that clients hide", () => {
		const { warnings } = parse({ ...quiet, use: { create: actor({}), room: actor({ actions }) } });
		expect(warnings).toEqual([
			'Actor "create" is hidden by a member of clients; reach it with client.getOrCreate("create", key)',
			'Action "send" of actor "room" is hidden by a member of handles or connections; call it with handle.action({ name: "send", args })',
			'Action "connect" of actor "room" is hidden by a member of handles or connections; call it with handle.action({ name: "connect", args })',
		]);
	});

	it("are logged once per config", () => {
		const lines: string[] = [];
		const baseLogger = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line).msg) });
		const input = { use, zzz: 1, logging: { baseLogger } };
		parseRegistryConfig(input, {});
		parseRegistryConfig(input, {});
		expect(lines).toEqual(['Unknown property "zzz" in setup()']);
	});
});

describe("setup()", () => {
	it("throws at once for a config that cannot be used", async () => {
		const { setup } = await import("rivetkit");
		vi.stubEnv("RIVET_ENDPOINT", "nonsense");
		try {
			expect(() => setup({ use })).toThrow(/^RIVET_ENDPOINT: invalid URL: nonsense/);
		} finally {
			vi.unstubAllEnvs();
		}
	});
});
