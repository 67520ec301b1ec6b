import { ActorGone, type ActorRequest } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import type { RunnerSocket } from "../../src/runners/runner-record.ts";
import { Gate } from "../helpers/gate.ts";
import { until } from "../helpers/until.ts";
import { RUNS, type RunnerAtHand, replacing, runnersHost } from "./runners-host.fixture.ts";

/** Incarnations on runners that may write nothing any more. */

const START = "CommandStartActor";
const STOP = "CommandStopActor";
const put = {
	keys: [Uint8Array.of(1)],
	values: [Uint8Array.of(2)],
};

/** What the store answers a put. */
async function puts(runner: RunnerAtHand, actorId: string, requestId = 1) {
	runner.says({
		tag: "ToServerKvRequest",
		val: { actorId, requestId, data: { tag: "KvPutRequest", val: put } },
	});
	return until(() => {
		const answer = runner.sent.find(
			(message) => message.tag === "ToClientKvResponse" && message.val.requestId === requestId,
		);
		expect(answer).toBeDefined();
		return answer!.tag === "ToClientKvResponse" ? answer!.val.data : undefined;
	});
}

const REFUSED = {
	tag: "KvErrorResponse",
	val: { message: expect.stringMatching(/^kv\.not_owner: /) },
};

const STOPPED = {
	tag: "EventActorStateUpdate",
	val: { state: { tag: "ActorStateStopped", val: { code: "Ok", message: undefined } } },
} as const;

async function running(crashPolicy = "sleep", ...[limits, wrap]: Parameters<typeof runnersHost>) {
	const t = runnersHost(limits, wrap);
	const runner = t.connect();
	const assignment = await t.actor("a", crashPolicy);
	const started = t.host.start(assignment, []);
	await until(() => expect(runner.commandsFor("a")).toEqual([START]));
	runner.tells("a", 0, 0, RUNS);
	await started;
	return { ...t, runner };
}

it("a node that may run nothing any more has its runners stop, and takes no write of theirs", async () => {
	const t = await running();
	t.host.abandon();
	expect(t.runner.commandsFor("a")).toEqual([START, STOP]);
	expect(await puts(t.runner, "a")).toEqual(REFUSED);
	expect(await t.store.get("a", put.keys)).toEqual([null]);
	expect(t.ended).toEqual(["a"]);
	expect(t.runner.record.actors.size).toBe(0);
	await expect(
		t.host.request("a", { method: "GET" } as Parameters<typeof t.host.request>[1]),
	).rejects.toThrow(/a/);
	// Whoever waits for its stop waits no more.
	await t.host.stop("a", "sleep");
	expect(t.woken).toEqual([]);
});

it("a call whose body comes when its incarnation is over is for the next one", async () => {
	const t = await running();
	const body = new Gate<Uint8Array>();
	const answered = t.host.request("a", {
		method: "POST",
		path: "/x",
		headers: new Headers(),
		body: { bytes: () => body.opened },
		signal: new AbortController().signal,
	} satisfies Partial<{ [K in keyof ActorRequest]: unknown }> as unknown as ActorRequest);
	const gone = expect(answered).rejects.toBeInstanceOf(ActorGone);
	t.host.abandon();
	body.open(new Uint8Array(3));
	await gone;
	expect(t.runner.sent.filter(({ tag }) => tag === "ToClientTunnelMessage")).toEqual([]);
});

it("those that are to run always are looked for again", async () => {
	const t = await running("restart");
	t.host.abandon();
	t.clock.advance(0);
	expect(t.woken).toEqual(["a"]);
});

it("a runner that is no more is listed, and keeps nothing of what it ran", async () => {
	const t = await running();
	const { record } = t.runner;
	t.host.evict(record.runnerId);
	await until(() => expect(t.ended).toEqual(["a"]));
	expect(t.host.list("default")).toEqual([record]);
	expect([record.givenUp.size, record.commands]).toEqual([0, []]);
});

it("a runner that is away is told to stop when it is back", async () => {
	const t = await running();
	t.runner.disconnects();
	t.host.abandon();
	expect(t.runner.commandsFor("a")).toEqual([START]);
	expect(t.connect().commandsFor("a")).toEqual([STOP]);
});

it("a start that waited for a slot when the node lost its right never gets one", async () => {
	const t = runnersHost();
	const starting = t.host.start(await t.actor("a"), []);
	const refused = expect(starting).rejects.toMatchObject({ code: "service_unavailable" });
	await until(() => expect(t.host.stats.waiting).toBe(1));
	t.host.abandon();
	await refused;
	const runner = t.connect();
	expect(runner.commandsFor("a")).toEqual([]);
	expect(runner.record.freeSlots).toBe(10);
});

it("those that waited when the node lost its right take no slot of those that it gave up", async () => {
	const t = runnersHost();
	const runner = t.connect("key", 2);
	for (const actorId of ["a", "b"]) {
		const started = t.host.start(await t.actor(actorId), []);
		await until(() => expect(runner.commandsFor(actorId)).toEqual([START]));
		runner.tells(actorId, 0, 0, RUNS);
		await started;
	}
	const waiting = expect(t.host.start(await t.actor("c"), [])).rejects.toMatchObject({
		code: "service_unavailable",
	});
	expect(runner.record.freeSlots).toBe(0);
	t.host.abandon();
	await waiting;
	expect([runner.record.freeSlots, runner.commandsFor("c")]).toEqual([2, []]);
});

it("a start that had its slot, but had told its runner nothing yet, gives it back", async () => {
	const t = runnersHost();
	const runner = t.connect();
	const starting = t.host.start(await t.actor("a"), []);
	expect(runner.record.freeSlots).toBe(9);
	t.host.abandon();
	await expect(starting).rejects.toMatchObject({ code: "service_unavailable" });
	expect(runner.commandsFor("a")).toEqual([]);
	expect(runner.record.freeSlots).toBe(10);
});

it("a start that lost its right leaves the slot of the next start of its actor alone", async () => {
	const durable = new Gate();
	const t = runnersHost({}, (store) => replacing(store, { sync: () => durable.opened }));
	const runner = t.connect();
	const assignment = await t.actor("a");
	const stale = expect(t.host.start(assignment, [])).rejects.toMatchObject({
		code: "service_unavailable",
	});
	t.host.abandon();
	const next = t.host.start(await t.acquired("a"), []);
	durable.open();
	await stale;
	await until(() => expect(runner.commandsFor("a")).toEqual([START]));
	runner.tells("a", 1, 0, RUNS);
	await next;
	expect(runner.record.freeSlots).toBe(9);
	// It counts as one that the runner has.
	runner.says({ tag: "ToServerStopping", val: undefined });
	expect(runner.commandsFor("a")).toEqual([START, STOP]);
});

it("a write that a newer incarnation has fenced off is the end of the older one here", async () => {
	const t = await running();
	await t.store.acquire("a");
	expect(await puts(t.runner, "a")).toEqual(REFUSED);
	expect(t.runner.commandsFor("a")).toEqual([START, STOP]);
	expect(t.ended).toEqual(["a"]);
});

it("so is an alarm that it has fenced off", async () => {
	const t = await running();
	await t.store.acquire("a");
	t.runner.tells("a", 0, 1, { tag: "EventActorSetAlarm", val: { alarmTs: 5 } });
	await until(() => expect(t.runner.commandsFor("a")).toEqual([START, STOP]));
	expect(t.alarms).toEqual([]);
});

it("the stop of one that was given up is over when its runner says so, also while the next one runs", async () => {
	const t = await running();
	t.host.abandon();
	const next = t.host.start(await t.acquired("a"), []);
	await until(() => expect(t.runner.commandsFor("a")).toEqual([START, STOP, START]));
	// On its way since before the runner had heard of that.
	expect(await puts(t.runner, "a")).toEqual(REFUSED);
	expect(await t.store.get("a", put.keys)).toEqual([null]);
	t.runner.tells("a", 1, 0, RUNS);
	await next;
	expect(await puts(t.runner, "a", 2)).toMatchObject({ tag: "KvPutResponse" });
	expect(t.runner.record.commands).toHaveLength(1);
	t.runner.tells("a", 0, 1, STOPPED);
	expect(t.runner.record.commands).toEqual([]);
	expect(t.ended).toEqual(["a"]);
});

it("once one that was given up has stopped, the next one may write before it says that it runs (engine 4.8)", async () => {
	const t = await running();
	t.host.abandon();
	t.runner.tells("a", 0, 1, STOPPED);
	const next = t.host.start(await t.acquired("a"), []);
	await until(() => expect(t.runner.commandsFor("a")).toEqual([START, STOP, START]));
	expect(await puts(t.runner, "a")).toMatchObject({ tag: "KvPutResponse" });
	t.runner.tells("a", 1, 0, RUNS);
	await next;
});

it("a runner whose first message fails has no socket, and is itself again with the next one", async () => {
	const t = runnersHost();
	const { record, ...runner } = t.connect();
	runner.disconnects();
	const init = {
		name: "default",
		version: 1,
		totalSlots: 10,
		prepopulateActorNames: undefined,
		metadata: undefined,
	};
	const broken = new Error("cannot be encoded");
	const send = () => {
		throw broken;
	};
	const who = { namespace: "default", key: "key", processId: null };
	const socket: RunnerSocket = { version: 7, bufferedBytes: 0, send, close: () => {} };
	expect(() => t.host.connected(who, init, socket)).toThrow(broken);
	expect(t.host.stats).toMatchObject({ connected: 0, disconnected: 1, freeSlots: 0 });
	const starting = t.host.start(await t.actor("a"), []);
	await until(() => expect(t.host.stats.waiting).toBe(1));
	const back = t.connect();
	expect(back.record).toBe(record);
	await until(() => expect(back.commandsFor("a")).toEqual([START]));
	back.tells("a", 0, 0, RUNS);
	await starting;
});

it("one that had stopped before it was given up leaves nothing behind: the next one may write at once", async () => {
	const durable = new Gate();
	const t = await running("sleep", {}, (store) =>
		replacing(store, {
			commit: async (batch) => {
				if (batch.record?.sleepTs) await durable.opened;
				await store.commit(batch);
			},
		}),
	);
	t.runner.tells("a", 0, 1, STOPPED);
	t.host.abandon();
	durable.open();
	const next = t.host.start(await t.acquired("a"), []);
	await until(() => expect(t.runner.commandsFor("a")).toEqual([START, START]));
	expect(await puts(t.runner, "a")).toMatchObject({ tag: "KvPutResponse" });
	t.runner.tells("a", 1, 0, RUNS);
	await next;
});

it("one that a newer one replaces elsewhere is over: its runner has its slot back, and stops it", async () => {
	const t = await running("restart");
	const other = t.connect("other", 1_000);
	const stopping = t.host.stop("a", "sleep");
	const next = t.host.start(await t.acquired("a"), []);
	await until(() => expect(other.commandsFor("a")).toEqual([START]));
	expect(t.runner.record.freeSlots).toBe(10);
	expect(t.runner.commandsFor("a")).toEqual([START, STOP]);
	expect(await puts(t.runner, "a")).toEqual(REFUSED);
	await stopping;
	other.tells("a", 1, 0, RUNS);
	await next;
	// It is running again already.
	t.clock.advance(0);
	expect(t.woken).toEqual([]);
	// The runner that goes takes nothing of the other's with it.
	t.host.evict(t.runner.record.runnerId);
	expect(await puts(other, "a")).toMatchObject({ tag: "KvPutResponse" });
	expect(other.commandsFor("a")).toEqual([START]);
	expect(other.record.freeSlots).toBe(999);
});

it("a runner that is away when its time to start or to stop an actor is over stops it when it is back, and starts nothing", async () => {
	const t = await running("sleep", { runnerLostThresholdMs: 60_000 });
	const starting = expect(t.host.start(await t.actor("b"), [])).rejects.toThrow("was lost");
	await until(() => expect(t.runner.commandsFor("b")).toEqual([START]));
	t.runner.disconnects();
	const stopping = t.host.stop("a", "sleep");
	t.clock.advance(30_000);
	await Promise.all([starting, stopping]);
	const back = t.connect();
	expect([back.commandsFor("a"), back.commandsFor("b")]).toEqual([[STOP], [STOP]]);
	back.tells("a", 0, 1, STOPPED);
	back.tells("b", 0, 0, STOPPED);
	expect(back.record.commands).toEqual([]);
});

it("what is known of an actor that is destroyed while its runner says that it runs goes with it", async () => {
	const t = runnersHost();
	const runner = t.connect();
	const starting = expect(t.host.start(await t.actor("a"), [])).rejects.toMatchObject({
		code: "not_found",
	});
	await until(() => expect(runner.commandsFor("a")).toEqual([START]));
	const destroyed = t.host.destroy("a");
	runner.tells("a", 0, 0, RUNS);
	await Promise.all([destroyed, starting]);
	// Behind what the runner has told.
	await t.store.sync();
	expect(t.host.conditionOf("a").error).toBeNull();
	expect(runner.commandsFor("a")).toEqual([START, STOP]);
});
