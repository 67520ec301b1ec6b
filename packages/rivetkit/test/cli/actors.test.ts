// The verbs of `rivetkit actors` that show and change an actor, as processes against a server.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { callAction, replaceState } from "../../src/cli/actors.ts";
import { CommandFailed } from "../../src/cli/failure.ts";
import type { Server, ServerRequest } from "../../src/cli/server/server.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireSend } from "../support/wire-http.ts";
import { counter, failed, holder, misused, serveActors } from "./support/served-actors.ts";

// They start processes.

const served = serveActors();
const { cli, json, spawned } = served;

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
		const id = await served.runtime.actorId("counter", "get");
		await served.runtime.action(id, "remind");
		await wireSend(served.runtime, id, "jobs", "later");
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
		await served.runtime.embedded.host.stop(id, "sleep");
		const { code, stdout } = await cli(["actors", "get", id]);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^counter\/get\nid {11}\w{30}\nstatus {7}sleeping\n/);
		expect(stdout).toMatch(/^state {8}\{"count":0\}$/m);
		expect(stdout).toMatch(/^queue {8}1 of \d+ messages$/m);
		expect(stdout).toMatch(/^ {13}\d{4}-\S+ {2}at {2}\S+ {2}add\(1\)$/m);
		expect(served.runtime.embedded.host.liveActorIds).not.toContain(id);
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
		await served.runtime.actorId("counter", "call");
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
			cli(["actors", "call", await served.runtime.actorId("counter", "new"), "read", "--create"]),
			cli(["actors", "call", "counter/new", "read", "--input", "1"]),
		]);
		expect(byId).toEqual(misused("--create needs NAME/KEY"));
		expect(alone).toEqual(misused("--input goes with --create."));
	});

	it("wakes a sleeping one", async () => {
		const id = await served.runtime.actorId("counter", "wake");
		await served.runtime.embedded.host.stop(id, "sleep");
		expect((await spawned(["actors", "call", id, "read"])).stdout).toBe("0\n");
	});

	it("says why an actor cannot be started, which its inspector knows", async () => {
		const created = await cli(["actors", "call", "broken/door", "open", "--create"]);
		const again = await cli(["actors", "call", "broken/door", "open"]);
		for (const outcome of [created, again]) {
			expect(outcome).toEqual({
				code: 1,
				stdout: "",
				stderr: expect.stringMatching(
					/^error: broken\/door does not start: .*no key for the door\. It is tried again at \d{4}-.*Z\.\n$/,
				),
			});
		}
		// Its state can be mended all the same.
		expect(await cli(["actors", "state", "broken/door", "--set", "{}"])).toEqual({
			code: 0,
			stdout: "",
			stderr: "The state is replaced.\n",
		});
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
		await expect(replaceState(server, address, { state: {} })).rejects.toBe(error);
		expect(looks).toEqual([
			["lifecycle", signal],
			["state", undefined],
			["lifecycle", undefined],
		]);
	});

	it("says what went wrong", async () => {
		await served.runtime.actorId("counter", "wrong");
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
		const id = await served.runtime.actorId("holder", "exact");
		await served.runtime.embedded.host.stop(id, "sleep");
		const printed = await spawned(["actors", "state", "holder/exact"]);
		expect(served.runtime.embedded.host.liveActorIds).not.toContain(id);
		expect(printed.stdout).not.toContain("\u001b");
		const edited = printed.stdout.replace('"one"', '"two"');
		await writeFile(join(served.folder, "state.json"), edited);
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
		expect(await readFile(join(served.folder, "state.json"), "utf8")).toBe(edited);
	});

	it("replaces nothing that was changed since, for who says what he has seen", async () => {
		const id = await served.runtime.actorId("counter", "seen");
		const told = await cli(["actors", "state", id, "--etag"]);
		expect(told).toEqual({
			code: 0,
			stdout: '{\n  "count": 0\n}\n',
			stderr: expect.stringMatching(/^etag: "[\w-]{22}"\n$/),
		});
		const etag = told.stderr.slice('etag: "'.length, -'"\n'.length);
		expect(await json(["actors", "state", id, "--etag"])).toEqual({
			etag: `"${etag}"`,
			state: { count: 0 },
		});
		const set = (count: number, ...more: string[]) =>
			cli(["actors", "state", id, "--set", `{"count":${count}}`, ...more]);
		await cli(["actors", "call", id, "add", "5"]);
		for (const seen of [etag, `"${etag}"`]) {
			expect(await set(1, `--if-match=${seen}`)).toEqual(
				failed(
					"The state has been changed since it was read (it has another etag): nothing was replaced; read it again.",
				),
			);
		}
		const { etag: now } = (await json(["actors", "state", id, "--etag"])) as { etag: string };
		expect((await set(6, `--if-match=${now}`)).code).toBe(0);
		expect(await json(["actors", "state", id])).toEqual({ count: 6 });
		const misuses = [
			await cli(["actors", "state", id, `--if-match=${etag}`]),
			await set(7, "--etag"),
			await set(7, "--if-match="),
		];
		expect(misuses).toEqual([
			misused("--if-match goes with --set."),
			misused("--etag goes without --set."),
			misused("--if-match must be what --etag has told of, got ''."),
		]);
	});

	it("of an actor without state, and from a file that is not there, is an error", async () => {
		await served.runtime.actorId("stateless", "x");
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
		const id = await served.runtime.actorId("counter", "doomed");
		expect(await cli(["actors", "destroy", "counter/doomed"])).toEqual(
			misused("Nobody can be asked here whether you are sure; say so with --yes."),
		);
		expect((await json(["actors", "get", id])).actor.id).toBe(id);
		expect(await json(["actors", "destroy", "counter/doomed", "-y"])).toEqual({ destroyed: id });
		expect((await cli(["actors", "get", id])).stderr).toContain("There is no actor");
	});
});
