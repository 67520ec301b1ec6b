import { createEngine, createMemoryStore } from "@rivetkit/engine";
import {
	ActorGone,
	buildManagerRouter,
	createActorHost,
	createActorRouter,
	createClientWithDriver,
	type HostedActors,
	type ManagerDriver,
} from "rivetkit/driver-helpers";
import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { EmbeddedBackend } from "../../src/backends/embedded/embedded-backend.ts";
import { createClient } from "../../src/client/index.ts";
import { type AnyClient, actor, queue, setup } from "../../src/index.ts";
import { embeddedSubject } from "../backends/support/embedded-subject.ts";
import { type LogLine, recordingLogger } from "../support/test-runtime.ts";

const counter = actor({
	createState: (_c, input: number | undefined) => ({ count: input ?? 0 }),
	onRequest: (_c, request) => new Response(new URL(request.url).pathname),
	actions: {
		add: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		addTo: async (c, key: string, amount: number): Promise<number> =>
			c.client<typeof registry>().counter.getOrCreate([key]).add(amount),
	},
});
const sleeper = actor({ queues: { ask: queue<number>() }, actions: { nap: (c) => c.sleep() } });
const registry = setup({ use: { counter, sleeper }, managerBasePath: "/api" });
const config = registry.parseConfig();

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A host without an engine: one actor, started by hand. */
async function loneHost(lines: LogLine[] = [], name: "counter" | "sleeper" = "counter") {
	const { backend, newActor, takeOver, close } = embeddedSubject(createMemoryStore());
	cleanUps.push(close);
	const host = createActorHost(config, { backend, log: recordingLogger(lines) });
	const { actorId, ...rest } = await newActor();
	await host.start({ actorId, ...rest, name }, []);
	cleanUps.push(() => host.stop(actorId, "sleep"));
	const restart = async () => host.start({ ...(await takeOver(actorId)), name }, []);
	return { host, actorId, restart };
}

/** A host of ours below an engine of ours, put together by hand as an author of a backend does. */
function engineWithHost() {
	const store = createMemoryStore();
	const engine = createEngine({ store, version: "0.0.0-test" });
	const backend = new EmbeddedBackend(store, (actorId, alarmTs) =>
		engine.alarmCommitted(actorId, alarmTs),
	);
	const host: HostedActors = createActorHost(config, { backend, manager: engine });
	host.attach(engine.attachHost(host, { actorNames: { counter: {} } }));
	cleanUps.push(() => engine.close().then(() => store.close()));
	return { engine, host };
}

describe("createActorRouter", () => {
	it("serves the routes of one actor, with errors as responses", async () => {
		const { host, actorId } = await loneHost();
		const router = createActorRouter(host, actorId);
		const post = (path: string, body: string) =>
			router.fetch(new Request(`http://any${path}`, { method: "POST", body }));
		expect(await (await post("/action/add", '{"args":[2]}')).json()).toEqual({ output: 2 });
		expect(await (await router.fetch(new Request("http://any/health"))).text()).toBe("ok");
		expect(await (await router.fetch(new Request("http://any/request/a/b?c"))).text()).toBe("/a/b");
		const missing = await post("/action/nope", '{"args":[]}');
		expect([missing.status, await missing.json()]).toMatchObject([400, { code: "not_found" }]);
		expect((await router.fetch(new Request("http://any/nowhere"))).status).toBe(404);
	});

	it("tells a sender that waits for a queue message to ask again when the actor stops", async () => {
		const { host, actorId, restart } = await loneHost([], "sleeper");
		const router = createActorRouter(host, actorId);
		const send = (timeout: number) => {
			const headers = { "x-rivet-call-id": "call" };
			const body = JSON.stringify({ body: 1, wait: true, timeout });
			return router.fetch(new Request("http://any/queue/ask", { method: "POST", headers, body }));
		};
		const waiting = send(60_000);
		await router.fetch(
			new Request("http://any/action/nap", { method: "POST", body: '{"args":[]}' }),
		);
		const answer = await waiting;
		expect([answer.status, await answer.json()]).toMatchObject([
			503,
			{ group: "guard", code: "actor_stopped_while_waiting" },
		]);
		await expect(send(60_000)).rejects.toBeInstanceOf(ActorGone);
		await host.stop(actorId, "sleep");
		await restart();
		expect(await (await send(20)).json()).toEqual({ status: "timedOut" });
	});

	it("answers other origins as the gateway does", async () => {
		const { host, actorId } = await loneHost();
		const router = createActorRouter(host, actorId);
		const headers = { origin: "https://app.example" };
		const preflight = await router.fetch(
			new Request("http://any/action/add", { method: "OPTIONS", headers }),
		);
		expect(preflight.status).toBe(204);
		const answer = await router.fetch(new Request("http://any/health", { headers }));
		for (const response of [preflight, answer]) {
			expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
		}
	});

	it("rejects with ActorGone when the host does not run the actor, and the request can be passed on", async () => {
		const { host, actorId, restart } = await loneHost();
		await host.stop(actorId, "sleep");
		const router = createActorRouter(host, actorId);
		const request = new Request("http://any/action/add", { method: "POST", body: '{"args":[1]}' });
		await expect(router.fetch(request)).rejects.toBeInstanceOf(ActorGone);
		await restart();
		expect(await (await router.fetch(request)).json()).toEqual({ output: 1 });
	});
});

describe("createActorHost", () => {
	it("runs actors below an engine, with c.client() through it", async () => {
		const { engine, host } = engineWithHost();
		const client = createClientWithDriver<typeof registry>(engine);
		expect(await client.counter.getOrCreate(["a"], { createWithInput: 40 }).addTo("b", 2)).toBe(2);
		expect(await client.counter.get(["a"]).add(2)).toBe(42);
		expect(host.liveActorIds).toHaveLength(2);
		await client.dispose();
	});

	it("says what c.client() lacks on a host without a manager", async () => {
		const lines: LogLine[] = [];
		const { host, actorId } = await loneHost(lines);
		const body = JSON.stringify({ args: ["other", 1] });
		const request = new Request("http://any/action/addTo", { method: "POST", body });
		expect((await createActorRouter(host, actorId).fetch(request)).status).toBe(500);
		expect(String(lines.find(({ level }) => level === "error")?.fields.err)).toContain(
			"c.client() of a host that was made without a manager",
		);
	});
});

describe("a manager", () => {
	it("is anything that finds actors and carries calls; an engine is one", () => {
		const { engine } = engineWithHost();
		expectTypeOf(engine).toExtend<ManagerDriver>();
		const client = createClientWithDriver<typeof registry>(engine);
		expectTypeOf(client).toExtend<AnyClient>();
	});

	it("gets a client over connections, too, and public addresses from its author", async () => {
		const { engine } = engineWithHost();
		const publicUrl = () => "https://actors.example";
		const client = createClientWithDriver<typeof registry>(engine, { publicUrl });
		const handle = client.counter.getOrCreate(["k"]);
		const connection = handle.connect();
		expect(await connection.add(1)).toBe(1);
		await connection.dispose();
		expect(await handle.getGatewayUrl()).toBe(
			`https://actors.example/gateway/${await handle.resolve()}`,
		);
		const byDefault = createClientWithDriver<typeof registry>(engine).counter.get(["k"]);
		expect(await byDefault.getGatewayUrl()).toMatch(/^http:\/\/127\.0\.0\.1:6420\/gateway\//);
	});

	it("gets the whole local API below managerBasePath", async () => {
		const { engine } = engineWithHost();
		const { fetch } = buildManagerRouter(config, engine);
		const health = await fetch(new Request("http://any/api/health"));
		expect(await health.json()).toMatchObject({ status: "ok", runtime: "rivetkit" });
		expect((await fetch(new Request("http://any/health"))).status).toBe(404);
		const made = await fetch(
			new Request("http://any/api/actors", {
				method: "PUT",
				headers: { "content-type": "application/json" },
				body: JSON.stringify({
					name: "counter",
					key: "k",
					runner_name_selector: "default",
					crash_policy: "sleep",
				}),
			}),
		);
		expect(await made.json()).toMatchObject({ created: true, actor: { name: "counter" } });
	});
});

it("createClient and the registry's own start() agree with these types", () => {
	expectTypeOf(createClient<typeof registry>).returns.toExtend<AnyClient>();
});
