import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useInspector } from "../../api/context.tsx";
import type { SeenState } from "../../api/inspector.ts";
import { useInspected, useInspectedKey } from "../../api/queries.ts";
import { useIsOnPage } from "../../ui/is-on-page.ts";
import { sayDone, sayFailed } from "../../ui/toasts.tsx";
import { isSameValue } from "../../values/equal.ts";
import {
	currentOf,
	type Draft,
	editedSince,
	isUnsaved,
	rebased,
	rebasedOnto,
	type Sight,
} from "./draft.ts";
import { useEdits } from "./edits.ts";
import { saveDraft } from "./save.ts";

/** A state as it is seen and edited. */
export interface Editing {
	/** What the server has said last; undefined until it has. */
	readonly answer: SeenState | undefined;
	/** Why nothing newer is known; null while it is live. */
	readonly readFailure: unknown;
	/** Why the last save came to nothing; null without one. */
	readonly saveFailure: unknown;
	readonly draft: Draft | null;
	/** What is shown, and what an edit goes on top of. */
	readonly seen: Sight;
	/** Whether there is something to save. */
	readonly isChanged: boolean;
	readonly isSaving: boolean;
	/** Whether the actor changed what is edited: a save overwrites that. */
	readonly isConflict: boolean;
	/** An edit that began with what was seen then. */
	edit(then: Sight, value: unknown): void;
	step(change: (draft: Draft) => Draft): void;
	save(): Promise<void>;
	discard(): void;
}

/**
 * Reads an actor's state, and edits it. Both in one component: whatever it is drawn again for, it sees the newest that was read. Edits
 * that are put on top of an older state than the one they were saved on would be taken for what the actor had before.
 */
export function useEditing(actorId: string): Editing {
	const query = useInspected(actorId, STATE, (inspector, signal) => inspector.state(signal));
	const holdAsSeen = useHoldAsSeen(actorId);
	const inspector = useInspector(actorId);
	const [edits, kept] = useEdits(actorId);
	const { saving } = edits;
	const [saveFailure, setSaveFailure] = useState<unknown>(null);
	const isOnPage = useIsOnPage();

	const stored = query.data?.state;
	// What is being saved may be seen there already.
	const isOwn = saving !== null && isSameValue(stored, saving.value);
	const isBehind =
		query.data !== undefined &&
		edits.draft !== null &&
		isUnsaved(edits.draft) &&
		!isOwn &&
		!isSameValue(stored, edits.draft.base);
	// The actor changed something else: the edits go on top of that, once no save does that with them.
	const caught = useMemo(
		() => (isBehind && edits.draft !== null ? rebasedOnto(edits.draft, stored) : null),
		[isBehind, edits.draft, stored],
	);
	const draft = saving === null ? (caught ?? edits.draft) : edits.draft;
	useEffect(() => {
		kept.changeDraft((now) => (now === edits.draft ? draft : now));
	}, [draft, edits.draft, kept]);
	const shown = draft === null ? stored : currentOf(draft);
	const isChanged = draft !== null && isUnsaved(draft);
	const isConflict = isBehind && caught === null;
	// Once everything is saved, what the server has is shown again; undo stays.
	const live = draft !== null && !isChanged && !isSameValue(stored, shown) ? stored : shown;
	const seen: Sight = { value: live, draft, stored };

	const tellFailure = (error: unknown) => {
		if (isOnPage()) setSaveFailure(error);
		else sayFailed("The state could not be saved", error);
	};
	const save = async () => {
		if (!isChanged || saving) return;
		kept.changeSaving({ value: shown });
		setSaveFailure(null);
		try {
			const saved = await saveDraft(
				{
					read: async () => (await query.refetch({ throwOnError: true })).data!,
					write: (value, etag) => inspector.setState(value, etag),
				},
				{
					latest: () => kept.latest().draft ?? draft,
					isForced: isConflict,
					onTry: (onTop, value) => {
						kept.changeDraft(() => onTop);
						kept.changeSaving({ value });
					},
				},
			);
			if (saved === null) {
				// On the page it is seen.
				if (!isOnPage()) tellFailure(new Error(CONFLICT));
				return;
			}
			await holdAsSeen(saved.value);
			// Not the draft that was saved: there may be more edits by now.
			kept.changeDraft((now) => now && rebased(now, saved.value));
			sayDone("The state is saved");
		} catch (error) {
			tellFailure(error);
		} finally {
			kept.changeSaving(null);
		}
	};
	return {
		answer: query.data,
		readFailure: query.error,
		saveFailure,
		draft,
		seen,
		isChanged,
		isSaving: saving !== null,
		isConflict,
		edit: (then, value) => kept.changeDraft(() => editedSince(then, seen, value)),
		step: (change) => kept.changeDraft((now) => now && change(now)),
		save,
		discard: () => {
			kept.changeDraft(() => null);
			setSaveFailure(null);
		},
	};
}

const STATE = ["state"];
const CONFLICT = "The actor changed what you edited. The edits are kept, on the page of its state.";

/**
 * What a save has written is what was read last, also where nothing can be read now: who took what was read before for newer
 * would put the edits back on top of it. It is read again, for what the actor has written since.
 */
function useHoldAsSeen(actorId: string): (value: unknown) => Promise<void> {
	const client = useQueryClient();
	const queryKey = useInspectedKey(actorId, STATE);
	return async (value) => {
		// Those that are on their way may have been answered before.
		await client.cancelQueries({ queryKey });
		client.setQueryData<SeenState>(
			queryKey,
			(seen) => seen && { ...seen, state: value, etag: null },
		);
		void client.invalidateQueries({ queryKey });
	};
}
