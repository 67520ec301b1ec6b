import { useMemo, useSyncExternalStore } from "react";
import { useSession } from "../../api/context.tsx";
import { type Draft, isUnsaved } from "./draft.ts";

/** What somebody does to the state of an actor. */
export interface Edits {
	readonly draft: Draft | null;
	/** What is on its way to the server; null while nothing is. */
	readonly saving: { readonly value: unknown } | null;
}

export interface KeptEdits {
	/** As of now, also for who began when they were others. */
	latest(): Edits;
	changeDraft(change: (now: Draft | null) => Draft | null): void;
	changeSaving(saving: Edits["saving"]): void;
}

const NONE: Edits = { draft: null, saving: null };
/** Of this visit by server and actor, the latest last: a look at another page loses none, nor which of them are being saved. */
const edits = new Map<string, Edits>();
/** How many are kept; those that were not changed for the longest go first. */
const EDITS_MAX = 50;
const listeners = new Set<() => void>();

/** The edits of an actor's state, also those that were made before another page was looked at. */
export function useEdits(actorId: string): [Edits, KeptEdits] {
	const { endpoint } = useSession().session;
	const kept = useMemo<KeptEdits>(() => {
		const key = `${endpoint} ${actorId}`;
		const latest = () => edits.get(key) ?? NONE;
		return {
			latest,
			changeDraft: (change) => keep(key, { ...latest(), draft: change(latest().draft) }),
			changeSaving: (saving) => keep(key, { ...latest(), saving }),
		};
	}, [endpoint, actorId]);
	return [useSyncExternalStore(subscribe, kept.latest), kept];
}

function subscribe(listener: () => void): () => void {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

function keep(key: string, next: Edits): void {
	const { draft, saving } = edits.get(key) ?? NONE;
	if (next.draft === draft && next.saving === saving) return;
	edits.delete(key);
	if (next.draft !== null || next.saving !== null) edits.set(key, next);
	for (const [oldest, { saving: isSaving }] of edits) {
		if (edits.size <= EDITS_MAX) break;
		if (isSaving === null) edits.delete(oldest);
	}
	if ([...edits.values()].some(isAtStake)) window.addEventListener("beforeunload", askFirst);
	else window.removeEventListener("beforeunload", askFirst);
	for (const listener of listeners) listener();
}

function isAtStake({ draft, saving }: Edits): boolean {
	return saving !== null || (draft !== null && isUnsaved(draft));
}

/** The browser asks whether the page is to be left. */
function askFirst(event: BeforeUnloadEvent): void {
	event.preventDefault();
}
