import { expect, it } from "vitest";
import { type CommitBatch, StoreError } from "../../src/store/store.ts";
import { Gate } from "../helpers/gate.ts";
import { until } from "../helpers/until.ts";
import { RUNS, type RunnerAtHand, replacing, runnersHost } from "./runners-host.fixture.ts";

/** Alarms that runners have set, while the store fails. */

/** A running actor over a store that refuses alarms for as long as it is full. */
async function running() {
	const disk = {
		isFull: true,
		refused: 0,
		/** What is committed, the record apart. */
		order: [] as string[],
		/** Alarms wait for it. */
		slow: Promise.resolve(),
	};
	const t = runnersHost({}, (store) => {
		const commit = async (batch: CommitBatch) => {
			const what = batch.alarmTs === undefined ? "entries" : "alarm";
			if (what === "alarm") await disk.slow;
			if (batch.record === undefined) disk.order.push(what);
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

const KEYS = [Uint8Array.of(1)];
const puts = (runner: RunnerAtHand) =>
	runner.says({
		tag: "ToServerKvRequest",
		val: {
			actorId: "a",
			requestId: 1,
			data: { tag: "KvPutRequest", val: { keys: KEYS, values: KEYS } },
		},
	});
const REFUSED = {
	tag: "ToClientKvResponse",
	val: {
		data: { tag: "KvErrorResponse", val: { message: expect.stringMatching(/^kv\.not_owner/) } },
	},
};

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

it("is acknowledged when it is stored: until then the engine's next process has to hear of it", async () => {
	const t = await running();
	const acknowledged = () => t.runner.sent.filter(({ tag }) => tag === "ToClientAckEvents");
	for (let index = 1; index <= 250; index++) sets(t.runner, index, index);
	await until(() => expect(t.disk.refused).toBe(1));
	await t.clock.armed(100);
	expect(acknowledged()).toEqual([]);
	t.disk.isFull = false;
	t.clock.advance(100);
	const last = { actorId: "a", generation: 0, index: 250 };
	await until(() =>
		expect(acknowledged()).toEqual([
			{ tag: "ToClientAckEvents", val: { lastEventCheckpoints: [last] } },
		]),
	);
	expect(await alarmOf(t)).toBe(250);
});

it("what the runner writes after it waits for it", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	puts(t.runner);
	await t.clock.armed(100);
	await new Promise((resolve) => setImmediate(resolve));
	expect(await t.store.get("a", KEYS)).toEqual([null]);
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

it("is stored before what the runner writes after it, though nothing fails", async () => {
	const t = await running();
	t.disk.isFull = false;
	const slow = new Gate();
	t.disk.slow = slow.opened;
	sets(t.runner, 1, 1_000);
	puts(t.runner);
	await new Promise((turn) => setImmediate(turn));
	expect(t.disk.order).toEqual([]);
	slow.open();
	await until(() => expect(t.runner.sent.at(-1)).toMatchObject({ tag: "ToClientKvResponse" }));
	expect(t.disk.order).toEqual(["alarm", "entries"]);
	// Without an alarm, nothing is waited for.
	puts(t.runner);
	await until(() => expect(t.disk.order).toEqual(["alarm", "entries", "entries"]));
});

it("does not keep what the runner writes for ever, however often it is set", async () => {
	const t = await running();
	t.disk.isFull = false;
	const slow = [1, 2, 3].map(() => new Gate());
	t.disk.slow = slow[0]!.opened;
	sets(t.runner, 1, 1_000);
	puts(t.runner);
	await new Promise((turn) => setImmediate(turn));
	for (const index of [1, 2]) {
		sets(t.runner, 1 + index, 1_000 + index);
		t.disk.slow = slow[index]!.opened;
		slow[index - 1]!.open();
		await until(() => expect(t.alarms).toHaveLength(index));
	}
	await until(() => expect(t.disk.order).toEqual(["alarm", "alarm", "entries"]));
	slow[2]!.open();
	await until(() => expect(t.alarms).toEqual([1_000, 1_001, 1_002]));
});

it("is stored though the node has lost the actor; what was to be written after it is refused at once", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	puts(t.runner);
	await t.clock.armed(100);
	t.host.abandon();
	expect(t.ended).toEqual(["a"]);
	await until(() => expect(t.runner.sent.at(-1)).toMatchObject(REFUSED));
	t.clock.advance(100);
	await until(() => expect(t.disk.refused).toBe(2));
	await t.clock.armed(200);
	t.disk.isFull = false;
	t.clock.advance(200);
	await until(() => expect(t.alarms).toEqual([1_000]));
	expect(await alarmOf(t)).toBe(1_000);
	expect(await t.store.get("a", KEYS)).toEqual([null]);
});

it("is left to the next incarnation once there is one", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	await t.clock.armed(100);
	t.host.abandon();
	await t.acquired("a");
	t.disk.isFull = false;
	const before = t.clock.pendingCount;
	t.clock.advance(100);
	await t.store.sync();
	await new Promise((resolve) => setImmediate(resolve));
	expect(await alarmOf(t)).toBeNull();
	expect(t.alarms).toEqual([]);
	expect(t.clock.pendingCount).toBeLessThan(before);
});

it("is given up in words, with the next try, when the engine stops", async () => {
	const t = await running();
	sets(t.runner, 1, 1_000);
	await until(() => expect(t.disk.refused).toBe(1));
	await t.clock.armed(100);
	t.host.close();
	t.clock.advance(100);
	const gaveUp =
		"an actor's alarm was not stored before the engine stopped: it does not wake the actor";
	await until(() => expect(t.logged).toContain(gaveUp));
	expect(t.disk.refused).toBe(2);
	expect(t.fields.at(-1)).toMatchObject({ actorId: "a", alarmTs: 1_000 });
});
