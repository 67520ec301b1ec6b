import { describe, expect, test } from "vitest";
import { testEngine } from "../helpers/engine.ts";
import { exchange, open, untilReceived } from "../helpers/raw-http.ts";

/** Tells what the actor saw. */
function mirror() {
	const t = testEngine();
	t.host.onRequest = (request, { actorId }) => ({
		status: 200,
		headers: { "content-type": "application/json" },
		body: JSON.stringify({
			actorId,
			method: request.method,
			path: request.path,
			headers: Object.fromEntries(request.headers.entries()),
		}),
	});
	return t;
}

interface Mirrored {
	readonly actorId: string;
	readonly method: string;
	readonly path: string;
	readonly headers: Record<string, string>;
}

const get = async (port: number, path: string, headers = "", method = "GET") => {
	const text = await exchange(
		port,
		`${method} ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`,
	);
	const [head, body] = text.split("\r\n\r\n", 2) as [string, string];
	const status = Number(head.slice(9, 12));
	return { status, head: head.toLowerCase(), body, seen: () => JSON.parse(body) as Mirrored };
};

describe("path routing", () => {
	test.each([
		["", "/"],
		["/", "/"],
		["?v=1", "/?v=1"],
		["@s%2Fx/action/go", "/action/go"],
		["@k@z/health/", "/health/"],
		["/request/a%2Fb?x=%20", "/request/a%2Fb?x=%20"],
		["/request/a%2Fb/?x=%20y&x=2", "/request/a%2Fb/?x=%20y&x=2"],
		["/request/a?u=http://b//c", "/request/a?u=http://b//c"],
	])("forwards /gateway/<id>%s as %s", async (suffix, path) => {
		await using t = mirror();
		const { port } = await t.listen();
		const actorId = await t.create();
		const { status, seen } = await get(port, `/gateway/${actorId}${suffix}`);
		expect(status).toBe(200);
		expect(seen()).toMatchObject({ actorId, path, method: "GET" });
	});

	test("takes the absolute form that proxies send, also with a base path and for sockets", async () => {
		await using t = mirror();
		const { port } = await t.listen("/base");
		const actorId = await t.create();
		const target = `http://example.com:80/base/gateway/${actorId}/x?u=http://b/`;
		expect((await get(port, target)).seen()).toMatchObject({ actorId, path: "/x?u=http://b/" });
		expect((await get(port, "HTTP://example.com/base/health")).status).toBe(200);
		const upgrade =
			"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
		const socket = await open(port);
		const accepted = untilReceived(socket, "101 Switching Protocols");
		socket.write(
			`GET http://example.com/base/gateway/${actorId}/connect HTTP/1.1\r\nhost: x\r\n${upgrade}\r\n`,
		);
		await accepted;
		socket.destroy();
	});

	test.each(["*", "http://", "ftp://x/health", "http:///health/x"])(
		"has nothing at %s",
		async (target) => {
			await using t = mirror();
			const { port } = await t.listen("/base");
			expect((await get(port, target)).status).toBe(404);
			const root = await t.listen();
			expect((await get(root.port, target)).status).toBe(target === "http://" ? 200 : 404);
		},
	);

	test.each(["@/x", "//x", "/a//b", "/%ZZ//x"])(
		"does not take /gateway/<id>%s for a gateway path",
		async (suffix) => {
			await using t = mirror();
			const { port } = await t.listen();
			const actorId = await t.create();
			const { status, head, body } = await get(port, `/gateway/${actorId}${suffix}`);
			expect(status).toBe(404);
			expect(head).toContain("content-type: text/plain");
			expect(body).toBe("Not Found");
		},
	);

	test.each([
		"/gateway",
		"/gateway/",
		"/gateway/@t/x",
		"/gateway//x",
		"/gateway/%ZZ/x",
		"/nothing",
	])("answers %s with an unstructured 404", async (path) => {
		await using t = mirror();
		const { port } = await t.listen();
		expect((await get(port, path)).status).toBe(404);
	});

	test("decodes the id", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { status, body } = await get(port, "/gateway/a%20b%2Fc/health");
		expect(status).toBe(404);
		expect(JSON.parse(body)).toEqual({
			group: "actor",
			code: "not_found",
			message: "Actor not found: a b/c",
		});
	});

	test("passes any method and all headers on, and keeps repeated ones", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const actorId = await t.create();
		const { seen } = await get(
			port,
			`/gateway/${actorId}/request/x`,
			"X-Custom: a\r\nX-Custom: b\r\nx-rivet-token: t\r\nauthorization: Bearer q\r\n",
			"PROPFIND",
		);
		expect(seen().method).toBe("PROPFIND");
		expect(seen().headers).toMatchObject({
			"x-custom": "a, b",
			"x-rivet-token": "t",
			authorization: "Bearer q",
		});
	});

	test("answers HEAD like GET without a body, and passes it on to raw handlers", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const actorId = await t.create();
		const methods: string[] = [];
		t.host.onRequest = ({ method }) => {
			methods.push(method);
			return { status: 200, headers: {}, body: "hello" };
		};
		const action = await get(port, `/gateway/${actorId}/health`, "", "HEAD");
		const raw = await get(port, `/gateway/${actorId}/request/x`, "", "HEAD");
		expect(methods).toEqual(["GET", "HEAD"]);
		for (const { body, head } of [action, raw]) {
			expect(body).toBe("");
			expect(head).toContain("content-length: 5");
		}
	});
});

describe("header routing", () => {
	test("reaches the actor with path and query unchanged and strips both headers", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const actorId = await t.create();
		const { seen } = await get(
			port,
			"/action/add/?x=%20",
			`x-rivet-target: actor\r\nx-rivet-actor: ${actorId}\r\nx-other: 1\r\n`,
		);
		expect(seen()).toMatchObject({ actorId, path: "/action/add/?x=%20" });
		expect(seen().headers["x-other"]).toBe("1");
		expect(Object.keys(seen().headers)).not.toContain("x-rivet-target");
		expect(Object.keys(seen().headers)).not.toContain("x-rivet-actor");
	});

	test("without an id is 400 request.missing_actor_header", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { status, body } = await get(port, "/action/add", "x-rivet-target: actor\r\n");
		expect(status).toBe(400);
		expect(JSON.parse(body)).toEqual({
			group: "request",
			code: "missing_actor_header",
			message: "Missing x-rivet-actor header when x-rivet-target=actor",
		});
	});

	test("with another target is management routing", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { status, body } = await get(port, "/health", "x-rivet-target: api\r\n");
		expect(status).toBe(200);
		expect(JSON.parse(body)).toMatchObject({ status: "ok" });
	});

	test("yields to the path", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const [first, second] = [await t.create(), await t.create()];
		const { seen } = await get(
			port,
			`/gateway/${first}/x`,
			`x-rivet-target: actor\r\nx-rivet-actor: ${second}\r\n`,
		);
		expect(seen().actorId).toBe(first);
	});
});

describe("query routing", () => {
	const common = "rvt-namespace=default&rvt-method=getOrCreate&rvt-pool=default";

	test("one request makes the actor and calls it", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { seen } = await get(
			port,
			`/gateway/counter/action/add?a=%20b&${common}&rvt-key=x%2Fy,z+1&rvt-input=oWFuAQ&b=+`,
		);
		expect(seen()).toMatchObject({ path: "/action/add?a=%20b&b=+" });
		expect(t.host.starts).toEqual([
			expect.objectContaining({
				name: "counter",
				key: ["x/y", "z 1"],
				input: Uint8Array.of(0xa1, 0x61, 0x6e, 1),
			}),
		]);
		expect((await get(port, `/gateway/counter/x?${common}&rvt-key=x%2Fy,z+1`)).seen().actorId).toBe(
			seen().actorId,
		);
	});

	test("get of a missing actor is 404 and makes nothing", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { status, body } = await get(
			port,
			"/gateway/counter/x?rvt-namespace=default&rvt-method=get&rvt-key=a",
		);
		expect(status).toBe(404);
		expect(JSON.parse(body).message).toBe('Actor not found: counter:["a"]');
		expect(t.host.starts).toEqual([]);
	});

	test.each([
		["", "rvt-method=get&rvt-namespace=d&rvt-x=1", "query_invalid_params"],
		["", "rvt-method=put&rvt-namespace=d", "query_invalid_params"],
		["", "rvt-method=get", "query_invalid_params"],
		["", "rvt-method=get&rvt-method=get&rvt-namespace=d", "query_duplicate_param"],
		["@t", "rvt-method=get&rvt-namespace=d", "query_path_token_syntax"],
		["", "rvt-method=get&rvt-namespace=d&rvt-input=oA", "query_get_disallowed_params"],
		["", "rvt-method=getOrCreate&rvt-namespace=d", "query_missing_pool"],
		["", `${common}&rvt-input=!!`, "query_invalid_base64_input"],
		["", `${common}&rvt-input=oQ`, "query_invalid_cbor_input"],
		["", `${common}&rvt-key=%ZZ`, "query_invalid_percent_encoding"],
	])("/gateway/counter%s/x?%s is 400 guard.%s", async (token, query, code) => {
		await using t = mirror();
		const { port } = await t.listen();
		const { status, body } = await get(port, `/gateway/counter${token}/x?${query}`);
		expect(status).toBe(400);
		expect(JSON.parse(body)).toMatchObject({ group: "guard", code });
		expect(t.host.starts).toEqual([]);
	});

	test("an empty name is 400 guard.query_empty_actor_name", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { body } = await get(port, `/gateway/?${common}`);
		expect(JSON.parse(body)).toMatchObject({ group: "guard", code: "query_empty_actor_name" });
	});

	test("an unregistered name is 400 request.invalid", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { status, body } = await get(port, `/gateway/nobody/x?${common}`);
		expect(status).toBe(400);
		expect(JSON.parse(body)).toMatchObject({ group: "request", code: "invalid" });
	});

	test("follows an actor that is destroyed and made again", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const path = `/gateway/counter/x?${common}&rvt-key=a`;
		const first = (await get(port, path)).seen().actorId;
		await t.engine.destroy(first);
		expect((await get(port, path)).seen().actorId).not.toBe(first);
	});
});

describe("base path", () => {
	test("has all routes below it and none beside it", async () => {
		await using t = mirror();
		const { port, url } = await t.listen("/foo/bar/");
		const actorId = await t.create();
		expect(url).toBe(`http://127.0.0.1:${port}/foo/bar`);
		expect((await get(port, `/foo/bar/gateway/${actorId}/x?y`)).seen().path).toBe("/x?y");
		const routed = `x-rivet-target: actor\r\nx-rivet-actor: ${actorId}\r\n`;
		expect((await get(port, "/foo/bar/action/x", routed)).seen().path).toBe("/action/x");
		expect((await get(port, "/foo/bar")).status).toBe(200);
		expect((await get(port, "/foo/bar/health")).status).toBe(200);
		for (const path of [`/gateway/${actorId}/x`, "/health", "/", "/foo", "/foo/barhealth"]) {
			expect((await get(port, path)).status).toBe(404);
		}
	});
});

describe("CORS", () => {
	const preflight = (port: number, path: string, headers: string) =>
		get(port, path, headers, "OPTIONS");

	test("a preflight of any path is answered here, without waking the actor", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		for (const path of ["/gateway/whoever/action/x", "/actors", "/nothing"]) {
			const { status, head, body } = await preflight(
				port,
				path,
				"origin: https://app.example\r\naccess-control-request-headers: x-a, x-b\r\n",
			);
			expect(status).toBe(204);
			expect(body).toBe("");
			for (const line of [
				"access-control-allow-origin: https://app.example",
				"access-control-allow-credentials: true",
				"access-control-allow-methods: get, post, put, delete, options, patch",
				"access-control-allow-headers: x-a, x-b",
				"access-control-expose-headers: *",
				"access-control-max-age: 86400",
				"vary: origin",
			]) {
				expect(head.split("\r\n")).toContain(line);
			}
		}
		expect(t.host.starts).toEqual([]);
	});

	test("without Origin and asked headers both are *, and nothing varies", async () => {
		await using t = mirror();
		const { port } = await t.listen();
		const { head } = await preflight(port, "/actors", "");
		expect(head).toContain("access-control-allow-origin: *");
		expect(head).toContain("access-control-allow-headers: *");
		expect(head).not.toContain("vary");
	});

	test("answers and errors carry the headers, and the actor's own are replaced", async () => {
		await using t = testEngine();
		const { port } = await t.listen();
		const actorId = await t.create();
		t.host.onRequest = () => ({
			status: 200,
			headers: { "access-control-allow-origin": "https://evil.example", vary: "Accept" },
			body: "",
		});
		const origin = "origin: https://app.example\r\n";
		for (const path of [`/gateway/${actorId}/x`, "/gateway/nobody/x", "/nothing", "/actors"]) {
			const { head } = await get(port, path, origin);
			expect(head.split("\r\n")).toEqual(
				expect.arrayContaining([
					"access-control-allow-origin: https://app.example",
					"access-control-allow-credentials: true",
					"access-control-expose-headers: *",
				]),
			);
			expect(head).toMatch(/\r\nvary: origin/);
		}
		const { head } = await get(port, `/gateway/${actorId}/x`, origin);
		expect(head).not.toContain("evil");
		expect(head).toContain("vary: origin, accept");
	});
});

describe("errors of the gateway", () => {
	test.each([
		["json", "application/json"],
		["cbor", "application/octet-stream"],
		["bare", "application/octet-stream"],
		["JSON", "application/json"],
	])("come in %s as %s", async (encoding, contentType) => {
		await using t = testEngine();
		const { url } = await t.listen();
		const answer = await fetch(`${url}/gateway/nobody/action/x`, {
			method: "POST",
			headers: { "x-rivet-encoding": encoding },
		});
		expect(answer.status).toBe(404);
		expect(answer.headers.get("content-type")).toBe(contentType);
		const { decodeHttpResponseError } = await import("@rivetkit/protocol");
		const body = new Uint8Array(await answer.arrayBuffer());
		const read = encoding === "JSON" ? "json" : (encoding as "json" | "cbor" | "bare");
		expect(decodeHttpResponseError(read, body)).toMatchObject({
			group: "actor",
			code: "not_found",
		});
	});
});
