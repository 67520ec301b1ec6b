import { RivetError } from "@rivetkit/protocol";
import {
	type TrackedState,
	type TrackStateOptions,
	trackState,
} from "../../src/runtime/state/index.ts";

/** A tracked tree whose changes are counted. */
export interface Counted<T> extends TrackedState {
	/** What users see, typed. */
	readonly state: T;
	/** Detected changes so far. */
	readonly changes: number;
	/** Changes that `act` causes. */
	changesOf(act: (state: T) => unknown): number;
}

export function track<T>(raw: T, options: Partial<TrackStateOptions> = {}): Counted<T> {
	let changes = 0;
	const tracked = trackState(raw, {
		rootPath: "state",
		...options,
		onChange: (holder, at) => {
			changes++;
			options.onChange?.(holder, at);
		},
	});
	return {
		get value() {
			return tracked.value;
		},
		get raw() {
			return tracked.raw;
		},
		replace: (next) => tracked.replace(next),
		reset: (next) => tracked.reset(next),
		get state() {
			return tracked.value as T;
		},
		get changes() {
			return changes;
		},
		changesOf(act) {
			const before = changes;
			act(tracked.value as T);
			return changes - before;
		},
	};
}

/** The path in the `state.invalid_type` that `act` throws; fails when it throws anything else. */
export function invalidPathOf(act: () => unknown): string {
	try {
		act();
	} catch (error) {
		if (!(error instanceof RivetError) || `${error.group}.${error.code}` !== "state.invalid_type") {
			throw error;
		}
		return /at path `(.*)`/.exec(error.message)![1]!;
	}
	throw new Error("nothing was thrown");
}
