import { encodeCbor } from "@rivetkit/protocol";
import { encodeWorkflowHistory, type workflow } from "@rivetkit/protocol/inspector";
import type {
	WorkflowHistoryEntry,
	WorkflowHistoryMetadata,
} from "../../actor/workflow-control.types.ts";
import type { HistoryJson } from "./history-json.ts";

/** A history whose values are CBOR, as inspector sockets send it (workflows 11.3). */
export function historyBytes({ nameRegistry, entries, entryMetadata }: HistoryJson): Uint8Array {
	return encodeWorkflowHistory({
		nameRegistry,
		entries: entries.map(({ id, location, kind }) => ({
			id,
			location: location.map((segment) =>
				segment.tag === "WorkflowNameIndex"
					? { tag: "NameIndex", val: segment.val }
					: { tag: "LoopMarker", val: segment.val },
			),
			kind: kindOf(kind),
		})),
		entryMetadata: new Map(
			Object.entries(entryMetadata).map(([id, entry]) => [id, metadataOf(entry)]),
		),
	});
}

function metadataOf({ status, ...entry }: WorkflowHistoryMetadata): workflow.EntryMetadata {
	return {
		status: word(status) as workflow.EntryStatus,
		attempts: entry.attempts,
		lastAttemptAt: entry.lastAttemptAt,
		createdAt: entry.createdAt,
		error: entry.error ?? undefined,
		completedAt: entry.completedAt ?? undefined,
		rollbackCompletedAt: entry.rollbackCompletedAt ?? undefined,
		rollbackError: entry.rollbackError ?? undefined,
	};
}

type Fields = Readonly<Record<string, unknown>>;

const UNDEFINED = encodeCbor(undefined);

function kindOf({ tag, val }: WorkflowHistoryEntry["kind"]): workflow.EntryKind {
	switch (tag) {
		case "WorkflowLoopEntry": {
			const { iteration } = val as { readonly iteration: number };
			const state = bytesIn(val.state) ?? UNDEFINED;
			return { tag: "Loop", val: { state, iteration, output: bytesIn(val.output) } };
		}
		case "WorkflowSleepEntry": {
			const { deadline } = val as { readonly deadline: number };
			return { tag: "Sleep", val: { deadline, state: word(val.state) as workflow.SleepState } };
		}
		case "WorkflowMessageEntry": {
			const messageData = bytesIn(val.messageData) ?? UNDEFINED;
			return { tag: "Message", val: { name: String(val.name), messageData } };
		}
		case "WorkflowRollbackCheckpointEntry":
			return { tag: "RollbackCheckpoint", val: { name: String(val.name) } };
		case "WorkflowJoinEntry":
			return { tag: "Join", val: { branches: branchesIn(val) } };
		case "WorkflowRaceEntry":
			return { tag: "Race", val: { winner: textIn(val.winner), branches: branchesIn(val) } };
		case "WorkflowRemovedEntry": {
			const originalType = String(val.originalType);
			return { tag: "Removed", val: { originalType, originalName: textIn(val.originalName) } };
		}
		// Clients of 2.1.3 know no such kind, and one that they do not know spoils the whole list.
		case "WorkflowVersionCheckEntry":
			return { tag: "Step", val: { output: encodeCbor(val), error: undefined } };
		default:
			return { tag: "Step", val: { output: bytesIn(val.output), error: textIn(val.error) } };
	}
}

function branchesIn({ branches }: Fields): ReadonlyMap<string, workflow.Branch> {
	return new Map(
		Object.entries(branches as Readonly<Record<string, Fields>>).map(
			([name, { status, output, error }]) => [
				name,
				{
					status: word(status) as workflow.BranchStatus,
					output: bytesIn(output),
					error: textIn(error),
				},
			],
		),
	);
}

/** `PENDING` is `Pending` in the protocol's codec. */
function word(status: unknown): string {
	const text = String(status);
	return text.charAt(0) + text.slice(1).toLowerCase();
}

function bytesIn(value: unknown): Uint8Array | undefined {
	return value instanceof Uint8Array ? value : undefined;
}

function textIn(value: unknown): string | undefined {
	return typeof value === "string" ? value : undefined;
}
