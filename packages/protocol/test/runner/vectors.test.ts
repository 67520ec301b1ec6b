import { describe, expect, it } from "vitest";
import {
	decodeRunnerToClient,
	decodeRunnerToServer,
	decodeServerlessGreeting,
	encodeRunnerToClient,
	encodeRunnerToServer,
	encodeServerlessGreeting,
	isRunnerVersion,
	type RunnerToClient,
	type RunnerToServer,
} from "../../src/runner/index.ts";
import { fromHex as bytes, toHex as hex } from "../support/hex.ts";

const of = (generation: number, index: number) => ({ actorId: "abc", generation, index });
const exchange = {
	gatewayId: bytes("01020304"),
	requestId: bytes("05060708"),
};

/** Contract: engine 4.3, byte vectors of version 5. */
const TO_SERVER: Readonly<Record<string, readonly [RunnerToServer, string]>> = {
	init: [
		{
			tag: "ToServerInit",
			val: {
				name: "default",
				version: 3,
				totalSlots: 100_000,
				prepopulateActorNames: new Map([["tally", { metadata: "{}" }]]),
				metadata: undefined,
			},
		},
		"000764656661756c7403000000a086010001010574616c6c79027b7d00",
	],
	"events: running, alarm": [
		{
			tag: "ToServerEvents",
			val: [
				{
					checkpoint: of(2, 0),
					inner: {
						tag: "EventActorStateUpdate",
						val: { state: { tag: "ActorStateRunning", val: undefined } },
					},
				},
				{
					checkpoint: of(2, 1),
					inner: { tag: "EventActorSetAlarm", val: { alarmTs: 1_700_000_000_000 } },
				},
			],
		},
		"01020361626302000000000000000000000001000361626302000000010000000000000002010068e5cf8b010000",
	],
	"events: stopped with an error": [
		{
			tag: "ToServerEvents",
			val: [
				{
					checkpoint: of(2, 2),
					inner: {
						tag: "EventActorStateUpdate",
						val: { state: { tag: "ActorStateStopped", val: { code: "Error", message: "bad" } } },
					},
				},
			],
		},
		"0101036162630200000002000000000000000101010103626164",
	],
	"acknowledged commands": [
		{ tag: "ToServerAckCommands", val: { lastCommandCheckpoints: [of(2, 7)] } },
		"020103616263020000000700000000000000",
	],
	stopping: [{ tag: "ToServerStopping", val: undefined }, "03"],
	pong: [{ tag: "ToServerPong", val: { ts: 1 } }, "040100000000000000"],
	"KV list": [
		{
			tag: "ToServerKvRequest",
			val: {
				actorId: "abc",
				requestId: 9,
				data: {
					tag: "KvListRequest",
					val: {
						query: {
							tag: "KvListRange",
							val: { start: bytes("61"), end: bytes("62"), exclusive: true },
						},
						reverse: undefined,
						limit: 5,
					},
				},
			},
		},
		"0503616263090000000101016101620100010500000000000000",
	],
	"close of a hibernating socket": [
		{
			tag: "ToServerTunnelMessage",
			val: {
				messageId: { ...exchange, messageIndex: 258 },
				messageKind: {
					tag: "ToServerWebSocketClose",
					val: { code: 1000, reason: "x", hibernate: true },
				},
			},
		},
		"06010203040506070802010601e80301017801",
	],
};

const TO_CLIENT: Readonly<Record<string, readonly [RunnerToClient, string]>> = {
	init: [
		{
			tag: "ToClientInit",
			val: {
				runnerId: "r1",
				metadata: {
					runnerLostThreshold: 15_000,
					actorStopThreshold: 30_000,
					serverlessDrainGracePeriod: undefined,
				},
			},
		},
		"00027231983a000000000000",
	],
	commands: [
		{
			tag: "ToClientCommands",
			val: [
				{
					checkpoint: of(2, 0),
					inner: {
						tag: "CommandStartActor",
						val: {
							config: { name: "tally", key: "k", createTs: 1, input: undefined },
							hibernatingRequests: [exchange],
						},
					},
				},
				{ checkpoint: of(2, 1), inner: { tag: "CommandStopActor", val: undefined } },
			],
		},
		"010203616263020000000000000000000000000574616c6c7901016b0100000000000000000101020304050607080361626302000000010000000000000001",
	],
	"acknowledged events": [
		{ tag: "ToClientAckEvents", val: { lastEventCheckpoints: [of(2, 1)] } },
		"020103616263020000000100000000000000",
	],
	ping: [{ tag: "ToClientPing", val: { ts: 1 } }, "050100000000000000"],
	"KV error": [
		{
			tag: "ToClientKvResponse",
			val: { requestId: 9, data: { tag: "KvErrorResponse", val: { message: "no" } } },
		},
		"030900000000026e6f",
	],
	request: [
		{
			tag: "ToClientTunnelMessage",
			val: {
				messageId: { ...exchange, messageIndex: 0 },
				messageKind: {
					tag: "ToClientRequestStart",
					val: {
						actorId: "abc",
						method: "GET",
						path: "/p",
						headers: new Map([["a", "b"]]),
						body: undefined,
						stream: false,
					},
				},
			},
		},
		"0401020304050607080000000361626303474554022f7001016101620000",
	],
};

describe("version 5 is what the contract's vectors say", () => {
	it.each(Object.entries(TO_SERVER))("runner to engine: %s", (_name, [message, text]) => {
		expect(hex(encodeRunnerToServer(5, message))).toBe(text);
		expect(decodeRunnerToServer(5, bytes(text))).toEqual(message);
	});

	it.each(Object.entries(TO_CLIENT))("engine to runner: %s", (_name, [message, text]) => {
		expect(hex(encodeRunnerToClient(5, message))).toBe(text);
		expect(decodeRunnerToClient(5, bytes(text))).toEqual(message);
	});

	it("serverless greeting", () => {
		const message = { runnerId: "r1", runnerProtocolVersion: 5 };
		const base64 = "BQAAAnIxBQA=";
		expect(Buffer.from(encodeServerlessGreeting(5, message)).toString("base64")).toBe(base64);
		expect(decodeServerlessGreeting(Buffer.from(base64, "base64"))).toEqual(message);
	});
});

describe("what the other versions do differently", () => {
	const kv = (data: string) => `050361626309000000${data}`;
	const drop: RunnerToServer = {
		tag: "ToServerKvRequest",
		val: { actorId: "abc", requestId: 9, data: { tag: "KvDropRequest", val: undefined } },
	};
	const deleteRange: RunnerToServer = {
		tag: "ToServerKvRequest",
		val: {
			actorId: "abc",
			requestId: 9,
			data: { tag: "KvDeleteRangeRequest", val: { start: bytes("61"), end: bytes("62") } },
		},
	};

	it("7 has a range deletion at tag 4, and drops at tag 5", () => {
		expect(hex(encodeRunnerToServer(7, deleteRange))).toBe(kv("0401610162"));
		expect(decodeRunnerToServer(7, bytes(kv("0401610162")))).toEqual(deleteRange);
		expect(hex(encodeRunnerToServer(7, drop))).toBe(kv("05"));
		expect(hex(encodeRunnerToServer(6, drop))).toBe(kv("04"));
		expect(hex(encodeRunnerToServer(5, drop))).toBe(kv("04"));
		expect(() => encodeRunnerToServer(6, deleteRange)).toThrow(RangeError);
	});

	it("6 and 7 tell how long an actor may stop and a serverless runner may drain", () => {
		const init: RunnerToClient = {
			tag: "ToClientInit",
			val: {
				runnerId: "r1",
				metadata: {
					runnerLostThreshold: 15_000,
					actorStopThreshold: 60_000,
					serverlessDrainGracePeriod: 10_000,
				},
			},
		};
		const text = "00027231983a00000000000060ea000000000000011027000000000000";
		for (const version of [6, 7] as const) {
			expect(hex(encodeRunnerToClient(version, init))).toBe(text);
			expect(decodeRunnerToClient(version, bytes(text))).toEqual(init);
		}
		expect(hex(encodeRunnerToClient(5, init))).toBe("00027231983a000000000000");
	});

	it("4 has the generation in what a checkpoint is about instead of in the checkpoint", () => {
		const [events] = TO_SERVER["events: running, alarm"]!;
		const text =
			"0102" +
			"03616263000000000000000001036162630200000000" +
			"03616263010000000000000002036162630200000001" +
			"0068e5cf8b010000";
		expect(hex(encodeRunnerToServer(4, events))).toBe(text);
		expect(decodeRunnerToServer(4, bytes(text))).toMatchObject({
			val: [{ checkpoint: of(2, 0) }, { checkpoint: of(2, 1) }],
		});

		const [commands] = TO_CLIENT.commands!;
		const commandsText =
			"0102" +
			"036162630000000000000000" +
			"00020000000574616c6c7901016b010000000000000000010102030405060708" +
			"036162630100000000000000" +
			"0102000000";
		expect(hex(encodeRunnerToClient(4, commands))).toBe(commandsText);
		expect(decodeRunnerToClient(4, bytes(commandsText))).toEqual(commands);

		const [acks] = TO_SERVER["acknowledged commands"]!;
		expect(hex(encodeRunnerToServer(4, acks))).toBe("0201036162630700000000000000");
		expect(decodeRunnerToServer(4, bytes("0201036162630700000000000000"))).toEqual({
			tag: "ToServerAckCommands",
			val: { lastCommandCheckpoints: [of(-1, 7)] },
		});
	});

	it("there are four", () => {
		expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 99].filter(isRunnerVersion)).toEqual([4, 5, 6, 7]);
	});
});
