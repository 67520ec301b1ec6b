import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

interface Names {
	readonly name?: string;
}

/** Logs every hook of every connection, with what is in `c.conns` at that time. */
function watched(fail: (hook: string, name: string) => unknown = () => undefined) {
	const seen: string[] = [];
	const look = async (hook: string, params: unknown, conns: number) => {
		const name = (params as Names | undefined)?.name ?? "nobody";
		seen.push(`${hook} ${name} (${conns})`);
		await fail(hook, name);
	};
	const subject = actor({
		createConnState: async (c, params) => {
			await look("createConnState", params, c.conns.size);
			return { n: 0, name: (params as Names | undefined)?.name };
		},
		onBeforeConnect: (c, params) => look("onBeforeConnect", params, c.conns.size),
		onConnect: (c, conn) => look("onConnect", conn.params, c.conns.size),
		onDisconnect: (c, conn) => look("onDisconnect", conn.params, c.conns.size),
		onRequest: (c) => new Response(c.conn.kind),
		onWebSocket: (c, socket) => socket.send(c.conn.kind),
		actions: {
			act: async (c) => {
				await look("action", c.conn.params, c.conns.size);
				return ++c.conn.state.n;
			},
			kinds: (c) => [...c.conns.values()].map((conn) => conn.kind).sort(),
			kick: async (c, name: string) => {
				for (const conn of c.conns.values()) {
					if (conn.state.name === name) await conn.disconnect("kicked");
				}
				seen.push("kicked");
			},
			nap: (c) => c.sleep(),
		},
	});
	return { subject, seen };
}

const url = (runtime: TestRuntime, actorId: string, path = "/connect") =>
	`${runtime.url}/gateway/${actorId}${path}`;

const asNobody = (name: string) => ({
	headers: { "x-rivet-conn-params": JSON.stringify({ name }) },
});

describe("L31 connection hooks", () => {
	it("run in order, with the connection in c.conns from onConnect to before onDisconnect", async () => {
		const { subject, seen } = watched();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(url(runtime, id), { connParams: { name: "ws" } });
		await soon(socket.call(0, "act"));
		socket.ws.close();
		await eventually(() => expect(seen).toHaveLength(5));
		expect(seen).toEqual([
			"onBeforeConnect ws (0)",
			"createConnState ws (0)",
			"onConnect ws (1)",
			"action ws (1)",
			"onDisconnect ws (0)",
		]);
	});

	it("P25: run exactly once per HTTP action, in order", async () => {
		const { subject, seen } = watched();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (let call = 0; call < 2; call++) {
			seen.length = 0;
			expect((await wireAction(runtime, id, "act", [], asNobody("http"))).output).toBe(1);
			await eventually(() => expect(seen).toHaveLength(5));
			expect(seen.map((line) => line.split(" ")[0])).toEqual([
				"onBeforeConnect",
				"createConnState",
				"onConnect",
				"action",
				"onDisconnect",
			]);
		}
	});

	it("each connection has an id, a kind, params and a state of its own (9.1)", async () => {
		const { subject } = watched();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using one = await WireSocket.connect(url(runtime, id));
		await using other = await WireSocket.connect(url(runtime, id));
		expect(await soon(one.call(0, "act"))).toMatchObject({ output: 1 });
		expect(await soon(one.call(1, "act"))).toMatchObject({ output: 2 });
		expect(await soon(other.call(0, "act"))).toMatchObject({ output: 1 });
		await using raw = new WireSocket(url(runtime, id, "/websocket/"));
		expect(await soon(raw.raw())).toBe("raw-websocket");
		expect(await (await fetch(url(runtime, id, "/request/"))).text()).toBe("raw-request");
		expect((await wireAction(runtime, id, "kinds")).output).toEqual([
			"http",
			"raw-websocket",
			"websocket",
			"websocket",
		]);
	});

	const hooks = ["onBeforeConnect", "createConnState", "onConnect"];

	it.each(hooks)("a UserError in %s reaches HTTP callers and sockets with its code", async (at) => {
		const { subject, seen } = watched((hook) => {
			if (hook === at) throw new UserError("not now", { code: "not_now" });
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const answer = await wireAction(runtime, id, "act");
		expect([answer.status, codeOf(answer)]).toEqual([400, "user.not_now"]);
		const response = await fetch(url(runtime, id, "/request/x"));
		expect(await response.json()).toMatchObject({ group: "user", code: "not_now" });
		for (const path of ["/connect", "/websocket/"]) {
			await using socket = new WireSocket(url(runtime, id, path));
			expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "user.not_now" });
		}
		expect(seen.some((line) => line.startsWith("action"))).toBe(false);
		// Only those that were accepted are taken leave of.
		const disconnects = seen.filter((line) => line.startsWith("onDisconnect"));
		expect(disconnects).toHaveLength(at === "onConnect" ? 4 : 0);
	});

	it.each(hooks)("a plain error in %s is masked, and logged with the actor", async (at) => {
		const { subject } = watched((hook) => {
			if (hook === at) throw new Error("secret");
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "k");
		const answer = await wireAction(runtime, id, "act");
		expect([answer.status, codeOf(answer)]).toEqual([500, "rivetkit.internal_error"]);
		await using socket = new WireSocket(url(runtime, id));
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
		const [line] = runtime.log.filter(({ level }) => level === "error");
		expect(line?.fields).toMatchObject({ actor: "subject", key: "k", err: new Error("secret") });
	});

	it.each([
		["onBeforeConnect", "onBeforeConnectTimeout"],
		["createConnState", "createConnStateTimeout"],
		["onConnect", "onConnectTimeout"],
	])("%s may take options.%s, then the connection is refused", async (at, option) => {
		const clock = new FakeClock();
		let hanging = 0;
		const { subject } = watched((hook) => {
			if (hook !== at) return undefined;
			hanging++;
			return new Promise(() => {});
		});
		const limited = actor({ ...subject.config, options: { [option]: 300 } });
		await using runtime = await TestRuntime.start({ limited }, { clock });
		const id = await runtime.actorId("limited");
		const overHttp = wireAction(runtime, id, "act");
		await using socket = new WireSocket(url(runtime, id));
		await eventually(() => expect(hanging).toBe(2));
		await clock.advance(290);
		expect(socket.ws.readyState).toBeLessThanOrEqual(1);
		await clock.advance(30);
		expect(codeOf(await soon(overHttp))).toBe("rivetkit.internal_error");
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
		const [line] = runtime.log.filter(({ level }) => level === "error");
		expect(String(line?.fields.err)).toContain(`options.${option}`);
	});

	it("state that cannot be stored is refused when it is created, and when it is changed (W-CONN-7)", async () => {
		const subject = actor({
			createConnState: (_c, params) => ({ value: params === "bad" ? Number.NaN : 1 }),
			actions: {
				spoil: (c) => {
					c.conn.state.value = Number.POSITIVE_INFINITY;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		await using socket = new WireSocket(url(runtime, id), { connParams: "bad" });
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "state.invalid_type" });
		const answer = await wireAction(runtime, id, "spoil");
		expect(answer.error?.message).toContain("conn.state.value");
	});
});

describe("L30 nothing before onConnect", () => {
	it("no message is handled before onConnect has succeeded", async () => {
		const gate = new Gate();
		const { subject, seen } = watched((hook) => (hook === "onConnect" ? gate.passed : undefined));
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = new WireSocket(url(runtime, id));
		await socket.opened();
		socket.act(0, "act");
		await eventually(() => expect(seen.at(-1)).toContain("onConnect"));
		const overHttp = wireAction(runtime, id, "kinds");
		await eventually(() =>
			expect(seen.filter((line) => line.includes("onConnect "))).toHaveLength(2),
		);
		expect(seen.some((line) => line.startsWith("action"))).toBe(false);
		gate.open();
		await soon(socket.expect("Init"));
		expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse" });
		await soon(overHttp);
	});
});

describe("L32 onDisconnect", () => {
	it.each(["close", "network loss", "kick", "stop"])(
		"runs exactly once on %s, after the connection left c.conns",
		async (how) => {
			const { subject, seen } = watched();
			await using runtime = await TestRuntime.start({ subject });
			const id = await runtime.actorId("subject");
			// Only a connection that cannot hibernate ends with the incarnation.
			const path = how === "stop" ? "/websocket/" : "/connect";
			await using socket = new WireSocket(url(runtime, id, path), { connParams: { name: "it" } });
			await soon(socket.raw());
			await using other = await WireSocket.connect(url(runtime, id), {
				connParams: { name: "other" },
			});
			seen.length = 0;
			if (how === "close") socket.ws.close(1000, "bye");
			if (how === "network loss") socket.ws.terminate();
			if (how === "kick") await soon(other.call(0, "kick", "it"));
			if (how === "stop") other.act(0, "nap");
			await soon(socket.closed);
			const left = () => seen.filter((line) => line.startsWith("onDisconnect it"));
			await eventually(() => expect(left()).toHaveLength(1));
			expect(left()[0]).toBe("onDisconnect it (1)");
			if (how === "kick") expect(seen.indexOf("kicked")).toBeGreaterThan(seen.indexOf(left()[0]!));
			await runtime.embedded.close();
			expect(left()).toHaveLength(1);
		},
	);

	it("runs once for a client that leaves while onConnect is working", async () => {
		const gate = new Gate();
		const { subject, seen } = watched((hook) => (hook === "onConnect" ? gate.passed : undefined));
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = new WireSocket(url(runtime, id));
		await eventually(() => expect(seen.at(-1)).toContain("onConnect"));
		socket.ws.terminate();
		await soon(socket.closed);
		gate.open();
		await eventually(() =>
			expect(seen.filter((line) => line.startsWith("onDisconnect"))).toHaveLength(1),
		);
	});

	it("does not run for a client that leaves before it was accepted", async () => {
		const gate = new Gate();
		const { subject, seen } = watched((hook) =>
			hook === "onBeforeConnect" ? gate.passed : undefined,
		);
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = new WireSocket(url(runtime, id, "/websocket/"));
		await eventually(() => expect(seen).toHaveLength(1));
		gate.open();
		expect(await soon(socket.raw())).toBe("raw-websocket");
		socket.ws.close();
		await eventually(() => expect(seen.at(-1)).toBe("onDisconnect nobody (0)"));
	});

	it("is logged when it throws, and what it writes is saved", async () => {
		const subject = actor({
			state: { left: 0 },
			onDisconnect: (c) => {
				c.state.left++;
				throw new Error("in onDisconnect");
			},
			actions: { left: (c) => c.state.left },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "left");
		expect((await wireAction(runtime, id, "left")).output).toBeGreaterThanOrEqual(1);
		expect(runtime.log.some(({ message }) => message === "onDisconnect failed")).toBe(true);
	});
});

describe("disconnect", () => {
	const kicker = actor({
		events: { bye: event<string>() },
		state: { n: 0 },
		onConnect: (_c, conn) => {
			if (conn.params === "unwanted") return conn.disconnect("not you");
			return undefined;
		},
		actions: {
			sendAndKick: (c) => {
				c.state.n++;
				c.broadcast("bye", "all");
				c.conn.send("bye", "you");
				void c.conn.disconnect("over");
				c.conn.send("bye", "too late");
				return "never seen";
			},
			subscriptions: (c) => {
				c.conn.subscriptions.delete("bye");
				return [...c.conn.subscriptions];
			},
		},
	});

	it("lets what was sent before it arrive, and nothing that came after", async () => {
		await using runtime = await TestRuntime.start({ kicker });
		const id = await runtime.actorId("kicker");
		await using socket = await WireSocket.connect(url(runtime, id));
		socket.subscribe("bye");
		socket.act(0, "sendAndKick");
		socket.act(1, "sendAndKick");
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: ["all"] });
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: ["you"] });
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "over" });
		expect(socket.unread).toEqual([]);
	});

	it("in onConnect closes the socket without Init", async () => {
		await using runtime = await TestRuntime.start({ kicker });
		const id = await runtime.actorId("kicker");
		await using socket = new WireSocket(url(runtime, id), { connParams: "unwanted" });
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "not you" });
		expect(socket.unread).toEqual([]);
	});

	it("conn.subscriptions is a copy", async () => {
		await using runtime = await TestRuntime.start({ kicker });
		const id = await runtime.actorId("kicker");
		await using socket = await WireSocket.connect(url(runtime, id));
		socket.subscribe("bye");
		expect(await soon(socket.call(0, "subscriptions"))).toMatchObject({ output: ["bye"] });
	});
});

describe("c.conns", () => {
	it("reads like a map that follows the connections", async () => {
		const subject = actor({
			actions: {
				look: (c) => {
					const { conns } = c;
					const ids = [...conns.keys()];
					const each: string[] = [];
					conns.forEach((conn, connId, map) => {
						if (map === conns) each.push(`${connId === conn.id}`);
					});
					return {
						size: conns.size,
						own: conns.get(c.conn.id) === c.conn,
						has: [conns.has(c.conn.id), conns.has("nobody"), conns.get("nobody") === undefined],
						entries: [...conns].every(([key, conn]) => conn.id === key && ids.includes(key)),
						values: [...conns.values()].length,
						each,
						tag: Object.prototype.toString.call(conns),
					};
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using _socket = await WireSocket.connect(url(runtime, id));
		expect((await wireAction(runtime, id, "look")).output).toEqual({
			size: 2,
			own: true,
			has: [true, false, true],
			entries: true,
			values: 2,
			each: ["true", "true"],
			tag: "[object Map]",
		});
	});
});

describe("A13 params that are absent", () => {
	it("are undefined over HTTP, WebSockets, raw requests, raw sockets and in process", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			onBeforeConnect: (_c, params) => void seen.push(params),
			onConnect: (_c, conn) => void seen.push(conn.params),
			onRequest: () => new Response(),
			onWebSocket: (_c, socket) => socket.close(),
			actions: { ping: () => 1 },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "ping");
		await fetch(url(runtime, id, "/request/"));
		await using _socket = await WireSocket.connect(url(runtime, id));
		await using raw = new WireSocket(url(runtime, id, "/websocket/"));
		await soon(raw.closed);
		await runtime.localClient().subject!.getForId(id).ping();
		expect(seen).toEqual(Array(10).fill(undefined));
	});
});

it("params nested too deep to be stored are refused, and take nothing of others with them", async () => {
	const subject = actor({
		state: { n: 0 },
		// Nothing is stored by itself meanwhile.
		options: { stateSaveInterval: 60_000, confirmWrites: false },
		actions: { add: (c) => ++c.state.n },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "add");
	let connParams: unknown = [];
	for (let levels = 1; levels < 1_024; levels++) connParams = [connParams];
	await using socket = new WireSocket(url(runtime, id), { connParams: [connParams] });
	expect((await soon(socket.closed)).reason).toBe("params.invalid");
	expect(await (await runtime.action(id, "add")).json()).toEqual({ output: 2 });
	expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
});
