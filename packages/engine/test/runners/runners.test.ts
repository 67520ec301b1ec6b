import type { KvRequestData } from "@rivetkit/protocol/runner";
import { beforeEach, describe, expect, it } from "vitest";
import type { RunnerLimits } from "../../src/runners/runner-limits.ts";
import { until } from "../helpers/until.ts";
import { engineWithRunners } from "./engine-with-runners.ts";
import type { RunnerOptions, ScriptedRunner } from "./scripted-runner.ts";

/** The engine's end of the runner protocol (engine 11: numbers behind the names). */

const served = engineWithRunners("admin");
const { connect, place } = served;

/** Limits that a busy machine keeps; tests of one of them set it short. */
const serve = (limits: Partial<RunnerLimits> = {}) =>
	served.serve({ initTimeoutMs: 10_000, retryBaseMs: 50, slotWaitMs: 10_000, ...limits });

async function restart(limits: Partial<RunnerLimits>): Promise<void> {
	await served.stop();
	await serve(limits);
}

beforeEach(() => serve());

const recordOf = async (actorId: string) => (await served.store.actorById(actorId))!;
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));

describe("the door", () => {
	it.each([4, 5, 6, 7])("takes version %d (no. 32)", async (version) => {
		const runner = await connect({ version });
		await until(() => expect(runner.init?.metadata.runnerLostThreshold).toBe(10_000));
	});

	it.each<[string, RunnerOptions, string]>([
		["version 0", { version: 0 }, "ws.invalid_packet"],
		["version 8", { version: 8 }, "ws.invalid_packet"],
		["version 99", { version: 99 }, "ws.invalid_packet"],
		["a version that is no u16", { version: 70_000 }, "ws.invalid_url"],
		["no key", { key: "" }, "ws.invalid_url"],
		["an unknown namespace", { namespace: "other" }, "namespace.not_found"],
		["no token", { token: null }, "guard.missing_header"],
		["a wrong token", { token: "wrong" }, "api.forbidden"],
		["silence", { isSilent: true }, "ws.timed_out_waiting_for_init"],
	])("refuses %s (nos. 32, 33)", async (_what, options, reason) => {
		if (options.isSilent) await restart({ initTimeoutMs: 100 });
		const runner = await connect({ isSilent: true, ...options });
		expect(await runner.closed).toEqual({ code: 1011, reason });
	});

	it("refuses a first message that is text, no init, or undecodable (no. 33)", async () => {
		for (const [message, reason] of [
			["text", "ws.invalid_initial_packet"],
			[Uint8Array.of(3), "ws.invalid_initial_packet"],
			[Uint8Array.of(99), "ws.invalid_packet"],
		] as const) {
			const runner = await connect({ isSilent: true });
			runner.socket.send(message);
			expect(await runner.closed).toEqual({ code: 1011, reason });
		}
	});

	it("evicts the older socket of a key, and keeps the runner's id (nos. 37, 38)", async () => {
		const first = await connect();
		await until(() => expect(first.init).toBeDefined());
		const second = await connect();
		expect(await first.closed).toEqual({ code: 1000, reason: "ws.eviction" });
		await until(() => expect(second.init?.runnerId).toBe(first.init!.runnerId));
	});

	it("a runner that answers no ping is lost: its actor runs elsewhere, and its key is a new runner (nos. 37, 43)", async () => {
		await restart({ runnerEligibleThresholdMs: 400, runnerLostThresholdMs: 500 });
		const first = await connect({ answersPings: false });
		const actorId = await place("a");
		expect(await first.closed).toEqual({ code: 1011, reason: "ws.ping_timeout" });
		const second = await connect();
		await until(() => expect(second.init?.runnerId).not.toBe(first.init!.runnerId));
		expect(await place("a")).toBe(actorId);
		expect(second.commands[0]?.checkpoint).toMatchObject({ actorId, generation: 1, index: 0 });
	});
});

describe("commands and events", () => {
	it("a start that was not answered is sent again after a reconnect; after `running` it is not (no. 39)", async () => {
		await restart({ actorStopThresholdMs: 500 });
		const first = await connect({ runsAtOnce: false });
		const placed = place("a");
		await until(() => expect(first.commands).toHaveLength(1));
		await first.close();
		const second = await connect();
		await until(() => expect(second.commands).toEqual(first.commands));
		await placed;
		await second.close();
		const third = await connect();
		await until(() => expect(third.init).toBeDefined());
		expect(third.commands).toEqual([]);
	});

	it("events with an old index, an old generation or from another runner change nothing (no. 41)", async () => {
		const runner = await connect();
		const actorId = await place("a");
		const other = await connect({ key: "other", pool: "other" });
		await until(() => expect(other.init).toBeDefined());
		runner.event(actorId, 0, 0, "wantsSleep");
		runner.event(actorId, 7, 1, "Ok");
		other.event(actorId, 0, 5, "Ok");
		// Behind them on both sockets.
		await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
		await other.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
		expect(served.engine.liveCount).toBe(1);
		expect(runner.commands).toHaveLength(1);
	});

	it("many events are acknowledged (no. 42)", async () => {
		await restart({ actorStopThresholdMs: 500 });
		const runner = await connect();
		const actorId = await place("a");
		for (let index = 1; index <= 300; index++) {
			runner.send({
				tag: "ToServerEvents",
				val: [
					{
						checkpoint: { actorId, generation: 0, index },
						inner: { tag: "EventActorSetAlarm", val: { alarmTs: undefined } },
					},
				],
			});
		}
		await until(() => {
			const acks = runner.received.flatMap((message) =>
				message.tag === "ToClientAckEvents" ? message.val.lastEventCheckpoints : [],
			);
			expect(acks[0]).toMatchObject({ actorId, generation: 0 });
			expect(acks[0]!.index).toBeGreaterThanOrEqual(250);
		});
	});

	it("an actor that does not run in time is stopped, and its caller told (no. 61)", async () => {
		await restart({ actorStartThresholdMs: 500 });
		const runner = await connect({ runsAtOnce: false });
		await expect(place("a")).rejects.toThrow();
		await until(() => {
			const tags = runner.commands.map(({ inner }) => inner.tag);
			expect(tags).toEqual(["CommandStartActor", "CommandStopActor"]);
		});
	});
});

describe("what becomes of an actor that is over (no. 59)", () => {
	const ends = {
		ok: ["destroyed", "destroyed", "destroyed"],
		error: ["asleep", "again", "destroyed"],
		lost: ["asleep", "again", "destroyed"],
		"going away": ["asleep", "again", "asleep"],
		"sleep intent": ["asleep", "asleep", "asleep"],
		"stop intent": ["destroyed", "destroyed", "destroyed"],
	} as const;

	it.each(
		Object.entries(ends).flatMap(([end, outcomes]) =>
			(["sleep", "restart", "destroy"] as const).map(
				(policy, index) => [end, policy, outcomes[index]!] as const,
			),
		),
	)("%s with policy %s: %s", async (end, policy, outcome) => {
		if (end === "lost") {
			await restart({ runnerEligibleThresholdMs: 400, runnerLostThresholdMs: 500 });
		}
		const runner = await connect({ key: "first" });
		const actorId = await place("a", policy);
		switch (end) {
			case "ok":
				runner.state(actorId, 0, "Ok");
				break;
			case "error":
				runner.state(actorId, 0, "Error");
				break;
			case "lost":
				await runner.close();
				break;
			case "going away":
				runner.send({ tag: "ToServerStopping", val: undefined });
				await until(() => expect(runner.commands).toHaveLength(2));
				runner.state(actorId, 0, "Ok");
				break;
			default:
				runner.state(actorId, 0, end === "sleep intent" ? "wantsSleep" : "wantsStop");
				await until(() => expect(runner.commands).toHaveLength(2));
				runner.state(actorId, 0, "Ok");
		}
		if (outcome === "again") {
			const next = await connect({ key: "next" });
			await until(() => {
				const commands = [...next.commands, ...runner.commands];
				expect(commands).toContainEqual(
					expect.objectContaining({
						checkpoint: expect.objectContaining({ actorId, generation: 1 }),
					}),
				);
			});
			return;
		}
		const { destroyTs } = await until(async () => {
			const record = await recordOf(actorId);
			expect(record.sleepTs ?? record.destroyTs).not.toBeNull();
			return record;
		});
		expect(destroyTs === null ? "asleep" : "destroyed").toBe(outcome);
	});
});

describe("placement", () => {
	it("prefers the newest version, and spreads over equals (no. 64)", async () => {
		const old = await connect({ key: "old", codeVersion: 1 });
		const equal = [
			await connect({ key: "a", codeVersion: 2, slots: 50 }),
			await connect({ key: "b", codeVersion: 2, slots: 50 }),
		];
		await until(() => {
			for (const runner of [old, ...equal]) expect(runner.init).toBeDefined();
		});
		await Promise.all(Array.from({ length: 60 }, (_, index) => place(`k${index}`)));
		expect(equal.map(({ commands }) => commands.length)).toEqual([30, 30]);
		expect(old.commands).toEqual([]);
	});

	it("never exceeds slots; a freed one goes to whoever waits longest (nos. 64, 65)", async () => {
		const runner = await connect({ slots: 1 });
		const first = await place("first");
		const order: string[] = [];
		const waiting = ["second", "third"].map((key) => place(key).then(() => order.push(key)));
		// Behind both on the same socket.
		await runner.kv(first, { tag: "KvGetRequest", val: { keys: [] } });
		expect(runner.commands).toHaveLength(1);
		runner.state(first, 0, "Ok");
		await until(() => expect(order).toEqual(["second"]));
		const second = runner.commands.at(-1)!.checkpoint;
		runner.state(second.actorId, second.generation, "Ok");
		await Promise.all(waiting);
		expect(order).toEqual(["second", "third"]);
	});

	it("an actor waits for the first runner of its pool (nos. 15, 23)", async () => {
		const placed = place("early", "sleep", "late");
		await connect({ key: "wrong", pool: "default" });
		const runner = await connect({ pool: "late" });
		await placed;
		expect(runner.commands).toHaveLength(1);
	});
});

describe("KV", () => {
	const put = (entries: readonly (readonly [string, Uint8Array])[]): KvRequestData => ({
		tag: "KvPutRequest",
		val: { keys: entries.map(([key]) => bytes(key)), values: entries.map(([, value]) => value) },
	});
	const list = (
		query: Extract<KvRequestData, { tag: "KvListRequest" }>["val"]["query"],
		options: { reverse?: boolean; limit?: number } = {},
	): KvRequestData => ({
		tag: "KvListRequest",
		val: { query, reverse: options.reverse, limit: options.limit },
	});
	const keysOf = (answer: Awaited<ReturnType<ScriptedRunner["kv"]>>) =>
		answer.tag === "KvListResponse" || answer.tag === "KvGetResponse"
			? answer.val.keys.map((key) => Buffer.from(key).toString("hex"))
			: answer;
	const one = Uint8Array.of(1);

	it("reads, lists and deletes in the order of bytes (nos. 45 to 47)", async () => {
		const runner = await connect();
		const actorId = await place("a");
		const keys = ["", "61", "6100", "6161", "61ff", "61ffff", "62"];
		const shuffled = [...keys].reverse();
		expect(await runner.kv(actorId, put(shuffled.map((key) => [key, one])))).toEqual({
			tag: "KvPutResponse",
			val: undefined,
		});
		const ask = async (data: KvRequestData) => keysOf(await runner.kv(actorId, data));
		const all = { tag: "KvListAll", val: undefined } as const;
		const range = (start: string, end: string, exclusive: boolean) =>
			({ tag: "KvListRange", val: { start: bytes(start), end: bytes(end), exclusive } }) as const;
		const get = [bytes("62"), bytes("ff"), bytes("61"), bytes("61")];
		expect(await ask({ tag: "KvGetRequest", val: { keys: get } })).toEqual(["62", "61"]);
		expect(await ask(list(all))).toEqual(keys);
		expect(await ask(list(all, { reverse: true, limit: 2 }))).toEqual(["62", "61ffff"]);
		expect(await ask(list(all, { limit: 0 }))).toEqual([]);
		expect(await ask(list(range("61", "62", false)))).toEqual(keys.slice(1));
		expect(await ask(list(range("61", "62", true)))).toEqual(keys.slice(1, -1));
		expect(await ask(list(range("62", "61", false)))).toEqual([]);
		expect(await ask(list({ tag: "KvListPrefix", val: { key: bytes("61") } }))).toEqual(
			keys.slice(1, -1),
		);
		await runner.kv(actorId, {
			tag: "KvDeleteRangeRequest",
			val: { start: bytes("61"), end: bytes("61ff") },
		});
		expect(await ask(list(all))).toEqual(["", "61ff", "61ffff", "62"]);
		await runner.kv(actorId, { tag: "KvDropRequest", val: undefined });
		expect(await ask(list(all))).toEqual([]);
	});

	it("tells when an entry was put last", async () => {
		const runner = await connect();
		const actorId = await place("a");
		const timesOf = async (data: KvRequestData) => {
			const answer = await runner.kv(actorId, data);
			if (answer.tag !== "KvListResponse" && answer.tag !== "KvGetResponse") throw answer;
			return answer.val.metadata.map(({ updateTs }) => updateTs);
		};
		const before = Date.now();
		await runner.kv(
			actorId,
			put([
				["61", one],
				["62", one],
			]),
		);
		const get: KvRequestData = { tag: "KvGetRequest", val: { keys: [bytes("62"), bytes("61")] } };
		const [first, second] = await timesOf(get);
		expect(first).toBe(second);
		expect(first).toBeGreaterThanOrEqual(before);
		expect(first).toBeLessThanOrEqual(Date.now());
		await until(() => expect(Date.now()).toBeGreaterThan(first!));
		await runner.kv(actorId, put([["61", one]]));
		const [known, later] = await timesOf(get);
		expect(known).toBe(first);
		expect(later).toBeGreaterThan(first!);
		expect(await timesOf(list({ tag: "KvListAll", val: undefined }))).toEqual([later, first]);
	});

	it("refuses what is over a limit, by name, and writes none of it (nos. 48, 49)", async () => {
		const runner = await connect();
		const actorId = await place("a");
		const sized = (length: number) => new Uint8Array(length);
		const key = (length: number) => "61".repeat(length);
		const many = (count: number, value: Uint8Array) =>
			Array.from(
				{ length: count },
				(_, index) => [index.toString(16).padStart(4, "0"), value] as const,
			);
		const fits = [
			put([[key(2_046), one]]),
			put([["62", sized(131_072)]]),
			put(many(128, one)),
			// 8 keys of 2 bytes: 8 × (2 + 2 + 124 924) = 999 424.
			put(many(8, sized(124_924))),
		];
		for (const data of fits) expect((await runner.kv(actorId, data)).tag).toBe("KvPutResponse");
		await runner.kv(actorId, { tag: "KvDropRequest", val: undefined });
		const refused: [KvRequestData, string][] = [
			[
				put([
					["61", one],
					[key(2_047), one],
				]),
				"kv.key_too_large",
			],
			[
				put([
					["61", one],
					["62", sized(131_073)],
				]),
				"kv.value_too_large",
			],
			[put(many(129, one)), "kv.too_many_keys"],
			[put([...many(7, sized(124_924)), ["0007", sized(124_925)]]), "kv.payload_too_large"],
		];
		for (const [data, code] of refused) {
			expect(await runner.kv(actorId, data)).toEqual({
				tag: "KvErrorResponse",
				val: { message: expect.stringMatching(new RegExp(`^${code}: `)) },
			});
		}
		const all = list({ tag: "KvListAll", val: undefined });
		expect(keysOf(await runner.kv(actorId, all))).toEqual([]);
	});

	it("is for the runner that has the actor, from placement to its end (nos. 50, 51)", async () => {
		const runner = await connect({ runsAtOnce: false });
		const placed = place("a");
		await until(() => expect(runner.commands).toHaveLength(1));
		const { actorId } = runner.commands[0]!.checkpoint;
		const other = await connect({ key: "other", pool: "other" });
		const write = put([["61", one]]);
		const refusal = {
			tag: "KvErrorResponse",
			val: { message: expect.stringMatching(/^kv\.not_owner: /) },
		};
		expect((await runner.kv(actorId, write)).tag).toBe("KvPutResponse");
		expect(await other.kv(actorId, write)).toEqual(refusal);
		expect(await runner.kv("unknown", write)).toEqual(refusal);
		runner.state(actorId, 0, "running");
		await placed;
		runner.state(actorId, 0, "wantsSleep");
		expect((await runner.kv(actorId, write)).tag).toBe("KvPutResponse");
		runner.state(actorId, 0, "Ok");
		await until(async () => expect((await recordOf(actorId)).sleepTs).not.toBeNull());
		await until(async () => expect(await runner.kv(actorId, write)).toEqual(refusal));
	});
});
