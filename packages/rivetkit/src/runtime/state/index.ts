export {
	assertStorable,
	findUnstorable,
	type TrackedState,
	type TrackStateOptions,
	trackState,
} from "./track-state.ts";
export { untracked } from "./untracked.ts";
