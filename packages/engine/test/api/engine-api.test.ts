import { encodeBase64, formatActorId, parseActorId } from "@rivetkit/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { AttachRunnersOptions } from "../../src/index.ts";
import { type EngineApart, nodeCount, startEngineApart } from "../helpers/engine-apart.ts";
import { until } from "../helpers/until.ts";
import { type RunnerOptions, ScriptedRunner } from "../runners/scripted-runner.ts";

/** The management API of an engine apart from any application (engine 2; numbers of engine 11 behind the names). */

type Json = Record<string, unknown>;

let engine: EngineApart;
/** Of the node that was asked last: each is asked in its turn. */
let url: string;
let turn = 0;
let runners: ScriptedRunner[];

const nextUrl = () => {
	url = engine.urls[turn++ % engine.urls.length]!;
	return url;
};

async function serve(token: string | undefined, options: AttachRunnersOptions = {}): Promise<void> {
	await engine?.close();
	const limits = { pingIntervalMs: 50, runnerLostThresholdMs: 10_000, actorStopThresholdMs: 500 };
	engine = await startEngineApart({ token, limits, options });
}

beforeEach(async () => {
	runners = [];
	await serve("admin");
});

afterEach(async () => {
	for (const runner of runners) runner.obey();
	await engine.close();
	for (const runner of runners) await runner.close();
});

async function connect(options: RunnerOptions = {}): Promise<ScriptedRunner> {
	const runner = await ScriptedRunner.connect(nextUrl(), options);
	runners.push(runner);
	await until(() => expect(runner.init).toBeDefined());
	return runner;
}

async function call(
	method: string,
	path: string,
	body?: unknown,
	headers: Record<string, string> = { authorization: "Bearer admin" },
) {
	const answer = await fetch(nextUrl() + path, {
		method,
		redirect: "manual",
		headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
		...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
	});
	const text = await answer.text();
	return {
		status: answer.status,
		headers: answer.headers,
		body: (text.startsWith("{") ? JSON.parse(text) : { text }) as Json,
	};
}

const fails = async (
	answer: Promise<{ status: number; body: Json }>,
	code: string,
	status = 400,
) => {
	const { status: given, body } = await answer;
	expect([`${body.group}.${body.code}`, given]).toEqual([code, status]);
	return body;
};

const wanted = { name: "any", key: "a", runner_name_selector: "default", crash_policy: "sleep" };
const put = (body: object = wanted, namespace = "default") =>
	call("PUT", `/actors?namespace=${namespace}`, body);
const normal = { datacenters: { default: { normal: {} } } };
const configure = (name: string, body: unknown, namespace = "default") =>
	call("PUT", `/runner-configs/${name}?namespace=${namespace}`, body);
const serverless = (fields: object = {}) => ({
	datacenters: {
		default: {
			serverless: {
				url: "http://127.0.0.1:9/api/rivet",
				request_lifespan: 900,
				slots_per_runner: 1,
				max_runners: 0,
				...fields,
			},
		},
	},
});

describe.runIf(nodeCount === 1)("who may (no. 1)", () => {
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
			datacenters: [{ label: 1, name: "default", url }],
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
			const socket = new WebSocket(`${url.replace("http", "ws")}/gateway/${id}/websocket`, [
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

describe("addresses of actors (nos. 16, 18 to 20)", () => {
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

describe("namespaces", () => {
	const create = (name: string, display_name = "Name") =>
		call("POST", "/namespaces", { name, display_name });
	const listed = async (query = "") => {
		const { body } = await call("GET", `/namespaces${query}`);
		return {
			names: (body.namespaces as Json[]).map(({ name }) => name),
			cursor: (body.pagination as Json).cursor,
		};
	};

	it.runIf(nodeCount === 1).each(["a", "a-b-1", "9", "a".repeat(64)])(
		"%s is a name (no. 3)",
		async (name) => {
			expect((await create(name)).body).toEqual({
				namespace: {
					namespace_id: expect.stringMatching(/^[0-9a-z]{30}$/),
					name,
					display_name: "Name",
					create_ts: expect.any(Number),
				},
			});
		},
	);

	it.runIf(nodeCount === 1).each(["", "A", "a--b", "-a", "a-", "ä", "a".repeat(65)])(
		"%j is none (no. 3)",
		async (name) => {
			const { metadata } = await fails(create(name), "namespace.failed_to_create");
			expect((metadata as Json).reason).toContain("name must be");
		},
	);

	it("names are unique, display names bounded (no. 3)", async () => {
		await create("lab");
		await fails(create("lab"), "namespace.name_not_unique");
		await fails(create("default"), "namespace.name_not_unique");
		await fails(create("b", ""), "namespace.failed_to_create");
		await fails(create("b", "x".repeat(129)), "namespace.failed_to_create");
		expect((await create("b", "x".repeat(128))).status).toBe(200);
	});

	it("are listed newest first, by pages, by name and by id", async () => {
		for (const name of ["a", "b", "c"]) await create(name);
		const seen: unknown[] = [];
		let cursor: unknown = "";
		while (cursor !== null) {
			const page = await listed(`?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
			seen.push(...page.names);
			({ cursor } = page);
		}
		expect([...seen].sort()).toEqual(["a", "b", "c", "default"]);
		expect((await listed("?name=b")).names).toEqual(["b"]);
		expect((await listed("?name=nobody")).names).toEqual([]);
		const { body } = await call("GET", "/namespaces?name=c");
		const id = (body.namespaces as Json[])[0]!.namespace_id;
		expect((await listed(`?namespace_id=${id}`)).names).toEqual(["c"]);
		expect((await listed(`?namespace_ids=${id},x`)).names).toEqual(["c"]);
		expect((await listed(`?namespace_id=${id}&name=a`)).names).toEqual([]);
	});

	it("an unknown one is namespace.not_found everywhere", async () => {
		for (const answer of [
			put(wanted, "nowhere"),
			call("GET", "/actors?namespace=nowhere&name=a"),
			call("GET", "/runners?namespace=nowhere"),
			configure("pool", normal, "nowhere"),
		]) {
			await fails(answer, "namespace.not_found");
		}
	});

	it("keep actors, pools and runners apart", async () => {
		await create("lab");
		await configure("default", normal);
		await configure("default", normal, "lab");
		const here = await connect();
		const there = await connect({ namespace: "lab" });
		const ids = [await put(), await put(wanted, "lab")].map(
			({ body }) => (body.actor as Json).actor_id as string,
		);
		expect(new Set(ids).size).toBe(2);
		await until(() => {
			expect([here, there].map(({ commands }) => commands[0]?.checkpoint.actorId)).toEqual(ids);
		});
		const { body } = await call("GET", "/runners?namespace=lab");
		expect((body.runners as Json[]).map(({ runner_id }) => runner_id)).toEqual([
			there.init!.runnerId,
		]);
		await fails(call("DELETE", `/actors/${ids[0]}?namespace=lab`), "actor.not_found", 404);
		expect((await call("GET", `/actors?namespace=lab&actor_ids=${ids.join()}`)).body).toMatchObject(
			{
				actors: [{ actor_id: ids[1] }],
			},
		);
		const query = "rvt-namespace=lab&rvt-method=get&rvt-key=a";
		const asked = call("GET", `/gateway/any/x?${query}`);
		await until(() => expect(there.tunnel).toHaveLength(1));
		there.answer(there.tunnel[0]!, {
			tag: "ToServerResponseStart",
			val: { status: 204, headers: new Map(), body: undefined, stream: false },
		});
		expect((await asked).status).toBe(204);
		expect(here.tunnel).toEqual([]);
	});
});

describe("actors", () => {
	it("are described as in the contract, before they run", async () => {
		await configure("default", normal);
		const { body } = await put();
		expect(body).toEqual({
			actor: {
				actor_id: expect.stringMatching(/^[0-9a-z]{30}$/),
				name: "any",
				key: "a",
				namespace_id: expect.stringMatching(/^[0-9a-z]{30}$/),
				datacenter: "default",
				runner_name_selector: "default",
				crash_policy: "sleep",
				create_ts: expect.any(Number),
				start_ts: null,
				connectable_ts: null,
				sleep_ts: engine.urls.length > 1 ? null : expect.any(Number),
				pending_allocation_ts: null,
				reschedule_ts: null,
				destroy_ts: null,
				// Another node may have room: nobody knows until it has been waited for.
				...(engine.urls.length > 1 ? {} : { error: "no_capacity" }),
				status: "sleeping",
			},
			created: true,
		});
	});

	it("a stored one is returned as it is, whatever is asked for (no. 6)", async () => {
		await configure("default", normal);
		await configure("other", normal);
		const first = await put();
		const other = { runner_name_selector: "other", crash_policy: "restart" };
		const second = await put({ ...wanted, ...other, input: encodeBase64(Uint8Array.of(1)) });
		expect(second.body).toEqual({ actor: first.body.actor, created: false });
	});

	it("need a pool that is known: one that is configured, or has a runner (no. 15)", async () => {
		await fails(put(), "actor.no_runner_config_configured");
		await connect();
		await until(async () => expect((await put()).status).toBe(200));
		// It stays known when its runner has gone.
		const { body } = await call("GET", "/runner-configs?namespace=default");
		expect(body.runner_configs).toMatchObject({
			default: { datacenters: { default: { normal: {} } } },
		});
	});

	it("are refused with the contract's codes", async () => {
		await configure("default", normal);
		await fails(put({ ...wanted, key: "" }), "actor.empty_key");
		await fails(put({ ...wanted, key: "k".repeat(1_025) }), "actor.key_too_large");
		await fails(put({ ...wanted, datacenter: "mars" }), "datacenter.not_found");
		await fails(put({ ...wanted, input: "*" }), "api.bad_request");
		await fails(put({ ...wanted, input: "A".repeat(1024 * 1024 + 4) }), "actor.input_too_large");
		await fails(put({ ...wanted, crash_policy: "other" }), "api.bad_request");
		await fails(put({ ...wanted, name: "" }), "api.bad_request");
		const { body } = await put();
		const { metadata } = await fails(
			call("POST", "/actors?namespace=default", wanted),
			"actor.duplicate_key",
		);
		const { actor_id } = body.actor as Json;
		expect(metadata).toEqual({ key: "a", existing_actor_id: actor_id });
	});

	it("have names of 1 to 128 characters", async () => {
		await configure("default", normal);
		const long = "😀".repeat(128);
		expect((await put({ ...wanted, name: long })).body).toMatchObject({ actor: { name: long } });
		await fails(put({ ...wanted, name: `${long}a` }), "api.bad_request");
		await fails(put({ ...wanted, name: "\ud800" }), "api.bad_request");
	});

	it.each(["a//b", "\\", "a\\x", "k".repeat(1_024)])(
		"have the key %s as it was given (no. 7)",
		async (key) => {
			await configure("default", normal);
			const runner = await connect();
			const { body } = await put({ ...wanted, key });
			expect(body).toMatchObject({ created: true, actor: { key } });
			expect((await put({ ...wanted, key })).body).toMatchObject({ created: false });
			const listed = await call(
				"GET",
				`/actors?namespace=default&name=any&key=${encodeURIComponent(key)}`,
			);
			expect(listed.body).toMatchObject({ actors: [{ key }] });
			await until(() => expect(runner.commands).toHaveLength(1));
			expect(runner.commands[0]!.inner).toMatchObject({ val: { config: { key } } });
		},
	);

	it("without a key have none, and are not found by any (no. 7)", async () => {
		await configure("default", normal);
		const runner = await connect();
		const { key: _, ...without } = wanted;
		for (const body of [{ ...wanted, key: null }, without]) {
			const created = await call("POST", "/actors?namespace=default", body);
			expect(created.body).toMatchObject({ actor: { key: null } });
		}
		const list = async (query: string) =>
			(await call("GET", `/actors?namespace=default&name=any${query}`)).body;
		expect(await list("")).toMatchObject({ actors: [{ key: null }, { key: null }] });
		for (const key of ["", "null", "%EF%BF%BE"]) {
			expect(await list(`&key=${key}`)).toMatchObject({ actors: [] });
		}
		await fails(put({ ...wanted, key: "\ufffea" }), "api.bad_request");
		await until(() => expect(runner.commands).toHaveLength(2));
		for (const { inner } of runner.commands) {
			expect(inner).toHaveProperty("val.config.key", undefined);
		}
	});

	it("are found by ids in upper case (engine 1)", async () => {
		await configure("default", normal);
		const { actor_id } = (await put()).body.actor as Json;
		const upper = (actor_id as string).toUpperCase();
		expect((await call("GET", `/actors?namespace=default&actor_ids=${upper}`)).body).toMatchObject({
			actors: [{ actor_id }],
		});
		expect((await call("DELETE", `/actors/${upper}?namespace=default`)).status).toBe(200);
	});

	it("take the name of the datacenter as their region, and no other (no. 28)", async () => {
		await configure("default", normal);
		const runner = await connect();
		const query = "rvt-namespace=default&rvt-method=getOrCreate&rvt-key=r&rvt-pool=default";
		await fails(call("GET", `/gateway/any/x?${query}&rvt-region=mars`), "datacenter.not_found");
		expect(runner.commands).toEqual([]);
		const answered = call("GET", `/gateway/any/x?${query}&rvt-region=default`);
		await until(() => expect(runner.tunnel).toHaveLength(1));
		runner.answer(runner.tunnel[0]!, {
			tag: "ToServerResponseStart",
			val: { status: 200, headers: new Map(), body: Buffer.from("{}"), stream: false },
		});
		expect((await answered).status).toBe(200);
		const { body } = await put({ ...wanted, key: "r", datacenter: "default" });
		expect(body).toMatchObject({ created: false, actor: { datacenter: "default" } });
	});

	it("lists refuse what does not go together (no. 9)", async () => {
		const list = (query: string) => call("GET", `/actors?namespace=default&${query}`);
		const id = "tlf0xcg1buacno4zofgpr7isbeal00";
		const many = Array.from({ length: 33 }, (_, index) => id.replace("tlf0", `tl${index + 10}`));
		const { metadata } = await fails(
			list(`actor_ids=${many.join()}`),
			"validation.too_many_actor_ids",
		);
		expect(metadata).toEqual({ count: 33, max: 32 });
		await fails(list(`actor_ids=${id}&name=any`), "validation.invalid_input");
		await fails(list(`actor_id=${id}&key=a`), "validation.invalid_input");
		await fails(list("key=a"), "validation.invalid_input");
		await fails(list("limit=5"), "validation.invalid_input");
		await fails(list("actor_ids=x"), "api.bad_request");
		expect((await list(`actor_id=${id}`)).body).toEqual({
			actors: [],
			pagination: { cursor: null },
		});
	});

	it("destroyed ones are listed by id, and when asked for", async () => {
		await configure("default", normal);
		const { actor_id: id } = (await put()).body.actor as Json;
		expect((await call("DELETE", `/actors/${id}?namespace=default`)).body).toEqual({});
		expect((await call("DELETE", `/actors/${id}?namespace=default`)).body).toEqual({});
		await fails(call("DELETE", "/actors/x?namespace=default"), "api.bad_request");
		const destroyed = { actors: [{ actor_id: id, status: "destroyed" }] };
		const list = async (query: string) =>
			(await call("GET", `/actors?namespace=default&${query}`)).body;
		expect(await list(`actor_ids=${id}`)).toMatchObject(destroyed);
		expect(await list("name=any&include_destroyed=true")).toMatchObject(destroyed);
		expect(await list("name=any")).toMatchObject({ actors: [] });
	});

	it("values of their stores are read by key, also asleep (no. 12)", async () => {
		const runner = await connect();
		await configure("default", normal);
		const { actor_id: id } = (await put()).body.actor as Json;
		await until(() => expect(runner.commands).toHaveLength(1));
		const value = Uint8Array.of(0, 255);
		await runner.kv(id as string, {
			tag: "KvPutRequest",
			val: { keys: [Uint8Array.of(9, 8)], values: [value] },
		});
		const read = (key: string) =>
			call("GET", `/actors/${id}/kv/keys/${encodeURIComponent(key)}?namespace=default`);
		const stored = { value: encodeBase64(value), update_ts: expect.any(Number) };
		expect((await read(encodeBase64(Uint8Array.of(9, 8)))).body).toMatchObject(stored);
		const { update_ts } = (await read(encodeBase64(Uint8Array.of(9, 8)))).body;
		// By the clock of the database, where there is one: somewhere about now.
		expect(Math.abs((update_ts as number) - Date.now())).toBeLessThan(3_600_000);
		await fails(read("BAA="), "actor.kv_key_not_found");
		await fails(read("*"), "api.bad_request");
		runner.state(id as string, 0, "wantsSleep");
		runner.state(id as string, 0, "Ok");
		expect((await read(encodeBase64(Uint8Array.of(9, 8)))).body).toMatchObject(stored);
	});

	it("names are those that were used, and those that runners announce", async () => {
		await configure("default", normal);
		await put({ ...wanted, name: "used" });
		await connect({ names: { announced: `{"icon":"bell"}`, used: "{}" } });
		await until(async () => {
			expect((await call("GET", "/actors/names?namespace=default")).body).toEqual({
				names: { announced: { metadata: { icon: "bell" } }, used: { metadata: {} } },
				pagination: { cursor: null },
			});
		});
		expect((await call("GET", "/actors/names?namespace=default&limit=1")).body).toMatchObject({
			pagination: { cursor: "announced" },
		});
	});
});

describe("runners", () => {
	it("have their door named to whoever asks for it without a WebSocket (engine 4.1)", async () => {
		const path = "/runners/connect?protocol_version=7&namespace=default&runner_key=a";
		const ask = (token?: string) =>
			call("GET", path, undefined, token === undefined ? {} : { "x-rivet-token": token });
		const answer = await ask("admin");
		expect([answer.status, answer.body.text]).toEqual([200, "Runners connect here by WebSocket."]);
		await fails(ask("wrong"), "api.forbidden", 403);
		await fails(ask(), "guard.missing_header");
		await serve(undefined);
		expect((await ask()).status).toBe(200);
	});

	it("are described as in the contract, newest first, and stopped ones when asked for", async () => {
		const runner = await connect({
			slots: 7,
			codeVersion: 3,
			metadata: `{"rivetkit":{"version":"1"}}`,
		});
		const list = async (query = "") =>
			(await call("GET", `/runners?namespace=default${query}`)).body.runners as Json[];
		const [described] = await list();
		expect(described).toEqual({
			runner_id: runner.init!.runnerId,
			namespace_id: expect.stringMatching(/^[0-9a-z]{30}$/),
			datacenter: "default",
			name: "default",
			key: "key",
			version: 3,
			total_slots: 7,
			remaining_slots: 7,
			create_ts: expect.any(Number),
			drain_ts: null,
			stop_ts: null,
			last_ping_ts: expect.any(Number),
			last_connected_ts: expect.any(Number),
			last_rtt: expect.any(Number),
			metadata: { rivetkit: { version: "1" } },
		});
		await connect({ key: "second", pool: "b" });
		expect((await call("GET", "/runners/names?namespace=default")).body).toEqual({
			names: ["b", "default"],
			pagination: { cursor: null },
		});
		expect((await list("&name=b")).map(({ key }) => key)).toEqual(["second"]);
		expect((await list(`&runner_ids=${described!.runner_id}`)).map(({ key }) => key)).toEqual([
			"key",
		]);
		runner.send({ tag: "ToServerStopping", val: undefined });
		await until(async () => expect((await list("&name=default"))[0]!.drain_ts).not.toBeNull());
		await runner.close();
		await until(async () => expect(await list("&name=default")).toEqual([]));
		const [stopped] = await list("&name=default&include_stopped=true");
		expect(stopped!.stop_ts).toEqual(expect.any(Number));
	});
});

describe("runner configs", () => {
	const configs = async (query = "") =>
		(await call("GET", `/runner-configs?namespace=default${query}`)).body;

	it("are written, read with their defaults, filtered, paged and removed", async () => {
		expect((await configure("a", normal)).body).toEqual({ endpoint_config_changed: true });
		await configure("b", serverless());
		await configure("c", normal);
		expect((await configs("&variant=serverless")).runner_configs).toEqual({
			b: {
				datacenters: {
					default: {
						serverless: {
							url: "http://127.0.0.1:9/api/rivet",
							headers: {},
							request_lifespan: 900,
							drain_grace_period: 10,
							slots_per_runner: 1,
							max_runners: 0,
							min_runners: 0,
							runners_margin: 0,
							max_concurrent_actors: 0,
						},
						drain_on_version_upgrade: false,
						protocol_version: null,
					},
				},
			},
		});
		expect(
			Object.keys((await configs("&runner_name=a&runner_name=c")).runner_configs as Json),
		).toEqual(["a", "c"]);
		expect(await configs("&limit=2")).toMatchObject({ pagination: { cursor: "b" } });
		expect(Object.keys((await configs("&limit=2&cursor=b")).runner_configs as Json)).toEqual(["c"]);
		for (let times = 0; times < 2; times++) {
			expect((await call("DELETE", "/runner-configs/a?namespace=default")).body).toEqual({});
		}
		expect(Object.keys((await configs()).runner_configs as Json)).toEqual(["b", "c"]);
	});

	it("say whether what is asked for at the host is another one", async () => {
		const changed = async (body: unknown) =>
			(await configure("s", body)).body.endpoint_config_changed;
		expect(await changed(serverless())).toBe(true);
		expect(await changed(serverless({ request_lifespan: 300 }))).toBe(false);
		expect(await changed(serverless({ headers: { a: "b" } }))).toBe(true);
		expect(await changed(serverless({ headers: { a: "b" }, url: "http://127.0.0.1:9/x" }))).toBe(
			true,
		);
		expect(await changed(normal)).toBe(true);
		expect(await changed(normal)).toBe(true);
	});

	it("a datacenter that is not named loses its config, an unknown one is refused (no. 13)", async () => {
		await configure("a", normal);
		await fails(configure("a", { datacenters: { mars: { normal: {} } } }), "datacenter.not_found");
		expect((await configs()).runner_configs).toHaveProperty("a");
		await configure("a", { datacenters: {} });
		expect((await configs()).runner_configs).toEqual({});
	});

	const headers = (count: number) =>
		Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, "v"]));

	it.runIf(nodeCount === 1).each<[string, unknown]>([
		["17 headers", serverless({ headers: headers(17) })],
		["a long header", serverless({ headers: { a: "v".repeat(4_097) } })],
		["a header that is none", serverless({ headers: { "a b": "v" } })],
		["a relative URL", serverless({ url: "/api/rivet" })],
		["another scheme", serverless({ url: "ftp://host/x" })],
		["no slots", serverless({ slots_per_runner: 0 })],
		["no lifespan", serverless({ request_lifespan: 0 })],
		["a grace as long as the lifespan", serverless({ drain_grace_period: 900 })],
		[
			"both kinds",
			{ datacenters: { default: { normal: {}, ...serverless().datacenters.default } } },
		],
		["neither kind", { datacenters: { default: {} } }],
	])("%s is runner_config.invalid (no. 13)", async (_what, body) => {
		const { metadata } = await fails(configure("s", body), "runner_config.invalid");
		expect((metadata as Json).reason).toEqual(expect.any(String));
	});

	it("16 headers pass (no. 13), and a lifespan of 900 s without a grace (no. 14)", async () => {
		expect((await configure("s", serverless({ headers: headers(16) }))).status).toBe(200);
	});

	it("there is nothing to refresh in a pool that is not serverless", async () => {
		await configure("a", normal);
		for (const name of ["a", "nobody"]) {
			await fails(
				call("POST", `/runner-configs/${name}/refresh-metadata?namespace=default`, {}),
				"runner_config.not_found",
			);
		}
	});
});

describe.runIf(nodeCount === 1)("the gateway's token (no. 17)", () => {
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
