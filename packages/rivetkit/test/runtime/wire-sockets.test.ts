import { encodeToServer } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { UserError } from "../../src/errors/index.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

const ENCODINGS = ["json", "cbor", "bare"] as const;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const subject = actor({
	events: {
		open: event<number>(),
		greeting: event<number>(),
		unheard: event<number>(),
		guarded: event<number>({ canSubscribe: (c) => c.conn.params === "friend" }),
		odd: event<number>({ canSubscribe: () => "yes" as never }),
		broken: event<number>({
			canSubscribe: () => {
				throw new UserError("not you", { code: "not_you" });
			},
		}),
	},
	onBeforeConnect: (_c, params) => {
		if (params === "user error") throw new UserError("go away", { code: "away", metadata: 7 });
		if (params === "plain error") throw new Error("secret");
	},
	onConnect: async (c, conn) => {
		if (conn.params === "greet") conn.send("greeting", c.conns.size);
		if (conn.params === "sync") throw new UserError("late", { code: "late" });
		if (conn.params === "async") await Promise.reject(new Error("secret"));
	},
	actions: {
		echo: (_c, value: unknown) => value,
		fill: (_c, length: number) => "x".repeat(length),
		fail: () => {
			throw new UserError("no", { code: "no" });
		},
		emit: (c, name: string, value: number) => {
			c.broadcast(name as "open", value);
			return "emitted";
		},
		direct: (c, value: number) => c.conn.send("unheard", value),
		kick: async (c, reason: string) => {
			await c.conn.disconnect(reason);
		},
		kickFinally: (c) => c.conn.disconnect("enough", { final: true }),
		end: (c) => c.destroy(),
	},
});

async function start(options: { maxOutgoingMessageSize?: number } = {}) {
	const runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	return { runtime, id, url: `${runtime.url}/gateway/${id}/connect` };
}

describe("opening", () => {
	it.each(ENCODINGS)(
		"P34: Init is the first frame of %s, with actor id and a UUID, once",
		async (encoding) => {
			const { runtime, id, url } = await start();
			await using _ = runtime;
			await using socket = new WireSocket(url, { encoding });
			const init = await soon(socket.expect("Init"));
			expect(init.actorId).toBe(id);
			expect(init.connectionId).toMatch(UUID);
			await soon(socket.call(0, "echo", 1));
			expect(socket.unread).toEqual([]);
		},
	);

	it("P34: what onConnect sends comes after Init", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = new WireSocket(url, { connParams: "greet" });
		expect((await soon(socket.next())).tag).toBe("Init");
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", name: "greeting", args: [1] });
	});

	it("P35: 'rivet' is selected when offered, json is spoken when nothing is", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using offered = await WireSocket.connect(url, { encoding: "json" });
		expect(offered.ws.protocol).toBe("rivet");
		await using silent = new WireSocket(url, { protocols: [] });
		expect((await soon(silent.expect("Init"))).tag).toBe("Init");
		expect(silent.ws.protocol).toBe("");
	});

	it("frames that arrive before Init are handled after it", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = new WireSocket(url);
		await socket.opened();
		socket.act(0, "echo", "early");
		expect((await soon(socket.next())).tag).toBe("Init");
		expect(await soon(socket.next())).toMatchObject({ id: 0, output: "early" });
	});

	it.each([
		["a bad encoding", ["rivet", "rivet_encoding.xml"], "encoding.invalid", null],
		[
			"params that are not JSON",
			["rivet", "rivet_encoding.json", "rivet_conn_params.%7B"],
			"params.invalid",
			/^Invalid params JSON: Expected property name/,
		],
		[
			"params that are not percent-encoding",
			["rivet", "rivet_conn_params.%zz"],
			"params.invalid",
			/^Invalid params JSON: invalid percent-encoding/,
		],
		[
			"params over 4 KiB",
			["rivet", `rivet_conn_params.%22${"x".repeat(4095)}%22`],
			"params.invalid",
			/^Invalid params JSON: longer than the limit of 4096 bytes/,
		],
	])(
		"P47: %s is told by close 1011, in words before it",
		async (_what, protocols, reason, text) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = new WireSocket(url, { protocols });
			if (text) {
				const [group, code] = reason.split(".");
				const frame = { tag: "Error", group, code, message: expect.stringMatching(text) };
				expect(await soon(socket.next())).toMatchObject({ ...frame, actionId: null });
			}
			expect(await soon(socket.closed)).toEqual({ code: 1011, reason });
			expect(socket.unread).toEqual([]);
		},
	);

	it("an unknown path is accepted and closed with 1011", async () => {
		const { runtime, id } = await start();
		await using _ = runtime;
		for (const path of ["/websocketx", "/nope", "/connect/x"]) {
			await using socket = new WireSocket(`${runtime.url}/gateway/${id}${path}`);
			expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "route.not_found" });
		}
	});
});

describe("rejection", () => {
	it.each(ENCODINGS)(
		"P43: by onBeforeConnect gives one Error frame in %s, then 1011 user.<code>",
		async (encoding) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = new WireSocket(url, { encoding, connParams: "user error" });
			expect(await soon(socket.next())).toMatchObject({
				tag: "Error",
				group: "user",
				code: "away",
				message: "go away",
				metadata: 7,
				actionId: null,
			});
			expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "user.away" });
			expect(socket.unread).toEqual([]);
		},
	);

	it("P43: a plain error is masked in frame and reason", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = new WireSocket(url, { connParams: "plain error" });
		expect(await socket.raw()).not.toContain("secret");
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
	});

	it.each([
		["sync", "user.late"],
		["async", "rivetkit.internal_error"],
	])(
		"P44, ruling 5: by a failing onConnect (%s) comes without Init, as Error and 1011",
		async (params, reason) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = new WireSocket(url, { connParams: params });
			expect((await soon(socket.next())).tag).toBe("Error");
			expect(await soon(socket.closed)).toEqual({ code: 1011, reason });
			expect(socket.unread).toEqual([]);
		},
	);
});

describe("actions", () => {
	it.each(ENCODINGS)(
		"P37: an error of action 0 in %s carries id 0, and the socket stays usable",
		async (encoding) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url, { encoding });
			const error = await soon(socket.call(0, "fail"));
			expect(error).toMatchObject({ tag: "Error", group: "user", code: "no" });
			expect(Number((error as { actionId: number }).actionId)).toBe(0);
			expect(await soon(socket.call(1, "echo", "still here"))).toMatchObject({
				output: "still here",
			});
		},
	);

	it.each(["toString", "constructor", "__proto__", "nope", ""])(
		"'%s' is no action",
		async (name) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url);
			expect(await soon(socket.call(3, name))).toMatchObject({
				group: "action",
				code: "not_found",
				actionId: 3,
			});
		},
	);

	it.each(ENCODINGS)(
		"P39: an answer that is too large in %s fails that call only",
		async (encoding) => {
			const { runtime, url } = await start({ maxOutgoingMessageSize: 1_000 });
			await using _ = runtime;
			await using socket = await WireSocket.connect(url, { encoding });
			expect(await soon(socket.call(0, "fill", 1_001))).toMatchObject({
				tag: "Error",
				group: "message",
				code: "outgoing_too_long",
				metadata: { limit: 1_000 },
			});
			expect(await soon(socket.call(1, "fill", 10))).toMatchObject({ output: "x".repeat(10) });
		},
	);

	it.each(ENCODINGS)(
		"ruling 2: a request that is too large in %s fails that call only",
		async (encoding) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url, { encoding });
			const error = await soon(socket.call(5, "echo", "x".repeat(65_536)));
			expect(error).toMatchObject({ tag: "Error", group: "message", code: "incoming_too_long" });
			expect(await soon(socket.call(6, "echo", 1))).toMatchObject({ output: 1 });
		},
	);

	it("ruling 2: one whose id cannot be read gives an Error frame and 1011", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url);
		socket.subscribe("x".repeat(70_000));
		expect(await soon(socket.next())).toMatchObject({ code: "incoming_too_long", actionId: null });
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "message.incoming_too_long" });
	});

	const malformed: [(typeof ENCODINGS)[number], string, string | Uint8Array][] = [
		["json", "half a document", '{"body":'],
		["json", "an unknown tag", '{"body":{"tag":"Nope","val":{}}}'],
		["json", "no id", '{"body":{"tag":"ActionRequest","val":{"name":"echo","args":[]}}}'],
		[
			"json",
			"args that are no list",
			'{"body":{"tag":"ActionRequest","val":{"id":0,"name":"echo","args":1}}}',
		],
		[
			"json",
			"a negative id",
			'{"body":{"tag":"ActionRequest","val":{"id":-1,"name":"echo","args":[]}}}',
		],
		["cbor", "nothing", new Uint8Array()],
		["cbor", "noise", Uint8Array.of(0xff, 0, 1, 2)],
		["cbor", "text", "hello"],
		["bare", "nothing", new Uint8Array()],
		["bare", "version 0", Uint8Array.of(0, 0, 0, 0)],
		["bare", "an unknown union tag", Uint8Array.of(3, 0, 9)],
		["bare", "text", "hello"],
		[
			"bare",
			"a byte too many",
			Uint8Array.of(
				...(encodeToServer("bare", {
					tag: "SubscriptionRequest",
					eventName: "a",
					subscribe: true,
				}) as Uint8Array),
				0,
			),
		],
	];

	it.each(malformed)(
		"P38: %s: %s closes with 1011 message.malformed, without a frame",
		async (encoding, _what, frame) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url, { encoding });
			socket.ws.send(frame);
			expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "message.malformed" });
			expect(socket.unread).toEqual([]);
			await using next = await WireSocket.connect(url, { encoding });
			expect(await soon(next.call(0, "echo", 1))).toMatchObject({ output: 1 });
		},
	);

	it("an id of 64 bits comes back unchanged", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		for (const encoding of ENCODINGS) {
			await using socket = await WireSocket.connect(url, { encoding });
			const id = 2n ** 64n - 1n;
			socket.send({ tag: "ActionRequest", id, name: "echo", args: [1] });
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", id });
		}
	});
});

describe("subscriptions", () => {
	it("P40: subscribing twice delivers once, unsubscribing stops it, conn.send needs none", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url);
		socket.subscribe("open");
		socket.subscribe("open");
		socket.act(0, "emit", "open", 1);
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", name: "open", args: [1] });
		expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", id: 0 });
		socket.subscribe("open", false);
		socket.subscribe("never subscribed", false);
		socket.act(1, "emit", "open", 2);
		expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", id: 1 });
		socket.act(2, "direct", 5);
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", name: "unheard", args: [5] });
	});

	it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])(
		"an event may be called %s",
		async (name) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url);
			socket.act(0, "emit", name, 1);
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse" });
			socket.subscribe(name);
			socket.act(1, "emit", name, 2);
			expect(await soon(socket.next())).toMatchObject({ tag: "Event", name, args: [2] });
		},
	);

	it.each([
		["guarded", "auth", "forbidden"],
		["odd", "rivetkit", "internal_error"],
		["broken", "user", "not_you"],
	])(
		"P42, A17: a refused '%s' is an Error %s.%s without an action; socket and calls go on",
		async (name, group, code) => {
			const { runtime, url } = await start();
			await using _ = runtime;
			await using socket = await WireSocket.connect(url);
			socket.subscribe(name);
			socket.act(0, "emit", name, 1);
			expect(await soon(socket.next())).toMatchObject({
				tag: "Error",
				group,
				code,
				actionId: null,
			});
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", id: 0 });
		},
	);

	it("a granted one gets the event", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url, { connParams: "friend" });
		socket.subscribe("guarded");
		socket.act(0, "emit", "guarded", 1);
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", name: "guarded" });
	});
});

describe("closing by the actor", () => {
	it("P45: a reason over 123 bytes is cut on a character boundary", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url);
		socket.act(0, "kick", "é".repeat(100));
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "é".repeat(61) });
		expect(socket.unread).toEqual([]);
	});

	it("a final disconnect closes with a code of the 4000s (W-CONN-4)", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url);
		socket.act(0, "kickFinally");
		expect(await soon(socket.closed)).toEqual({ code: 4000, reason: "enough" });
	});

	it("P46: destroying closes every socket, and reconnecting by id fails", async () => {
		const { runtime, url } = await start();
		await using _ = runtime;
		await using socket = await WireSocket.connect(url);
		socket.act(0, "end");
		expect((await soon(socket.closed)).code).toBe(1000);
		await using again = new WireSocket(url);
		const { code, reason } = await soon(again.closed);
		expect(code).toBe(1011);
		expect(reason).toMatch(/^actor\.(stopping|not_found)$/);
	});
});
