import { createClient as createPublishedClient } from "rivetkit-published/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";

/** The published 2.1.3 client, in each of its encodings, against our server (protocol 9, no. 77). */

const room = actor({
	createState: (_c, input: { title: string } | undefined) => ({
		title: input?.title ?? "untitled",
		count: 0,
	}),
	createConnState: (_c, params: { user?: string; reject?: boolean } | undefined) => {
		if (params?.reject) throw new UserError("Not you", { code: "not_you", metadata: { why: 1 } });
		return { user: params?.user ?? "nobody" };
	},
	events: {
		counted: event<number>(),
		pair: event<[string, number]>(),
	},
	actions: {
		title: (c) => c.state.title,
		echo: (_c, ...values: unknown[]) => values,
		whoAmI: (c) => c.conn.state.user,
		count: (c, by: number) => {
			c.state.count += by;
			c.broadcast("counted", c.state.count);
			return c.state.count;
		},
		pair: (c) => c.broadcast("pair", "a", 1),
		nothing: () => {},
		refuse: () => {
			throw new UserError("No", { code: "no", metadata: { reason: "because" } });
		},
		crash: () => {
			throw new Error("secret");
		},
		leave: (c) => {
			c.destroy();
		},
		nap: (c) => c.sleep(),
		async *tokens(c) {
			yield ++c.state.count;
		},
	},
	onRequest: async (c, request) => {
		const { pathname, search } = new URL(request.url);
		const body = await request.text();
		return Response.json(
			{ method: request.method, path: pathname + search, body, title: c.state.title },
			{ status: 201, headers: { "x-from": "room" } },
		);
	},
	onWebSocket: (c, socket) => {
		socket.addEventListener("message", (message) => {
			if (message.data === "close") socket.close(4001, "as you wish");
			else socket.send(message.data);
		});
		socket.send(new URL(c.request?.url ?? "http://none/").pathname);
	},
});

const worker = actor({
	state: { done: [] as unknown[] },
	queues: {
		jobs: queue<unknown, unknown>(),
		idle: queue<unknown>({ maxSize: 1 }),
		closed: queue<unknown>({ canPublish: () => false }),
	},
	run: async (c) => {
		for await (const message of c.queue.iter({ names: ["jobs"], completable: true })) {
			c.state.done.push(message.body);
			await message.complete({ did: message.body });
		}
	},
	actions: { done: (c) => c.state.done, nap: (c) => c.sleep() },
});

// The published client's types describe its own registry; these tests are about bytes.
// biome-ignore lint/suspicious/noExplicitAny: an untyped client accepts anything by contract (api 4.3)
type Untyped = any;

describe.each(["bare", "cbor", "json"] as const)("published 2.1.3 client, %s", (encoding) => {
	let runtime: TestRuntime;
	let client: Untyped;

	beforeAll(async () => {
		runtime = await TestRuntime.start({ room, worker });
		client = createPublishedClient({ endpoint: runtime.url, encoding });
	});
	afterAll(async () => {
		await client.dispose();
		await runtime[Symbol.asyncDispose]();
	});

	it("creates with input, gets, resolves and calls", async () => {
		const created = await client.room.create(["with input"], { input: { title: "Ada's" } });
		expect(await created.title()).toBe("Ada's");
		expect(await client.room.get(["with input"]).title()).toBe("Ada's");
		const lazily = client.room.getOrCreate(["lazy"], { createWithInput: { title: "lazy" } });
		expect(await lazily.title()).toBe("lazy");
		expect(await client.room.getForId(await lazily.resolve()).title()).toBe("lazy");
	});

	it("reports a taken key and a missing actor with their codes", async () => {
		await client.room.create(["taken"]);
		await expect(client.room.create(["taken"])).rejects.toMatchObject({
			group: "actor",
			code: "duplicate_key",
		});
		await expect(client.room.get(["missing"]).title()).rejects.toMatchObject({
			group: "actor",
			code: "not_found",
		});
	});

	it("round-trips values its encoding can carry", async () => {
		const values = [null, true, 1.5, -7, "text ✓", 2n ** 70n, new Uint8Array([1, 2]), { a: [1] }];
		const rich = [undefined, new Date(1_000), new Map([["k", 1]]), new Set([1])];
		const sent = encoding === "json" ? values : [...values, ...rich];
		expect(await client.room.getOrCreate(["values"]).echo(...sent)).toEqual(sent);
	});

	it("gets user errors whole and internal errors masked", async () => {
		const handle = client.room.getOrCreate(["errors"]);
		await expect(handle.refuse()).rejects.toMatchObject({
			group: "user",
			code: "no",
			message: "No",
			metadata: { reason: "because" },
		});
		const masked = await handle.crash().catch((error: Error) => error);
		expect(masked).toMatchObject({ group: "rivetkit", code: "internal_error" });
		expect(masked.message).not.toContain("secret");
		await expect(handle.toString_()).rejects.toMatchObject({ code: "not_found" });
	});

	it("is told that an action streams, and runs nothing of it", async () => {
		const handle = client.room.getOrCreate(["streams"]);
		const connection = handle.connect();
		const refusal = {
			group: "action",
			code: "is_stream",
			message: expect.stringContaining("for await"),
		};
		await expect(handle.tokens()).rejects.toMatchObject(refusal);
		await expect(connection.tokens()).rejects.toMatchObject(refusal);
		expect(await connection.count(0)).toBe(0);
		await connection.dispose();
	});

	it("passes params, and is refused by createConnState with its error", async () => {
		const ada = client.room.getOrCreate(["params"], { params: { user: "Ada" } });
		expect(await ada.whoAmI()).toBe("Ada");
		const refused = client.room.getOrCreate(["params"], { params: { reject: true } });
		await expect(refused.whoAmI()).rejects.toMatchObject({ group: "user", code: "not_you" });
	});

	it("connects, calls in order, hears events, and gets action errors on the socket", async () => {
		const connection = client.room
			.getOrCreate(["connected"], { params: { user: "Eve" } })
			.connect();
		const counts: number[] = [];
		const pairs: unknown[][] = [];
		connection.on("counted", (count: number) => counts.push(count));
		connection.on("pair", (...args: unknown[]) => pairs.push(args));
		expect(await connection.whoAmI()).toBe("Eve");
		expect(await connection.count(2)).toBe(2);
		expect(await connection.count(3)).toBe(5);
		await connection.pair();
		expect(counts).toEqual([2, 5]);
		expect(pairs).toEqual([["a", 1]]);
		await expect(connection.refuse()).rejects.toMatchObject({ group: "user", code: "no" });
		expect(await connection.count(1)).toBe(6);
		await connection.dispose();
	});

	it("keeps its connection over a sleep of the actor: id, params, state and subscriptions", async () => {
		const handle = client.room.getOrCreate(["sleeper"], { params: { user: "Sue" } });
		const connection = handle.connect();
		const counts: number[] = [];
		const statuses: string[] = [];
		connection.on("counted", (count: number) => counts.push(count));
		expect(await connection.count(1)).toBe(1);
		connection.onStatusChange((status: string) => statuses.push(status));
		const { connectionId } = connection;
		const actorId = await handle.resolve();
		await connection.nap();
		await eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));
		expect(await connection.whoAmI()).toBe("Sue");
		expect(await connection.count(2)).toBe(3);
		expect(counts).toEqual([1, 3]);
		expect([connection.connectionId, statuses]).toEqual([connectionId, []]);
		await connection.dispose();
	});

	it("reports a refused connection through the connection's error handler", async () => {
		const connection = client.room.getOrCreate(["refused"], { params: { reject: true } }).connect();
		const error = await new Promise((resolve) => connection.onError(resolve));
		expect(error).toMatchObject({ group: "user", code: "not_you" });
		await connection.dispose();
	});

	it("sends to queues, waits, and sees their errors", async () => {
		const handle = client.worker.getOrCreate(["queue"]);
		expect(await handle.send("jobs", { n: 1 })).toBeUndefined();
		const waited = await handle.send("jobs", { n: 2 }, { wait: true, timeout: 30_000 });
		expect(waited).toEqual({ status: "completed", response: { did: { n: 2 } } });
		expect(await handle.done()).toEqual([{ n: 1 }, { n: 2 }]);
		const connection = handle.connect();
		const over = await connection.send("jobs", 3, { wait: true });
		expect(over).toEqual({ status: "completed", response: { did: 3 } });
		await connection.dispose();
		expect((await handle.send("idle", 1, { wait: true, timeout: 20 })).status).toBe("timedOut");
		expect(await handle.send("undeclared", 1, { wait: true })).toMatchObject({
			status: "completed",
		});
		await expect(handle.send("idle", 2)).rejects.toMatchObject({
			group: "queue",
			code: "full",
			message: expect.stringContaining("Queue is full. Limit is"),
			metadata: { limit: 1 },
		});
		await expect(handle.send("closed", 2)).rejects.toMatchObject({
			group: "auth",
			code: "forbidden",
		});
		await handle.nap();
		const woken = await handle.send("jobs", 4, { wait: true });
		expect(woken.response).toEqual({ did: 4 });
	});

	it("does raw HTTP", async () => {
		const response: Response = await client.room
			.getOrCreate(["raw"], { createWithInput: { title: "raw" } })
			.fetch("sub/path?q=%20", { method: "POST", body: "hello" });
		expect(response.status).toBe(201);
		expect(response.headers.get("x-from")).toBe("room");
		expect(await response.json()).toEqual({
			method: "POST",
			path: "/sub/path?q=%20",
			body: "hello",
			title: "raw",
		});
	});

	it("does raw WebSockets, text and binary, and sees the actor's close code", async () => {
		const socket: WebSocket = await client.room.getOrCreate(["raw socket"]).webSocket("stream/1");
		socket.binaryType = "arraybuffer";
		const received: unknown[] = [];
		socket.addEventListener("message", ({ data }) => {
			received.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
			if (received.length === 1) socket.send("text");
			if (received.length === 2) socket.send(new Uint8Array([7, 8]));
			if (received.length === 3) socket.send("close");
		});
		const closed = await new Promise<CloseEvent>((resolve) =>
			socket.addEventListener("close", (event) => resolve(event as CloseEvent)),
		);
		expect(received[0]).toContain("/websocket/stream/1");
		expect(received.slice(1)).toEqual(["text", [7, 8]]);
		expect([closed.code, closed.reason]).toEqual([4001, "as you wish"]);
	});

	it("resolves an action that returns nothing", async () => {
		const result = await client.room.getOrCreate(["void"]).nothing();
		expect(result).toBe(encoding === "json" ? null : undefined);
	});

	it("finds a fresh actor under the key after a destroy", async () => {
		const handle = client.room.getOrCreate(["phoenix"]);
		expect(await handle.count(5)).toBe(5);
		await handle.leave();
		expect(await handle.count(1)).toBe(1);
	});
});
