// `rivetkit mcp`, over real pipes, with the SDK's own client.
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { connectMcp } from "./support/mcp-client.ts";
import { runCli } from "./support/run-cli.ts";

// They start processes.

const counter = actor({
	createState: (_c, input: { from: bigint } | undefined) => ({ count: input?.from ?? 0n }),
	actions: {
		add: (c, amount: bigint) => {
			c.state.count += amount;
			return c.state.count;
		},
		nothing: () => {},
		refuse: () => {
			throw new UserError("not today", { code: "closed", metadata: { until: "Monday" } });
		},
	},
});

let runtime: TestRuntime;
let folder: string;

beforeAll(async () => {
	runtime = await TestRuntime.start({ counter });
	folder = await mkdtemp(join(tmpdir(), "rivetkit-mcp-"));
});

afterAll(async () => {
	await runtime[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

const connect = (...args: string[]) => connectMcp(args, { endpoint: runtime.url, cwd: folder });

describe("the tools", () => {
	it("do what the commands do, with structured results", async () => {
		await using t = await connect();
		const made = await t.use("call_action", {
			actor: "counter/a",
			action: "add",
			args: [["$BigInt", "5"]],
			create: true,
			input: { from: ["$BigInt", "2"] },
		});
		expect(made).toEqual({ output: ["$BigInt", "7"] });
		expect(await t.use("call_action", { actor: "counter/a", action: "nothing" })).toEqual({});
		const { actors, next } = await t.use("list_actors", { name: "counter" });
		expect(next).toBeNull();
		expect(actors).toMatchObject([{ name: "counter", key: ["a"], status: "awake" }]);
		const [{ id }] = actors as [{ id: string }];
		expect(await t.use("get_actor", { actor: id })).toMatchObject({
			actor: { id },
			lifecycle: { status: "awake" },
			state: { count: ["$BigInt", "7"] },
			actions: ["add", "nothing", "refuse"],
		});
		await t.use("replace_state", { actor: id, state: { count: ["$BigInt", "1"] } });
		expect(await t.use("read_state", { actor: id })).toEqual({
			state: { count: ["$BigInt", "1"] },
			etag: expect.any(String),
		});
		const exported = await t.use("export_actor", { actor: id, file: "a.rivetactor" });
		const file = join(folder, "a.rivetactor");
		expect(exported).toMatchObject({ actor: { id }, bytes: (await stat(file)).size });
		expect(await t.refusal("export_actor", { actor: id, file })).toBe(`${file} is there already.`);
		expect(await t.refusal("import_actor", { file })).toContain(
			'; as: "NAME/KEY" gives it another one, replace: true destroys that actor for it. (actor.duplicate_key)',
		);
		expect(await t.use("import_actor", { file, as: "counter/b" })).toMatchObject({
			actor: { key: ["b"], status: "sleeping" },
			replaced: null,
		});
		expect(await t.use("destroy_actor", { actor: id })).toEqual({ destroyed: id });
		expect(await t.use("read_state", { actor: "counter/b" })).toMatchObject({
			state: { count: ["$BigInt", "1"] },
		});
	});

	it("replace no state that has been changed since it was read, given its etag", async () => {
		const actorId = await runtime.actorId("counter", "versions");
		await using t = await connect();
		const { etag } = await t.use("read_state", { actor: actorId });
		await t.use("call_action", { actor: actorId, action: "add", args: [["$BigInt", "5"]] });
		const replacement = { actor: actorId, state: { count: ["$BigInt", "1"] } };
		expect(await t.refusal("replace_state", { ...replacement, etag })).toBe(
			"The state has been changed since it was read (it has another etag): nothing was replaced; read it again. (inspector.state_changed)",
		);
		expect(await t.refusal("replace_state", { ...replacement, etag: "1" })).toContain("no etag");
		const seen = await t.use("read_state", { actor: actorId });
		expect(seen.state).toEqual({ count: ["$BigInt", "5"] });
		await t.use("replace_state", { ...replacement, etag: seen.etag });
		expect(await t.use("read_state", { actor: actorId })).toMatchObject({
			state: { count: ["$BigInt", "1"] },
		});
		await t.use("replace_state", {
			...replacement,
			state: { count: ["$BigInt", "2"] },
			etag: null,
		});
		expect(await t.use("read_state", { actor: actorId })).toMatchObject({
			state: { count: ["$BigInt", "2"] },
		});
	});

	it("say in words what is wrong", async () => {
		await runtime.actorId("counter", "wrong");
		await using t = await connect();
		expect(await t.refusal("get_actor", { actor: "counter/nobody" })).toBe(
			"There is no actor counter/nobody; list_actors shows those there are. (actor.not_found)",
		);
		expect(await t.refusal("call_action", { actor: "counter/nobody", action: "add" })).toBe(
			"There is no actor counter/nobody; create: true makes it. (actor.not_found)",
		);
		expect(await t.refusal("get_actor", { actor: "counter" })).toContain("write counter/KEY");
		expect(await t.refusal("call_action", { actor: "counter/wrong", action: "ad" })).toBe(
			"counter/wrong has no action 'ad'; did you mean 'add'? (action.not_found)",
		);
		expect(await t.refusal("call_action", { actor: "counter/wrong", action: "refuse" })).toBe(
			'not today. (user.closed) {"until":"Monday"}',
		);
		const tag = { actor: "counter/wrong", state: ["$BigInt", "x"] };
		expect(await t.refusal("replace_state", tag)).toBe('state: $BigInt cannot hold "x".');
		expect(await t.refusal("import_actor", { file: "nowhere" })).toBe(
			"Cannot read nowhere: there is no such file.",
		);
	});

	// An agent that writes `arguments` for `args` must not run the action without them.
	it("refuse arguments they do not have, and do nothing then", async () => {
		const actorId = await runtime.actorId("counter", "unknown");
		await using t = await connect();
		const call = { actor: actorId, action: "add", arguments: [["$BigInt", "5"]] };
		expect(await t.refusal("call_action", call)).toContain('"arguments"');
		const moved = { actor: actorId, path: join(folder, "elsewhere.rivetactor") };
		expect(await t.refusal("export_actor", moved)).toContain('"path"');
		expect(await t.use("read_state", { actor: actorId })).toMatchObject({
			state: { count: ["$BigInt", "0"] },
		});
	});

	it("say what they change, and --read-only leaves out those that do", async () => {
		await using all = await connect();
		await using some = await connect("--read-only");
		const hints = async ({ client }: Awaited<ReturnType<typeof connect>>) =>
			Object.fromEntries(
				(await client.listTools()).tools.map(({ name, annotations }) => [
					name,
					annotations?.readOnlyHint
						? "reads"
						: annotations?.destructiveHint
							? "destroys"
							: "changes",
				]),
			);
		const reading = {
			list_actors: "reads",
			get_actor: "reads",
			read_state: "reads",
			watch_actor: "reads",
		};
		expect(await hints(all)).toEqual({
			...reading,
			call_action: "destroys",
			replace_state: "destroys",
			destroy_actor: "destroys",
			export_actor: "changes",
			import_actor: "destroys",
		});
		expect(await hints(some)).toEqual(reading);
		await expect(
			some.client.callTool({ name: "destroy_actor", arguments: { actor: "counter/wrong" } }),
		).rejects.toThrow("destroy_actor");
	});
});

it("ends when its client goes", async () => {
	expect(await runCli(["mcp"], { env: { RIVET_ENDPOINT: runtime.url }, input: "" })).toEqual({
		code: 0,
		stdout: "",
		stderr: "",
	});
});
