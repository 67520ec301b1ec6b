// Actors with crash policy `restart` whose node is gone run again on another one, though nobody calls them (engine 6.5).
import { expect, it, onTestFinished } from "vitest";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { until } from "../helpers/until.ts";
import { PostgresProxy } from "../store/postgres/postgres-proxy.ts";
import { startNode as startEmbedded } from "./support/node.ts";
import { actorAt, called, connect, createIn, startNode, startsOf } from "./support/runner-node.ts";

const startedOn = (runner: Awaited<ReturnType<typeof connect>>) =>
	runner.commands.flatMap(({ checkpoint, inner }) =>
		inner.tag === "CommandStartActor" ? [checkpoint.actorId] : [],
	);

it("of a node that is closed: those that run, start again elsewhere; others sleep", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const before = await connect(one, { key: "one", stopsAtOnce: true });
	const again = await createIn(one, "default", 3);
	const rests = await createIn(one, "default", 1, "sleep");
	await until(() => expect(startsOf(before)).toHaveLength(4));
	const after = await connect(two, { key: "two" });
	await one.stop();
	expect(await before.closed).toEqual({ code: 1011, reason: "ws.going_away" });
	await until(() => expect(startedOn(after).sort()).toEqual(again.toSorted()));
	const row = await two.node.store.actorById(rests[0]!);
	expect(row).toMatchObject({ connectableTs: null, sleepTs: expect.any(Number) });
});

it("of a node that is closed, while another actor there takes its time to stop", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url, { actorStopThresholdMs: 60_000 }), await startNode(url)];
	const slow = await connect(one, { key: "slow", slots: 1 });
	const [takesTime] = await createIn(one, "default", 1, "sleep");
	await until(() => expect(startedOn(slow)).toEqual([takesTime]));
	const quick = await connect(one, { key: "quick", slots: 1, stopsAtOnce: true });
	const [again] = await createIn(one, "default", 1);
	await until(() => expect(startedOn(quick)).toEqual([again]));
	const after = await connect(two, { key: "two" });
	const stopping = one.stop();
	await until(() => expect(startedOn(after)).toEqual([again]));
	expect(slow.commands.map(({ inner }) => inner.tag)).toContain("CommandStopActor");
	expect((await two.node.store.actorById(takesTime!))!.connectableTs).not.toBeNull();
	slow.obey();
	await stopping;
});

it("of a node that is closed, when a runner of their pool comes to another one only then", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const before = await connect(one, { stopsAtOnce: true });
	const again = await createIn(one, "default", 2);
	await until(() => expect(startsOf(before)).toHaveLength(2));
	await one.stop();
	const after = await connect(two);
	await until(() => expect(startedOn(after).sort()).toEqual(again.toSorted()));
});

it("not before the pause is over that they have after crashes, though somebody calls", async () => {
	const url = await emptiedDatabase();
	const [one, two] = [await startNode(url), await startNode(url)];
	const before = await connect(one, { key: "one", slots: 2 });
	const [actorId] = await createIn(one, "default", 1);
	for (const generation of [0, 1]) {
		await until(() => expect(startsOf(before).at(-1)).toBe(generation));
		await until(async () =>
			expect(await actorAt(one, actorId!)).toMatchObject({ status: "awake" }),
		);
		before.state(actorId!, generation, "Error");
	}
	const isPaused = { reschedule_ts: expect.any(Number) };
	await until(async () => expect(await actorAt(one, actorId!)).toMatchObject(isPaused));
	const { reschedule_ts: dueTs } = await actorAt(one, actorId!);
	// The other node looks when it has a runner of the pool, and when the first is gone.
	const after = await connect(two, { key: "two" });
	const call = called(two, after, actorId!);
	const stopping = one.stop();
	await until(() => expect(startedOn(after)).toEqual([actorId]));
	expect(two.node.clock.now()).toBeGreaterThanOrEqual(dueTs as number);
	expect(await call).toBe(200);
	await stopping;
});

it("of a node that died, when its lease has ended", async () => {
	const url = await emptiedDatabase();
	const proxy = await PostgresProxy.start(url);
	const [one, two] = [await startNode(proxy.url), await startNode(url)];
	const lost = await connect(one, { key: "one" });
	const again = await createIn(one, "default", 2);
	await until(() => expect(startsOf(lost)).toHaveLength(2));
	const after = await connect(two, { key: "two" });
	await proxy[Symbol.asyncDispose]();
	await lost.close();
	await until(() => expect(startedOn(after).sort()).toEqual(again.toSorted()));
});

it("of a node that has lost its lease, and goes on with another one", async () => {
	const url = await emptiedDatabase();
	const one = await startNode(url, { routeTimeoutMs: 300 });
	const full = await connect(one, { slots: 1 });
	const [first] = await createIn(one, "default", 1, "sleep");
	await until(() => expect(startedOn(full)).toEqual([first]));
	const [waits] = await createIn(one, "default", 1);
	const isWaiting = { pending_allocation_ts: expect.any(Number) };
	await until(async () => expect(await actorAt(one, waits!)).toMatchObject(isWaiting));
	// Who comes after what the creation has begun gives up after it: nobody waits any more.
	expect((await fetch(`${one.url}/gateway/${waits}/request/x`)).ok).toBe(false);
	await one.node.store.query("DELETE FROM rivetkit.nodes", []);
	await until(() => expect(startedOn(full)).toEqual([first, waits]));
});

it("of a node that is closed: those that wait for room on another node keep none from starting", async () => {
	const url = await emptiedDatabase();
	// One at a time, and for longer than this test looks.
	const slow = { routeTimeoutMs: 120_000, limits: { wakesAtOnceMax: 1 } };
	const [one, two] = [await startNode(url, slow), await startNode(url)];
	const three = await startNode(url);
	await connect(three, { key: "3", pool: "full", slots: 3, stopsAtOnce: true });
	await createIn(three, "full", 3);
	await connect(three, { key: "3", pool: "free", slots: 1, stopsAtOnce: true });
	const [again] = await createIn(three, "free", 1);
	const isAwake = { status: "awake" };
	await until(async () => expect(await actorAt(three, again!)).toMatchObject(isAwake));
	// The newest version comes first, though it is full.
	await connect(one, { key: "1", pool: "full", codeVersion: 0 });
	const newest = await connect(two, { key: "2", pool: "full", codeVersion: 2, slots: 1 });
	const name = { namespace: "default", pool: "full" };
	for (const { node } of [one, three]) {
		await until(() => expect(node.cluster.pools.newestVersion(name)).toBe(2));
	}
	await createIn(two, "full", 1, "sleep");
	await until(() => expect(startsOf(newest)).toHaveLength(1));
	const free = await connect(one, { key: "1", pool: "free", slots: 1 });
	await three.stop();
	await until(() => expect(startedOn(free)).toEqual([again]));
	expect(startsOf(newest)).toHaveLength(1);
});

it("of a node that runs them itself, and is closed: all but those that sleep already, or may", async () => {
	const url = await emptiedDatabase();
	const one = await startEmbedded({ url });
	const [again, sleeps, rests] = [
		await one.create("again", "restart"),
		await one.create("sleeps", "restart"),
		await one.create("rests"),
	];
	await one.host.stop(sleeps, "sleep");
	const two = await startEmbedded({ url });
	onTestFinished(() => two[Symbol.asyncDispose]());
	await expect.poll(() => one.node.cluster.links.open).toBe(1);
	await one[Symbol.asyncDispose]();
	await until(() => expect([...two.host.live.keys()]).toEqual([again]));
	for (const actorId of [sleeps, rests]) {
		expect(await two.node.store.actorById(actorId)).toMatchObject({ sleepTs: expect.any(Number) });
	}
});
