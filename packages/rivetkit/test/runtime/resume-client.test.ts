import { createClient as createPublishedClient } from "rivetkit-published/client";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { createClient } from "../../src/client/index.ts";
import { CuttableProxy } from "../support/cuttable-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";

const ticker = actor({
	state: { n: 0 },
	events: { tick: event<number>() },
	actions: {
		tick: (c, times: number) => {
			for (let index = 0; index < times; index++) c.broadcast("tick", ++c.state.n);
			return c.state.n;
		},
		conns: (c) => [...c.conns.values()].filter(({ kind }) => kind === "websocket").length,
		nap: (c) => c.sleep(),
	},
});

async function behindProxy() {
	const runtime = await TestRuntime.start({ ticker });
	const proxy = await CuttableProxy.start(runtime.url);
	const id = await runtime.actorId("ticker");
	const tick = async (times = 1) => {
		await runtime.action(id, "tick", times);
	};
	const conns = async () => {
		const { output } = (await (await runtime.action(id, "conns")).json()) as { output: number };
		return output;
	};
	return {
		runtime,
		proxy,
		tick,
		conns,
		async [Symbol.asyncDispose]() {
			await proxy[Symbol.asyncDispose]();
			await runtime[Symbol.asyncDispose]();
		},
	};
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("our client behind a network that breaks", () => {
	it.each(["bare", "cbor", "json"] as const)(
		"hears every event once and in order, over cuts at any time (%s)",
		async (encoding) => {
			await using t = await behindProxy();
			await using client = createClient({ endpoint: t.proxy.url, encoding });
			const connection = client.ticker!.getForId(await t.runtime.actorId("ticker")).connect();
			const heard: number[] = [];
			const resyncs: string[] = [];
			connection.on("tick", (n: number) => heard.push(n));
			connection.onResync(() => resyncs.push("resync"));
			await soon(connection.conns());
			let ticked = 0;
			for (let round = 0; round < 5; round++) {
				// Some arrive, some are under way when the network breaks, some come while it is broken.
				await t.tick(3);
				if (round % 2 === 0) await eventually(() => expect(heard).toHaveLength(ticked + 3));
				t.proxy.hold();
				await t.tick(2);
				t.proxy.cut();
				await t.tick(1);
				ticked += 6;
				if (round % 3 === 0) await connection.conns();
			}
			await eventually(() => expect(heard).toHaveLength(ticked));
			expect(heard).toEqual(numbers(ticked));
			expect(resyncs).toEqual([]);
			await eventually(async () => expect(await t.conns()).toBe(1));
		},
	);

	it("goes on over a sleep and a broken socket without a word, and hears what comes next", async () => {
		await using t = await behindProxy();
		await using client = createClient({ endpoint: t.proxy.url });
		const id = await t.runtime.actorId("ticker");
		const connection = client.ticker!.getForId(id).connect();
		const heard: unknown[] = [];
		connection.on("tick", (n: number) => heard.push(n));
		connection.onResync(() => heard.push("resync"));
		await soon(connection.tick(1));
		await t.runtime.action(id, "nap");
		await eventually(() => expect(t.runtime.embedded.host.liveActorIds).toEqual([]));
		t.proxy.cut();
		await eventually(() => expect(t.runtime.embedded.host.liveActorIds).toEqual([id]));
		await soon(connection.conns());
		await t.tick();
		await eventually(() => expect(heard).toEqual([1, 2]));
	});

	it("is told when the server was restarted", async () => {
		await using t = await behindProxy();
		await using client = createClient({ endpoint: t.proxy.url });
		const connection = client.ticker!.getOrCreate(["k"]).connect();
		const told: unknown[] = [];
		connection.onResync(() => told.push("resync"));
		connection.on("tick", (n: number) => told.push(n));
		await soon(connection.tick(1));
		await using next = await TestRuntime.start({ ticker });
		t.proxy.retarget(next.url);
		t.proxy.cut();
		await eventually(() => expect(told).toEqual([1, "resync"]));
		await soon(connection.tick(1));
		await eventually(() => expect(told).toEqual([1, "resync", 1]));
	});

	it("in the same process is told after a socket was closed", async () => {
		await using runtime = await TestRuntime.start({
			kicker: actor({
				events: { tick: event<number>() },
				actions: { kick: (c) => c.conn.disconnect() },
			}),
		});
		const connection = runtime.localClient().kicker!.getOrCreate(["k"]).connect();
		let resyncs = 0;
		connection.onResync(() => resyncs++);
		connection.kick().catch(() => {});
		await eventually(() => expect(resyncs).toBe(1));
		await connection.dispose();
	});
});

describe("the published client behind a network that breaks", () => {
	it("reconnects as ever, and gets no frame that it does not know", async () => {
		await using t = await behindProxy();
		const client = createPublishedClient({ endpoint: t.proxy.url }) as never as {
			ticker: { getOrCreate(key: string[]): { connect(): PublishedConnection } };
			dispose(): Promise<void>;
		};
		const connection = client.ticker.getOrCreate(["k"]).connect();
		const heard: number[] = [];
		connection.on("tick", (n) => heard.push(n));
		expect(await soon(connection.tick(2))).toBe(2);
		t.proxy.cut();
		await eventually(async () => expect(await connection.conns()).toBe(1));
		expect(await soon(connection.tick(1))).toBe(3);
		await eventually(() => expect(heard).toEqual([1, 2, 3]));
		await client.dispose();
	});
});

interface PublishedConnection {
	on(event: string, listener: (n: number) => void): void;
	tick(times: number): Promise<number>;
	conns(): Promise<number>;
}
