// Nodes in one process, on one real PostgreSQL: what they tell each other, and what is told of them.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { emptiedDatabase, sql } from "../../../../tests/support/postgres.ts";
import { PostgresProxy } from "../store/postgres/postgres-proxy.ts";
import { type NodeSettings, type NodeUnderTest, startNode } from "./support/node.ts";

/** Longer than any test: what is noticed was told. */
const NEVER_MS = 600_000;

async function started(settings: NodeSettings): Promise<NodeUnderTest> {
	const node = await startNode(settings);
	onTestFinished(() => node[Symbol.asyncDispose]());
	return node;
}

const metric = (node: NodeUnderTest, name: string, labels: Record<string, string> = {}) =>
	node.node
		.metrics()
		.find((one) => one.name === `rivetkit_${name}`)!
		.values.find(([own]) =>
			Object.entries(labels).every(([key, value]) => own[key] === value),
		)?.[1];

const linked = (...nodes: NodeUnderTest[]) =>
	expect
		.poll(() => nodes.map((node) => metric(node, "cluster_links", { state: "open" })))
		.toEqual(nodes.map(() => nodes.length - 1));

it("who comes and who goes is known at once, not with the next renewal", async () => {
	const url = await emptiedDatabase();
	const one = await started({ url, leaseMs: NEVER_MS });
	const two = await startNode({ url, leaseMs: NEVER_MS });
	await linked(one, two);
	const actorId = await two.create("a");
	expect(await one.get(actorId)).toBe(await two.get(actorId));
	await two[Symbol.asyncDispose]();
	await expect.poll(() => metric(one, "cluster_nodes", { state: "serving" })).toBe(1);
	// Its actors are free, and run on.
	expect(await one.get(actorId)).toMatch(/^200 node-\d+ GET/);
});

it("without notifications the same is noticed a little later", async () => {
	const proxy = await PostgresProxy.start(await emptiedDatabase());
	onTestFinished(() => proxy[Symbol.asyncDispose]());
	proxy.dropsNotifications = true;
	const one = await started({ url: proxy.url, leaseMs: 3_000 });
	const two = await startNode({ url: proxy.url, leaseMs: 3_000 });
	await linked(one, two);
	const actorId = await two.create("a");
	await two[Symbol.asyncDispose]();
	await expect.poll(() => metric(one, "cluster_nodes", { state: "serving" })).toBe(1);
	expect(await one.get(actorId)).toMatch(/^200 /);
	expect(proxy.droppedCount).toBeGreaterThan(0);
});

it("metrics tell of nodes, links, what was forwarded and what was taken over", async () => {
	const url = await emptiedDatabase();
	const proxy = await PostgresProxy.start(url);
	const one = await started({ url, leaseMs: 3_000 });
	const two = await started({ url: proxy.url, leaseMs: 3_000 });
	await linked(one, two);
	const actorId = await two.create("a");
	await one.get(actorId);
	await one.get(actorId);
	expect(metric(one, "cluster_calls_total", { call: "ready", outcome: "ok" })).toBe(1);
	expect(metric(one, "cluster_calls_total", { call: "request", outcome: "ok" })).toBe(2);
	expect(metric(two, "cluster_actors_owned")).toBe(1);
	expect(metric(one, "cluster_take_overs_total")).toBe(0);
	expect(metric(one, "cluster_lease_held")).toBe(1);
	expect(metric(one, "cluster_lease_left_seconds")).toBeGreaterThan(0);
	for (const kind of ["write", "read", "lease"]) {
		expect(metric(two, "store_round_trips_total", { kind })).toBeGreaterThan(0);
		expect(metric(two, "store_round_trip_seconds_total", { kind })).toBeGreaterThan(0);
	}
	// It is cut off: its lease ends.
	await proxy[Symbol.asyncDispose]();
	await expect.poll(() => one.get(actorId)).toBe(`200 ${one.name} GET /request/x`);
	expect(metric(one, "cluster_take_overs_total")).toBe(1);
	expect(metric(one, "cluster_links_lost_total")).toBe(1);
	expect(metric(two, "cluster_leases_lost_total")).toBe(1);
	expect(metric(two, "cluster_lease_held")).toBe(0);
});

it("a node is ready while it holds its lease and reaches PostgreSQL, and not while it is drained", async () => {
	const proxy = await PostgresProxy.start(await emptiedDatabase());
	const node = await started({ url: proxy.url, leaseMs: 4_000 });
	const ready = async () => {
		const response = await fetch(`${node.url}/ready`);
		return { status: response.status, ...((await response.json()) as object) };
	};
	expect(await ready()).toEqual({
		status: "ready",
		runtime: "rivetkit",
		version: "0.0.0-test",
	});
	expect((await fetch(`${node.url}/ready`)).status).toBe(200);
	await proxy[Symbol.asyncDispose]();
	await expect.poll(async () => (await fetch(`${node.url}/ready`)).status).toBe(503);
	const { reason } = (await (await fetch(`${node.url}/ready`)).json()) as { reason: string };
	expect(reason).toMatch(/PostgreSQL cannot be reached|does not hold its lease/);
	expect((await fetch(`${node.url}/health`)).status).toBe(200);
});

it("a node believes in its lease for less long than the database does", async () => {
	const url = await emptiedDatabase();
	const node = await started({ url, leaseMs: 5_000 });
	for (let look = 0; look < 5; look++) {
		const believedUntilMs = performance.now() + 1_000 * metric(node, "cluster_lease_left_seconds")!;
		// What is read after it may have been renewed meanwhile, and is no shorter for it.
		const askedMs = performance.now();
		const [row] = await sql<{ left: number }>(
			url,
			"SELECT extract(epoch FROM lease_until - clock_timestamp())::float8 * 1000 AS left FROM rivetkit.nodes",
		);
		expect(believedUntilMs).toBeLessThan(askedMs + row!.left);
	}
});

it("a node whose port is taken says so, and leaves no session open", async () => {
	const url = await emptiedDatabase();
	const taken = createServer();
	taken.listen(0, "127.0.0.1");
	await once(taken, "listening");
	onTestFinished(() => void taken.close());
	const { port } = taken.address() as AddressInfo;
	await expect(startNode({ url, node: { port, name: "late" } })).rejects.toMatchObject({
		code: "EADDRINUSE",
	});
	const sessions = () =>
		sql(url, "SELECT FROM pg_stat_activity WHERE application_name LIKE 'rivetkit late%'");
	await expect.poll(sessions).toEqual([]);
});
