import { catalogueError, type RivetError } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import type { ClientConfigInput } from "../../src/client/config.ts";
import { ActorError, ActorSchedulingError, HttpRequestError } from "../../src/client/errors.ts";
import { type Script, ScriptedServer, unusedPort } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

async function setUp(
	script?: Script,
	{ capabilities, ...config }: ClientConfigInput & { capabilities?: string[] } = {},
) {
	const server = await ScriptedServer.start();
	if (capabilities) server.metadata = { capabilities };
	if (script) server.script = script;
	const { client } = clientOf(server, config);
	return {
		server,
		client,
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

const onAction =
	(answer: ReturnType<Script>): Script =>
	({ path }) =>
		path.includes("/action/") ? answer : undefined;

const pick = ({ group, code, message, metadata }: RivetError) => ({
	group,
	code,
	message,
	metadata,
});

describe("actions over HTTP", () => {
	test("post the arguments below the actor's gateway path and return the output", async () => {
		await using scene = await setUp(onAction({ body: { output: [2, ["$BigInt", "9"]] } }));
		expect(await scene.client.room!.get("k").add(1, 9n)).toEqual([2, 9n]);
		const [call] = scene.server.requestsTo("/action/");
		expect(call).toMatchObject({ method: "POST", target: "/gateway/actor-1/action/add" });
		expect(JSON.parse(String(call?.body))).toEqual({ args: [1, ["$BigInt", "9"]] });
		expect(call?.headers).toMatchObject({
			"content-type": "application/json",
			"x-rivet-encoding": "json",
			"user-agent": expect.stringMatching(/^RivetKit\/\d+\.\d+\.\d+/),
		});
		expect(call?.headers).not.toHaveProperty("x-rivet-call-id");
		expect(call?.headers).not.toHaveProperty("x-rivet-conn-params");
	});

	test("carry wire names of nested actions and escape unusual ones", async () => {
		await using scene = await setUp();
		await scene.client.room!.get("k").users.add();
		await scene.client.room!.get("k").action({ name: "a/b ü", args: [] });
		expect(scene.server.requestsTo("/action/").map(({ target }) => target)).toEqual([
			"/gateway/actor-1/action/users.add",
			"/gateway/actor-1/action/a%2Fb%20%C3%BC",
		]);
	});

	test("send the token percent-encoded in the path, as a header, and as Bearer to management", async () => {
		await using scene = await setUp(undefined, { token: "s/x@y", headers: { "x-mine": "1" } });
		await scene.client.room!.get("k").act();
		const [, management, call] = scene.server.requests;
		expect(management?.headers).toMatchObject({ authorization: "Bearer s/x@y", "x-mine": "1" });
		expect(call?.target).toBe("/gateway/actor-1@s%2Fx%40y/action/act");
		expect(call?.headers).toMatchObject({ "x-rivet-token": "s/x@y", "x-mine": "1" });
	});

	test("structured errors become ActorErrors, whatever their content type", async () => {
		const error = { group: "user", code: "nope", message: "No.", metadata: { n: 1 } };
		const types = ["application/json", "text/plain; charset=UTF-8"];
		for (const type of types) {
			await using scene = await setUp(
				onAction({ status: 400, headers: { "content-type": type }, body: error }),
			);
			const failure = await scene.client
				.room!.get("k")
				.act()
				.catch((thrown: unknown) => thrown);
			expect(failure).toBeInstanceOf(ActorError);
			expect(failure).toMatchObject({ ...error, __type: "ActorError", name: "ActorError" });
		}
	});

	test("an error without metadata has undefined", async () => {
		await using scene = await setUp(
			onAction({ status: 400, body: { group: "a", code: "b", message: "c" } }),
		);
		await expect(scene.client.room!.get("k").act()).rejects.toHaveProperty("metadata", undefined);
	});

	test("a failure that is none of ours names status, body and ray id", async () => {
		await using scene = await setUp(
			onAction({
				status: 502,
				statusText: "Bad Gateway",
				headers: { "content-type": "text/html", "x-rivet-ray-id": "ray-7" },
				body: "<h1>upstream</h1>",
			}),
		);
		await expect(scene.client.room!.get("k").act()).rejects.toMatchObject({
			name: "ActorError",
			group: "rivetkit",
			code: "internal_error",
			message: "HTTP request error: Bad Gateway (502) (Ray ID: ray-7):\n<h1>upstream</h1>",
		});
	});

	test("a success that cannot be decoded is a failure to parse", async () => {
		await using scene = await setUp(onAction({ body: '{"output":["$What",0]}' }));
		await expect(scene.client.room!.get("k").act()).rejects.toThrow(
			"HTTP request error: Failed to parse response: Malformed message",
		);
	});

	test("a network failure keeps its reason", async () => {
		const endpoint = `http://127.0.0.1:${await unusedPort()}`;
		const { client } = clientOf({ endpoint }, { disableMetadataLookup: true });
		await expect(client.room!.get("k").act()).rejects.toMatchObject({
			group: "rivetkit",
			message: expect.stringMatching(/^HTTP request error: Request failed: .*ECONNREFUSED/),
		});
		await client.dispose();
	});

	test("are not repeated to a peer without call ids", async () => {
		await using scene = await setUp((request) => {
			if (request.path.includes("/action/")) request.cut();
			return undefined;
		});
		await expect(scene.client.room!.get("k").act()).rejects.toThrow("Request failed");
		expect(scene.server.requestsTo("/action/")).toHaveLength(1);
	});

	test("an abort rejects with the signal's reason, from the call or from the handle", async () => {
		let arrived = () => {};
		await using scene = await setUp(({ path }) => {
			if (!path.includes("/action/")) return undefined;
			arrived();
			return new Promise(() => {});
		});
		for (const from of ["call", "handle", "both"]) {
			const abort = new AbortController();
			const running = new Promise<void>((resolve) => {
				arrived = resolve;
			});
			const signal = abort.signal;
			const handle = scene.client.room!.get("k", from === "call" ? {} : { signal });
			const call = handle.action({
				name: "slow",
				args: [],
				...(from !== "handle" && { signal }),
			});
			await running;
			abort.abort();
			await expect(call).rejects.toMatchObject({ name: "AbortError" });
			await expect(handle.action({ name: "slow", args: [], signal })).rejects.toBe(signal.reason);
		}
	});

	test("arguments that cannot be encoded reject as ActorError naming the place", async () => {
		await using scene = await setUp();
		const handle = scene.client.room!.get("k");
		const refused = { name: "ActorError", message: /^Cannot encode the value at \[0\]\.f: / };
		const message = expect.stringMatching(refused.message);
		await expect(handle.act({ f: () => {} })).rejects.toMatchObject({ ...refused, message });
		await expect(handle.send("work", { f: () => {} })).rejects.toBeInstanceOf(ActorError);
		const cyclic: { self?: unknown } = {};
		cyclic.self = cyclic;
		await expect(handle.act(cyclic)).rejects.toBeInstanceOf(ActorError);
		expect(scene.server.requestsTo("/gateway/")).toEqual([]);
	});

	test.each([
		["by the client", []],
		["with the call", ["query-gateway"]],
	])(
		"why an engine could not start the actor is looked up; its key was, %s",
		async (_, capabilities) => {
			await using scene = await setUp(
				({ path, query }) => {
					if (path.includes("/action/")) {
						const body = { group: "guard", code: "actor_runner_failed", message: "failed" };
						const metadata = { actor_id: "actor-1" };
						return { status: 400, body: capabilities.length > 0 ? { ...body, metadata } : body };
					}
					if (!query.has("actor_ids")) return undefined;
					const actor = { actor_id: "actor-1", name: "room", error: { no_capacity: {} } };
					return { body: { actors: [actor] } };
				},
				{ capabilities },
			);
			const failure = await scene.client
				.room!.get("k")
				.act()
				.catch((thrown: unknown) => thrown);
			expect(failure).toBeInstanceOf(ActorSchedulingError);
			expect(failure).toMatchObject({
				group: "guard",
				code: "actor_runner_failed",
				message: 'Actor failed to start (actor-1): {"no_capacity":{}}',
				metadata: { actorId: "actor-1", details: { no_capacity: {} } },
			});
		},
	);
});

describe("connection params", () => {
	const awkward = { text: '(a) "b", c; \\ é 漢 😀' };

	test("travel escaped in the header and percent-encoded in the sub-protocol", async () => {
		await using scene = await setUp();
		const handle = scene.client.room!.get("k", { params: awkward });
		await handle.act();
		const header = scene.server.requestsTo("/action/")[0]?.headers["x-rivet-conn-params"];
		expect(header).toMatch(/^[\x20-\x7e]+$/);
		expect(JSON.parse(String(header))).toEqual(awkward);
		handle.connect();
		const { protocols } = await scene.server.sockets.next();
		const entry = protocols.find((offered) => offered.startsWith("rivet_conn_params."));
		expect(entry).toMatch(/^[\w.!~*'%-]+$/);
		expect(JSON.parse(decodeURIComponent(String(entry).slice(18)))).toEqual(awkward);
	});

	test.each([0, "", false, null])("%j is sent", async (params) => {
		await using scene = await setUp();
		const handle = scene.client.room!.get("k", { params });
		await handle.act();
		const header = scene.server.requestsTo("/action/")[0]?.headers["x-rivet-conn-params"];
		expect(JSON.parse(String(header))).toBe(params);
		handle.connect();
		const { protocols } = await scene.server.sockets.next();
		expect(protocols).toContain(`rivet_conn_params.${encodeURIComponent(JSON.stringify(params))}`);
	});

	test("getParams is asked for each call and each attempt to connect", async () => {
		await using scene = await setUp();
		let count = 0;
		const handle = scene.client.room!.get("k", { getParams: async () => ++count });
		await handle.act();
		await handle.act();
		const headers = scene.server
			.requestsTo("/action/")
			.map(({ headers }) => headers["x-rivet-conn-params"]);
		expect(headers).toEqual(["1", "2"]);
		handle.connect();
		const first = await scene.server.sockets.next();
		first.init().close(1000);
		const second = await scene.server.sockets.next();
		expect([first.protocols.at(-1), second.protocols.at(-1)]).toEqual([
			"rivet_conn_params.3",
			"rivet_conn_params.4",
		]);
	});

	test("a failing getParams rejects a call, and is retried by a connection", async () => {
		await using scene = await setUp();
		let fail = true;
		const getParams = async () => {
			if (fail) throw new Error("no token yet");
			return "token";
		};
		const handle = scene.client.room!.get("k", { getParams });
		await expect(handle.act()).rejects.toMatchObject({
			name: "ActorError",
			group: "client",
			code: "get_params_failed",
			message: "getParams failed: no token yet",
		});
		const connection = handle.connect();
		const told = new Promise<ActorError>((resolve) => connection.onError(resolve));
		expect((await told).code).toBe("get_params_failed");
		fail = false;
		expect((await scene.server.sockets.next()).protocols.at(-1)).toBe(
			"rivet_conn_params.%22token%22",
		);
	});
});

describe("queue messages", () => {
	const answering =
		(body: object): Script =>
		({ path }) =>
			path.includes("/queue/") ? { body } : undefined;

	test("resolve with nothing when they are stored", async () => {
		await using scene = await setUp(answering({ status: "completed" }));
		expect(await scene.client.room!.get("k").send("work", { n: 1 })).toBeUndefined();
		const [call] = scene.server.requestsTo("/queue/");
		expect(call?.target).toBe("/gateway/actor-1/queue/work");
		expect(JSON.parse(String(call?.body))).toEqual({ body: { n: 1 }, name: "work", wait: false });
	});

	test("resolve with what became of them when asked to wait", async () => {
		await using scene = await setUp(answering({ status: "completed", response: 7 }));
		const handle = scene.client.room!.get("k");
		expect(await handle.send("work", 1, { wait: true, timeout: 50 })).toEqual({
			status: "completed",
			response: 7,
		});
		const [call] = scene.server.requestsTo("/queue/");
		expect(JSON.parse(String(call?.body))).toMatchObject({ wait: true, timeout: 50 });
		await handle.send("work", 1, { wait: true, timeout: Number.POSITIVE_INFINITY });
		const [, endless] = scene.server.requestsTo("/queue/");
		expect(JSON.parse(String(endless?.body))).toEqual({ body: 1, name: "work", wait: true });
	});

	test.each([[undefined], [null], [7]])(
		"without a name (%j) are refused before anything is sent",
		async (name) => {
			await using scene = await setUp();
			const handle = scene.client.room!.get("k");
			const refused = {
				...pick(
					catalogueError("request.invalid", { detail: `the queue name is ${name}, not a string` }),
				),
				name: "ActorError",
			};
			const send = (by: Pick<typeof handle, "send">) => by.send(name as unknown as string, 1);
			await expect(send(handle)).rejects.toMatchObject(refused);
			await expect(send(handle.connect())).rejects.toMatchObject(refused);
			expect(scene.server.requestsTo("/queue/")).toEqual([]);
		},
	);

	test.each([[Number.NaN], ["50"], [null]])("are not waited for during %j", async (timeout) => {
		await using scene = await setUp();
		const sent = scene.client.room!.get("k").send("work", 1, {
			wait: true,
			timeout: timeout as number,
		});
		await expect(sent).rejects.toMatchObject({
			...pick(
				catalogueError("request.invalid", { detail: `the timeout is ${timeout}, not a number` }),
			),
			name: "ActorError",
		});
		expect(scene.server.requestsTo("/queue/")).toEqual([]);
	});

	test("go over HTTP from a connection too", async () => {
		await using scene = await setUp(answering({ status: "timedOut" }));
		const connection = scene.client.room!.get("k").connect();
		expect(await connection.send("work", 1, { wait: true })).toEqual({ status: "timedOut" });
	});

	test("server errors are ActorErrors, transport failures HttpRequestErrors", async () => {
		const full = {
			group: "queue",
			code: "full",
			message: "Queue is full.",
			metadata: { limit: 1 },
		};
		await using scene = await setUp(({ path }) =>
			path.includes("/queue/full")
				? { status: 400, body: full }
				: path.includes("/queue/")
					? { status: 500, body: "oops" }
					: undefined,
		);
		const handle = scene.client.room!.get("k");
		await expect(handle.send("full", 1)).rejects.toMatchObject({ ...full, name: "ActorError" });
		await expect(handle.send("broken", 1)).rejects.toBeInstanceOf(HttpRequestError);
	});

	test("options of ours go in a header, to servers that know them", async () => {
		await using scene = await setUp(answering({ status: "completed" }), {
			capabilities: ["queue-options"],
		});
		const handle = scene.client.room!.get("k");
		await handle.send("work", 1, { delay: 5, priority: -1, ttl: 7, dedupeKey: "ä\n" });
		await handle.send("work", 2, { wait: true });
		const [first, second] = scene.server.requestsTo("/queue/");
		expect(first?.headers["x-rivet-queue-options"]).toBe(
			'{"delay":5,"priority":-1,"ttl":7,"dedupeKey":"\\u00e4\\n"}',
		);
		expect(second?.headers["x-rivet-queue-options"]).toBeUndefined();
		expect(JSON.parse(String(first?.body))).toEqual({ body: 1, name: "work", wait: false });
	});

	test("and are refused before anything is sent to servers that would ignore them", async () => {
		await using scene = await setUp(answering({ status: "completed" }));
		const handle = scene.client.room!.get("k");
		await expect(handle.send("work", 1, { delay: 5, priority: 1 })).rejects.toMatchObject({
			group: "feature",
			code: "unsupported",
			message: expect.stringMatching(/does not announce delay, priority/),
		});
		expect(scene.server.requestsTo("/queue/")).toEqual([]);
		await handle.send("work", 1, {});
	});

	test("a waiting sender can abort", async () => {
		await using scene = await setUp(({ path }) =>
			path.includes("/queue/") ? new Promise(() => {}) : undefined,
		);
		const signal = AbortSignal.timeout(50);
		const call = scene.client.room!.get("k").send("work", 1, { wait: true, signal });
		await expect(call).rejects.toMatchObject({ name: "TimeoutError" });
	});
});
