import { describe, expect, it } from "vitest";
import type { ActorSnapshot } from "../../../src/store/store.ts";
import { acquiredActor, contents, newActor, plain, putBatch, text } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function transferConformance(open: MakeStore): void {
	describe("snapshots and imports", () => {
		const all = async (snapshot: ActorSnapshot, limit: number) => {
			const found: Record<string, string> = {};
			for (;;) {
				const page = await snapshot.next(limit);
				if (page.length === 0) return found;
				expect(page.length).toBeLessThanOrEqual(limit);
				for (const [key, value] of page) found[plain(key)!] = plain(value)!;
			}
		};

		it("a snapshot shows one moment, whatever is written and destroyed meanwhile", async () => {
			const store = await open({});
			const { actorId } = await acquiredActor(store);
			const before = { a: "1", aa: "2", b: "3", c: "4", d: "5" };
			await store.commit(putBatch(actorId, 0, before, { alarmTs: 77 }));
			const snapshot = (await store.openSnapshot(actorId))!;
			const second = (await store.openSnapshot(actorId))!;
			expect(snapshot.record).toEqual(await store.actorById(actorId));
			expect((await snapshot.next(1)).map(([key]) => plain(key))).toEqual(["a"]);
			await store.commit(putBatch(actorId, 0, { aa: "changed", e: "new" }, { alarmTs: null }));
			expect(await all(snapshot, 2)).toEqual({ aa: "2", b: "3", c: "4", d: "5" });
			await store.commit({ actorId, generation: 0, ops: [], destroyTs: 1 });
			expect(await all(second, 100)).toEqual(before);
			expect(second.record.alarmTs).toBe(77);
			for (const one of [snapshot, second, snapshot]) one.close();
			await expect((async () => snapshot.next(1))()).rejects.toThrow("The snapshot is closed");
			expect(await store.openSnapshot(actorId)).toBeUndefined();
			expect(await store.openSnapshot("nobody")).toBeUndefined();
		});

		it("a snapshot has what was called before it, and bytes of its own", async () => {
			const store = await open({});
			const { actorId } = await acquiredActor(store);
			const committed = store.commit(putBatch(actorId, 0, { a: "1" }));
			const snapshot = (await store.openSnapshot(actorId))!;
			const [[, value]] = (await snapshot.next(1)) as [[Uint8Array, Uint8Array]];
			value.fill(0);
			snapshot.close();
			await committed;
			expect(await contents(store, actorId)).toEqual({ a: "1" });
		});

		it("an import is the actor with all it stores, and can be acquired like any other", async () => {
			const store = await open({});
			const actor = newActor({ input: text("input") });
			const { ops } = putBatch("", 0, { a: "1", b: "2" });
			const record = { initialised: true as const, startTs: 3, connectableTs: null, sleepTs: 4 };
			const result = await store.importActor(actor, { ops, alarmTs: 50, record });
			expect(result.created).toBe(true);
			expect(result.actor).toEqual({
				...actor,
				generation: 0,
				initialised: true,
				startTs: 3,
				connectableTs: null,
				sleepTs: 4,
				destroyTs: null,
				alarmTs: 50,
				connected: false,
			});
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toEqual(result.actor);
			expect(await contents(store, actor.actorId)).toEqual({ a: "1", b: "2" });
			expect(await store.dueAlarms(50, 9)).toEqual([{ actorId: actor.actorId, alarmTs: 50 }]);
			expect((await store.acquire(actor.actorId)).generation).toBe(1);
			expect(await store.listNames("default", 9)).toEqual(["counter"]);
		});

		it("an import with the id of an actor that is there changes nothing", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor, { acquire: true });
			await store.commit(putBatch(actor.actorId, 0, { own: "1" }));
			const before = await store.actorById(actor.actorId);
			const batch = { ...putBatch("", 0, { other: "2" }), alarmTs: 5, record: { sleepTs: 0 } };
			const result = await store.importActor(actor, batch);
			expect(result).toEqual({ created: false, actor: before });
			expect(await store.actorById(actor.actorId)).toEqual(before);
			expect(await contents(store, actor.actorId)).toEqual({ own: "1" });
			expect(await store.nextAlarmTs()).toBeNull();
		});

		it("an import for a key that is taken changes nothing", async () => {
			const store = await open({});
			const holder = await acquiredActor(store);
			await store.commit(putBatch(holder.actorId, 0, { mine: "1" }));
			const taken = newActor({ key: holder.key });
			const result = await store.importActor(taken, putBatch("", 0, { other: "2" }));
			expect(result).toMatchObject({ created: false, actor: { actorId: holder.actorId } });
			expect(await contents(store, holder.actorId)).toEqual({ mine: "1" });
			expect(await store.actorById(taken.actorId)).toBeUndefined();
			await expect(store.importActor(newActor(), { ops: [], alarmTs: 0.5 })).rejects.toBeInstanceOf(
				TypeError,
			);
		});
	});
}
