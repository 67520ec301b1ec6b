import { describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import type { ActorError } from "../../src/client/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const ENCODINGS = ["json", "cbor", "bare"] as const;

const url = (runtime: TestRuntime, actorId: string) => `${runtime.url}/gateway/${actorId}/connect`;

/** Subscribed, and sure of it. */
async function listening(
	runtime: TestRuntime,
	actorId: string,
	name: string,
	encoding = ENCODINGS[0] as (typeof ENCODINGS)[number],
) {
	const socket = await WireSocket.connect(url(runtime, actorId), { encoding });
	socket.subscribe(name);
	await socket.call(99, "ping");
	return socket;
}

const speaker = actor({
	state: { n: 0, bytes: new Uint8Array([1, 2]) },
	actions: {
		ping: () => 1,
		say: (c, name: string, ...args: unknown[]) => c.broadcast(name, ...args),
		change: (c) => {
			c.broadcast("changed", ++c.state.n);
			return c.state.n;
		},
		state: (c) => c.broadcast("state", c.state),
		function: (c) => c.broadcast("x", () => 1),
		self: (c, ...args: unknown[]) => c.conn.send("direct", ...args),
	},
});

describe("L36 broadcast and send", () => {
	it("reaches every subscriber in its encoding, and nobody else", async () => {
		await using runtime = await TestRuntime.start({ speaker });
		const id = await runtime.actorId("speaker");
		const hearing = await Promise.all(
			ENCODINGS.map((encoding) => listening(runtime, id, "news", encoding)),
		);
		await using deaf = await listening(runtime, id, "other");
		const values = [{ a: [1, "x", null] }, 10n, new Uint8Array([7])];
		await wireAction(runtime, id, "say", ["news", ...values], { encoding: "cbor" });
		for (const socket of hearing) {
			await using _ = socket;
			expect(await soon(socket.next())).toEqual({ tag: "Event", name: "news", args: values });
		}
		await soon(deaf.call(0, "ping"));
		expect(deaf.unread).toEqual([]);
	});

	it.each([[[]], [[1]], [[1, 2]], [[[1, 2]]], [[null]], [[{}]]])(
		"delivers the arguments %j exactly as passed",
		async (args) => {
			await using runtime = await TestRuntime.start({ speaker });
			const id = await runtime.actorId("speaker");
			await using socket = await listening(runtime, id, "e");
			await wireAction(runtime, id, "say", ["e", ...args]);
			expect(await soon(socket.next())).toEqual({ tag: "Event", name: "e", args });
			socket.act(0, "self", ...args);
			expect(await soon(socket.next())).toEqual({ tag: "Event", name: "direct", args });
		},
	);

	it("P41: what an action emits comes before its answer, in order of the calls", async () => {
		await using runtime = await TestRuntime.start({ speaker });
		const id = await runtime.actorId("speaker");
		await using socket = await listening(runtime, id, "changed");
		for (let call = 0; call < 3; call++) socket.act(call, "change");
		const frames = [];
		for (let index = 0; index < 6; index++) frames.push(await soon(socket.next()));
		expect(
			frames.map((frame) => (frame.tag === "Event" ? `event ${frame.args[0]}` : frame.tag)),
		).toEqual([
			"event 1",
			"ActionResponse",
			"event 2",
			"ActionResponse",
			"event 3",
			"ActionResponse",
		]);
	});

	it("carries the state as it is at the call, bytes included", async () => {
		await using runtime = await TestRuntime.start({ speaker });
		const id = await runtime.actorId("speaker");
		await using socket = await listening(runtime, id, "state", "cbor");
		await wireAction(runtime, id, "state");
		expect(await soon(socket.next())).toMatchObject({
			args: [{ n: 0, bytes: new Uint8Array([1, 2]) }],
		});
	});

	it("fails at the call when an argument cannot be encoded, with its path in the log", async () => {
		await using runtime = await TestRuntime.start({ speaker });
		const id = await runtime.actorId("speaker");
		await using socket = await listening(runtime, id, "x");
		expect(codeOf(await wireAction(runtime, id, "function"))).toBe("rivetkit.internal_error");
		const [line] = runtime.log.filter(({ level }) => level === "error");
		expect(line?.fields.action).toBe("function");
		expect(String(line?.fields.err)).toContain("functions cannot be encoded");
		await soon(socket.call(0, "ping"));
	});

	it("has no effect but a warning on connections that carry no events", async () => {
		await using runtime = await TestRuntime.start({ speaker });
		const id = await runtime.actorId("speaker");
		expect(codeOf(await wireAction(runtime, id, "self", [1]))).toBe("ok");
		const warnings = runtime.log.filter(({ level, fields }) => level === "warn" && fields.kind);
		expect(warnings[0]?.fields).toMatchObject({ kind: "http", event: "direct" });
	});

	it("works in the stop hooks, while the connections are open (W-EVT-3)", async () => {
		const subject = actor({
			state: { n: 0 },
			onSleep: (c) => {
				c.state.n++;
				c.broadcast("going", c.state.n);
			},
			actions: { ping: () => 1, nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await listening(runtime, id, "going");
		await wireAction(runtime, id, "nap");
		expect(await soon(socket.next())).toMatchObject({ name: "going", args: [1] });
	});
});

describe("L37 events and commits", () => {
	it("no event is seen before the commit of its turn, and order with answers is kept", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ speaker }, { store: wrapped.store });
		const id = await runtime.actorId("speaker");
		await using socket = await listening(runtime, id, "changed");
		const letGo = wrapped.hold();
		const commits = wrapped.commits.length;
		const call = wireAction(runtime, id, "change");
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		await soon(socket.roundTrip());
		expect(socket.unread).toEqual([]);
		letGo();
		expect(await soon(socket.next())).toMatchObject({ name: "changed", args: [1] });
		expect((await soon(call)).output).toBe(1);
	});

	it("with confirmWrites: false events do not wait", async () => {
		const wrapped = new WrappedStore();
		const hasty = actor({ ...speaker.config, options: { confirmWrites: false } });
		await using runtime = await TestRuntime.start({ hasty }, { store: wrapped.store });
		const id = await runtime.actorId("hasty");
		await using socket = await listening(runtime, id, "changed");
		const letGo = wrapped.hold();
		expect((await wireAction(runtime, id, "change")).output).toBe(1);
		expect(await soon(socket.next())).toMatchObject({ name: "changed" });
		letGo();
	});

	it.each(ENCODINGS)(
		"an event that is too large in %s reaches nobody and fails at the call (W-EVT-2)",
		async (encoding) => {
			await using runtime = await TestRuntime.start({ speaker }, { maxOutgoingMessageSize: 1_000 });
			const id = await runtime.actorId("speaker");
			await using small = await listening(runtime, id, "big", "bare");
			await using other = await listening(runtime, id, "big", encoding);
			// Fits in the most compact encoding by far, but not in the other one.
			const text = encoding === "json" ? '"'.repeat(700) : "x".repeat(1_001);
			const answer = await wireAction(runtime, id, "say", ["big", text]);
			expect(codeOf(answer)).toBe("message.outgoing_too_long");
			for (const socket of [small, other]) {
				await soon(socket.call(1, "ping"));
				expect(socket.unread).toEqual([]);
			}
		},
	);
});

describe("A15 event schemas", () => {
	const subject = actor({
		events: {
			number: z.coerce.number().max(9),
			pair: { schema: z.tuple([z.string(), z.number()]) },
			none: { schema: z.tuple([]) },
			async: event({ schema: z.number().refine(async () => true) }),
		},
		actions: {
			ping: () => 1,
			say: (c, name: string, ...args: unknown[]) => {
				(c as { broadcast(event: string, ...payload: unknown[]): void }).broadcast(name, ...args);
			},
			send: (c, ...args: unknown[]) => c.conn.send("number", ...(args as [number])),
		},
	});

	it("deliver what they make of the payload, one argument or a list", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await listening(runtime, id, "number");
		socket.subscribe("pair");
		socket.subscribe("none");
		await socket.call(0, "ping");
		await wireAction(runtime, id, "say", ["number", "7"]);
		expect(await soon(socket.next())).toMatchObject({ name: "number", args: [7] });
		await wireAction(runtime, id, "say", ["pair", "a", 1]);
		expect(await soon(socket.next())).toMatchObject({ name: "pair", args: ["a", 1] });
		await wireAction(runtime, id, "say", ["none"]);
		expect(await soon(socket.next())).toMatchObject({ name: "none", args: [] });
		socket.act(1, "send", "3");
		expect(await soon(socket.next())).toMatchObject({ name: "number", args: [3] });
	});

	it("refuse an invalid one with name and issues, subscribers or not", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (const encoding of ENCODINGS) {
			const answer = await wireAction(runtime, id, "say", ["pair", "a", "b"], { encoding });
			expect([answer.status, codeOf(answer)]).toEqual([400, "event.invalid_payload"]);
			expect(answer.error?.metadata).toMatchObject({
				name: "pair",
				issues: [{ message: expect.any(String), path: [1] }],
			});
		}
	});

	it("may not be asynchronous", async () => {
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		const answer = await wireAction(runtime, id, "say", ["async", 1]);
		expect([answer.status, codeOf(answer)]).toEqual([500, "feature.unsupported"]);
	});

	it("A18: an event that is not declared is delivered, with one warning", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await listening(runtime, id, "free");
		for (let call = 0; call < 2; call++) {
			await wireAction(runtime, id, "say", ["free", call]);
			expect(await soon(socket.next())).toMatchObject({ name: "free", args: [call] });
		}
		expect(runtime.log.filter(({ fields }) => fields.event === "free")).toHaveLength(1);
	});
});

describe("the subscriptions of one connection", () => {
	let asked = 0;
	const subject = actor({
		options: { maxConnectionSubscriptions: 3 },
		events: {
			guarded: event<number>({
				canSubscribe: () => {
					asked++;
					return true;
				},
			}),
		},
		actions: {
			say: (c, name: string) => c.broadcast(name as never, 1 as never),
			mine: (c) => [...c.conn.subscriptions],
		},
	});

	it("are limited: one more is refused to onError, calls in flight and the connection go on", async () => {
		asked = 0;
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client();
		const connection = client.subject!.getOrCreate(["limited"]).connect();
		const errors: ActorError[] = [];
		connection.onError((error: ActorError) => errors.push(error));
		const heard: string[] = [];
		for (const name of ["a", "b", "c", "guarded"]) connection.on(name, () => heard.push(name));
		expect(await connection.mine()).toEqual(["a", "b", "c"]);
		expect(errors).toMatchObject([
			{
				group: "event",
				code: "too_many_subscriptions",
				message: expect.stringContaining("options: { maxConnectionSubscriptions"),
				metadata: { name: "guarded", limit: 3 },
			},
		]);
		expect(asked).toBe(0);
		for (const name of ["guarded", "c"]) await connection.say(name);
		expect(heard).toEqual(["c"]);
		expect(connection.connStatus).toBe("connected");
	});

	it("make room when one is taken back; a name that is there already needs none", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const path = url(runtime, await runtime.actorId("subject"));
		await using socket = await WireSocket.connect(path);
		for (const name of ["a", "b", "c", "a"]) socket.subscribe(name);
		socket.subscribe("b", false);
		socket.subscribe("d");
		expect(await soon(socket.call(0, "mine"))).toMatchObject({ output: ["a", "c", "d"] });
	});

	it("have names of a bounded length", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const path = url(runtime, await runtime.actorId("subject"));
		await using socket = await WireSocket.connect(path);
		const longest = "é".repeat(512);
		socket.subscribe(longest);
		socket.subscribe(`${longest}x`);
		expect(await soon(socket.next())).toMatchObject({
			tag: "Error",
			code: "name_too_long",
			metadata: { size: 1_025, limit: 1_024 },
			actionId: null,
		});
		expect(await soon(socket.call(0, "mine"))).toMatchObject({ output: [longest] });
	});
});

describe("canSubscribe", () => {
	it("may take its time: what comes after it on the connection waits, whatever the concurrency", async () => {
		const gate = new Gate();
		let asked = 0;
		const subject = actor({
			options: { connectionConcurrency: 8 },
			events: {
				slow: event<number>({
					canSubscribe: async () => {
						asked++;
						await gate.passed;
						return true;
					},
				}),
			},
			actions: { say: (c) => c.broadcast("slow", 1) },
		});
		await using runtime = await TestRuntime.start({ subject });
		await using socket = await WireSocket.connect(url(runtime, await runtime.actorId("subject")));
		socket.subscribe("slow");
		socket.act(0, "say");
		await eventually(() => expect(asked).toBe(1));
		expect(socket.unread).toEqual([]);
		gate.open();
		expect(await soon(socket.next())).toMatchObject({ tag: "Event" });
		expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse" });
	});

	it("is not asked for unsubscribing, nor for events that are not declared", async () => {
		let asked = 0;
		const subject = actor({
			events: {
				guarded: event<number>({
					canSubscribe: () => {
						asked++;
						return true;
					},
				}),
			},
			actions: { ping: () => 1 },
		});
		await using runtime = await TestRuntime.start({ subject });
		await using socket = await listening(runtime, await runtime.actorId("subject"), "free");
		socket.subscribe("guarded", false);
		await socket.call(0, "ping");
		expect(asked).toBe(0);
		socket.subscribe("guarded");
		await socket.call(1, "ping");
		expect(asked).toBe(1);
	});
});
