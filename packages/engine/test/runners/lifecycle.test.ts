import { describe, expect, it } from "vitest";
import { TestClock } from "../helpers/test-clock.ts";
import { until } from "../helpers/until.ts";
import { engineWithRunners, type Json, startsOn, tagsOn } from "./engine-with-runners.ts";

/** What becomes of actors on runners when they are wanted elsewhere or no more (engine 11: numbers behind the names). */

const served = engineWithRunners();
const { serve, connect, call, create, actorOf, configure, isAwake, answerNext } = served;

describe("a newer version (no. 66)", () => {
	it("sends the older runners away: their actors stop and come back on it, with what they stored", async () => {
		await serve();
		await configure({ normal: {}, drain_on_version_upgrade: true });
		const old = await connect({ key: "old", codeVersion: 1 });
		const [restarted, slept] = [await create("restart", "r"), await create("sleep", "s")];
		await isAwake(restarted);
		await isAwake(slept);
		const entry = { keys: [Uint8Array.of(1)], values: [Uint8Array.of(2)] };
		await old.kv(slept, { tag: "KvPutRequest", val: entry });
		const fresh = await connect({ key: "new", codeVersion: 2 });
		await until(() =>
			expect(tagsOn(old).filter((tag) => tag === "CommandStopActor")).toHaveLength(2),
		);
		expect(await until(async () => (await call("GET", "/runners")).body)).toMatchObject({
			runners: expect.arrayContaining([
				expect.objectContaining({ key: "old", drain_ts: expect.any(Number) }),
			]),
		});
		for (const actorId of [restarted, slept]) old.state(actorId, 0, "Ok");
		expect(await old.closed).toEqual({ code: 1000, reason: "ws.eviction" });
		await until(() =>
			expect(fresh.commands.map(({ checkpoint }) => checkpoint)).toEqual([
				{ actorId: restarted, generation: 1, index: 0 },
			]),
		);
		const answered = call("GET", `/gateway/${slept}/x`);
		await answerNext(fresh, "{}");
		expect((await answered).status).toBe(200);
		const stored = await fresh.kv(slept, { tag: "KvGetRequest", val: { keys: entry.keys } });
		expect(stored).toMatchObject({ tag: "KvGetResponse", val: { values: [expect.anything()] } });
	});

	it("leaves them alone where the pool does not say so, and when the version is known already", async () => {
		await serve();
		await configure({ normal: {} });
		const old = await connect({ key: "old", codeVersion: 1 });
		await connect({ key: "new", codeVersion: 2 });
		await configure({ normal: { drain_on_version_upgrade: true } });
		const actorId = await create();
		await isAwake(actorId);
		expect(old.commands).toEqual([]);
		const { body } = await call("GET", "/runners");
		expect((body.runners as Json[]).map(({ drain_ts }) => drain_ts)).toEqual([null, null]);
	});
});

describe("a deletion while the actor runs (no. 67)", () => {
	it("tells the runner, is a 404 and frees the key at once; late writes are refused", async () => {
		await serve({ actorStopThresholdMs: 500 });
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const put = {
			tag: "KvPutRequest",
			val: { keys: [Uint8Array.of(1)], values: [Uint8Array.of(2)] },
		} as const;
		await runner.kv(actorId, put);
		const open = call("GET", `/gateway/${actorId}/x`);
		await until(() => expect(runner.tunnel).toHaveLength(1));
		expect((await call("DELETE", `/actors/${actorId}`)).status).toBe(200);
		expect((await open).status).toBe(404);
		expect((await call("GET", `/gateway/${actorId}/x`)).status).toBe(404);
		const next = await create();
		expect(next).not.toBe(actorId);
		await isAwake(next);
		expect(tagsOn(runner)).toEqual(["CommandStartActor", "CommandStopActor", "CommandStartActor"]);
		expect(await runner.kv(actorId, put)).toMatchObject({
			tag: "KvErrorResponse",
			val: { message: expect.stringMatching(/^kv\.not_owner/) },
		});
		expect(await served.store.get(actorId, [Uint8Array.of(1)])).toEqual([null]);
		// Its end is the end of its stop command.
		runner.state(actorId, 0, "Ok");
		await runner.kv(next, put);
		await runner.close();
		const again = await connect();
		expect(again.commands).toEqual([]);
		expect((await call("GET", "/runners")).body).toMatchObject({
			runners: [{ remaining_slots: 99 }],
		});
	});

	it("of one that waits for a slot, starts, or is asleep leaves nothing behind", async () => {
		await serve();
		await configure({ normal: {} });
		const waiting = await create("restart", "waiting");
		await until(async () => expect((await actorOf(waiting)).pending_allocation_ts).not.toBeNull());
		await call("DELETE", `/actors/${waiting}`);
		const runner = await connect({ runsAtOnce: false });
		const starting = await create("sleep", "starting");
		await until(() => expect(startsOn(runner)).toEqual([0]));
		await call("DELETE", `/actors/${starting}`);
		expect(runner.commands.map(({ checkpoint }) => checkpoint.actorId)).toEqual([
			starting,
			starting,
		]);
		for (const actorId of [waiting, starting]) {
			expect(await actorOf(actorId)).toMatchObject({
				status: "destroyed",
				pending_allocation_ts: null,
			});
		}
		expect((await call("GET", "/runners")).body).toMatchObject({
			runners: [{ remaining_slots: 100 }],
		});
	});

	it("gives its slot to whoever waits longest (no. 65)", async () => {
		await serve();
		const runner = await connect({ slots: 1 });
		const [first, second] = [await create("restart", "1"), await create("restart", "2")];
		await isAwake(first);
		await until(async () => expect((await actorOf(second)).pending_allocation_ts).not.toBeNull());
		await call("DELETE", `/actors/${first}`);
		await isAwake(second);
		expect(runner.commands.at(-1)!.checkpoint.actorId).toBe(second);
	});
});

describe("times of an actor (engine 2.4)", () => {
	it("it first ran once; it sleeps and takes no calls from when it wishes to", async () => {
		const time = new TestClock();
		await serve({ pingIntervalMs: 3_600_000, actorStopThresholdMs: 3_600_000 }, time);
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const first = await actorOf(actorId);
		expect(first.start_ts).toEqual(first.connectable_ts);
		time.advance(1_000);
		const askedTs = time.now();
		runner.state(actorId, 0, "wantsSleep");
		const asleep = { connectable_ts: null, sleep_ts: askedTs, start_ts: first.start_ts };
		await until(async () =>
			expect(await actorOf(actorId)).toMatchObject({ ...asleep, status: "stopping" }),
		);
		time.advance(1_000);
		runner.state(actorId, 0, "Ok");
		await until(async () =>
			expect(await actorOf(actorId)).toMatchObject({ ...asleep, status: "sleeping" }),
		);
		const answered = call("GET", `/gateway/${actorId}/x`);
		await until(() => expect(startsOn(runner)).toEqual([0, 1]));
		await until(() => expect(runner.tunnel).toHaveLength(1));
		await answerNext(runner, "null");
		await answered;
		expect(await actorOf(actorId)).toMatchObject({
			start_ts: first.start_ts,
			connectable_ts: time.now(),
			sleep_ts: null,
		});
	});

	it("one that is destroyed takes no calls", async () => {
		await serve();
		await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		await call("DELETE", `/actors/${actorId}`);
		expect(await actorOf(actorId)).toMatchObject({ connectable_ts: null, status: "destroyed" });
	});

	it("one that nobody had room for sleeps since it was made, one that is to run again does not", async () => {
		await serve({ retryBaseMs: 60_000 });
		await configure({ normal: {} });
		const left = await actorOf(await create());
		expect(left).toMatchObject({ error: "no_capacity", sleep_ts: left.create_ts });
		const runner = await connect();
		const actorId = await create("restart", "b");
		await isAwake(actorId);
		runner.state(actorId, 0, "Error");
		await until(() => expect(startsOn(runner)).toEqual([0, 1]));
		await isAwake(actorId);
		runner.state(actorId, 1, "Error");
		await until(async () =>
			expect(await actorOf(actorId)).toMatchObject({
				reschedule_ts: expect.any(Number),
				sleep_ts: null,
				connectable_ts: null,
			}),
		);
	});
});
