/** As much as checks look at of what `c.workflow.history()` and the inspector show. */
export interface History {
	nameRegistry: string[];
	entries: {
		id: string;
		location: { tag: string; val: unknown }[];
		kind: { tag: string; val: Record<string, unknown> };
	}[];
	entryMetadata: Record<string, { status: string; attempts: number }>;
	workflow: { state: string; liveEntries: number };
}
