// Sending to queues (contract: api 7, 9, 15.3, A16 to A18, A22; protocol 2.4, checks 26 to 29).
import { HEADER_CALL_ID, HEADER_QUEUE_OPTIONS } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { UserError } from "../../src/errors/index.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction, wireSend } from "../support/wire-http.ts";

const ENCODINGS = ["json", "cbor", "bare"] as const;

/** A message without what differs from run to run. */
const shown = (messages: unknown) =>
	(messages as { name: string; body: unknown }[]).map(({ name, body }) => [name, body]);

/** All messages there are, taken. */
const drain = {
	drain: async (c: never) => {
		const { queue } = c as { queue: { tryNextBatch(o: object): Promise<unknown[]> } };
		return shown(await queue.tryNextBatch({ count: 10_000 }));
	},
};

describe("a message over HTTP", () => {
	const subject = actor({ queues: { a: queue<unknown>(), b: queue<unknown>() }, actions: drain });

	it.each(ENCODINGS)(
		"%s: is stored, by path or by name in the body; the path wins",
		async (encoding) => {
			await using runtime = await TestRuntime.start({ subject });
			const id = await runtime.actorId("subject");
			const send = (name: string, path: string) =>
				wireSend(runtime, id, name, { n: path }, { encoding, path });
			for (const [name, path] of [
				["a", "/queue"],
				["a", "/queue/"],
				["b", "/queue/a"],
				["a", "/queue/b/"],
				["a", "/queue/b?ignored=1"],
			] as const) {
				const answer = await send(name, path);
				expect([answer.status, answer.outcome]).toEqual([200, { status: "completed" }]);
			}
			expect((await wireAction(runtime, id, "drain", [], { encoding })).output).toEqual([
				["a", { n: "/queue" }],
				["a", { n: "/queue/" }],
				["a", { n: "/queue/a" }],
				["b", { n: "/queue/b/" }],
				["b", { n: "/queue/b?ignored=1" }],
			]);
		},
	);

	it("without a name is request.invalid, malformed ones are message.malformed", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const post = (body: string | Uint8Array<ArrayBuffer>, encoding: "json" | "bare" = "json") =>
			wireSend(runtime, id, "", undefined, { encoding, body, path: "/queue" });
		const nameless = await post('{"body":1}');
		expect([nameless.status, codeOf(nameless)]).toEqual([400, "request.invalid"]);
		expect(nameless.error?.message).toBe("Invalid request: missing queue name");
		for (const body of ["", "{", '{"name":"a"}', '{"body":1,"name":"a","wait":null}']) {
			expect(codeOf(await post(body))).toBe("message.malformed");
		}
		// Queues came with version 3.
		const v2 = Uint8Array.from([2, 0, 1, 1, 1, 1, 97, 0, 0]);
		expect(codeOf(await post(v2, "bare"))).toBe("message.malformed");
		expect(codeOf(await post(Uint8Array.from([3, 0, 1, 1, 1, 1, 97, 0, 0]), "bare"))).toBe("ok");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([["a", 1]]);
	});

	it("over 65,536 bytes is message.incoming_too_long", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const answer = await wireSend(runtime, id, "a", "x".repeat(66_000));
		expect([answer.status, codeOf(answer)]).toEqual([400, "message.incoming_too_long"]);
	});

	it("to an undeclared queue is completed, stores nothing, runs no hooks, and is logged once per name", async () => {
		const connects: string[] = [];
		const undeclared = actor({
			queues: { a: queue<unknown>() },
			onConnect: () => void connects.push("connect"),
			actions: drain,
		});
		await using runtime = await TestRuntime.start({ undeclared });
		const id = await runtime.actorId("undeclared");
		for (const name of ["b", "toString", "b", "__proto__"]) {
			const answer = await wireSend(runtime, id, name, 1, { wait: true });
			expect(answer.outcome).toEqual({ status: "completed" });
		}
		expect(connects).toEqual([]);
		expect((await wireAction(runtime, id, "drain")).output).toEqual([]);
		const warned = runtime.log.filter(({ level }) => level === "warn");
		expect(warned.map(({ fields }) => fields.queue)).toEqual(["b", "toString", "__proto__"]);
		expect(warned[0]!.message).toMatch(/not declared/);
		expect(warned[0]!.fields).toMatchObject({ actor: "undeclared", known: "a" });
	});

	it("reaches the actor by handle and connection, over HTTP and in process, with all its types", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const body = { at: new Date(5), list: [1n, new Uint8Array([1])], map: new Map([["k", null]]) };
		await using client = runtime.client();
		await using local = runtime.localClient();
		const handle = client.subject!.getOrCreate(["k"]);
		expect(await handle.send("a", body)).toBeUndefined();
		const connection = handle.connect();
		expect(await connection.send("b", body)).toBeUndefined();
		expect(await local.subject!.getOrCreate(["k"]).send("a", body)).toBeUndefined();
		expect(await handle.drain()).toEqual([
			["a", body],
			["b", body],
			["a", body],
		]);
	});
});

describe("c.queue.send", () => {
	it("returns the message; ids begin at 1, increase over all queues and survive sleep", async () => {
		const subject = actor({
			queues: { a: queue<number>(), b: queue<string>() },
			actions: {
				send: async (c) => {
					const sent = [await c.queue.send("a", 1), await c.queue.send("b", "x")];
					return { sent, size: c.queue.size(), ofA: c.queue.size("a") };
				},
				take: (c) => c.queue.tryNextBatch({ count: 10 }),
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client();
		const handle = client.subject!.getOrCreate(["k"]);
		const { sent, size, ofA } = (await handle.action({ name: "send", args: [] })) as never as {
			sent: unknown[];
			size: number;
			ofA: number;
		};
		expect(sent).toEqual([
			{ id: 1n, name: "a", body: 1, createdAt: expect.any(Number), attempt: 0 },
			{ id: 2n, name: "b", body: "x", createdAt: expect.any(Number), attempt: 0 },
		]);
		expect([size, ofA]).toEqual([2, 1]);
		expect(((await handle.take()) as { id: bigint }[]).map(({ id }) => id)).toEqual([1n, 2n]);
		await handle.nap();
		const again = await handle.action({ name: "send", args: [] });
		expect((again as { sent: { id: bigint }[] }).sent.map(({ id }) => id)).toEqual([3n, 4n]);
	});

	it("to an undeclared name stores the message as any other", async () => {
		const subject = actor({
			actions: { send: (c, name: string) => c.queue.send(name, 1), ...drain },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "send", ["anything"]);
		expect((await wireAction(runtime, id, "drain")).output).toEqual([["anything", 1]]);
		expect(codeOf(await wireAction(runtime, id, "send", [""]))).toBe("queue.invalid_option");
	});
});

describe("who may send", () => {
	const subject = actor({
		queues: {
			open: queue<number>({ canPublish: () => true }),
			closed: queue<number>({ canPublish: () => false }),
			later: queue<number>({
				canPublish: async (c) => {
					await Promise.resolve();
					return (c.conn.params as { user?: string } | undefined)?.user === "ann";
				},
			}),
			odd: queue<number>({ canPublish: (() => "yes") as never }),
			throwing: queue<number>({
				canPublish: () => {
					throw new UserError("not on Sundays", { code: "sunday" });
				},
			}),
		},
		actions: { own: async (c) => void (await c.queue.send("closed", 7)), ...drain },
	});

	it("is for canPublish to say, for clients only (A17)", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const send = (name: string, user?: string) => {
			const headers = user ? { "x-rivet-conn-params": JSON.stringify({ user }) } : {};
			return wireSend(runtime, id, name, 1, { headers });
		};
		expect((await send("open")).outcome).toEqual({ status: "completed" });
		const closed = await send("closed");
		expect([closed.status, codeOf(closed)]).toEqual([403, "auth.forbidden"]);
		expect(codeOf(await send("later"))).toBe("auth.forbidden");
		expect(codeOf(await send("later", "ann"))).toBe("ok");
		const odd = await send("odd");
		expect([odd.status, codeOf(odd)]).toEqual([500, "rivetkit.internal_error"]);
		expect(codeOf(await send("throwing"))).toBe("user.sunday");
		await wireAction(runtime, id, "own");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([
			["open", 1],
			["later", 1],
			["closed", 7],
		]);
	});

	it("is also for the connection hooks to say; the connection lasts as long as the call", async () => {
		const events: string[] = [];
		const guarded = actor({
			queues: { a: queue<number>() },
			onBeforeConnect: (c, params: { user: string }) => {
				events.push(`before ${new URL(c.request!.url).pathname}`);
				if (params.user !== "ann") throw new UserError("who?", { code: "who" });
			},
			onConnect: (_c, conn) => void events.push(`connect ${conn.kind}`),
			onDisconnect: () => void events.push("disconnect"),
		});
		await using runtime = await TestRuntime.start({ guarded });
		const id = await runtime.actorId("guarded");
		const send = (user: string) =>
			wireSend(runtime, id, "a", 1, {
				headers: { "x-rivet-conn-params": JSON.stringify({ user }) },
			});
		expect(codeOf(await send("bob"))).toBe("user.who");
		expect(codeOf(await send("ann"))).toBe("ok");
		expect(events).toEqual(["before /queue/a", "before /queue/a", "connect http", "disconnect"]);
	});
});

describe("schemas (A16)", () => {
	const asyncNumber = z.number().refine(async (n) => n > 0, "not positive");
	const subject = actor({
		queues: {
			dates: z.coerce.date(),
			strict: { message: z.object({ n: z.number() }) },
			later: queue({ message: asyncNumber }),
		},
		actions: {
			own: (c, name: "dates" | "strict" | "later", body: never) => c.queue.send(name, body),
			...drain,
		},
	});

	it("refuse bodies before they are stored, and store what they made of them, for all senders", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const senders = {
			client: (name: string, body: unknown) =>
				wireSend(runtime, id, name, body, { encoding: "cbor" }),
			own: (name: string, body: unknown) =>
				wireAction(runtime, id, "own", [name, body], { encoding: "cbor" }),
		};
		for (const send of Object.values(senders)) {
			expect(codeOf(await send("dates", "2024-01-01"))).toBe("ok");
			expect(codeOf(await send("later", 1))).toBe("ok");
			const refused = await send("strict", { n: "1", secret: true });
			expect([refused.status, codeOf(refused)]).toEqual([400, "queue.invalid_payload"]);
			expect(refused.error?.metadata).toMatchObject({
				name: "strict",
				issues: [{ path: ["n"], message: expect.any(String) }],
			});
			expect((await send("later", -1)).error?.metadata).toMatchObject({
				issues: [{ message: "not positive" }],
			});
		}
		const date = new Date("2024-01-01");
		expect((await wireAction(runtime, id, "drain", [], { encoding: "cbor" })).output).toEqual([
			["dates", date],
			["later", 1],
			["dates", date],
			["later", 1],
		]);
	});
});

describe("limits", () => {
	it("maxQueueSize refuses with its error, for all queues together, and recovers", async () => {
		const subject = actor({
			queues: { a: queue<number>(), b: queue<number>() },
			options: { maxQueueSize: 3 },
			actions: {
				own: (c) => c.queue.send("b", 1),
				take: (c) => c.queue.tryNext(),
				...drain,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (let n = 0; n < 3; n++) expect(codeOf(await wireSend(runtime, id, "a", n))).toBe("ok");
		for (const refused of [
			await wireSend(runtime, id, "b", 1),
			await wireAction(runtime, id, "own"),
			await wireSend(runtime, id, "a", 1, { wait: true }),
		]) {
			expect([refused.status, codeOf(refused)]).toEqual([400, "queue.full"]);
			expect(refused.error).toMatchObject({
				message: expect.stringMatching(/^Queue is full\. Limit is 3 messages.*maxQueueSize/),
				metadata: { limit: 3 },
			});
		}
		await wireAction(runtime, id, "take");
		expect(codeOf(await wireSend(runtime, id, "b", 3))).toBe("ok");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([
			["a", 1],
			["a", 2],
			["b", 3],
		]);
		// Many senders at once never get past it.
		const sends = await Promise.all(
			Array.from({ length: 20 }, (_, n) => wireSend(runtime, id, "a", n)),
		);
		expect(sends.filter((answer) => codeOf(answer) === "ok")).toHaveLength(3);
	});

	it("maxSize of a queue is its own (W-Q-12)", async () => {
		const subject = actor({
			queues: { small: queue<number>({ maxSize: 1 }), large: queue<number>() },
			actions: drain,
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(codeOf(await wireSend(runtime, id, "small", 1))).toBe("ok");
		const refused = await wireSend(runtime, id, "small", 2);
		expect(codeOf(refused)).toBe("queue.full");
		expect(refused.error).toMatchObject({
			message: expect.stringMatching(/'small'.*maxSize/),
			metadata: { limit: 1, queue: "small" },
		});
		expect(codeOf(await wireSend(runtime, id, "large", 3))).toBe("ok");
	});

	it("maxQueueMessageSize is exact: body and name together", async () => {
		const subject = actor({
			queues: { a: queue<string>() },
			options: { maxQueueMessageSize: 100 },
			actions: { own: (c, body: string) => c.queue.send("a", body), ...drain },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		// CBOR: two bytes of head for a text of 24 to 255 bytes; one byte of name.
		const fits = "x".repeat(97);
		for (const send of [
			(body: string) => wireSend(runtime, id, "a", body),
			(body: string) => wireAction(runtime, id, "own", [body]),
		]) {
			expect(codeOf(await send(fits))).toBe("ok");
			const refused = await send(`${fits}x`);
			expect([refused.status, codeOf(refused)]).toEqual([400, "queue.message_too_large"]);
			expect(refused.error).toMatchObject({
				message: expect.stringMatching(/\(101 bytes\)\. Limit is 100 bytes.*maxQueueMessageSize/),
				metadata: { size: 101, limit: 100 },
			});
		}
		expect((await wireAction(runtime, id, "drain")).output).toHaveLength(2);
	});

	it("messages far over one stored value are stored in parts and come back whole", async () => {
		const subject = actor({
			queues: { a: queue<string>() },
			options: { maxQueueMessageSize: 1_000_000 },
			actions: { nap: (c) => c.sleep(), ...drain },
		});
		await using runtime = await TestRuntime.start(
			{ subject },
			{ maxIncomingMessageSize: 1_000_000 },
		);
		const id = await runtime.actorId("subject");
		const large = "ä".repeat(150_000);
		await wireSend(runtime, id, "a", large);
		await wireSend(runtime, id, "a", "small");
		await wireAction(runtime, id, "nap");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([
			["a", large],
			["a", "small"],
		]);
		await wireAction(runtime, id, "nap");
		const left = await runtime.store.scan(id, { start: Uint8Array.of(0x10), end: null });
		expect(left).toEqual([]);
	});

	it("bodies that cannot be stored are named by path (queue.message_invalid)", async () => {
		const subject = actor({
			queues: { a: queue<unknown>() },
			actions: {
				own: (c, which: "function" | "root" | "cycle") => {
					const cycle: { self?: unknown } = {};
					cycle.self = cycle;
					const bodies = { function: { a: [1, () => 1] }, root: Number.NaN, cycle };
					return c.queue.send("a", bodies[which]);
				},
				...drain,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const nan = await wireSend(runtime, id, "a", { a: [0, Number.NaN] }, { encoding: "cbor" });
		expect([nan.status, codeOf(nan)]).toEqual([400, "queue.message_invalid"]);
		expect(nan.error?.metadata).toEqual({ path: "a[1]" });
		const own = await wireAction(runtime, id, "own", ["function"]);
		expect([codeOf(own), own.error?.metadata]).toEqual(["queue.message_invalid", { path: "a[1]" }]);
		const root = await wireAction(runtime, id, "own", ["root"]);
		expect([codeOf(root), root.error?.metadata]).toEqual(["queue.message_invalid", undefined]);
		expect(codeOf(await wireAction(runtime, id, "own", ["cycle"]))).toBe("queue.message_invalid");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([]);
	});
});

describe("a send that is repeated with its call id", () => {
	const subject = actor({
		queues: {
			a: queue<number>(),
			slow: queue({
				message: z.number().refine(async (n) => {
					await new Promise((resolve) => setTimeout(resolve, 5));
					return n > 0;
				}),
			}),
		},
		options: { maxQueueSize: 3 },
		actions: { nap: (c) => c.sleep(), ...drain },
	});
	const headers = { [HEADER_CALL_ID]: "call-1" };

	it("is answered, not stored twice, also when it was handled since and in the next incarnation", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const send = () => wireSend(runtime, id, "a", 1, { headers });
		const both = await Promise.all([send(), send()]);
		expect(both.map(({ outcome }) => outcome?.status)).toEqual(["completed", "completed"]);
		expect((await wireAction(runtime, id, "drain")).output).toEqual([["a", 1]]);
		expect(codeOf(await send())).toBe("ok");
		await wireAction(runtime, id, "nap");
		expect(codeOf(await send())).toBe("ok");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([]);
	});

	it("while the first is still being validated shares its fate", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (const wait of [false, true]) {
			const send = (body: number, callId: string) =>
				wireSend(runtime, id, "slow", body, {
					headers: { [HEADER_CALL_ID]: callId },
					...(wait ? { wait, timeout: 20 } : undefined),
				});
			const answers = await Promise.all([1, 1, 1].map((body) => send(body, `good-${wait}`)));
			expect(answers.map(codeOf)).toEqual(["ok", "ok", "ok"]);
			const refused = await Promise.all([-1, -1].map((body) => send(body, `bad-${wait}`)));
			expect(refused.map(codeOf)).toEqual(["queue.invalid_payload", "queue.invalid_payload"]);
			expect((await wireAction(runtime, id, "drain")).output).toEqual([["slow", 1]]);
		}
	});

	it("that was refused may be tried again under its id", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (let n = 0; n < 3; n++) await wireSend(runtime, id, "a", n);
		const send = () => wireSend(runtime, id, "a", 9, { headers });
		expect(codeOf(await send())).toBe("queue.full");
		await wireAction(runtime, id, "drain");
		expect(codeOf(await send())).toBe("ok");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([["a", 9]]);
	});
});

describe("options of ours", () => {
	const subject = actor({
		queues: { a: queue<string>() },
		actions: { own: (c, options: never) => c.queue.send("a", "own", options), ...drain },
	});

	it.each(ENCODINGS)("%s: travel from clients in a header", async (encoding) => {
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client(encoding);
		await using local = runtime.localClient();
		const handle = client.subject!.getOrCreate(["k"]);
		await handle.send("a", "low", { priority: -1 });
		await handle.send("a", "normal");
		await local
			.subject!.getOrCreate(["k"])
			.send("a", "high", { priority: 5, dedupeKey: "schlüssel" });
		await handle.send("a", "repeated", { dedupeKey: "schlüssel" });
		await handle.send("a", "never", { ttl: 1, delay: 1_000 });
		await handle.send("a", "later", { delay: 60_000 });
		await new Promise((resolve) => setTimeout(resolve, 5));
		expect(await handle.drain()).toEqual([
			["a", "high"],
			["a", "normal"],
			["a", "low"],
		]);
	});

	it.each([
		["delay", -1],
		["delay", "1"],
		["delay", 1e15],
		["priority", 1.5],
		["ttl", 0],
		["dedupeKey", ""],
		["dedupeKey", "ä".repeat(257)],
		["dedupekey", "misspelt"],
	])("%s: %j is refused by name", async (name, value) => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const options = { [name]: value };
		const headers = {
			[HEADER_QUEUE_OPTIONS]: JSON.stringify(options).replaceAll("ä", "\\u00e4"),
		};
		for (const refused of [
			await wireSend(runtime, id, "a", "client", { headers }),
			await wireAction(runtime, id, "own", [options]),
		]) {
			expect([refused.status, codeOf(refused)]).toEqual([400, "queue.invalid_option"]);
			expect(refused.error?.metadata).toMatchObject({ option: name });
		}
		await using client = runtime.client();
		const sent = client.subject!.getForId(id).send("a", "client", options as object);
		expect(await outcomeOf(sent)).toBe("queue.invalid_option");
		expect((await wireAction(runtime, id, "drain")).output).toEqual([]);
	});

	it("a dedupe key may have 512 bytes", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const options = { dedupeKey: "ä".repeat(256) };
		const sent = await wireAction(runtime, id, "own", [options]);
		expect(codeOf(sent)).toBe("ok");
	});

	it("a header that is no JSON is request.invalid", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const headers = { [HEADER_QUEUE_OPTIONS]: "{" };
		expect(codeOf(await wireSend(runtime, id, "a", 1, { headers }))).toBe("request.invalid");
	});
});

describe("a send that waits for nothing", () => {
	it("timeout 0 or less times out at once and stores nothing (A22)", async () => {
		const subject = actor({ queues: { a: queue<number>() }, actions: drain });
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client();
		const id = await runtime.actorId("subject", "k");
		for (const timeout of [0, -5]) {
			const answer = await wireSend(runtime, id, "a", 1, { wait: true, timeout });
			expect(answer.outcome).toEqual({ status: "timedOut" });
		}
		const handle = client.subject!.getOrCreate(["k"]);
		expect(await handle.send("a", 1, { wait: true, timeout: 0 })).toEqual({ status: "timedOut" });
		expect(await handle.drain()).toEqual([]);
	});

	it("a message stays in the queue when its sender's time is over", async () => {
		const subject = actor({ queues: { a: queue<number>() }, actions: drain });
		await using runtime = await TestRuntime.start({ subject });
		await using client = runtime.client();
		const handle = client.subject!.getOrCreate(["k"]);
		expect(await handle.send("a", 1, { wait: true, timeout: 20 })).toEqual({ status: "timedOut" });
		expect(await handle.drain()).toEqual([["a", 1]]);
		expect(await outcomeOf(handle.send("a", 1))).toBe("ok");
	});
});

it("names that objects have of their own are names like others", async () => {
	const hostile = ["__proto__", "constructor", "toString", "hasOwnProperty"] as const;
	const declaration = queue<unknown>();
	const declared = Object.fromEntries(hostile.slice(0, 3).map((name) => [name, declaration]));
	const subject = actor({
		queues: declared as Record<(typeof hostile)[number], typeof declaration>,
		actions: {
			own: async (c) => {
				for (const name of hostile) {
					const body = Object.fromEntries([
						["__proto__", 1],
						["name", name],
					]);
					await c.queue.send(name, body, { dedupeKey: "__proto__" });
				}
				const taken: unknown[] = [];
				for (const name of hostile.toReversed()) {
					const message = await c.queue.tryNext({ names: [name] });
					const body = message!.body as { name: string };
					taken.push([message!.name, body.name, Object.hasOwn(body, "__proto__")]);
				}
				return taken;
			},
			sizes: (c) => hostile.map((name) => c.queue.size(name)),
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	expect((await wireAction(runtime, id, "own")).output).toEqual(
		hostile.toReversed().map((name) => [name, name, true]),
	);
	for (const name of hostile) expect((await wireSend(runtime, id, name, 1)).status).toBe(200);
	// The last one is not declared, and so ignored.
	expect((await wireAction(runtime, id, "sizes")).output).toEqual([1, 1, 1, 0]);
});
