/** What travels inside inspector messages as bytes (contract 7.3). */
import { decodeBare, decodeEnvelope, encodeBare, encodeEnvelope } from "../bare/envelope.ts";
import { readTraceRange, type TraceRange, writeTraceRange } from "../generated/trace-range-v1.ts";
import {
	type Entry,
	type EntryMetadata,
	readEntry,
	readEntryMetadata,
	readWorkflowHistory,
	type WorkflowHistory,
	writeWorkflowHistory,
} from "../generated/workflow-history.ts";

const TRACE_RANGE_VERSION = 1;

/** The `payload` of a trace query's answer. */
export function encodeTraceRange(range: TraceRange): Uint8Array {
	return encodeEnvelope(TRACE_RANGE_VERSION, writeTraceRange, range);
}

/** Throws `message.malformed`. Bytes in the result are views of `data`. */
export function decodeTraceRange(data: Uint8Array): TraceRange {
	return decodeEnvelope(data, { [TRACE_RANGE_VERSION]: readTraceRange }, (range) => range);
}

/** The `history` of workflow messages. */
export function encodeWorkflowHistory(history: WorkflowHistory): Uint8Array {
	return encodeBare(writeWorkflowHistory, history);
}

/** Throws `message.malformed`. Bytes in the result are views of `data`. */
export function decodeWorkflowHistory(data: Uint8Array): WorkflowHistory {
	return decodeBare(data, readWorkflowHistory);
}

const STORED_VERSION = 1;

/** An entry as 2.1.3 stores it (contract: workflows 7.6). Throws `message.malformed`. */
export function decodeStoredEntry(data: Uint8Array): Entry {
	return decodeEnvelope(data, { [STORED_VERSION]: readEntry }, (entry) => entry);
}

/** The same for what it stores beside an entry. */
export function decodeStoredEntryMetadata(data: Uint8Array): EntryMetadata {
	return decodeEnvelope(data, { [STORED_VERSION]: readEntryMetadata }, (metadata) => metadata);
}
