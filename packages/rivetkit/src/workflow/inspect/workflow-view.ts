import type { WorkflowDetails, WorkflowHistory } from "../../actor/workflow-control.types.ts";
import type { DetailsOptions, DurableView, ValueForm } from "../../runtime/durable/durable-view.ts";
import type { Head } from "../history/head.ts";
import { entryDetails } from "./entry-details.ts";
import { historyBytes } from "./history-bytes.ts";
import { historyJson } from "./history-json.ts";
import { plainJson } from "./plain-json.ts";
import { type ShownWorkflow, statusOf } from "./shown-workflow.ts";
import { ENCODED, EXACT, PLAIN } from "./value-forms.ts";

const FORMS = { plain: PLAIN, exact: EXACT } as const;

/** It runs, and nothing has come of it: without entries, nothing is recorded (workflows 11.1). */
const hasNothingToTell = (head: Head) =>
	(head.state === "pending" || head.state === "running") && !head.blocked && !head.isPaused;

/** A workflow as inspectors see it (workflows 11). */
export class WorkflowView implements DurableView {
	readonly #shown: ShownWorkflow;

	constructor(shown: ShownWorkflow) {
		this.#shown = shown;
	}

	get revision(): string | null {
		return this.#shown.revision;
	}

	async history(form: ValueForm): Promise<WorkflowHistory | null> {
		const shown = this.#shown;
		if (!shown.head) return null;
		const entries = await shown.entries();
		if (entries.length === 0 && hasNothingToTell(shown.head)) return null;
		const { output: _, ...workflow } = statusOf(shown.head, shown);
		return {
			...historyJson(shown.actorId, entries, FORMS[form]),
			workflow: { ...workflow, liveEntries: entries.length },
		};
	}

	async bytes(): Promise<Uint8Array | undefined> {
		const shown = this.#shown;
		if (!shown.head) return undefined;
		const entries = await shown.entries();
		if (entries.length === 0 && hasNothingToTell(shown.head)) return undefined;
		return historyBytes(historyJson(shown.actorId, entries, ENCODED));
	}

	async details({ form, limit, withValues }: DetailsOptions): Promise<WorkflowDetails | null> {
		const shown = this.#shown;
		if (!shown.head) return null;
		const located = await shown.entries();
		const { actorId, head, running } = shown;
		const { entries, total, truncated } = entryDetails(located, {
			actorId,
			values: withValues ? FORMS[form] : null,
			limit,
			running,
		});
		const { output, ...status } = statusOf(head, shown);
		return {
			...status,
			...(withValues && head.output !== undefined
				? { output: form === "plain" ? plainJson(output) : output }
				: undefined),
			startedAt: head.startedAt,
			running: entries
				.filter(({ kind, status: at }) => kind === "step" && at === "running")
				.map(({ id, path, attempts }) => ({ entryId: id, path, attempt: attempts })),
			liveEntries: total,
			entries,
			truncated,
		};
	}
}
