import { describe, expect, it } from "vitest";
import type { StoreError } from "../../../src/store/store.ts";
import { acquiredActor, newActor, putBatch } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function closingConformance(open: MakeStore): void {
	describe("closing", () => {
		it("finishes what was accepted, refuses what comes after, and closes once", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const accepted = store.commit(putBatch(actor.actorId, 0, { a: "1" }));
			const first = store.close();
			const second = store.close();
			await accepted;
			await Promise.all([first, second]);
			const closed = { name: "StoreError", code: "closed" } satisfies Partial<StoreError>;
			await expect(store.commit(putBatch(actor.actorId, 0, { a: "2" }))).rejects.toMatchObject(
				closed,
			);
			await expect(store.actorById(actor.actorId)).rejects.toMatchObject(closed);
			await expect(store.insertActor(newActor())).rejects.toMatchObject(closed);
			await expect(store.sync()).rejects.toMatchObject(closed);
		});
	});
}
