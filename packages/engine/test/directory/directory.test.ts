import { parseKey, RivetError, serializeKey } from "@rivetkit/protocol";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Directory, type DirectoryOptions } from "../../src/directory/directory.ts";
import { createEngine } from "../../src/engine.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";
import { newActor } from "../store/fixtures.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

const code = (error: unknown) =>
	error instanceof RivetError ? `${error.group}.${error.code}` : String(error);

describe("getOrCreate", () => {
	test("gives 50 concurrent callers one actor, one creation and one start", async () => {
		await using t = testEngine();
		const gate = new Gate();
		t.host.onStart = () => gate.opened;
		const callers = Array.from({ length: 50 }, () =>
			t.engine.resolve({ kind: "getOrCreate", name: "counter", key: ["a"], input: null }),
		);
		gate.open();
		const resolved = await Promise.all(callers);
		expect(new Set(resolved.map(({ actor }) => actor.actorId)).size).toBe(1);
		expect(resolved.filter(({ created }) => created)).toHaveLength(1);
		expect(t.host.starts).toHaveLength(1);
	});

	test("uses the input only for the creation", async () => {
		await using t = testEngine();
		const query = { kind: "getOrCreate", name: "counter", key: [] } as const;
		await t.engine.resolve({ ...query, input: Uint8Array.of(1) });
		await t.engine.resolve({ ...query, input: Uint8Array.of(2) });
		expect(t.host.starts.map(({ input }) => input)).toEqual([Uint8Array.of(1)]);
	});

	test("makes a fresh actor with another id after a destruction", async () => {
		await using t = testEngine();
		const first = await t.create(["a"]);
		await t.engine.destroy(first);
		const second = await t.create(["a"]);
		expect(second).not.toBe(first);
	});

	test("waits for an actor that is being destroyed and makes a fresh one", async () => {
		await using t = testEngine();
		const first = await t.create(["a"]);
		const gate = new Gate();
		const stopping = new Gate();
		t.host.onStop = () => {
			stopping.open();
			return gate.opened;
		};
		const destroyed = t.engine.destroy(first);
		await stopping.opened;
		const second = t.create(["a"]);
		gate.open();
		expect(await second).not.toBe(first);
		await destroyed;
	});
});

describe("create", () => {
	test("refuses a taken key with actor.duplicate_key", async () => {
		await using t = testEngine();
		const query = { kind: "create", name: "counter", key: ["a", "b"], input: null } as const;
		await t.engine.resolve(query);
		const error = await t.engine.resolve(query).catch((thrown: unknown) => thrown);
		expect(code(error)).toBe("actor.duplicate_key");
		expect((error as Error).message).toBe(
			`Actor already exists with name 'counter' and key '["a","b"]'`,
		);
	});

	test("lets exactly one of 20 concurrent callers win", async () => {
		await using t = testEngine();
		const outcomes = await Promise.allSettled(
			Array.from({ length: 20 }, () =>
				t.engine.resolve({ kind: "create", name: "counter", key: ["a"], input: null }),
			),
		);
		expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
		const reasons = outcomes.flatMap((outcome) =>
			outcome.status === "rejected" ? [code(outcome.reason)] : [],
		);
		expect(reasons).toEqual(Array(19).fill("actor.duplicate_key"));
	});

	test("takes a key whose holder is being destroyed, once that is done", async () => {
		await using t = testEngine();
		const first = await t.create(["a"]);
		const gate = new Gate();
		const stopping = new Gate();
		t.host.onStop = () => {
			stopping.open();
			return gate.opened;
		};
		const destroyed = t.engine.destroy(first);
		await stopping.opened;
		const query = { kind: "create", name: "counter", key: ["a"], input: null } as const;
		const second = t.engine.resolve(query);
		gate.open();
		expect((await second).actor.actorId).not.toBe(first);
		await destroyed;
	});
});

describe("get", () => {
	test("finds by key and by id without starting anything", async () => {
		await using t = testEngine();
		const actorId = await t.create(["a"]);
		await t.host.stop(actorId, "sleep");
		const byKey = await t.engine.resolve({ kind: "get", name: "counter", key: ["a"] });
		const byId = await t.engine.resolve({ kind: "id", actorId });
		expect(byKey.actor.actorId).toBe(actorId);
		expect(byId.actor.actorId).toBe(actorId);
		expect(t.host.starts).toHaveLength(1);
	});

	test("answers actor.not_found for a key nobody holds, an unknown id and an id of another name", async () => {
		await using t = testEngine();
		const actorId = await t.create(["a"]);
		const queries = [
			{ kind: "get", name: "counter", key: ["b"] },
			{ kind: "get", name: "chat", key: ["a"] },
			{ kind: "id", actorId: "nobody" },
			{ kind: "id", actorId, name: "chat" },
		] as const;
		for (const query of queries) {
			expect(code(await t.engine.resolve(query).catch((e: unknown) => e))).toBe("actor.not_found");
		}
	});
});

describe("names and keys", () => {
	test("pages of names lose none, whatever its letters", async () => {
		// In UTF-16 the second one, of two surrogates, comes first.
		const [used, registered] = ["\u{ff21}", "\u{1d4b3}"] as const;
		const store = createMemoryStore();
		await store.insertActor(newActor({ name: used }));
		const directory = new Directory({
			store,
			namespace: "default",
			actorNames: () => ({ [registered]: {} }),
		} as unknown as DirectoryOptions);
		const page = async (after?: string) => (await directory.names(1, after)).map(([name]) => name);
		expect([await page(), await page(used), await page(registered)]).toEqual([
			[used],
			[registered],
			[],
		]);
	});

	test("refuses an unregistered name and leaves nothing behind", async () => {
		await using t = testEngine({ development: () => false });
		for (const kind of ["getOrCreate", "create"] as const) {
			const error = await t.engine
				.resolve({ kind, name: "nobody", key: [], input: null })
				.catch((e: unknown) => e);
			expect(code(error)).toBe("request.invalid");
			expect((error as Error).message).not.toContain("chat");
		}
		expect(await t.store.listActors({ namespace: "default", limit: 10 })).toEqual([]);
		expect(t.host.starts).toEqual([]);
	});

	test("lists the registered names in development, and where nobody says that it is production", async () => {
		await using told = testEngine({ development: () => true });
		await using plain = testEngine();
		for (const t of [told, plain]) {
			const error = await t.engine
				.resolve({ kind: "get", name: "nobody", key: [] })
				.catch((e: unknown) => e);
			expect((error as Error).message).toContain("registered are: chat, counter");
		}
		vi.stubEnv("NODE_ENV", "production");
		onTestFinished(() => void vi.unstubAllEnvs());
		const error = await plain.engine
			.resolve({ kind: "get", name: "nobody", key: [] })
			.catch((e: unknown) => e);
		expect((error as Error).message).not.toContain("chat");
	});

	test("does not take inherited properties for registered names", async () => {
		await using t = testEngine();
		for (const name of ["__proto__", "constructor", "toString"]) {
			const query = { kind: "getOrCreate", name, key: [], input: null } as const;
			expect(code(await t.engine.resolve(query).catch((e: unknown) => e))).toBe("request.invalid");
		}
	});

	test.each([
		["a name of 65 characters", "n".repeat(65), []],
		["an empty name", "", []],
		["a component of 129 bytes", "counter", ["k".repeat(129)]],
		["a component of 65 two-byte characters", "counter", ["é".repeat(65)]],
		["a serialized key of 1025 bytes", "counter", Array(8).fill("k".repeat(128)).concat("")],
		["a lone surrogate", "counter", ["\ud800"]],
	])("refuses %s", async (_what, name, key) => {
		await using t = testEngine();
		const query = { kind: "getOrCreate", name, key, input: null } as const;
		expect(code(await t.engine.resolve(query).catch((e: unknown) => e))).toBe("request.invalid");
		expect(await t.store.listNames("default", 10)).toEqual([]);
	});

	test("keeps keys apart that only differ in how they are split", async () => {
		await using t = testEngine();
		const keys = [
			[],
			[""],
			["/"],
			["a/b"],
			["a", "b"],
			["a", "", "b"],
			["\\0"],
			["a\\"],
			["a", ""],
		];
		const ids = await Promise.all(keys.map((key) => t.create(key)));
		expect(new Set(ids).size).toBe(keys.length);
		expect(t.host.starts.map(({ key }) => key)).toEqual(keys);
	});

	test("hands any key to the host as it was given", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.string({ unit: "grapheme", maxLength: 12 }), { maxLength: 4 }),
				async (key) => {
					fc.pre(parseKey(serializeKey(key)).length === key.length);
					await using t = testEngine();
					await t.create(key);
					expect(t.host.starts[0]?.key).toEqual(key);
				},
			),
			{ numRuns: 60 },
		);
	});
});

describe("input", () => {
	test("of exactly the limit passes, one byte more is input.too_large with size and limit", async () => {
		await using t = testEngine({ limits: { inputBytesMax: 100 } });
		const query = { kind: "getOrCreate", name: "counter" } as const;
		await t.engine.resolve({ ...query, key: ["a"], input: new Uint8Array(100) });
		const error = await t.engine
			.resolve({ ...query, key: ["b"], input: new Uint8Array(101) })
			.catch((e: unknown) => e);
		expect(code(error)).toBe("input.too_large");
		expect((error as RivetError).metadata).toEqual({ size: 101, limit: 100 });
		expect(await t.store.listActors({ namespace: "default", limit: 10 })).toHaveLength(1);
	});
});

describe("destroy", () => {
	test("of an unknown id is actor.not_found, a second time it does nothing", async () => {
		await using t = testEngine();
		expect(code(await t.engine.destroy("nobody").catch((e: unknown) => e))).toBe("actor.not_found");
		const actorId = await t.create();
		await t.engine.destroy(actorId);
		await t.engine.destroy(actorId);
		expect(t.host.stops).toEqual([[actorId, "destroy"]]);
	});

	test("wakes a sleeping actor, so that its hooks run", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		await t.engine.destroy(actorId);
		expect(t.host.stops).toEqual([
			[actorId, "sleep"],
			[actorId, "destroy"],
		]);
		expect((await t.store.actorById(actorId))?.destroyTs).toBeTypeOf("number");
	});

	test("removes an actor that cannot start", async () => {
		await using t = testEngine();
		const actorId = await t.create(["a"]);
		await t.host.stop(actorId, "sleep");
		t.host.onStart = () => {
			throw new Error("broken");
		};
		await t.engine.destroy(actorId);
		expect((await t.store.actorById(actorId))?.destroyTs).toBeTypeOf("number");
		t.host.onStart = () => {};
		expect(await t.create(["a"])).not.toBe(actorId);
		expect(t.log.map(({ message }) => message)).toContain(
			"actor is destroyed without its hooks, because it cannot be started",
		);
	});

	test("is refused while nobody could run its hooks: no host is there, or the engine closes", async () => {
		await using first = testEngine();
		const actorId = await first.create();
		await first.host.stop(actorId, "sleep");
		const lonely = createEngine({ store: first.store, version: "0", logger: silent });
		const refused = await lonely.destroy(actorId).catch((error: unknown) => error);
		expect(code(refused)).toBe("guard.service_unavailable");

		const stopping = new Gate();
		first.host.onStop = () => stopping.opened;
		await first.create();
		const closed = first.engine.close();
		const late = await first.engine.destroy(actorId).catch((error: unknown) => error);
		expect(code(late)).toBe("guard.service_unavailable");
		expect((await first.store.actorById(actorId))?.destroyTs).toBeNull();
		stopping.open();
		await closed;
	});
});
