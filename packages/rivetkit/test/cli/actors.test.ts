// The verbs of `rivetkit actors`, as processes against a server.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { callAction, replaceState } from "../../src/cli/actors.ts";
import { CommandFailed } from "../../src/cli/failure.ts";
import type { Server, ServerRequest } from "../../src/cli/server/server.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireSend } from "../support/wire-http.ts";
import { type CliOptions, type CliOutcome, runCli, runCliHere } from "./support/run-cli.ts";

// They start processes.

const counter = actor({
	createState: (_c, input: { from: number } | undefined) => ({ count: input?.from ?? 0 }),
	queues: { jobs: queue<string>() },
	actions: {
		add: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		read: (c) => c.state.count,
		nothing: () => {},
		remind: async (c) => {
			await c.schedule.after(3_600_000, "add", 1);
		},
		refuse: () => {
			throw new UserError("not today", { code: "closed", metadata: { until: "Monday" } });
		},
		break: () => {
			throw new Error("a secret");
		},
	},
});

const EXACT = {
	big: 2n ** 70n,
	at: new Date(86_400_000),
	bytes: Uint8Array.of(0, 255),
	map: new Map<unknown, unknown>([[1, "one"]]),
	set: new Set(["a"]),
	text: "\u001b[31mred",
	hole: undefined,
	list: ["$x", 1],
};
const holder = actor({
	createState: () => ({ value: EXACT as unknown }),
	actions: { echo: (_c, value: unknown) => value },
});
const stateless = actor({ actions: {} });
const broken = actor({
	state: {},
	onWake: () => {
		throw new Error("no key for the door");
	},
	actions: { open: () => {} },
});

let runtime: TestRuntime;
let folder: string;

beforeAll(async () => {
	runtime = await TestRuntime.start({ counter, holder, stateless, broken });
	folder = await mkdtemp(join(tmpdir(), "rivetkit-cli-"));
});

afterAll(async () => {
	await runtime[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

/** A process of its own, in a folder of its own. */
function spawned(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
	const env = { RIVET_ENDPOINT: runtime.url, ...options.env };
	return runCli(args, { cwd: folder, ...options, env });
}

/** The same in this process, which is cheaper. */
function cli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
	return runCliHere(args, { ...options, env: { RIVET_ENDPOINT: runtime.url, ...options.env } });
}

/** The JSON that a command prints. */
async function json(args: readonly string[], options: CliOptions = {}) {
	const outcome = await spawned([...args, "--json"], options);
	expect(outcome).toMatchObject({ code: 0, stderr: "" });
	return JSON.parse(outcome.stdout);
}

const failed = (message: string) => ({ code: 1, stdout: "", stderr: `error: ${message}\n` });
const misused = (message: string) => ({
	code: 2,
	stdout: "",
	stderr: expect.stringContaining(`error: ${message}`),
});

describe("list", () => {
	it("shows actors of all names, newest first, with what they do, page by page", async () => {
		await using own = await TestRuntime.start({ counter, holder });
		const env = { RIVET_ENDPOINT: own.url };
		expect(await cli(["actors", "list"], { env })).toEqual({
			code: 0,
			stdout: "",
			stderr: "No actors.\n",
		});
		const ids: string[] = [];
		for (const [name, key] of [
			["counter", "a"],
			["holder", "b\\/c"],
			["counter", "d/e"],
		] as const) {
			const id = await own.actorId(name, key);
			ids.unshift(id);
			// Of the same millisecond they are ordered by id.
			const created = Date.now();
			await eventually(() => expect(Date.now()).toBeGreaterThan(created));
		}
		await own.embedded.host.stop(ids[0]!, "sleep");
		const all = await json(["actors", "list"], { env });
		expect(all.actors.map(({ id }: { id: string }) => id)).toEqual(ids);
		expect(all.next).toBeNull();
		expect(all.actors[0]).toEqual({
			id: ids[0],
			name: "counter",
			key: ["d", "e"],
			status: "sleeping",
			createdAtMs: expect.any(Number),
			startedAtMs: expect.any(Number),
			sleptAtMs: expect.any(Number),
			destroyedAtMs: null,
		});
		const [first, table, named, sleeping] = await Promise.all([
			json(["actors", "list", "--limit", "2"], { env }),
			cli(["actors", "list", "--limit", "2"], { env }),
			json(["actors", "list", "counter"], { env }),
			json(["actors", "list", "--status", "sleeping"], { env }),
		]);
		expect(first.actors).toHaveLength(2);
		expect(table.stderr).toBe(`There are more: --after ${first.next}\n`);
		const lines = table.stdout.split("\n");
		expect(lines[0]).toMatch(/^ACTOR +STATUS +CREATED +ID$/);
		expect(lines[1]).toMatch(new RegExp(`^counter/d/e +sleeping +\\d{4}-.*Z +${ids[0]}$`));
		expect(lines[2]).toMatch(new RegExp(`^holder/b\\\\/c +awake +\\d{4}-.*Z +${ids[1]}$`));
		expect(named.actors.map(({ id }: { id: string }) => id)).toEqual([ids[0], ids[2]]);
		expect(sleeping.actors.map(({ id }: { id: string }) => id)).toEqual([ids[0]]);
		const second = await json(["actors", "list", "--limit", "2", "--after", first.next], { env });
		expect(second.actors.map(({ id }: { id: string }) => id)).toEqual([ids[2]]);
		await own.embedded.engine.destroy(ids[1]!);
		const [left, dead] = await Promise.all([
			json(["actors", "list"], { env }),
			json(["actors", "list", "--status", "destroyed"], { env }),
		]);
		expect(left.actors.map(({ id }: { id: string }) => id)).toEqual([ids[0], ids[2]]);
		expect(dead.actors.map(({ id }: { id: string }) => id)).toEqual([ids[1]]);
	});

	it("of a name that nobody knows names the nearest", async () => {
		expect(await cli(["actors", "list", "conter"])).toEqual(
			failed("There is no actor name 'conter'; did you mean 'counter'?"),
		);
	});
});

describe("get", () => {
	it("shows all about an actor without waking it", async () => {
		const id = await runtime.actorId("counter", "get");
		await runtime.action(id, "remind");
		await wireSend(runtime, id, "jobs", "later");
		const awake = await json(["actors", "get", "counter/get"]);
		expect((await cli(["actors", "get", id])).stdout).toMatch(/^why awake {4}\S/m);
		expect(awake).toMatchObject({
			actor: { id, name: "counter", key: ["get"], status: "awake" },
			lifecycle: { status: "awake", generation: 0 },
			isStateEnabled: true,
			isDatabaseEnabled: false,
			state: { count: 0 },
			actions: ["add", "read", "nothing", "remind", "refuse", "break"],
			connections: [],
			queue: { size: 1 },
			schedules: [{ kind: "at", action: "add", args: [1] }],
		});
		await runtime.embedded.host.stop(id, "sleep");
		const { code, stdout } = await cli(["actors", "get", id]);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^counter\/get\nid {11}\w{30}\nstatus {7}sleeping\n/);
		expect(stdout).toMatch(/^state {8}\{"count":0\}$/m);
		expect(stdout).toMatch(/^queue {8}1 of \d+ messages$/m);
		expect(stdout).toMatch(/^ {13}\d{4}-\S+ {2}at {2}\S+ {2}add\(1\)$/m);
		expect(runtime.embedded.host.liveActorIds).not.toContain(id);
	});

	it("of one that is not there says so", async () => {
		const [byKey, byName, byId] = await Promise.all([
			cli(["actors", "get", "counter/nobody"]),
			cli(["actors", "get", "counters/nobody"]),
			cli(["actors", "get", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"]),
		]);
		expect(byKey).toEqual(
			failed("There is no actor counter/nobody; `rivetkit actors list` shows those there are."),
		);
		expect(byName).toEqual(failed("There is no actor name 'counters'; did you mean 'counter'?"));
		expect(byId.code).toBe(2);
	});
});

describe("call", () => {
	it("runs actions with arguments, and prints what they return", async () => {
		await runtime.actorId("counter", "call");
		expect(await cli(["actors", "call", "counter/call", "add", "5"])).toEqual({
			code: 0,
			stdout: "5\n",
			stderr: "",
		});
		expect(await json(["actors", "call", "counter/call", "add", "-2"])).toBe(3);
		const [nothing, asJson] = await Promise.all([
			cli(["actors", "call", "counter/call", "nothing"]),
			cli(["actors", "call", "counter/call", "nothing", "--json"]),
		]);
		expect([nothing.stdout, asJson.stdout]).toEqual(["", "null\n"]);
	});

	it("makes the actor only when it is told to", async () => {
		expect(await cli(["actors", "call", "counter/new", "read"])).toEqual(
			failed("There is no actor counter/new; --create makes it."),
		);
		const create = ["actors", "call", "counter/new", "read", "--create", "--input", '{"from":7}'];
		expect((await cli(create)).stdout).toBe("7\n");
		const [byId, alone] = await Promise.all([
			cli(["actors", "call", await runtime.actorId("counter", "new"), "read", "--create"]),
			cli(["actors", "call", "counter/new", "read", "--input", "1"]),
		]);
		expect(byId).toEqual(misused("--create needs NAME/KEY"));
		expect(alone).toEqual(misused("--input goes with --create."));
	});

	it("wakes a sleeping one", async () => {
		const id = await runtime.actorId("counter", "wake");
		await runtime.embedded.host.stop(id, "sleep");
		expect((await spawned(["actors", "call", id, "read"])).stdout).toBe("0\n");
	});

	it("says why an actor cannot be started, which its inspector knows", async () => {
		const created = await cli(["actors", "call", "broken/door", "open", "--create"]);
		const again = await cli(["actors", "state", "broken/door", "--set", "{}"]);
		for (const outcome of [created, again]) {
			expect(outcome).toEqual({
				code: 1,
				stdout: "",
				stderr: expect.stringMatching(
					/^error: broken\/door does not start: .*no key for the door\. It is tried again at \d{4}-.*Z\.\n$/,
				),
			});
		}
	});

	it("says what went wrong also when it cannot find out why", async () => {
		const error = new CommandFailed("broken", { group: "rivetkit", code: "internal_error" });
		const { signal } = new AbortController();
		const looks: unknown[] = [];
		const server = {
			manage: async () => ({ actors: [{ actor_id: "a", name: "counter", key: "/" }] }),
			inspect: async (_id: string, path: string, request: ServerRequest = {}) => {
				if (request.method !== undefined) throw error;
				looks.push([path, request.signal]);
				throw new CommandFailed("nobody answers");
			},
		} as unknown as Server;
		const address = { kind: "id", actorId: "a" } as const;
		const called = callAction(server, { address, action: "add", args: [], signal });
		await expect(called).rejects.toBe(error);
		await expect(replaceState(server, address, {})).rejects.toBe(error);
		expect(looks).toEqual([
			["lifecycle", signal],
			["state", undefined],
			["lifecycle", undefined],
		]);
	});

	it("says what went wrong", async () => {
		await runtime.actorId("counter", "wrong");
		const run = (...args: string[]) => cli(["actors", "call", "counter/wrong", ...args]);
		const [unknown, strange, refused, broken, noJson, machine] = await Promise.all([
			run("ad", "1"),
			run("toString"),
			spawned(["actors", "call", "counter/wrong", "refuse"]),
			run("break"),
			run("add", "hello"),
			run("refuse", "--json"),
		]);
		expect(unknown).toEqual(failed("counter/wrong has no action 'ad'; did you mean 'add'?"));
		expect(strange.stderr).toContain("there are: add, read, nothing, remind, refuse, break.");
		expect(refused).toEqual({
			code: 1,
			stdout: "",
			stderr: 'error: not today.\n{"until":"Monday"}\n',
		});
		expect(broken).toEqual(
			failed("Something went wrong in the actor or the server; the server's log says what."),
		);
		expect(noJson).toEqual(misused("Argument 1 is not JSON: hello"));
		expect(machine.code).toBe(1);
		expect(JSON.parse(machine.stderr)).toEqual({
			error: {
				group: "user",
				code: "closed",
				message: "not today",
				metadata: { until: "Monday" },
			},
		});
	});
});

describe("state", () => {
	it("prints exactly what there is, and takes it back after an edit", async () => {
		const id = await runtime.actorId("holder", "exact");
		await runtime.embedded.host.stop(id, "sleep");
		const printed = await spawned(["actors", "state", "holder/exact"]);
		expect(runtime.embedded.host.liveActorIds).not.toContain(id);
		expect(printed.stdout).not.toContain("\u001b");
		const edited = printed.stdout.replace('"one"', '"two"');
		await writeFile(join(folder, "state.json"), edited);
		expect(await spawned(["actors", "state", id, "--set", "@state.json"])).toEqual({
			code: 0,
			stdout: "",
			stderr: "The state is replaced.\n",
		});
		expect((await cli(["actors", "state", id])).stdout).toBe(edited);
		const again = await spawned(["actors", "state", id, "--set", "-", "--json"], {
			input: printed.stdout,
		});
		expect(JSON.parse(again.stdout)).toEqual({ ok: true });
		expect((await cli(["actors", "state", id])).stdout).toBe(printed.stdout);
		const [echo, direct] = await Promise.all([
			cli(["actors", "call", id, "echo", JSON.stringify({ v: ["$Map", [[1, ["$BigInt", "9"]]]] })]),
			cli(["actors", "state", id, "--set", "{"]),
		]);
		expect(JSON.parse(echo.stdout)).toEqual({ v: ["$Map", [[1, ["$BigInt", "9"]]]] });
		expect(direct).toEqual(misused("--set is not JSON"));
		expect(await readFile(join(folder, "state.json"), "utf8")).toBe(edited);
	});

	it("of an actor without state, and from a file that is not there, is an error", async () => {
		await runtime.actorId("stateless", "x");
		const [read, set, file] = await Promise.all([
			cli(["actors", "state", "stateless/x"]),
			cli(["actors", "state", "stateless/x", "--set", "1"]),
			cli(["actors", "state", "stateless/x", "--set", "@nowhere.json"]),
		]);
		expect(read).toEqual(failed("stateless/x keeps no state."));
		expect(set).toEqual(failed("stateless/x keeps no state."));
		expect(file).toEqual(failed("Cannot read nowhere.json: there is no such file."));
	});
});

describe("destroy", () => {
	it("needs --yes where nobody can be asked", async () => {
		const id = await runtime.actorId("counter", "doomed");
		expect(await cli(["actors", "destroy", "counter/doomed"])).toEqual(
			misused("Nobody can be asked here whether you are sure; say so with --yes."),
		);
		expect((await json(["actors", "get", id])).actor.id).toBe(id);
		expect(await json(["actors", "destroy", "counter/doomed", "-y"])).toEqual({ destroyed: id });
		expect((await cli(["actors", "get", id])).stderr).toContain("There is no actor");
	});
});

describe("export and import", () => {
	it("carry an actor over by a file, by a pipe, and in place of another", async () => {
		const id = await runtime.actorId("holder", "trip/1");
		await runtime.embedded.host.stop(id, "sleep");
		expect(await spawned(["actors", "export", "holder/trip/1"])).toEqual({
			code: 0,
			stdout: "",
			stderr: expect.stringMatching(
				/^holder\/trip\/1 is exported to holder-trip-1\.rivetactor \(\d+ bytes\)\.\n$/,
			),
		});
		expect(runtime.embedded.host.liveActorIds).not.toContain(id);
		const file = join(folder, "holder-trip-1.rivetactor");
		expect((await stat(file)).mode & 0o077).toBe(0);
		const [again, forced, taken] = await Promise.all([
			spawned(["actors", "export", id]),
			json(["actors", "export", id, "-o", file, "--force"]),
			spawned(["actors", "import", file]),
		]);
		expect(again).toEqual(
			failed("holder-trip-1.rivetactor is there already; --force writes over it."),
		);
		expect(forced).toMatchObject({ actor: { id }, file, bytes: (await stat(file)).size });
		expect(taken.code).toBe(1);
		expect(taken.stderr).toMatch(
			/already exists.*; --as NAME\/KEY gives it another one, --replace /,
		);
		const copied = await json([
			"actors",
			"import",
			"holder-trip-1.rivetactor",
			"--as",
			"holder/copy",
		]);
		expect(copied).toMatchObject({ actor: { key: ["copy"], status: "sleeping" }, replaced: null });
		const state = (await cli(["actors", "state", "holder/copy"])).stdout;
		expect(state).toBe((await cli(["actors", "state", id])).stdout);
		const replaced = await spawned(["actors", "import", "-", "--replace"], {
			input: await readFile(file),
		});
		expect(replaced.stderr).toMatch(
			new RegExp(`^holder/trip/1 is imported as \\w{30}, in place of ${id}\\.\n$`),
		);
		expect((await cli(["actors", "state", "holder/trip/1"])).stdout).toBe(state);
		expect((await readdir(folder)).filter((name) => name.includes("partial"))).toEqual([]);
	});

	it("refuse what is no file of theirs, and leave nothing half done", async () => {
		await runtime.actorId("counter", "kept");
		await writeFile(join(folder, "foreign.bin"), "no actor");
		const [foreign, missing, form, place] = await Promise.all([
			spawned(["actors", "import", "foreign.bin", "--as", "counter/kept", "--replace"]),
			spawned(["actors", "import", "nowhere.bin"]),
			spawned(["actors", "import", "foreign.bin", "--as", "counter"]),
			spawned(["actors", "export", "counter/kept", "-o", "no/such/folder"]),
		]);
		expect(foreign).toEqual(failed("The file cannot be imported: it is no exported actor."));
		expect(missing).toEqual(failed("Cannot read nowhere.bin: there is no such file."));
		expect(form).toEqual(misused("'counter' has no key; write counter/KEY"));
		expect(place).toEqual(failed("Cannot write no/such/folder: ENOENT."));
		expect((await cli(["actors", "state", "counter/kept"])).code).toBe(0);
	});
});

describe("the command line", () => {
	it("explains itself", async () => {
		const [general, one, version] = await Promise.all([
			runCli([]),
			cli(["actors", "call", "--help"]),
			cli(["--version"]),
		]);
		expect(general.code).toBe(0);
		for (const verb of ["list", "get", "call", "state", "destroy", "export", "import"]) {
			expect(general.stdout).toContain(`  actors ${verb} `);
		}
		expect(one.stdout).toContain("Usage: rivetkit actors call ACTOR ACTION [ARGUMENT…]");
		expect(one.stdout).toMatch(/--create +make the actor if there is none/);
		expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
	});

	it.each([
		[["actor", "list"], "There is no command 'actor list'; did you mean `rivetkit actors list`?"],
		[["actors", "lst"], "There is no command 'actors lst'; did you mean `rivetkit actors list`?"],
		[["actors"], "What about the actors?"],
		[["--what"], "Unknown option '--what'"],
		[["actors", "get"], "An argument is missing; the form is: rivetkit actors get ACTOR"],
		[["actors", "get", "a/b", "c"], "Unexpected argument 'c'"],
		[["actors", "list", "--nmae", "x"], "Unknown option '--nmae'"],
		[
			["actors", "export", "a/b", "--out", "x"],
			"Unknown option '--out'; the form is: rivetkit actors export ACTOR [--output FILE] [--force] (",
		],
		[
			["actors", "list", "--limit", "0"],
			"--limit must be a whole number from 1 to 10000, got '0'.",
		],
		[["actors", "list", "--status", "up"], "--status must be one of awake, sleeping"],
		[["actors", "get", "counter"], "'counter' is not the id of an actor"],
		[["actors", "get", ""], "Which actor? Its name is empty; give NAME/KEY or an id."],
		[["actors", "get", "/a"], "'/a' has no name before the slash; write NAME/a."],
		[
			["actors", "get", `${"n".repeat(65)}/a`],
			`'${"n".repeat(65)}/a' names no actor: an actor name has 1 to 64 characters`,
		],
		[
			["actors", "list", "--endpoint", "localhost:6420"],
			"The address of the server cannot be used",
		],
	])("%j is refused with exit code 2", async (args, message) => {
		expect(await cli(args)).toEqual(misused(message));
	});

	it("prints JSON for each verb with --json, and errors as JSON on the other end", async () => {
		await runtime.actorId("counter", "json");
		const file = join(folder, "json.rka");
		const done = [
			["list", "counter"],
			["get", "counter/json"],
			["call", "counter/json", "add", "1"],
			["state", "counter/json"],
			["state", "counter/json", "--set", '{"count":5}'],
			["export", "counter/json", "--output", file],
			["import", file, "--as", "counter/json copy"],
			["destroy", "counter/json copy", "--yes"],
		];
		for (const args of done) {
			const { code, stdout, stderr } = await cli(["actors", ...args, "--json"]);
			expect([args[0], code, stderr]).toEqual([args[0], 0, ""]);
			expect([args[0], JSON.parse(stdout)]).toEqual([args[0], expect.anything()]);
		}
		const none = "counter/none";
		const refused = [
			["get", none],
			["call", none, "add", "1"],
			["state", none],
			["state", none, "--set", "{}"],
			["tail", none],
			["export", none, "--output", join(folder, "none")],
			["import", join(folder, "none")],
			["destroy", none, "--yes"],
			["list", "nobody"],
		];
		for (const args of refused) {
			const { code, stdout, stderr } = await cli(["actors", ...args, "--json"]);
			expect([args[0], code, stdout]).toEqual([args[0], 1, ""]);
			expect([args[0], JSON.parse(stderr)]).toEqual([
				args[0],
				{ error: expect.objectContaining({ message: expect.any(String) }) },
			]);
		}
	});

	it("ends its process with that code", async () => {
		expect(await spawned(["actors", "get"])).toEqual(misused("An argument is missing"));
	});

	it("has colours only where they are seen, or asked for", async () => {
		await runtime.actorId("counter", "colours");
		const args = ["actors", "get", "counter/colours"];
		const [plain, forced, both] = await Promise.all([
			spawned(args),
			spawned(args, { env: { FORCE_COLOR: "1" } }),
			spawned(args, { env: { NO_COLOR: "1" } }),
		]);
		expect(plain.stdout).not.toContain("\u001b");
		expect(both.stdout).not.toContain("\u001b");
		expect(forced.stdout).toContain("\u001b[1mcounter/colours\u001b[22m");
	});
});

describe("the server", () => {
	it("that is not there, or is none of ours, is named", async () => {
		const other = createServer((_request, response) => response.writeHead(404).end("nginx"));
		await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
		const { port } = other.address() as { port: number };
		const nowhere = `http://127.0.0.1:${await freePort()}`;
		try {
			const [gone, foreign] = await Promise.all([
				cli(["actors", "list", "--endpoint", nowhere], { env: { RIVET_ENDPOINT: "" } }),
				cli(["actors", "list", "--endpoint", `http://127.0.0.1:${port}/x`]),
			]);
			expect(gone).toEqual(
				failed(
					`Cannot reach a RivetKit server at ${nowhere}/ (ECONNREFUSED); start it, or say where it is with --endpoint or RIVET_ENDPOINT.`,
				),
			);
			expect(foreign.stderr).toContain('is no RivetKit server (status 404, "nginx")');
		} finally {
			other.close();
		}
	});

	it("that wants tokens gets them from options, the environment or the address", async () => {
		const inspection = { token: () => "look", isOpen: () => false };
		await using guarded = await TestRuntime.start({ counter }, { inspection, token: "manage" });
		await guarded.actorId("counter", "a");
		const run = (args: string[], env: Record<string, string> = {}) =>
			cli(args, { env: { RIVET_ENDPOINT: guarded.url, ...env } });
		const [none, wrong, right, own, url] = await Promise.all([
			run(["actors", "state", "counter/a"]),
			run(["actors", "state", "counter/a", "--inspector-token", "nope"]),
			run(["actors", "state", "counter/a"], { RIVET_INSPECTOR_TOKEN: "look" }),
			// Whoever may read its store has the actor's own token.
			run(["actors", "state", "counter/a", "--token", "manage"]),
			run(["actors", "state", "counter/a"], {
				RIVET_ENDPOINT: guarded.url.replace("http://", "http://default:manage@"),
			}),
		]);
		const refusal = failed(
			"The inspector of this server needs a token, or has another one; give it with --inspector-token or RIVET_INSPECTOR_TOKEN, or that of the management API with --token or RIVET_TOKEN.",
		);
		expect(none).toEqual(refusal);
		expect(wrong).toEqual(refusal);
		for (const outcome of [right, own, url]) {
			expect([outcome.code, JSON.parse(outcome.stdout)]).toEqual([0, { count: 0 }]);
		}
		expect(await run(["actors", "destroy", "counter/a", "-y"])).toEqual(
			failed("This server needs a token, or has another one; give it with --token or RIVET_TOKEN."),
		);
		expect((await run(["actors", "destroy", "counter/a", "-y", "--token", "manage"])).code).toBe(0);
	});

	it("whose inspector lets nobody in makes no actor for a call that it would refuse", async () => {
		const inspection = { token: () => "look", isOpen: () => false };
		await using guarded = await TestRuntime.start({ counter }, { inspection, token: "manage" });
		await using closed = await TestRuntime.start({ counter }, { inspection: { enabled: false } });
		const call = async (url: string, key: string, ...args: string[]) => {
			const { code } = await cli(
				["actors", "call", `counter/${key}`, "read", "--create", ...args],
				{
					env: { RIVET_ENDPOINT: url },
				},
			);
			const listed = await cli(["actors", "list", "counter", "--json", "--endpoint", url]);
			const keys = JSON.parse(listed.stdout).actors.map((one: { key: string[] }) => one.key[0]);
			return [code, keys.includes(key)];
		};
		expect(await call(guarded.url, "nobody")).toEqual([1, false]);
		expect(await call(guarded.url, "wrong", "--inspector-token", "nope")).toEqual([1, false]);
		expect(await call(closed.url, "closed")).toEqual([1, false]);
		expect(await call(guarded.url, "right", "--inspector-token", "look")).toEqual([0, true]);
		expect(await call(guarded.url, "own", "--token", "manage")).toEqual([0, true]);
		await guarded.actorId("counter", "there");
		expect(await call(guarded.url, "there", "--inspector-token", "look")).toEqual([0, true]);
	});

	it("whose inspector is off is asked for nothing more", async () => {
		await using closed = await TestRuntime.start({ counter }, { inspection: { enabled: false } });
		await closed.actorId("counter", "a");
		const outcome = await cli(["actors", "state", "counter/a", "--endpoint", closed.url], {
			env: { RIVET_ENDPOINT: "" },
		});
		expect(outcome.code).toBe(1);
		expect(outcome.stderr).toContain("its inspector is switched off (RIVET_INSPECTOR_DISABLE)");
	});
});
