import { encodeBase64, formatActorId, parseActorId } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { nodeCount } from "../helpers/engine-apart.ts";
import { until } from "../helpers/until.ts";
import type { ScriptedRunner } from "../runners/scripted-runner.ts";
import { askedEngine, fails, type Json, normal } from "./asked-engine.ts";

/** How actors of an engine apart from any application are addressed (engine 3; numbers of engine 11 behind the names). */

describe("addresses of actors (nos. 16, 18 to 20)", () => {
	const { connect, nextUrl, call, put, configure } = askedEngine();

	const answers = async (runner: ScriptedRunner) => {
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const val = { status: 200, headers: new Map(), body: undefined, stream: false };
		runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseStart", val });
		const { messageKind } = runner.tunnel[0]!;
		return messageKind.tag === "ToClientRequestStart" ? messageKind.val : undefined;
	};
	const placed = async () => {
		await configure("default", normal);
		const runner = await connect();
		const { actor_id } = (await put()).body.actor as { actor_id: string };
		await until(() => expect(runner.commands).toHaveLength(1));
		return { runner, actorId: actor_id };
	};
	const absent = "tlf0xcg1buacno4zofgpr7isbeal00";
	const closeOf = (path: string, protocols: string[]) =>
		new Promise<string>((resolve, reject) => {
			const socket = new WebSocket(nextUrl().replace("http", "ws") + path, protocols);
			socket.on("close", (code, reason) =>
				resolve(`${code} ${reason}`.replace(/#[0-9a-z]{30}$/, "#")),
			);
			socket.on("error", reject);
		});

	it("take ids in upper case, and refuse what is none (Q5)", async () => {
		const { runner, actorId } = await placed();
		const answered = call("GET", `/gateway/${actorId.toUpperCase()}/x`);
		expect(await answers(runner)).toMatchObject({ actorId, path: "/x" });
		expect((await answered).status).toBe(200);
		for (const id of ["abc", `${actorId}%40t`, actorId.slice(1), "z".repeat(30)]) {
			await fails(call("GET", `/gateway/${id}/x`), "api.bad_request");
			expect(await closeOf(`/gateway/${id}/x`, ["rivet"])).toBe("1011 api.bad_request#");
		}
		await fails(call("GET", `/gateway/${absent}/x`), "actor.not_found", 404);
	});

	it("in headers are passed on with the call", async () => {
		const { runner, actorId } = await placed();
		const headers = { "x-rivet-target": "actor", "x-rivet-actor": actorId };
		const answered = call("GET", "/request/x?a=1", undefined, headers);
		const start = (await answers(runner))!;
		expect([
			start.path,
			start.headers.get("x-rivet-target"),
			start.headers.get("x-rivet-actor"),
		]).toEqual(["/request/x?a=1", "actor", actorId]);
		expect((await answered).status).toBe(200);
	});

	it("in headers have an id and a target that there is", async () => {
		const ask = (headers: Record<string, string>) => call("GET", "/request", undefined, headers);
		const { metadata } = await fails(ask({ "x-rivet-target": "actor" }), "guard.missing_header");
		expect(metadata).toEqual({ header: "x-rivet-actor" });
		for (const target of ["bogus", "Actor", ""]) {
			const headers = { "x-rivet-target": target, "x-rivet-actor": absent };
			await fails(ask(headers), "guard.no_route", 404);
		}
		const toApi = await call("GET", "/health", undefined, { "x-rivet-target": "api-public" });
		expect(toApi.status).toBe(200);
	});

	it.each(["true", "1", "false", "0", "maybe"])(
		"with x-rivet-skip-ready-wait: %s",
		async (value) => {
			const asked = call("GET", `/gateway/${absent}/x`, undefined, {
				"x-rivet-skip-ready-wait": value,
			});
			if (value === "maybe") await fails(asked, "guard.invalid_header");
			else await fails(asked, "actor.not_found", 404);
		},
	);

	it.each([
		["/", ["rivet"], "guard.websocket_not_supported"],
		["/actors?namespace=default", ["rivet"], "guard.websocket_not_supported"],
		[`/gateway//${absent}/x`, ["rivet"], "guard.websocket_not_supported"],
		["/x", ["rivet", "rivet_target.api-public"], "guard.websocket_not_supported"],
		["/x", ["rivet", "rivet_target.bogus"], "guard.no_route"],
		["/x", ["rivet", "rivet_target.actor"], "guard.missing_header"],
		["/x", ["rivet", "rivet_target.actor", "rivet_actor.abc"], "api.bad_request"],
		[`/gateway/${absent}/x`, [], "guard.missing_header"],
		[`/gateway/${absent}@token/x`, [], "actor.not_found"],
		[`/gateway/${absent}/x`, ["other"], "actor.not_found"],
	])(
		"of a WebSocket to %s with %j are answered by a close with %s",
		async (path, protocols, reason) => {
			expect(await closeOf(path, protocols)).toBe(`1011 ${reason}#`);
		},
	);

	it.each(["/", "/foo", "/connectx", "/request/x", "/websocket/a?b"])(
		"of a WebSocket to %s go to the actor, whatever it takes there",
		async (path) => {
			const { runner, actorId } = await placed();
			const closed = closeOf(`/gateway/${actorId}${path}`, ["rivet"]);
			await until(() => expect(runner.tunnel).toHaveLength(1));
			const [opening] = runner.tunnel;
			expect(opening!.messageKind).toMatchObject({ val: { actorId, path } });
			runner.answer(opening!, { tag: "ToServerWebSocketOpen", val: { canHibernate: false } });
			const end = { code: 4_001, reason: "seen", hibernate: false };
			runner.answer(opening!, { tag: "ToServerWebSocketClose", val: end });
			expect(await closed).toBe("4001 seen");
		},
	);

	it("of preflights are answered by the gateway or the API, with the id of the request", async () => {
		const ask = async (path: string, more: Record<string, string> = {}) => {
			const asked = {
				"access-control-request-headers": "X-One",
				"access-control-request-method": "PUT",
			};
			const headers = { ...asked, ...more };
			const answer = await fetch(nextUrl() + path, { method: "OPTIONS", headers });
			return [
				answer.status,
				answer.headers.get("access-control-allow-methods"),
				answer.headers.get("access-control-allow-headers"),
				answer.headers.get("vary"),
				answer.headers.get("x-rivet-ray-id"),
			];
		};
		const ray = expect.stringMatching(/^[0-9a-z]{30}$/);
		const all = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
		const methods = "GET, POST, PUT, DELETE, OPTIONS, PATCH";
		const origin = { origin: "https://a.b" };
		expect(await ask(`/gateway/${absent}/x`, origin)).toEqual([
			204,
			methods,
			"X-One",
			"Origin",
			ray,
		]);
		expect(await ask("/actors", origin)).toEqual([204, "PUT", "X-One", all, ray]);
		expect(await ask("/actors")).toEqual([204, "PUT", "X-One", all, ray]);
		for (const headers of [{}, origin]) {
			expect((await call("GET", "/health", undefined, headers)).headers.get("vary")).toBe(all);
		}
	});
});

describe.runIf(nodeCount === 1)("the gateway's token (no. 17)", () => {
	const { serve, nextUrl, call } = askedEngine();

	const ask = async (path: string, headers: Record<string, string> = {}) =>
		(await call("GET", path, undefined, headers)).body;
	const id = "tlf0xcg1buacno4zofgpr7isbeal00";
	const paths = [`/gateway/${id}`, `/gateway/${id}@wrong`];

	it("is not looked at by default", async () => {
		for (const path of paths) expect(await ask(path)).toMatchObject({ code: "not_found" });
	});

	it("is needed where that is required, in any of its forms", async () => {
		await serve("admin", { requiresGatewayToken: true });
		const query = "/gateway/any/x?rvt-namespace=default&rvt-method=get";
		const refused = { group: "api", code: "forbidden" };
		for (const path of [...paths, query, `${query}&rvt-token=wrong`]) {
			expect(await ask(path)).toMatchObject(refused);
		}
		const target = { "x-rivet-target": "actor", "x-rivet-actor": id };
		expect(await ask("/x", target)).toMatchObject(refused);
		const found = { group: "actor", code: "not_found" };
		expect(await ask(`/gateway/${id}@admin`)).toMatchObject(found);
		expect(await ask(`/gateway/${id}`, { "x-rivet-token": "admin" })).toMatchObject(found);
		expect(await ask(`${query}&rvt-token=admin`)).toMatchObject(found);
		expect(await ask("/x", { ...target, "x-rivet-token": "admin" })).toMatchObject(found);
		const closeOf = (path: string, ...entries: string[]) =>
			new Promise<string>((resolve) => {
				const socket = new WebSocket(nextUrl().replace("http", "ws") + path, ["rivet", ...entries]);
				// Without the id of the request.
				socket.on("close", (_code, reason) =>
					resolve(String(reason).replace(/#[0-9a-z]{30}$/, "")),
				);
			});
		const byEntries = ["rivet_target.actor", `rivet_actor.${id}`];
		expect(await closeOf(`/gateway/${id}/connect`)).toBe("api.forbidden");
		expect(await closeOf(`/gateway/${id}@admin/connect`)).toBe("actor.not_found");
		expect(await closeOf(`/gateway/${id}/connect`, "rivet_token.admin")).toBe("actor.not_found");
		expect(await closeOf("/connect", ...byEntries, "rivet_token.admin")).toBe("actor.not_found");
	});
});

describe.runIf(nodeCount === 1)("the datacenter in ids (engine 1, 9.2)", () => {
	const { serve, connect, nextUrl, call, put } = askedEngine();

	const idOf = (datacenterLabel: number) =>
		formatActorId({ uuid: "00112233445566778899aabbccddeeff", datacenterLabel });
	const labelOf = (id: unknown) => parseActorId(id as string)!.datacenterLabel;

	it("is the one that is configured, in all of them", async () => {
		await serve("admin", { datacenterLabel: 7 });
		const runner = await connect();
		const { body, headers } = await put();
		const { namespaces } = (await call("GET", "/namespaces")).body as { namespaces: Json[] };
		const ids = [
			runner.init!.runnerId,
			(body.actor as Json).actor_id,
			headers.get("x-rivet-ray-id"),
			...namespaces.map(({ namespace_id }) => namespace_id),
		];
		expect(ids.map(labelOf)).toEqual([7, 7, 7, 7]);
	});

	it("is not found when it is another one, whatever is asked of the actor", async () => {
		const key = encodeURIComponent(encodeBase64(Uint8Array.of(1)));
		const asks = (id: string) =>
			[
				["GET", `/gateway/${id}/x`],
				["POST", `/gateway/${id}/action/x`],
				["GET", `/gateway/${id}/inspector/state`],
				["DELETE", `/actors/${id}?namespace=default`],
				["GET", `/actors/${id}/kv/keys/${key}?namespace=default`],
			] as const;
		for (const [method, path] of asks(idOf(2))) {
			await fails(call(method, path), "datacenter.not_found");
		}
		for (const [method, path] of asks(idOf(1))) {
			await fails(call(method, path), "actor.not_found", 404);
		}
		const target = { "x-rivet-target": "actor", "x-rivet-actor": idOf(2) };
		await fails(call("GET", "/x", undefined, target), "datacenter.not_found");
		const listed = await call("GET", `/actors?namespace=default&actor_ids=${idOf(2)},${idOf(1)}`);
		expect(listed.body.actors).toEqual([]);
		const closed = new Promise<string>((resolve) => {
			const socket = new WebSocket(
				`${nextUrl().replace("http", "ws")}/gateway/${idOf(2)}/connect`,
				["rivet"],
			);
			socket.on("close", (code, reason) => resolve(`${code} ${reason}`));
		});
		expect(await closed).toMatch(/^1011 datacenter\.not_found#/);
	});
});
