// Runners of engines that share a PostgreSQL: each is connected to one node, and its actors can be reached by all.
import { expect, it, onTestFinished } from "vitest";
import { Relay } from "../../../../scripts/cluster/relay.ts";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { until } from "../helpers/until.ts";
import { ScriptedHost } from "../serverless/scripted-host.ts";
import { PostgresProxy } from "../store/postgres/postgres-proxy.ts";
import {
	actorAt,
	called,
	connect,
	createIn,
	type RunnerNode,
	startNode,
	startsOf,
} from "./support/runner-node.ts";

it("an actor made and called through a node without runners runs on one of another node", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const runner = await connect(one);
	const actorId = await two.create("a");
	expect(startsOf(runner)).toEqual([0]);
	expect(await called(two, runner, actorId)).toBe(200);
	expect(await called(one, runner, actorId)).toBe(200);
});

it("a call that came before the runner is answered when one connects to another node", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const creating = two.create("early");
	const runner = await connect(one);
	await creating;
	expect(startsOf(runner)).toHaveLength(1);
});

it("a runner that comes to another node has its actors there at once, and none where it was", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const before = await connect(one);
	const actorId = await one.create("a");
	// Its connection to the first is still open, as far as that one knows.
	const after = await connect(two);
	expect(after.init!.runnerId).not.toBe(before.init!.runnerId);
	expect(await before.closed).toEqual({ code: 1000, reason: "ws.eviction" });
	expect(await called(one, after, actorId)).toBe(200);
	expect(startsOf(after)[0]).toBeGreaterThan(startsOf(before)[0]!);
});

it("the first runner of a newer version sends older ones away on every node, where the pool says so", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	await drainOnUpgrade(one, "default");
	const older = await connect(one, { key: "older", codeVersion: 1, stopsAtOnce: true });
	const actorId = await one.create("a");
	expect(startsOf(older)).toHaveLength(1);
	const newer = await connect(two, { key: "newer", codeVersion: 2 });
	expect(await older.closed).toEqual({ code: 1000, reason: "ws.eviction" });
	expect(older.commands.map(({ inner }) => inner.tag)).toEqual([
		"CommandStartActor",
		"CommandStopActor",
	]);
	expect(await called(one, newer, actorId)).toBe(200);
	expect(startsOf(newer)[0]).toBeGreaterThan(startsOf(older)[0]!);
});

it("a node that loses its lease has its runners stop; their actors go on with those of others", async () => {
	const url = await emptiedDatabase();
	const proxy = await PostgresProxy.start(url);
	const [one, two] = [await startNode(proxy.url), await startNode(url)];
	const lost = await connect(one);
	const actorId = await one.create("a");
	expect(startsOf(lost)).toEqual([0]);
	const runner = await connect(two, { key: "another" });
	await proxy[Symbol.asyncDispose]();
	// Nobody else tells the runner, which is connected still.
	await until(() =>
		expect(lost.commands.map(({ inner }) => inner.tag)).toEqual([
			"CommandStartActor",
			"CommandStopActor",
		]),
	);
	expect(await called(two, runner, actorId)).toBe(200);
	expect(startsOf(runner)[0]).toBeGreaterThan(0);
	const row = await two.node.store.actorById(actorId);
	expect(row!.generation).toBe(startsOf(runner)[0]);
});

async function drainOnUpgrade(node: RunnerNode, pool: string): Promise<void> {
	const configured = await fetch(`${node.url}/runner-configs/${pool}?namespace=default`, {
		method: "PUT",
		headers: { "content-type": "application/json", authorization: "Bearer admin" },
		body: JSON.stringify({
			datacenters: { default: { normal: {}, drain_on_version_upgrade: true } },
		}),
	});
	expect(configured.status).toBe(200);
}

/** Has every node know what the others have. */
async function known(one: RunnerNode, two: RunnerNode, pool: string): Promise<void> {
	const name = { namespace: "default", pool };
	await until(() => {
		expect(two.node.cluster.pools.newestVersion(name)).toBeGreaterThan(-1);
		expect(one.node.cluster.pools.newestVersion(name)).toBeGreaterThan(-1);
	});
}

it("slots of any node are used: four actors made on one fill two and two (engine 7.2, 7.3)", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const a = await connect(one, { key: "a", pool: "slots", slots: 2 });
	const b = await connect(two, { key: "b", pool: "slots", slots: 2 });
	await known(one, two, "slots");
	await createIn(one, "slots", 4);
	await until(() => expect([startsOf(a).length, startsOf(b).length]).toEqual([2, 2]));
});

it("an actor that waits on one node goes to another one where a slot gets free", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const a = await connect(one, { key: "a", pool: "slots", slots: 1 });
	await createIn(one, "slots", 2);
	await until(() => expect(startsOf(a)).toHaveLength(1));
	const b = await connect(two, { key: "b", pool: "slots", slots: 1 });
	await until(() => expect(startsOf(b)).toHaveLength(1));
	expect(startsOf(a)).toHaveLength(1);
});

it("an actor that waits goes to another node also when nobody waits for it any more", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url, { routeTimeoutMs: 300 }), await startNode(url)];
	const full = await connect(one, { key: "full", pool: "alone", slots: 1 });
	await createIn(one, "alone", 1, "destroy");
	await until(() => expect(startsOf(full)).toHaveLength(1));
	const [actorId] = await createIn(one, "alone", 1);
	// This caller comes after what the creation has begun, and gives up after it.
	const late = await fetch(`${one.url}/gateway/${actorId}/request/x`);
	expect(late.status).toBeGreaterThanOrEqual(500);
	const free = await connect(two, { key: "free", pool: "alone", slots: 1 });
	await until(() => expect(startsOf(free)).toHaveLength(1));
});

it("an actor that waits for a newer runner elsewhere looks again when the link to it is lost", async () => {
	const url = await emptiedDatabase();
	const relay = await Relay.start();
	onTestFinished(() => relay.close());
	relay.targetPort = await freePort();
	const at = { port: relay.targetPort, address: `127.0.0.1:${relay.port}` };
	const [one, two] = [await startNode(url, { at }), await startNode(url)];
	const { cluster } = one.node;
	// It hears of the newer runner when that is full: what tells of its free slot may come late.
	const hear = cluster.called.bind(cluster);
	cluster.called = (link, call, signal) =>
		call.do === "rooms" && call.rooms.some(({ free }) => free > 0)
			? Promise.resolve(null)
			: hear(link, call, signal);
	const older = await connect(one, { key: "older", pool: "cut", codeVersion: 1, slots: 1 });
	const [first] = await createIn(one, "cut", 1, "destroy");
	await until(() => expect(startsOf(older)).toHaveLength(1));
	const [waits] = await createIn(one, "cut", 1);
	const isWaiting = { pending_allocation_ts: expect.any(Number) };
	await until(async () => expect(await actorAt(one, waits!)).toMatchObject(isWaiting));
	const newer = await connect(two, { key: "newer", pool: "cut", codeVersion: 2, slots: 1 });
	await createIn(two, "cut", 1, "sleep");
	await until(() => expect(startsOf(newer)).toHaveLength(1));
	const name = { namespace: "default", pool: "cut" };
	await until(() => expect(cluster.pools.newestVersion(name)).toBe(2));
	// From now on the older one is given nothing, though it has room.
	older.state(first!, 0, "Ok");
	await until(async () => expect((await actorAt(one, first!)).destroy_ts).not.toBeNull());
	expect(await actorAt(one, waits!)).toMatchObject(isWaiting);
	expect(startsOf(older)).toHaveLength(1);
	relay.cut();
	await until(() => expect(startsOf(older)).toHaveLength(2));
});

it("a node tells again and again that it has no room, too", async () => {
	const url = await emptiedDatabase();
	const one = await startNode(url);
	const { cluster } = one.node;
	let told = 0;
	const hear = cluster.called.bind(cluster);
	cluster.called = (link, call, signal) => {
		if (call.do === "rooms") told += call.rooms.length === 0 ? 1 : 0;
		return hear(link, call, signal);
	};
	await startNode(url);
	await until(() => expect(told).toBeGreaterThan(2));
});

it("the newest version comes first, on whatever node its runners are (engine 7.2)", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const older = await connect(one, { key: "older", pool: "versions", codeVersion: 1 });
	const newer = await connect(two, { key: "newer", pool: "versions", codeVersion: 2 });
	await known(one, two, "versions");
	await createIn(one, "versions", 6);
	await until(() => expect(startsOf(newer)).toHaveLength(6));
	expect(startsOf(older)).toEqual([]);
});

/** Has nodes know that runners of a pool are ordered, from a host that brings none. */
async function orderRunners(node: RunnerNode, pool: string): Promise<ScriptedHost> {
	const host = await ScriptedHost.listen();
	onTestFinished(() => host.close());
	host.does = "ends";
	const serverless = {
		url: host.url,
		request_lifespan: 600,
		slots_per_runner: 1,
		max_runners: 10,
	};
	const answer = await fetch(`${node.url}/runner-configs/${pool}?namespace=default`, {
		method: "PUT",
		headers: { "content-type": "application/json", authorization: "Bearer admin" },
		body: JSON.stringify({ datacenters: { default: { serverless } } }),
	});
	expect(answer.status).toBe(200);
	return host;
}

/** How often a node acquires actors from now on. */
function countAcquires({ node: { store } }: RunnerNode): { count: number } {
	const acquires = { count: 0 };
	const acquire = store.acquire.bind(store);
	store.acquire = (actorId) => {
		acquires.count++;
		return acquire(actorId);
	};
	return acquires;
}

it("an actor of a serverless pool goes to the runner that another node has for it", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	await orderRunners(one, "ordered");
	const runner = await connect(two, { key: "b", pool: "ordered", slots: 1 });
	const name = { namespace: "default", pool: "ordered" };
	await until(() => expect(one.node.cluster.pools.hasRoom(name, 0)).toBe(true));
	const acquires = countAcquires(one);
	const [actorId] = await createIn(one, "ordered", 1);
	expect(await called(one, runner, actorId!)).toBe(200);
	expect(startsOf(runner)).toHaveLength(1);
	expect(acquires.count).toBe(0);
});

it("a node that is not known yet keeps no runners of another one idle, though it has told of newer ones", async () => {
	const url = await emptiedDatabase();
	const one = await startNode(url);
	const { cluster } = one.node;
	const told: unknown[] = [];
	const hear = cluster.called.bind(cluster);
	cluster.called = (link, call, signal) => {
		if (call.do === "rooms") told.push(...call.rooms);
		return hear(link, call, signal);
	};
	cluster.know = () => {};
	const older = await connect(one, { key: "older", pool: "young", codeVersion: 1 });
	const two = await startNode(url);
	await connect(two, { key: "newer", pool: "young", codeVersion: 2 });
	await until(() => expect(told).toContainEqual(expect.objectContaining({ version: 2 })));
	const [actorId] = await createIn(one, "young", 1);
	expect(await called(one, older, actorId!)).toBe(200);
});

it("a new actor that waits without end does so on whatever node it has got to (engine 6.3)", async () => {
	const url = await emptiedDatabase();
	const limits = { slotWaitMs: 300 };
	const [one, two] = [await startNode(url, limits), await startNode(url, limits)];
	await connect(one, { key: "older", pool: "wait", codeVersion: 1 });
	const full = await connect(two, { key: "full", pool: "wait", codeVersion: 2, slots: 1 });
	await known(one, two, "wait");
	await createIn(two, "wait", 1, "destroy");
	await until(() => expect(startsOf(full)).toHaveLength(1));
	const isWaiting = { pending_allocation_ts: expect.any(Number) };
	const [patient] = await createIn(one, "wait", 1);
	await until(async () => expect(await actorAt(two, patient!)).toMatchObject(isWaiting));
	// One that has come later, and waits as long as others do.
	const [other] = await createIn(one, "wait", 1, "sleep");
	await until(async () => expect(await actorAt(two, other!)).toMatchObject(isWaiting));
	await until(async () =>
		expect(await actorAt(two, other!)).toMatchObject({ pending_allocation_ts: null }),
	);
	const free = await connect(two, { key: "free", pool: "wait", codeVersion: 2, slots: 1 });
	await until(() =>
		expect(free.commands.map(({ checkpoint }) => checkpoint.actorId)).toEqual([patient]),
	);
});

it("an actor waits where it is when the others have room by what is heard and none of them takes it", async () => {
	const url = await emptiedDatabase();
	const [one] = [await startNode(url), await startNode(url)];
	const full = await connect(one, { key: "full", pool: "odd", slots: 1 });
	await createIn(one, "odd", 1, "destroy");
	await until(() => expect(startsOf(full)).toHaveLength(1));
	one.node.cluster.pools.hasRoom = () => true;
	const acquires = countAcquires(one);
	const [actorId] = await createIn(one, "odd", 1);
	await until(async () =>
		expect(await actorAt(one, actorId!)).toMatchObject({
			pending_allocation_ts: expect.any(Number),
		}),
	);
	const free = await connect(one, { key: "free", pool: "odd", slots: 1 });
	expect(await called(one, free, actorId!)).toBe(200);
	// Once when it is made, or for its first start; once when it has come back.
	expect(acquires.count).toBeLessThanOrEqual(2);
});

it("older runners stay when a newer one on another node loses its socket and comes back (engine 7.4)", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	await drainOnUpgrade(one, "up");
	const newestElsewhere = () =>
		one.node.cluster.pools.newestVersion({ namespace: "default", pool: "up" });
	const newer = await connect(two, { key: "newer", pool: "up", codeVersion: 2 });
	await until(() => expect(newestElsewhere()).toBe(2));
	// A version that is rolled back to comes after the one that is newer.
	const older = await connect(one, { key: "older", pool: "up", codeVersion: 1 });
	await newer.close();
	await until(() => expect(newestElsewhere()).toBe(-1));
	await connect(two, { key: "newer", pool: "up", codeVersion: 2 });
	await until(() => expect(newestElsewhere()).toBe(2));
	const { runners } = (await (
		await fetch(`${one.url}/runners?namespace=default&name=up`, {
			headers: { authorization: "Bearer admin" },
		})
	).json()) as { runners: { runner_id: string; drain_ts: number | null }[] };
	const drains = new Map(runners.map(({ runner_id, drain_ts }) => [runner_id, drain_ts]));
	expect(drains.get(older.init!.runnerId)).toBeNull();
});

it("every node lists the runners of all, their pools, and what becomes of actors there", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const ask = async (node: RunnerNode, method: string, path: string, body?: object) => {
		const answer = await fetch(`${node.url}${path}`, {
			method,
			headers: { "content-type": "application/json", authorization: "Bearer admin" },
			...(body && { body: JSON.stringify(body) }),
		});
		expect(answer.status).toBe(200);
		return (await answer.json()) as Record<string, Record<string, unknown>[]>;
	};
	const idsOf = (list: Record<string, unknown>[]) => list.map(({ runner_id }) => runner_id);
	const first = await connect(one, { key: "1", slots: 1 });
	const second = await connect(two, { key: "2", pool: "other" });
	for (const node of [one, two]) {
		const { runners } = await ask(node, "GET", "/runners?namespace=default");
		expect(idsOf(runners!)).toEqual([second.init!.runnerId, first.init!.runnerId]);
		const page = await ask(node, "GET", "/runners?namespace=default&limit=1");
		expect(idsOf(page.runners!)).toEqual([second.init!.runnerId]);
		const { cursor } = page.pagination as unknown as { cursor: string };
		const next = await ask(node, "GET", `/runners?namespace=default&cursor=${cursor}`);
		expect(idsOf(next.runners!)).toEqual([first.init!.runnerId]);
		const { names } = await ask(node, "GET", "/runners/names?namespace=default");
		expect(names).toEqual(["default", "other"]);
	}
	await one.create("has the slot");
	const wanted = { name: "any", key: "waits", runner_name_selector: "default" };
	const { actor } = await ask(two, "PUT", "/actors?namespace=default", {
		...wanted,
		crash_policy: "restart",
	});
	const { actor_id } = actor as unknown as { actor_id: string };
	for (const node of [one, two]) {
		await until(async () => {
			const { actors } = await ask(node, "GET", `/actors?namespace=default&actor_ids=${actor_id}`);
			expect(actors![0]).toMatchObject({
				pending_allocation_ts: expect.any(Number),
				error: "no_capacity",
			});
		});
	}
});

it("an actor that is created over HTTP at a node without runners starts on one of another node, uncalled", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const runner = await connect(one);
	const creating = () =>
		fetch(`${two.url}/actors?namespace=default`, {
			method: "PUT",
			headers: { "content-type": "application/json", authorization: "Bearer admin" },
			body: JSON.stringify({
				name: "any",
				key: "a",
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
		});
	// The pool is known as soon as its first runner is.
	await until(async () => expect((await creating()).status).toBe(200));
	await until(() => expect(startsOf(runner)).toEqual([0]));
});

it("an actor that starts again on another node sleeps for every node when it sleeps there", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const before = await connect(one, { key: "before", pool: "moves", stopsAtOnce: true });
	const [actorId] = await createIn(one, "moves", 1);
	await until(() => expect(startsOf(before)).toHaveLength(1));
	const after = await connect(two, { key: "after", pool: "moves" });
	await known(one, two, "moves");
	before.send({ tag: "ToServerStopping", val: undefined });
	await until(() => expect(startsOf(after)).toHaveLength(1));
	const [generation] = startsOf(after);
	after.state(actorId!, generation!, "wantsSleep");
	await until(() => expect(after.commands).toHaveLength(2));
	after.state(actorId!, generation!, "Ok");
	const sleeps = { status: "sleeping", sleep_ts: expect.any(Number) };
	await until(async () => expect(await actorAt(two, actorId!)).toMatchObject(sleeps));
	expect(await actorAt(one, actorId!)).toMatchObject(sleeps);
});

it("an actor that waits, starts or runs on one node is deleted at once through another one (engine 6.7)", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const full = await connect(one, { slots: 1, runsAtOnce: false });
	const [first] = await createIn(one, "default", 1, "sleep");
	await until(() => expect(startsOf(full)).toHaveLength(1));
	const [waits] = await createIn(one, "default", 1);
	const isWaiting = { pending_allocation_ts: expect.any(Number) };
	await until(async () => expect(await actorAt(one, waits!)).toMatchObject(isWaiting));
	const deleted = async (actorId: string) => {
		const headers = { authorization: "Bearer admin" };
		const path = `/actors/${actorId}?namespace=default`;
		expect((await fetch(two.url + path, { method: "DELETE", headers })).status).toBe(200);
		expect(await actorAt(two, actorId)).toMatchObject({ status: "destroyed" });
	};
	await deleted(waits!);
	await deleted(first!);
	const [runs] = await createIn(one, "default", 1, "sleep");
	await until(() => expect(startsOf(full)).toHaveLength(2));
	full.state(runs!, startsOf(full)[1]!, "running");
	await until(async () => expect(await actorAt(one, runs!)).toMatchObject({ status: "awake" }));
	await deleted(runs!);
	// Told to stop, and not waited for.
	expect(full.commands.at(-1)).toMatchObject({ inner: { tag: "CommandStopActor" } });
});

it("why an actor did not run on one node is over for every node once it has run on another (engine 2.4)", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const before = await connect(one, { key: "before", pool: "notes", slots: 1 });
	const [actorId] = await createIn(one, "notes", 1, "sleep");
	await until(async () => expect(await actorAt(one, actorId!)).toMatchObject({ status: "awake" }));
	before.state(actorId!, 0, "Error");
	const crashed = { status: "sleeping", error: { crashed: { message: expect.any(String) } } };
	for (const node of [one, two]) {
		await until(async () => expect(await actorAt(node, actorId!)).toMatchObject(crashed));
	}
	const after = await connect(two, { key: "after", pool: "notes", codeVersion: 2 });
	await known(one, two, "notes");
	expect(await called(two, after, actorId!)).toBe(200);
	const [generation] = startsOf(after);
	const found = await fetch(`${one.url}/actors?namespace=default`, {
		method: "PUT",
		headers: { "content-type": "application/json", authorization: "Bearer admin" },
		body: JSON.stringify({
			name: "any",
			key: "notes-sleep-0",
			runner_name_selector: "notes",
			crash_policy: "sleep",
		}),
	});
	const { actor } = (await found.json()) as { actor: object };
	expect(actor).toMatchObject({ actor_id: actorId, connectable_ts: expect.any(Number) });
	expect(actor).not.toHaveProperty("error");
	after.state(actorId!, generation!, "wantsSleep");
	after.state(actorId!, generation!, "Ok");
	const sleeps = { status: "sleeping" };
	await until(async () => expect(await actorAt(two, actorId!)).toMatchObject(sleeps));
	for (const node of [one, two]) {
		expect(await actorAt(node, actorId!)).not.toHaveProperty("error");
	}
});
