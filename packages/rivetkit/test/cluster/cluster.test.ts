import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newDatabase, sql } from "../../../../tests/support/postgres.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, type TestNode } from "./support/cluster.ts";

const LEASE_MS = 4_000;

interface Ledger {
	add(id: string): Promise<number>;
	slow(id: string, ms: number): Promise<string>;
	arm(id: string, delayMs: number): Promise<void>;
	read(): Promise<{ total: number; twice: string[] }>;
	/** When alarms fired, by key: each time of each. */
	rang(): Promise<[key: string, at: string][]>;
	where(): Promise<string>;
	nap(): Promise<void>;
}

interface Connection extends Ledger {
	on(event: "tick", listener: (event: { total: number }) => void): () => void;
	onResync(listener: () => void): () => void;
	onClose(listener: () => void): () => void;
	dispose(): Promise<void>;
}

let url: string;
let cluster: TestCluster;
beforeAll(async () => {
	url = await newDatabase();
	cluster = await TestCluster.start(url, 3, { leaseMs: LEASE_MS });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

const handle = (node: TestNode, key: string) => node.client().ledger!.getOrCreate([key]);
const ledger = (node: TestNode, key: string) => handle(node, key) as unknown as Ledger;

/** Which node runs an actor, and another one. */
async function placed(key: string): Promise<{ owner: TestNode; other: TestNode }> {
	const name = await ledger(cluster.nodes[0]!, key).where();
	return {
		owner: cluster.nodes.find((node) => node.name === name)!,
		other: cluster.nodes.find((node) => node.name !== name)!,
	};
}

/** A client of a node, and the totals of the events that it got. */
async function watcher(node: TestNode, key: string) {
	const connection = handle(node, key).connect() as unknown as Connection;
	const totals: number[] = [];
	/** What its socket went through, beside events. */
	const breaks: string[] = [];
	connection.on("tick", ({ total }) => totals.push(total));
	connection.onResync(() => breaks.push("resync"));
	connection.onClose(() => breaks.push("close"));
	await connection.read();
	return { connection, totals, breaks };
}

describe("three nodes on one database", () => {
	it("take calls for any actor, which runs on one of them", async () => {
		for (const [turn, node] of [0, 1, 2, 0, 1, 2].entries()) {
			expect(await ledger(cluster.nodes[node]!, "any").add(`${turn}`)).toBe(turn + 1);
		}
		const places = await Promise.all(cluster.nodes.map((node) => ledger(node, "any").where()));
		expect(new Set(places).size).toBe(1);
	});

	it("a call that ran on a node that is killed is taken up by the next, once", async () => {
		await ledger(cluster.nodes[0]!, "killed").add("first");
		const { owner, other } = await placed("killed");
		const waiting = ledger(other, "killed").slow("second", 500);
		await eventually(async () => {
			const [row] = await sql<{ owner: string | null }>(
				url,
				"SELECT owner FROM rivetkit.actors WHERE key LIKE '%killed%'",
			);
			expect(row!.owner).not.toBeNull();
		});
		await owner.end("SIGKILL");
		expect(await waiting).not.toBe(owner.name);
		expect(await ledger(other, "killed").read()).toEqual({ total: 2, twice: [] });
		await owner.start();
		expect(await ledger(owner, "killed").add("third")).toBe(3);
	});

	it("a hibernating socket outlives the node that runs its actor, and hears of what follows", async () => {
		await ledger(cluster.nodes[0]!, "watched").add("1");
		const { owner, other } = await placed("watched");
		const watched = await watcher(other, "watched");
		await watched.connection.add("2");
		await eventually(() => expect(watched.totals).toEqual([2]));
		await owner.end("SIGKILL");
		expect(await watched.connection.add("3")).toBe(3);
		await eventually(() => expect(watched.totals.at(-1)).toBe(3));
		expect(await ledger(other, "watched").read()).toEqual({ total: 3, twice: [] });
		// It may have missed something, and is told; but it is the same socket.
		expect(watched.breaks).not.toContain("close");
		await watched.connection.dispose();
		await owner.start();
	});

	it("a node that was stopped for longer than its lease notices, and writes nothing", async () => {
		await ledger(cluster.nodes[0]!, "stopped").add("1");
		const { owner, other } = await placed("stopped");
		owner.signal("SIGSTOP");
		try {
			expect(await ledger(other, "stopped").add("2")).toBe(2);
		} finally {
			owner.signal("SIGCONT");
		}
		expect(await ledger(owner, "stopped").add("3")).toBe(3);
		expect(await ledger(owner, "stopped").read()).toEqual({ total: 3, twice: [] });
		await eventually(() => expect(owner.output).toContain("lost its lease"));
	});

	it("a node that is drained hands its actors over, and no event is lost", async () => {
		await ledger(cluster.nodes[0]!, "drained").add("0");
		const { owner, other } = await placed("drained");
		const watched = await watcher(other, "drained");
		let isOver = false;
		const calls = (async () => {
			for (let n = 1; !isOver; n++) await watched.connection.add(`${n}`);
		})();
		await eventually(() => expect(watched.totals.length).toBeGreaterThan(20));
		await owner.end("SIGTERM");
		const atEnd = watched.totals.length;
		await eventually(() => expect(watched.totals.length).toBeGreaterThan(atEnd + 20));
		isOver = true;
		await calls;
		const { total, twice } = await ledger(other, "drained").read();
		await eventually(() => expect(watched.totals.at(-1)).toBe(total));
		expect(twice).toEqual([]);
		expect(watched.totals).toEqual(Array.from({ length: total - 1 }, (_, index) => index + 2));
		expect(watched.breaks).toEqual([]);
		await watched.connection.dispose();
		await owner.start();
	});

	it("alarms of sleeping actors fire once, whoever wakes them", async () => {
		const keys = Array.from({ length: 30 }, (_, index) => `alarm ${index}`);
		await Promise.all(
			keys.map(async (key, index) => {
				const actor = ledger(cluster.nodes[index % 3]!, key);
				await actor.arm("ring", 1_500);
				await actor.nap();
			}),
		);
		const rang = (key: string) => ledger(cluster.nodes[0]!, key).rang();
		await Promise.all(
			keys.map((key) => eventually(async () => expect(await rang(key)).toHaveLength(1))),
		);
		for (const key of keys) {
			expect(await rang(key)).toEqual([["alarm:ring", expect.stringMatching(/^\d+$/)]]);
		}
	});

	it("share what is asked of one of them", async () => {
		// What the tests before have woken is asleep, and every node knows.
		await eventually(async () => {
			const [row] = await sql<{ awake: number }>(
				url,
				"SELECT coalesce(max(actors), 0) + " +
					"(SELECT count(*) FROM rivetkit.actors JOIN rivetkit.nodes ON owner = epoch)::int AS awake FROM rivetkit.nodes",
			);
			expect(row!.awake).toBe(0);
		});
		const keys = Array.from({ length: 60 }, (_, index) => `share ${index}`);
		const places = await Promise.all(keys.map((key) => ledger(cluster.nodes[0]!, key).where()));
		for (const { name } of cluster.nodes) {
			expect(places.filter((place) => place === name).length).toBeGreaterThan(10);
		}
	});
});
