import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { actor, event } from "../../src/actor/index.ts";
import { ActorInstance } from "../../src/runtime/instance/instance.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime, type TestRuntimeOptions } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

/** Enough for a call in this process, or a frame that has arrived, to begin if it may. */
async function turns(): Promise<void> {
	for (let count = 0; count < 20; count++) {
		await new Promise<void>((resolve) => setImmediate(resolve));
	}
}

/** An actor with every door that calls come in by. Notes in `order` what it does. */
async function start(options: object = {}, runtimeOptions: TestRuntimeOptions = {}) {
	const order: string[] = [];
	const begun = new Gate();
	const end = new Gate<"succeed" | "fail">();
	const ran = new Gate<{ error?: unknown }>();
	const subject = actor({
		state: { n: 0 },
		options,
		events: {
			news: event<string>(),
			guarded: event<string>({
				canSubscribe: () => {
					order.push("canSubscribe");
					return true;
				},
			}),
		},
		onBeforeConnect: (_c, params: { tell?: boolean } | undefined) => {
			if (params?.tell) order.push("onBeforeConnect");
		},
		onDisconnect: (_c, conn) => {
			if (conn.kind === "websocket") order.push("onDisconnect");
		},
		onRequest: async (_c, request) => {
			order.push(`onRequest ${await request.text()}`);
			return new Response("fine");
		},
		onWebSocket: (c, socket) => {
			order.push("onWebSocket");
			socket.addEventListener("message", ({ data }) => {
				order.push(`message ${data}`);
				c.state.n++;
			});
			socket.addEventListener("close", () => order.push("close"));
		},
		onSleep: async (c) => {
			order.push(`onSleep sees ${await c.kv.get("section")}`);
			await c.kv.put("slept", "1");
		},
		actions: {
			/** Holds the actor until the test says how it ends. */
			section: async (c) => {
				try {
					await c.atomic(async () => {
						order.push("section begins");
						c.broadcast("news", "before");
						c.state.n++;
						await c.kv.put("section", "1");
						c.broadcast("news", "inside");
						begun.open();
						if ((await end.passed) === "fail") throw new Error("as wished");
					});
					ran.open({});
				} catch (error) {
					ran.open({ error });
				}
				order.push("section ends");
			},
			note: (c, text: string) => {
				order.push(text);
				c.state.n++;
			},
			disconnectAll: async (c) => {
				await c.atomic(async () => {
					for (const conn of c.conns.values()) {
						if (conn.kind === "websocket") await conn.disconnect();
					}
					await c.kv.put("disconnected", "1");
				});
			},
			nap: (c) => c.sleep(),
			n: (c) => c.state.n,
			list: async (c) => (await c.kv.list("")).map(([key]) => key),
		},
	});
	const wrapped = new WrappedStore();
	const runtime = await TestRuntime.start({ subject }, { store: wrapped.store, ...runtimeOptions });
	const id = await runtime.actorId("subject");
	const local = runtime.localClient().subject!.getForId(id);
	return {
		order,
		begun,
		end,
		ran,
		runtime,
		wrapped,
		id,
		local,
		gateway: `${runtime.url}/gateway/${id}`,
		/** Begins the section, and resolves when it has. */
		async section(): Promise<Promise<unknown>> {
			const call = wireAction(runtime, id, "section");
			await begun.passed;
			return call;
		},
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

describe("while c.atomic is under way", () => {
	it("actions wait, over HTTP and over connections, and begin in order when it ends", async () => {
		const order: string[] = [];
		const begun = new Gate();
		const ends = [new Gate(), new Gate()];
		const section = async (c: Section, name: string, end: Gate) => {
			await c.atomic(async () => {
				order.push(`${name} begins`);
				begun.open();
				await end.passed;
				order.push(`${name} ends`);
			});
		};
		const subject = actor({
			actions: {
				first: (c) => section(c, "first", ends[0]!),
				second: (c) => section(c, "second", ends[1]!),
				note: (_c, text: string) => void order.push(text),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const local = runtime.localClient().subject!.getForId(id);
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		const calls: Promise<unknown>[] = [local.first()];
		await begun.passed;
		calls.push(local.note("local 1"), local.note("local 2"));
		await turns();
		for (const index of [0, 1]) socket.act(index, "note", `socket ${index + 1}`);
		await socket.roundTrip();
		await turns();
		calls.push(local.second(), local.note("local 3"));
		await turns();
		socket.act(2, "note", "socket 3");
		await socket.roundTrip();
		await turns();
		expect(order).toEqual(["first begins"]);
		ends[0]!.open();
		const inOrder = [
			"first begins",
			"first ends",
			"local 1",
			"local 2",
			"socket 1",
			"socket 2",
			"socket 3",
			"second begins",
		];
		await eventually(() => expect(order).toEqual(inOrder));
		await turns();
		expect(order).toEqual(inOrder);
		ends[1]!.open();
		await soon(Promise.all(calls));
		expect(order).toEqual([...inOrder, "second ends", "local 3"]);
		for (let answer = 0; answer < 3; answer++) {
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse" });
		}
	});

	it("raw requests, new connections, subscriptions with a guard and raw sockets wait", async () => {
		await using t = await start();
		await using socket = await WireSocket.connect(`${t.gateway}/connect`);
		const raw = new WebSocket(`${t.gateway}/websocket/`.replace("http", "ws"));
		await eventually(() => expect(t.order).toEqual(["onWebSocket"]));
		const section = t.section();
		await t.begun.passed;

		const request = fetch(`${t.gateway}/request/`, { method: "POST", body: "body" });
		const connecting = WireSocket.connect(`${t.gateway}/connect`, { connParams: { tell: true } });
		socket.subscribe("guarded");
		raw.send("one");
		raw.send("two");
		await socket.roundTrip();
		await new Promise((resolve) => {
			raw.once("pong", resolve);
			raw.ping();
		});
		await turns();
		expect(t.order).toEqual(["onWebSocket", "section begins"]);
		t.end.open("succeed");
		expect(await (await soon(request)).text()).toBe("fine");
		await using connected = await soon(connecting);
		expect(connected.encoding).toBe("json");
		await soon(section);
		await eventually(() =>
			expect(t.order.toSorted()).toEqual(
				[
					"canSubscribe",
					"message one",
					"message two",
					"onBeforeConnect",
					"onRequest body",
					"onWebSocket",
					"section begins",
					"section ends",
				].toSorted(),
			),
		);
		expect(t.order.indexOf("message one")).toBeLessThan(t.order.indexOf("message two"));
		raw.terminate();
	});

	it("a raw socket that closes delivers what it sent, then its close", async () => {
		await using t = await start();
		const raw = new WebSocket(`${t.gateway}/websocket/`.replace("http", "ws"));
		await eventually(() => expect(t.order).toEqual(["onWebSocket"]));
		const section = t.section();
		await t.begun.passed;
		const closed = new Promise((resolve) => raw.once("close", resolve));
		for (const message of ["one", "two", "three"]) raw.send(message);
		raw.close(1000);
		await closed;
		await turns();
		expect(t.order).toEqual(["onWebSocket", "section begins"]);
		t.end.open("succeed");
		await soon(section);
		await eventually(() => expect(t.order).toContain("close"));
		expect(t.order.filter((entry) => /^(message|close)/.test(entry))).toEqual([
			"message one",
			"message two",
			"message three",
			"close",
		]);
	});

	it("onDisconnect waits, but not for a disconnect inside of it", async () => {
		await using t = await start();
		const socket = await WireSocket.connect(`${t.gateway}/connect`);
		const section = t.section();
		await t.begun.passed;
		await socket[Symbol.asyncDispose]();
		await turns();
		expect(t.order).toEqual(["section begins"]);
		t.end.open("succeed");
		await soon(section);
		await eventually(() => expect(t.order).toContain("onDisconnect"));

		await using inside = await WireSocket.connect(`${t.gateway}/connect`);
		await soon(t.local.disconnectAll());
		expect(await soon(inside.closed)).toMatchObject({ code: 1000 });
		expect(await t.local.list()).toContain("disconnected");
		expect(t.order.filter((entry) => entry === "onDisconnect")).toHaveLength(2);
	});

	it("alarms wait", async () => {
		const clock = new FakeClock();
		const fired: number[] = [];
		const storage = new AsyncLocalStorage<string>();
		const contexts: unknown[] = [];
		const begun = new Gate();
		const end = new Gate();
		let instance!: ActorInstance;
		const subject = actor({
			// The instance behind the context, for an alarm of the test.
			onWake: (c) => {
				instance = (c as unknown as { instance: ActorInstance }).instance;
			},
			actions: {
				section: (c) =>
					c.atomic(async () => {
						begun.open();
						await end.passed;
					}),
				nap: (c) => storage.run("whoever", () => c.sleep()),
			},
			onSleep: () => void contexts.push(storage.getStore()),
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		expect(instance).toBeInstanceOf(ActorInstance);
		let next: number | null = clock.now() + 1_000;
		instance.alarm.add({
			nextTs: () => next,
			due(now) {
				fired.push(now);
				contexts.push(storage.getStore());
				next = null;
			},
		});
		instance.alarm.changed();
		const section = wireAction(runtime, id, "section");
		await begun.passed;
		// What fires the timer, or asks for the stop, is not who its listeners work for.
		await storage.run("whoever", () => clock.advance(2_000));
		expect(fired).toEqual([]);
		end.open();
		await soon(section);
		expect(fired).toEqual([clock.now()]);
		next = clock.now() + 1_000;
		instance.alarm.changed();
		await storage.run("whoever", () => clock.advance(2_000));
		await wireAction(runtime, id, "nap");
		await eventually(() => expect(contexts).toHaveLength(3));
		expect(contexts).toEqual([undefined, undefined, undefined]);
	});

	it("raw requests and raw sockets of an actor without connection hooks wait, too", async () => {
		const order: string[] = [];
		const begun = new Gate();
		const end = new Gate();
		const subject = actor({
			onRequest: () => {
				order.push("onRequest");
				return new Response("fine");
			},
			onWebSocket: (_c, socket) => {
				order.push("onWebSocket");
				socket.close();
			},
			actions: {
				section: (c) =>
					c.atomic(async () => {
						begun.open();
						await end.passed;
						order.push("section ends");
					}),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const gateway = `${runtime.url}/gateway/${id}`;
		const section = wireAction(runtime, id, "section");
		await begun.passed;
		const local = runtime.localClient().subject!.getForId(id);
		const request = local.fetch("/");
		const socket = new WebSocket(`${gateway}/websocket/`.replace("http", "ws"));
		const closed = new Promise((resolve) => socket.once("close", resolve));
		await new Promise((resolve) => socket.once("open", resolve));
		await turns();
		expect(order).toEqual([]);
		end.open();
		await soon(Promise.all([section, request, closed]));
		expect(order[0]).toBe("section ends");
		expect(order.toSorted()).toEqual(["onRequest", "onWebSocket", "section ends"]);
	});

	it("its events leave with its commit, and never when it fails", async () => {
		for (const outcome of ["fail", "succeed"] as const) {
			await using t = await start();
			await using socket = await WireSocket.connect(`${t.gateway}/connect`);
			socket.subscribe("news");
			await socket.call(0, "n");
			const section = t.section();
			await t.begun.passed;
			await turns();
			await socket.roundTrip();
			expect(socket.unread).toEqual([]);
			t.end.open(outcome);
			await soon(section);
			await soon(socket.call(1, "n"));
			expect(t.order).toContain("section ends");
		}
		await using t = await start();
		await using socket = await WireSocket.connect(`${t.gateway}/connect`);
		socket.subscribe("news");
		await socket.call(0, "n");
		const section = t.section();
		await t.begun.passed;
		t.end.open("succeed");
		await soon(section);
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: ["before"] });
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: ["inside"] });
	});

	it("none of its events leaves when it fails", async () => {
		for (const confirmWrites of [true, false]) {
			await using t = await start({ confirmWrites });
			await using socket = await WireSocket.connect(`${t.gateway}/connect`);
			socket.subscribe("news");
			await socket.call(0, "n");
			const section = t.section();
			await t.begun.passed;
			await socket.roundTrip();
			expect(socket.unread).toEqual([]);
			t.end.open("fail");
			await soon(section);
			// The first frame is the answer, not an event.
			socket.act(1, "n");
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", output: 0 });
		}
	});

	it("a stop waits for it, for as long as calls in progress may take", async () => {
		await using t = await start();
		const section = t.section();
		await t.begun.passed;
		// A call would wait.
		const stopped = t.runtime.embedded.host.stop(t.id, "sleep");
		await turns();
		expect(t.order).toEqual(["section begins"]);
		t.end.open("succeed");
		await soon(section);
		await soon(stopped);
		expect(t.order).toEqual(["section begins", "section ends", "onSleep sees 1"]);
		expect(await t.local.list()).toEqual(["section", "slept"]);
	});

	it("is dropped when that time is over, before onSleep, and what waits is refused", async () => {
		const clock = new FakeClock();
		await using t = await start({ sleepGracePeriod: 1_000 }, { clock });
		const section = t.section();
		await t.begun.passed;
		const waiting = wireAction(t.runtime, t.id, "note", ["waited"]);
		await turns();
		const stopped = t.runtime.embedded.host.stop(t.id, "sleep");
		await turns();
		await clock.advance(900);
		expect(t.order).toEqual(["section begins"]);
		await clock.advance(300);
		await soon(stopped);
		expect(codeOf((await t.ran.passed).error)).toBe("actor.stopping");
		await soon(section);
		expect(t.order).toContain("onSleep sees null");
		expect(t.order).not.toContain("waited");
		expect(["actor.stopping", "ok"]).toContain(codeOf(await soon(waiting)));
		expect(await t.local.list()).toEqual(["slept"]);
		t.end.open("succeed");
		await turns();
		expect(await t.local.list()).toEqual(["slept"]);
	});

	it("ends with an incarnation that was taken over, and writes nothing", async () => {
		await using t = await start();
		const section = t.section();
		await t.begun.passed;
		const { generation } = await t.wrapped.inner.acquire(t.id);
		t.end.open("succeed");
		expect(codeOf(await soon(section))).toBe("actor.stopping");
		const range = { start: Uint8Array.of(0x12), end: Uint8Array.of(0x13) };
		expect(await t.wrapped.inner.scan(t.id, range)).toEqual([]);
		expect(generation).toBeGreaterThan(0);
	});
});

describe("c.atomic in hooks", () => {
	it("works in all of them, and a start that fails in it leaves nothing", async () => {
		const wrapped = new WrappedStore();
		let fails = true;
		const seen: string[] = [];
		const section = (name: string, c: Pick<Parameters<NonNullable<Hook>>[0], "atomic" | "kv">) =>
			c.atomic(async () => {
				await c.kv.put(name, "1");
				await turns();
				seen.push(name);
				if (name === "onCreate" && fails) throw new Error("not yet");
			});
		const subject = actor({
			state: { n: 0 },
			onMigrate: (c) => section("onMigrate", c),
			onCreate: (c) => section("onCreate", c),
			onWake: (c) => section("onWake", c),
			run: (c) => section("run", c),
			onSleep: (c) => section("onSleep", c),
			actions: {
				nap: (c) => c.sleep(),
				list: async (c) => (await c.kv.list("")).map(([key]) => key),
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const handle = runtime.localClient().subject!.getOrCreate(["a"]);
		await expect(handle.list()).rejects.toMatchObject({ code: "internal_error" });
		expect(wrapped.commits.flatMap(({ ops }) => ops)).toEqual([]);
		fails = false;
		await handle.list();
		await eventually(() => expect(seen).toContain("run"));
		await handle.nap();
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		expect(await handle.list()).toEqual(["onCreate", "onMigrate", "onSleep", "onWake", "run"]);
	});
});

type Hook = Parameters<typeof actor>[0]["onWake"];
type Section = Pick<Parameters<NonNullable<Hook>>[0], "atomic">;
