import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { programFile } from "../../../../scripts/lib/test-programs.ts";
import { newDatabase } from "../../../../tests/support/postgres.ts";
import { isOpenToAll, readConfig } from "../../src/cli/config.ts";
import { ConfigurationError } from "../../src/cli/configuration-error.ts";
import { fileLogger } from "../../src/cli/file-logger.ts";
import { runProgram } from "../../src/cli/program.ts";
import { chooseServices, endsByItself } from "../../src/cli/services.ts";
import { KEYS_WITHOUT_EFFECT } from "../../src/cli/without-effect.ts";
import { joinCluster } from "../../src/cluster/join-cluster.ts";
import { createEngine } from "../../src/engine.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { openPostgresStore } from "../../src/store/postgres/open-postgres-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { until } from "../helpers/until.ts";
import { ScriptedRunner } from "../runners/scripted-runner.ts";

const MAIN = programFile(fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), "rivet-engine-"));
const children: ChildProcess[] = [];

afterAll(() => {
	for (const child of children) child.kill("SIGKILL");
	rmSync(folder, { recursive: true, force: true });
});

function text(name: string, content: string): string {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
}

const file = (name: string, content: object) => text(name, JSON.stringify(content));

const read = (env: Record<string, string>, files: string[] = [], isDevelopment = false) =>
	readConfig({ files: files.length > 0 ? files : [file("empty.json", {})], env, isDevelopment });

const variable = (key: string) => `RIVET__${key.toUpperCase().replaceAll(".", "__")}`;

describe("configuration (engine 8, no. 74)", () => {
	it("names an unknown key, wherever it is", () => {
		const unknown = { RIVET__GUARD__NOPE: "1" };
		expect(() => read(unknown)).toThrow(
			/^RIVET__GUARD__NOPE: unknown key guard\.nope; there are host, port, /,
		);
		expect(() => read({ RIVET__CONSTRUCTOR__X: "1" })).toThrow(/unknown key constructor/);
		const path = file("unknown.json", { database: { postgres: {} } });
		expect(() => read({}, [path])).toThrow(/unknown\.json: unknown key database/);
	});

	it.each([
		["guard.port", "70000", 'expected a whole number from 0 to 65535, found "70000"'],
		["node.lease_ms", "1 s", 'expected a whole number of at least 1000, found "1 s"'],
		["auth.open_actor_creation", "yes", 'expected true or false, found "yes"'],
		["nats.addresses", "a,,b", 'expected text that is not empty, found "a,,b"'],
		["metrics", "9", 'expected keys below it (host, port), found "9"'],
		["topology.datacenters", "eu", 'expected datacenters by name, or a list of them, found "eu"'],
		["topology.datacenters.eu.public_url", "eu", 'expected an http or https URL, found "eu"'],
		// Not what stands there: it may be a password.
		["postgres.url", "u:p@h", "must look like postgres://user:password@host:5432/database"],
	])("says of %s=%s what is expected, and what was found, in one line", (key, value, problem) => {
		const only = (message: string) => expect.objectContaining({ message });
		expect(() => read({ [variable(key)]: value })).toThrow(only(`${variable(key)}: ${problem}`));
		const tree = key.split(".").reduceRight<unknown>((below, part) => ({ [part]: below }), value);
		const path = file("wrong.json", tree as object);
		expect(() => read({}, [path])).toThrow(only(`${path}: ${key}: ${problem}`));
	});

	it("repeats no value that may hold a password, also where one stands for what is below it", () => {
		const url = "postgres://user:hunter2@db/rivet";
		const expected = "expected keys below it (url, ssl)";
		const path = file("one-value.json", { postgres: url });
		for (const settings of [() => read({ RIVET__POSTGRES: url }), () => read({}, [path])]) {
			expect(settings).toThrow(expected);
			expect(settings).not.toThrow(/hunter2/);
		}
	});

	it("refuses a variable that is a value, and has others below it, whichever comes first", () => {
		const both = { RIVET__GUARD: "1", RIVET__GUARD__PORT: "2" };
		expect(() => read(both)).toThrow(/^RIVET__GUARD is a value, and RIVET__GUARD__PORT is below/);
		const reversed = Object.fromEntries(Object.entries(both).reverse());
		expect(() => read(reversed)).toThrow(/^RIVET__GUARD is a value, and RIVET__GUARD__… is below/);
	});

	it("the environment beats files, later files beat earlier ones, case does not matter", () => {
		const first = file("1.json", { guard: { port: 1, host: "127.0.0.1" }, metrics: { port: 9 } });
		const second = file("2.json", { guard: { port: 2 } });
		expect(read({}, [first, second]).guard).toEqual({ host: "127.0.0.1", port: 2 });
		const config = read({ rivet__Guard__PORT: "3" }, [first, second]);
		expect(config.guard).toEqual({ host: "127.0.0.1", port: 3 });
		expect(config.metrics.port).toBe(9);
	});

	it("refuses durations below zero, ports that are none, and files that are none", () => {
		expect(() => read({ RIVET__PEGBOARD__ACTOR_START_THRESHOLD: "-1" })).toThrow(
			/PEGBOARD__ACTOR_START_THRESHOLD/,
		);
		expect(() => read({}, ["/nowhere.json"])).toThrow(ConfigurationError);
		expect(() => read({}, [text("x.toml", "")])).toThrow(
			/x\.toml: configuration files end in \.json/,
		);
		expect(() => read({}, [text("bad.yaml", "a: [1")])).toThrow(/bad\.yaml: /);
		expect(() => read({}, [text("bad.json5", "{")])).toThrow(/bad\.json5: /);
		expect(() => read({}, [text("list.yaml", "- 1")])).toThrow(/list\.yaml: /);
	});

	it("reads JSON with comments, JSON5 and YAML, and the files of a directory by name", () => {
		const json = text("c.json", `{ // port\n"guard": { "port": 1, }, /* more */ }`);
		expect(read({}, [json]).guard.port).toBe(1);
		expect(read({}, [text("c.jsonc", `{"guard": {"port": 2}} // end`)]).guard.port).toBe(2);
		expect(read({}, [text("c.json5", "{guard: {port: 0x3, host: 'h'}}")]).guard).toEqual({
			host: "h",
			port: 3,
		});
		const yaml = text(
			"c.yml",
			"# comment\nguard:\n  port: 4\npegboard: {actor_start_threshold: 5}\n",
		);
		expect(read({}, [yaml]).given.pegboard?.actor_start_threshold).toBe(5);
		expect(read({}, [text("empty.yaml", "# nothing\n")]).guard.port).toBe(6_420);
		const directory = mkdtempSync(join(folder, "directory-"));
		writeFileSync(join(directory, "1.yaml"), "guard: {port: 1}\nmetrics: {port: 2}");
		writeFileSync(join(directory, "2.json5"), "{guard: {port: 3}}");
		writeFileSync(join(directory, "README.md"), "no configuration");
		const { guard, metrics } = read({}, [directory]);
		expect([guard.port, metrics.port]).toEqual([3, 2]);
	});

	it("takes the one datacenter by name or in a list, and no second one", () => {
		const url = "https://engine.example.net";
		const byName = { RIVET__TOPOLOGY__DATACENTERS__EU__PUBLIC_URL: url };
		expect(read(byName).datacenter).toEqual({ name: "eu", label: 1, publicUrl: url });
		const listed = (...datacenters: object[]) =>
			read({}, [file("dc.json", { topology: { datacenter_label: 7, datacenters } })]);
		const us = { name: "us", datacenter_label: 7, is_leader: true, valid_hosts: ["a", "b"] };
		expect(listed(us).datacenter).toMatchObject({ name: "us", label: 7 });
		expect(() => listed(us, { name: "eu" })).toThrow(/is one datacenter/);
		expect(() => listed({ datacenter_label: 8 })).toThrow(/datacenter_label is 7/);
		expect(() => read({ RIVET__TOPOLOGY__DATACENTERS__EU__PUBLIC_URL: "eu" })).toThrow(
			/PUBLIC_URL/,
		);
		expect(read({}).datacenter).toEqual({ name: "default", label: 1, publicUrl: undefined });
	});

	it("listens on the loopback until there is a token (Q26)", () => {
		expect(read({}).guard.host).toBe("127.0.0.1");
		const open = read({ RIVET__AUTH__ADMIN_TOKEN: "secret" });
		expect(open.guard.host).toBe("::");
		expect([open.peer.host, open.metrics.host]).toEqual(["127.0.0.1", "127.0.0.1"]);
		expect(isOpenToAll(read({ RIVET__GUARD__HOST: "0.0.0.0" }))).toBe(true);
	});

	it.each(["a/b=", "a b", "a,b", "ü"])(
		"refuses the token %j, which no runner can bring",
		(token) => {
			expect(() => read({ RIVET__AUTH__ADMIN_TOKEN: token })).toThrow(
				/^RIVET__AUTH__ADMIN_TOKEN: runners send .*subprotocol/,
			);
			const engine = createEngine({ store: createMemoryStore(), version: "1", token });
			expect(() => engine.attachRunners()).toThrow(/^token: runners send/);
		},
	);

	it("takes every other token as it is", () => {
		const token = "aZ09!#$%&'*+-.^_`|~";
		expect(read({ RIVET__AUTH__ADMIN_TOKEN: token }).token).toBe(token);
	});

	/** Every key of the contract's section 8. */
	const keys: readonly (readonly [key: string, value: string])[] = [
		["auth.admin_token", "secret"],
		["guard.host", "127.0.0.1"],
		["guard.port", "1"],
		["guard.http_max_request_body_size", "1"],
		["guard.websocket_max_message_size", "1"],
		["guard.actor_ready_timeout_ms", "1"],
		["guard.actor_force_wake_pending_timeout_ms", "1"],
		["api_peer.host", "127.0.0.1"],
		["api_peer.port", "1"],
		["metrics.host", "127.0.0.1"],
		["metrics.port", "1"],
		["file_system.path", "data"],
		["nats.addresses", "a:1,b:2"],
		["nats.port", "1"],
		["nats.username", "u"],
		["nats.password", "p"],
		["postgres_notify", "x"],
		["memory", "x"],
		["cache.enabled", "true"],
		["cache.driver", "in_memory"],
		["topology.datacenter_label", "1"],
		["topology.datacenters.default.public_url", "http://h"],
		["runtime.guard_shutdown_duration", "1"],
		["runtime.force_shutdown_duration", "1"],
		["runtime.worker.shutdown_duration", "1"],
		["runtime.worker_shutdown_duration", "1"],
		["runtime.allow_version_rollback", "true"],
		["telemetry.enabled", "false"],
		["logs.redirect_logs_dir", "logs"],
		...[
			"base_retry_timeout",
			"reschedule_backoff_max_exponent",
			"retry_reset_duration",
			"actor_start_threshold",
			"actor_stop_threshold",
			"runner_eligible_threshold",
			"runner_lost_threshold",
			"runner_update_ping_interval_ms",
			"serverless_base_retry_timeout",
			"serverless_backoff_max_exponent",
			"serverless_retry_reset_duration",
			"pool_desired_max_override",
			"gateway_websocket_open_timeout_ms",
			"gateway_response_start_timeout_ms",
			"gateway_update_ping_interval_ms",
			"gateway_gc_interval_ms",
			"gateway_tunnel_ping_timeout_ms",
			"gateway_hws_message_ack_timeout_ms",
			"gateway_hws_max_pending_size",
			"hibernating_request_eligible_threshold",
			"default_metadata_poll_interval",
			"min_metadata_poll_interval",
			"runner_pool_consecutive_successes_to_clear_error",
			"actor_allocation_candidate_sample_size",
		].map((key) => [`pegboard.${key}`, "1"] as const),
	];
	it.each(keys)("knows %s, applies it or says that it has no effect", (key, value) => {
		const { warnings } = read({ [variable(key)]: value });
		const changesNothing = KEYS_WITHOUT_EFFECT.find(
			(one) => one === key || key.startsWith(`${one}.`),
		);
		expect(warnings).toEqual(
			changesNothing === undefined
				? []
				: [expect.stringMatching(`^${changesNothing} has no effect here: .`)],
		);
	});

	it("says nothing of a setting that is how it is anyway", () => {
		expect(read({ RIVET__RUNTIME__ALLOW_VERSION_ROLLBACK: "false" }).warnings).toEqual([]);
	});

	it.each(["port", "tls.api_cert_path"])("does not go without the TLS of guard.https.%s", (key) => {
		expect(() => read({ [variable(`guard.https.${key}`)]: "443" })).toThrow(
			/guard\.https: this engine does not serve TLS/,
		);
	});

	it("has shutdown durations in seconds, and time beyond the open requests", () => {
		const shutdown = (env: Record<string, string>) => {
			const { guardShutdownMs, forceShutdownMs } = read(env);
			return [guardShutdownMs, forceShutdownMs];
		};
		expect(shutdown({})).toEqual([undefined, 60_000]);
		const guard = { RIVET__RUNTIME__GUARD_SHUTDOWN_DURATION: "600" };
		expect(shutdown(guard)).toEqual([600_000, 630_000]);
		expect(shutdown({ ...guard, RIVET__RUNTIME__FORCE_SHUTDOWN_DURATION: "5" })).toEqual([
			600_000, 5_000,
		]);
	});

	it("refuses an empty variable by name, and empty text as a number", () => {
		expect(() => read({ RIVET__GUARD__PORT: "" })).toThrow(/RIVET__GUARD__PORT is empty/);
		expect(() => read({ RIVET__AUTH__ADMIN_TOKEN: "" })).toThrow(/ADMIN_TOKEN is empty/);
		for (const port of ["", " ", null, true, []]) {
			expect(() => read({}, [file("port.json", { guard: { port } })])).toThrow(/guard\.port/);
		}
	});

	it("names the keys of the database that this program takes", () => {
		expect(() => read({ RIVET__DATABASE__POSTGRES__URL: "postgres://u@h/d" })).toThrow(
			/unknown key database .*RIVET__POSTGRES__URL/,
		);
	});

	it("logs.redirect_logs_dir has warnings and errors in a file", () => {
		const directory = join(folder, "logs", "of engine");
		const log = fileLogger(directory);
		log.info({}, "not this");
		log.warn({ actorId: "a" }, "this");
		fileLogger(directory).error({ err: new Error("reason") }, "and this");
		const lines = readFileSync(join(directory, "rivet-engine.log"), "utf8");
		expect(lines).toMatch(/^\S+Z warn this \{ actorId: 'a' \}\n\S+Z error and this [\s\S]*reason/);
		expect(() => fileLogger(join(directory, "rivet-engine.log"))).toThrow(
			/^logs\.redirect_logs_dir: /,
		);
	});

	it("has a preset for development, that settings win over", () => {
		const { given } = read({ RIVET__PEGBOARD__RUNNER_LOST_THRESHOLD: "9000" }, [], true);
		expect(given.pegboard).toMatchObject({ base_retry_timeout: 100, runner_lost_threshold: 9_000 });
	});
});

describe("services (engine 8)", () => {
	it("are all, those that are named, or all but some", () => {
		const all = ["guard", "api_peer", "metrics", "workflow_worker", "bootstrap"];
		expect([...chooseServices({ only: [], except: [] })]).toEqual(all);
		expect([...chooseServices({ only: ["metrics", "guard"], except: [] })]).toEqual([
			"guard",
			"metrics",
		]);
		expect([...chooseServices({ only: [], except: ["api_peer", "metrics"] })]).toEqual([
			"guard",
			"workflow_worker",
			"bootstrap",
		]);
		expect(() => chooseServices({ only: ["gard"], except: [] })).toThrow(
			/no service gard; there are guard, /,
		);
		expect(() => chooseServices({ only: ["guard"], except: ["guard"] })).toThrow(
			/no service is left/,
		);
		expect(endsByItself(new Set(["bootstrap"]))).toBe(true);
		expect(endsByItself(chooseServices({ only: [], except: [] }))).toBe(false);
	});
});

describe("one command", () => {
	/** Exit code and what it says. */
	const run = async (args: string[], env: Record<string, string>) => {
		let said = "";
		const write = (words: string) => {
			said += words;
			return true;
		};
		const process = { env, stdout: { write }, stderr: { write }, on() {} };
		const code = await runProgram(args, process as unknown as NodeJS.Process);
		return { code, said };
	};
	const actor = {
		actorId: "a",
		namespace: "default",
		name: "any",
		key: "a",
		runnerNameSelector: "default",
		crashPolicy: "sleep",
		datacenter: "default",
		input: null,
		createTs: 1,
	};

	it("bootstrap makes the store ready, and nuke deletes it, when nobody has it and it is meant", async () => {
		const directory = mkdtempSync(join(folder, "store-"));
		writeFileSync(join(directory, "of the user"), "");
		const env = { RIVET__FILE_SYSTEM__PATH: directory };
		expect(await run(["start", "-s", "bootstrap"], env)).toEqual({
			code: 0,
			said: "rivet-engine: the store is ready\n",
		});
		const store = await openSqliteStore({ directory });
		await store.insertActor(actor);
		await store.sync();
		expect(await run(["database", "nuke"], env)).toMatchObject({
			code: 2,
			said: expect.stringContaining(`${directory}; say --yes`),
		});
		expect(await run(["start", "-s", "bootstrap"], env)).toMatchObject({
			code: 1,
			said: expect.stringMatching(
				/is in use by this process .*\(file_system\.path, RIVET__FILE_SYSTEM__PATH\)/,
			),
		});
		const nuke = () => run(["database", "nuke", "--yes"], env);
		expect(await nuke()).toMatchObject({ code: 1, said: expect.stringContaining("is in use by") });
		expect(await store.actorById("a")).toBeDefined();
		await store.close();
		expect(await nuke()).toMatchObject({ code: 0 });
		expect(readdirSync(directory)).toContain("of the user");
		const empty = await openSqliteStore({ directory });
		expect(await empty.actorById("a")).toBeUndefined();
		await empty.close();
		// Where there is nothing, nothing is to be done.
		rmSync(directory, { recursive: true });
		expect(await nuke()).toMatchObject({ code: 0 });
	});

	it("does so in a PostgreSQL, which it leaves alone while a node lives there", async () => {
		const url = await newDatabase();
		const env = { RIVET__POSTGRES__URL: url };
		expect(await run(["start", "--services", "bootstrap"], env)).toMatchObject({ code: 0 });
		const logger = { debug() {}, info() {}, warn() {}, error() {} };
		const node = await joinCluster({ url, version: "test", logger, node: { name: "alive" } });
		await node.store.insertActor(actor);
		const engine = createEngine({
			store: node.store,
			node,
			clock: node.clock,
			version: "test",
			logger,
		});
		engine.attachRunners();
		await engine.joined;
		const nuke = () => run(["database", "nuke", "--yes"], env);
		expect(await nuke()).toMatchObject({
			code: 1,
			said: expect.stringMatching(/alive.*Stop them/),
		});
		expect(await node.store.actorById("a")).toBeDefined();
		await engine.close();
		await node.store.close();
		expect(await nuke()).toMatchObject({ code: 0 });
		const store = await openPostgresStore({ url });
		expect(await store.actorById("a")).toBeUndefined();
		await store.close();
	});

	it("says what it does not know", async () => {
		expect(await run(["start", "-s", "gard"], {})).toMatchObject({
			code: 2,
			said: expect.stringContaining("there is no service gard"),
		});
		expect(await run(["database", "drop"], {})).toMatchObject({
			code: 2,
			said: expect.stringContaining("database nuke --yes"),
		});
	});
});

describe("the process", () => {
	const start = async (env: Record<string, string>, args: readonly string[] = []) => {
		const command = ["--conditions=@rivetkit/source", MAIN, "start", ...args];
		const child = spawn(process.execPath, command, {
			env: {
				PATH: process.env.PATH,
				...(env.RIVET__POSTGRES__URL ? {} : { RIVET__FILE_SYSTEM__PATH: join(folder, "data") }),
				...env,
			},
			stdio: ["ignore", "pipe", "pipe"],
		});
		children.push(child);
		let output = "";
		let errors = "";
		child.stdout.on("data", (data) => {
			output += data;
		});
		child.stderr.on("data", (data) => {
			errors += data;
		});
		const exited = once(child, "close").then(([code]) => code as number);
		const url = () => until(() => /listens on (\S+)/.exec(output)?.[1] ?? expect.fail(errors));
		return { child, exited, url, errors: () => errors };
	};

	it("says which setting it cannot use, and ends", async () => {
		const { exited, errors } = await start({ RIVET__GUARD__NOPE: "1" });
		expect(await exited).toBe(1);
		expect(errors()).toMatch(/^rivet-engine: RIVET__GUARD__NOPE: unknown key guard\.nope; .*\n$/);
	});

	it.each(["api_peer", "metrics"])(
		"says who has the port of %s, and nothing else",
		async (name) => {
			const other = createServer().listen(0, "127.0.0.1");
			await once(other, "listening");
			const { port } = other.address() as AddressInfo;
			const { exited, errors } = await start({
				RIVET__GUARD__PORT: "0",
				RIVET__API_PEER__PORT: "0",
				RIVET__METRICS__PORT: "0",
				[`RIVET__${name.toUpperCase()}__PORT`]: String(port),
			});
			expect(await exited).toBe(1);
			other.close();
			const key = `${name}.port (RIVET__${name.toUpperCase()}__PORT)`;
			expect(errors()).toBe(
				`rivet-engine: Port ${port} on 127.0.0.1 is taken by another program. Either stop it, or choose another port (${key}).\n`,
			);
		},
	);

	it("takes runners, answers /health and metrics, and lets them go at SIGTERM (no. 44)", async () => {
		const metricsPort = await freePort();
		const { child, exited, url } = await start({
			RIVET__AUTH__ADMIN_TOKEN: "admin",
			RIVET__GUARD__HOST: "127.0.0.1",
			RIVET__GUARD__PORT: "0",
			RIVET__API_PEER__PORT: "0",
			RIVET__METRICS__PORT: String(metricsPort),
		});
		const endpoint = await url();
		const health = await fetch(`${endpoint}/health`);
		expect(await health.json()).toMatchObject({ status: "ok" });
		const runner = await ScriptedRunner.connect(endpoint);
		const created = await fetch(`${endpoint}/actors?namespace=default`, {
			method: "PUT",
			headers: { "content-type": "application/json", authorization: "Bearer admin" },
			body: JSON.stringify({
				name: "any",
				key: "a",
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
		});
		expect(created.status).toBe(200);
		const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/any`)).text();
		expect(metrics).toContain('rivet_engine_runners{state="connected"} 1');
		expect(metrics).toContain("rivet_engine_actors_live 1");
		child.kill("SIGTERM");
		await until(() => expect(runner.commands).toHaveLength(2));
		const { actorId, generation } = runner.commands[1]!.checkpoint;
		runner.state(actorId, generation, "Ok");
		expect(await runner.closed).toEqual({ code: 1011, reason: "ws.going_away" });
		expect(await exited).toBe(0);
	});

	it("ends at SIGTERM, though somebody has connected and says nothing", async () => {
		const ports = await Promise.all([freePort(), freePort(), freePort()]);
		const { child, exited, url } = await start({
			RIVET__GUARD__PORT: String(ports[0]),
			RIVET__API_PEER__PORT: String(ports[1]),
			RIVET__METRICS__PORT: String(ports[2]),
		});
		await url();
		for (const port of ports) {
			const silent = connect(port, "127.0.0.1");
			silent.on("error", () => {});
			await once(silent, "connect");
		}
		child.kill("SIGTERM");
		expect(await exited).toBe(0);
	});

	it("is one of the nodes that share a PostgreSQL, ready while it is", async () => {
		const database = await newDatabase();
		const peerPort = await freePort();
		const metricsPort = await freePort();
		const env = (name: string) => ({
			RIVET__POSTGRES__URL: database,
			RIVET__NODE__NAME: name,
			RIVET__NODE__LEASE_MS: "5000",
			RIVET__GUARD__PORT: "0",
			RIVET__API_PEER__PORT: "0",
			RIVET__METRICS__PORT: "0",
		});
		const ports = {
			RIVET__API_PEER__PORT: String(peerPort),
			RIVET__METRICS__PORT: String(metricsPort),
		};
		const [one, two] = await Promise.all([
			start({ ...env("one"), ...ports }),
			// Its ports are never opened, so that they may be those of the first.
			start({ ...env("two"), ...ports }, ["--except-services", "api_peer,metrics"]),
		]);
		await Promise.all([one.url(), two.url()]);
		const ready = await fetch(`http://127.0.0.1:${peerPort}/ready`);
		expect([ready.status, await ready.json()]).toEqual([200, { status: "ready" }]);
		await until(async () => {
			const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/`)).text();
			expect(metrics).toContain('rivetkit_cluster_links{state="open"} 1');
		});
		two.child.kill("SIGTERM");
		expect(await two.exited).toBe(0);
	});
});
