import { isStateChanged } from "../../api/errors.ts";
import type { SeenState } from "../../api/inspector.ts";
import { currentOf, type Draft, forcedOnto, rebasedOnto } from "./draft.ts";

/** How often a state that was written between a read and a save is read and saved again. */
const TRIES_MAX = 5;

export interface StateStore {
	/** What the actor has now. Rejects when the server does not say. */
	readonly read: () => Promise<SeenState>;
	/** Replaces it as a whole; with `etag` only where it is still that, or rejects with `inspector.state_changed`. */
	readonly write: (value: unknown, etag: string | null) => Promise<unknown>;
}

export interface Saving {
	/** With the edits that were made since the save began. */
	readonly latest: () => Draft;
	/** Whether edits replace what the actor wrote in the same places. */
	readonly isForced: boolean;
	/** What is sent next: the edits on top of what the actor has. */
	readonly onTry: (draft: Draft, value: unknown) => void;
}

/**
 * Saves edits on top of what the actor has. Resolves with the state that was saved; with null when the actor changed the same
 * and it is not forced. Rejects, with nothing written, when the actor is faster every time.
 */
export async function saveDraft(
	store: StateStore,
	{ latest, isForced, onTry }: Saving,
): Promise<{ readonly value: unknown } | null> {
	for (let tries = 1; ; tries++) {
		// It is replaced as a whole: what the actor wrote up to now must be in it.
		const { state, etag } = await store.read();
		const draft = isForced ? forcedOnto(latest(), state) : rebasedOnto(latest(), state);
		if (draft === null) return null;
		const value = currentOf(draft);
		onTry(draft, value);
		try {
			await store.write(value, etag);
			return { value };
		} catch (error) {
			if (!isStateChanged(error)) throw error;
			if (tries === TRIES_MAX) throw new Error(TOO_FAST, { cause: error });
		}
	}
}

const TOO_FAST = `Nothing is saved: the actor changed its state each of the ${TRIES_MAX} times that it was read to be saved. Your edits are kept; try again when it is quieter.`;
