import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

const CALLS = 20;
/** Long next to a commit to memory, so that a turn with two of these calls is overdue. */
const CALL_MS = 10;

const busy = actor({
	state: { n: 0 },
	actions: {
		add: (c) => {
			const end = performance.now() + CALL_MS;
			while (performance.now() < end);
			return ++c.state.n;
		},
	},
});

describe("many calls that arrive at once", () => {
	it("go to disk in parts while the rest is worked on, in order and without a gap", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ busy }, { store: wrapped.store });
		const id = await runtime.actorId("busy");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		const before = wrapped.commits.length;
		for (let call = 0; call < CALLS; call++) socket.act(call, "add");
		for (let call = 0; call < CALLS; call++) {
			expect(await socket.expect("ActionResponse")).toMatchObject({ id: call, output: call + 1 });
		}
		// In one turn they would be one batch, or two when the first of them arrives alone.
		expect(wrapped.commits.length - before).toBeGreaterThan(3);
		expect(await wrapped.stateOf(id)).toEqual({ n: CALLS });
	});

	it("all run when their client closes right behind them", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ busy }, { store: wrapped.store });
		const id = await runtime.actorId("busy");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		for (let call = 0; call < CALLS; call++) socket.act(call, "add");
		socket.ws.close();
		await socket.closed;
		await eventually(async () => expect(await wrapped.stateOf(id)).toEqual({ n: CALLS }));
	});
});
