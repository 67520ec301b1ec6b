import { type SetStateAction, useEffect, useState } from "react";
import { useSession } from "../../api/context.tsx";
import { type Draft, isUnsaved } from "./draft.ts";

/** Drafts of this visit by server and actor, the latest last: a look at another page loses none. */
const drafts = new Map<string, Draft>();
/** Drafts that are kept; those that were not looked at for the longest go first. */
const DRAFTS_MAX = 50;

/** The edits of an actor's state, also those that were made before another page was looked at. */
export function useDraft(
	actorId: string,
): [Draft | null, (change: SetStateAction<Draft | null>) => void] {
	const { endpoint } = useSession().session;
	const key = `${endpoint} ${actorId}`;
	const [draft, setDraft] = useState(() => drafts.get(key) ?? null);
	useEffect(() => keep(key, draft), [key, draft]);
	return [draft, setDraft];
}

function keep(key: string, draft: Draft | null): void {
	drafts.delete(key);
	if (draft !== null) drafts.set(key, draft);
	for (const oldest of drafts.keys()) {
		if (drafts.size <= DRAFTS_MAX) break;
		drafts.delete(oldest);
	}
	if ([...drafts.values()].some(isUnsaved)) window.addEventListener("beforeunload", askFirst);
	else window.removeEventListener("beforeunload", askFirst);
}

/** The browser asks whether the page is to be left. */
function askFirst(event: BeforeUnloadEvent): void {
	event.preventDefault();
}
