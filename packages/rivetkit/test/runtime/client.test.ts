import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { createClient } from "../../src/client/index.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction } from "../support/wire-http.ts";

const gone = (runtime: TestRuntime, actorId: string) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));

/** What is called in these tests. */
const other = actor({
	createState: (_c, input: { from?: string } | undefined) => ({ n: 0, from: input?.from }),
	onRequest: async (c, request) =>
		Response.json({ method: request.method, params: c.conn.params, body: await request.text() }),
	onWebSocket: (_c, socket) => {
		socket.addEventListener("message", ({ data }) => socket.send(`echo ${data}`));
	},
	onDisconnect: (c, conn) => {
		if (conn.kind === "websocket") c.state.from = "left";
	},
	actions: {
		add: (c, by: number) => (c.state.n += by),
		echo: (_c, value: unknown) => value,
		from: (c) => c.state.from,
		params: (c) => c.conn.params,
		conns: (c) => c.conns.size,
		announce: (c, value: number) => c.broadcast("news", value),
		refuse: () => {
			throw new UserError("not for you", { code: "refused", metadata: { why: [1] } });
		},
		crash: () => {
			throw new Error("secret");
		},
	},
});

describe("c.client()", () => {
	it("calls other actors without a network, with every kind of value", async () => {
		const subject = actor({
			state: { bytes: new Uint8Array([1, 2]), when: new Date(5) },
			actions: {
				go: async (c) => {
					const handle = c.client().other!.getOrCreate(["x"]);
					const values = { map: new Map([["a", 1n]]), nan: Number.NaN, gone: undefined };
					return {
						sum: (await handle.add(2)) + (await handle.add(3)),
						same: await handle.echo(values),
						state: await handle.echo(c.state),
						nothing: await handle.echo(undefined),
					};
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		const { output } = await wireAction(runtime, id, "go", [], { encoding: "cbor" });
		expect(output).toEqual({
			sum: 7,
			same: { map: new Map([["a", 1n]]), nan: Number.NaN },
			state: { bytes: new Uint8Array([1, 2]), when: new Date(5) },
		});
	});

	it("refuses what is over maxIncomingMessageSize, as a call over a network is", async () => {
		const keeper = actor({
			queues: { job: queue<string>() },
			actions: { length: (_c, text: string) => text.length },
		});
		const subject = actor({
			actions: {
				go: async (c, length: number) => {
					const text = "x".repeat(length);
					const handle = c.client().keeper!.getOrCreate(["x"]);
					const outcomes = [handle.length(text), handle.send("job", text)].map(outcomeOf);
					return Promise.all(outcomes);
				},
			},
		});
		await using runtime = await TestRuntime.start(
			{ subject, keeper },
			{ maxIncomingMessageSize: 1_000 },
		);
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "go", [900])).output).toEqual(["ok", "ok"]);
		expect((await wireAction(runtime, id, "go", [1_000])).output).toEqual([
			"message.incoming_too_long",
			"message.incoming_too_long",
		]);
	});

	it("shares no object with whom it calls", async () => {
		const kept: unknown[] = [];
		const keeper = actor({
			actions: {
				keep: (_c, value: object) => {
					kept.push(value);
					return value;
				},
			},
		});
		const subject = actor({
			actions: {
				go: async (c) => {
					const mine = { n: 1 };
					const returned = await c.client().keeper!.getOrCreate(["x"]).keep(mine);
					mine.n = 2;
					return [returned === mine, returned === kept[0], kept[0]];
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, keeper });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "go")).output).toEqual([false, false, { n: 1 }]);
	});

	it("creates with input, gets, resolves, fetches, opens raw sockets, passes params", async () => {
		const subject = actor({
			actions: {
				go: async (c) => {
					const client = c.client();
					const created = await client.other!.create(["new"], { input: { from: "input" } });
					const found = client.other!.get(["new"], { params: { who: "me" } });
					const response = await found.fetch("/x", { method: "POST", body: "hello" });
					const socket = await found.webSocket("/path");
					const echoed = await new Promise((resolve) => {
						socket.addEventListener("open", () => socket.send("hi"));
						socket.addEventListener("message", ({ data }) => resolve(data));
					});
					socket.close();
					return {
						from: await created.from(),
						same: (await created.resolve()) === (await found.resolve()),
						params: await found.params(),
						response: await response.json(),
						echoed,
						url: (await found.getGatewayUrl()).includes("/gateway/"),
						missing: codeOf(
							await client
								.other!.get(["no"])
								.from()
								.catch((error: unknown) => error),
						),
						duplicate: codeOf(await client.other!.create(["new"]).catch((error: unknown) => error)),
						unknown: codeOf(
							await client
								.nobody!.getOrCreate(["x"])
								.go()
								.catch((error: unknown) => error),
						),
					};
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		const answer = await wireAction(runtime, id, "go");
		expect(answer.output).toEqual({
			from: "input",
			same: true,
			params: { who: "me" },
			response: { method: "POST", params: { who: "me" }, body: "hello" },
			echoed: "echo hi",
			url: true,
			missing: "actor.not_found",
			duplicate: "actor.duplicate_key",
			unknown: "request.invalid",
		});
	});

	it("A27: a public error of the other actor stays public for the outer caller, an internal one masked", async () => {
		const subject = actor({
			actions: {
				refuse: (c) => c.client().other!.getOrCreate(["x"]).refuse(),
				crash: (c) => c.client().other!.getOrCreate(["x"]).crash(),
				missing: (c) => c.client().other!.getOrCreate(["x"]).nope(),
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		const refused = await wireAction(runtime, id, "refuse");
		expect(refused.status).toBe(400);
		expect(refused.error).toMatchObject({
			group: "user",
			code: "refused",
			message: "not for you",
			metadata: { why: [1] },
		});
		const crashed = await wireAction(runtime, id, "crash");
		expect([crashed.status, codeOf(crashed)]).toEqual([500, "rivetkit.internal_error"]);
		expect(crashed.error?.message).not.toContain("secret");
		expect(codeOf(await wireAction(runtime, id, "missing"))).toBe("action.not_found");
	});

	it("cannot send what cannot be encoded, and says so to the actor that tries", async () => {
		const subject = actor({
			actions: {
				go: async (c) => {
					const cycle: { self?: object } = {};
					cycle.self = cycle;
					const attempts = [() => 1, cycle].map((value) =>
						c.client().other!.getOrCreate(["x"]).echo(value),
					);
					const outcomes = await Promise.allSettled(attempts);
					return outcomes.map(({ status }) => status);
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "go")).output).toEqual(["rejected", "rejected"]);
	});
});

describe("connections through c.client()", () => {
	it("act, subscribe and count as connections of the target", async () => {
		const heard = new Gate<unknown>();
		const subject = actor({
			actions: {
				go: async (c) => {
					const connection = c.client().other!.getOrCreate(["x"]).connect();
					connection.on("news", (value: number) => heard.open(value));
					const sum = await connection.add(5);
					await connection.announce(9);
					const conns = await connection.conns();
					await connection.dispose();
					return [sum, conns];
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "go")).output).toEqual([5, 1]);
		expect(await soon(heard.passed)).toBe(9);
		const target = runtime.localClient().other!.getOrCreate(["x"]);
		await eventually(async () => expect(await target.from()).toBe("left"));
	});

	it("take parts of the caller's state for what they are, as clients of its own do", async () => {
		const subject = actor({
			state: { bytes: new Uint8Array([1, 2]), parts: [new Float64Array([0.5])], when: new Date(5) },
			actions: {
				go: async (c, endpoint: string) => {
					await using apart = createClient({ endpoint });
					const handles = [c.client().other!, apart.other!].map((of) => of.getOrCreate(["x"]));
					const connections = handles.map((handle) => handle.connect());
					const echoed = [...connections, handles[1]!].map((to) => to.echo(c.state));
					const all = await Promise.all(echoed);
					await Promise.all(connections.map((connection) => connection.dispose()));
					return all;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		const { output } = await wireAction(runtime, id, "go", [runtime.url], { encoding: "cbor" });
		const same = {
			bytes: new Uint8Array([1, 2]),
			parts: [new Float64Array([0.5])],
			when: new Date(5),
		};
		expect(output).toEqual([same, same, same]);
	});

	it("that are open when the actor stops are disposed of", async () => {
		const subject = actor({
			actions: {
				open: async (c) => {
					const connection = c.client().other!.getOrCreate(["x"]).connect();
					await connection.add(1);
				},
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ subject, other });
		const id = await runtime.actorId("subject");
		const target = runtime.localClient().other!.getOrCreate(["x"]);
		await wireAction(runtime, id, "open");
		expect(await target.conns()).toBe(2);
		await wireAction(runtime, id, "nap");
		await gone(runtime, id);
		await eventually(async () => expect(await target.conns()).toBe(1));
		expect(await target.from()).toBe("left");
	});
});

describe("an actor that calls itself", () => {
	const self = actor({
		state: { n: 0 },
		actions: {
			byKey: (c) => c.client().self!.getOrCreate(["me"]).add(),
			byGet: (c) => c.client().self!.get(["me"]).add(),
			byId: (c) => c.client().self!.getForId(c.actorId).add(),
			byConnection: async (c) => {
				const connection = c.client().self!.getOrCreate(["me"]).connect();
				const n = await connection.add();
				await connection.dispose();
				return n;
			},
			add: (c) => ++c.state.n,
		},
	});

	it("may, while it is ready: its actions run concurrently", async () => {
		await using runtime = await TestRuntime.start({ self });
		const id = await runtime.actorId("self", "me");
		for (const [index, name] of ["byKey", "byGet", "byId", "byConnection"].entries()) {
			expect((await soon(wireAction(runtime, id, name))).output, name).toBe(index + 1);
		}
	});

	interface SelfCaller {
		client(): Record<string, { getOrCreate(key: string[]): { add(): Promise<number> } }>;
	}

	it.each(["onCreate", "createVars", "onWake"])(
		"in %s fails at once with an error that says where it works",
		async (hook) => {
			const seen: string[] = [];
			const callItself = async (c: SelfCaller) => {
				const call = c.client().early!.getOrCreate(["me"]).add();
				await call.catch((error: Error) => seen.push(error.message));
				return {};
			};
			const early = actor({ [hook]: callItself, actions: { add: () => 1 } });
			await using runtime = await TestRuntime.start({ early });
			await soon(runtime.actorId("early", "me"));
			expect(seen).toHaveLength(1);
			expect(seen[0]).toContain(`actor to itself does not work in ${hook}; it works in ready`);
		},
	);

	it("with a key of its own only: a sibling of the same name is another actor", async () => {
		const sibling = actor({
			onCreate: async (c) => {
				if (c.key[0] === "first") await c.client().sibling!.getOrCreate(["second"]).ping();
			},
			actions: { ping: () => 1 },
		});
		await using runtime = await TestRuntime.start({ sibling });
		await soon(runtime.actorId("sibling", "first"));
		expect(runtime.embedded.host.liveActorIds).toHaveLength(2);
	});

	it("after the stop has begun fails at once instead of waiting for its own successor", async () => {
		const outcome = new Gate<string>();
		const gate = new Gate();
		const late = actor({
			actions: {
				go: async (c) => {
					await gate.passed;
					const call = c.client().late!.getOrCreate(["me"]).ping();
					outcome.open(
						await call.then(
							() => "answered",
							(error: Error) => error.message,
						),
					);
				},
				ping: () => 1,
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ late });
		const id = await runtime.actorId("late", "me");
		const call = wireAction(runtime, id, "go");
		await wireAction(runtime, id, "nap");
		gate.open();
		expect(await soon(outcome.passed)).toContain("does not work in draining");
		await soon(call);
	});
});
