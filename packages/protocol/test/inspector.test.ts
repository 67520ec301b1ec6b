import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeEnvelope } from "../src/bare/envelope.ts";
import * as v1 from "../src/generated/inspector-v1.ts";
import {
	applyStateSplice,
	decodeInspectorToClient,
	decodeInspectorToServer,
	decodeTraceRange,
	decodeWorkflowHistory,
	encodeInspectorToClient,
	encodeInspectorToServer,
	encodeTraceRange,
	encodeWorkflowHistory,
	INSPECTOR_EXTENDED_VERSION,
	type InspectorToClient,
	type InspectorToServer,
	type InspectorVersion,
	spliceBetween,
	type trace,
	type workflow,
} from "../src/inspector/index.ts";
import { id, text } from "./support/arbitraries.ts";
import { toHex } from "./support/hex.ts";
import { isMalformed, returnsOrIsMalformed } from "./support/malformed.ts";
import { expectSame } from "./support/same.ts";

const EXTENDED = INSPECTOR_EXTENDED_VERSION;
const VERSIONS: readonly InspectorVersion[] = [1, 2, 3, 4, 5, 6, EXTENDED];
const data = fc.uint8Array({ maxLength: 12 });
const flag = fc.boolean();
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const list = <T>(value: fc.Arbitrary<T>) => fc.array(value, { maxLength: 3 });
const rec = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
	fc.record<T>(model, { noNullPrototype: true } as never);

const connection = rec({ id: text, details: data });
const schedule = rec({
	id: text,
	name: maybe(text),
	kind: text,
	action: text,
	args: data,
	nextRunAt: id,
	lastRunAt: maybe(id),
	expression: maybe(text),
	timezone: maybe(text),
	intervalMs: maybe(id),
	maxHistory: maybe(id),
});
const fire = rec({
	action: text,
	scheduledAt: id,
	firedAt: id,
	finishedAt: maybe(id),
	result: text,
	error: maybe(rec({ group: text, code: text, message: text, metadata: maybe(data) })),
});
const history = { rid: id, history: maybe(data), isWorkflowEnabled: flag };
const status = rec({
	size: id,
	maxSize: id,
	messages: list(rec({ id, name: text, createdAtMs: id })),
	truncated: flag,
});

/** Fields of each message, and the versions it exists in. */
const TO_CLIENT: { [T in InspectorToClient["tag"]]: [InspectorVersion, fc.Arbitrary<object>] } = {
	StateResponse: [1, rec({ rid: id, state: maybe(data), isStateEnabled: flag })],
	ConnectionsResponse: [1, rec({ rid: id, connections: list(connection) })],
	ActionResponse: [1, rec({ rid: id, output: data })],
	ConnectionsUpdated: [1, rec({ connections: list(connection) })],
	StateUpdated: [1, rec({ state: data })],
	RpcsListResponse: [1, rec({ rid: id, rpcs: list(text) })],
	Error: [1, rec({ message: text })],
	Init: [
		6,
		rec({
			connections: list(connection),
			state: maybe(data),
			isStateEnabled: flag,
			rpcs: list(text),
			isDatabaseEnabled: flag,
			queueSize: id,
			workflowHistory: maybe(data),
			isWorkflowEnabled: flag,
			tabConfig: list(rec({ id: text, label: maybe(text), icon: maybe(text), hidden: flag })),
			schedules: list(schedule),
		}),
	],
	QueueUpdated: [2, rec({ queueSize: id })],
	QueueResponse: [2, rec({ rid: id, status })],
	WorkflowHistoryUpdated: [2, rec({ history: data })],
	WorkflowHistoryResponse: [2, rec(history)],
	TraceQueryResponse: [2, rec({ rid: id, payload: data })],
	DatabaseSchemaResponse: [3, rec({ rid: id, schema: data })],
	DatabaseTableRowsResponse: [3, rec({ rid: id, result: data })],
	WorkflowReplayResponse: [4, rec(history)],
	SchedulesUpdated: [6, rec({ schedules: list(schedule) })],
	SchedulesResponse: [6, rec({ rid: id, schedules: list(schedule) })],
	ScheduleHistoryResponse: [6, rec({ rid: id, scheduleId: text, history: list(fire) })],
	ScheduleDeleteResponse: [6, rec({ rid: id, scheduleId: text, deleted: flag })],
	FollowResponse: [EXTENDED, rec({ rid: id })],
	StateSpliced: [EXTENDED, rec({ at: id, removed: id, inserted: data })],
	EventsAdded: [
		EXTENDED,
		rec({
			events: list(
				rec({ id, atMs: id, name: text, args: maybe(data), subscribers: id, connId: maybe(text) }),
			),
		}),
	],
	LogsAdded: [
		EXTENDED,
		rec({
			logs: list(
				rec({
					id,
					atMs: id,
					level: text,
					message: text,
					fields: text,
					traceId: maybe(text),
					spanId: maybe(text),
				}),
			),
		}),
	],
	EntriesDropped: [EXTENDED, rec({ topic: text, count: maybe(id) })],
};

const TO_SERVER: { [T in InspectorToServer["tag"]]: [InspectorVersion, fc.Arbitrary<object>] } = {
	PatchStateRequest: [1, rec({ state: data })],
	StateRequest: [1, rec({ id })],
	ConnectionsRequest: [1, rec({ id })],
	ActionRequest: [1, rec({ id, name: text, args: data })],
	RpcsListRequest: [1, rec({ id })],
	TraceQueryRequest: [2, rec({ id, startMs: id, endMs: id, limit: id })],
	QueueRequest: [2, rec({ id, limit: id })],
	WorkflowHistoryRequest: [2, rec({ id })],
	DatabaseSchemaRequest: [3, rec({ id })],
	DatabaseTableRowsRequest: [3, rec({ id, table: text, limit: id, offset: id })],
	WorkflowReplayRequest: [4, rec({ id, entryId: maybe(text) })],
	SchedulesRequest: [6, rec({ id })],
	ScheduleHistoryRequest: [6, rec({ id, scheduleId: text, limit: id })],
	ScheduleDeleteRequest: [6, rec({ id, scheduleId: text, kind: text })],
	FollowRequest: [EXTENDED, rec({ id, events: flag, logs: flag, after: maybe(id) })],
};

function messagesOf<M>(table: object, version: InspectorVersion): fc.Arbitrary<M> {
	const rows = Object.entries(table as Record<string, [InspectorVersion, fc.Arbitrary<object>]>);
	const known = rows.filter(([, [since]]) => since <= version);
	return fc.oneof(
		...known.map(([tag, [, val]]) => val.map((fields) => ({ tag, val: fields }) as M)),
	);
}

describe.each(VERSIONS)("version %d", (version) => {
	it("decode undoes encode, both directions", () => {
		fc.assert(
			fc.property(messagesOf<InspectorToClient>(TO_CLIENT, version), (message) => {
				const bytes = encodeInspectorToClient(version, message);
				expect([bytes[0], bytes[1]]).toEqual([version & 0xff, version >> 8]);
				expectSame(decodeInspectorToClient(bytes), { version, message });
				isMalformed(() => decodeInspectorToClient(new Uint8Array([...bytes, 0])));
			}),
			{ numRuns: 300 },
		);
		fc.assert(
			fc.property(messagesOf<InspectorToServer>(TO_SERVER, version), (message) => {
				const bytes = encodeInspectorToServer(version, message);
				expectSame(decodeInspectorToServer(bytes), { version, message });
				isMalformed(() => decodeInspectorToServer(bytes.subarray(0, bytes.length - 1)));
			}),
			{ numRuns: 300 },
		);
	});

	it("Init loses what the version lacks, and gets it back as absent", () => {
		const init = {
			connections: [{ id: "c", details: new Uint8Array([0xa0]) }],
			state: new Uint8Array([0xf6]),
			isStateEnabled: true,
			rpcs: ["add"],
			isDatabaseEnabled: true,
			queueSize: version >= 2 ? 3 : 0,
			workflowHistory: version >= 2 ? new Uint8Array([1]) : undefined,
			isWorkflowEnabled: version >= 2,
			tabConfig: version >= 5 ? [{ id: "t", label: "T", icon: undefined, hidden: false }] : [],
			schedules: [],
		};
		const whole = {
			...init,
			queueSize: 3,
			workflowHistory: new Uint8Array([1]),
			isWorkflowEnabled: true,
			tabConfig: [{ id: "t", label: "T", icon: undefined, hidden: false }],
		};
		const decoded = decodeInspectorToClient(
			encodeInspectorToClient(version, { tag: "Init", val: whole }),
		);
		expect(decoded).toEqual({ version, message: { tag: "Init", val: init } });
	});

	it("what the version lacks turns into its Error, or is refused towards servers", () => {
		for (const [tag, [since, val]] of Object.entries(TO_CLIENT)) {
			if (since <= version || tag === "Init") continue;
			const [fields] = fc.sample(val, 1);
			const { message } = decodeInspectorToClient(
				encodeInspectorToClient(version, { tag, val: fields } as InspectorToClient),
			);
			expect(message.tag).toBe("Error");
			expect(message.val).toEqual({
				message: expect.stringMatching(
					/^inspector\.(queue|workflow_history|trace|database|schedules|state|events|logs)_dropped$/,
				),
			});
		}
		for (const [tag, [since, val]] of Object.entries(TO_SERVER)) {
			if (since <= version) continue;
			const [fields] = fc.sample(val, 1);
			expect(() =>
				encodeInspectorToServer(version, { tag, val: fields } as InspectorToServer),
			).toThrow(expect.objectContaining({ group: "feature", code: "unsupported" }));
		}
	});

	it("random bytes decode or are malformed", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
				const frame = new Uint8Array([version & 0xff, version >> 8, ...bytes]);
				returnsOrIsMalformed(() => decodeInspectorToClient(frame));
				returnsOrIsMalformed(() => decodeInspectorToServer(frame));
			}),
			{ numRuns: 500 },
		);
	});
});

describe("tags by version (7.3, 8.8)", () => {
	const tagOf = (version: InspectorVersion, tag: string) => {
		const [, val] = (TO_CLIENT as Record<string, [number, fc.Arbitrary<object>]>)[tag] ?? fail();
		const [fields] = fc.sample(val, 1);
		return encodeInspectorToClient(version, { tag, val: fields } as InspectorToClient)[2];
	};
	const fail = (): never => {
		throw new Error("unknown tag");
	};

	it.each<[InspectorVersion, string]>([
		[
			1,
			"StateResponse ConnectionsResponse - ActionResponse ConnectionsUpdated - StateUpdated RpcsListResponse Error Init",
		],
		[
			2,
			"StateResponse ConnectionsResponse ActionResponse ConnectionsUpdated QueueUpdated StateUpdated WorkflowHistoryUpdated RpcsListResponse TraceQueryResponse QueueResponse WorkflowHistoryResponse Error Init",
		],
		[
			3,
			"StateResponse ConnectionsResponse ActionResponse ConnectionsUpdated QueueUpdated StateUpdated WorkflowHistoryUpdated RpcsListResponse TraceQueryResponse QueueResponse WorkflowHistoryResponse Error Init DatabaseSchemaResponse DatabaseTableRowsResponse",
		],
		[
			4,
			"StateResponse ConnectionsResponse ActionResponse ConnectionsUpdated QueueUpdated StateUpdated WorkflowHistoryUpdated RpcsListResponse TraceQueryResponse QueueResponse WorkflowHistoryResponse WorkflowReplayResponse Error Init DatabaseSchemaResponse DatabaseTableRowsResponse",
		],
		[
			6,
			"StateResponse ConnectionsResponse ActionResponse ConnectionsUpdated QueueUpdated StateUpdated WorkflowHistoryUpdated SchedulesUpdated RpcsListResponse TraceQueryResponse QueueResponse WorkflowHistoryResponse WorkflowReplayResponse SchedulesResponse ScheduleHistoryResponse ScheduleDeleteResponse Error Init DatabaseSchemaResponse DatabaseTableRowsResponse",
		],
	])("to clients of version %d", (version, tags) => {
		for (const [index, tag] of tags.split(" ").entries()) {
			if (tag !== "-") expect(tagOf(version, tag), tag).toBe(index);
		}
	});

	it.each<[InspectorVersion, string]>([
		[1, "PatchStateRequest StateRequest ConnectionsRequest ActionRequest - - RpcsListRequest"],
		[
			3,
			"PatchStateRequest StateRequest ConnectionsRequest ActionRequest RpcsListRequest TraceQueryRequest QueueRequest WorkflowHistoryRequest DatabaseSchemaRequest DatabaseTableRowsRequest",
		],
		[
			4,
			"PatchStateRequest StateRequest ConnectionsRequest ActionRequest RpcsListRequest TraceQueryRequest QueueRequest WorkflowHistoryRequest WorkflowReplayRequest DatabaseSchemaRequest DatabaseTableRowsRequest",
		],
		[
			6,
			"PatchStateRequest StateRequest ConnectionsRequest ActionRequest RpcsListRequest TraceQueryRequest QueueRequest WorkflowHistoryRequest WorkflowReplayRequest DatabaseSchemaRequest DatabaseTableRowsRequest SchedulesRequest ScheduleHistoryRequest ScheduleDeleteRequest",
		],
	])("to servers of version %d", (version, tags) => {
		for (const [index, tag] of tags.split(" ").entries()) {
			if (tag === "-") continue;
			const [, val] = (TO_SERVER as Record<string, [number, fc.Arbitrary<object>]>)[tag] ?? fail();
			const [fields] = fc.sample(val, 1);
			const message = { tag, val: fields } as InspectorToServer;
			expect(encodeInspectorToServer(version, message)[2], tag).toBe(index);
		}
	});

	it("messages has its place before truncated", () => {
		const bytes = encodeInspectorToClient(3, {
			tag: "QueueResponse",
			val: {
				rid: 1,
				status: {
					size: 2,
					maxSize: 3,
					truncated: true,
					messages: [{ id: 4, name: "q", createdAtMs: 5 }],
				},
			},
		});
		expect(toHex(bytes)).toBe("0300 09 01 02 03 01 04 0171 05 01".replaceAll(" ", ""));
	});

	it("the event messages of version 1 are dropped", () => {
		const events = encodeEnvelope(1, v1.writeToClient, {
			body: { tag: "EventsUpdated", val: { events: [] } },
		});
		expect(decodeInspectorToClient(events).message).toEqual({
			tag: "Error",
			val: { message: "inspector.events_dropped" },
		});
		for (const tag of ["EventsRequest", "ClearEventsRequest"] as const) {
			const request = encodeEnvelope(1, v1.writeToServer, { body: { tag, val: { id: 1 } } });
			expect(decodeInspectorToServer(request)).toEqual({
				version: 1,
				message: {
					tag: "Dropped",
					val: { tag: "Error", val: { message: "inspector.events_dropped" } },
				},
			});
		}
	});

	it("text and unknown versions are malformed", () => {
		isMalformed(() => decodeInspectorToServer("text"));
		for (const bytes of [[], [3], [0, 0], [7, 0], [0, 3]]) {
			isMalformed(() => decodeInspectorToServer(new Uint8Array(bytes)));
			isMalformed(() => decodeInspectorToClient(new Uint8Array(bytes)));
		}
	});
});

describe("payloads (7.3)", () => {
	const u32 = fc.nat({ max: 2 ** 32 - 1 });
	const attributes = list(rec({ key: u32, value: data }));
	const spanStatus = maybe(
		rec({ code: fc.constantFrom<trace.StatusCode>("Unset", "Ok", "Error"), message: maybe(text) }),
	);
	const link = rec({
		traceId: data,
		spanId: data,
		traceState: maybe(text),
		attributes,
		droppedAttributesCount: u32,
	});
	const start = {
		traceId: data,
		spanId: data,
		parentSpanId: maybe(data),
		name: u32,
		kind: u32,
		traceState: maybe(text),
		flags: u32,
		attributes,
		droppedAttributesCount: u32,
		links: list(link),
		droppedLinksCount: u32,
	};
	const tagged = <T extends string>(tag: T, val: fc.Arbitrary<object>) =>
		val.map((fields) => ({ tag, val: fields }));
	const body = fc.oneof(
		tagged("Start", rec(start)),
		tagged("Event", rec({ spanId: data, name: u32, attributes, droppedAttributesCount: u32 })),
		tagged(
			"Update",
			rec({ spanId: data, attributes, droppedAttributesCount: u32, status: spanStatus }),
		),
		tagged("End", rec({ spanId: data, status: spanStatus })),
		tagged("Snapshot", rec({ ...start, startTimeUnixNs: id, status: spanStatus })),
	);
	const recordKey = rec({ prefix: u32, bucketStartSec: id, chunkId: u32, recordIndex: u32 });
	const chunk = rec({
		baseUnixNs: id,
		strings: list(text),
		records: list(rec({ timeOffsetNs: id, body })),
		activeSpans: list(
			rec({ spanId: data, startKey: recordKey, latestSnapshotKey: maybe(recordKey) }),
		),
	});

	it("any range of traces comes back", () => {
		const range = rec({
			startTimeMs: id,
			endTimeMs: id,
			limit: u32,
			clamped: flag,
			baseChunks: list(chunk),
			chunks: list(chunk),
		}) as fc.Arbitrary<unknown> as fc.Arbitrary<trace.TraceRange>;
		fc.assert(
			fc.property(range, (value) => expectSame(decodeTraceRange(encodeTraceRange(value)), value)),
		);
	});

	it("an empty range has 25 bytes", () => {
		const empty = encodeTraceRange({
			startTimeMs: 1,
			endTimeMs: 2,
			limit: 3,
			clamped: false,
			baseChunks: [],
			chunks: [],
		});
		expect(toHex(empty)).toBe(
			"0100 0100000000000000 0200000000000000 03000000 00 00 00".replaceAll(" ", ""),
		);
		expect(empty).toHaveLength(25);
	});

	it("any workflow history comes back", () => {
		const branches = list(
			fc.tuple(
				text,
				rec({
					status: fc.constantFrom<workflow.BranchStatus>(
						"Pending",
						"Running",
						"Completed",
						"Failed",
						"Cancelled",
					),
					output: maybe(data),
					error: maybe(text),
				}),
			),
		).map((entries) => new Map(entries));
		const kind = fc.oneof(
			tagged("Step", rec({ output: maybe(data), error: maybe(text) })),
			tagged("Loop", rec({ state: data, iteration: u32, output: maybe(data) })),
			tagged(
				"Sleep",
				rec({
					deadline: id,
					state: fc.constantFrom<workflow.SleepState>("Pending", "Completed", "Interrupted"),
				}),
			),
			tagged("Message", rec({ name: text, messageData: data })),
			tagged("RollbackCheckpoint", rec({ name: text })),
			tagged("Join", rec({ branches })),
			tagged("Race", rec({ winner: maybe(text), branches })),
			tagged("Removed", rec({ originalType: text, originalName: maybe(text) })),
		);
		const segment = fc.oneof(
			u32.map((val) => ({ tag: "NameIndex" as const, val })),
			tagged("LoopMarker", rec({ loop: u32, iteration: u32 })),
		);
		const metadata = rec({
			status: fc.constantFrom<workflow.EntryStatus>(
				"Pending",
				"Running",
				"Completed",
				"Failed",
				"Exhausted",
			),
			error: maybe(text),
			attempts: u32,
			lastAttemptAt: id,
			createdAt: id,
			completedAt: maybe(id),
			rollbackCompletedAt: maybe(id),
			rollbackError: maybe(text),
		});
		const history = rec({
			nameRegistry: list(text),
			entries: list(rec({ id: text, location: list(segment), kind })),
			entryMetadata: list(fc.tuple(text, metadata)).map((entries) => new Map(entries)),
		}) as fc.Arbitrary<unknown> as fc.Arbitrary<workflow.WorkflowHistory>;
		fc.assert(
			fc.property(history, (value) =>
				expectSame(decodeWorkflowHistory(encodeWorkflowHistory(value)), value),
			),
		);
		isMalformed(() => decodeWorkflowHistory(new Uint8Array([0, 0])));
		isMalformed(() => decodeWorkflowHistory(new Uint8Array([0, 0, 0, 0])));
	});
});

describe("splices of states", () => {
	it("lead from one state to the next, and carry no more than the whole does", () => {
		const part = fc.uint8Array({ maxLength: 40 });
		fc.assert(
			fc.property(part, part, part, part, (begin, before, after, end) => {
				const [from, to] = [
					new Uint8Array([...begin, ...before, ...end]),
					new Uint8Array([...begin, ...after, ...end]),
				];
				const splice = spliceBetween(from, to);
				const shared = begin.byteLength + end.byteLength;
				if (splice === null) {
					expect(shared).toBeLessThan(16);
					return;
				}
				expect(splice.inserted.byteLength).toBeLessThanOrEqual(after.byteLength);
				expectSame(applyStateSplice(from, splice), to);
			}),
		);
	});

	it("of another state are malformed", () => {
		const splice = { at: 3, removed: 2n, inserted: new Uint8Array(1) };
		expect(applyStateSplice(new Uint8Array(5), splice).byteLength).toBe(4);
		isMalformed(() => applyStateSplice(new Uint8Array(4), splice));
	});
});
