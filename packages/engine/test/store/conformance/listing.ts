import { describe, expect, it } from "vitest";
import type { Store } from "../../../src/store/store.ts";
import { acquiredActor, newActor } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function listingConformance(open: MakeStore): void {
	describe("listing", () => {
		it("lists newest first, of one name, live only unless asked", async () => {
			const store = await open({});
			const old = await acquiredActor(store, { createTs: 1 });
			const middle = await acquiredActor(store, { createTs: 2 });
			const fresh = await acquiredActor(store, { createTs: 3 });
			await acquiredActor(store, { createTs: 4, name: "other" });
			await acquiredActor(store, { createTs: 5, namespace: "other" });
			await store.commit({ actorId: middle.actorId, generation: 0, ops: [], destroyTs: 9 });
			const query = { namespace: "default", name: "counter", limit: 10 };
			const ids = async (q: Parameters<Store["listActors"]>[0]) =>
				(await store.listActors(q)).map((record) => record.actorId);
			expect(await ids(query)).toEqual([fresh.actorId, old.actorId]);
			expect(await ids({ ...query, includeDestroyed: true })).toEqual([
				fresh.actorId,
				middle.actorId,
				old.actorId,
			]);
			expect(await ids({ namespace: "default", limit: 10 })).toHaveLength(3);
			expect(await ids({ ...query, limit: 1 })).toEqual([fresh.actorId]);
			expect(await ids({ ...query, limit: 0 })).toEqual([]);
		});

		it("lists every actor that ever had a key", async () => {
			const store = await open({});
			const first = await acquiredActor(store, { key: "k", createTs: 1 });
			await store.commit({ actorId: first.actorId, generation: 0, ops: [], destroyTs: 2 });
			const second = await acquiredActor(store, { key: "k", createTs: 3 });
			await acquiredActor(store, { key: "other", createTs: 4 });
			const query = { namespace: "default", name: "counter", key: "k", limit: 10 };
			const live = await store.listActors(query);
			expect(live.map((record) => record.actorId)).toEqual([second.actorId]);
			const all = await store.listActors({ ...query, includeDestroyed: true });
			expect(all.map((record) => record.actorId)).toEqual([second.actorId, first.actorId]);
		});

		it.each([{ name: "counter" }, {}])(
			"pages through a burst of equal creation times once each (%j)",
			async (filter) => {
				const store = await open({});
				const ids = new Set<string>();
				for (let index = 0; index < 25; index++) {
					const actor = newActor({ createTs: 100 + Math.floor(index / 10) });
					ids.add(actor.actorId);
					await store.insertActor(actor);
				}
				const seen: string[] = [];
				let before: { createTs: number; actorId: string } | undefined;
				for (;;) {
					const page = await store.listActors({
						namespace: "default",
						limit: 4,
						...filter,
						...(before === undefined ? {} : { before }),
					});
					if (page.length === 0) {
						break;
					}
					seen.push(...page.map((record) => record.actorId));
					const last = page.at(-1)!;
					before = { createTs: last.createTs, actorId: last.actorId };
				}
				expect(seen).toHaveLength(25);
				expect(new Set(seen)).toEqual(ids);
				const older = await store.listActors({
					namespace: "default",
					limit: 100,
					...filter,
					before: { createTs: 101 },
				});
				expect(older).toHaveLength(10);
			},
		);

		it("lists the names that have or had an actor, sorted, and forgets discarded ones", async () => {
			const store = await open({ tombstones: { maxCount: 0 } });
			const gone = await acquiredActor(store, { name: "gone" });
			await acquiredActor(store, { name: "b" });
			await acquiredActor(store, { name: "a" });
			await acquiredActor(store, { name: "b" });
			await acquiredActor(store, { name: "elsewhere", namespace: "other" });
			const never = await acquiredActor(store, { name: "never" });
			const halfMade = await acquiredActor(store, { name: "b" });
			await store.commit({ actorId: gone.actorId, generation: 0, ops: [], destroyTs: 1 });
			await store.discard(never.actorId, 0);
			await store.discard(halfMade.actorId, 0);
			await store.sync();
			const counts = await store.countActors("default");
			expect([...counts].sort()).toEqual([
				["a", 1],
				["b", 2],
			]);
			expect([...(await store.countActors("nowhere"))]).toEqual([]);
			expect(await store.listNames("default", 10)).toEqual(["a", "b", "gone"]);
			expect(await store.listNames("default", 1)).toEqual(["a"]);
			expect(await store.listNames("default", 10, "a")).toEqual(["b", "gone"]);
			expect(await store.listNames("default", 1, "aa")).toEqual(["b"]);
			expect(await store.listNames("nowhere", 10)).toEqual([]);
		});
	});
}
