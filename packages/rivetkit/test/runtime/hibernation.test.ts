import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

/** A room that says which hooks ran. */
function room() {
	const hooks: string[] = [];
	const subject = actor({
		state: { said: [] as string[] },
		events: { line: event<string>() },
		createConnState: (_c, params: { name?: string } | undefined) => ({
			name: params?.name ?? "nobody",
			count: 0,
		}),
		onWake: () => void hooks.push("onWake"),
		onBeforeConnect: () => void hooks.push("onBeforeConnect"),
		onConnect: (_c, conn) => void hooks.push(`onConnect ${conn.state.name}`),
		onDisconnect: (_c, conn) => void hooks.push(`onDisconnect ${conn.state.name}`),
		actions: {
			say: (c, text: string) => {
				c.state.said.push(text);
				c.conn.state.count++;
				c.broadcast("line", text);
				return c.conn.state.count;
			},
			who: (c) => ({
				id: c.conn.id,
				params: c.conn.params,
				state: c.conn.state,
				subscriptions: [...c.conn.subscriptions],
				hibernates: c.conn.isHibernatable,
			}),
			nap: (c) => c.sleep(),
		},
	});
	return { subject, hooks };
}

const asleep = (runtime: TestRuntime) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));

describe("L33 an event connection", () => {
	it("stays open while its actor sleeps, and wakes it with what it was", async () => {
		const { subject, hooks } = room();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, {
			connParams: { name: "ann" },
		});
		socket.subscribe("line");
		expect(await soon(socket.call(0, "say", "one"))).toMatchObject({ output: 1 });
		const before = await soon(socket.call(1, "who"));
		await soon(socket.call(2, "nap"));
		await asleep(runtime);
		hooks.length = 0;
		expect(await soon(socket.call(1, "who"))).toEqual(before);
		expect(before).toMatchObject({
			output: {
				params: { name: "ann" },
				state: { name: "ann", count: 1 },
				subscriptions: ["line"],
				hibernates: true,
			},
		});
		socket.act(3, "say", "two");
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: ["two"] });
		expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", output: 2 });
		expect(hooks).toEqual(["onWake"]);
	});
});
