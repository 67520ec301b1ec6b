import type { WorkflowWait } from "../../actor/workflow-control.types.ts";
import type { WorkflowEngine } from "../engine/engine.ts";
import type { Entry } from "../history/entry.ts";
import type { Head } from "../history/head.ts";
import { Put } from "../history/journal.ts";
import { decodeKey } from "../history/location.ts";
import type { StoredEntryAt } from "../history/rewind.ts";
import { type ShownWorkflow, scanEntries } from "./shown-workflow.ts";

/** A workflow of an incarnation: what is stored, under what is on its way there. */
export class LiveWorkflow implements ShownWorkflow {
	readonly #engine: WorkflowEngine;

	constructor(engine: WorkflowEngine) {
		this.#engine = engine;
	}

	get actorId(): string {
		return this.#engine.host.actorId;
	}

	get head(): Head | null {
		const { head } = this.#engine;
		return head.state === "pending" ? null : head;
	}

	get revision(): string {
		const { journal, head, execution, isBusy } = this.#engine;
		const parts = [journal.writes, head.state, isBusy, execution?.waits.size];
		return [...parts, execution?.attempts.size].join(" ");
	}

	get isAtWork(): boolean {
		return this.#engine.isBusy;
	}

	get waitingFor(): readonly WorkflowWait[] {
		return this.#engine.waitingFor;
	}

	get running(): ReadonlyMap<Entry, number> {
		const running = new Map<Entry, number>();
		for (const { at, number, isOpen } of this.#engine.execution?.attempts ?? []) {
			if (at && isOpen) running.set(at.entry, number);
		}
		return running;
	}

	async entries(): Promise<StoredEntryAt[]> {
		const { journal, host } = this.#engine;
		// A commit may end while the store is read.
		const before = journal.pending;
		const entries = new Map<string, StoredEntryAt>();
		for (const at of await scanEntries(host)) entries.set(textOf(at.key), at);
		for (const write of [...before, ...journal.pending]) apply(write, entries);
		for (const at of this.#unrecorded()) entries.set(textOf(at.key), at);
		return [...entries.values()];
	}

	/** Steps that run for the first time, and waits for messages, have no record yet. */
	*#unrecorded(): Iterable<StoredEntryAt> {
		const { execution } = this.#engine;
		if (!execution) return;
		for (const { at, isOpen } of execution.attempts) {
			if (at && isOpen) yield located(at.key, at.entry);
		}
		for (const { entry, location, name } of execution.waits) {
			if (entry) yield located(location.namedKey(name), entry);
		}
	}
}

function located(key: Uint8Array, entry: Entry): StoredEntryAt {
	return { key, entry, segments: decodeKey(key) };
}

function apply(
	write: WorkflowEngine["journal"]["pending"][number],
	entries: Map<string, StoredEntryAt>,
): void {
	if (write instanceof Put) {
		if (!write.entry.isGone) entries.set(textOf(write.key), located(write.key, write.entry));
		return;
	}
	if (write.op !== "deleteRange") return;
	const start = textOf(write.start);
	const end = write.end && textOf(write.end);
	for (const key of entries.keys()) {
		if (key >= start && (end === null || key < end)) entries.delete(key);
	}
}

/** Ordered as the bytes are. */
function textOf(key: Uint8Array): string {
	return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
