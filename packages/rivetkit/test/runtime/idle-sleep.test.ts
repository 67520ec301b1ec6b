import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import type { ActorInstance } from "../../src/runtime/instance/instance.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const SLEEP_MS = 30_000;

const isLive = (runtime: TestRuntime, id: string) =>
	runtime.embedded.host.liveActorIds.includes(id);
const asleep = (runtime: TestRuntime, id: string) =>
	eventually(() => expect(isLive(runtime, id)).toBe(false));
const awakeBecause = (runtime: TestRuntime, id: string) =>
	runtime.embedded.host.awakeBecause(id)?.join("; ");

const instanceOf = (c: object) => Reflect.get(c, "instance") as ActorInstance;

/** Resolves when the only reason left is that the actor has been idle for no time yet. */
const idle = (runtime: TestRuntime, id: string) =>
	eventually(() => expect(awakeBecause(runtime, id)).toMatch(/^it has been idle for/));

/** What every test below works with: an actor whose parts wait for the test. */
function setUp() {
	const gate = new Gate();
	const subject = actor({
		state: { n: 0 },
		onDisconnect: (_c, conn) => (conn.params === "slow" ? gate.passed : undefined),
		onRequest: async () => {
			await gate.passed;
			return new Response("done");
		},
		onWebSocket: () => {},
		actions: {
			wait: () => gate.passed,
			keepAwake: (c) => void c.keepAwake(gate.passed),
			waitUntil: (c) => c.waitUntil(gate.passed),
			timer: (c) => {
				const tick = () => {
					if (!c.aborted) setTimeout(tick, 1).unref();
				};
				tick();
			},
			schedule: async (c) => {
				await c.schedule.after(100 * SLEEP_MS, "add");
			},
			add: (c) => ++c.state.n,
		},
	});
	return { gate, subject };
}

type Source = (
	runtime: TestRuntime,
	id: string,
	gate: Gate,
) => Promise<{ reason: RegExp; end: () => unknown }>;

const SOURCES: Readonly<Record<string, Source>> = {
	"an action over HTTP": async (runtime, id, gate) => {
		const call = wireAction(runtime, id, "wait");
		await eventually(() => expect(awakeBecause(runtime, id)).toContain("action"));
		return {
			reason: /1 action in progress: wait/,
			end: () => {
				gate.open();
				return call;
			},
		};
	},
	"a raw request": async (runtime, id, gate) => {
		const call = fetch(`${runtime.url}/gateway/${id}/request/some/path?secret=1`);
		await eventually(() => expect(awakeBecause(runtime, id)).toContain("request"));
		return {
			reason: /requests? in progress: GET \/some\/path$/,
			end: () => {
				gate.open();
				return call;
			},
		};
	},
	"a request whose body has not arrived": async (runtime, id) => {
		const half = httpRequest(`${runtime.url}/gateway/${id}/action/add`, { method: "POST" });
		const answered = new Promise((resolve) => half.on("response", resolve));
		half.write('{"args":');
		await eventually(() => expect(awakeBecause(runtime, id)).toContain("request"));
		return {
			reason: /^1 request in progress$/,
			end: () => {
				half.end("[]}");
				return answered;
			},
		};
	},
	"a raw WebSocket": async (runtime, id) => {
		const socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket/`);
		await socket.opened();
		await eventually(() => expect(awakeBecause(runtime, id)).toContain("socket"));
		return { reason: /^1 open socket that cannot hibernate$/, end: () => socket.ws.close() };
	},
	"a keepAwake promise": async (runtime, id, gate) => {
		await wireAction(runtime, id, "keepAwake");
		return { reason: /^1 promise of c\.keepAwake pending$/, end: () => gate.open() };
	},
	"an onDisconnect hook": async (runtime, id, gate) => {
		const socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, {
			connParams: "slow",
		});
		socket.ws.close();
		await eventually(() => expect(awakeBecause(runtime, id)).toContain("onDisconnect"));
		return { reason: /^1 onDisconnect hook running$/, end: () => gate.open() };
	},
};

describe("L7 idle sleep", () => {
	it("comes sleepTimeout after the last call, not before", async () => {
		const clock = new FakeClock();
		const { subject } = setUp();
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await idle(runtime, id);
		await clock.advance(SLEEP_MS - 5_000);
		await wireAction(runtime, id, "add");
		await idle(runtime, id);
		await clock.advance(SLEEP_MS - 20);
		expect(isLive(runtime, id)).toBe(true);
		expect(awakeBecause(runtime, id)).toBe(
			`it has been idle for ${SLEEP_MS - 20} ms, and sleeps after ${SLEEP_MS} ms (options.sleepTimeout)`,
		);
		await clock.advance(40);
		await asleep(runtime, id);
		expect(runtime.embedded.host.awakeBecause(id)).toBeNull();
		expect((await wireAction(runtime, id, "add")).output).toBe(2);
	});

	it.each(Object.keys(SOURCES))("waits for %s, and then for sleepTimeout anew", async (source) => {
		const clock = new FakeClock();
		const { gate, subject } = setUp();
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const { reason, end } = await SOURCES[source]!(runtime, id, gate);
		await eventually(() => expect(awakeBecause(runtime, id)).toMatch(reason));
		// Liveness pings of the sockets are answered between the steps.
		for (let step = 0; step < 6; step++) await clock.advance(SLEEP_MS / 4);
		expect(isLive(runtime, id)).toBe(true);
		await end();
		await idle(runtime, id);
		await clock.advance(SLEEP_MS - 20);
		expect(isLive(runtime, id)).toBe(true);
		await clock.advance(40);
		await asleep(runtime, id);
	});

	it.each(["waitUntil", "timer", "schedule"])("does not wait for a pending %s", async (what) => {
		const clock = new FakeClock();
		const { gate, subject } = setUp();
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, what);
		await idle(runtime, id);
		await clock.advance(SLEEP_MS + 20);
		gate.open();
		await asleep(runtime, id);
		expect(runtime.log.filter(({ level }) => level === "error")).toEqual([]);
	});

	it("does not come while a receive waits for what is there (W-STOP-7), and waits anew after it", async () => {
		const clock = new FakeClock();
		let messages = 1;
		const subject = actor({
			actions: {
				fill: (c) => {
					instanceOf(c).work.addWaitingWork({
						waitingWork: () => (messages > 0 ? `${messages} queued message` : null),
					});
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "fill");
		await clock.advance(SLEEP_MS + 20);
		expect(awakeBecause(runtime, id)).toBe("1 queued message");
		messages = 0;
		await clock.advance(SLEEP_MS - 40);
		expect(isLive(runtime, id)).toBe(true);
		await clock.advance(60);
		await asleep(runtime, id);
	});

	it("comes sleepTimeout after an alarm that fired; one in the future does not hold it up", async () => {
		const clock = new FakeClock();
		const alarms = [clock.now() + SLEEP_MS - 1_000, clock.now() + 10 * SLEEP_MS];
		const subject = actor({
			actions: {
				plan: (c) => {
					const { alarm } = instanceOf(c);
					alarm.add({ nextTs: () => alarms[0] ?? null, due: () => void alarms.shift() });
					alarm.start();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "plan");
		await idle(runtime, id);
		await clock.advance(SLEEP_MS + 20);
		expect([isLive(runtime, id), alarms.length]).toEqual([true, 1]);
		await clock.advance(SLEEP_MS - 1_040);
		expect(isLive(runtime, id)).toBe(true);
		await clock.advance(60);
		await asleep(runtime, id);
	});

	it("does not wait for connections that hibernate", async () => {
		const clock = new FakeClock();
		const { subject } = setUp();
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await idle(runtime, id);
		await clock.advance(SLEEP_MS + 20);
		await asleep(runtime, id);
		expect(await socket.call(1, "add")).toMatchObject({ output: 1 });
		expect(isLive(runtime, id)).toBe(true);
	});

	it("is off with noSleep", async () => {
		const clock = new FakeClock();
		const subject = actor({ options: { noSleep: true }, actions: { ping: () => 1 } });
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await clock.advance(1_000 * SLEEP_MS);
		expect(isLive(runtime, id)).toBe(true);
		expect(awakeBecause(runtime, id)).toBe("options.noSleep is set");
	});

	it("takes its time from options.sleepTimeout", async () => {
		const clock = new FakeClock();
		const subject = actor({ options: { sleepTimeout: 500 }, actions: { ping: () => 1 } });
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await idle(runtime, id);
		await clock.advance(480);
		expect(isLive(runtime, id)).toBe(true);
		await clock.advance(40);
		await asleep(runtime, id);
	});

	it("arms one timer per actor however many calls there are", async () => {
		const clock = new FakeClock();
		const { subject } = setUp();
		// Timing of calls has one of its own while there are very many.
		await using runtime = await TestRuntime.start({ subject }, { clock, telemetry: null });
		const id = await runtime.actorId("subject");
		const local = runtime.localClient().subject!.getOrCreate([]);
		await local.add();
		const before = runtime.embedded.timers.size;
		for (let call = 0; call < 100; call++) await local.add();
		expect(runtime.embedded.timers.size).toBe(before);
		expect(isLive(runtime, id)).toBe(true);
	});
});

describe("L52 run and sleep", () => {
	it("an active run keeps awake, one that returned does not", async () => {
		const clock = new FakeClock();
		const gate = new Gate();
		const subject = actor({ run: () => gate.passed });
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await clock.advance(3 * SLEEP_MS);
		expect(awakeBecause(runtime, id)).toBe("the run handler is working");
		gate.open();
		await idle(runtime, id);
		await clock.advance(SLEEP_MS + 20);
		await asleep(runtime, id);
	});

	it("one that fails keeps awake through the attempts of its first minute, no longer (W-RUN-2)", async () => {
		const clock = new FakeClock();
		let runs = 0;
		const subject = actor({
			options: { sleepTimeout: 1_000 },
			run: () => {
				runs++;
				throw new Error("broken");
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await clock.advance(40_000);
		expect(awakeBecause(runtime, id)).toBe("the run handler failed and is about to be restarted");
		// The tenth attempt, after 51.1 s, is the last one that is due within the minute.
		await clock.advance(12_000);
		expect(isLive(runtime, id)).toBe(true);
		await clock.advance(2_000);
		await asleep(runtime, id);
		expect(runs).toBe(10);
		await clock.advance(120_000);
		expect(runs).toBe(10);
	});
});
