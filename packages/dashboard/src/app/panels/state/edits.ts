import { useMemo } from "react";
import { KeptByActor } from "../kept-by-actor.ts";
import { useKept } from "../use-kept.ts";
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
/** Of how many actors edits are kept. */
const ACTORS_MAX = 50;

const edits = new KeptByActor<Edits>({
	none: NONE,
	actorsMax: ACTORS_MAX,
	isBusy: ({ saving }) => saving !== null,
	onChange: (all) => {
		if ([...all].some(isAtStake)) window.addEventListener("beforeunload", askFirst);
		else window.removeEventListener("beforeunload", askFirst);
	},
});

/** The edits of an actor's state, also those that were made before another page was looked at. */
export function useEdits(actorId: string): [Edits, KeptEdits] {
	const [seen, kept] = useKept(edits, actorId);
	const changes = useMemo<KeptEdits>(() => {
		const put = (draft: Edits["draft"], saving: Edits["saving"]) =>
			kept.change((now) => {
				if (draft === null && saving === null) return NONE;
				return draft === now.draft && saving === now.saving ? now : { draft, saving };
			});
		return {
			latest: kept.latest,
			changeDraft: (change) => {
				const { draft, saving } = kept.latest();
				put(change(draft), saving);
			},
			changeSaving: (saving) => put(kept.latest().draft, saving),
		};
	}, [kept]);
	return [seen, changes];
}

function isAtStake({ draft, saving }: Edits): boolean {
	return saving !== null || (draft !== null && isUnsaved(draft));
}

/** The browser asks whether the page is to be left. */
function askFirst(event: BeforeUnloadEvent): void {
	event.preventDefault();
}
