import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

describe("keys", () => {
	const subject = actor({
		state: { n: 0 },
		actions: { key: (c) => c.key, add: (c) => ++c.state.n, id: (c) => c.actorId },
	});

	const KEYS: string[][] = [
		[],
		[""],
		["", ""],
		["a"],
		["a", "b"],
		["a/b"],
		["a\\/b"],
		["a\\", "b"],
		["a", "", "b"],
		["/"],
		["\\0"],
		["0"],
		["a\0b"],
		["..", "..", "etc"],
		["%2F"],
		["ключ", "键", "🔑"],
		["e\u0301", "\u00e9"],
		["__proto__", "constructor"],
		["' OR 1=1 --", '"; DROP TABLE actors'],
		["x".repeat(128), "y".repeat(128)],
		Array<string>(7).fill("z".repeat(128)),
	];

	it("A33: every key is its own actor, and c.key is the key, over HTTP and in process", async () => {
		await using runtime = await TestRuntime.start({ subject });
		await using remote = runtime.client();
		const local = runtime.localClient();
		const ids = new Set<string>();
		for (const key of KEYS) {
			const there = remote.subject!.getOrCreate(key);
			const here = local.subject!.getOrCreate(key);
			expect(await there.key()).toEqual(key);
			expect(await there.add()).toBe(1);
			expect(await here.add()).toBe(2);
			ids.add(await here.id());
		}
		expect(ids.size).toBe(KEYS.length);
		expect(await local.subject!.getOrCreate("a").add()).toBe(3);
		expect(await local.subject!.getOrCreate().add()).toBe(3);
	});

	it.each([
		["a part of more than 128 bytes", ["x".repeat(129)]],
		["a part of 128 characters and more bytes", ["é".repeat(65)]],
		["more than 1,024 bytes", Array<string>(9).fill("x".repeat(128))],
		["one part of 1 kB", ["x".repeat(1_024)]],
	])("ruling 23: %s are refused with the limit, and leave nothing behind", async (_what, key) => {
		await using runtime = await TestRuntime.start({ subject });
		await using remote = runtime.client();
		for (const client of [remote, runtime.localClient()]) {
			const failure = await client
				.subject!.getOrCreate(key)
				.add()
				.catch((error: unknown) => error);
			expect(codeOf(failure)).toBe("request.invalid");
			expect((failure as Error).message).toMatch(/128|1024|1,024/);
		}
		expect(runtime.embedded.host.liveActorIds).toEqual([]);
	});

	it.each(["__proto__", "constructor", "nobody", "", "x".repeat(65)])(
		"an actor called '%s' is not registered",
		async (name) => {
			await using runtime = await TestRuntime.start({ subject });
			interface ByName {
				getOrCreate(name: string, key: string): { add(): Promise<number> };
			}
			const client = runtime.localClient() as unknown as ByName;
			const handle = client.getOrCreate(name, "k");
			expect(await outcomeOf(handle.add())).toBe("request.invalid");
		},
	);
});

describe("A12 members of c", () => {
	type AnyContext = Record<string, unknown> & { key: string[]; conns: { size: number } };

	it("every hook knows who it is, and has a request or a connection where it should", async () => {
		const seen = new Map<string, { common: unknown; conn: string; request: string }>();
		const look = <T>(hook: string, given: unknown, result?: T): T => {
			const c = given as AnyContext;
			const connection = c.conn as { kind: string } | undefined;
			const request = c.request as Request | undefined;
			seen.set(hook, {
				common: [c.name, c.key, typeof c.actorId, typeof c.region, typeof c.log, c.aborted],
				conn: "conn" in c ? (connection?.kind ?? "undefined") : "absent",
				request: "request" in c ? (request?.url ?? "undefined") : "absent",
			});
			return result as T;
		};
		const subject = actor({
			createState: (c) => look("createState", c, {}),
			createVars: (c) => look("createVars", c, {}),
			createConnState: (c) => look("createConnState", c, {}),
			onCreate: (c) => look("onCreate", c),
			onWake: (c) => look("onWake", c),
			run: (c) => look("run", c),
			onStateChange: (c) => look("onStateChange", c),
			onBeforeConnect: (c) => look("onBeforeConnect", c),
			onConnect: (c) => look("onConnect", c),
			onDisconnect: (c) => look("onDisconnect", c),
			onBeforeActionResponse: (c, _name, _args, output) =>
				look("onBeforeActionResponse", c, output),
			onRequest: (c) => look("onRequest", c, new Response()),
			onWebSocket: (c, socket) => {
				look("onWebSocket", c);
				socket.close();
			},
			onSleep: (c) => look("onSleep", c),
			actions: {
				act: (c) => {
					look("action", c);
					(c.state as { n?: number }).n = 1;
				},
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "a/b");
		await wireAction(runtime, id, "act");
		expect(seen.get("onBeforeConnect")?.request).toBe("http://actor/action/act");
		expect(seen.get("createConnState")?.request).toBe("http://actor/action/act");
		expect(seen.get("onConnect")).toMatchObject({
			conn: "http",
			request: "http://actor/action/act",
		});
		expect(seen.get("action")).toMatchObject({ conn: "http" });
		await fetch(`${runtime.url}/gateway/${id}/request/x?y=1`);
		expect(seen.get("onRequest")).toMatchObject({
			conn: "raw-request",
			request: "http://actor/x?y=1",
		});
		await using raw = new WireSocket(`${runtime.url}/gateway/${id}/websocket/x?y=1`);
		await soon(raw.closed);
		expect(seen.get("onWebSocket")).toMatchObject({
			conn: "raw-websocket",
			request: "http://actor/websocket/x?y=1",
		});
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		expect(seen.get("onBeforeConnect")?.request).toBe("http://actor/connect");
		await soon(socket.call(0, "nap"));
		await eventually(() => expect(seen.size).toBe(15));
		for (const [hook, { common, conn, request }] of seen) {
			const aborted = hook === "onSleep";
			expect(common, hook).toEqual(["subject", ["a", "b"], "string", "string", "object", aborted]);
			if (["onConnect", "onRequest", "onWebSocket", "action"].includes(hook)) continue;
			expect(conn, hook).toBe("absent");
			if (!["onBeforeConnect", "createConnState"].includes(hook))
				expect(request, hook).toBe("absent");
		}
	});

	it("c.key is a copy", async () => {
		const subject = actor({
			actions: {
				spoil: (c) => {
					c.key.push("spoiled");
					return c.key;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "a");
		expect((await wireAction(runtime, id, "spoil")).output).toEqual(["a"]);
	});

	it("c.log is bound to the actor", async () => {
		const subject = actor({ actions: { log: (c) => c.log.info({ own: 1 }, "hello") } });
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "a/b");
		await wireAction(runtime, id, "log");
		const line = runtime.log.find(({ message }) => message === "hello");
		expect(line).toEqual({
			level: "info",
			message: "hello",
			fields: { actor: "subject", key: "a/b", actorId: id, own: 1 },
		});
	});
});
