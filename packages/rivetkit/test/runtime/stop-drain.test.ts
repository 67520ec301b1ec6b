import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
	const error = await promise.then(
		() => ({ group: "not", code: "rejected" }),
		(reason: { group: string; code: string }) => reason,
	);
	return `${error.group}.${error.code}`;
}

describe("L11 calls in flight", () => {
	it("finish, over HTTP and over a connection, and their later changes are there after the wake", async () => {
		const gate = new Gate();
		let aborted = 0;
		const subject = actor({
			state: { n: 0 },
			actions: {
				slow: async (c) => {
					c.abortSignal.addEventListener("abort", () => void aborted++);
					await gate.passed;
					return ++c.state.n;
				},
				nap: (c) => c.sleep(),
				n: (c) => c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		const overHttp = wireAction(runtime, id, "slow");
		const overSocket = socket.call(0, "slow");
		await wireAction(runtime, id, "nap");
		const afterwards = wireAction(runtime, id, "n");
		await eventually(() => expect(aborted).toBe(2));
		gate.open();
		const outputs = [(await soon(overHttp)).output, await soon(overSocket)];
		expect(outputs[0]).toBeOneOf([1, 2]);
		expect(outputs[1]).toMatchObject({ tag: "ActionResponse" });
		expect((await soon(afterwards)).output).toBe(2);
	});

	it("are answered with actor.stopping when the grace period ends, and write nothing after that", async () => {
		const clock = new FakeClock();
		const late = new Gate();
		const refused = new Gate<unknown>();
		const subject = actor({
			state: { before: 0, after: 0 },
			options: { sleepGracePeriod: 1_000 },
			actions: {
				hang: async (c) => {
					c.state.before++;
					await late.passed;
					try {
						c.state.after++;
						refused.open("not refused");
					} catch (error) {
						refused.open(error);
					}
				},
				nap: (c) => c.sleep(),
				state: (c) => ({ ...c.state }),
			},
			onRequest: async () => {
				await late.passed;
				return new Response("too late");
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		const overHttp = wireAction(runtime, id, "hang");
		const raw = fetch(`${runtime.url}/gateway/${id}/request/x`);
		await soon(socket.call(0, "state"));
		socket.act(1, "hang");
		await eventually(async () => {
			expect((await wireAction(runtime, id, "state")).output).toMatchObject({ before: 2 });
		});
		await wireAction(runtime, id, "nap");
		await clock.advance(1_100);
		expect(codeOf(await soon(overHttp))).toBe("actor.stopping");
		expect(await (await soon(raw)).json()).toMatchObject({ group: "actor", code: "stopping" });
		expect(await soon(socket.next())).toMatchObject({ code: "stopping", actionId: 1 });
		const [line] = runtime.log.filter(({ fields }) => fields.step === "calls in progress");
		expect(String(line?.fields.err)).toContain(
			"calls in progress did not finish within 1000 ms (options.sleepGracePeriod); still waiting for " +
				"2 actions in progress: hang, 2 requests in progress: GET /x",
		);
		late.open();
		expect(codeOf(await refused.passed)).toBe("actor.stopping");
		expect((await wireAction(runtime, id, "state")).output).toEqual({ before: 2, after: 0 });
	});

	it("that outlast the grace period can read and no longer write, while onSleep still can", async () => {
		const clock = new FakeClock();
		const late = new Gate();
		const done = new Gate();
		const outcomes: string[] = [];
		const attempt = (what: string, write: () => unknown) => {
			try {
				const result = write();
				if (result instanceof Promise) result.catch(() => {});
				outcomes.push(`${what}: done`);
			} catch (error) {
				outcomes.push(`${what}: ${(error as { code?: string }).code}`);
			}
		};
		const subject = actor({
			state: { list: ["first"], hook: 0 },
			options: { sleepGracePeriod: 1_000 },
			// Nothing is left of the grace period: what the call does now comes before the final save.
			onSleep: (c) => {
				c.state.hook++;
				late.open();
			},
			actions: {
				hang: async (c) => {
					const { list } = c.state;
					await late.passed;
					attempt("held part", () => list.push("late"));
					attempt("state", () => c.state.list.push("late"));
					attempt("root", () => {
						c.state = { list: [], hook: 9 };
					});
					attempt("schedule", () => c.schedule.after(1, "hang"));
					attempt("queue", () => c.queue.send("work", 1));
					attempt("broadcast", () => c.broadcast("news"));
					attempt("saveState", () => c.saveState({ immediate: true }));
					attempt("read", () => expect(c.state.list).toEqual(["first"]));
					done.open();
				},
				nap: (c) => c.sleep(),
				state: (c) => c.state,
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const call = wireAction(runtime, id, "hang");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([id]));
		await wireAction(runtime, id, "nap");
		await clock.advance(1_100);
		expect(codeOf(await soon(call))).toBe("actor.stopping");
		await soon(done.passed);
		expect((await soon(wireAction(runtime, id, "state"))).output).toEqual({
			list: ["first"],
			hook: 1,
		});
		expect(outcomes).toEqual([
			"held part: stopping",
			"state: stopping",
			"root: stopping",
			"schedule: stopping",
			"queue: stopping",
			"broadcast: stopping",
			"saveState: stopping",
			"read: done",
		]);
	});

	it("what it holds of the context's parts is refused, too, and what it received is given back", async () => {
		const clock = new FakeClock();
		const late = new Gate();
		const receipts: string[] = [];
		const done = new Gate();
		const outcomes: string[] = [];
		const attempt = async (what: string, use: () => unknown) => {
			try {
				await use();
				outcomes.push(`${what}: done`);
			} catch (error) {
				outcomes.push(`${what}: ${(error as { code?: string }).code}`);
			}
		};
		const subject = actor({
			options: { sleepGracePeriod: 1_000 },
			connState: { seen: [] as string[] },
			queues: { work: queue<number>(), plain: queue<number>(), forRun: queue<number>() },
			// All three end without an error, when nothing of what they do counts any more.
			run: async (c) => {
				await c.queue.next({ names: ["forRun"] });
				receipts.push("run");
				await late.passed;
			},
			onRequest: async (c) => {
				await c.queue.next({ names: ["plain"] });
				receipts.push("request");
				await late.passed;
				return new Response();
			},
			onSleep: async (c) => {
				// The hooks of the stop still may.
				for (const conn of c.conns.values()) conn.state.seen.push("onSleep");
				await c.schedule.after(3_600_000, "hang");
				late.open();
			},
			actions: {
				hang: async (c) => {
					const { schedule, cron, queue: held, conns } = c;
					const { conn } = c;
					if (!conn) return;
					const { seen } = conn.state;
					const message = await held.next({ names: ["work"], completable: true });
					receipts.push("action");
					await late.passed;
					await attempt("schedule.after", () => schedule.after(1, "hang"));
					await attempt("schedule.cancel", () => schedule.cancel("x"));
					await attempt("cron.set", () =>
						cron.set({ name: "j", expression: "* * * * *", action: "hang" }),
					);
					await attempt("queue.send", () => held.send("work", 1));
					await attempt("queue.tryNext", () => held.tryNext());
					await attempt("message.complete", () => message!.complete());
					await attempt("message.release", () => message!.release());
					await attempt("held conn.state", () => seen.push("late"));
					await attempt("conn.state", () => conn.state.seen.push("late"));
					await attempt("conn.state root", () => {
						conn.state = { seen: [] };
					});
					await attempt("conn.send", () => conn.send("news"));
					await attempt("conn.disconnect", () => conn.disconnect());
					for (const one of [conns, c.conns]) {
						for (const other of one.values()) {
							await attempt("c.conns", () => other.state.seen.push("late"));
						}
					}
					await attempt("c.client", () => c.client());
					await attempt("read", () => expect(conn.state.seen).toEqual(["onSleep"]));
					done.open();
				},
				nap: (c) => c.sleep(),
				look: async (c) => ({
					// The next incarnation's run has it again.
					forRun: receipts.filter((who) => who === "run").length,
					seen: c.conn.state.seen,
					schedules: (await c.schedule.list()).length,
					plain: (await c.queue.tryNext({ names: ["plain"] }))?.body,
					work: (await c.queue.tryNext({ names: ["work"], completable: true }))?.attempt,
				}),
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		for (const name of ["work", "plain", "forRun"]) {
			await fetch(`${runtime.url}/gateway/${id}/queue/${name}`, {
				method: "POST",
				body: '{"body":7}',
			});
		}
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		socket.act(0, "hang");
		await eventually(() => expect(receipts).toContain("action"));
		const request = fetch(`${runtime.url}/gateway/${id}/request/x`);
		await eventually(() => expect([...receipts].sort()).toEqual(["action", "request", "run"]));
		await wireAction(runtime, id, "nap");
		await clock.advance(1_100);
		expect(await soon(socket.next())).toMatchObject({ code: "stopping", actionId: 0 });
		expect(await (await soon(request)).json()).toMatchObject({ group: "actor", code: "stopping" });
		await soon(done.passed);
		expect(outcomes.filter((outcome) => !outcome.endsWith(": stopping"))).toEqual(["read: done"]);
		expect(outcomes).toHaveLength(16);
		expect(await soon(socket.call(1, "look"))).toMatchObject({
			output: { seen: ["onSleep"], schedules: 1, work: 2, plain: 7, forRun: 2 },
		});
	});

	it("waits for the body of a request that came before the stop, and runs it", async () => {
		const subject = actor({
			state: { n: 0 },
			actions: { add: (c, by: number) => (c.state.n += by), nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const url = new URL(`${runtime.url}/gateway/${id}/action/add`);
		const answer = new Gate<string>();
		const half = httpRequest(url, { method: "POST" }, async (response) => {
			let text = "";
			for await (const chunk of response) text += chunk;
			answer.open(text);
		});
		half.write('{"args":');
		// A call that came after it was answered: the head of the slow one is there.
		await wireAction(runtime, id, "add", [1]);
		await wireAction(runtime, id, "nap");
		half.end("[4]}");
		expect(JSON.parse(await soon(answer.passed))).toEqual({ output: 5 });
	});

	it("that use the whole grace period keep neither calls nor new connections from the next incarnation", async () => {
		const clock = new FakeClock();
		const subject = actor({
			state: { n: 0 },
			actions: {
				hang: () => new Promise(() => {}),
				nap: (c) => c.sleep(),
				add: (c) => ++c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const hanging = wireAction(runtime, id, "hang");
		await wireAction(runtime, id, "nap");
		await eventually(() =>
			expect(runtime.embedded.host.awakeBecause(id)).toEqual([
				"it is stopping (draining)",
				"1 action in progress: hang",
				"1 request in progress",
			]),
		);
		const call = wireAction(runtime, id, "add");
		await using socket = new WireSocket(`${runtime.url}/gateway/${id}/connect`);
		await socket.opened();
		// The default of options.sleepGracePeriod, and of the engine's limit for opening a WebSocket.
		for (let half = 0; half < 31; half++) await clock.advance(500);
		expect(codeOf(await soon(hanging))).toBe("actor.stopping");
		expect((await soon(call)).output).toBe(1);
		await soon(socket.expect("Init"));
		expect(await soon(socket.call(0, "add"))).toMatchObject({ output: 2 });
	});

	it("new calls wait for the stop and are served by the next incarnation", async () => {
		const inSleep = new Gate();
		const letSleep = new Gate();
		let starts = 0;
		const subject = actor({
			state: { n: 0 },
			onWake: () => void starts++,
			onSleep: async () => {
				inSleep.open();
				await letSleep.passed;
			},
			actions: { add: (c) => ++c.state.n, nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		await inSleep.passed;
		const calls = [1, 2, 3].map(() => wireAction(runtime, id, "add"));
		const connecting = WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		letSleep.open();
		const outputs = (await soon(Promise.all(calls))).map(({ output }) => output);
		expect(outputs.sort()).toEqual([1, 2, 3]);
		await using socket = await soon(connecting);
		expect(await soon(socket.call(0, "add"))).toMatchObject({ output: 4 });
		expect(starts).toBe(2);
	});
});

describe("a connection whose onConnect outlasts the grace period", () => {
	function slowToConnect() {
		const clock = new FakeClock();
		const connecting = new Gate();
		const seen: string[] = [];
		let incarnations = 0;
		const subject = actor({
			createVars: () => ({ incarnation: ++incarnations }),
			options: {
				sleepGracePeriod: 100,
				onConnectTimeout: 60_000,
				canHibernateWebSocket: true,
			},
			onConnect: async (c) => {
				seen.push(`onConnect ${c.vars.incarnation}`);
				if (c.vars.incarnation === 1) await connecting.passed;
			},
			onDisconnect: (c) => void seen.push(`onDisconnect ${c.vars.incarnation}`),
			onRequest: (c) => {
				seen.push(`onRequest ${c.vars.incarnation}`);
				return new Response();
			},
			onWebSocket: (c) => void seen.push(`onWebSocket ${c.vars.incarnation}`),
			actions: { run: (c) => void seen.push(`run ${c.vars.incarnation}`) },
		});
		/** Stops the actor, whose `onConnect` then ends though the grace period is over. */
		const outlast = async (runtime: TestRuntime, id: string) => {
			await eventually(() => expect(seen).toEqual(["onConnect 1"]));
			const stopped = runtime.embedded.host.stop(id, "sleep");
			for (let step = 0; step < 20; step++) await clock.advance(20);
			await soon(stopped);
			seen.length = 0;
			connecting.open();
		};
		return { subject, clock, seen, outlast };
	}

	it.each([
		["/connect", ["onDisconnect 2", "onConnect 2"]],
		["/websocket/x", ["onDisconnect 2", "onConnect 2", "onWebSocket 2"]],
	])(
		"is opened by the next incarnation, and the one before is done with it (%s)",
		async (...use) => {
			const [path, hooks] = use;
			const { subject, clock, seen, outlast } = slowToConnect();
			await using runtime = await TestRuntime.start({ subject }, { clock });
			const id = await runtime.actorId("subject");
			await using socket = new WireSocket(`${runtime.url}/gateway/${id}${path}`);
			await outlast(runtime, id);
			await eventually(() => expect(seen).toEqual(hooks));
			// Nobody pings a client that is not there.
			for (let minute = 0; minute < 5; minute++) {
				await clock.advance(20_000);
				await soon(socket.roundTrip());
			}
			expect(seen).toEqual(hooks);
		},
	);

	it.each(["action/run", "request/x"])(
		"is refused with actor.stopping, and not run (%s)",
		async (path) => {
			const { subject, clock, seen, outlast } = slowToConnect();
			await using runtime = await TestRuntime.start({ subject }, { clock });
			const id = await runtime.actorId("subject");
			const call = fetch(`${runtime.url}/gateway/${id}/${path}`, {
				method: "POST",
				body: '{"args":[]}',
			});
			await outlast(runtime, id);
			expect(await (await soon(call)).json()).toMatchObject({ group: "actor", code: "stopping" });
			expect(seen).toEqual([]);
		},
	);

	it("that a finished incarnation still knows cannot be disconnected by it", async () => {
		const seen: string[] = [];
		let leftover: { disconnect(): Promise<void> } | undefined;
		const subject = actor({
			onDisconnect: (_c, { kind }) => void seen.push(kind),
			actions: {
				keep: (c) => {
					leftover = c.conn;
				},
				ping: () => "pong",
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await soon(socket.call(0, "keep"));
		await runtime.embedded.host.stop(id, "sleep");
		expect(await codeOfRejection(leftover!.disconnect())).toBe("actor.stopping");
		expect(await soon(socket.call(1, "ping"))).toMatchObject({ output: "pong" });
		expect(seen).toEqual([]);
	});
});
