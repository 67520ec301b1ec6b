import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const gone = (runtime: TestRuntime, actorId: string) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));

const logged = (runtime: TestRuntime, message: string) =>
	runtime.log.filter((line) => line.message.includes(message));

describe("L8 asking to sleep", () => {
	it("answers the call, stops the actor and wakes it with its data on the next call", async () => {
		const subject = actor({
			state: { n: 0 },
			options: { noSleep: true },
			actions: {
				nap: (c) => {
					c.sleep();
					c.state.n++;
					return "answered";
				},
				n: (c) => c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "nap")).output).toBe("answered");
		await gone(runtime, id);
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
	});

	it("ignores and logs a second sleep, and a sleep after destroy", async () => {
		let sleeps = 0;
		let destroys = 0;
		const subject = actor({
			onSleep: () => void sleeps++,
			onDestroy: () => void destroys++,
			actions: {
				twice: (c) => {
					c.sleep();
					c.sleep();
				},
				destroyFirst: (c) => {
					c.destroy();
					c.sleep();
					c.destroy();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "twice");
		await gone(runtime, id);
		expect([sleeps, destroys]).toEqual([1, 0]);
		expect(logged(runtime, "stop request ignored")).toHaveLength(1);
		await wireAction(runtime, id, "destroyFirst");
		await gone(runtime, id);
		expect([sleeps, destroys]).toEqual([1, 1]);
		expect(logged(runtime, "stop request ignored")).toHaveLength(3);
	});

	it("stops as soon as it is ready when a start hook asks for it", async () => {
		let naps = 1;
		const subject = actor({
			onWake: (c) => {
				if (naps-- > 0) c.sleep();
			},
			actions: { ping: () => 1 },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await gone(runtime, id);
		expect((await wireAction(runtime, id, "ping")).output).toBe(1);
	});
});

describe("L9 stop sequence", () => {
	it("is abort, run ends, onSleep, onDisconnect, waitUntil, save", async () => {
		const seen: string[] = [];
		const wrapped = new WrappedStore();
		wrapped.fail = (batch) => {
			if (batch.record?.sleepTs) seen.push("save");
			return undefined;
		};
		const background = new Gate();
		const subject = actor({
			state: {},
			run: async (c) => {
				await new Promise<void>((resolve) => {
					c.abortSignal.addEventListener("abort", () => {
						seen.push("abort");
						setImmediate(resolve);
					});
				});
				seen.push("run ended");
			},
			onSleep: async (c) => {
				await new Promise((resolve) => setImmediate(resolve));
				seen.push(`onSleep with ${c.conns.size} connections`);
			},
			onDisconnect: async (c) => {
				await new Promise((resolve) => setImmediate(resolve));
				seen.push(`onDisconnect with ${c.conns.size} left`);
				background.open();
			},
			onWebSocket: () => {},
			actions: {
				nap: (c) => {
					c.waitUntil(background.passed.then(() => void seen.push("waitUntil")));
					c.sleep();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		await using hibernating = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await using socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket`);
		await soon(socket.opened());
		await soon(hibernating.call(0, "nap"));
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "" });
		await gone(runtime, id);
		expect(seen).toEqual([
			"abort",
			"run ended",
			"onSleep with 2 connections",
			"onDisconnect with 1 left",
			"waitUntil",
			"save",
		]);
	});

	it("stores no time of sleep of an actor that is to go on elsewhere, unless it wanted to sleep", async () => {
		const { store } = new WrappedStore();
		const hook = new Gate();
		const subject = actor({
			state: {},
			onSleep: (c) => (c.key[0] === "wants" ? hook.passed : undefined),
			actions: { nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject }, { store });
		const [moves, wants] = [
			await runtime.actorId("subject", "moves"),
			await runtime.actorId("subject", "wants"),
		];
		const { host } = runtime.embedded;
		await host.stop(moves, "sleep", true);
		expect(await store.actorById(moves)).toMatchObject({ sleepTs: null, connectableTs: null });
		await wireAction(runtime, wants, "nap");
		const stopped = host.stop(wants, "sleep", true);
		hook.open();
		await stopped;
		expect(await store.actorById(wants)).toMatchObject({ sleepTs: expect.any(Number) });
	});

	it("delivers the answer of the call that asked for it, though its connection ends too", async () => {
		const subject = actor({
			state: { n: 0 },
			actions: {
				end: (c) => {
					c.destroy();
					return ++c.state.n;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		expect(await soon(socket.call(0, "end"))).toMatchObject({ tag: "ActionResponse", output: 1 });
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "" });
	});

	it("saves what the stop hooks changed", async () => {
		const subject = actor({
			state: { seen: [] as string[] },
			onSleep: (c) => void c.state.seen.push("onSleep"),
			onDisconnect: (c, conn) => {
				if (conn.kind === "raw-websocket") c.state.seen.push("onDisconnect");
			},
			onWebSocket: () => {},
			actions: { nap: (c) => c.sleep(), seen: (c) => c.state.seen },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket`);
		await soon(socket.opened());
		await wireAction(runtime, id, "nap");
		await soon(socket.closed);
		const seen = (await wireAction(runtime, id, "seen")).output;
		expect(seen).toEqual(["onSleep", "onDisconnect"]);
	});

	it("goes on when onSleep throws, and logs it", async () => {
		const subject = actor({
			state: { n: 0 },
			onSleep: (c) => {
				c.state.n = 5;
				throw new Error("in onSleep");
			},
			actions: { nap: (c) => c.sleep(), n: (c) => c.state.n },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		expect((await wireAction(runtime, id, "n")).output).toBe(5);
		const [line] = logged(runtime, "stopping goes on without it");
		expect(line?.fields).toMatchObject({ step: "onSleep", err: new Error("in onSleep") });
		expect(line?.fields).toMatchObject({ actor: "subject", actorId: id });
	});
});

const WAITED_FOR = {
	run: "still waiting for a run handler that ignores c.abortSignal",
	onSleep: "onSleep did not finish",
	onDisconnect: "still waiting for 1 onDisconnect hook",
	waitUntil: "still waiting for 1 promise given to waitUntil or keepAwake",
} as const;

describe("L10 stop timeouts", () => {
	it.each([
		["run", "runStopTimeout", 300],
		["onSleep", "onSleepTimeout", 200],
		["onDisconnect", "sleepGracePeriod", 1_500],
		["waitUntil", "waitUntilTimeout", 400],
	] as const)(
		"%s may hang for options.%s, then stopping goes on and saves",
		async (what, option, ms) => {
			const clock = new FakeClock();
			let hangs = true;
			const forever = () => (hangs ? new Promise<void>(() => {}) : undefined);
			const options = { runStopTimeout: 300, onSleepTimeout: 200, waitUntilTimeout: 400 };
			const subject = actor({
				state: { n: 0 },
				options,
				run: () => (what === "run" ? forever() : undefined),
				onSleep: (c) => {
					c.state.n++;
					return what === "onSleep" ? forever() : undefined;
				},
				onDisconnect: (_c, { kind }) =>
					what === "onDisconnect" && kind === "raw-websocket" ? forever() : undefined,
				onWebSocket: () => {},
				actions: {
					nap: (c) => {
						if (what === "waitUntil") c.waitUntil(Promise.resolve(forever()));
						c.sleep();
					},
					n: (c) => c.state.n,
				},
			});
			await using runtime = await TestRuntime.start({ subject }, { clock });
			const id = await runtime.actorId("subject");
			const socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket`);
			await soon(socket.opened());
			await wireAction(runtime, id, "nap");
			const began = clock.now();
			await clock.advance(ms - 20);
			expect(runtime.embedded.host.liveActorIds).toContain(id);
			await clock.advance(40);
			await gone(runtime, id);
			expect(clock.now() - began).toBeLessThanOrEqual(ms + 20);
			hangs = false;
			const [line] = logged(runtime, "stopping goes on without it");
			expect(line?.fields.step).toBe(what);
			expect(String(line?.fields.err)).toContain(`options.${option}`);
			expect(String(line?.fields.err)).toContain(WAITED_FOR[what]);
			expect((await wireAction(runtime, id, "n")).output).toBe(1);
		},
	);
});

describe("L12 one budget", () => {
	it("is never exceeded, though every step hangs", async () => {
		const clock = new FakeClock();
		const forever = () => new Promise<void>(() => {});
		const subject = actor({
			options: { sleepGracePeriod: 2_000 },
			run: forever,
			onSleep: forever,
			onDisconnect: (_c, { kind }) => (kind === "raw-websocket" ? forever() : undefined),
			onWebSocket: () => {},
			actions: {
				hang: forever,
				nap: (c) => {
					c.waitUntil(forever());
					c.sleep();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket`);
		await soon(socket.opened());
		const hanging = wireAction(runtime, id, "hang");
		await wireAction(runtime, id, "nap");
		await clock.advance(1_900);
		expect(runtime.embedded.host.liveActorIds).toContain(id);
		await clock.advance(160);
		await gone(runtime, id);
		expect(codeOf(await soon(hanging))).toBe("actor.stopping");
	});

	it("is 15 s by default, or the sum of the step limits that are set", () => {
		expect(actor({}).config.options.sleepGracePeriod).toBe(15_000);
		const long = actor({ options: { runStopTimeout: 20_000, onSleepTimeout: 7_000 } });
		expect(long.config.options.sleepGracePeriod).toBe(27_000);
	});

	it("lets calls and run wind down side by side", async () => {
		const clock = new FakeClock();
		const order: string[] = [];
		const subject = actor({
			options: { sleepGracePeriod: 1_000 },
			run: async (c) => {
				await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
				order.push("run ended");
			},
			onSleep: () => void order.push("onSleep"),
			actions: { hang: () => new Promise(() => {}), nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const hanging = wireAction(runtime, id, "hang");
		await wireAction(runtime, id, "nap");
		await eventually(() => expect(order).toEqual(["run ended"]));
		await clock.advance(1_050);
		await soon(hanging);
		expect(order).toEqual(["run ended", "onSleep"]);
	});
});

describe("L13 leftovers", () => {
	it("a c kept after the stop reads what it knew, and refuses every write and send", async () => {
		type Kept = Record<string, (...args: unknown[]) => unknown> & { state: { n: number } };
		let kept!: Kept;
		let conn!: { send(name: string): void; state: { n: number } };
		const subject = actor({
			state: { n: 1 },
			connState: { n: 1 },
			onConnect: (_c, connection) => {
				conn = connection as never;
			},
			actions: {
				nap: (c) => {
					kept = c as never;
					c.sleep();
				},
				n: (c) => c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await soon(socket.call(0, "nap"));
		await gone(runtime, id);
		socket.ws.terminate();

		expect(kept.state.n).toBe(1);
		const { state } = kept;
		const attempts: Record<string, () => unknown> = {
			"state.n": () => {
				state.n = 2;
			},
			state: () => {
				kept.state = { n: 3 };
			},
			"conn.state": () => {
				conn.state.n = 2;
			},
			"conn.send": () => conn.send("event"),
			broadcast: () => kept.broadcast!("event"),
			saveState: () => kept.saveState!(),
			waitUntil: () => kept.waitUntil!(Promise.resolve()),
			keepAwake: () => kept.keepAwake!(Promise.resolve()),
			client: () => kept.client!(),
		};
		for (const [name, attempt] of Object.entries(attempts)) {
			expect(attempt, name).toThrow("Actor stopping");
		}
		kept.sleep!();
		kept.destroy!();
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
	});

	it("work left behind by a finished call hears of the stop", async () => {
		const heard = new Gate();
		const subject = actor({
			actions: {
				leave: (c) => {
					const { abortSignal } = c;
					const left = new Promise((resolve) => abortSignal.addEventListener("abort", resolve));
					c.waitUntil(left.then(() => heard.open()));
				},
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "leave");
		await wireAction(runtime, id, "nap");
		await soon(heard.passed);
		await gone(runtime, id);
		expect(logged(runtime, "stopping goes on without it")).toEqual([]);
	});

	it("a stop waits for keepAwake promises and for what waitUntil is given meanwhile", async () => {
		const seen: string[] = [];
		const gate = new Gate();
		const subject = actor({
			actions: {
				nap: (c) => {
					const tick = () => new Promise((resolve) => setImmediate(resolve));
					void c.keepAwake(gate.passed.then(() => void seen.push("keepAwake")));
					c.waitUntil(tick().then(() => c.waitUntil(tick().then(() => void seen.push("nested")))));
					c.sleep();
				},
			},
			onSleep: () => void seen.push("onSleep"),
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		expect(seen).not.toContain("onSleep");
		gate.open();
		await gone(runtime, id);
		expect(seen.indexOf("keepAwake")).toBeLessThan(seen.indexOf("onSleep"));
		expect(seen).toContain("nested");
	});

	it.each(["run", "onSleep"] as const)(
		"a stop waits for what keepAwake is given by %s as it winds down",
		async (by) => {
			const kept = new Gate();
			const gate = new Gate();
			const seen: string[] = [];
			const keep = (c: {
				keepAwake<T>(promise: Promise<T>): Promise<T>;
				state: { saved: boolean };
			}) => {
				const save = async () => {
					await gate.passed;
					c.state.saved = true;
				};
				void c.keepAwake(save());
				kept.open();
			};
			const subject = actor({
				state: { saved: false },
				run: async (c) => {
					await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
					// Calls in progress are over by then.
					await new Promise((resolve) => setImmediate(resolve));
					if (by === "run") keep(c);
				},
				onSleep: (c) => {
					seen.push(`onSleep: ${c.state.saved}`);
					if (by === "onSleep") keep(c);
				},
				actions: { saved: (c) => c.state.saved, nap: (c) => c.sleep() },
			});
			await using runtime = await TestRuntime.start({ subject });
			const id = await runtime.actorId("subject");
			await wireAction(runtime, id, "nap");
			await kept.passed;
			for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
			expect(runtime.embedded.host.liveActorIds).toContain(id);
			gate.open();
			await gone(runtime, id);
			expect(seen).toEqual([`onSleep: ${by === "run"}`]);
			expect((await wireAction(runtime, id, "saved")).output).toBe(true);
		},
	);
});

it("shows a woken actor as awake in the management API", async () => {
	const napper = actor({ actions: { nap: (c) => c.sleep(), ping: () => "pong" } });
	await using runtime = await TestRuntime.start({ napper });
	const id = await runtime.actorId("napper");
	const record = async () => {
		const response = await fetch(`${runtime.url}/actors?actor_ids=${id}`);
		return ((await response.json()) as { actors: Record<string, unknown>[] }).actors[0]!;
	};
	await runtime.action(id, "nap");
	await eventually(async () => expect((await record()).sleep_ts).toBeTypeOf("number"));
	expect((await record()).connectable_ts).toBeNull();
	await runtime.action(id, "ping");
	await eventually(async () => expect((await record()).sleep_ts).toBeNull());
	expect((await record()).connectable_ts).toBeTypeOf("number");
});
