import { decodeBase64, decodeCbor } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import type { ClientConfigInput } from "../../src/client/config.ts";
import { ActorError } from "../../src/client/errors.ts";
import { type Script, ScriptedServer } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

async function setUp(script?: Script, config: ClientConfigInput = {}) {
	const server = await ScriptedServer.start();
	if (script) server.script = script;
	const { client } = clientOf(server, { disableMetadataLookup: true, ...config });
	return {
		server,
		client,
		room: client.room!,
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

describe("finding actors", () => {
	test("making handles does no I/O", async () => {
		await using scene = await setUp();
		scene.room.get("a");
		scene.room.getOrCreate(["a", "b"]);
		scene.room.getForId("id");
		scene.client.get("other", "k");
		expect(scene.server.requests).toEqual([]);
	});

	test.each([
		["no key", undefined, "/"],
		["a string", "a/b", "a\\/b"],
		["components", ["a", "", "b"], "a/\\0/b"],
	])("%s is serialized as the contract says", async (_, key, serialized) => {
		await using scene = await setUp();
		await scene.room.get(key).resolve();
		await scene.room.getOrCreate(key).resolve();
		const [lookup, creation] = scene.server.requests;
		expect(lookup?.query.get("key")).toBe(serialized);
		expect(JSON.parse(String(creation?.body))).toEqual({
			name: "room",
			key: serialized,
			runner_name_selector: "default",
			crash_policy: "sleep",
		});
	});

	test.each([[1], [["a", 2]], [null], [{}]])("the key %j is refused at once", async (key) => {
		await using scene = await setUp();
		expect(() => scene.room.get(key as unknown as string)).toThrow(ActorError);
		expect(() => scene.room.get(key as unknown as string)).toThrow(
			expect.objectContaining({ group: "request", code: "invalid" }),
		);
	});

	test.each([[undefined], [1], [null], [["actor-1"]]])(
		"the id %j is refused at once",
		async (id) => {
			await using scene = await setUp();
			expect(() => scene.room.getForId(id as unknown as string)).toThrow(ActorError);
			expect(() => scene.client.getForId("room", id as unknown as string)).toThrow(
				expect.objectContaining({
					group: "request",
					code: "invalid",
					message: `Invalid request: the actor id is ${id}, not a string`,
				}),
			);
		},
	);

	test.each([0, "", false, null, { a: [1] }])("the input %j is sent", async (input) => {
		await using scene = await setUp();
		await scene.room.create("k", { input, region: "eu" });
		const [creation] = scene.server.requests;
		expect(creation?.method).toBe("POST");
		const body = JSON.parse(String(creation?.body));
		expect(body.datacenter).toBe("eu");
		expect(decodeCbor(decodeBase64(body.input)!)).toEqual(input);
	});

	test("create pins the handle to the id it made", async () => {
		await using scene = await setUp();
		const handle = await scene.room.create("k");
		await handle.act();
		expect(scene.server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
			"POST /actors",
			"POST /gateway/actor-1/action/act",
		]);
	});

	test("create of a taken key rejects with actor.duplicate_key", async () => {
		const error = { group: "actor", code: "duplicate_key", message: "taken" };
		await using scene = await setUp(() => ({ status: 400, body: error }));
		const failure = await scene.room.create("k").catch((thrown: unknown) => thrown);
		expect(failure).toBeInstanceOf(ActorError);
		expect(failure).toMatchObject(error);
	});

	test("a handle with a key looks the actor up for every use until resolve pins it", async () => {
		await using scene = await setUp();
		const handle = scene.room.getOrCreate("k");
		await handle.act();
		await handle.act();
		expect(scene.server.requestsTo("/actors")).toHaveLength(2);
		expect(await handle.resolve()).toBe("actor-1");
		await handle.act();
		expect(scene.server.requestsTo("/actors")).toHaveLength(3);
	});

	test("an id of another name is not found", async () => {
		await using scene = await setUp();
		const handle = scene.client.other!.getForId("actor-1");
		const uses = [handle.act(), handle.resolve(), handle.fetch("/"), handle.webSocket()];
		for (const outcome of await Promise.allSettled(uses)) {
			const failure: unknown = outcome.status === "rejected" && outcome.reason;
			expect(failure).toBeInstanceOf(ActorError);
			expect(failure).toMatchObject({
				group: "actor",
				code: "not_found",
				message: "Actor not found: actor-1",
			});
		}
	});

	test("the untyped accessors do the same", async () => {
		await using scene = await setUp();
		expect(await scene.client.get("room", "k").act()).toBe("done");
		expect(await scene.client.getOrCreate("room", "k").act()).toBe("done");
		expect(await scene.client.getForId("room", "actor-1").act()).toBe("done");
		expect(await (await scene.client.create("room", "k")).act()).toBe("done");
	});

	test("the gateway URL has the id, the token, and no trailing slash", async () => {
		await using scene = await setUp(undefined, { token: "a@b" });
		expect(await scene.room.get("k").getGatewayUrl()).toBe(
			`${scene.server.endpoint}/gateway/actor-1@a%40b`,
		);
	});

	test("a base path is kept everywhere", async () => {
		await using server = await ScriptedServer.start();
		const { client } = clientOf({ endpoint: `${server.endpoint}/api/rivet` });
		const handle = client.room!.get("k");
		await handle.act();
		handle.connect();
		expect((await server.sockets.next()).path).toBe("/api/rivet/gateway/actor-1/connect");
		expect(server.requests.map(({ path }) => path).slice(0, 3)).toEqual([
			"/api/rivet/metadata",
			"/api/rivet/actors",
			"/api/rivet/gateway/actor-1/action/act",
		]);
		await client.dispose();
	});

	test("an aborted signal aborts look-ups", async () => {
		await using scene = await setUp();
		const signal = AbortSignal.abort(new Error("no more"));
		const handle = scene.room.getOrCreate("k", { signal });
		await expect(handle.resolve()).rejects.toThrow("no more");
		await expect(handle.act()).rejects.toThrow("no more");
		await expect(handle.fetch("/")).rejects.toThrow("no more");
		await expect(scene.room.create("k", { signal })).rejects.toThrow("no more");
	});
});

describe("fetch of a handle", () => {
	const echo: Script = ({ path, method, target, headers, body }) =>
		path.includes("/request/")
			? { body: { method, target, headers, body: body.toString("latin1") } }
			: undefined;

	test.each([
		["x/y?a=1&b=%20", "/gateway/actor-1/request/x/y?a=1&b=%20"],
		["/a%2Fb?x=%20", "/gateway/actor-1/request/a%2Fb?x=%20"],
		["", "/gateway/actor-1/request/"],
		[new URL("https://elsewhere.example/p?q=1#frag"), "/gateway/actor-1/request/p?q=1"],
		[new Request("https://elsewhere.example/p?q=1"), "/gateway/actor-1/request/p?q=1"],
		["https://elsewhere.example/p", "/gateway/actor-1/request/p"],
	])("%s goes below /request with path and query", async (input, target) => {
		await using scene = await setUp(echo);
		const response = await scene.room.get("k").fetch(input);
		expect(await response.json()).toMatchObject({ method: "GET", target });
	});

	test("a Request's method, headers and body are sent, and init overrides them", async () => {
		await using scene = await setUp(echo, { token: "t", headers: { "x-client": "1" } });
		const request = new Request("http://x/p", {
			method: "PUT",
			headers: { "x-a": "request", "x-b": "request", "content-type": "text/plain" },
			body: "from request",
		});
		const handle = scene.room.get("k", { params: { user: "é" } });
		const response = await handle.fetch(request, { headers: { "x-b": "init" } });
		expect(await response.json()).toMatchObject({
			method: "PUT",
			body: "from request",
			headers: {
				"x-a": "request",
				"x-b": "init",
				"x-client": "1",
				"x-rivet-token": "t",
				"x-rivet-conn-params": '{"user":"\\u00e9"}',
				"content-type": "text/plain",
			},
		});
		const other = await handle.fetch(new Request("http://x/p", { method: "POST", body: "a" }), {
			method: "PATCH",
			body: "from init",
		});
		expect(await other.json()).toMatchObject({ method: "PATCH", body: "from init" });
	});

	test("headers of the hop that a request came by stay there", async () => {
		await using scene = await setUp(echo);
		// As servers have them of a client that sends a body in chunks, or asks before it sends one.
		const hop = {
			connection: "Upgrade, HTTP2-Settings",
			expect: "100-continue",
			host: "front.example",
			"keep-alive": "timeout=5",
			te: "trailers",
			"transfer-encoding": "chunked",
			upgrade: "h2c",
		};
		const request = new Request("http://front.example/p", {
			method: "PUT",
			headers: { ...hop, "x-a": "kept" },
			body: "passed on",
		});
		const response = await scene.room.get("k").fetch(request);
		const { headers, body } = (await response.json()) as {
			headers: Record<string, string>;
			body: string;
		};
		expect(body).toBe("passed on");
		expect(headers).toMatchObject({ "x-a": "kept" });
		for (const [name, value] of Object.entries(hop)) expect(headers[name]).not.toBe(value);
	});

	test("streams and forms are sent as bodies", async () => {
		await using scene = await setUp(echo);
		const stream = new Blob(["streamed"]).stream();
		const streamed = await scene.room.get("k").fetch("/", { method: "POST", body: stream });
		expect(await streamed.json()).toMatchObject({ body: "streamed" });
		const form = new FormData();
		form.set("field", "value");
		const posted = await scene.room.get("k").fetch("/", { method: "POST", body: form });
		const { headers, body } = (await posted.json()) as {
			headers: Record<string, string>;
			body: string;
		};
		expect(headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
		expect(body).toContain('name="field"');
	});

	test("the response comes as it is, whatever its status", async () => {
		await using scene = await setUp(({ path }) =>
			path.includes("/request/") ? { status: 418, body: "teapot" } : undefined,
		);
		const response = await scene.room.get("k").fetch("/");
		expect([response.status, await response.text()]).toEqual([418, "teapot"]);
	});

	test("a missing actor is thrown", async () => {
		await using scene = await setUp(({ path }) =>
			path === "/actors" ? { body: { actors: [] } } : undefined,
		);
		await expect(scene.room.get("k").fetch("/")).rejects.toBeInstanceOf(ActorError);
	});

	test("a signal in init aborts", async () => {
		await using scene = await setUp(({ path }) =>
			path.includes("/request/") ? new Promise(() => {}) : undefined,
		);
		const signal = AbortSignal.timeout(20);
		await expect(scene.room.get("k").fetch("/", { signal })).rejects.toMatchObject({
			name: "TimeoutError",
		});
	});
});

describe("raw WebSockets of a handle", () => {
	test.each([
		[undefined, "/websocket/"],
		["chat?room=1", "/websocket/chat?room=1"],
		["/chat", "/websocket/chat"],
		["//chat", "/websocket/chat"],
		["../../actor-2/websocket/chat", "/websocket/actor-2/websocket/chat"],
		["%2e%2e/%2E./chat?..", "/websocket/chat?.."],
	])("path %s becomes %s", async (path, expected) => {
		await using scene = await setUp();
		const socket = await scene.room.get("k").webSocket(path);
		expect(socket.readyState).toBe(WebSocket.CONNECTING);
		const accepted = await scene.server.sockets.next();
		expect(accepted.path).toBe(`/gateway/actor-1${expected}`);
		socket.close();
	});

	test("offer rivet first, params, and the user's own protocols last", async () => {
		await using scene = await setUp();
		const handle = scene.room.get("k", { params: { a: 1 } });
		const socket = await handle.webSocket("/x", ["chat", "superchat"]);
		const { protocols } = await scene.server.sockets.next();
		expect(protocols[0]).toBe("rivet");
		expect(protocols).toContain(`rivet_conn_params.${encodeURIComponent('{"a":1}')}`);
		expect(protocols.slice(-2)).toEqual(["chat", "superchat"]);
		socket.close();
	});

	test("carry text and bytes both ways", async () => {
		await using scene = await setUp();
		const socket = await scene.room.get("k").webSocket("/echo");
		const opened = new Promise((resolve) => socket.addEventListener("open", resolve));
		const accepted = await scene.server.sockets.next();
		await opened;
		const message = new Promise<MessageEvent>((resolve) =>
			socket.addEventListener("message", resolve, { once: true }),
		);
		socket.send("hello");
		expect(await accepted.raw.next()).toBe("hello");
		accepted.text("hi");
		expect((await message).data).toBe("hi");
		socket.close();
	});

	test("skipReadyWait is told to gateways, by header and by sub-protocol", async () => {
		await using scene = await setUp(({ path }) =>
			path.includes("/request/") ? { body: "here" } : undefined,
		);
		const handle = scene.room.get("k");
		await handle.fetch("/", { skipReadyWait: true });
		await handle.fetch("/");
		const headers = scene.server
			.requestsTo("/request/")
			.map(({ headers }) => headers["x-rivet-skip-ready-wait"]);
		expect(headers).toEqual(["true", undefined]);
		const socket = await handle.webSocket("/", "chat", { skipReadyWait: true });
		const { protocols } = await scene.server.sockets.next();
		expect(protocols.slice(-2)).toEqual(["rivet_skip_ready_wait", "chat"]);
		socket.close();
	});
});
