import { describe, expect, it } from "vitest";
import { StaleGenerationError } from "../../../src/store/store.ts";
import { acquiredActor, contents, manualClock, newActor, putBatch, text } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function destructionConformance(open: MakeStore): void {
	describe("destruction", () => {
		it("leaves a tombstone, frees the key and removes all data in one commit", async () => {
			const store = await open({});
			const actor = await acquiredActor(store, { input: text("secret") });
			await store.commit(
				putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 5, record: { initialised: true } }),
			);
			await store.commit(putBatch(actor.actorId, 0, { last: "word" }, { destroyTs: 77 }));
			expect(await store.actorById(actor.actorId)).toMatchObject({
				destroyTs: 77,
				alarmTs: null,
				input: null,
				initialised: true,
			});
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toBeUndefined();
			expect(await contents(store, actor.actorId)).toEqual({});
			expect(await store.get(actor.actorId, [text("a")])).toEqual([null]);
			expect(await store.nextAlarmTs()).toBeNull();
			await expect(store.commit(putBatch(actor.actorId, 0, { a: "2" }))).rejects.toThrow(
				StaleGenerationError,
			);
			const fresh = await store.insertActor({ ...newActor(), key: actor.key });
			expect(fresh.created).toBe(true);
			expect(await contents(store, fresh.actor.actorId)).toEqual({});
		});

		it("hides the data of a large actor at once, and of its successor nothing is lost", async () => {
			const store = await open({});
			const actor = await acquiredActor(store, { key: "large" });
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: Array.from({ length: 3000 }, (_, index) => ({
					op: "put" as const,
					key: text(`k${index}`),
					value: new Uint8Array(50),
				})),
			});
			const destroyed = store.commit(putBatch(actor.actorId, 0, {}, { destroyTs: 1 }));
			const successor = newActor({ key: "large" });
			const inserted = store.insertActor(successor);
			const acquired = store.acquire(successor.actorId);
			const written = store.commit(putBatch(successor.actorId, 0, { k1: "mine" }));
			expect((await inserted).created).toBe(true);
			expect(await contents(store, actor.actorId)).toEqual({});
			await Promise.all([destroyed, acquired, written]);
			expect(await contents(store, successor.actorId)).toEqual({ k1: "mine" });
		});

		it("keeps tombstones up to a number, the newest", async () => {
			const clock = manualClock(1000);
			const store = await open({ clock, tombstones: { maxCount: 3 } });
			const ids: string[] = [];
			for (let index = 0; index < 5; index++) {
				const { actorId } = await acquiredActor(store);
				ids.push(actorId);
				await store.commit({ actorId, generation: 0, ops: [], destroyTs: 900 + index });
			}
			const kept = await Promise.all(ids.map((id) => store.actorById(id)));
			expect(kept.map((record) => record !== undefined)).toEqual([false, false, true, true, true]);
		});

		it("keeps the newest tombstones also when many actors are destroyed at once", async () => {
			const store = await open({ tombstones: { maxCount: 3 } });
			const actors = await Promise.all(Array.from({ length: 12 }, () => acquiredActor(store)));
			await Promise.all(
				actors.map(({ actorId }, index) =>
					store.commit({ actorId, generation: 0, ops: [], destroyTs: 900 + index }),
				),
			);
			const kept = await Promise.all(actors.map(({ actorId }) => store.actorById(actorId)));
			expect(kept.map((record) => record !== undefined)).toEqual(
				actors.map((_, index) => index >= 9),
			);
		});

		it("keeps tombstones up to an age", async () => {
			const clock = manualClock(1000);
			const store = await open({ clock, tombstones: { maxAgeMs: 100 } });
			const old = await acquiredActor(store);
			await store.commit({ actorId: old.actorId, generation: 0, ops: [], destroyTs: 1000 });
			expect(await store.actorById(old.actorId)).toBeDefined();
			clock.set(1101);
			const next = await acquiredActor(store);
			await store.commit({ actorId: next.actorId, generation: 0, ops: [], destroyTs: 1101 });
			expect(await store.actorById(old.actorId)).toBeUndefined();
			expect(await store.actorById(next.actorId)).toBeDefined();
		});
	});
}
