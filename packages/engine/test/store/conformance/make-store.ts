import type { Clock } from "@rivetkit/protocol";
import type { Store } from "../../../src/store/store.ts";
import type { TombstoneLimits } from "../../../src/store/tombstones.ts";

/** Makes an empty store. The suite closes it. */
export type MakeStore = (options: {
	clock?: Clock;
	tombstones?: Partial<TombstoneLimits>;
}) => Promise<Store>;
