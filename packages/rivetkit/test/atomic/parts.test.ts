import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { actor, event, queue } from "../../src/actor/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime, type TestRuntimeOptions } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

// What belongs to a c.atomic besides state and kv: queues, schedules, jobs, connections, sockets.

async function turns(): Promise<void> {
	for (let count = 0; count < 20; count++) {
		await new Promise<void>((resolve) => setImmediate(resolve));
	}
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
	promise.then(
		() => undefined,
		(error) => error,
	);

/** Runs what the test says, by name. */
const scripts = new Map<string, (c: Context) => unknown>();

function definition(options: object) {
	return actor({
		state: { handled: [] as string[] },
		connState: { visits: 0, nested: { a: 0 } },
		options: { noSleep: true, ...options },
		queues: {
			jobs: queue<string>({ maxAttempts: 3, deadLetter: "dead" }),
			dead: queue<string>(),
		},
		events: { news: event<string>() },
		onWebSocket: (c, socket) => {
			socket.addEventListener("message", async ({ data }) => {
				await scripts.get(String(data))!({ ...c, c, socket } as never);
			});
		},
		actions: {
			run: (c, script: string) => scripts.get(script)!(c as Context),
			note: (c, text: string) => void c.state.handled.push(text),
			handled: (c) => [...c.state.handled],
		},
	});
}
type Context = Parameters<ReturnType<typeof definition>["config"]["actions"]["run"]>[0];

async function start(options: object = {}, runtimeOptions: TestRuntimeOptions = {}) {
	const wrapped = new WrappedStore();
	const subject = definition(options);
	const runtime = await TestRuntime.start({ subject }, { store: wrapped.store, ...runtimeOptions });
	const id = await runtime.actorId("subject");
	let count = 0;
	const script = (work: (c: Context) => unknown) => {
		const name = `script ${count++}`;
		scripts.set(name, work);
		return name;
	};
	return {
		runtime,
		wrapped,
		id,
		script,
		gateway: `${runtime.url}/gateway/${id}`,
		async run<T>(work: (c: Context) => T): Promise<Awaited<T>> {
			let result: { readonly value: Awaited<T> } | undefined;
			const name = script(async (c) => {
				result = { value: await work(c) };
			});
			const answer = await wireAction(runtime, id, "run", [name]);
			if (answer.error) throw new Error(`${codeOf(answer)}: ${answer.error.message}`);
			return result!.value;
		},
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

/** Fails after what `work` did, and some turns. */
const failing = (c: Context, work: () => unknown) =>
	errorOf(
		c.atomic(async () => {
			await work();
			await turns();
			throw new Error("no");
		}),
	);

const bodies = async (c: Context) => {
	const messages = await c.queue.tryNextBatch({ names: ["jobs"], count: 100 });
	return messages.map(({ body }) => body);
};

describe("queues in c.atomic", () => {
	it("messages that are sent are there when it is kept, and never were when it is dropped", async () => {
		await using t = await start();
		const received = new Gate<unknown>();
		// Waits before anything is sent.
		const waiting = t.run(async (c) => {
			const message = await c.queue.next({ names: ["jobs"], timeout: 20_000 });
			received.open(message?.body);
		});
		await t.run(async (c) => {
			await failing(c, async () => {
				await c.queue.send("jobs", "dropped");
				await c.queue.send("jobs", "delayed and dropped", { delay: 1 });
				expect(c.queue.size()).toBe(2);
			});
			expect(c.queue.size()).toBe(0);
			let seen: unknown = "nothing";
			void received.passed.then((body) => {
				seen = body;
			});
			await c.atomic(async () => {
				await c.queue.send("jobs", "first");
				await c.queue.send("jobs", "second");
				await turns();
				// Nobody has it before it is known to be sent.
				expect(seen).toBe("nothing");
			});
		});
		expect(await soon(received.passed)).toBe("first");
		await waiting;
		expect(await t.run((c) => bodies(c))).toEqual(["second"]);
	});

	it("a dedupe key of a message that is dropped is free again, one of an earlier message stays", async () => {
		await using t = await start();
		const send = (c: Context, body: string, dedupeKey: string) =>
			c.queue.send("jobs", body, { dedupeKey });
		await t.run((c) => send(c, "earlier", "earlier"));
		await t.run(async (c) => {
			await failing(c, async () => {
				await send(c, "dropped", "key");
				await send(c, "again", "earlier");
			});
			await send(c, "sent", "key");
			await send(c, "again", "earlier");
		});
		await t.run((c) => send(c, "twice", "key"));
		expect(await t.run((c) => bodies(c))).toEqual(["earlier", "sent"]);
	});

	it("a message that is completed leaves with the commit, or stays in the hands it is in", async () => {
		await using t = await start();
		const client = t.runtime.client();
		const handle = client.subject!.getForId(t.id);
		const sent = handle.send("jobs", "body", { wait: true, timeout: 20_000 });
		await eventually(async () => expect(await t.run((c) => c.queue.size())).toBe(1));
		await t.run(async (c) => {
			const [message] = await c.queue.nextBatch({ names: ["jobs"], completable: true });
			await failing(c, async () => {
				await message!.complete();
				expect(codeOf(await errorOf(message!.complete()))).toBe("queue.already_completed");
			});
			expect(c.queue.size()).toBe(1);
			// Still its own: nobody else gets it, and it can be completed now.
			const others = await t.run((other) => bodies(other));
			expect(others).toEqual([]);
			const commits = t.wrapped.commits.length;
			await c.atomic(async () => {
				await c.kv.put("effect", "1");
				await message!.complete();
				await turns();
				await c.kv.put("another", "1");
			});
			expect(c.queue.size()).toBe(0);
			await c.saveState({ immediate: true });
			expect(t.wrapped.commits.length).toBe(commits + 1);
		});
		expect(await soon(sent)).toMatchObject({ status: "completed" });
		await client.dispose();
	});

	it("a message that is completed and dropped comes again when its action ends", async () => {
		await using t = await start();
		await t.run((c) => c.queue.send("jobs", "body"));
		await t.run(async (c) => {
			const [message] = await c.queue.nextBatch({ names: ["jobs"], completable: true });
			await failing(c, () => message!.complete());
		});
		const again = await t.run(async (c) => {
			const [message] = await c.queue.nextBatch({ names: ["jobs"], completable: true });
			const { attempt, body } = message!;
			await message!.complete();
			return { attempt, body };
		});
		expect(again).toEqual({ attempt: 2, body: "body" });
	});

	it("the decision over a message outlives the action that has it", async () => {
		await using t = await start();
		for (const outcome of ["kept", "dropped"] as const) {
			const begun = new Gate();
			const end = new Gate();
			await t.run((c) => c.queue.send("jobs", outcome));
			let section: Promise<unknown> | undefined;
			const action = t.run(async (c) => {
				const [message] = await c.queue.nextBatch({ names: ["jobs"], completable: true });
				section = errorOf(
					c.atomic(async () => {
						await message!.complete();
						begun.open();
						await end.passed;
						if (outcome === "dropped") throw new Error("no");
					}),
				);
				// Not waited for: the action is over before c.atomic is, and with it its hold on the message.
				await begun.passed;
			});
			await begun.passed;
			await turns();
			end.open();
			await section;
			await action;
			const left = await t.run((c) => bodies(c));
			expect(left).toEqual(outcome === "kept" ? [] : ["dropped"]);
		}
	});

	it("a plain message is final with the first write of a c.atomic that is kept, not of one that is dropped", async () => {
		await using t = await start();
		const fail = async (c: Context, section: boolean) => {
			await c.queue.next({ names: ["jobs"] });
			if (section) await failing(c, () => c.kv.put("a", "1"));
			else await c.atomic(() => c.kv.put("a", "1"));
			throw new Error("the action fails");
		};
		await t.run((c) => c.queue.send("jobs", "body"));
		await expect(t.run((c) => fail(c, true))).rejects.toThrow();
		expect(await t.run((c) => c.queue.size())).toBe(1);
		await expect(t.run((c) => fail(c, false))).rejects.toThrow();
		expect(await t.run((c) => c.queue.size())).toBe(0);
	});

	it("dead letters are redriven when it is kept", async () => {
		await using t = await start();
		await t.run((c) => c.queue.send("jobs", "poison"));
		for (let attempt = 1; attempt <= 3; attempt++) {
			await t.run(async (c) => {
				const [message] = await c.queue.nextBatch({ names: ["jobs"], completable: true });
				await message!.release();
			});
		}
		const sizes = (c: Context) => [c.queue.size("jobs"), c.queue.size("dead")];
		expect(await t.run(sizes)).toEqual([0, 1]);
		await t.run(async (c) => {
			await failing(c, async () => expect(await c.queue.redrive()).toBe(1));
			expect(sizes(c)).toEqual([0, 1]);
			await c.atomic(() => c.queue.redrive());
			expect(sizes(c)).toEqual([1, 0]);
		});
	});

	it("nothing is received inside", async () => {
		await using t = await start();
		await t.run((c) => c.queue.send("jobs", "body"));
		await t.run((c) =>
			c.atomic(async () => {
				const receives = [
					() => c.queue.tryNext({ names: ["jobs"] }),
					() => c.queue.next({ names: ["jobs"], completable: true }),
					async () => {
						for await (const _ of c.queue.iter()) break;
					},
				];
				for (const receive of receives) {
					expect(codeOf(await errorOf(receive()))).toBe("atomic.no_receive");
				}
			}),
		);
		expect(await t.run((c) => c.queue.size())).toBe(1);
	});

	it("goes back with everything when a commit fails meanwhile", async () => {
		await using t = await start();
		await t.run((c) => c.queue.send("jobs", "stored"));
		const letGo = t.wrapped.hold();
		t.wrapped.failNext();
		const commits = t.wrapped.commits.length;
		let failed: unknown;
		let left: number | undefined;
		// The delivery of the message is counted in the commit that fails.
		const name = t.script(async (c) => {
			await errorOf(c.queue.nextBatch({ names: ["jobs"], completable: true }));
		});
		const receiving = wireAction(t.runtime, t.id, "run", [name]);
		await eventually(() => expect(t.wrapped.commits.length).toBe(commits + 1));
		await t
			.run(async (c) => {
				failed = await errorOf(
					c.atomic(async () => {
						await c.queue.send("jobs", "sent inside");
						await c.schedule.after(60_000, "note", "scheduled inside");
						letGo();
						await turns();
						await c.queue.send("jobs", "sent after it");
						await c.schedule.after(60_000, "note", "scheduled after it");
					}),
				);
				left = c.queue.size() + (await c.schedule.list()).length;
			})
			.catch(() => {});
		await receiving;
		expect(failed).toMatchObject({ message: "disk full" });
		expect(left).toBe(1);
		expect(await t.run((c) => bodies(c))).toEqual(["stored"]);
		expect(await t.run((c) => c.schedule.list())).toEqual([]);
	});
});

describe("everything at once in c.atomic", () => {
	it("is dropped as one: kv, state, messages sent, completed and delayed, dedupe keys, schedules", async () => {
		await using t = await start();
		await t.run(async (c) => {
			for (const key of ["a1", "a2", "b1", "\uffff"]) await c.kv.put(key, key);
			await c.queue.send("jobs", "held");
			const held = await c.queue.next({ names: ["jobs"], completable: true });
			const look = async () => [
				await c.kv.list(),
				[...c.state.handled],
				c.queue.size(),
				await c.schedule.list(),
			];
			const before = await look();
			const error = await failing(c, async () => {
				await c.kv.deleteRange("a", "b");
				await c.kv.putBatch([
					["a2", "new"],
					["c", "new"],
				]);
				await c.kv.delete("b1");
				c.state.handled.push("dropped");
				await c.queue.send("jobs", "sent", { dedupeKey: "key" });
				await c.queue.send("dead", "delayed", { delay: 10 });
				await held!.complete();
				await c.schedule.after(50, "note", "dropped");
				expect(await look()).toEqual([
					[
						["a2", "new"],
						["c", "new"],
						["\uffff", "\uffff"],
					],
					["dropped"],
					3,
					[expect.objectContaining({ action: "note" })],
				]);
			});
			expect(error).toEqual(new Error("no"));
			expect(await look()).toEqual(before);
			await held!.complete();
			await c.queue.send("jobs", "sent anew", { dedupeKey: "key" });
			expect(await bodies(c)).toEqual(["sent anew"]);
		});
		// And so it is on the disk.
		const userKeys = { start: Uint8Array.of(0x12), end: Uint8Array.of(0x13) };
		expect(await t.wrapped.inner.scan(t.id, userKeys)).toHaveLength(4);
		expect(await t.run((c) => [c.queue.size(), c.state.handled.length])).toEqual([0, 0]);
	});
});

describe("schedules in c.atomic", () => {
	it("calls that are made or cancelled in it are so when it is kept, and as before when it is dropped", async () => {
		const clock = new FakeClock();
		await using t = await start({}, { clock });
		const kept = await t.run((c) => c.schedule.after(1_000, "note", "kept"));
		await t.run(async (c) => {
			await failing(c, async () => {
				await c.schedule.after(500, "note", "dropped");
				expect(await c.schedule.cancel(kept)).toBe(true);
				expect(await c.schedule.list()).toHaveLength(1);
			});
			expect((await c.schedule.list()).map(({ id }) => id)).toEqual([kept]);
			await c.atomic(async () => {
				await c.schedule.after(2_000, "note", "second");
				await turns();
			});
		});
		await clock.advance(700);
		expect((await wireAction(t.runtime, t.id, "handled")).output).toEqual([]);
		await clock.advance(500);
		await eventually(async () =>
			expect((await wireAction(t.runtime, t.id, "handled")).output).toEqual(["kept"]),
		);
		await clock.advance(1_000);
		await eventually(async () =>
			expect((await wireAction(t.runtime, t.id, "handled")).output).toEqual(["kept", "second"]),
		);
	});

	it("stores nothing of calls that are dropped, and takes the alarm back", async () => {
		await using t = await start();
		await t.run(async (c) => {
			await failing(c, () => c.schedule.after(60_000, "note", "dropped"));
			await c.kv.put("other", "1");
		});
		const entries = await t.wrapped.inner.scan(t.id, {
			start: Uint8Array.of(0x03),
			end: Uint8Array.of(0x04),
		});
		expect(entries).toEqual([]);
		expect((await t.wrapped.inner.actorById(t.id))!.alarmTs).toBeNull();
	});

	it("jobs that are set, changed or deleted in it, with their history", async () => {
		const clock = new FakeClock();
		await using t = await start({}, { clock });
		await t.run((c) =>
			c.cron.every({ name: "job", interval: 5_000, action: "note", args: ["run"] }),
		);
		await clock.advance(5_100);
		await eventually(async () =>
			expect((await wireAction(t.runtime, t.id, "handled")).output).toEqual(["run"]),
		);
		await t.run(async (c) => {
			const before = await c.cron.get("job");
			const history = await c.cron.history("job");
			expect(history).toHaveLength(1);
			await failing(c, async () => {
				await c.cron.delete("job");
				await c.cron.every({ name: "other", interval: 9_000, action: "note" });
				expect((await c.cron.list()).map(({ name }) => name)).toEqual(["other"]);
				expect(await c.cron.history("job")).toEqual([]);
			});
			await failing(c, () => c.cron.every({ name: "job", interval: 7_000, action: "note" }));
			expect(await c.cron.get("job")).toEqual(before);
			expect((await c.cron.list()).map(({ name }) => name)).toEqual(["job"]);
			expect(await c.cron.history("job")).toEqual(history);
		});
		await clock.advance(5_100);
		await eventually(async () =>
			expect((await wireAction(t.runtime, t.id, "handled")).output).toEqual(["run", "run"]),
		);
		expect(await t.run((c) => c.cron.history("job"))).toHaveLength(2);
	});
});

describe("connections in c.atomic", () => {
	it("their state goes back with everything else, but for what others changed", async () => {
		await using t = await start();
		await using socket = await WireSocket.connect(`${t.gateway}/connect`);
		const name = t.script(async (c) => {
			const { state } = c.conn as unknown as { state: { visits: number; nested: { a: number } } };
			state.visits = 1;
			const begun = new Gate();
			const other = new Gate();
			const elsewhere = begun.passed.then(() => {
				state.nested.a = 7;
				other.open();
			});
			await errorOf(
				c.atomic(async () => {
					state.visits = 2;
					begun.open();
					await other.passed;
					state.visits = 3;
					throw new Error("no");
				}),
			);
			await elsewhere;
			expect(state).toEqual({ visits: 1, nested: { a: 7 } });
			await c.atomic(async () => {
				state.visits = 4;
				await turns();
			});
			expect(state.visits).toBe(4);
		});
		expect(await soon(socket.call(0, "run", name))).toMatchObject({ tag: "ActionResponse" });
	});

	it("their state does not get back what a commit that failed meanwhile had of it", async () => {
		await using t = await start();
		await using socket = await WireSocket.connect(`${t.gateway}/connect`);
		const own = (c: Context) => {
			const [conn] = [...c.conns.values()].filter(({ isHibernatable }) => isHibernatable);
			return conn!.state as unknown as { visits: number; nested: { a: number } };
		};
		await soon(socket.call(0, "handled"));
		const letGo = t.wrapped.hold();
		t.wrapped.failNext();
		const commits = t.wrapped.commits.length;
		const lost = errorOf(
			t.run((c) => {
				own(c).visits = 1;
			}),
		);
		await eventually(() => expect(t.wrapped.commits.length).toBe(commits + 1));
		const begun = new Gate();
		const failed = new Gate();
		const section = errorOf(
			t.run((c) =>
				c.atomic(async () => {
					own(c).nested.a = 1;
					begun.open();
					await failed.passed;
					own(c).nested.a = 2;
				}),
			),
		);
		await soon(begun.passed);
		letGo();
		expect(String(await soon(lost))).toContain("internal_error");
		failed.open();
		expect(String(await soon(section))).toContain("internal_error");
		expect(await t.run((c) => ({ ...own(c) }))).toEqual({ visits: 0, nested: { a: 0 } });
	});

	it("a raw socket sends nothing of what was dropped, stays open, and closes when it was closed", async () => {
		await using t = await start();
		const socket = new WebSocket(`${t.gateway}/websocket/`.replace("http", "ws"));
		const messages: string[] = [];
		socket.on("message", (data) => messages.push(String(data)));
		const closed = new Promise<number>((resolve) => socket.once("close", resolve));
		await new Promise((resolve) => socket.once("open", resolve));
		const send = t.script(async (given) => {
			const { c, socket: own } = given as never as { c: Context; socket: WebSocket };
			await failing(c, async () => {
				await c.kv.put("a", "1");
				own.send("dropped");
			});
			own.send("sent");
		});
		socket.send(send);
		await eventually(() => expect(messages).toEqual(["sent"]));
		const close = t.script(async (given) => {
			const { c, socket: own } = given as never as { c: Context; socket: WebSocket };
			await failing(c, () => own.close(4_001));
		});
		socket.send(close);
		expect(await soon(closed)).toBe(4_001);
		expect(messages).toEqual(["sent"]);
	});
});
