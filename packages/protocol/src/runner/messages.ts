/**
 * Messages between an engine and a runner, in the four versions that are spoken (contract: engine 4.3).
 * Programs see the shape of version 7; what an older version lacks is left out or filled in here. Messages
 * carry no version: it is agreed in the address of the socket. Bytes in results are views of the input.
 */
import { decodeBare, decodeEnvelope, encodeBare, encodeEnvelope } from "../bare/envelope.ts";
import * as greeting from "../generated/runner-greeting.ts";
import * as v4 from "../generated/runner-v4.ts";
import * as v5 from "../generated/runner-v5.ts";
import * as v6 from "../generated/runner-v6.ts";
import * as v7 from "../generated/runner-v7.ts";

export type RunnerVersion = 4 | 5 | 6 | 7;
/** Newest first. Versions 1 to 3 count over a whole runner instead of per actor, and are refused. */
export const RUNNER_VERSIONS: readonly RunnerVersion[] = [7, 6, 5, 4];
/** What the era of 2.1.3 speaks: below it a runner does not go. */
export const RUNNER_COMPATIBLE_VERSION: RunnerVersion = 5;

/** From a runner to its engine. */
export type RunnerToServer = v7.ToServer;
/** From an engine to a runner. */
export type RunnerToClient = v7.ToClient;

/** In checkpoints of acknowledgements of version 4, which do not say a generation: the newest one is meant. */
export const UNKNOWN_GENERATION = -1;
/** `actorStopThreshold` (ms) of an engine whose version does not tell it. */
export const ACTOR_STOP_THRESHOLD_MS = 30_000;

export function isRunnerVersion(version: number): version is RunnerVersion {
	return (RUNNER_VERSIONS as readonly number[]).includes(version);
}

/** @throws RangeError for a range deletion below version 7, which alone has it */
export function encodeRunnerToServer(version: RunnerVersion, message: RunnerToServer): Uint8Array {
	if (version < 7 && isRangeDeletion(message)) {
		throw new RangeError(`version ${version} of the runner protocol has no range deletion`);
	}
	switch (version) {
		case 7:
			return encodeBare(v7.writeToServer, message);
		case 6:
			return encodeBare(v6.writeToServer, message as v6.ToServer);
		case 5:
			return encodeBare(v5.writeToServer, message as v5.ToServer);
		case 4:
			return encodeBare(v4.writeToServer, toServerV4(message));
	}
}

/** Throws `message.malformed` and nothing else. */
export function decodeRunnerToServer(version: RunnerVersion, data: Uint8Array): RunnerToServer {
	switch (version) {
		case 7:
			return decodeBare(data, v7.readToServer);
		case 6:
			return decodeBare(data, v6.readToServer);
		case 5:
			return decodeBare(data, v5.readToServer);
		case 4:
			return fromServerV4(decodeBare(data, v4.readToServer));
	}
}

export function encodeRunnerToClient(version: RunnerVersion, message: RunnerToClient): Uint8Array {
	switch (version) {
		case 7:
			return encodeBare(v7.writeToClient, message);
		case 6:
			return encodeBare(v6.writeToClient, message);
		case 5:
			return encodeBare(v5.writeToClient, message);
		case 4:
			return encodeBare(v4.writeToClient, toClientV4(message));
	}
}

/** Throws `message.malformed` and nothing else. */
export function decodeRunnerToClient(version: RunnerVersion, data: Uint8Array): RunnerToClient {
	switch (version) {
		case 7:
			return decodeBare(data, v7.readToClient);
		case 6:
			return decodeBare(data, v6.readToClient);
		case 5:
			return withThresholds(decodeBare(data, v5.readToClient));
		case 4:
			return fromClientV4(decodeBare(data, v4.readToClient));
	}
}

/** What a serverless host says first. */
export interface ServerlessGreeting {
	readonly runnerId: string;
	/** Of the socket that this runner has opened. */
	readonly runnerProtocolVersion: number;
}

/** With its version prefix. Versions 4 to 7 have the same one. */
export function encodeServerlessGreeting(
	version: RunnerVersion,
	{ runnerId, runnerProtocolVersion }: ServerlessGreeting,
): Uint8Array {
	return encodeEnvelope(version, greeting.writeToServerlessServer, {
		tag: "ToServerlessServerInit",
		val: { runnerId, runnerProtocolVersion },
	});
}

const GREETINGS = Object.fromEntries(
	RUNNER_VERSIONS.map((version) => [version, greeting.readToServerlessServer]),
);

/** Throws `message.malformed` and nothing else. */
export function decodeServerlessGreeting(data: Uint8Array): ServerlessGreeting {
	return decodeEnvelope(data, GREETINGS, ({ val }) => val);
}

function isRangeDeletion(message: RunnerToServer): boolean {
	return message.tag === "ToServerKvRequest" && message.val.data.tag === "KvDeleteRangeRequest";
}

function withThresholds(message: v5.ToClient): RunnerToClient {
	if (message.tag !== "ToClientInit") return message;
	const { runnerId, metadata } = message.val;
	return {
		tag: message.tag,
		val: {
			runnerId,
			metadata: {
				...metadata,
				actorStopThreshold: ACTOR_STOP_THRESHOLD_MS,
				serverlessDrainGracePeriod: undefined,
			},
		},
	};
}

function toServerV4(message: RunnerToServer): v4.ToServer {
	if (message.tag !== "ToServerEvents") return message as v4.ToServer;
	const events = message.val.map(({ checkpoint, inner }) => {
		const { actorId, generation } = checkpoint;
		return { checkpoint, inner: { tag: inner.tag, val: { actorId, generation, ...inner.val } } };
	});
	return { tag: message.tag, val: events as v4.ToServerEvents };
}

function fromServerV4(message: v4.ToServer): RunnerToServer {
	switch (message.tag) {
		case "ToServerEvents":
			return { tag: message.tag, val: message.val.map(fromEventV4) };
		case "ToServerAckCommands": {
			const lastCommandCheckpoints = message.val.lastCommandCheckpoints.map(ofAnyGeneration);
			return { tag: message.tag, val: { lastCommandCheckpoints } };
		}
		default:
			return message;
	}
}

function fromEventV4({ checkpoint, inner }: v4.EventWrapper): v7.EventWrapper {
	const { actorId: _, generation, ...val } = inner.val;
	return {
		checkpoint: { ...checkpoint, generation },
		inner: { tag: inner.tag, val } as v7.Event,
	};
}

function toClientV4(message: RunnerToClient): v4.ToClient {
	if (message.tag !== "ToClientCommands") return message;
	const commands = message.val.map(({ checkpoint, inner }): v4.CommandWrapper => {
		const { generation } = checkpoint;
		return inner.tag === "CommandStartActor"
			? { checkpoint, inner: { tag: inner.tag, val: { generation, ...inner.val } } }
			: { checkpoint, inner: { tag: inner.tag, val: { generation } } };
	});
	return { tag: message.tag, val: commands };
}

function fromClientV4(message: v4.ToClient): RunnerToClient {
	switch (message.tag) {
		case "ToClientCommands":
			return { tag: message.tag, val: message.val.map(fromCommandV4) };
		case "ToClientAckEvents": {
			const lastEventCheckpoints = message.val.lastEventCheckpoints.map(ofAnyGeneration);
			return { tag: message.tag, val: { lastEventCheckpoints } };
		}
		default:
			return withThresholds(message);
	}
}

function fromCommandV4({ checkpoint, inner }: v4.CommandWrapper): v7.CommandWrapper {
	const { generation } = inner.val;
	const of = { ...checkpoint, generation };
	if (inner.tag === "CommandStopActor") {
		return { checkpoint: of, inner: { tag: inner.tag, val: undefined } };
	}
	const { config, hibernatingRequests } = inner.val;
	return { checkpoint: of, inner: { tag: inner.tag, val: { config, hibernatingRequests } } };
}

function ofAnyGeneration(checkpoint: v4.ActorCheckpoint): v7.ActorCheckpoint {
	return { ...checkpoint, generation: UNKNOWN_GENERATION };
}
