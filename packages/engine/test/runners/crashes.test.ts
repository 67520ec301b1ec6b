import { newActorId, systemRandom } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { DEFAULT_LIMITS } from "../../src/common/limits.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { until } from "../helpers/until.ts";
import { engineWithRunners, startsOn, tagsOn } from "./engine-with-runners.ts";
import { replacing } from "./runners-host.fixture.ts";

/** Actors that crash, or whose runner or engine does not answer any more (engine 11: numbers behind the names). */

const served = engineWithRunners();
const { serve, connect, call, create, actorOf, isAwake, answerNext } = served;

describe("pauses after crashes (no. 60)", () => {
	it("0, then 2, 4, 8, 16 s; none again after ten quiet minutes, and after a clean stop", async () => {
		const hour = 3_600_000;
		const time = new TestClock();
		const far = {
			runnerEligibleThresholdMs: hour,
			runnerLostThresholdMs: hour,
			pingIntervalMs: hour,
		};
		await serve({ ...far, actorStartThresholdMs: hour, actorStopThresholdMs: hour }, time);
		const runner = await connect();
		const actorId = await create("restart");
		await until(() => expect(startsOn(runner)).toEqual([0]));
		let generation = 0;
		const crashesAndIsBackAfter = async (pauseMs: number) => {
			await isAwake(actorId);
			runner.state(actorId, generation, "Error");
			if (pauseMs > 0) {
				const dueTs = time.now() + pauseMs;
				await until(async () => {
					expect(await actorOf(actorId)).toMatchObject({
						reschedule_ts: dueTs,
						error: { crashed: { message: expect.any(String) } },
					});
				});
				time.advance(pauseMs - 1);
				expect(startsOn(runner).at(-1)).toBe(generation);
				time.advance(1);
			}
			generation++;
			await until(() => {
				// A pause of nothing is a timer, too.
				time.advance(0);
				expect(startsOn(runner).at(-1)).toBe(generation);
			});
			await isAwake(actorId);
			expect(await actorOf(actorId)).toMatchObject({ reschedule_ts: null });
			expect(await actorOf(actorId)).not.toHaveProperty("error");
		};
		for (const pauseMs of [0, 2_250, 4_250, 8_250, 16_250]) await crashesAndIsBackAfter(pauseMs);
		time.advance(600_001);
		await crashesAndIsBackAfter(0);
		await crashesAndIsBackAfter(2_250);
		runner.state(actorId, generation, "wantsSleep");
		runner.state(actorId, generation, "Ok");
		await until(async () => expect((await actorOf(actorId)).status).toBe("sleeping"));
		const answered = call("GET", `/gateway/${actorId}/x`);
		await answerNext(runner, "{}");
		await answered;
		generation++;
		await crashesAndIsBackAfter(0);
	});

	it("holds also where its actor crashes as soon as it runs, and for whoever calls it meanwhile (engine 6.1)", async () => {
		const hour = 3_600_000;
		const time = new TestClock();
		await serve(
			{ pingIntervalMs: hour, runnerEligibleThresholdMs: hour, runnerLostThresholdMs: hour },
			time,
		);
		const runner = await connect({ runsAtOnce: false });
		const actorId = await create("restart");
		await until(() => expect(startsOn(runner)).toEqual([0]));
		const called = call("GET", `/gateway/${actorId}/x`);
		const crashes = (generation: number) => {
			const state = (index: number, tag: "running" | "Error") =>
				runner.event(actorId, generation, index, tag);
			state(0, "running");
			state(1, "Error");
		};
		crashes(0);
		// The first one has no pause.
		await until(() => {
			time.advance(0);
			expect(startsOn(runner)).toEqual([0, 1]);
		});
		crashes(1);
		const dueTs = time.now() + 2_250;
		await until(async () => expect(await actorOf(actorId)).toMatchObject({ reschedule_ts: dueTs }));
		const late = call("GET", `/gateway/${actorId}/x`);
		time.advance(2_249);
		// Whatever wanted to start it meanwhile has had its turn.
		await actorOf(actorId);
		expect(startsOn(runner)).toEqual([0, 1]);
		time.advance(1);
		await until(() => expect(startsOn(runner)).toEqual([0, 1, 2]));
		runner.state(actorId, 2, "running");
		await until(() => expect(runner.tunnel.length).toBeGreaterThanOrEqual(2));
		for (const request of runner.tunnel) {
			const val = { status: 200, headers: new Map(), body: Buffer.from("{}"), stream: false };
			runner.answer(request, { tag: "ToServerResponseStart", val });
		}
		expect([(await called).status, (await late).status]).toEqual([200, 200]);
	});

	it("an actor that is to run again is tried again when the store fails just then", async () => {
		const stored = createMemoryStore();
		let failures = 0;
		const acquire = (actorId: string) =>
			failures-- > 0 ? Promise.reject(new Error("the store is away")) : stored.acquire(actorId);
		await serve({ retryBaseMs: 50 }, undefined, replacing(stored, { acquire }));
		const runner = await connect();
		const actorId = await create("restart");
		await isAwake(actorId);
		failures = 2;
		runner.state(actorId, 0, "Error");
		await until(() => expect(startsOn(runner)).toEqual([0, 1]));
		expect(failures).toBeLessThan(0);
	});

	it("an actor that is to run again and waits for a slot is waited for, however long", async () => {
		const hour = 3_600_000;
		const time = new TestClock();
		await serve(
			{
				pingIntervalMs: hour,
				slotWaitMs: hour,
				runnerEligibleThresholdMs: hour,
				runnerLostThresholdMs: hour,
			},
			time,
		);
		const runner = await connect({ slots: 1 });
		const actorId = await create("restart");
		await isAwake(actorId);
		const other = await create("restart", "other");
		const waits = (id: string) =>
			until(async () => {
				time.advance(0);
				expect((await actorOf(id)).pending_allocation_ts).not.toBeNull();
			});
		await waits(other);
		runner.state(actorId, 0, "Error");
		await waits(actorId);
		for (let minute = 0; minute < 3; minute++) {
			time.advance(60_000);
			expect((await actorOf(actorId)).pending_allocation_ts).not.toBeNull();
		}
		expect(served.warnings).toEqual([]);
		await connect({ key: "next" });
		for (const id of [actorId, other]) await isAwake(id);
	});

	it("a deletion during the pause ends it, also for whoever waits for its end", async () => {
		await serve({ retryBaseMs: 300 });
		const runner = await connect();
		const actorId = await create("restart");
		for (const generation of [0, 1]) {
			await until(() => expect(startsOn(runner).at(-1)).toBe(generation));
			await isAwake(actorId);
			runner.state(actorId, generation, "Error");
		}
		await until(async () => expect((await actorOf(actorId)).reschedule_ts).not.toBeNull());
		const waits = call("GET", `/gateway/${actorId}/x`);
		await call("DELETE", `/actors/${actorId}`);
		expect(await waits).toMatchObject({ status: 404, body: { code: "not_found" } });
		expect(await actorOf(actorId)).toMatchObject({ status: "destroyed", reschedule_ts: null });
		const other = await create("restart", "other");
		await isAwake(other);
		expect(startsOn(runner)).toEqual([0, 1, 0]);
	});
});

describe("a runner that does not answer (no. 61)", () => {
	it("a start: its actor is lost, shown with the runner, and started again elsewhere", async () => {
		await serve({ actorStartThresholdMs: 500 });
		const silent = await connect({ key: "silent", runsAtOnce: false });
		const actorId = await create();
		const error = { runner_no_response: { runner_id: silent.init!.runnerId } };
		await until(async () => expect(await actorOf(actorId)).toMatchObject({ error }));
		await until(() => expect(tagsOn(silent)).toEqual(["CommandStartActor", "CommandStopActor"]));
		const next = await connect({ key: "next", codeVersion: 2 });
		const answered = call("GET", `/gateway/${actorId}/x`);
		await answerNext(next, "{}");
		expect((await answered).status).toBe(200);
		expect(startsOn(next)).toEqual([1]);
		expect(await actorOf(actorId)).not.toHaveProperty("error");
	});

	it("a start whose commit is refused is over at once: its runner is told to stop it", async () => {
		await serve({ actorStartThresholdMs: 60_000 });
		const runner = await connect({ runsAtOnce: false });
		const actorId = await create();
		await until(() => expect(tagsOn(runner)).toEqual(["CommandStartActor"]));
		await served.store.acquire(actorId);
		runner.state(actorId, 0, "running");
		await until(() =>
			expect(tagsOn(runner).slice(0, 2)).toEqual(["CommandStartActor", "CommandStopActor"]),
		);
	});

	it("a stop: its actor is lost, and the next generation starts", async () => {
		await serve({ actorStopThresholdMs: 500 });
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		runner.state(actorId, 0, "wantsSleep");
		await until(() => expect(tagsOn(runner)).toEqual(["CommandStartActor", "CommandStopActor"]));
		await until(async () => {
			expect(await actorOf(actorId)).toMatchObject({
				status: "sleeping",
				error: { runner_no_response: { runner_id: runner.init!.runnerId } },
			});
		});
		const answered = call("GET", `/gateway/${actorId}/x`);
		await answerNext(runner, "{}");
		expect((await answered).status).toBe(200);
		expect(startsOn(runner)).toEqual([0, 1]);
		expect(await actorOf(actorId)).not.toHaveProperty("error");
	});

	it("anything: a lost runner is told from one that has left", async () => {
		await serve({ runnerEligibleThresholdMs: 500, runnerLostThresholdMs: 500 });
		const runner = await connect({ answersPings: false });
		const actorId = await create();
		await until(async () => {
			expect(await actorOf(actorId)).toMatchObject({
				error: { runner_connection_lost: { runner_id: runner.init!.runnerId } },
			});
		});
	});

	it("is no answer any more to why its actor waits for a slot, once it is called again", async () => {
		await serve({ runnerEligibleThresholdMs: 500, runnerLostThresholdMs: 500 });
		const runner = await connect({ answersPings: false });
		const actorId = await create();
		await until(async () => {
			expect(await actorOf(actorId)).toMatchObject({
				error: { runner_connection_lost: { runner_id: runner.init!.runnerId } },
			});
		});
		const called = call("GET", `/gateway/${actorId}/x`);
		await until(async () => {
			expect(await actorOf(actorId)).toMatchObject({
				pending_allocation_ts: expect.any(Number),
				error: "no_capacity",
			});
		});
		const next = await connect({ key: "next" });
		await answerNext(next, "{}");
		await called;
	});
});

it("what a killed engine has left: `restart` actors start when a runner comes, others rest (engine 6.5)", async () => {
	const left = createMemoryStore();
	const leave = async (crashPolicy: string, hasRun: boolean) => {
		const actorId = newActorId(systemRandom());
		await left.insertActor({
			actorId,
			namespace: "default",
			name: "any",
			key: `${crashPolicy}-${hasRun}`,
			runnerNameSelector: "default",
			crashPolicy,
			datacenter: "default",
			input: null,
			createTs: 1,
		});
		if (hasRun) {
			const { generation } = await left.acquire(actorId);
			const record = { initialised: true as const, startTs: 2, connectableTs: 2, sleepTs: null };
			await left.commit({ actorId, generation, ops: [], record });
		}
		return actorId;
	};
	const rests = await leave("sleep", true);
	const again = await leave("restart", true);
	const first = await leave("restart", false);
	await serve({}, undefined, left);
	await until(async () => {
		expect(await actorOf(rests)).toMatchObject({
			status: "sleeping",
			connectable_ts: null,
			sleep_ts: expect.any(Number),
		});
		expect(await actorOf(again)).toMatchObject({ connectable_ts: null });
		for (const id of [again, first]) {
			expect((await actorOf(id)).pending_allocation_ts).not.toBeNull();
		}
	});
	const runner = await connect();
	await until(() => {
		const started = runner.commands.map(({ checkpoint }) => checkpoint.actorId);
		expect(started.sort()).toEqual([again, first].sort());
	});
	for (const id of [again, first]) await isAwake(id);
});

it("many that a killed engine has left are begun a few at a time", async () => {
	const left = createMemoryStore();
	for (let key = 0; key < 100; key++) {
		await left.insertActor({
			actorId: newActorId(systemRandom()),
			namespace: "default",
			name: "any",
			key: String(key),
			runnerNameSelector: "default",
			crashPolicy: "restart",
			datacenter: "default",
			input: null,
			createTs: key,
		});
	}
	const acquire = left.acquire.bind(left);
	const atOnce = { now: 0, most: 0 };
	left.acquire = async (actorId) => {
		atOnce.most = Math.max(atOnce.most, ++atOnce.now);
		await new Promise((resolve) => setImmediate(resolve));
		atOnce.now--;
		return acquire(actorId);
	};
	await serve({}, undefined, left);
	const runner = await connect();
	await until(() => expect(startsOn(runner)).toHaveLength(100));
	expect(atOnce.most).toBe(DEFAULT_LIMITS.wakesAtOnceMax);
});
