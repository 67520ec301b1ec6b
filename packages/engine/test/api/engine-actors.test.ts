import { encodeBase64 } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { nodeCount } from "../helpers/engine-apart.ts";
import { until } from "../helpers/until.ts";
import { askedEngine, fails, type Json, normal, wanted } from "./asked-engine.ts";

/** Namespaces and actors in the management API of an engine apart from any application (engine 2.3, 2.4; numbers of engine 11 behind the names). */

describe("namespaces", () => {
	const { connect, call, put, configure } = askedEngine();

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
	const { connect, call, put, configure } = askedEngine();

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
				sleep_ts: nodeCount > 1 ? null : expect.any(Number),
				pending_allocation_ts: null,
				reschedule_ts: null,
				destroy_ts: null,
				// Another node may have room: nobody knows until it has been waited for.
				...(nodeCount > 1 ? {} : { error: "no_capacity" }),
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

	it("pages of names lose none, whatever its letters", async () => {
		// In UTF-16 the second one, of two surrogates, comes first.
		const [used, announced] = ["\u{ff21}", "\u{1d4b3}"] as const;
		await configure("default", normal);
		await put({ ...wanted, name: used });
		await connect({ names: { [announced]: "{}" } });
		const page = async (query = "") =>
			(await call("GET", `/actors/names?namespace=default${query}`)).body;
		await until(async () => {
			expect(Object.keys((await page()).names as Json)).toEqual([used, announced]);
		});
		const first = await page("&limit=1");
		expect([Object.keys(first.names as Json), first.pagination]).toEqual([
			[used],
			{ cursor: used },
		]);
		const second = await page(`&limit=1&cursor=${encodeURIComponent(used)}`);
		expect(Object.keys(second.names as Json)).toEqual([announced]);
	});
});
