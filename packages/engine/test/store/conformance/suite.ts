import { afterEach, describe } from "vitest";
import type { Store } from "../../../src/store/store.ts";
import { manualClock } from "../fixtures.ts";
import { alarmConformance } from "./alarms.ts";
import { batchConformance } from "./batches.ts";
import { closingConformance } from "./closing.ts";
import { dataConformance } from "./data.ts";
import { destructionConformance } from "./destruction.ts";
import { directoryConformance } from "./directory.ts";
import { inventoryConformance } from "./inventory.ts";
import { listingConformance } from "./listing.ts";
import type { MakeStore } from "./make-store.ts";
import { ownershipConformance } from "./ownership.ts";
import { transferConformance } from "./transfer.ts";

export interface ConformanceOptions {
	/** Whether reads by key and of many actors see nothing that was called after them. Default true. */
	readonly ordersReadsOfMany?: boolean;
}

/** What every {@link Store} must do; the guarantees S1 to S6 as far as one process can see them. */
export function storeConformance(
	name: string,
	makeStore: MakeStore,
	{ ordersReadsOfMany = true }: ConformanceOptions = {},
): void {
	describe(`${name} store`, () => {
		const opened: Store[] = [];
		const open: MakeStore = async (options) => {
			const store = await makeStore({ clock: manualClock(1000), ...options });
			opened.push(store);
			return store;
		};
		afterEach(async () => {
			await Promise.all(opened.splice(0).map((store) => store.close()));
		});

		directoryConformance(open);
		listingConformance(open);
		ownershipConformance(open);
		dataConformance(open, ordersReadsOfMany);
		batchConformance(open);
		alarmConformance(open);
		destructionConformance(open);
		transferConformance(open);
		inventoryConformance(open);
		closingConformance(open);
	});
}
