import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	ACTOR_STOP_THRESHOLD_MS,
	decodeRunnerToClient,
	decodeRunnerToServer,
	decodeServerlessGreeting,
	encodeRunnerToClient,
	encodeRunnerToServer,
	encodeServerlessGreeting,
	RUNNER_VERSIONS,
	type RunnerToClient,
	type RunnerToServer,
	type RunnerVersion,
	UNKNOWN_GENERATION,
} from "../../src/runner/index.ts";
import { isMalformed, returnsOrIsMalformed } from "../support/malformed.ts";
import { toClient, toServer } from "../support/runner-arbitraries.ts";

/** What is left of a message that went through an older version. */
function throughServer(version: RunnerVersion, message: RunnerToServer): RunnerToServer {
	if (version > 4 || message.tag !== "ToServerAckCommands") return message;
	const checkpoints = message.val.lastCommandCheckpoints;
	return {
		tag: message.tag,
		val: {
			lastCommandCheckpoints: checkpoints.map((checkpoint) => ({
				...checkpoint,
				generation: UNKNOWN_GENERATION,
			})),
		},
	};
}

function throughClient(version: RunnerVersion, message: RunnerToClient): RunnerToClient {
	if (version <= 5 && message.tag === "ToClientInit") {
		const { runnerId, metadata } = message.val;
		const { runnerLostThreshold } = metadata;
		return {
			tag: message.tag,
			val: {
				runnerId,
				metadata: {
					runnerLostThreshold,
					actorStopThreshold: ACTOR_STOP_THRESHOLD_MS,
					serverlessDrainGracePeriod: undefined,
				},
			},
		};
	}
	if (version > 4 || message.tag !== "ToClientAckEvents") return message;
	const checkpoints = message.val.lastEventCheckpoints;
	return {
		tag: message.tag,
		val: {
			lastEventCheckpoints: checkpoints.map((checkpoint) => ({
				...checkpoint,
				generation: UNKNOWN_GENERATION,
			})),
		},
	};
}

const isOf = (version: RunnerVersion, message: RunnerToServer) =>
	version === 7 ||
	message.tag !== "ToServerKvRequest" ||
	message.val.data.tag !== "KvDeleteRangeRequest";

describe.each(RUNNER_VERSIONS)("version %d", (version) => {
	it("any message to an engine comes back", () => {
		fc.assert(
			fc.property(toServer, (message) => {
				fc.pre(isOf(version, message));
				expect(decodeRunnerToServer(version, encodeRunnerToServer(version, message))).toEqual(
					throughServer(version, message),
				);
			}),
		);
	});

	it("any message to a runner comes back", () => {
		fc.assert(
			fc.property(toClient, (message) => {
				expect(decodeRunnerToClient(version, encodeRunnerToClient(version, message))).toEqual(
					throughClient(version, message),
				);
			}),
		);
	});

	it("a message that is cut off, or goes on, is malformed", () => {
		const hasEnd = fc.nat({ max: 1_000_000 });
		fc.assert(
			fc.property(toServer, toClient, hasEnd, (inward, outward, at) => {
				fc.pre(isOf(version, inward));
				for (const [bytes, decode] of [
					[encodeRunnerToServer(version, inward), decodeRunnerToServer],
					[encodeRunnerToClient(version, outward), decodeRunnerToClient],
				] as const) {
					const cut = bytes.slice(0, at % bytes.length);
					isMalformed(() => decode(version, cut));
					isMalformed(() => decode(version, Uint8Array.of(...bytes, 0)));
				}
			}),
		);
	});

	it("any bytes are a message or malformed", () => {
		fc.assert(
			fc.property(fc.nat({ max: 8 }), fc.uint8Array({ maxLength: 60 }), (tag, rest) => {
				const bytes = Uint8Array.of(tag, ...rest);
				returnsOrIsMalformed(() => decodeRunnerToServer(version, bytes));
				returnsOrIsMalformed(() => decodeRunnerToClient(version, bytes));
			}),
		);
	});

	it("a greeting comes back, and cut off it is malformed", () => {
		const message = { runnerId: "runner", runnerProtocolVersion: version };
		const bytes = encodeServerlessGreeting(version, message);
		expect(decodeServerlessGreeting(bytes)).toEqual(message);
		for (let end = 0; end < bytes.length; end++) {
			isMalformed(() => decodeServerlessGreeting(bytes.subarray(0, end)));
		}
	});
});

it("whoever encodes an id of the wrong length, or a time that is no safe integer, is told", () => {
	const pong = (ts: number): RunnerToServer => ({ tag: "ToServerPong", val: { ts } });
	expect(() => encodeRunnerToServer(7, pong(2 ** 53))).toThrow("is not a i64");
	expect(() => encodeRunnerToServer(7, pong(0.5))).toThrow("is not a i64");
	expect(() =>
		encodeRunnerToServer(7, {
			tag: "ToServerTunnelMessage",
			val: {
				messageId: {
					gatewayId: new Uint8Array(3),
					requestId: new Uint8Array(4),
					messageIndex: 0,
				},
				messageKind: { tag: "ToServerResponseAbort", val: undefined },
			},
		}),
	).toThrow("3 bytes where 4 are expected");
});

it("a time beyond the safe integers is malformed", () => {
	isMalformed(() => decodeRunnerToClient(7, Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0x20, 0)));
	expect(decodeRunnerToClient(7, Uint8Array.of(5, ...new Array(8).fill(0xff)))).toEqual({
		tag: "ToClientPing",
		val: { ts: -1 },
	});
});
