import { useEffect, useMemo, useRef, useState } from "react";
import { useInspector } from "../../api/context.tsx";
import type { SeenState } from "../../api/inspector.ts";
import { useInspected } from "../../api/queries.ts";
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
import { useDraft } from "./drafts.ts";
import { saveDraft } from "./save.ts";

/** A state as it is seen and edited. */
export interface Editing {
	/** What the server has, as far as it is known; undefined until it was read. */
	readonly stored: SeenState | undefined;
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
	const query = useInspected(actorId, ["state"], (inspector, signal) => inspector.state(signal));
	const inspector = useInspector(actorId);
	const [edits, kept] = useDraft(actorId);
	/** What is on its way to the server; undefined while nothing is. */
	const [saving, setSaving] = useState<{ readonly value: unknown }>();
	const [saveFailure, setSaveFailure] = useState<unknown>(null);
	const isSeen = useIsSeen();

	const stored = query.data?.state;
	// What is being saved may be seen there already.
	const isOwn = saving !== undefined && isSameValue(stored, saving.value);
	const isKnown = query.data !== undefined && !isOwn;
	const isBehind =
		isKnown && edits !== null && isUnsaved(edits) && !isSameValue(stored, edits.base);
	// The actor changed something else: the edits go on top of that, once no save does that with them.
	const caught = useMemo(
		() => (isBehind ? rebasedOnto(edits, stored) : null),
		[isBehind, edits, stored],
	);
	const draft = saving === undefined ? (caught ?? edits) : edits;
	useEffect(() => {
		kept.change((now) => (now === edits ? draft : now));
	}, [draft, edits, kept]);
	const shown = draft === null ? stored : currentOf(draft);
	const isChanged = draft !== null && isUnsaved(draft);
	const isConflict = isBehind && caught === null;
	// Once everything is saved, what the server has is shown again; undo stays.
	const live = draft !== null && !isChanged && !isSameValue(stored, shown) ? stored : shown;
	const seen: Sight = { value: live, draft, stored };

	const readAgain = async () => (await query.refetch({ throwOnError: true })).data!;
	const save = async () => {
		if (!isChanged || saving) return;
		setSaving({ value: shown });
		setSaveFailure(null);
		try {
			const saved = await saveDraft(
				{ read: readAgain, write: (value, etag) => inspector.setState(value, etag) },
				{
					latest: () => kept.latest() ?? draft,
					isForced: isConflict,
					onTry: (onTop, value) => {
						kept.change(onTop);
						setSaving({ value });
					},
				},
			);
			if (saved === null) return;
			await readAgain();
			// Not the draft that was saved: there may be more edits by now.
			kept.change((now) => now && rebased(now, saved.value));
			sayDone("The state is saved");
		} catch (error) {
			if (isSeen()) setSaveFailure(error);
			else sayFailed("The state could not be saved", error);
		} finally {
			setSaving(undefined);
		}
	};
	return {
		stored: query.data,
		readFailure: query.error,
		saveFailure,
		draft,
		seen,
		isChanged,
		isSaving: saving !== undefined,
		isConflict,
		edit: (then, value) => kept.change(editedSince(then, seen, value)),
		step: (change) => kept.change((now) => now && change(now)),
		save,
		discard: () => {
			kept.change(null);
			setSaveFailure(null);
		},
	};
}

/** Whether what asks is still on the page. */
function useIsSeen(): () => boolean {
	const isSeen = useRef(false);
	useEffect(() => {
		isSeen.current = true;
		return () => {
			isSeen.current = false;
		};
	}, []);
	return () => isSeen.current;
}
