import { encodeBase64, encodeCbor } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { callApi, type Json } from "../helpers/call.ts";
import { testEngine } from "../helpers/engine.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { wanted as anyWanted } from "./asked-engine.ts";

async function serving(options: Parameters<typeof testEngine>[0] = {}) {
	const t = testEngine(options);
	const server = await t.listen();
	const call = async (
		method: string,
		path: string,
		given?: unknown,
		headers: Record<string, string> = {},
	) => {
		const { status, body } = await callApi(server.url + path, method, given, headers);
		return { status, body };
	};
	return Object.assign(t, { server, call });
}

const wanted = { ...anyWanted, name: "counter" };

describe("PUT /actors", () => {
	test("makes, starts and describes the actor, then finds it", async () => {
		await using t = await serving();
		const first = await t.call("PUT", "/actors?namespace=default", wanted);
		expect(first.status).toBe(200);
		expect(first.body).toEqual({
			actor: {
				actor_id: expect.stringMatching(/^[0-9a-z]{30}$/),
				name: "counter",
				key: "a",
				namespace_id: "default",
				runner_name_selector: "default",
				create_ts: expect.any(Number),
				connectable_ts: expect.any(Number),
				start_ts: expect.any(Number),
				sleep_ts: null,
				destroy_ts: null,
				status: "awake",
			},
			created: true,
		});
		expect(Object.keys(first.body.actor as Json)).toEqual([
			"actor_id",
			"name",
			"key",
			"namespace_id",
			"runner_name_selector",
			"create_ts",
			"connectable_ts",
			"start_ts",
			"sleep_ts",
			"destroy_ts",
			"status",
		]);
		expect(t.host.live.size).toBe(1);
		const second = await t.call("PUT", "/actors/", wanted);
		expect(second.body).toEqual({ actor: first.body.actor, created: false });
	});

	test("20 in parallel make one actor", async () => {
		await using t = await serving();
		const answers = await Promise.all(
			Array.from({ length: 20 }, () => t.call("PUT", "/actors", wanted)),
		);
		expect(answers.filter(({ body }) => body.created === true)).toHaveLength(1);
		expect(new Set(answers.map(({ body }) => (body.actor as Json).actor_id)).size).toBe(1);
	});

	test("hands over objects, bytes, 0, false and null as input", async () => {
		await using t = await serving();
		const values = [{ n: 1 }, Uint8Array.of(0, 255), 0, false, null, ""];
		for (const [index, value] of values.entries()) {
			const input = encodeBase64(encodeCbor(value));
			await t.call("PUT", "/actors", { ...wanted, key: String(index), input });
		}
		expect(t.host.starts.map(({ input }) => input)).toEqual(values.map((v) => encodeCbor(v)));
	});

	test.each([
		["no body", "", {}],
		["no JSON", "{", {}],
		["bytes that are not UTF-8", "\udc80", {}],
		["a missing name", { ...wanted, name: undefined }, {}],
		["a key that is a list", { ...wanted, key: ["a"] }, {}],
		["a key that is null", { ...wanted, key: null }, {}],
		["no selector", { ...wanted, runner_name_selector: undefined }, {}],
		["no policy", { ...wanted, crash_policy: undefined }, {}],
		["an input that is not base64", { ...wanted, input: "*" }, {}],
		["an input that is not CBOR", { ...wanted, input: "oQ==" }, {}],
		["an unregistered name", { ...wanted, name: "nobody" }, {}],
		["an inherited name", { ...wanted, name: "constructor" }, {}],
		["a key over the limit", { ...wanted, key: "k".repeat(129) }, {}],
		["a list", [], {}],
		["another content type", wanted, { "content-type": "text/plain" }],
	])("with %s is 400 request.invalid and stores nothing", async (_what, body, headers) => {
		await using t = await serving();
		const answer = await t.call("PUT", "/actors", body, headers);
		expect(answer.status).toBe(400);
		expect(answer.body).toMatchObject({ group: "request", code: "invalid" });
		expect(await t.store.listNames("default", 10)).toEqual([]);
	});

	test("takes JSON with a charset", async () => {
		await using t = await serving();
		const headers = { "content-type": "application/json; charset=utf-8" };
		expect((await t.call("PUT", "/actors", wanted, headers)).status).toBe(200);
	});

	test("an input over 4 MiB is 400 input.too_large, exactly 4 MiB passes", async () => {
		await using t = await serving();
		const limit = 4 * 1024 * 1024;
		const bytes = (size: number) => encodeBase64(encodeCbor(new Uint8Array(size)));
		const overhead = encodeCbor(new Uint8Array(limit)).byteLength - limit;
		const fits = await t.call("PUT", "/actors", { ...wanted, input: bytes(limit - overhead) });
		expect(fits.status).toBe(200);
		const over = { ...wanted, key: "b", input: bytes(limit - overhead + 1) };
		const refused = await t.call("PUT", "/actors", over);
		expect(refused.status).toBe(400);
		expect(refused.body).toMatchObject({ group: "input", code: "too_large", metadata: { limit } });
	});

	test("a body over its limit is refused", async () => {
		await using t = await serving({ limits: { apiBodyBytesMax: 200 } });
		const answer = await t.call("PUT", "/actors", { ...wanted, datacenter: "d".repeat(200) });
		expect(answer.status).toBe(413);
		expect(answer.body).toEqual({
			group: "guard",
			code: "invalid_request_body",
			message:
				"Request body too large. Limit is 200 bytes. It can be raised with: `setup({ limits: { apiBodyBytesMax: ... } })`",
			metadata: { limit: 200 },
		});
	});

	test("a start that fails is a masked 500", async () => {
		await using t = await serving({ exposeErrors: () => false });
		t.host.onStart = () => {
			throw new Error("secret");
		};
		const answer = await t.call("PUT", "/actors", wanted);
		expect(answer.status).toBe(500);
		expect(JSON.stringify(answer.body)).not.toContain("secret");
		expect(answer.body).toMatchObject({ group: "rivetkit", code: "internal_error", metadata: {} });
	});
});

describe("POST /actors", () => {
	test("twice with a key is actor.duplicate_key", async () => {
		await using t = await serving();
		const first = await t.call("POST", "/actors", wanted);
		expect(Object.keys(first.body)).toEqual(["actor"]);
		const second = await t.call("POST", "/actors", wanted);
		expect(second.status).toBe(400);
		expect(second.body).toMatchObject({ group: "actor", code: "duplicate_key" });
	});

	test.each([[undefined], [null], [""]])("with key %j makes a random one", async (key) => {
		await using t = await serving();
		const made = await t.call("POST", "/actors", { ...wanted, key });
		expect((made.body.actor as Json).key).toMatch(
			/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
		);
	});
});

describe("GET /actors", () => {
	test.each([
		[
			"?actor_ids=a&name=counter",
			"Cannot provide both actor_ids and (name + key). Use either actor_ids or (name + key).",
		],
		[
			"?actor_ids=a&key=k",
			"Cannot provide both actor_ids and (name + key). Use either actor_ids or (name + key).",
		],
		["?key=k", "Name is required when key is provided."],
		["", "Name is required when not using actor_ids."],
		["?name=", "Name is required when not using actor_ids."],
		[
			`?actor_ids=${Array(33).fill("a").join(",%20,")}`,
			"Too many actor IDs. Maximum is 32, got 33.",
		],
	])("%s is 400 with its text", async (query, error) => {
		await using t = await serving();
		expect(await t.call("GET", `/actors${query}`)).toEqual({ status: 400, body: { error } });
	});

	const ids = ({ body }: { body: Json }) => (body.actors as Json[]).map(({ actor_id }) => actor_id);

	test("by ids leaves unknown and destroyed ones out; 32 are allowed, all-empty is none", async () => {
		await using t = await serving();
		const [a, b, gone] = [await t.create(), await t.create(), await t.create()];
		await t.engine.destroy(gone);
		const many = [a, b, gone, ...Array.from({ length: 29 }, (_, i) => `x${i}`)].join(",");
		expect(ids(await t.call("GET", `/actors?actor_ids=${many}`)).sort()).toEqual([a, b].sort());
		expect(ids(await t.call("GET", `/actors?actor_ids=%20${a}%20,,`))).toEqual([a]);
		expect(ids(await t.call("GET", "/actors?actor_ids=,"))).toEqual([]);
	});

	test("by name and key finds at most one, however the key is written", async () => {
		await using t = await serving();
		const actorId = await t.create(["x/y", ""]);
		const find = (key: string) =>
			t.call("GET", `/actors?name=counter&key=${encodeURIComponent(key)}&namespace=default`);
		expect(ids(await find("x\\/y/\\0"))).toEqual([actorId]);
		expect(ids(await find("x\\/y/"))).toEqual([actorId]);
		expect(ids(await find("x/y"))).toEqual([]);
		expect(ids(await t.call("GET", "/actors?name=nobody&key=x"))).toEqual([]);
	});

	test("by name lists the live ones newest first, page by page, without loss at equal times", async () => {
		const clock = new TestClock();
		await using t = await serving({ clock });
		const made: string[] = [];
		for (let index = 0; index < 250; index++) {
			if (index % 50 === 0) {
				clock.advance(1);
			}
			made.push(await t.create([String(index)]));
		}
		await t.create(["other"], "chat");
		const seen: unknown[] = [];
		const times: number[] = [];
		let cursor: string | null = "";
		for (let page = 0; cursor !== null; page++) {
			const { body } = await t.call(
				"GET",
				`/actors?name=counter&limit=60${cursor === "" ? "" : `&cursor=${cursor}`}`,
			);
			seen.push(...ids({ body }));
			times.push(...(body.actors as Json[]).map(({ create_ts }) => create_ts as number));
			cursor = (body.pagination as Json).cursor as string | null;
			expect(page).toBeLessThan(6);
		}
		expect([...seen].sort()).toEqual(made.sort());
		expect(times).toEqual([...times].sort((a, b) => b - a));
		const plain = await t.call("GET", `/actors?name=counter&cursor=${times[0]}`);
		expect(ids(plain)).toHaveLength(200);
		expect(ids(await t.call("GET", "/actors?name=counter"))).toHaveLength(250);
	});

	test("lists former holders of a key when asked to", async () => {
		await using t = await serving();
		const first = await t.create(["a"]);
		await t.engine.destroy(first);
		const second = await t.create(["a"]);
		const all = await t.call("GET", "/actors?name=counter&key=a&include_destroyed=true");
		expect(ids(all).sort()).toEqual([first, second].sort());
		expect(ids(await t.call("GET", "/actors?name=counter&key=a"))).toEqual([second]);
	});

	test.each(["limit=0", "limit=x", "limit=10001", "cursor=x"])("with %s is 400", async (query) => {
		await using t = await serving();
		expect((await t.call("GET", `/actors?name=counter&${query}`)).status).toBe(400);
	});
});

describe("GET /actors/names", () => {
	test("lists registered names with their hints, sorted and paged", async () => {
		await using t = await serving();
		expect(await t.call("GET", "/actors/names?namespace=default")).toEqual({
			status: 200,
			body: {
				names: { chat: { metadata: { icon: "comments" } }, counter: { metadata: {} } },
				pagination: { cursor: null },
			},
		});
		const first = await t.call("GET", "/actors/names?namespace=default&limit=1");
		expect(first.body).toMatchObject({ pagination: { cursor: "chat" } });
		const second = await t.call("GET", "/actors/names?namespace=default&limit=1&cursor=chat");
		expect(Object.keys(second.body.names as Json)).toEqual(["counter"]);
	});

	test("needs the namespace", async () => {
		await using t = await serving();
		expect((await t.call("GET", "/actors/names")).status).toBe(400);
	});
});

describe("DELETE /actors/{id}", () => {
	test("destroys, twice is fine, and the key is free at once", async () => {
		await using t = await serving();
		const actorId = await t.create(["a"]);
		expect(await t.call("DELETE", `/actors/${actorId}`)).toEqual({ status: 200, body: {} });
		expect(await t.call("DELETE", `/actors/${actorId}`)).toEqual({ status: 200, body: {} });
		expect((await t.call("GET", `/gateway/${actorId}/health`)).status).toBe(404);
		expect((await t.call("PUT", "/actors", wanted)).body.created).toBe(true);
	});

	test("of an unknown id is 404 actor.not_found", async () => {
		await using t = await serving();
		const answer = await t.call("DELETE", "/actors/nobody");
		expect(answer.status).toBe(404);
		expect(answer.body).toMatchObject({ group: "actor", code: "not_found" });
	});

	test("needs the token when one is configured", async () => {
		await using t = await serving({ token: "secret" });
		const actorId = await t.create();
		const path = `/actors/${actorId}`;
		expect((await t.call("DELETE", path)).status).toBe(403);
		expect((await t.call("DELETE", path, undefined, { "x-rivet-token": "wrong" })).status).toBe(
			403,
		);
		const bearer = { authorization: "Bearer secret" };
		expect((await t.call("DELETE", path, undefined, bearer)).status).toBe(200);
	});
});

describe("GET /actors/{id}/kv/keys/{key}", () => {
	const value = Uint8Array.of(0, 0xff, 0xfe, 0x80);

	async function withValue(options: Parameters<typeof testEngine>[0]) {
		const t = await serving(options);
		const actorId = await t.create();
		await t.store.commit({
			actorId,
			generation: 0,
			ops: [{ op: "put", key: Uint8Array.of(3), value }],
		});
		const path = (key: string) => `/actors/${actorId}/kv/keys/${key}`;
		return Object.assign(t, { actorId, path });
	}

	test("returns values byte for byte, null for a missing key, also asleep", async () => {
		await using t = await withValue({ development: () => true });
		const expected = { status: 200, body: { value: encodeBase64(value) } };
		expect(await t.call("GET", t.path("Aw=="))).toEqual(expected);
		expect(await t.call("GET", t.path("Aw%3D%3D"))).toEqual(expected);
		expect((await t.call("GET", t.path("BA=="))).body).toEqual({ value: null });
		await t.host.stop(t.actorId, "sleep");
		expect(await t.call("GET", t.path("Aw=="))).toEqual(expected);
		expect(t.host.live.size).toBe(0);
	});

	test("makes the inspector's token when it is first read, and one only", async () => {
		await using t = await serving({ development: () => true });
		const actorId = await t.create();
		const read = async () => {
			const { body } = await t.call("GET", `/actors/${actorId}/kv/keys/Aw==`);
			return Buffer.from(String(body.value), "base64").toString("utf8");
		};
		const [one, two] = await Promise.all([read(), read()]);
		expect(one).toMatch(/^[\w-]{43}$/);
		expect([two, await read()]).toEqual([one, one]);
		const other = await t.create();
		const { body } = await t.call("GET", `/actors/${other}/kv/keys/Aw==`);
		expect(Buffer.from(String(body.value), "base64").toString("utf8")).not.toBe(one);
		// The actor goes on with the generation that it has.
		await t.host.stop(actorId, "sleep");
		expect(await read()).toBe(one);
	});

	test("of an unknown actor is 404, with a key that is not base64 400", async () => {
		await using t = await withValue({ development: () => true });
		expect((await t.call("GET", "/actors/nobody/kv/keys/Aw==")).status).toBe(404);
		expect((await t.call("GET", t.path("*"))).status).toBe(400);
	});

	test("without a token outside development is 403 feature.restricted", async () => {
		await using t = await withValue({ development: () => false });
		const answer = await t.call("GET", t.path("Aw=="));
		expect(answer.status).toBe(403);
		expect(answer.body).toMatchObject({ group: "feature", code: "restricted" });
		expect(answer.body.message).toContain("KV store access");
	});

	test("with a token needs that token", async () => {
		await using t = await withValue({ development: () => false, token: "s3" });
		for (const headers of [{}, { "x-rivet-token": "s" }, { "x-rivet-token": "s34" }]) {
			const answer = await t.call("GET", t.path("Aw=="), undefined, headers);
			expect(answer.status).toBe(403);
			expect(answer.body).toMatchObject({ group: "auth", code: "forbidden" });
		}
		const headers = { "x-rivet-token": "s3" };
		expect((await t.call("GET", t.path("Aw=="), undefined, headers)).status).toBe(200);
	});
});
