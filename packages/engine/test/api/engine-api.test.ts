import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { nodeCount } from "../helpers/engine-apart.ts";
import { until } from "../helpers/until.ts";
import { askedEngine, fails, type Json, normal, wanted } from "./asked-engine.ts";

/**
 * The management API of an engine apart from any application: who may, and what every answer has (engine 2; numbers of engine 11 behind
 * the names).
 */

describe.runIf(nodeCount === 1)("who may (no. 1)", () => {
	const { serve, call, configure } = askedEngine();

	const routes = [
		["GET", "/namespaces"],
		["POST", "/namespaces"],
		["GET", "/actors?namespace=default&name=any"],
		["PUT", "/actors?namespace=default"],
		["POST", "/actors?namespace=default"],
		["GET", "/actors/names?namespace=default"],
		["DELETE", "/actors/x?namespace=default"],
		["GET", "/actors/x/kv/keys/AA==?namespace=default"],
		["GET", "/runners?namespace=default"],
		["GET", "/runners/names?namespace=default"],
		["GET", "/runner-configs?namespace=default"],
		["PUT", "/runner-configs/x?namespace=default"],
		["DELETE", "/runner-configs/x?namespace=default"],
		["POST", "/runner-configs/x/refresh-metadata?namespace=default"],
		["POST", "/runner-configs/serverless-health-check?namespace=default"],
		["GET", "/datacenters"],
		["GET", "/health/fanout"],
	] as const;

	it.each(routes)("%s %s needs the token", async (method, path) => {
		for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: "admin" }]) {
			await fails(call(method, path, undefined, headers as never), "api.forbidden", 403);
		}
	});

	it("health and metadata are open", async () => {
		const health = await call("GET", "/health", undefined, {});
		expect(health.body).toEqual({ status: "ok", runtime: "engine", version: "1.2.3" });
		const ready = await call("GET", "/ready", undefined, {});
		expect(ready.body).toEqual({ status: "ready", runtime: "engine", version: "1.2.3" });
		expect((await call("GET", "/metadata", undefined, {})).body).toMatchObject({
			runtime: "engine",
			version: "1.2.3",
			git_sha: "",
		});
	});

	it("without a token everything is open", async () => {
		await serve(undefined);
		for (const [method, path] of routes) {
			expect((await call(method, path, undefined, {})).status).not.toBe(403);
		}
	});

	it("creation can be opened, as with 2.1.3", async () => {
		await serve("admin", { opensCreation: true });
		await configure("default", normal);
		const answer = await call("PUT", "/actors?namespace=default", wanted, {});
		expect(answer.status).toBe(200);
		await fails(call("GET", "/namespaces", undefined, {}), "api.forbidden", 403);
	});
});

describe("every answer", () => {
	const asked = askedEngine();
	const { call, put, configure } = asked;

	it("has a ray id; unknown routes are 404, unknown methods 405, the root leads to the pages", async () => {
		const answer = await call("GET", "/health");
		expect(answer.headers.get("x-rivet-ray-id")).toMatch(/^[0-9a-z]{30}$/);
		// Whoever asks: what there is not is no secret, and the published engine answers so, too.
		for (const headers of [undefined, {}, { authorization: "Bearer wrong" }]) {
			for (const path of ["/nothing", "/actors/x/y/z", "/gateway//x"]) {
				await fails(call("GET", path, undefined, headers), "api.not_found", 404);
			}
			const wrong = await call("DELETE", "/namespaces", undefined, headers);
			expect([wrong.status, wrong.body.text]).toEqual([405, ""]);
		}
		const root = await call("GET", "/");
		expect([root.status, root.headers.get("location")]).toEqual([308, "/ui/"]);
	});

	it("there is one datacenter, and it is well", async () => {
		expect((await call("GET", "/datacenters?namespace=default")).body).toEqual({
			datacenters: [{ label: 1, name: "default", url: asked.url }],
			pagination: { cursor: null },
		});
		expect((await call("GET", "/health/fanout")).body).toEqual({
			datacenters: [
				{
					datacenter_label: 1,
					datacenter_name: "default",
					status: "ok",
					rtt_ms: 0,
					response: { status: "ok", runtime: "engine", version: "1.2.3" },
					error: null,
				},
			],
		});
	});

	it("refuses unknown fields and parameters, other content types and large bodies (no. 4)", async () => {
		await configure("default", normal);
		for (const answer of [
			call("POST", "/namespaces", { name: "a", display_name: "A", more: 1 }),
			call("POST", "/namespaces?more=1", { name: "a", display_name: "A" }),
			call("GET", "/health?more=1"),
			call("GET", "/metadata?more=1"),
			put({ ...wanted, more: 1 }),
			call("GET", "/namespaces?more=1"),
			call("GET", "/datacenters?more=1"),
			call("GET", "/actors?namespace=default&name=any&more=1"),
			call("PUT", "/actors?namespace=default&more=1", wanted),
			call("GET", "/actors?name=any"),
			call("PUT", "/actors?namespace=default", wanted, {
				authorization: "Bearer admin",
				"content-type": "text/plain",
			}),
			call("PUT", "/actors?namespace=default", "{"),
			put({ ...wanted, input: "A".repeat(2 * 1024 * 1024) }),
			call("GET", "/actors?namespace=default&name=a&name=b"),
		]) {
			const { metadata } = await fails(answer, "api.bad_request");
			expect((metadata as Json).reason).toEqual(expect.any(String));
		}
		const extra = { ...normal, more: 1 };
		expect((await configure("pool", extra)).status).toBe(200);
	});
});

describe("ids of requests", () => {
	const asked = askedEngine();
	const { connect, call, put, configure } = asked;

	const ID = /^[0-9a-z]{30}$/;

	it("are in every answer, and in what the actor gets", async () => {
		await configure("default", normal);
		const runner = await connect();
		const { body } = await put();
		const { actor_id } = body.actor as Json;
		for (const path of ["/health", "/nowhere", "/gateway/nobody/x"]) {
			expect((await call("GET", path)).headers.get("x-rivet-ray-id")).toMatch(ID);
		}
		const answered = call("GET", `/gateway/${actor_id}/x`, undefined, { "x-rivet-ray-id": "mine" });
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const { messageKind } = runner.tunnel[0]!;
		const start = messageKind.tag === "ToClientRequestStart" ? messageKind.val : undefined;
		const val = { status: 200, headers: new Map(), body: undefined, stream: false };
		runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseStart", val });
		const ray = (await answered).headers.get("x-rivet-ray-id");
		expect(ray).toMatch(ID);
		expect(start!.headers.get("x-rivet-ray-id")).toBe(ray);
	});

	it("are in the answer to a handshake, and in the reason of a close by the engine (no. 19)", async () => {
		await configure("default", normal);
		const runner = await connect();
		const { body } = await put();
		const { actor_id } = body.actor as Json;
		await until(() => expect(runner.commands).toHaveLength(1));
		const open = (id: unknown) => {
			const socket = new WebSocket(`${asked.url.replace("http", "ws")}/gateway/${id}/websocket`, [
				"rivet",
			]);
			return new Promise<{ ray: unknown; code: number; reason: string }>((resolve) => {
				let ray: unknown;
				socket.on("upgrade", ({ headers }) => {
					ray = headers["x-rivet-ray-id"];
				});
				socket.on("close", (code, reason) => resolve({ ray, code, reason: String(reason) }));
			});
		};
		const refused = await open("tlf0xcg1buacno4zofgpr7isbeal00");
		expect(refused.ray).toMatch(ID);
		expect(refused).toMatchObject({ code: 1011, reason: `actor.not_found#${refused.ray}` });
		// A close by the actor is the actor's.
		const closed = open(actor_id);
		await until(() => expect(runner.tunnel).toHaveLength(1));
		runner.answer(runner.tunnel[0]!, {
			tag: "ToServerWebSocketOpen",
			val: { canHibernate: false },
		});
		runner.answer(runner.tunnel[0]!, {
			tag: "ToServerWebSocketClose",
			val: { code: 4_000, reason: "enough", hibernate: false },
		});
		expect(await closed).toMatchObject({ code: 4_000, reason: "enough" });
	});
});
