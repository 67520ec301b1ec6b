import { decodeBase64, decodeCbor } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import type { ClientConfigInput } from "../../src/client/config.ts";
import { type Script, ScriptedServer } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

async function setUp(config: ClientConfigInput = {}, script?: Script) {
	const server = await ScriptedServer.start();
	server.metadata = { capabilities: ["query-gateway"] };
	if (script) server.script = script;
	const { client } = clientOf(server, config);
	return {
		server,
		room: client.room!,
		/** Everything but the look-up. */
		calls: () => server.requests.slice(1),
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

const queryOf = (query: URLSearchParams) => Object.fromEntries(query);

describe("calls to a peer with a query gateway", () => {
	test("a handle with a key resolves and calls in one request", async () => {
		await using scene = await setUp({ namespace: "n s", token: "s/x", runnerName: "pool" });
		const input = { mode: "ranked", bytes: new Uint8Array([1, 2]) };
		const handle = scene.room.getOrCreate(["a/b", "ü"], {
			createInRegion: "eu",
			createWithInput: input,
		});
		expect(await handle.act()).toBe("done");
		const [call, ...rest] = scene.calls();
		expect(rest).toEqual([]);
		expect(call?.path).toBe("/gateway/room/action/act");
		const { "rvt-input": encoded, ...query } = queryOf(call!.query);
		expect(query).toEqual({
			"rvt-namespace": "n s",
			"rvt-method": "getOrCreate",
			"rvt-key": "a/b,ü",
			"rvt-pool": "pool",
			"rvt-region": "eu",
			"rvt-crash-policy": "sleep",
			"rvt-token": "s/x",
		});
		expect(decodeCbor(decodeBase64(String(encoded))!)).toEqual(input);
	});

	test("get asks for an existing actor, without what creates one", async () => {
		await using scene = await setUp();
		await scene.room.get().act();
		expect(queryOf(scene.calls()[0]!.query)).toEqual({
			"rvt-namespace": "default",
			"rvt-method": "get",
		});
	});

	test("queue messages go the same way", async () => {
		await using scene = await setUp({}, ({ path }) =>
			path.includes("/queue/") ? { body: { status: "completed" } } : undefined,
		);
		await scene.room.get("k").send("work", 1);
		expect(scene.calls().map(({ path }) => path)).toEqual(["/gateway/room/queue/work"]);
	});

	test.each([
		["a comma in a key component", ["a,b"], undefined],
		["a key of one empty component", [""], undefined],
		["an input over 4 KiB", ["k"], "x".repeat(5000)],
	])("%s makes two requests", async (_, key, createWithInput) => {
		await using scene = await setUp();
		expect(await scene.room.getOrCreate(key, { createWithInput }).act()).toBe("done");
		expect(scene.calls().map(({ method, path }) => `${method} ${path}`)).toEqual([
			"PUT /actors",
			"POST /gateway/actor-1/action/act",
		]);
	});

	test.each([0, "", false, null])("the input %j arrives", async (createWithInput) => {
		await using scene = await setUp();
		await scene.room.getOrCreate("k", { createWithInput }).act();
		const encoded = scene.calls()[0]!.query.get("rvt-input");
		expect(decodeCbor(decodeBase64(String(encoded))!)).toBe(createWithInput);
	});

	test("a missing actor is the gateway's own actor.not_found", async () => {
		const error = { group: "actor", code: "not_found", message: 'Actor not found: room:["k"]' };
		await using scene = await setUp({}, ({ path }) =>
			path.includes("/action/") ? { status: 404, body: error } : undefined,
		);
		await expect(scene.room.get("k").act()).rejects.toMatchObject({ name: "ActorError", ...error });
	});

	test("a handle by id checks the name once and then goes to the actor", async () => {
		await using scene = await setUp();
		const handle = scene.room.getForId("actor-1");
		await handle.act();
		await handle.act();
		expect(scene.calls().map(({ target }) => target)).toEqual([
			"/actors?actor_ids=actor-1&namespace=default",
			"/gateway/actor-1/action/act",
			"/gateway/actor-1/action/act",
		]);
	});

	test("a pinned handle goes to the actor", async () => {
		await using scene = await setUp();
		const handle = scene.room.getOrCreate("k");
		expect(await handle.resolve()).toBe("actor-1");
		await handle.act();
		expect(scene.calls().map(({ path }) => path)).toEqual([
			"/actors",
			"/gateway/actor-1/action/act",
		]);
	});
});
