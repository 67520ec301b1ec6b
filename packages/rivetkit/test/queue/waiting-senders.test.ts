// Senders that wait for completions (contract: api 9, 15.3, A22; lifecycle 12.4, W-Q-5, W-Q-6, W-Q-11, L44).
import { HEADER_CALL_ID, HEADER_WAIT_UNTIL } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { ANSWER_KEPT_MS } from "../../src/runtime/queue/limits.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction, wireSend } from "../support/wire-http.ts";
import { Crashable } from "./support/crashable.ts";

/** A consumer that completes a message when the test lets it. */
function consumer() {
	const scene = {
		gate: new Gate<unknown>(),
		/** Sends that came. */
		arrived: 0,
		seen: [] as [unknown, number][],
		completed: 0,
	};
	const subject = actor({
		state: { touches: 0 },
		queues: { ask: queue<unknown, unknown>({ canPublish: () => ++scene.arrived > 0 }) },
		options: { sleepGracePeriod: 100 },
		run: async (c) => {
			for await (const message of c.queue.iter({ completable: true })) {
				scene.seen.push([message.body, message.attempt]);
				const response = await Promise.race([
					scene.gate.passed,
					new Promise<"aborted">((resolve) => {
						c.abortSignal.addEventListener("abort", () => resolve("aborted"));
					}),
				]);
				if (c.aborted) return;
				await message.complete(response);
				scene.completed++;
			}
		},
		actions: {
			touch: (c) => ++c.state.touches,
			nap: (c) => c.sleep(),
			end: (c) => c.destroy(),
			size: (c) => c.queue.size(),
		},
	});
	return { subject, scene };
}

interface Dying {
	destroy(): void;
	readonly queue: {
		next(options: { completable: true }): Promise<Completable | undefined>;
	};
}

interface Completable {
	complete(response: string): Promise<void>;
}

type Farewell = (c: Dying, message: Completable) => Promise<void>;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const answered = (response: unknown) => ({ status: "completed", response });

describe("a sender that waits", () => {
	it("gets the response when the completion is durable, not before", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		let isAnswered = false;
		const sent = crashable.send("ask", 1, { wait: true }).finally(() => {
			isAnswered = true;
		});
		await eventually(() => expect(scene.seen).toHaveLength(1));
		const goOn = crashable.store.hold();
		const commits = crashable.store.commits.length;
		scene.gate.open({ n: 1n, at: new Date(3) });
		await eventually(() => expect(crashable.store.commits.length).toBeGreaterThan(commits));
		expect(isAnswered).toBe(false);
		goOn();
		expect((await soon(sent)).outcome).toEqual(answered({ n: 1n, at: new Date(3) }));
	});

	it("does not get it with the commit that was under way when the message was completed", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		let isAnswered = false;
		const sent = crashable.send("ask", 1, { wait: true }).finally(() => {
			isAnswered = true;
		});
		await eventually(() => expect(scene.seen).toHaveLength(1));
		const { store } = crashable;
		const commits = store.commits.length;
		const goOn = store.hold();
		const touched = crashable.call("touch");
		await eventually(() => expect(store.commits.length).toBe(commits + 1));
		scene.gate.open("yes");
		await eventually(() => expect(scene.completed).toBe(1));
		goOn();
		const goOnAgain = store.hold();
		await touched;
		await eventually(() => expect(store.commits.length).toBe(commits + 2));
		expect(isAnswered).toBe(false);
		goOnAgain();
		expect((await soon(sent)).outcome).toEqual(answered("yes"));
	});

	it("keeps waiting when the commit of the completion fails", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		const sent = crashable.send("ask", 1, { wait: true });
		await eventually(() => expect(scene.seen).toHaveLength(1));
		crashable.store.failNext();
		scene.gate.open("yes");
		expect((await soon(sent)).outcome).toEqual(answered("yes"));
		expect(scene.seen).toEqual([
			[1, 1],
			[1, 2],
		]);
	});

	it("times out after its time, and its message stays; 0 is never stored", async () => {
		const clock = new FakeClock();
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject }, clock);
		const sent = crashable.send("ask", 1, { wait: true, timeout: 500 });
		await eventually(() => expect(scene.seen).toHaveLength(1));
		await clock.advance(520);
		expect((await soon(sent)).outcome).toEqual({ status: "timedOut" });
		expect(await crashable.call("size")).toBe(1);
	});

	it("times out when its message is durable, not before: what it is told stays must not be lost", async () => {
		const clock = new FakeClock();
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.call("touch");
		const { store } = crashable;
		const goOn = store.hold();
		let isAnswered = false;
		const sent = crashable.send("ask", 1, { wait: true, timeout: 500 }).finally(() => {
			isAnswered = true;
		});
		await eventually(() => expect(scene.arrived).toBe(1));
		await turn();
		await clock.advance(600);
		await turn();
		expect(isAnswered).toBe(false);
		goOn();
		expect((await soon(sent)).outcome).toEqual({ status: "timedOut" });
		expect(await crashable.stored()).toHaveLength(1);
	});

	it("that is overdue hears of the commit that failed, not that its message stays", async () => {
		const clock = new FakeClock();
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject }, clock);
		await crashable.call("touch");
		const { store } = crashable;
		const goOn = store.hold();
		const commits = store.commits.length;
		const touched = crashable.call("touch");
		await eventually(() => expect(store.commits.length).toBe(commits + 1));
		const sent = crashable.send("ask", 1, { wait: true, timeout: 500 });
		await eventually(() => expect(scene.arrived).toBe(1));
		await turn();
		store.failNext();
		await clock.advance(600);
		goOn();
		await touched;
		expect((await soon(sent)).outcome).not.toEqual({ status: "timedOut" });
		expect(await crashable.stored()).toHaveLength(0);
	});

	it("that goes away leaves its message", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		await using client = crashable.runtime.client();
		await using local = crashable.runtime.localClient();
		for (const [index, some] of [client, local].entries()) {
			const controller = new AbortController();
			const reason = new Error(`enough ${index}`);
			const sent = some
				.subject!.getForId(crashable.id)
				.send("ask", index, { wait: true, signal: controller.signal });
			await eventually(async () => expect(await crashable.stored()).toHaveLength(index + 1));
			controller.abort(reason);
			await expect(sent).rejects.toBe(reason);
		}
		scene.gate.open("late");
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		expect(scene.seen.map(([body]) => body)).toEqual([0, 1]);
	});

	it("waits on over the actor's sleep, over HTTP, in process and without call ids (L44)", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		await using client = crashable.runtime.client();
		await using local = crashable.runtime.localClient();
		const ask = (some: typeof client, body: unknown) =>
			some.subject!.getForId(crashable.id).send("ask", body, { wait: true });
		const sent = [
			ask(client, 1),
			ask(local as never, 2),
			crashable.send("ask", 3, { wait: true }).then(({ outcome }) => outcome),
		];
		await eventually(async () => expect(await crashable.stored()).toHaveLength(3));
		for (let nap = 0; nap < 5; nap++) {
			const seen = scene.seen.length;
			await crashable.call("nap");
			// Its senders, and the messages, wake it at once.
			await eventually(() => expect(scene.seen.length).toBeGreaterThan(seen));
		}
		scene.gate.open("yes");
		expect(await soon(Promise.all(sent))).toEqual([
			answered("yes"),
			answered("yes"),
			answered("yes"),
		]);
		expect(await crashable.stored()).toEqual([]);
		const bodies = scene.seen.map(([body]) => body).slice(-3);
		expect(new Set(bodies)).toEqual(new Set([1, 2, 3]));
	});

	it("keeps its deadline over the actor's sleep", async () => {
		const clock = new FakeClock();
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject }, clock);
		const sent = crashable.send("ask", 1, { wait: true, timeout: 1_000 });
		await eventually(() => expect(scene.seen).toHaveLength(1));
		await clock.advance(600);
		await crashable.call("nap");
		await eventually(() => expect(scene.seen).toHaveLength(2));
		await clock.advance(380);
		let isOver = false;
		sent.finally(() => {
			isOver = true;
		});
		await clock.advance(0);
		expect(isOver).toBe(false);
		await clock.advance(40);
		expect((await soon(sent)).outcome).toEqual({ status: "timedOut" });
	});

	it("of an actor that is destroyed gets actor.stopping, by id and by key", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		await using client = crashable.runtime.client();
		const byId = crashable.send("ask", 1, { wait: true });
		const byKey = client.subject!.getOrCreate([]).send("ask", 2, { wait: true });
		await eventually(async () => expect(await crashable.stored()).toHaveLength(2));
		const byKeyOutcome = outcomeOf(soon(byKey));
		await crashable.call("end");
		expect(codeOf(await soon(byId))).toBe("actor.stopping");
		expect(await byKeyOutcome).toBe("actor.stopping");
		expect(scene.seen).toHaveLength(1);
	});

	it.each([
		[
			"after the completion",
			async (c, message) => {
				await message.complete("bye");
				c.destroy();
			},
		],
		[
			"while the completion is written",
			async (c, message) => {
				const completed = message.complete("bye");
				c.destroy();
				await completed;
			},
		],
		[
			"before the completion",
			async (c, message) => {
				c.destroy();
				await message.complete("bye");
			},
		],
		[
			"long before the completion",
			async (c, message) => {
				c.destroy();
				for (let turns = 0; turns < 20; turns++) await turn();
				await message.complete("bye");
			},
		],
	] satisfies [string, Farewell][])(
		"is answered by an actor that is destroyed %s, over HTTP and by a client",
		async (_, farewell) => {
			const handle = async (c: Dying) => {
				const message = await c.queue.next({ completable: true });
				if (message) await farewell(c, message);
			};
			const subject = actor({
				queues: { ask: queue<string, string>() },
				// From an action where the key says so.
				run: (c) => (c.key[0] === "action" ? Promise.resolve() : handle(c)),
				actions: { handle },
			});
			await using runtime = await TestRuntime.start({ subject });
			await using client = runtime.client();
			const id = await runtime.actorId("subject", "run");
			const sent = await soon(wireSend(runtime, id, "ask", "?", { wait: true }));
			expect(sent.outcome).toEqual(answered("bye"));
			const byKey = client.subject!.getOrCreate(["action"]) as unknown as Sender & {
				handle(): Promise<void>;
			};
			const handled = byKey.handle();
			expect(await soon(byKey.send("ask", "?", { wait: true }))).toEqual(answered("bye"));
			await soon(handled);
			await using connection = client
				.subject!.getOrCreate(["connected"])
				.connect() as unknown as Sender & AsyncDisposable;
			expect(await soon(connection.send("ask", "?", { wait: true }))).toEqual(answered("bye"));
		},
	);

	it("hears at once that there will be no answer when its message is given back by an actor that is destroyed", async () => {
		const subject = actor({
			queues: { ask: queue<string, string>() },
			run: async (c) => {
				await c.queue.next({ completable: true });
				c.destroy();
			},
			actions: {
				// The stop waits for the action, the action for its message.
				ask: async (c) => {
					const { subject } = c.client() as unknown as {
						subject: { getForId(id: string): Sender };
					};
					return outcomeOf(subject.getForId(c.actorId).send("ask", "?", { wait: true }));
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const asked = wireAction(runtime, id, "ask");
		expect((await soon(asked)).output).toBe("actor.stopping");
	});

	it("finds its message again by its call id after a crash, and the response if it came meanwhile", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		const send = () =>
			crashable.send("ask", 1, { wait: true, headers: { [HEADER_CALL_ID]: "call-1" } });
		const first = send().catch(() => {});
		await eventually(() => expect(scene.seen).toHaveLength(1));
		await crashable.crash();
		await first;
		const second = send();
		await eventually(() => expect(scene.seen).toHaveLength(2));
		expect(await crashable.stored()).toEqual([1]);
		second.catch(() => {});
		await crashable.crash();
		await eventually(() => expect(scene.seen).toHaveLength(3));
		scene.gate.open({ large: "x".repeat(200_000) });
		await eventually(async () => expect(await crashable.stored()).toEqual([]));
		for (let time = 0; time < 2; time++) {
			expect((await send()).outcome).toEqual(answered({ large: "x".repeat(200_000) }));
			await crashable.crash();
		}
		expect(scene.seen).toHaveLength(3);
	});

	it("and whose message is stored outlives a commit that fails with others' writes", async () => {
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject });
		const { store } = crashable;
		const send = () =>
			crashable.send("ask", 1, { wait: true, headers: { [HEADER_CALL_ID]: "call-1" } });
		const first = send();
		await eventually(() => expect(scene.seen).toHaveLength(1));
		const goOn = store.hold();
		store.failNext();
		const touched = crashable.call("touch");
		await eventually(() => expect(store.fail).toBeNull());
		// Comes again while the other commit is under way.
		const second = send();
		await eventually(() => expect(scene.arrived).toBe(2));
		await turn();
		goOn();
		await expect(touched).rejects.toMatchObject({ code: "internal_error" });
		const third = send();
		await eventually(() => expect(scene.arrived).toBe(3));
		await turn();
		expect(await crashable.call("size")).toBe(1);
		scene.gate.open("yes");
		for (const sent of [first, second, third]) {
			expect((await soon(sent)).outcome).toEqual(answered("yes"));
		}
		expect(scene.seen).toHaveLength(1);
	});

	it("that comes again at the very moment of the completion's commit is no second message", async () => {
		let seen = 0;
		const scene = { arrives: () => {}, complete: new Gate(), completed: new Gate() };
		const canPublish = () => {
			scene.arrives();
			return true;
		};
		const subject = actor({
			queues: { ask: queue<number, string>({ canPublish }) },
			run: async (c) => {
				for await (const message of c.queue.iter({ completable: true })) {
					seen++;
					await scene.complete.passed;
					await message.complete("yes");
					scene.completed.open();
				}
			},
		});
		await using crashable = await Crashable.start({ subject });
		for (let microtasks = 0; microtasks < 30; microtasks++) {
			Object.assign(scene, { arrives: () => {}, complete: new Gate(), completed: new Gate() });
			const send = () =>
				crashable.send("ask", 1, {
					wait: true,
					headers: { [HEADER_CALL_ID]: `call-${microtasks}` },
				});
			const first = send();
			await eventually(() => expect(seen).toBe(microtasks + 1));
			const goOn = crashable.store.holdAnswers();
			scene.complete.open();
			await scene.completed.passed;
			await eventually(async () => expect(await crashable.stored()).toEqual([]));
			scene.arrives = async () => {
				for (let count = 0; count < microtasks; count++) await null;
				goOn();
			};
			for (const sent of [send(), first]) {
				expect((await soon(sent)).outcome).toEqual(answered("yes"));
			}
			expect(seen).toBe(microtasks + 1);
		}
	});

	it("waits as its timeout says when its deadline was handed on as no time", async () => {
		const clock = new FakeClock();
		const { subject, scene } = consumer();
		await using crashable = await Crashable.start({ subject }, clock);
		const sent = ["Infinity", "soon"].map((until) =>
			crashable.send("ask", 1, {
				wait: true,
				timeout: 500,
				headers: { [HEADER_WAIT_UNTIL]: until },
			}),
		);
		await eventually(async () => expect(await crashable.stored()).toHaveLength(2));
		expect(scene.seen).toHaveLength(1);
		await clock.advance(520);
		for (const { outcome } of await soon(Promise.all(sent))) {
			expect(outcome).toEqual({ status: "timedOut" });
		}
	});

	it("has 60 seconds to come for the response; then it is gone from the disk", async () => {
		const clock = new FakeClock();
		const { subject, scene } = consumer();
		scene.gate.open("yes");
		await using crashable = await Crashable.start({ subject }, clock);
		const send = (callId: string) =>
			crashable.send("ask", 1, { wait: true, headers: { [HEADER_CALL_ID]: callId } });
		expect((await send("a")).outcome).toEqual(answered("yes"));
		expect((await crashable.send("ask", 2, { wait: true })).outcome).toEqual(answered("yes"));
		expect(scene.seen).toHaveLength(2);
		await clock.advance(ANSWER_KEPT_MS - 1_000);
		expect((await send("a")).outcome).toEqual(answered("yes"));
		expect(scene.seen).toHaveLength(2);
		const left = async () => {
			const { inner } = crashable.store;
			const answers = { start: Uint8Array.of(0x05, 0x02), end: Uint8Array.of(0x06) };
			const responses = { start: Uint8Array.of(0x10), end: null };
			const rows = [
				...(await inner.scan(crashable.id, answers)),
				...(await inner.scan(crashable.id, responses)),
			];
			return rows.length;
		};
		// One of the two only: nobody can come again for the other.
		expect(await left()).toBe(2);
		await clock.advance(1_100);
		await eventually(async () => {
			await clock.advance(10);
			expect(await left()).toBe(0);
		});
	});
});

describe("a client of ours", () => {
	it("waits on while its server goes down and comes back", async () => {
		const { subject, scene } = consumer();
		const { store } = new WrappedStore();
		const runtime = await TestRuntime.start({ subject }, { store });
		const { port } = new URL(runtime.url);
		await using client = runtime.client();
		const id = await runtime.actorId("subject", "k");
		const sent = client.subject!.getForId(id).send("ask", 1, { wait: true, timeout: 60_000 });
		await eventually(() => expect(scene.seen).toHaveLength(1));
		// The process ends with the wait open, and another one takes its port and its store.
		await runtime[Symbol.asyncDispose]();
		await using next = await TestRuntime.start({ subject }, { store, port: Number(port) });
		await eventually(() => expect(scene.seen).toHaveLength(2));
		scene.gate.open("yes");
		expect(await soon(sent)).toEqual(answered("yes"));
		expect(next.url).toBe(runtime.url);
	});
});

interface Sender {
	send(name: string, body: string, options: object): Promise<unknown>;
}

describe("an actor that would wait for itself (W-Q-11)", () => {
	it("is refused at once, with an explanation, from run; from an action it may", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			queues: { ask: queue<string, string>() },
			run: async (c) => {
				const self = c.client() as unknown as {
					subject: Record<
						"getForId" | "getOrCreate" | "get",
						(key: unknown) => Sender & { connect(): Sender & { dispose(): Promise<void> } }
					>;
				};
				if (c.key[0] === "k") {
					const connection = self.subject.getForId(c.actorId).connect();
					for (const handle of [
						self.subject.getForId(c.actorId),
						self.subject.getOrCreate(["k"]),
						self.subject.get(["k"]),
						connection,
					]) {
						await handle
							.send("ask", "self", { wait: true })
							.catch((error: Error) => seen.push(codeOf(error), error.message));
					}
					await connection.dispose();
					// Another actor of its kind is somebody else.
					const other = self.subject.getOrCreate(["other"]);
					seen.push(await other.send("ask", "other", { wait: true }));
				}
				for await (const message of c.queue.iter({ completable: true })) {
					await message.complete(`${message.body}!`);
				}
			},
			actions: {
				ask: (c) => {
					const { subject } = c.client() as unknown as {
						subject: {
							getForId(id: string): { send(...args: unknown[]): Promise<{ status: string }> };
						};
					};
					return subject.getForId(c.actorId).send("ask", "action", { wait: true });
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "k");
		await eventually(() => expect(seen).toHaveLength(9));
		expect(seen.filter((code) => code === "queue.waits_for_itself")).toHaveLength(4);
		expect(seen[8]).toEqual(answered("other!"));
		expect(seen[1]).toMatch(/would wait for itself/);
		expect((await wireAction(runtime, id, "ask")).output).toEqual(answered("action!"));
	});
});
