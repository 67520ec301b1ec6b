// Openings and ends of connections that last, and crashes (contract: lifecycle 19, events).
import { expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { actor } from "../../src/index.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

const actions = {
	kick: async (c: {
		conns: Map<string, { disconnect(): Promise<void> }>;
		conn: { id: string };
	}) => {
		await c.conns.get(c.conn.id)?.disconnect();
	},
};
const plain = actor({ actions });
const hooked = actor({
	onBeforeConnect: () => {},
	onConnect: async () => {
		await Promise.resolve();
	},
	onDisconnect: () => {},
	actions,
});

it("the opening and the end of a connection that lasts are spans with their events", async () => {
	await using runtime = await TestRuntime.start({ plain, hooked });
	const client = createClient({
		endpoint: runtime.url,
		traceparent: () => `00-${TRACE}-${PARENT}-01`,
	});
	for (const name of ["plain", "hooked"]) {
		const id = await runtime.actorId(name);
		const connection = client[name]!.getForId(id).connect();
		const told = connection.action({ name: "kick", args: [] }).catch(() => {});
		await eventually(async () => {
			const [disconnect] = (await tracesOf(runtime, id)).named("actor.disconnect");
			expect(disconnect?.status).toEqual({ code: 1 });
		});
		await connection.dispose();
		await told;
		// Its client came back meanwhile, perhaps.
		const traces = await tracesOf(runtime, id);
		const first = (span: string) => traces.named(span)[0]!;
		const connect = first("actor.connect");
		expect([name, connect.traceId, connect.parentSpanId]).toEqual([name, TRACE, PARENT]);
		const attributes = {
			"rivet.conn.id": expect.any(String),
			"rivet.conn.type": "websocket",
			"rivet.conn.hibernatable": true,
		};
		expect(connect.attributes).toMatchObject(attributes);
		expect(connect.events).toEqual([{ name: "connection.connect", attributes }]);
		const disconnect = first("actor.disconnect");
		expect(disconnect.parentSpanId).toBe(first("actor.action.kick").spanId);
		expect(disconnect.events).toEqual([{ name: "connection.disconnect", attributes }]);
		if (name === "plain") continue;
		expect(first("actor.onBeforeConnect").parentSpanId).toBe(connect.spanId);
		expect(first("actor.onConnect").parentSpanId).toBe(connect.spanId);
		expect(first("actor.onDisconnect").parentSpanId).toBe(disconnect.spanId);
	}
	await client.dispose();
});

it.each(["with room for its trace", "left out of the traces"])(
	"a run that throws is told of by actor.crash, %s",
	async (how) => {
		const failing = actor({
			run: async () => {
				throw new Error("it fell over");
			},
			actions: { act: () => {} },
		});
		// One trace a second: that of the start.
		const traces = { ...TRACE_LIMITS, ...(how.startsWith("left") && { maxPerSecond: 1 }) };
		await using runtime = await TestRuntime.start(
			{ failing },
			{ telemetry: { traces, metrics: true } },
		);
		const id = await runtime.actorId("failing");
		await eventually(async () => {
			const [run] = (await tracesOf(runtime, id)).named("actor.run");
			expect(run?.status).toEqual({ code: 2, message: "it fell over" });
			expect(run?.events).toEqual([
				{ name: "actor.crash", attributes: { "rivet.actor.reason": "run_error" } },
			]);
			expect(run?.attributes["rivet.trace.left_out"]).toBe(how.startsWith("left") || undefined);
		});
	},
);
