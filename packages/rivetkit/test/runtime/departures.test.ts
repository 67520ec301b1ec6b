// onDisconnect whose writes are lost (lifecycle 9.3), and connections that were lost with their process.
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

/** Counts who is there, and how often its hooks run. */
function room(gate: Gate = new Gate()) {
	const runs = { onConnect: 0, onDisconnect: 0, onWake: 0 };
	const subject = actor({
		state: { here: 0, calls: 0 },
		onWake: () => void runs.onWake++,
		onConnect: (c, conn) => {
			if (conn.params === undefined) return;
			runs.onConnect++;
			c.state.here++;
		},
		onDisconnect: (c, conn) => {
			if (conn.params === undefined) return;
			runs.onDisconnect++;
			c.state.here--;
		},
		actions: {
			here: (c) => c.state.here,
			count: (c) => ++c.state.calls,
			nap: (c) => c.sleep(),
			wait: async (c) => {
				await c.saveState({ immediate: true });
				await gate.passed;
			},
		},
	});
	return { subject, runs };
}

const PARAMS = { "x-rivet-conn-params": '{"name":"ann"}' };

async function started(gate?: Gate) {
	const wrapped = new WrappedStore();
	const clock = new FakeClock();
	const { subject, runs } = room(gate);
	const runtime = await TestRuntime.start({ subject }, { store: wrapped.store, clock });
	const id = await runtime.actorId("subject");
	const failures = () =>
		runtime.log.filter(({ message }) => message.startsWith("what onDisconnect wrote was lost"));
	const connect = () =>
		WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, { connParams: { name: "ann" } });
	return {
		wrapped,
		clock,
		runs,
		runtime,
		id,
		failures,
		connect,
		here: async () => (await wireAction(runtime, id, "here")).output,
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

describe("onDisconnect whose commit fails", () => {
	it("runs again, after pauses that grow, until what it wrote is durable", async () => {
		await using t = await started();
		const socket = await t.connect();
		expect(await t.here()).toBe(1);
		t.wrapped.fail = () => new Error("disk full");
		await socket[Symbol.asyncDispose]();
		for (const [index, pauseMs] of [1_000, 2_000, 4_000].entries()) {
			await eventually(() => expect(t.failures()).toHaveLength(index + 1));
			expect(t.failures().at(-1)?.fields).toMatchObject({ failures: index + 1, pauseMs });
			expect(t.runs.onDisconnect).toBe(index + 1);
			await t.clock.advance(pauseMs - 100);
			expect(t.runs.onDisconnect).toBe(index + 1);
			if (index === 2) t.wrapped.fail = null;
			await t.clock.advance(120);
		}
		await eventually(() => expect(t.runs.onDisconnect).toBe(4));
		await eventually(async () =>
			expect(await t.wrapped.stateOf(t.id)).toEqual({ here: 0, calls: 0 }),
		);
		await t.clock.advance(600_000);
		expect(t.runs.onDisconnect).toBe(4);
		// Nothing of the connection is stored any more.
		await eventually(() => expect(t.runtime.embedded.host.liveActorIds).toEqual([]));
		expect((await t.wrapped.inner.actorById(t.id))?.connected).toBe(false);
		expect(await t.here()).toBe(0);
		expect(t.runs.onDisconnect).toBe(4);
	});

	it("runs again for a call, too, once what its onConnect wrote was durable", async () => {
		const gate = new Gate();
		await using t = await started(gate);
		const call = fetch(`${t.runtime.url}/gateway/${t.id}/action/wait`, {
			method: "POST",
			headers: PARAMS,
			body: '{"args":[]}',
		});
		await eventually(async () =>
			expect(await t.wrapped.stateOf(t.id)).toEqual({ here: 1, calls: 0 }),
		);
		t.wrapped.failNext();
		gate.open();
		await soon(call);
		await t.clock.advance(1_010);
		await eventually(() => expect(t.failures()).toHaveLength(1));
		await t.clock.advance(1_020);
		await eventually(() => expect(t.runs.onDisconnect).toBe(2));
		expect(await t.here()).toBe(0);
	});

	it("does not run again when the opening was lost in the same commit", async () => {
		await using t = await started();
		t.wrapped.failNext();
		const failed = await fetch(`${t.runtime.url}/gateway/${t.id}/action/count`, {
			method: "POST",
			headers: PARAMS,
			body: '{"args":[]}',
		});
		expect(codeOf(await failed.json())).toBe("rivetkit.internal_error");
		expect(t.runs).toMatchObject({ onConnect: 1, onDisconnect: 1 });
		await t.clock.advance(10_000);
		expect(await t.here()).toBe(0);
		expect(t.runs).toMatchObject({ onConnect: 1, onDisconnect: 1 });
	});

	it("runs at once when the actor stops, and by the next incarnation when that is lost, too", async () => {
		await using t = await started();
		const socket = await t.connect();
		expect(await t.here()).toBe(1);
		let failuresLeft = 2;
		t.wrapped.fail = () => (failuresLeft-- > 0 ? new Error("disk full") : undefined);
		await socket[Symbol.asyncDispose]();
		await eventually(() => expect(t.failures()).toHaveLength(1));
		const stopped = t.runtime.embedded.host.stop(t.id, "sleep");
		await eventually(() => expect(t.runs.onDisconnect).toBe(2));
		await soon(stopped);
		expect(t.failures().at(-1)).toMatchObject({
			level: "error",
			message: "what onDisconnect wrote was lost; the next incarnation runs it again",
		});
		// Nobody calls the actor: its alarm wakes it.
		await eventually(async () => {
			await t.clock.advance(1_000);
			expect(t.runs).toMatchObject({ onWake: 2, onDisconnect: 3 });
		});
		expect(await t.here()).toBe(0);
		expect((await t.wrapped.inner.actorById(t.id))?.alarmTs).toBeNull();
	});
});

describe("connections that were lost with their process", () => {
	it("get their onDisconnect when the next one starts, though nobody calls their actor", async () => {
		const wrapped = new WrappedStore();
		const { subject, runs } = room();
		await using before = await TestRuntime.start({ subject }, { store: wrapped.store });
		const [id, other] = [await before.actorId("subject"), await before.actorId("subject", "other")];
		await using socket = await WireSocket.connect(`${before.url}/gateway/${id}/connect`, {
			connParams: { name: "ann" },
		});
		await before.embedded.host.stop(id, "sleep");
		await before.embedded.host.stop(other, "sleep");
		expect((await wrapped.inner.actorById(id))?.connected).toBe(true);
		expect(runs).toEqual({ onConnect: 1, onDisconnect: 0, onWake: 2 });
		// The one before does not end in order: nothing of it reaches the store any more.
		await using after = await TestRuntime.start({ subject }, { store: wrapped.store });
		await eventually(() => expect(runs.onDisconnect).toBe(1));
		expect(runs.onWake).toBe(3);
		expect((await wireAction(after, id, "here")).output).toBe(0);
		expect(after.embedded.host.liveActorIds).toEqual([id]);
		expect(socket.isOpen).toBe(true);
		await after.embedded.host.stop(id, "sleep");
		expect((await wrapped.inner.actorById(id))?.connected).toBe(false);
	});
});
