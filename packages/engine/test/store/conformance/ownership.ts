import { describe, expect, it } from "vitest";
import { StaleGenerationError } from "../../../src/store/store.ts";
import { acquiredActor, contents, newActor, putBatch, text } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function ownershipConformance(open: MakeStore): void {
	describe("ownership", () => {
		it("raises the generation at each acquire, from 0", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor);
			expect((await store.acquire(actor.actorId)).generation).toBe(0);
			expect((await store.acquire(actor.actorId)).generation).toBe(1);
			expect((await store.actorById(actor.actorId))?.generation).toBe(1);
		});

		it("takes a created actor in the same step when asked, and leaves the holder of a key alone", async () => {
			const store = await open({});
			const actor = newActor();
			const { created, actor: record } = await store.insertActor(actor, { acquire: true });
			expect([created, record.generation, record.initialised]).toEqual([true, 0, false]);
			expect(await store.actorById(actor.actorId)).toEqual(record);
			await store.commit(putBatch(actor.actorId, 0, { a: "first" }));
			const holder = await store.insertActor({ ...newActor(), key: actor.key }, { acquire: true });
			expect(holder).toMatchObject({ created: false, actor: { actorId: actor.actorId } });
			expect((await store.actorById(actor.actorId))?.generation).toBe(0);
			expect((await store.acquire(actor.actorId)).generation).toBe(1);
		});

		it("refuses to acquire an unknown or destroyed actor", async () => {
			const store = await open({});
			await expect(store.acquire("nobody")).rejects.toThrow(StaleGenerationError);
			const actor = await acquiredActor(store);
			await store.commit({ actorId: actor.actorId, generation: 0, ops: [], destroyTs: 1 });
			await expect(store.acquire(actor.actorId)).rejects.toThrow(StaleGenerationError);
		});

		it.each([-1, 0, 2])("refuses a batch of generation %i when 1 is newest (S4)", async (wrong) => {
			const store = await open({});
			const actor = await acquiredActor(store);
			await store.acquire(actor.actorId);
			await store.commit(putBatch(actor.actorId, 1, { a: "kept" }, { alarmTs: 5 }));
			const before = await store.actorById(actor.actorId);
			await expect(
				store.commit(
					putBatch(
						actor.actorId,
						wrong,
						{ a: "late", b: "late" },
						{ alarmTs: 9, record: { initialised: true }, destroyTs: 3 },
					),
				),
			).rejects.toThrow(StaleGenerationError);
			expect(await contents(store, actor.actorId)).toEqual({ a: "kept" });
			expect(await store.actorById(actor.actorId)).toEqual(before);
		});

		it("fences batches by the order of the calls, not of their answers", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const results = await Promise.allSettled([
				store.commit(putBatch(actor.actorId, 0, { a: "before" })),
				store.acquire(actor.actorId),
				store.commit(putBatch(actor.actorId, 0, { a: "after" })),
				store.commit(putBatch(actor.actorId, 1, { b: "new" })),
			]);
			expect(results.map((result) => result.status)).toEqual([
				"fulfilled",
				"fulfilled",
				"rejected",
				"fulfilled",
			]);
			expect(await contents(store, actor.actorId)).toEqual({ a: "before", b: "new" });
		});

		it("discards an actor that was never initialised, with all it stored", async () => {
			const store = await open({});
			const actor = await acquiredActor(store, { input: text("input") });
			await store.commit(putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 7 }));
			await store.discard(actor.actorId, 0);
			expect(await store.actorById(actor.actorId)).toBeUndefined();
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toBeUndefined();
			expect(await contents(store, actor.actorId)).toEqual({});
			expect(await store.nextAlarmTs()).toBeNull();
			await expect(store.commit(putBatch(actor.actorId, 0, { a: "2" }))).rejects.toThrow(
				StaleGenerationError,
			);
			const again = await store.insertActor({ ...newActor(), key: actor.key });
			expect(again.created).toBe(true);
			expect(await contents(store, again.actor.actorId)).toEqual({});
		});

		it("discards nothing that is initialised, superseded, destroyed or unknown", async () => {
			const store = await open({});
			const ready = await acquiredActor(store);
			await store.commit(putBatch(ready.actorId, 0, {}, { record: { initialised: true } }));
			const superseded = await acquiredActor(store);
			await store.acquire(superseded.actorId);
			const destroyed = await acquiredActor(store);
			await store.commit({ actorId: destroyed.actorId, generation: 0, ops: [], destroyTs: 1 });
			await store.discard(ready.actorId, 0);
			await store.discard(superseded.actorId, 0);
			await store.discard(destroyed.actorId, 0);
			await store.discard("nobody", 0);
			expect(await store.actorById(ready.actorId)).toBeDefined();
			expect(await store.actorById(superseded.actorId)).toBeDefined();
			expect(await store.actorById(destroyed.actorId)).toBeDefined();
		});
	});
}
