import { expect, it, vi } from "vitest";
import { type CommitBatch, StoreError } from "../../src/store/store.ts";
import { RUNS, type RunnerAtHand, replacing, runnersHost } from "./runners-host.fixture.ts";

/** Alarms that runners have set, while the store fails. */

const until = <T>(check: () => T) => vi.waitFor(check, { timeout: 5_000, interval: 1 });

/** A running actor over a store that refuses alarms for as long as it is full. */
async function running() {
	const disk = { isFull: true, refused: 0 };
	const t = runnersHost({}, (store) => {
		const commit = (batch: CommitBatch) => {
			if (!disk.isFull || batch.alarmTs === undefined) return store.commit(batch);
			disk.refused++;
			return Promise.reject(new StoreError("full", "data", "no space left"));
		};
		return replacing(store, { commit });
	});
	const runner = t.connect();
	const started = t.host.start(await t.actor("a"), []);
	await until(() => expect(runner.commandsFor("a")).toHaveLength(1));
	runner.tells("a", 0, 0, RUNS);
	await started;
	return { ...t, runner, disk };
}

const sets = (runner: RunnerAtHand, index: number, alarmTs: number | undefined) =>
	runner.tells("a", 0, index, { tag: "EventActorSetAlarm", val: { alarmTs } });

const alarmOf = async ({ store }: Awaited<ReturnType<typeof running>>) =>
	(await store.actorById("a"))!.alarmTs;

it("is stored when the store works again, though the actor has stopped meanwhile", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	t.runner.tells("a", 0, 2, {
		tag: "EventActorIntent",
		val: { intent: { tag: "ActorIntentSleep", val: undefined } },
	});
	t.runner.tells("a", 0, 3, {
		tag: "EventActorStateUpdate",
		val: { state: { tag: "ActorStateStopped", val: { code: "Ok", message: undefined } } },
	});
	await t.clock.armed(100);
	t.clock.advance(100);
	await until(() => expect(t.disk.refused).toBe(2));
	expect(t.ended).toEqual([]);
	await t.clock.armed(200);
	t.disk.isFull = false;
	t.clock.advance(200);
	await until(() => expect(t.ended).toEqual(["a"]));
	expect(await alarmOf(t)).toBe(1_000);
	expect(t.alarms).toEqual([1_000]);
	expect(t.logged.filter((message) => message.includes("alarm could not be stored"))).toHaveLength(
		1,
	);
});

it("the last one counts, and is stored once", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	sets(t.runner, 2, 2_000);
	sets(t.runner, 3, undefined);
	sets(t.runner, 4, 3_000);
	await t.clock.armed(100);
	t.disk.isFull = false;
	t.clock.advance(100);
	await until(() => expect(t.alarms).toEqual([3_000]));
	expect(await alarmOf(t)).toBe(3_000);
});

it("what the runner writes after it waits for it", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	const keys = [Uint8Array.of(1)];
	t.runner.says({
		tag: "ToServerKvRequest",
		val: { actorId: "a", requestId: 1, data: { tag: "KvPutRequest", val: { keys, values: keys } } },
	});
	await t.clock.armed(100);
	await new Promise((resolve) => setImmediate(resolve));
	expect(await t.store.get("a", keys)).toEqual([null]);
	t.disk.isFull = false;
	t.clock.advance(100);
	await until(() =>
		expect(t.runner.sent.at(-1)).toMatchObject({
			tag: "ToClientKvResponse",
			val: { data: { tag: "KvPutResponse" } },
		}),
	);
	expect(await alarmOf(t)).toBe(1_000);
});

it("is not tried any more for an actor that the node has lost", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	await t.clock.armed(100);
	t.host.abandon();
	t.disk.isFull = false;
	t.clock.advance(10_000);
	await t.store.sync();
	expect(await alarmOf(t)).toBeNull();
});
