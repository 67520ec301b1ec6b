import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const gone = (runtime: TestRuntime, actorId: string) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));

describe("L14 destroying", () => {
	it("answers the call, aborts at once, shows state to onDestroy, and leaves nothing", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			state: { n: 0 },
			onSleep: () => void seen.push("onSleep"),
			onDestroy: (c) => void seen.push(["onDestroy", c.state.n]),
			actions: {
				end: (c) => {
					c.state.n = 7;
					let aborted = false;
					c.abortSignal.addEventListener("abort", () => {
						aborted = true;
					});
					c.destroy();
					return [aborted, c.aborted, ++c.state.n];
				},
				n: (c) => c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject", "k");
		expect((await wireAction(runtime, id, "end")).output).toEqual([true, true, 8]);
		await gone(runtime, id);
		expect(seen).toEqual([["onDestroy", 8]]);

		expect(codeOf(await wireAction(runtime, id, "n"))).toBe("actor.not_found");
		const local = runtime.localClient();
		expect(await outcomeOf(local.subject!.get(["k"]).n())).toBe("actor.not_found");
		expect(await runtime.store.scan(id, { start: new Uint8Array(), end: null })).toEqual([]);
		expect(await local.subject!.getOrCreate(["k"]).n()).toBe(0);
		expect(await runtime.actorId("subject", "k")).not.toBe(id);
	});

	it("closes every connection with 1000, after the answer, and runs onDisconnect", async () => {
		let disconnects = 0;
		const subject = actor({
			onDisconnect: () => void disconnects++,
			onWebSocket: () => {},
			actions: { end: (c) => c.destroy() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const base = `${runtime.url}/gateway/${id}`;
		await using first = await WireSocket.connect(`${base}/connect`);
		await using second = await WireSocket.connect(`${base}/connect`, { encoding: "cbor" });
		await using raw = new WireSocket(`${base}/websocket/x`);
		await raw.opened();
		expect(await soon(first.call(0, "end"))).toMatchObject({ tag: "ActionResponse" });
		for (const socket of [first, second, raw]) {
			expect((await soon(socket.closed)).code).toBe(1000);
		}
		await gone(runtime, id);
		expect(disconnects).toBe(3);
	});

	it("deletes through the management API as c.destroy() does, also when the actor sleeps", async () => {
		let destroys = 0;
		const subject = actor({
			onDestroy: () => void destroys++,
			actions: { nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		await gone(runtime, id);
		const response = await fetch(`${runtime.url}/actors/${id}`, { method: "DELETE" });
		expect(response.status).toBe(200);
		expect(destroys).toBe(1);
		expect(codeOf(await wireAction(runtime, id, "nap"))).toBe("actor.not_found");
	});

	it("goes on when onDestroy throws, and logs it", async () => {
		const subject = actor({
			onDestroy: () => {
				throw new Error("in onDestroy");
			},
			actions: { end: (c) => c.destroy() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "end");
		await gone(runtime, id);
		expect(codeOf(await wireAction(runtime, id, "end"))).toBe("actor.not_found");
		const lines = runtime.log.filter(({ fields }) => fields.step === "onDestroy");
		expect(lines[0]?.fields.err).toEqual(new Error("in onDestroy"));
	});
});

describe("L15 calls while an actor is destroyed", () => {
	it("by key they wait and land in the fresh actor, by id they get actor.stopping, then not_found", async () => {
		const inDestroy = new Gate();
		const letDestroy = new Gate();
		const subject = actor({
			state: { n: 0 },
			onDestroy: async () => {
				inDestroy.open();
				await letDestroy.passed;
			},
			actions: { add: (c) => ++c.state.n, end: (c) => c.destroy() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const local = runtime.localClient();
		const handle = local.subject!.getOrCreate(["k"]);
		await handle.add();
		const id = await local.subject!.get(["k"]).resolve();
		await handle.end();
		await inDestroy.passed;
		const byKey = handle.add();
		expect(codeOf(await wireAction(runtime, id, "add"))).toBe("actor.stopping");
		letDestroy.open();
		expect(await soon(byKey)).toBe(1);
		expect(codeOf(await wireAction(runtime, id, "add"))).toBe("actor.not_found");
	});
});

it("a call made after the answer of the one that destroyed lands in the fresh actor", async () => {
	const subject = actor({
		state: { n: 0 },
		actions: { add: (c) => ++c.state.n, end: (c) => c.destroy() },
	});
	await using runtime = await TestRuntime.start({ subject });
	const handle = runtime.localClient().subject!.getOrCreate(["k"]);
	await handle.add();
	await handle.end();
	// In the same turn of the event loop, before the stop has begun.
	expect(await handle.add()).toBe(1);
	expect(await handle.add()).toBe(2);
});

describe("L16 a destroy that breaks off", () => {
	it("leaves the actor intact when the tombstone cannot be written, and it can be tried again", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { n: 0 },
			actions: { add: (c) => ++c.state.n, end: (c) => c.destroy() },
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "add");
		wrapped.fail = (batch) => (batch.destroyTs ? new Error("disk full") : undefined);
		await wireAction(runtime, id, "end");
		await gone(runtime, id);
		expect((await wireAction(runtime, id, "add")).output).toBe(2);
		wrapped.fail = null;
		await wireAction(runtime, id, "end");
		await gone(runtime, id);
		expect(codeOf(await wireAction(runtime, id, "add"))).toBe("actor.not_found");
	});

	it("is one commit, so nothing in between can be seen", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({ state: { n: 0 }, actions: { end: (c) => c.destroy() } });
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "end");
		await gone(runtime, id);
		const last = wrapped.commits.at(-1);
		expect(last).toMatchObject({ actorId: id, ops: [], alarmTs: null });
		expect(last?.destroyTs).toBeTypeOf("number");
		expect(wrapped.commits.filter(({ destroyTs }) => destroyTs !== undefined)).toHaveLength(1);
	});
});

it("nothing is committed after the tombstone, though it takes longer than what was noted may wait", async () => {
	const clock = new FakeClock();
	const wrapped = new WrappedStore();
	const subject = actor({
		options: { noSleep: true },
		actions: { nap: (c) => c.sleep(), end: (c) => c.destroy() },
	});
	await using runtime = await TestRuntime.start({ subject }, { clock, store: wrapped.store });
	const id = await runtime.actorId("subject");
	await wireAction(runtime, id, "nap");
	await gone(runtime, id);
	// That it has woken is noted, and waits for company.
	const letHear = wrapped.holdAnswers();
	await wireAction(runtime, id, "end");
	await eventually(() => expect(wrapped.commits.at(-1)?.destroyTs).toBeTypeOf("number"));
	const commits = wrapped.commits.length;
	await clock.advance(2_000);
	letHear();
	await gone(runtime, id);
	expect(wrapped.commits.length).toBe(commits);
	expect(runtime.log.filter(({ message }) => message.includes("newer incarnation"))).toEqual([]);
	expect(codeOf(await wireAction(runtime, id, "end"))).toBe("actor.not_found");
});

describe("W-STOP-8, W-STOP-9 a wish to destroy that comes late", () => {
	const wishes = ["onWake", "onSleep", "onDisconnect", "waitUntil"] as const;

	it.each(wishes)("in %s makes the stop a destroy, with onDestroy after onSleep", async (where) => {
		const seen: string[] = [];
		const subject = actor({
			state: { n: 0 },
			onWake: (c) => {
				if (where === "onWake") c.destroy();
			},
			onSleep: (c) => {
				seen.push("onSleep");
				if (where === "onSleep") c.destroy();
			},
			onDisconnect: (c, conn) => {
				if (where === "onDisconnect" && conn.kind === "raw-websocket") c.destroy();
			},
			onDestroy: () => void seen.push("onDestroy"),
			onWebSocket: () => {},
			actions: {
				nap: (c) => {
					c.sleep();
					const later = new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
					if (where === "waitUntil") c.waitUntil(later.then(() => c.destroy()));
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		if (where !== "onWake") {
			const socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket`);
			await soon(socket.opened());
			await wireAction(runtime, id, "nap");
			await soon(socket.closed);
		}
		await gone(runtime, id);
		expect(seen).toEqual(where === "onWake" ? ["onDestroy"] : ["onSleep", "onDestroy"]);
		expect(codeOf(await wireAction(runtime, id, "nap"))).toBe("actor.not_found");
	});

	it("after c.sleep() in the same call makes it a destroy, without onSleep", async () => {
		const seen: string[] = [];
		const subject = actor({
			onSleep: () => void seen.push("onSleep"),
			onDestroy: () => void seen.push("onDestroy"),
			actions: {
				both: (c) => {
					c.sleep();
					c.destroy();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "both");
		await gone(runtime, id);
		expect(seen).toEqual(["onDestroy"]);
	});

	it("from the management API while the actor falls asleep is carried out as well", async () => {
		const inSleep = new Gate();
		const letSleep = new Gate();
		const seen: string[] = [];
		const subject = actor({
			onSleep: async () => {
				inSleep.open();
				await letSleep.passed;
				seen.push("onSleep");
			},
			onDestroy: () => void seen.push("onDestroy"),
			actions: { nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		await inSleep.passed;
		const deleted = fetch(`${runtime.url}/actors/${id}`, { method: "DELETE" });
		letSleep.open();
		expect((await soon(deleted)).status).toBe(200);
		expect(seen.filter((hook) => hook === "onDestroy")).toEqual(["onDestroy"]);
		expect(codeOf(await wireAction(runtime, id, "nap"))).toBe("actor.not_found");
	});
});
