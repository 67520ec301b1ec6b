import { systemRandom } from "@rivetkit/protocol";
import type { KvRequestData, RunnerToServer } from "@rivetkit/protocol/runner";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { startRunner } from "../../src/backends/runner/start-runner.ts";
import { definitionsOf } from "../../src/registry/definitions.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { ScriptedEngine, toldOf } from "../support/scripted-engine.ts";
import { type LogLine, recordingLogger } from "../support/test-runtime.ts";

const counter = actor({
	state: { count: 0 },
	actions: { add: (c, by: number) => (c.state.count += by) },
});

async function started() {
	const engine = await ScriptedEngine.start();
	const clock = new FakeClock();
	const log: LogLine[] = [];
	const runner = startRunner({
		engine: { endpoint: engine.endpoint, namespace: "lab", token: undefined, headers: {} },
		definitions: definitionsOf({ counter }),
		runnerName: "default",
		runnerKey: "key-1",
		totalSlots: 1,
		codeVersion: 1,
		version: "0.0.0-test",
		clock,
		random: systemRandom(),
		log: recordingLogger(log),
		messageLimits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 65_536 },
		maxOpenDatabases: 1,
		checksReplays: false,
		inspection: { enabled: false, token: () => "", isOpen: () => false },
		telemetry: { traces: { ...TRACE_LIMITS, store: false }, metrics: false },
		exposeErrors: () => false,
	});
	const { received } = await engine.socket();
	return { engine, clock, log, runner, received };
}

const add = (engine: ScriptedEngine, requestId: number) =>
	engine.send({
		tag: "ToClientTunnelMessage",
		val: {
			messageId: {
				gatewayId: Uint8Array.of(1, 2, 3, 4),
				requestId: Uint8Array.of(0, 0, 0, requestId),
				messageIndex: 0,
			},
			messageKind: {
				tag: "ToClientRequestStart",
				val: {
					actorId: "a",
					method: "POST",
					path: "/action/add",
					headers: new Map([["x-rivet-encoding", "json"]]),
					body: Buffer.from('{"args":[1]}'),
					stream: false,
				},
			},
		},
	});

/** Status and body of each answer to a request. */
const answersTo = (received: readonly RunnerToServer[], requestId: number) =>
	received.flatMap((message) => {
		if (message.tag !== "ToServerTunnelMessage") return [];
		const { messageId, messageKind } = message.val;
		if (messageId.requestId[3] !== requestId) return [];
		if (messageKind.tag !== "ToServerResponseStart") return [];
		const { status, body } = messageKind.val;
		return [{ status: Number(status), body: String(Buffer.from(body ?? [])) }];
	});

const answerTo = (received: readonly RunnerToServer[], requestId: number) =>
	eventually(() => {
		const [answer] = answersTo(received, requestId);
		if (!answer) throw new Error("not answered");
		return answer;
	});

const putsOf = (received: readonly RunnerToServer[]): KvRequestData[] =>
	received.flatMap((message) =>
		message.tag === "ToServerKvRequest" && message.val.data.tag === "KvPutRequest"
			? [message.val.data]
			: [],
	);

it("an actor whose write an engine does not answer in time starts anew, with what the engine did all the same", async () => {
	const { engine, clock, log, runner, received } = await started();
	try {
		engine.start("a", 0);
		add(engine, 1);
		expect(await answerTo(received, 1)).toEqual({ status: 200, body: '{"output":1}' });
		engine.answersKv = false;
		const before = putsOf(received).length;
		add(engine, 2);
		const late = await eventually(() => {
			const puts = putsOf(received).slice(before);
			expect(puts).toHaveLength(1);
			return puts[0]!;
		});
		await clock.advance(35_000);
		await eventually(() =>
			expect(toldOf(received, "a")).toContainEqual(
				expect.objectContaining({ what: "Error", generation: 0 }),
			),
		);
		expect(log.filter(({ level }) => level === "error").map(({ message }) => message)).toEqual([
			expect.stringContaining("did not answer in time"),
		]);
		await engine.kv.kvOf("a").request(late);
		engine.answersKv = true;
		engine.start("a", 1);
		add(engine, 3);
		expect(await answerTo(received, 3)).toEqual({ status: 200, body: '{"output":3}' });
		expect(answersTo(received, 2).filter(({ status }) => status === 200)).toEqual([]);
	} finally {
		await runner.close();
		await engine.close();
	}
});
