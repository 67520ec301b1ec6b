import type {
	WorkflowBranchDetails,
	WorkflowEntryDetails,
	WorkflowEntryStatus,
	WorkflowMessageDetails,
} from "../../actor/workflow-control.types.ts";
import { idOf } from "../engine/entry-id.ts";
import type { Entry, StoredMessage } from "../history/entry.ts";
import { type LocatedEntry, pathOf } from "../history/located-entry.ts";
import type { Segment } from "../history/location.ts";
import { named } from "../history/named.ts";
import { publicError } from "../history/stored-error.ts";
import type { ValueForms } from "./value-forms.ts";

export interface EntryDetailsOptions {
	readonly actorId: string;
	/** Null when values are left out. */
	readonly values: ValueForms | null;
	/** Entries to show at most, besides those around them. */
	readonly limit: number;
	/** Steps whose code runs, with the number of the try. */
	readonly running: ReadonlyMap<Entry, number>;
}

export interface ShownEntries {
	readonly entries: WorkflowEntryDetails[];
	/** All that there are, whether they are shown or not. */
	readonly total: number;
	readonly truncated: boolean;
}

/** Entries of a history as a tree, in the order they began. */
export function entryDetails(
	located: readonly LocatedEntry[],
	options: EntryDetailsOptions,
): ShownEntries {
	return new EntryTree(located, options).show();
}

/** Where an entry is among the others. */
interface Place {
	readonly parent: LocatedEntry | null;
	/** What of its parent it lies in. */
	readonly within: Segment | null;
}

class EntryTree {
	readonly #options: EntryDetailsOptions;
	readonly #entries: readonly LocatedEntry[];
	readonly #byPath = new Map<string, LocatedEntry>();
	/** How branches ended whose join or race is under way, by path. */
	readonly #outcomes = new Map<string, Entry<"outcome">>();

	constructor(located: readonly LocatedEntry[], options: EntryDetailsOptions) {
		this.#options = options;
		for (const { segments, entry } of located) {
			if (entry.is("outcome")) this.#outcomes.set(pathOf(segments.slice(0, -1)), entry);
		}
		this.#entries = located
			.filter(({ entry }) => !entry.is("outcome") && !entry.is("start"))
			.sort((a, b) => a.entry.createdSequence - b.entry.createdSequence);
		for (const at of this.#entries) this.#byPath.set(pathOf(at.segments), at);
	}

	show(): ShownEntries {
		const total = this.#entries.length;
		const first = Math.max(0, total - this.#options.limit);
		const around = new Set<LocatedEntry>();
		for (const at of this.#entries.slice(first)) this.#noteAround(at, around);
		const shown = this.#entries.filter((at, index) => index >= first || around.has(at));
		return {
			entries: shown.map((at) => this.#details(at)),
			total,
			truncated: shown.length < total,
		};
	}

	#noteAround(at: LocatedEntry, around: Set<LocatedEntry>): void {
		for (let { parent } = this.#place(at); parent !== null; { parent } = this.#place(parent)) {
			if (around.has(parent)) return;
			around.add(parent);
		}
	}

	#place({ segments }: LocatedEntry): Place {
		for (let length = segments.length - 1; length > 0; length--) {
			const parent = this.#byPath.get(pathOf(segments.slice(0, length)));
			if (parent)
				return { parent, within: length < segments.length - 1 ? segments[length]! : null };
		}
		return { parent: null, within: null };
	}

	#idOf({ segments, entry }: LocatedEntry): string {
		return idOf(this.#options.actorId, entry.epoch, pathOf(segments));
	}

	#details(at: LocatedEntry): WorkflowEntryDetails {
		const { segments, entry } = at;
		const { parent, within } = this.#place(at);
		return {
			id: this.#idOf(at),
			parentId: parent && this.#idOf(parent),
			...(within?.kind === "iteration" ? { iteration: within.iteration } : undefined),
			...(within?.kind === "name" ? { branch: within.name } : undefined),
			name: nameOf(segments.at(-1)!),
			path: pathOf(segments),
			kind: entry.kind as WorkflowEntryDetails["kind"],
			status: this.#status(entry),
			attempts: this.#options.running.get(entry) ?? entry.attempts,
			startedAt: entry.createdAt,
			endedAt: entry.completedAt || null,
			lastAttemptAt: entry.lastAttemptAt || null,
			deadline: deadlineOf(entry),
			error: entry.error && publicError(entry.error),
			rolledBackAt: entry.rollbackCompletedAt || null,
			rollbackError: entry.rollbackError?.message ?? null,
			...this.#ofKind(at),
		};
	}

	#status(entry: Entry): WorkflowEntryStatus {
		if (entry.isFinished) return entry.status;
		if (this.#options.running.has(entry)) return "running";
		switch (entry.kind) {
			case "step":
				return (entry as Entry<"step">).data.retryAt === undefined ? "pending" : "retrying";
			case "sleep":
			case "message":
				return "waiting";
			default:
				return "running";
		}
	}

	#ofKind(at: LocatedEntry): Partial<WorkflowEntryDetails> {
		const { entry } = at;
		if (entry.is("step")) {
			const { output, isCompensable } = entry.data;
			return {
				...(isCompensable ? { isCompensable } : undefined),
				...(entry.status === "completed" ? this.#value("output", output) : undefined),
			};
		}
		if (entry.is("try")) {
			return entry.isFinished ? this.#value("output", entry.data.output) : {};
		}
		if (entry.is("loop")) {
			const { iteration, state, output } = entry.data;
			return {
				currentIteration: iteration,
				...(state === undefined ? undefined : this.#value("state", state)),
				...(entry.isFinished ? this.#value("output", output) : undefined),
			};
		}
		if (entry.is("message")) {
			const { names, messages = [], isCompletable } = entry.data;
			return {
				queues: names,
				messages: messages.map((message) => this.#message(message, isCompletable)),
			};
		}
		if (entry.is("join")) return { branches: this.#joined(at, entry) };
		if (entry.is("race")) return this.#raced(at, entry);
		if (entry.is("version_check")) return { version: entry.data };
		if (entry.is("removed")) return { originalType: entry.data.originalType };
		return {};
	}

	#message(
		{ id, name, createdAt, body, isCompleted }: StoredMessage,
		isCompletable: boolean | null,
	): WorkflowMessageDetails {
		const { values } = this.#options;
		return {
			id,
			queue: name,
			createdAt,
			...(isCompletable ? { isCompleted } : undefined),
			...(values ? { body: values.inner(body) } : undefined),
		};
	}

	#joined({ segments }: LocatedEntry, entry: Entry<"join">): WorkflowBranchDetails[] {
		const { branches, outputs } = entry.data;
		return branches.map((name) => {
			if (!entry.isFinished) return this.#branch(segments, name);
			const error = named(entry.error?.branches, name)?.message ?? null;
			if (error !== null) return { name, status: "failed", error };
			return { name, status: "completed", error, ...this.#value("output", named(outputs, name)) };
		});
	}

	#raced(
		{ segments }: LocatedEntry,
		entry: Entry<"race">,
	): Pick<WorkflowEntryDetails, "branches" | "winner" | "output"> {
		const { branches, winner = null, output } = entry.data;
		if (!entry.isFinished) {
			return { winner, branches: branches.map((name) => this.#branch(segments, name)) };
		}
		const ends = branches.map((name): WorkflowBranchDetails => {
			if (name === winner) return { name, status: "completed", error: null };
			const error = entry.error?.racers?.find((racer) => racer.name === name)?.error ?? null;
			return { name, status: error === null ? "cancelled" : "failed", error };
		});
		const value = winner === null ? undefined : this.#value("output", output);
		return { winner, branches: ends, ...value };
	}

	#branch(segments: readonly Segment[], name: string): WorkflowBranchDetails {
		const outcome = this.#outcomes.get(pathOf([...segments, { kind: "name", name }]));
		if (!outcome) return { name, status: "running", error: null };
		if (outcome.error) return { name, status: "failed", error: outcome.error.message };
		const value = this.#value("output", outcome.data.output);
		return { name, status: "completed", error: null, ...value };
	}

	#value<Name extends string>(
		name: Name,
		bytes: Uint8Array | undefined,
	): { readonly [name in Name]?: unknown } {
		const { values } = this.#options;
		return values === null ? {} : ({ [name]: values.of(bytes) } as never);
	}
}

function nameOf(segment: Segment): string {
	switch (segment.kind) {
		case "name":
			return segment.name;
		case "send":
			return segment.queue;
		default:
			return "";
	}
}

function deadlineOf(entry: Entry): number | null {
	if (entry.is("sleep") || entry.is("message")) return entry.data.deadline ?? null;
	if (entry.is("step") && !entry.isFinished) return entry.data.retryAt ?? null;
	return null;
}
