// Alarms of actors that nobody runs, where several nodes look for them.
import { expect, it, onTestFinished } from "vitest";
import { emptiedDatabase } from "../../../../tests/support/postgres.ts";
import { newActor } from "../store/fixtures.ts";
import { PostgresProxy } from "../store/postgres/postgres-proxy.ts";
import { type NodeUnderTest, startNode } from "./support/node.ts";

const ACTORS = 1_000;
/** Between the two alarms of an actor. */
const APART_MS = 300;

/** Notes each alarm that an actor is woken for, sets the next one if there is any, and sleeps again. */
function dealsWith(node: NodeUnderTest, fired: Map<string, number[]>): void {
	const { host } = node;
	const start = host.start.bind(host);
	host.start = async (assignment, sockets) => {
		const { actorId, generation, alarmTs } = assignment;
		const known = fired.get(actorId) ?? [];
		fired.set(actorId, [...known, alarmTs ?? Number.NaN]);
		const next = known.length === 0 && alarmTs !== null ? alarmTs + APART_MS : null;
		await host.store.commit({ actorId, generation, ops: [], alarmTs: next });
		await start(assignment, sockets);
		// Placement hears first that it has started.
		setImmediate(() => void host.stop(actorId, "sleep"));
	};
}

it("two alarms on each of 1,000 sleeping actors fire once each with three nodes running (no. 63)", async () => {
	const url = await emptiedDatabase();
	const fired = new Map<string, number[]>();
	const nodes = await Promise.all(
		Array.from({ length: 3 }, async () => {
			const node = await startNode({ url, leaseMs: 20_000 });
			onTestFinished(() => node[Symbol.asyncDispose]());
			dealsWith(node, fired);
			return node;
		}),
	);
	const { store } = nodes[0]!.node;
	const first = new Map<string, number>();
	await Promise.all(
		Array.from({ length: ACTORS }, async (_, index) => {
			const { actor } = await store.insertActor(newActor(), { acquire: true });
			const alarmTs = Date.now() + 500 + (index % 10) * 20;
			first.set(actor.actorId, alarmTs);
			const record = { initialised: true, sleepTs: Date.now() } as const;
			await store.commit({ actorId: actor.actorId, generation: 0, ops: [], record, alarmTs });
		}),
	);
	const count = () => [...fired.values()].reduce((sum, { length }) => sum + length, 0);
	await expect.poll(count).toBe(2 * ACTORS);
	await expect.poll(() => store.dueAlarms(Number.MAX_SAFE_INTEGER, 1)).toEqual([]);
	expect(fired).toEqual(
		new Map([...first].map(([actorId, alarmTs]) => [actorId, [alarmTs, alarmTs + APART_MS]])),
	);
	for (const { host } of nodes) expect(host.starts.length).toBeGreaterThan(0);
});

it("an alarm fires, and its next one, though the answer was lost to the claim that took its actor", async () => {
	const proxy = await PostgresProxy.start(await emptiedDatabase());
	onTestFinished(() => proxy[Symbol.asyncDispose]());
	const node = await startNode({ url: proxy.url, leaseMs: 20_000 });
	onTestFinished(() => node[Symbol.asyncDispose]());
	const fired = new Map<string, number[]>();
	dealsWith(node, fired);
	const { store } = node.node;
	const { actorId } = (await store.insertActor(newActor(), { acquire: true })).actor;
	const cut = proxy.cutNextAnswer("UPDATE 1");
	const alarmTs = Date.now() + 100;
	const record = { initialised: true, sleepTs: Date.now() } as const;
	await store.commit({ actorId, generation: 0, ops: [], record, alarmTs });
	await cut;
	expect(fired.get(actorId)).toBeUndefined();
	await expect.poll(() => fired.get(actorId)).toEqual([alarmTs, alarmTs + APART_MS]);
});
