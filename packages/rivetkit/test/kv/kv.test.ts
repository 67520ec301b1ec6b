import { ActorKv } from "rivetkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { ScriptedActor } from "../support/scripted-actor.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { STORES, type TestStore } from "../support/stores.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe.each(STORES)("c.kv on the %s store", (_name, openStore) => {
	let testStore: TestStore;
	let runtime: TestRuntime;
	let script: ScriptedActor;
	let count = 0;

	beforeAll(async () => {
		testStore = await openStore();
		script = new ScriptedActor();
		const use = { subject: script.definition };
		runtime = await TestRuntime.start(use, { store: testStore.store });
	});
	afterAll(async () => {
		await runtime[Symbol.asyncDispose]();
		await testStore[Symbol.asyncDispose]();
	});

	/** A fresh actor. */
	const fresh = () => script.in(runtime, "subject", `${count++}`);
	const sleep = async () => {
		const { actorId } = script;
		await script.call("nap");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));
	};

	it("gives back what was put: at once, in the next action, and after a sleep", async () => {
		await fresh();
		const read = () =>
			script.run(async (c) => ({
				one: await c.kv.get("a"),
				none: await c.kv.get("missing"),
				some: await c.kv.getBatch(["b", "missing", "a", "b"]),
				all: await c.kv.list(""),
				unlimited: await c.kv.list(),
			}));
		const all = [
			["a", "1"],
			["b", "2"],
			["c", "3"],
		];
		const expected = { one: "1", none: null, some: ["2", null, "1", "2"], all, unlimited: all };
		await script.run(async (c) => {
			expect(c.kv).toBeInstanceOf(ActorKv);
			await c.kv.put("a", "1");
			await c.kv.putBatch([
				["c", "0"],
				["b", "2"],
				["c", "3"],
			]);
			await c.kv.putBatch([]);
			await c.kv.deleteBatch([]);
			expect(await c.kv.getBatch([])).toEqual([]);
			expect(await c.kv.list("")).toEqual(all);
		});
		expect(await read()).toEqual(expected);
		await sleep();
		expect(await read()).toEqual(expected);
	});

	it("forgets what was deleted: at once, in the next action, and after a sleep", async () => {
		await fresh();
		const keys = ["a", "b", "c", "d", "e", "f"];
		await script.run((c) => c.kv.putBatch(keys.map((key) => [key, key])));
		await script.run(async (c) => {
			await c.kv.delete("a");
			await c.kv.delete("missing");
			await c.kv.deleteBatch(["b", "missing"]);
			await c.kv.deleteRange("c", "e");
			await c.kv.deleteRange("f", "e");
			await c.kv.deleteRange("f", "f");
			expect(await c.kv.getBatch(keys)).toEqual([null, null, null, null, "e", "f"]);
		});
		const left = [
			["e", "e"],
			["f", "f"],
		];
		expect(await script.run((c) => c.kv.list(""))).toEqual(left);
		await sleep();
		expect(await script.run((c) => c.kv.list(""))).toEqual(left);
		expect(await script.run((c) => c.kv.getBatch(keys))).toEqual([
			null,
			null,
			null,
			null,
			"e",
			"f",
		]);
	});

	it("sees writes that nobody waited for", async () => {
		await fresh();
		await script.run(async (c) => {
			const puts = [c.kv.put("a", "1"), c.kv.put("b", "2"), c.kv.delete("a")];
			expect(await c.kv.getBatch(["a", "b"])).toEqual([null, "2"]);
			expect(await Promise.all(puts)).toEqual([undefined, undefined, undefined]);
		});
	});

	it("reads every value as any type, and keeps no memory in common", async () => {
		await fresh();
		const source = bytes(0xe2, 0x82, 0xac);
		await script.run(async (c) => {
			await c.kv.put("text", "€");
			await c.kv.put("binary", source);
			await c.kv.put("view", bytes(9, ...source, 9).subarray(1, 4));
			await c.kv.put("arrayBuffer", source.buffer);
			await c.kv.put("buffer", Buffer.from(source));
			source.fill(0);
		});
		for (const asleep of [false, true]) {
			if (asleep) await sleep();
			await script.run(async (c) => {
				for (const key of ["text", "binary", "view", "arrayBuffer", "buffer"]) {
					expect(await c.kv.get(key), key).toBe("€");
					expect(await c.kv.get(key, { type: "text" }), key).toBe("€");
					for (const round of ["first", "again"]) {
						const binary = (await c.kv.get(key, { type: "binary" }))!;
						expect(Object.getPrototypeOf(binary), key).toBe(Uint8Array.prototype);
						expect([...binary], `${key} ${round}`).toEqual([0xe2, 0x82, 0xac]);
						binary.fill(0);
						const buffer = (await c.kv.get(key, { type: "arrayBuffer" }))!;
						expect(buffer).toBeInstanceOf(ArrayBuffer);
						expect([...new Uint8Array(buffer)], `${key} ${round}`).toEqual([0xe2, 0x82, 0xac]);
						new Uint8Array(buffer).fill(0);
					}
				}
				const listed = await c.kv.list("", { type: "arrayBuffer" });
				expect(listed.map(([, value]) => value.byteLength)).toEqual([3, 3, 3, 3, 3]);
				expect((await c.kv.getBatch(["text"], { type: "binary" }))[0]).toEqual(
					bytes(0xe2, 0x82, 0xac),
				);
			});
		}
	});

	it("takes empty keys, empty values, and any text and bytes", async () => {
		await fresh();
		const texts = ["", "\0", "\uFEFFabc", "a\0b", "é", "\uFFFF", "\u{10000}", "z".repeat(300)];
		await script.run(async (c) => {
			for (const text of texts) await c.kv.put(text, text);
			await c.kv.put(bytes(0xff, 0x00), bytes());
			await c.kv.put("empty buffer", new ArrayBuffer(0));
		});
		for (const asleep of [false, true]) {
			if (asleep) await sleep();
			await script.run(async (c) => {
				for (const text of texts) expect(await c.kv.get(text)).toBe(text);
				for (const key of [bytes(0xff, 0x00), "empty buffer"]) {
					expect(await c.kv.get(key)).toBe("");
					expect(await c.kv.get(key, { type: "binary" })).toEqual(bytes());
					expect((await c.kv.get(key, { type: "arrayBuffer" }))!.byteLength).toBe(0);
				}
				// A text and its bytes are the same key; the order is that of the bytes, not of UTF-16.
				expect(await c.kv.get(new TextEncoder().encode("é"))).toBe("é");
				const keys = (await c.kv.list("", { keyType: "text" })).map(([key]) => key);
				const ordered = [...texts, "empty buffer"].sort((a, b) =>
					Buffer.compare(Buffer.from(a), Buffer.from(b)),
				);
				expect(keys).toEqual([...ordered, "\uFFFD\0"]);
				expect(ordered.indexOf("\u{10000}")).toBeGreaterThan(ordered.indexOf("\uFFFF"));
			});
		}
	});

	it("reads what is not UTF-8 as U+FFFD, and as bytes exactly", async () => {
		await fresh();
		const value = bytes(0xff, 0x61, 0xc3);
		await script.run((c) => c.kv.put(bytes(0xfe), value));
		for (const asleep of [false, true]) {
			if (asleep) await sleep();
			await script.run(async (c) => {
				expect(await c.kv.get(bytes(0xfe))).toBe("\uFFFDa\uFFFD");
				expect(await c.kv.get(bytes(0xfe), { type: "binary" })).toEqual(value);
				expect(await c.kv.list("")).toEqual([["\uFFFD", "\uFFFDa\uFFFD"]]);
				expect(await c.kv.list(bytes(), { keyType: "binary", type: "binary" })).toEqual([
					[bytes(0xfe), value],
				]);
			});
		}
		await script.run(async (c) => {
			await c.kv.put("lone", "a\uD800b");
			expect(await c.kv.get("lone")).toBe("a\uFFFDb");
		});
		expect(await script.run((c) => c.kv.get("lone"))).toBe("a\uFFFDb");
	});

	it("lists by prefix and range, forwards and backwards, up to a limit, stored and not", async () => {
		await fresh();
		await script.run((c) =>
			c.kv.putBatch(
				["a", "p", "p:a", "p:b", "p:c", "p:\u{10FFFF}", "q"].map((key) => [key, "old"]),
			),
		);
		await script.run(async (c) => {
			await c.kv.put("p:b2", "new");
			await c.kv.delete("p:c");
			const keys = async (...args: Parameters<typeof c.kv.list>) =>
				(await c.kv.list(...args)).map(([key]) => key);
			expect(await keys("p:")).toEqual(["p:a", "p:b", "p:b2", "p:\u{10FFFF}"]);
			expect(await keys("p:", { limit: 3 })).toEqual(["p:a", "p:b", "p:b2"]);
			expect(await keys("p:", { limit: 3, reverse: true })).toEqual([
				"p:\u{10FFFF}",
				"p:b2",
				"p:b",
			]);
			expect(await keys("p:", { limit: 0 })).toEqual([]);
			expect(await keys("p:", { limit: Number.POSITIVE_INFINITY })).toHaveLength(4);
			expect(await keys("p:", { start: "p:b", end: "p:b2" })).toEqual(["p:b"]);
			expect(await keys("p:", { start: "p:b\0", limit: 1 })).toEqual(["p:b2"]);
			expect(await keys("p:", { start: "a", end: "z" })).toHaveLength(4);
			expect(await keys("p:", { start: "q" })).toEqual([]);
			expect(await keys("p:", { end: "p" })).toEqual([]);
			expect(await keys("", { start: "p", end: "p:a" })).toEqual(["p"]);
			expect(await keys("none")).toEqual([]);
			expect(await keys(bytes(0x70, 0x3a), { limit: 1 })).toEqual(["p:a"]);
			expect(await c.kv.list(bytes(0x71), { keyType: "binary" })).toEqual([[bytes(0x71), "old"]]);
			expect(await c.kv.list("p:b")).toEqual([
				["p:b", "old"],
				["p:b2", "new"],
			]);
		});
	});

	it("pages through everything by the last key", async () => {
		await fresh();
		const keys = Array.from({ length: 100 }, (_unused, index) => `${index}`.padStart(3, "0"));
		await script.run((c) => c.kv.putBatch(keys.map((key) => [key, key])));
		const seen = await script.run(async (c) => {
			const found: string[] = [];
			for (let start = ""; ; start = `${found.at(-1)}\0`) {
				const page = await c.kv.list("", { start, limit: 7 });
				if (page.length === 0) return found;
				found.push(...page.map(([key]) => key));
			}
		});
		expect(seen).toEqual(keys);
	});

	it("stores bytes of the state, which are proxies", async () => {
		await fresh();
		await script.run(async (c) => {
			const state = c.state as unknown as { bytes: Uint8Array; key: Uint8Array; keys: string[] };
			state.bytes = bytes(1, 2, 3);
			state.key = bytes(7);
			state.keys = ["a", "b"];
			await c.kv.put(state.key, state.bytes);
			expect(await c.kv.get(bytes(7), { type: "binary" })).toEqual(bytes(1, 2, 3));
			expect(await c.kv.getBatch(state.keys)).toEqual([null, null]);
		});
	});

	it("rejects what is no key, no value and no option with a TypeError, and stores nothing", async () => {
		await fresh();
		await script.run(async (c) => {
			const kv = c.kv as never as Record<string, (...args: unknown[]) => Promise<unknown>>;
			const wrong: Readonly<Record<string, [method: string, ...args: unknown[]]>> = {
				"number as key": ["put", 5, "v"],
				"ArrayBuffer as key": ["put", new ArrayBuffer(1), "v"],
				"undefined as key": ["get", undefined],
				"null as key": ["delete", null],
				"array as key": ["get", ["a"]],
				"lone surrogate in a key": ["put", "a\uD800", "v"],
				"number as value": ["put", "k", 5],
				"null as value": ["put", "k", null],
				"undefined as value": ["put", "k", undefined],
				"object as value": ["put", "k", { a: 1 }],
				"DataView as value": ["put", "k", new DataView(new ArrayBuffer(2))],
				"Uint16Array as value": ["put", "k", new Uint16Array(2)],
				"type that does not match a text": ["put", "k", "v", { type: "binary" }],
				"type that does not match bytes": ["put", "k", bytes(1), { type: "text" }],
				"type that does not match a buffer": ["put", "k", new ArrayBuffer(1), { type: "binary" }],
				"type that does not match in a batch": ["putBatch", [["k", "v"]], { type: "binary" }],
				"unknown type": ["get", "k", { type: "json" }],
				"unknown type for a batch": ["getBatch", ["k"], { type: "json" }],
				"unknown type for a list": ["list", "k", { type: "json" }],
				"unknown type on write": ["put", "k", "v", { type: "json" }],
				"text as options": ["get", "k", "text"],
				"null as options": ["get", "k", null],
				"text as keys": ["getBatch", "keys"],
				"text as entries": ["putBatch", "entries"],
				"object as entries": ["putBatch", { k: "v" }],
				"entry that is no pair": ["putBatch", [["k", "v"], ["k"]]],
				"entry that is text": ["putBatch", ["kv"]],
				"unknown keyType": ["list", "k", { keyType: "json" }],
				"text prefix for binary keys": ["list", "k", { keyType: "binary" }],
				"number as prefix": ["list", 5],
				"negative limit": ["list", "", { limit: -1 }],
				"fraction as limit": ["list", "", { limit: 1.5 }],
				"NaN as limit": ["list", "", { limit: Number.NaN }],
				"text as limit": ["list", "", { limit: "1" }],
				"text as reverse": ["list", "", { reverse: "yes" }],
				"number as start": ["list", "", { start: 5 }],
				"number as end": ["deleteRange", "a", 5],
			};
			for (const [what, [method, ...args]] of Object.entries(wrong)) {
				await expect(kv[method]!(...args), what).rejects.toBeInstanceOf(TypeError);
			}
			expect(await c.kv.list("")).toEqual([]);
		});
		expect(await script.run((c) => c.kv.list(""))).toEqual([]);
	});

	it("is gone with the actor", async () => {
		await fresh();
		const { actorId } = script;
		await script.run((c) => c.kv.put("a", "1"));
		await script.run((c) => c.destroy());
		await eventually(async () => {
			const range = { start: new Uint8Array(), end: null };
			expect(await runtime.store.scan(actorId, range)).toEqual([]);
			expect(codeOf(await script.call("ping"))).toBe("actor.not_found");
		});
	});

	it("is read over the management API by its place in the actor's store", async () => {
		await fresh();
		await script.run((c) => c.kv.put("a", bytes(0xff, 0x00)));
		const read = async (key: Uint8Array) => {
			const path = encodeURIComponent(Buffer.from(key).toString("base64"));
			const response = await fetch(`${runtime.url}/actors/${script.actorId}/kv/keys/${path}`);
			return (await response.json()) as unknown;
		};
		const mode = process.env.NODE_ENV;
		process.env.NODE_ENV = "development";
		try {
			expect(await read(bytes(0x12, 0x61))).toEqual({ value: "/wA=" });
			expect(await read(bytes(0x12, 0x62))).toEqual({ value: null });
			expect(await read(bytes(0x61))).toEqual({ value: null });
		} finally {
			process.env.NODE_ENV = mode;
		}
	});
});

describe("c.kv and commits", () => {
	it("is one commit with state, and waits for none inside a call", async () => {
		const wrapped = new WrappedStore();
		const script = new ScriptedActor();
		await using runtime = await TestRuntime.start(
			{ subject: script.definition },
			{ store: wrapped.store },
		);
		await script.in(runtime);
		const before = wrapped.commits.length;
		await script.run(async (c) => {
			for (let index = 0; index < 500; index++) {
				await c.kv.put(`${index % 50}`, `${index}`);
				c.state.n++;
				expect(await c.kv.get(`${index % 50}`)).toBe(`${index}`);
			}
			expect(wrapped.commits.length).toBe(before);
		});
		const commits = wrapped.commits.slice(before);
		expect(commits).toHaveLength(1);
		// The state, the 50 keys, the bound of their size.
		expect(commits[0]!.ops).toHaveLength(52);
	});

	it("goes back with what is in flight and what is written since when a commit fails", async () => {
		const wrapped = new WrappedStore();
		const script = new ScriptedActor();
		await using runtime = await TestRuntime.start(
			{ subject: script.definition },
			{ store: wrapped.store },
		);
		await script.in(runtime);
		await script.run(async (c) => {
			await c.kv.put("kept", "1");
			await c.kv.put("deleted", "1");
		});
		const letGo = wrapped.hold();
		wrapped.failNext();
		const commits = wrapped.commits.length;
		const inFlight = script.answer(async (c) => {
			await c.kv.put("kept", "2");
			await c.kv.deleteRange("a", "e");
			await c.kv.put("new", "2");
		});
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		let seen: unknown;
		const builtUpon = script.answer(async (c) => {
			seen = await c.kv.list("");
			await c.kv.put("more", "3");
		});
		await eventually(() => expect(seen).toBeDefined());
		expect(seen).toEqual([
			["kept", "2"],
			["new", "2"],
		]);
		letGo();
		expect(codeOf(await inFlight)).toBe("rivetkit.internal_error");
		expect(codeOf(await builtUpon)).toBe("rivetkit.internal_error");
		expect(await script.run((c) => c.kv.list(""))).toEqual([
			["deleted", "1"],
			["kept", "1"],
		]);
		await script.run((c) => c.kv.put("new", "4"));
		expect(await script.run((c) => c.kv.getBatch(["kept", "deleted", "new", "more"]))).toEqual([
			"1",
			"1",
			"4",
			null,
		]);
	});

	it("is saved within stateSaveInterval when nobody waits for it (ruling 17)", async () => {
		const clock = new FakeClock();
		const wrapped = new WrappedStore();
		let write!: () => Promise<void>;
		const subject = actor({
			run: async (c) => {
				write = () => c.kv.put("a", "1");
				await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
			},
			actions: {},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store, clock });
		await runtime.actorId("subject");
		await eventually(() => expect(write).toBeDefined());
		await clock.advance(5_000);
		const before = wrapped.commits.length;
		await write();
		await clock.advance(900);
		expect(wrapped.commits.length).toBe(before);
		await clock.advance(200);
		expect(wrapped.commits.length).toBe(before + 1);
		expect(wrapped.commits.at(-1)!.ops).toHaveLength(2);
	});

	it("is cut early when much is written with waits in between", async () => {
		const wrapped = new WrappedStore();
		const script = new ScriptedActor();
		await using runtime = await TestRuntime.start(
			{ subject: script.definition },
			{ store: wrapped.store },
		);
		await script.in(runtime);
		const before = wrapped.commits.length;
		await script.run(async (c) => {
			for (let index = 0; index < 60; index++) {
				await c.kv.put(`${index}`, "v".repeat(100_000));
				await new Promise((resolve) => setImmediate(resolve));
			}
		});
		expect(wrapped.commits.length - before).toBeGreaterThan(3);
		expect(await script.run(async (c) => (await c.kv.list("")).length)).toBe(60);
	});

	it("refuses more than options.maxUncommittedKvSize in one commit, and goes on after it", async () => {
		const script = new ScriptedActor({ maxUncommittedKvSize: 500_000 });
		await using runtime = await TestRuntime.start({ subject: script.definition });
		await script.in(runtime);
		const answer = await script.answer(async (c) => {
			for (let index = 0; ; index++) await c.kv.put(`${index}`, "v".repeat(100_000));
		});
		expect(codeOf(answer)).toBe("kv.uncommitted_too_large");
		expect(answer.error!.message).toContain("maxUncommittedKvSize");
		await script.run(async (c) => {
			for (let index = 0; index < 10; index++) {
				await c.kv.put(`${index}`, "v".repeat(100_000));
				await c.saveState({ immediate: true });
			}
			expect(await c.kv.list("", { type: "binary" })).toHaveLength(10);
		});
	});

	it("works in every hook, and is there in the next one", async () => {
		const seen: Record<string, unknown> = {};
		const look = async (hook: string, c: { kv: ActorKv }) => {
			seen[hook] = (await c.kv.list("")).map(([key]) => key);
			await c.kv.put(`${Object.keys(seen).length} ${hook}`, "v");
		};
		const subject = actor({
			createState: async (c) => {
				await look("createState", c);
				return { n: 0 };
			},
			createVars: async (c) => {
				await look("createVars", c);
				return {};
			},
			onMigrate: (c) => look("onMigrate", c),
			onCreate: (c) => look("onCreate", c),
			onWake: (c) => look("onWake", c),
			onSleep: (c) => look("onSleep", c),
			onConnect: (c) => look("onConnect", c),
			onDisconnect: (c) => look("onDisconnect", c),
			actions: {
				look: (c) => look("action", c),
				nap: (c) => c.sleep(),
				list: async (c) => (await c.kv.list("")).map(([key]) => key),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "look");
		await wireAction(runtime, id, "nap");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		const order = [
			"onMigrate",
			"createState",
			"onCreate",
			"createVars",
			"onWake",
			"onConnect",
			"action",
			"onDisconnect",
			"onSleep",
		];
		expect(Object.keys(seen)).toEqual(order);
		expect((seen.onSleep as string[]).slice(0, 5)).toEqual(
			order.slice(0, 5).map((hook, index) => `${index + 1} ${hook}`),
		);
	});

	it("takes nothing from what is left over after the stop, and gives nothing (L13)", async () => {
		let kept!: ActorKv;
		let context!: { readonly kv: ActorKv };
		const subject = actor({
			actions: {
				keep: async (c) => {
					kept = c.kv;
					context = c;
					await c.kv.put("a", "1");
					c.sleep();
				},
				list: (c) => c.kv.list(""),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "keep");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		expect(() => context.kv).toThrow(/stopping/);
		for (const late of [
			() => kept.put("a", "late"),
			() => kept.putBatch([["a", "late"]]),
			() => kept.delete("a"),
			() => kept.deleteBatch(["a"]),
			() => kept.deleteRange("", "z"),
			() => kept.get("a"),
			() => kept.getBatch(["a"]),
			() => kept.list(""),
		]) {
			expect(codeOf(await late().catch((error: unknown) => error))).toBe("actor.stopping");
		}
		expect((await wireAction(runtime, id, "list")).output).toEqual([["a", "1"]]);
	});
});
