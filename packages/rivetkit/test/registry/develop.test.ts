import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { actor, createMemoryDriver, event, Registry, setup } from "../../src/index.ts";
import { configureBaseLogger } from "../../src/log/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";

/** Registries that take each other's place in one process, as modules are reloaded (ADR 0035). */

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
	Reflect.deleteProperty(globalThis, Symbol.for("rivetkit.development"));
});

/** One version of a module: `step` is what an edit changes. */
function counterModule(step: number, managerPort = 0) {
	const ticker = actor({ actions: {} });
	const counter = actor({
		state: { count: 0 },
		createVars: () => ({ calls: 0, step }),
		events: { count: event<number>(), woke: event<number>() },
		run: (c) => c.broadcast("woke", step),
		actions: {
			add: (c) => {
				c.vars.calls++;
				c.state.count += step;
				c.broadcast("count", c.state.count);
				return { count: c.state.count, calls: c.vars.calls };
			},
		},
	});
	const registry = setup({
		use: step === 1 ? { counter, ticker } : { counter },
		driver: createMemoryDriver(),
		managerPort,
		noWelcome: true,
		handleSignals: false,
		logging: { level: "silent" },
	});
	cleanUps.push(() => registry.shutdown());
	return registry;
}

async function connected() {
	const first = counterModule(1);
	await first.develop();
	const { url } = await first.listen();
	const client = createClient<typeof first>(url);
	cleanUps.push(() => client.dispose());
	const connection = client.counter.getOrCreate(["a"]).connect();
	const statuses: string[] = [];
	const events: [string, number][] = [];
	connection.onStatusChange((status) => statuses.push(status));
	connection.on("count", (count) => events.push(["count", count]));
	connection.on("woke", (step) => events.push(["woke", step]));
	expect(await connection.add()).toEqual({ count: 1, calls: 1 });
	return { first, url, client, connection, statuses, events };
}

describe("registry.develop()", () => {
	it("goes on with the new code: state and the open socket stay, vars begin anew", async () => {
		const { url, connection, statuses, events } = await connected();
		const second = counterModule(10);
		await second.develop();
		expect((await second.listen()).url).toBe(url);
		expect(await connection.add()).toEqual({ count: 11, calls: 1 });
		await eventually(() => expect(events).toContainEqual(["count", 11]));
		expect(statuses).toEqual(["connected"]);
	});

	it("wakes the actors that were awake with the new code, though nobody calls them", async () => {
		const { events } = await connected();
		await counterModule(10).develop();
		await eventually(() => expect(events).toContainEqual(["woke", 10]));
	});

	it("serves the names of the new code, and only them", async () => {
		const { url } = await connected();
		const names = async () =>
			Object.keys(
				((await (await fetch(`${url}/metadata`)).json()) as { actorNames: object }).actorNames,
			);
		expect(await names()).toEqual(["counter", "ticker"]);
		await counterModule(10).develop();
		expect(await names()).toEqual(["counter"]);
	});

	it("keeps an action that runs, and its answer, from being cut", async () => {
		const slow = new Gate();
		const module = (label: string) => {
			const slowly = actor({ actions: { wait: () => slow.passed.then(() => label) } });
			const registry = setup({
				use: { slowly },
				driver: createMemoryDriver(),
				managerPort: 0,
				noWelcome: true,
				handleSignals: false,
			});
			cleanUps.push(() => registry.shutdown());
			return registry;
		};
		const first = module("old");
		await first.develop();
		const client = createClient<typeof first>((await first.listen()).url);
		cleanUps.push(() => client.dispose());
		const handle = client.slowly.getOrCreate([]);
		const answer = handle.wait();
		await handle.resolve();
		const moved = module("new").develop();
		slow.open();
		await moved;
		expect(["old", "new"]).toContain(await answer);
		expect(await handle.wait()).toBe("new");
	});

	it("moves actors once per reload when reloads come faster than actors move", async () => {
		const { connection, statuses } = await connected();
		await Promise.all([2, 3, 4, 100].map((step) => counterModule(step).develop()));
		expect(await connection.add()).toEqual({ count: 101, calls: 1 });
		expect(statuses).toEqual(["connected"]);
	});

	it("leaves the engine to the registry that took over, whoever is shut down", async () => {
		const { first, url, connection } = await connected();
		const second = counterModule(10);
		await second.develop();
		await first.shutdown();
		expect(await connection.add()).toEqual({ count: 11, calls: 1 });
		await second.shutdown();
		await expect(fetch(`${url}/health`)).rejects.toThrow("fetch failed");
		const third = counterModule(100);
		await third.develop();
		const { client } = third.start();
		expect(await client.counter.getOrCreate(["a"]).add()).toEqual({ count: 100, calls: 1 });
	});

	it("starts nothing by itself once starts are held", async () => {
		vi.stubEnv("NODE_ENV", "development");
		cleanUps.push(() => vi.unstubAllEnvs());
		Registry.holdStarts();
		const registry = counterModule(1);
		await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
		const held = Reflect.get(globalThis, Symbol.for("rivetkit.development"));
		expect(held).toMatchObject({ runtime: null });
		await registry.develop();
		expect(await registry.start().client.counter.getOrCreate([]).add()).toMatchObject({ count: 1 });
	});

	it("ends what inspects the old code, so that it comes again and sees the new one", async () => {
		const { url, connection } = await connected();
		const stream = `${url}/gateway/${connection.actorId}/inspector/stream`;
		const { body } = await fetch(stream);
		const ended = (async () => {
			for await (const _chunk of body!);
		})();
		await counterModule(10).develop();
		await ended;
		const again = await fetch(stream);
		expect(again.status).toBe(200);
		await again.body!.cancel();
	});

	it("keeps the settings of the engine, and says which count only from the next start", async () => {
		await connected();
		const lines: string[] = [];
		configureBaseLogger(pino({ level: "warn" }, { write: (line: string) => lines.push(line) }));
		await counterModule(2).develop();
		expect(lines).toEqual([]);
		await counterModule(10, 6_421).develop();
		expect(lines.join()).toMatch(/"settings":\["managerPort"\].*count from the next start/);
	});
});

describe("registry.nodeListeners()", () => {
	it("serves calls and sockets below the base path of somebody else's server", async () => {
		const registry = counterModule(1);
		const { onRequest, onUpgrade } = await registry.nodeListeners({ basePath: "/actors" });
		const server = createServer((request, response) => {
			if (request.url?.startsWith("/actors")) onRequest(request, response);
			else response.end("the application");
		}).on("upgrade", onUpgrade);
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		cleanUps.push(() => server.close());
		const { port } = server.address() as AddressInfo;
		const origin = `http://127.0.0.1:${port}`;
		await registry.listen();
		const metadata = (await (await fetch(`${origin}/actors/metadata`)).json()) as object;
		expect(metadata).not.toHaveProperty("clientEndpoint");
		const client = createClient<typeof registry>(`${origin}/actors`);
		cleanUps.push(() => client.dispose());
		expect(await client.counter.getOrCreate(["x"]).connect().add()).toEqual({ count: 1, calls: 1 });
		expect(await (await fetch(`${origin}/else`)).text()).toBe("the application");
	});
});
