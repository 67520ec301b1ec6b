import { type SetStateAction, useMemo, useSyncExternalStore } from "react";
import { useSession } from "../../api/context.tsx";
import { type Draft, isUnsaved } from "./draft.ts";

/** Drafts of this visit by server and actor, the latest last: a look at another page loses none. */
const drafts = new Map<string, Draft>();
/** Drafts that are kept; those that were not changed for the longest go first. */
const DRAFTS_MAX = 50;
const listeners = new Set<() => void>();

export interface KeptDraft {
	/** As of now, also for who began when it was another. */
	latest(): Draft | null;
	change(action: SetStateAction<Draft | null>): void;
}

/** The edits of an actor's state, also those that were made before another page was looked at. */
export function useDraft(actorId: string): [Draft | null, KeptDraft] {
	const { endpoint } = useSession().session;
	const kept = useMemo<KeptDraft>(() => {
		const key = `${endpoint} ${actorId}`;
		const latest = () => drafts.get(key) ?? null;
		return {
			latest,
			change: (action) => keep(key, typeof action === "function" ? action(latest()) : action),
		};
	}, [endpoint, actorId]);
	return [useSyncExternalStore(subscribe, kept.latest), kept];
}

function subscribe(listener: () => void): () => void {
	listeners.add(listener);
	return () => listeners.delete(listener);
}

function keep(key: string, draft: Draft | null): void {
	if (draft === (drafts.get(key) ?? null)) return;
	drafts.delete(key);
	if (draft !== null) drafts.set(key, draft);
	for (const oldest of drafts.keys()) {
		if (drafts.size <= DRAFTS_MAX) break;
		drafts.delete(oldest);
	}
	if ([...drafts.values()].some(isUnsaved)) window.addEventListener("beforeunload", askFirst);
	else window.removeEventListener("beforeunload", askFirst);
	for (const listener of listeners) listener();
}

/** The browser asks whether the page is to be left. */
function askFirst(event: BeforeUnloadEvent): void {
	event.preventDefault();
}
