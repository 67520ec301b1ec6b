import fc from "fast-check";
import type { RunnerToClient, RunnerToServer } from "../../src/runner/index.ts";
import { text } from "./arbitraries.ts";

const u16 = fc.nat({ max: 0xffff });
const u32 = fc.nat({ max: 0xffff_ffff });
const i64 = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, 2 ** 32, -(2 ** 32), 2 ** 53 - 1));
const data = fc.uint8Array({ maxLength: 40 });
const four = fc.uint8Array({ minLength: 4, maxLength: 4 });
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const list = <T>(of: fc.Arbitrary<T>) => fc.array(of, { maxLength: 4 });
const map = <T>(of: fc.Arbitrary<T>) =>
	fc.array(fc.tuple(text, of), { maxLength: 4 }).map((entries) => new Map(entries));
const oneOf = <Message extends { readonly tag: string; readonly val: unknown }>(
	kinds: {
		readonly [Tag in Message["tag"]]: fc.Arbitrary<Extract<Message, { tag: Tag }>["val"]>;
	},
): fc.Arbitrary<Message> =>
	fc.oneof(
		...Object.entries(kinds).map(([tag, val]) =>
			(val as fc.Arbitrary<unknown>).map((value) => ({ tag, val: value }) as unknown as Message),
		),
	);
const nothing = fc.constant(undefined);

type In<Tag extends RunnerToServer["tag"]> = Extract<RunnerToServer, { tag: Tag }>["val"];
type Out<Tag extends RunnerToClient["tag"]> = Extract<RunnerToClient, { tag: Tag }>["val"];
type KvRequest = In<"ToServerKvRequest">["data"];
type KvResponse = Out<"ToClientKvResponse">["data"];
type Event = In<"ToServerEvents">[number]["inner"];
type Command = Out<"ToClientCommands">[number]["inner"];

/** Checkpoints with a generation, as all versions carry them with events and commands. */
const checkpoint = fc.record({ actorId: text, generation: u32, index: i64 });
const headers = map(text);
const exchange = { gatewayId: four, requestId: four };
const messageId = fc.record({ ...exchange, messageIndex: u16 });
const chunk = fc.record({ body: data, finish: fc.boolean() });
const message = fc.record({ data, binary: fc.boolean() });
const entries = fc.record({
	keys: list(data),
	values: list(data),
	metadata: list(fc.record({ version: data, updateTs: i64 })),
});

const kvRequest: fc.Arbitrary<KvRequest> = oneOf<KvRequest>({
	KvGetRequest: fc.record({ keys: list(data) }),
	KvListRequest: fc.record({
		query: oneOf<Extract<KvRequest, { tag: "KvListRequest" }>["val"]["query"]>({
			KvListAll: nothing,
			KvListRange: fc.record({ start: data, end: data, exclusive: fc.boolean() }),
			KvListPrefix: fc.record({ key: data }),
		}),
		reverse: optional(fc.boolean()),
		limit: optional(fc.maxSafeNat()),
	}),
	KvPutRequest: fc.record({ keys: list(data), values: list(data) }),
	KvDeleteRequest: fc.record({ keys: list(data) }),
	KvDeleteRangeRequest: fc.record({ start: data, end: data }),
	KvDropRequest: nothing,
});

const event: fc.Arbitrary<Event> = oneOf<Event>({
	EventActorIntent: fc.record({
		intent: fc.constantFrom(
			{ tag: "ActorIntentSleep", val: undefined } as const,
			{ tag: "ActorIntentStop", val: undefined } as const,
		),
	}),
	EventActorStateUpdate: fc.record({
		state: fc.oneof(
			fc.constant({ tag: "ActorStateRunning", val: undefined } as const),
			fc
				.record({ code: fc.constantFrom("Ok" as const, "Error" as const), message: optional(text) })
				.map((val) => ({ tag: "ActorStateStopped", val }) as const),
		),
	}),
	EventActorSetAlarm: fc.record({ alarmTs: optional(i64) }),
});

export const toServer: fc.Arbitrary<RunnerToServer> = oneOf<RunnerToServer>({
	ToServerInit: fc.record({
		name: text,
		version: u32,
		totalSlots: u32,
		prepopulateActorNames: optional(map(fc.record({ metadata: text }))),
		metadata: optional(text),
	}),
	ToServerEvents: list(fc.record({ checkpoint, inner: event })),
	ToServerAckCommands: fc.record({ lastCommandCheckpoints: list(checkpoint) }),
	ToServerStopping: nothing,
	ToServerPong: fc.record({ ts: i64 }),
	ToServerKvRequest: fc.record({ actorId: text, requestId: u32, data: kvRequest }),
	ToServerTunnelMessage: fc.record({
		messageId,
		messageKind: oneOf<In<"ToServerTunnelMessage">["messageKind"]>({
			ToServerResponseStart: fc.record({
				status: u16,
				headers,
				body: optional(data),
				stream: fc.boolean(),
			}),
			ToServerResponseChunk: chunk,
			ToServerResponseAbort: nothing,
			ToServerWebSocketOpen: fc.record({ canHibernate: fc.boolean() }),
			ToServerWebSocketMessage: message,
			ToServerWebSocketMessageAck: fc.record({ index: u16 }),
			ToServerWebSocketClose: fc.record({
				code: optional(u16),
				reason: optional(text),
				hibernate: fc.boolean(),
			}),
		}),
	}),
});

export const toClient: fc.Arbitrary<RunnerToClient> = oneOf<RunnerToClient>({
	ToClientInit: fc.record({
		runnerId: text,
		metadata: fc.record({
			runnerLostThreshold: i64,
			actorStopThreshold: i64,
			serverlessDrainGracePeriod: optional(i64),
		}),
	}),
	ToClientCommands: list(
		fc.record({
			checkpoint,
			inner: oneOf<Command>({
				CommandStartActor: fc.record({
					config: fc.record({
						name: text,
						key: optional(text),
						createTs: i64,
						input: optional(data),
					}),
					hibernatingRequests: list(fc.record(exchange)),
				}),
				CommandStopActor: nothing,
			}),
		}),
	),
	ToClientAckEvents: fc.record({ lastEventCheckpoints: list(checkpoint) }),
	ToClientKvResponse: fc.record({
		requestId: u32,
		data: oneOf<KvResponse>({
			KvErrorResponse: fc.record({ message: text }),
			KvGetResponse: entries,
			KvListResponse: entries,
			KvPutResponse: nothing,
			KvDeleteResponse: nothing,
			KvDropResponse: nothing,
		}),
	}),
	ToClientTunnelMessage: fc.record({
		messageId,
		messageKind: oneOf<Out<"ToClientTunnelMessage">["messageKind"]>({
			ToClientRequestStart: fc.record({
				actorId: text,
				method: text,
				path: text,
				headers,
				body: optional(data),
				stream: fc.boolean(),
			}),
			ToClientRequestChunk: chunk,
			ToClientRequestAbort: nothing,
			ToClientWebSocketOpen: fc.record({ actorId: text, path: text, headers }),
			ToClientWebSocketMessage: message,
			ToClientWebSocketClose: fc.record({ code: optional(u16), reason: optional(text) }),
		}),
	}),
	ToClientPing: fc.record({ ts: i64 }),
});
