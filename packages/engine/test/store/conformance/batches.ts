import { describe, expect, it } from "vitest";
import { acquiredActor, contents, putBatch, text } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function batchConformance(open: MakeStore): void {
	describe("batches", () => {
		it("applies the operations of a batch in order", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			await store.commit(putBatch(actor.actorId, 0, { a: "old", b: "old", c: "old", d: "old" }));
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: [
					{ op: "put", key: text("a"), value: text("1") },
					{ op: "put", key: text("a"), value: text("2") },
					{ op: "deleteRange", start: text("b"), end: text("d") },
					{ op: "put", key: text("c"), value: text("again") },
					{ op: "delete", key: text("d") },
					{ op: "delete", key: text("missing") },
					{ op: "put", key: text("e"), value: text("gone") },
					{ op: "deleteRange", start: text("e"), end: null },
				],
			});
			expect(await contents(store, actor.actorId)).toEqual({ a: "2", c: "again" });
		});

		it("keeps the data of actors apart", async () => {
			const store = await open({});
			const [one, two, three] = [
				await acquiredActor(store),
				await acquiredActor(store),
				await acquiredActor(store),
			];
			for (const actor of [one, two, three]) {
				await store.commit(putBatch(actor.actorId, 0, { a: actor.key, b: actor.key }));
			}
			await store.commit({
				actorId: two.actorId,
				generation: 0,
				ops: [{ op: "deleteRange", start: new Uint8Array(0), end: null }],
			});
			expect(await contents(store, one.actorId)).toEqual({ a: one.key, b: one.key });
			expect(await contents(store, two.actorId)).toEqual({});
			expect(await contents(store, three.actorId)).toEqual({ a: three.key, b: three.key });
		});

		it("changes only the fields of the record that a batch names", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const commit = (fields: object) =>
				store.commit({ actorId: actor.actorId, generation: 0, ops: [], ...fields });
			const fields = async () => {
				const record = (await store.actorById(actor.actorId))!;
				const { initialised, startTs, connectableTs, sleepTs, alarmTs } = record;
				return { initialised, startTs, connectableTs, sleepTs, alarmTs };
			};
			await commit({ record: { initialised: true, startTs: 10 }, alarmTs: 99 });
			expect(await fields()).toEqual({
				initialised: true,
				startTs: 10,
				connectableTs: null,
				sleepTs: null,
				alarmTs: 99,
			});
			await commit({ record: { connectableTs: 11, sleepTs: 12 } });
			await commit({ record: { connectableTs: null }, alarmTs: null });
			await commit({ record: {} });
			expect(await fields()).toEqual({
				initialised: true,
				startTs: 10,
				connectableTs: null,
				sleepTs: 12,
				alarmTs: null,
			});
		});

		it("commits the batches of many actors called together, and refuses only the stale (S3)", async () => {
			const store = await open({});
			const actors = await Promise.all(Array.from({ length: 50 }, () => acquiredActor(store)));
			const results = await Promise.allSettled(
				actors.map((actor, index) =>
					store.commit(putBatch(actor.actorId, index % 5 === 0 ? 7 : 0, { n: String(index) })),
				),
			);
			for (const [index, actor] of actors.entries()) {
				const stale = index % 5 === 0;
				expect(results[index]!.status).toBe(stale ? "rejected" : "fulfilled");
				expect(await contents(store, actor.actorId)).toEqual(stale ? {} : { n: String(index) });
			}
		});

		it("refuses what it could not keep before writing, and leaves the others alone", async () => {
			const store = await open({});
			const [good, bad] = [await acquiredActor(store), await acquiredActor(store)];
			const put = { op: "put", key: text("a"), value: text("1") } as const;
			const broken = (fields: object) =>
				store.commit({ actorId: bad.actorId, generation: 0, ops: [put], ...fields });
			const results = await Promise.allSettled([
				store.commit(putBatch(good.actorId, 0, { a: "1" })),
				broken({ ops: [put, { op: "put", key: text("b"), value: "text" }] }),
				broken({ ops: [put, { op: "increment", key: text("b") }] }),
				broken({ alarmTs: Number.NaN }),
				broken({ alarmTs: 1.5 }),
				broken({ record: { sleepTs: Number.POSITIVE_INFINITY } }),
				store.commit(putBatch(good.actorId, 0, { b: "2" })),
			]);
			expect(results.map((result) => result.status === "fulfilled")).toEqual([
				true,
				false,
				false,
				false,
				false,
				false,
				true,
			]);
			for (const result of results) {
				if (result.status === "rejected") {
					expect(result.reason).toBeInstanceOf(TypeError);
				}
			}
			expect(await contents(store, good.actorId)).toEqual({ a: "1", b: "2" });
			expect(await contents(store, bad.actorId)).toEqual({});
		});

		it("resolves sync at once when nothing was written, and after what was", async () => {
			const store = await open({});
			await store.sync();
			const actor = await acquiredActor(store);
			let committed = false;
			const commit = store.commit(putBatch(actor.actorId, 0, { a: "1" })).then(() => {
				committed = true;
			});
			await store.sync();
			expect(committed).toBe(true);
			await commit;
		});
	});
}
