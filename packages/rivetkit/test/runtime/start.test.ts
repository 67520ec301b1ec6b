import { encodeBase64, encodeCbor } from "@rivetkit/protocol";
import { describe, expect, it, vi } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { openSqlite } from "../support/stores.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction } from "../support/wire-http.ts";

const HOOKS = ["onMigrate", "createState", "onCreate", "createVars", "onWake", "run"] as const;
type Hook = (typeof HOOKS)[number];

/** An actor that tells which hook runs, before the hook does what the test wants of it. */
function observed(during: (hook: Hook) => void | Promise<void>) {
	return actor({
		createState: async () => {
			await during("createState");
			return { made: true };
		},
		createVars: async () => {
			await during("createVars");
			return {};
		},
		onMigrate: async (_c, _isNew) => during("onMigrate"),
		onCreate: async () => during("onCreate"),
		onWake: async () => during("onWake"),
		run: async () => during("run"),
		actions: {
			ping: (c) => c.actorId,
			nap: (c) => c.sleep(),
		},
	});
}

async function asleep(runtime: TestRuntime, actorId: string): Promise<void> {
	await runtime.action(actorId, "nap");
	await eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));
}

describe("L1 hook order", () => {
	it("runs all hooks in order on the first start, and those of every start on the next", async () => {
		const seen: Hook[] = [];
		const subject = observed((hook) => void seen.push(hook));
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(seen).toEqual(HOOKS);
		await asleep(runtime, id);
		seen.length = 0;
		await runtime.action(id, "ping");
		expect(seen).toEqual(["onMigrate", "createVars", "onWake", "run"]);
	});

	it("is ready at once when the data is at hand and no hook waits", async () => {
		const definition = (onWake: () => void | Promise<void>) =>
			actor({
				state: { count: 0 },
				onWake,
				actions: { count: (c) => c.state.count, nap: (c) => c.sleep() },
			});
		await using sqlite = await openSqlite();
		await using runtime = await TestRuntime.start(
			{ prompt: definition(() => {}), slow: definition(async () => {}) },
			{ store: sqlite.store },
		);
		const start = vi.spyOn(runtime.embedded.host, "start");
		const wake = async (name: string) => {
			const id = await runtime.actorId(name);
			await asleep(runtime, id);
			start.mockClear();
			expect((await runtime.action(id, "count")).status).toBe(200);
			return start.mock.results;
		};
		expect(await wake("prompt")).toEqual([{ type: "return", value: undefined }]);
		expect(await wake("slow")).toEqual([{ type: "return", value: expect.any(Promise) }]);
	});

	it("tells onMigrate whether the actor is new, and gives input to createState and onCreate", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			createState: (_c, input: { n: number }) => ({ n: input.n }),
			onCreate: (c, input: { n: number }) => void seen.push(["onCreate", input, c.state.n]),
			onMigrate: (_c, isNew) => void seen.push(["onMigrate", isNew]),
			actions: { n: (c) => c.state.n, nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "/", encodeBase64(encodeCbor({ n: 7 })));
		expect(seen).toEqual([
			["onMigrate", true],
			["onCreate", { n: 7 }, 7],
		]);
		await asleep(runtime, id);
		expect((await wireAction(runtime, id, "n")).output).toBe(7);
		expect(seen.at(-1)).toEqual(["onMigrate", false]);
	});

	it.each([0, false, "", null])("passes the falsy input %j unchanged (A34)", async (input) => {
		let got: unknown = "nothing";
		const subject = actor({
			onCreate: (_c, given) => {
				got = given;
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		await runtime.actorId("subject", "/", encodeBase64(encodeCbor(input)));
		expect(got).toBe(input);
	});

	it("gives undefined when there is no input (ruling 4)", async () => {
		let got: unknown = "nothing";
		const subject = actor({
			onCreate: (_c, given) => {
				got = given;
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		await runtime.actorId("subject");
		expect(got).toBeUndefined();
	});

	it("prefers the functions when static values are given as well (api 3.1)", async () => {
		const subject = actor({
			state: { from: "static" },
			createState: () => ({ from: "function" }),
			vars: { from: "static" },
			createVars: () => ({ from: "function" }),
			actions: { both: (c) => [c.state.from, c.vars.from] },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "both")).output).toEqual(["function", "function"]);
	});

	it("copies static state and vars for each actor", async () => {
		const subject = actor({
			state: { list: [] as number[] },
			vars: { list: [] as number[] },
			actions: {
				add: (c) => {
					c.state.list.push(1);
					c.vars.list.push(1);
					return [c.state.list.length, c.vars.list.length];
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		for (const key of ["a", "b"]) {
			const id = await runtime.actorId("subject", key);
			expect((await wireAction(runtime, id, "add")).output).toEqual([1, 1]);
		}
	});
});

describe("L2 concurrent first calls", () => {
	it("50 first calls create one actor with one instance, 50 calls to a sleeping one wake it once", async () => {
		const seen: Hook[] = [];
		const gate = new Gate();
		const subject = observed(async (hook) => {
			seen.push(hook);
			if (hook === "onWake") await gate.passed;
		});
		await using runtime = await TestRuntime.start({ subject });
		const calls = Array.from({ length: 50 }, async () => {
			await using client = runtime.client();
			return client.subject!.getOrCreate(["one"]).ping() as Promise<string>;
		});
		await eventually(() => expect(seen).toContain("onWake"));
		gate.open();
		const ids = new Set(await Promise.all(calls));
		expect(ids.size).toBe(1);
		expect(seen).toEqual(HOOKS);

		const [id] = [...ids];
		await asleep(runtime, id!);
		seen.length = 0;
		await Promise.all(Array.from({ length: 50 }, () => wireAction(runtime, id!, "ping")));
		expect(seen).toEqual(["onMigrate", "createVars", "onWake", "run"]);
	});
});

describe("what is stored of a wake", () => {
	/** An actor of crash policy `restart` that sleeps, and time that stands still. */
	async function sleeper() {
		const subject = actor({
			state: { n: 0 },
			actions: { read: (c) => c.state.n, add: (c) => ++c.state.n, nap: (c) => c.sleep() },
		});
		const wrapped = new WrappedStore();
		const clock = new FakeClock();
		const runtime = await TestRuntime.start({ subject }, { store: wrapped.store, clock });
		const id = await runtime.actorId("subject", "a", undefined, "restart");
		await asleep(runtime, id);
		const stored = () => wrapped.inner.actorById(id);
		expect(await stored()).toMatchObject({ sleepTs: expect.any(Number) });
		return { runtime, id, wrapped, clock, stored };
	}

	it("comes at once where the actor is to run again after a crash", async () => {
		const { runtime, id, stored } = await sleeper();
		await using _ = runtime;
		expect((await wireAction(runtime, id, "read")).output).toBe(0);
		await eventually(async () => expect(await stored()).toMatchObject({ sleepTs: null }));
	});

	it("comes with the next commit where its own fails", async () => {
		const { runtime, id, wrapped, stored } = await sleeper();
		await using _ = runtime;
		wrapped.failNext();
		await wireAction(runtime, id, "read");
		await eventually(() => expect(wrapped.fail).toBeNull());
		await eventually(async () => expect((await wireAction(runtime, id, "add")).status).toBe(200));
		expect(await stored()).toMatchObject({ sleepTs: null });
	});

	it("comes by itself after `stateSaveInterval` where its own fails and no other follows", async () => {
		const { runtime, id, wrapped, clock, stored } = await sleeper();
		await using _ = runtime;
		wrapped.failNext();
		await wireAction(runtime, id, "read");
		await eventually(() => expect(wrapped.fail).toBeNull());
		await eventually(async () => {
			clock.advance(1_000);
			expect(await stored()).toMatchObject({ sleepTs: null });
		});
	});
});

describe("L3 failing starts", () => {
	const failing = HOOKS.filter((hook) => hook !== "run");

	it.each(failing)(
		"masks what %s throws, discards the instance, and retries on the next call",
		async (hook) => {
			let broken = true;
			let starts = 0;
			const subject = observed((at) => {
				if (at === "onMigrate") starts++;
				if (at === hook && broken) throw new Error("secret");
			});
			await using runtime = await TestRuntime.start({ subject });
			const local = runtime.localClient();
			const handle = local.subject!.getOrCreate(["a"]);
			const failure = await handle.ping().catch((error: unknown) => error);
			expect(failure).toMatchObject({ group: "rivetkit", code: "internal_error", metadata: {} });
			expect((failure as Error).message).not.toContain("secret");
			expect(runtime.embedded.host.liveActorIds).toEqual([]);
			broken = false;
			expect(await handle.ping()).toBeTypeOf("string");
			expect(starts).toBe(2);
			await local.dispose();
		},
	);

	it.each(failing)("logs each failure of %s once, whoever hears of it", async (hook) => {
		let starts = 0;
		const subject = observed((at) => {
			if (at === "onMigrate") starts++;
			if (at === hook) throw new Error("broken");
		});
		await using runtime = await TestRuntime.start({ subject });
		const ping = async () => {
			await using client = runtime.client();
			return outcomeOf(client.subject!.getOrCreate(["a"]).ping());
		};
		for (const outcome of await Promise.all([ping(), ping(), ping()])) {
			expect(outcome).toBe("rivetkit.internal_error");
		}
		// While it backs off, and after that.
		await ping();
		await ping();
		const errors = runtime.log.filter(({ level }) => level === "error");
		expect(errors).toEqual(
			Array.from({ length: starts }, (_, generation) => ({
				level: "error",
				message: "start failed",
				fields: {
					actor: "subject",
					key: "a",
					actorId: expect.any(String),
					generation,
					phase: hook,
					err: expect.objectContaining({ message: "broken" }),
				},
			})),
		);
	});

	it("answers with the last error at once while the actor backs off: 0, 100, 200 ms …", async () => {
		const clock = new FakeClock();
		let starts = 0;
		const subject = observed((hook) => {
			if (hook !== "onWake") return;
			starts++;
			throw new Error("always");
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const handle = runtime.localClient().subject!.getOrCreate(["a"]);
		const expectStarts = async (count: number) => {
			await soon(outcomeOf(handle.ping()));
			expect(starts).toBe(count);
		};
		await expectStarts(1);
		await expectStarts(2);
		await expectStarts(2);
		await clock.advance(99);
		await expectStarts(2);
		await clock.advance(1);
		await expectStarts(3);
		await clock.advance(199);
		await expectStarts(3);
		await clock.advance(1);
		await expectStarts(4);
	});

	it.each(failing)(
		"names %s when the start as a whole takes too long (W-START-5)",
		async (hook) => {
			const clock = new FakeClock();
			let entered = false;
			const subject = observed(async (at) => {
				if (at !== hook) return;
				entered = true;
				await new Promise(() => {});
			});
			const slow = actor({
				...subject.config,
				options: { startTimeout: 1_000, createVarsTimeout: 9e3 },
			});
			await using runtime = await TestRuntime.start({ slow }, { clock });
			const outcome = outcomeOf(runtime.localClient().slow!.getOrCreate(["a"]).ping());
			await eventually(() => expect(entered).toBe(true));
			await clock.advance(1_100);
			expect(await soon(outcome)).toBe("rivetkit.internal_error");
			const line = runtime.log.find(({ message }) => message === "start failed");
			expect(String(line?.fields.err)).toContain(hook);
			expect(runtime.embedded.host.liveActorIds).toEqual([]);
		},
	);

	it("limits createVars by its own option", async () => {
		const clock = new FakeClock();
		const gate = new Gate();
		const subject = actor({
			createVars: () => gate.passed.then(() => ({})),
			options: { createVarsTimeout: 50 },
			actions: { ping: () => 1 },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const outcome = outcomeOf(runtime.localClient().subject!.getOrCreate(["a"]).ping());
		await eventually(() => expect(clock.armed).toBeGreaterThan(1));
		await clock.advance(100);
		expect(await soon(outcome)).toBe("rivetkit.internal_error");
		const line = runtime.log.find(({ message }) => message === "start failed");
		expect(String(line?.fields.err)).toContain("options.createVarsTimeout");
	});

	it.each([["text"], [undefined], [null], [{ odd: true }]])(
		"survives a hook that throws %j",
		async (thrown) => {
			let broken = true;
			const subject = observed((hook) => {
				if (hook === "onCreate" && broken) throw thrown;
			});
			await using runtime = await TestRuntime.start({ subject });
			const handle = runtime.localClient().subject!.getOrCreate(["a"]);
			expect(await outcomeOf(handle.ping())).toBe("rivetkit.internal_error");
			const errors = runtime.log.filter(({ level }) => level === "error");
			expect(errors.map(({ fields }) => fields.err)).toEqual([thrown]);
			broken = false;
			expect(await outcomeOf(handle.ping())).toBe("ok");
		},
	);
});

describe("L4 public errors while creating", () => {
	it.each(["createState", "onCreate"] as const)(
		"%s: the creator gets the UserError, and the key stays free",
		async (hook) => {
			let broken = true;
			const subject = observed((at) => {
				if (at === hook && broken)
					throw new UserError("bad input", { code: "bad", metadata: { field: "x" } });
			});
			await using runtime = await TestRuntime.start({ subject });
			const local = runtime.localClient();
			await expect(local.subject!.create(["a"])).rejects.toMatchObject({
				group: "user",
				code: "bad",
				message: "bad input",
				metadata: { field: "x" },
			});
			expect(await outcomeOf(local.subject!.get(["a"]).ping())).toBe("actor.not_found");
			expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
			broken = false;
			expect(await outcomeOf(local.subject!.create(["a"]))).toBe("ok");
		},
	);

	it("the management API answers with the code as well", async () => {
		const subject = observed((hook) => {
			if (hook === "createState") throw new UserError("no", { code: "bad" });
		});
		await using runtime = await TestRuntime.start({ subject });
		const response = await fetch(`${runtime.url}/actors`, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({
				name: "subject",
				key: "/",
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
		});
		expect(response.status).toBe(400);
		expect(await response.json()).toMatchObject({ group: "user", code: "bad" });
	});

	it.each(["createVars", "onWake"] as const)(
		"%s is not part of creating: its UserError stays internal, the actor exists",
		async (hook) => {
			let broken = true;
			const states: Hook[] = [];
			const subject = observed((at) => {
				states.push(at);
				if (at === hook && broken) throw new UserError("inside", { code: "inside" });
			});
			await using runtime = await TestRuntime.start({ subject });
			const handle = runtime.localClient().subject!.getOrCreate(["a"]);
			expect(await outcomeOf(handle.ping())).toBe("rivetkit.internal_error");
			expect(await outcomeOf(handle.ping())).toBe("rivetkit.internal_error");
			broken = false;
			await eventually(async () => expect(await outcomeOf(handle.ping())).toBe("ok"));
			expect(states.filter((at) => at === "createState")).toHaveLength(1);
		},
	);

	it("state that cannot be stored fails the creation and says where", async () => {
		const subject = actor({ createState: () => ({ deep: { bad: (() => 1) as unknown } }) });
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const failure = await runtime
			.localClient()
			.subject!.create(["a"])
			.catch((error: unknown) => error);
		expect(codeOf(failure)).toBe("state.invalid_type");
		expect((failure as Error).message).toContain("state.deep.bad");
	});
});

describe("L5 a crash while creating", () => {
	it("runs createState and onCreate again, since nothing was committed between them", async () => {
		const wrapped = new WrappedStore();
		const seen: Hook[] = [];
		const gate = new Gate();
		const stuck = observed(async (hook) => {
			seen.push(hook);
			if (hook === "onCreate") await gate.passed;
		});
		await using crashed = await TestRuntime.start({ subject: stuck }, { store: wrapped.store });
		const lost = outcomeOf(crashed.localClient().subject!.getOrCreate(["a"]).ping());
		await eventually(() => expect(seen).toContain("onCreate"));
		expect(wrapped.commits).toEqual([]);

		seen.length = 0;
		const well = observed((hook) => void seen.push(hook));
		await using runtime = await TestRuntime.start({ subject: well }, { store: wrapped.store });
		await runtime.localClient().subject!.getOrCreate(["a"]).ping();
		expect(seen).toEqual(HOOKS);

		// The one that hung comes back to life, and finds that it may not write (L54).
		gate.open();
		expect(await soon(lost)).toBe("actor.stopping");
	});

	it("never runs them again after the first commit", async () => {
		const wrapped = new WrappedStore();
		const seen: Hook[] = [];
		const subject = observed((hook) => void seen.push(hook));
		const first = await TestRuntime.start({ subject }, { store: wrapped.store });
		await first.localClient().subject!.getOrCreate(["a"]).ping();
		await first.embedded.close();
		seen.length = 0;
		await using second = await TestRuntime.start({ subject }, { store: wrapped.store });
		await second.localClient().subject!.getOrCreate(["a"]).ping();
		expect(seen).toEqual(["onMigrate", "createVars", "onWake", "run"]);
	});
});

it("a start that is fenced off fails, though its hooks go on, and the next call is served", async () => {
	const wrapped = new WrappedStore();
	const lost = new Gate();
	const gate = new Gate();
	let wakes = 0;
	const subject = actor({
		state: { count: 0 },
		onWake: async (c) => {
			if (++wakes !== 2) return;
			c.state.count = 100;
			await c.saveState({ immediate: true }).catch(() => lost.open());
			await gate.passed;
		},
		actions: { count: (c) => c.state.count, nap: (c) => c.sleep() },
	});
	await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
	const id = await runtime.actorId("subject");
	await asleep(runtime, id);
	wrapped.fail = () => {
		wrapped.fail = null;
		void wrapped.inner.acquire(id);
		return undefined;
	};
	const call = wireAction(runtime, id, "count");
	await lost.passed;
	gate.open();
	expect(codeOf(await soon(call))).toBe("rivetkit.internal_error");
	expect((await soon(wireAction(runtime, id, "count"))).output).toBe(0);
	expect(wakes).toBe(3);
});

it("a start whose time is over in the moment in which its last hook ends has failed", async () => {
	const clock = new FakeClock();
	let waits = false;
	const hook = new Gate();
	const subject = actor({
		onWake: () => {
			if (!waits) return;
			hook.open();
			return new Promise<void>((resolve) => {
				clock.after(1_000, resolve);
			});
		},
		actions: { ping: () => "pong", nap: (c) => c.sleep() },
		options: { startTimeout: 1_000 },
	});
	await using runtime = await TestRuntime.start({ subject }, { clock });
	const id = await runtime.actorId("subject");
	await asleep(runtime, id);
	waits = true;
	const call = wireAction(runtime, id, "ping");
	await hook.passed;
	// Both timers fire before any promise is heard of.
	clock.advanceSync(1_100);
	expect(codeOf(await soon(call))).toBe("rivetkit.internal_error");
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
	waits = false;
	expect((await soon(wireAction(runtime, id, "ping"))).output).toBe("pong");
});
