import type { WorkflowEntryDetails } from "@rivetkit/protocol/inspector/answers";

/** An entry with what lies in it. */
export interface FlowNode {
	readonly entry: WorkflowEntryDetails;
	/** One lane of a step or sleep is empty; a loop has one per iteration, a join or race one per branch. */
	readonly lanes: readonly FlowLane[];
}

export interface FlowLane {
	/** Of a branch its name, of an iteration its number; null for a block that has one lane only. */
	readonly title: string | null;
	readonly nodes: readonly FlowNode[];
}

/** Entries by where they lie, each lane in the order its entries began. */
export function flowOf(entries: readonly WorkflowEntryDetails[]): FlowNode[] {
	const ids = new Set(entries.map(({ id }) => id));
	const inside = new Map<string | null, WorkflowEntryDetails[]>();
	for (const entry of entries) {
		// What is around an entry may have been left out: then it stands at the root.
		const parent = entry.parentId !== null && ids.has(entry.parentId) ? entry.parentId : null;
		inside.set(parent, [...(inside.get(parent) ?? []), entry]);
	}
	const nodesOf = (list: readonly WorkflowEntryDetails[]): FlowNode[] =>
		list.map((entry) => ({ entry, lanes: lanesOf(entry, inside.get(entry.id) ?? []) }));
	const lanesOf = (
		entry: WorkflowEntryDetails,
		children: readonly WorkflowEntryDetails[],
	): FlowLane[] => {
		const titles = new Set([
			...(entry.branches ?? []).map(({ name }) => name),
			...children.map(titleOf),
		]);
		return [...titles].map((title) => ({
			title,
			nodes: nodesOf(children.filter((child) => titleOf(child) === title)),
		}));
	};
	return nodesOf(inside.get(null) ?? []);
}

function titleOf({ branch, iteration }: WorkflowEntryDetails): string | null {
	if (branch !== undefined) return branch;
	return iteration === undefined ? null : String(iteration);
}

/** What an ended workflow has left where it was: it does not go on. */
export function leftAsTheyWere(entries: readonly WorkflowEntryDetails[]): WorkflowEntryDetails[] {
	return entries.map((entry) =>
		GOING_ON.has(entry.status) ? { ...entry, status: "cancelled", deadline: null } : entry,
	);
}

const GOING_ON: ReadonlySet<string> = new Set(["pending", "running", "waiting", "retrying"]);
