import { describe, expect, it } from "vitest";
import { TestClock } from "../helpers/test-clock.ts";
import { until } from "../helpers/until.ts";
import { engineWithRunners, startsOn, tagsOn } from "./engine-with-runners.ts";

/** Calls to actors on runners: tries, limits, and what an answer may not be (engine 11: numbers behind the names). */

const served = engineWithRunners();
const { serve, connect, call, create, actorOf, isAwake, answerNext } = served;

describe("a call that its runner could not bring to the actor (no. 25)", () => {
	const answersWith = async (method: string, status: number, code: string) => {
		await serve({ attemptPauseMs: 1 });
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const answered = fetch(`${served.url}/gateway/${actorId}/x`, { method });
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const headers = new Map(code === "" ? [] : [["x-rivet-error", code]]);
		const val = { status, headers, body: undefined, stream: false };
		runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseStart", val });
		return { runner, answered };
	};

	it.each([
		[503, "guard.service_unavailable"],
		[503, "guard.tunnel_request_aborted"],
		[503, "guard.actor_ready_timeout"],
		[504, "guard.gateway_response_start_timeout"],
	])("is made again after %d %s", async (status, code) => {
		const { runner, answered } = await answersWith("GET", status, code);
		await until(() => expect(runner.tunnel).toHaveLength(2));
		const val = { status: 200, headers: new Map(), body: undefined, stream: false };
		runner.answer(runner.tunnel[1]!, { tag: "ToServerResponseStart", val });
		expect((await answered).status).toBe(200);
		expect(startsOn(runner)).toEqual([0]);
	});

	it.each([
		["GET", 503, "runner.actor_not_found"],
		["GET", 503, "user.failed"],
		["GET", 503, ""],
		["GET", 500, "guard.service_unavailable"],
		["POST", 503, "guard.service_unavailable"],
	])("has its answer, %s with %d '%s', otherwise", async (method, status, code) => {
		const { runner, answered } = await answersWith(method, status, code);
		expect((await answered).status).toBe(status);
		expect(runner.tunnel).toHaveLength(1);
	});
});

describe("a call that is open when its actor stops (no. 24)", () => {
	const stopsUnder = async (method: string) => {
		await serve();
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const answered = call(method, `/gateway/${actorId}/x`, method === "GET" ? undefined : {});
		await until(() => expect(runner.tunnel).toHaveLength(1));
		runner.state(actorId, 0, "wantsSleep");
		runner.state(actorId, 0, "Ok");
		return { runner, answered };
	};

	it.each(["GET", "PUT", "DELETE"])("%s is made again at the next incarnation", async (method) => {
		const { runner, answered } = await stopsUnder(method);
		await until(() => expect(runner.tunnel).toHaveLength(2));
		expect(startsOn(runner)).toEqual([0, 1]);
		await answerNext(runner, `"again"`);
		expect(await answered).toEqual({ status: 200, body: "again" });
	});

	it.each(["POST", "PATCH"])("%s is not: it may have been carried out", async (method) => {
		const { runner, answered } = await stopsUnder(method);
		expect(await answered).toMatchObject({
			status: 503,
			body: { group: "guard", code: "actor_stopped_while_waiting" },
		});
		expect(runner.tunnel).toHaveLength(1);
	});
});

describe("a call that no incarnation takes (engine 3.7)", () => {
	const hour = 3_600_000;

	it("is offered seven times, with growing pauses, and fails; after five its runner is asked to end the actor (Q12)", async () => {
		const time = new TestClock();
		await serve(
			{
				runnerEligibleThresholdMs: hour,
				runnerLostThresholdMs: hour,
				pingIntervalMs: hour,
				actorStartThresholdMs: hour,
				actorStopThresholdMs: hour,
			},
			time,
		);
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const answered = call("GET", `/gateway/${actorId}/x`);
		const aborts = async (attempt: number) => {
			await until(() => expect(runner.tunnel).toHaveLength(attempt));
			runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseAbort", val: undefined });
		};
		for (const [index, pauseMs] of [150, 300, 600, 1_200, 2_400, 4_800].entries()) {
			await aborts(index + 1);
			await time.armed(pauseMs);
			time.advance(pauseMs);
		}
		await aborts(7);
		expect(await answered).toMatchObject({
			status: 502,
			body: { code: "retry_attempts_exceeded", metadata: { attempts: 7 } },
		});
		expect(startsOn(runner)).toEqual([0, 1]);
		expect((await actorOf(actorId)).status).toBe("awake");
	});

	it("is not offered again to an actor whose caller has gone", async () => {
		await serve({ attemptPauseMs: 60_000 });
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const abort = new AbortController();
		const gone = fetch(`${served.url}/gateway/${actorId}/x`, { signal: abort.signal });
		const rejected = expect(gone).rejects.toThrow();
		await until(() => expect(runner.tunnel).toHaveLength(1));
		runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseAbort", val: undefined });
		// Behind it on the same socket.
		await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
		abort.abort();
		await rejected;
		expect((await actorOf(actorId)).status).toBe("awake");
		expect(runner.tunnel).toHaveLength(1);
	});

	it("is not offered again if it may have been carried out; its actor goes on as it was (Q8)", async () => {
		await serve();
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		for (let made = 1; made <= 7; made++) {
			const answered = call("POST", `/gateway/${actorId}/x`, {});
			await until(() => expect(runner.tunnel).toHaveLength(made));
			runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseAbort", val: undefined });
			expect(await answered).toMatchObject({
				status: 503,
				body: { group: "guard", code: "tunnel_request_aborted" },
			});
			// A sign of the actor's.
			await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
		}
		expect(tagsOn(runner)).toEqual(["CommandStartActor"]);
		const next = call("GET", `/gateway/${actorId}/x`);
		await until(() => expect(runner.tunnel).toHaveLength(8));
		await answerNext(runner, "{}");
		expect((await next).status).toBe(200);
	});

	it("is offered to the next incarnation if its runner aborts it on the actor's way out", async () => {
		await serve();
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const answered = call("POST", `/gateway/${actorId}/x`, {});
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const [first] = runner.tunnel;
		runner.state(actorId, 0, "wantsSleep");
		runner.answer(first!, { tag: "ToServerResponseAbort", val: undefined });
		await until(() => expect(runner.tunnel).toHaveLength(2));
		await answerNext(runner, "{}");
		expect((await answered).status).toBe(200);
		expect(startsOn(runner)).toEqual([0, 1]);
	});
});

it("a body of 20 MiB goes through the tunnel, one byte more is 413 (no. 26)", async () => {
	await serve();
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const post = (bytes: number) =>
		fetch(`${served.url}/gateway/${actorId}/x`, { method: "POST", body: new Uint8Array(bytes) });
	const limit = 20 * 1024 * 1024;
	const passed = post(limit);
	await answerNext(runner, "null");
	expect((await passed).status).toBe(200);
	const refused = await post(limit + 1);
	expect(refused.status).toBe(413);
	expect(await refused.json()).toMatchObject({
		group: "guard",
		code: "invalid_request_body",
		metadata: { limit },
	});
	expect(runner.tunnel).toHaveLength(1);
});

it.each<[string, number, [string, string][]]>([
	["a status that is none", 99, []],
	["a header that is none", 200, [["x-a", "b\r\nx-c: d"]]],
])("an answer with %s fails its call and nothing else (Q9)", async (_what, status, headers) => {
	await serve();
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const answered = call("GET", `/gateway/${actorId}/x`);
	await until(() => expect(runner.tunnel).toHaveLength(1));
	const val = { status, headers: new Map(headers), body: undefined, stream: false };
	runner.answer(runner.tunnel[0]!, { tag: "ToServerResponseStart", val });
	expect(await answered).toMatchObject({ status: 502, body: { code: "invalid_response_body" } });
	const next = call("GET", `/gateway/${actorId}/y`);
	await until(() => expect(runner.tunnel).toHaveLength(2));
	await answerNext(runner, "{}");
	expect((await next).status).toBe(200);
	expect(runner.commands).toHaveLength(1);
});

it("an answer over the limit fails its call and nothing else (Q9)", async () => {
	const limit = 64 * 1024;
	await serve({ responseBodyBytesMax: limit });
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const answered = async (bytes: number) => {
		const before = runner.tunnel.length;
		const answer = fetch(`${served.url}/gateway/${actorId}/x`);
		await until(() => expect(runner.tunnel.length).toBeGreaterThan(before));
		const val = { status: 200, headers: new Map(), body: Buffer.alloc(bytes), stream: false };
		runner.answer(runner.tunnel.at(-1)!, { tag: "ToServerResponseStart", val });
		return answer;
	};
	const tooLarge = await answered(limit + 1);
	expect([tooLarge.status, await tooLarge.json()]).toMatchObject([
		502,
		{ code: "invalid_response_body" },
	]);
	const largest = await answered(limit);
	expect(largest.status).toBe(200);
	expect((await largest.arrayBuffer()).byteLength).toBe(limit);
	expect(startsOn(runner)).toEqual([0]);
});
