import type { WorkflowWait } from "../../actor/workflow-control.types.ts";
import type { StoredRun } from "../../runtime/durable/durable-view.ts";
import { Entry } from "../history/entry.ts";
import { decodeHead, type Head } from "../history/head.ts";
import { pathOf } from "../history/located-entry.ts";
import { decodeKey } from "../history/location.ts";
import type { StoredEntryAt } from "../history/rewind.ts";
import { hasEnded, type ShownWorkflow, scanEntries } from "./shown-workflow.ts";

const NOTHING: ReadonlyMap<Entry, number> = new Map();

/** A workflow of an actor without an incarnation, as its store has it. */
export class StoredWorkflow implements ShownWorkflow {
	readonly revision = null;
	readonly running = NOTHING;
	readonly head: Head | null;
	readonly #stored: StoredRun;

	constructor(stored: StoredRun) {
		this.#stored = stored;
		this.head = stored.head && decodeHead(stored.head);
	}

	get actorId(): string {
		return this.#stored.actorId;
	}

	/** Its process has ended in the middle of something, which goes on with the next one. */
	get isAtWork(): boolean {
		return this.head?.isClean === false;
	}

	get waitingFor(): WorkflowWait[] {
		return (this.head?.waits ?? []).map(({ key, names, deadline }) => ({
			path: pathOf(decodeKey(key)),
			...(names === undefined ? undefined : { names }),
			...(deadline === undefined ? undefined : { deadline }),
		}));
	}

	async entries(): Promise<StoredEntryAt[]> {
		const entries = await scanEntries(this.#stored);
		const { head } = this;
		if (!head || hasEnded(head)) return entries;
		const paths = new Set(entries.map(({ segments }) => pathOf(segments)));
		// Waits for messages have no record before there is one.
		for (const { key, names = null, deadline, since } of head.waits ?? []) {
			const segments = decodeKey(key);
			if (!since || paths.has(pathOf(segments))) continue;
			const data = {
				names: names && [...names],
				count: 1,
				isCompletable: false,
				isBatch: false,
				...(deadline === undefined ? undefined : { deadline }),
			};
			const [sequence, beganAt] = since;
			const entry = new Entry("message", sequence, beganAt, head.epoch, data);
			entries.push({ key, entry, segments });
		}
		return entries;
	}
}
