import type {
	WorkflowHistoryEntry,
	WorkflowHistoryMetadata,
	WorkflowHistorySegment,
} from "../../actor/workflow-control.types.ts";
import { idOf } from "../engine/entry-id.ts";
import type { Entry } from "../history/entry.ts";
import { type LocatedEntry, pathOf } from "../history/located-entry.ts";
import type { Segment } from "../history/location.ts";
import { named } from "../history/named.ts";
import { PLAIN, type ValueForms } from "./value-forms.ts";

export interface HistoryJson {
	readonly nameRegistry: string[];
	readonly entries: WorkflowHistoryEntry[];
	readonly entryMetadata: Record<string, WorkflowHistoryMetadata>;
}

/** History in the shape that inspectors know (workflows 11.2). */
export function historyJson(
	actorId: string,
	located: readonly LocatedEntry[],
	values: ValueForms = PLAIN,
): HistoryJson {
	return new Builder(actorId, located, values).build();
}

class Builder {
	readonly #actorId: string;
	readonly #located: readonly LocatedEntry[];
	readonly #values: ValueForms;
	readonly #names = new Map<string, number>();
	readonly #entries: WorkflowHistoryEntry[] = [];
	readonly #metadata: Record<string, WorkflowHistoryMetadata> = {};
	/** How branches ended whose join or race is under way, by path. */
	readonly #outcomes = new Map<string, Entry<"outcome">>();

	constructor(actorId: string, located: readonly LocatedEntry[], values: ValueForms) {
		this.#actorId = actorId;
		this.#values = values;
		this.#located = [...located].sort((a, b) => a.entry.createdSequence - b.entry.createdSequence);
	}

	build(): HistoryJson {
		for (const { segments, entry } of this.#located) {
			if (entry.is("outcome")) this.#outcomes.set(pathOf(segments.slice(0, -1)), entry);
		}
		for (const { segments, entry } of this.#located) this.#add(segments, entry);
		return {
			nameRegistry: [...this.#names.keys()],
			entries: this.#entries,
			entryMetadata: this.#metadata,
		};
	}

	#add(segments: readonly Segment[], entry: Entry): void {
		if (entry.is("message")) {
			this.#addWait(segments, entry);
			return;
		}
		const kind = this.#kindOf(segments, entry);
		if (kind) this.#push(segments, entry, kind);
	}

	#push(
		segments: readonly Segment[],
		entry: Entry,
		kind: WorkflowHistoryEntry["kind"],
		status = entry.status,
	): void {
		const id = idOf(this.#actorId, entry.epoch, pathOf(segments));
		this.#entries.push({ id, location: this.#location(segments), kind });
		this.#metadata[id] = {
			status: upper(
				status === "cancelled" ? "failed" : status,
			) as WorkflowHistoryMetadata["status"],
			error: entry.error?.message ?? null,
			attempts: entry.attempts,
			lastAttemptAt: entry.lastAttemptAt,
			createdAt: entry.createdAt,
			completedAt: entry.completedAt || null,
			rollbackCompletedAt: entry.rollbackCompletedAt || null,
			rollbackError: entry.rollbackError?.message ?? null,
		};
	}

	/** As dashboards know it: the count, the deadline and each message under a name of its own. */
	#addWait(segments: readonly Segment[], entry: Entry<"message">): void {
		const { messages, deadline } = entry.data;
		const last = segments.at(-1)!;
		if (last.kind !== "name") return;
		const part = (suffix: string): Segment[] => [
			...segments.slice(0, -1),
			{ kind: "name", name: `${last.name}:${suffix}` },
		];
		if (deadline !== undefined) {
			const state =
				messages === undefined ? "PENDING" : messages.length > 0 ? "INTERRUPTED" : "COMPLETED";
			this.#push(part("deadline"), entry, { tag: "WorkflowSleepEntry", val: { deadline, state } });
		}
		if (!messages) return;
		this.#push(part("count"), entry, {
			tag: "WorkflowMessageEntry",
			val: { name: `${last.name}:count`, messageData: this.#values.made(messages.length) },
		});
		for (const [index, { id, name, body, createdAt, isCompleted }] of messages.entries()) {
			const messageData = this.#values.made({
				__rivetWorkflowQueueMessage: 1,
				id,
				name,
				body: this.#values.inner(body),
				createdAt,
				completed: isCompleted,
			});
			const val = { name: `${last.name}:${index}`, messageData };
			this.#push(part(String(index)), entry, { tag: "WorkflowMessageEntry", val });
		}
	}

	#kindOf(segments: readonly Segment[], entry: Entry): WorkflowHistoryEntry["kind"] | null {
		const error = entry.error?.message ?? null;
		if (entry.is("step")) {
			return {
				tag: "WorkflowStepEntry",
				val: { output: this.#values.of(entry.data.output), error },
			};
		}
		if (entry.is("try")) {
			return {
				tag: "WorkflowStepEntry",
				val: { output: this.#values.of(entry.data.output), error },
			};
		}
		if (entry.is("loop")) {
			const { state, iteration, output } = entry.data;
			const val = { state: this.#values.of(state), iteration, output: this.#values.of(output) };
			return { tag: "WorkflowLoopEntry", val };
		}
		if (entry.is("sleep")) {
			const { deadline } = entry.data;
			const state = entry.isFinished ? "COMPLETED" : "PENDING";
			return { tag: "WorkflowSleepEntry", val: { deadline, state } };
		}
		if (entry.is("rollback_checkpoint")) {
			const last = segments.at(-1)!;
			const name = last.kind === "name" ? last.name : "";
			return { tag: "WorkflowRollbackCheckpointEntry", val: { name } };
		}
		if (entry.is("join")) return this.#join(segments, entry);
		if (entry.is("race")) return this.#race(segments, entry);
		if (entry.is("removed")) {
			const { originalType } = entry.data;
			return { tag: "WorkflowRemovedEntry", val: { originalType, originalName: null } };
		}
		if (entry.is("version_check")) {
			const { resolved, latest } = entry.data;
			return { tag: "WorkflowVersionCheckEntry", val: { resolved, latest } };
		}
		return null;
	}

	#join(segments: readonly Segment[], entry: Entry<"join">): WorkflowHistoryEntry["kind"] {
		const { branches, outputs } = entry.data;
		const ends = branches.map((name): [string, object] => {
			if (outputs === undefined) return [name, this.#branch(segments, name)];
			const error = named(entry.error?.branches, name)?.message;
			if (error !== undefined) return [name, { status: "FAILED", output: null, error }];
			return [
				name,
				{ status: "COMPLETED", output: this.#values.of(named(outputs, name)), error: null },
			];
		});
		return { tag: "WorkflowJoinEntry", val: { branches: Object.fromEntries(ends) } };
	}

	#race(segments: readonly Segment[], entry: Entry<"race">): WorkflowHistoryEntry["kind"] {
		const { branches, winner, output } = entry.data;
		const ends = branches.map((name): [string, object] => {
			if (!entry.isFinished) return [name, this.#branch(segments, name)];
			if (name === winner) {
				return [name, { status: "COMPLETED", output: this.#values.of(output), error: null }];
			}
			const error = entry.error?.racers?.find((racer) => racer.name === name)?.error ?? null;
			return [name, { status: error === null ? "CANCELLED" : "FAILED", output: null, error }];
		});
		const val = { winner: winner ?? null, branches: Object.fromEntries(ends) };
		return { tag: "WorkflowRaceEntry", val };
	}

	#branch(segments: readonly Segment[], name: string): object {
		const outcome = this.#outcomes.get(pathOf([...segments, { kind: "name", name }]));
		if (!outcome) return { status: "RUNNING", output: null, error: null };
		return {
			status: upper(outcome.status),
			output: this.#values.of(outcome.data.output),
			error: outcome.error?.message ?? null,
		};
	}

	#location(segments: readonly Segment[]): WorkflowHistorySegment[] {
		let loop = 0;
		return segments.flatMap((segment): WorkflowHistorySegment[] => {
			if (segment.kind === "name") {
				loop = this.#nameIndex(segment.name);
				return [{ tag: "WorkflowNameIndex", val: loop }];
			}
			if (segment.kind !== "iteration") return [];
			const { iteration } = segment;
			return [{ tag: "WorkflowLoopIterationMarker", val: { loop, iteration } }];
		});
	}

	#nameIndex(name: string): number {
		const known = this.#names.get(name);
		if (known !== undefined) return known;
		this.#names.set(name, this.#names.size);
		return this.#names.size - 1;
	}
}

const upper = (text: string) => text.toUpperCase();
