import { describe, expect, it } from "vitest";
import { acquiredActor, newActor, putBatch } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function alarmConformance(open: MakeStore): void {
	describe("alarms", () => {
		it("tells the earliest alarm and those that are due, earliest first", async () => {
			const store = await open({});
			expect(await store.nextAlarmTs()).toBeNull();
			expect(await store.dueAlarms(Number.MAX_SAFE_INTEGER - 1, 10)).toEqual([]);
			const actors = await Promise.all([30, 10, 20, 10].map(() => acquiredActor(store)));
			for (const [index, alarmTs] of [30, 10, 20, 10].entries()) {
				await store.commit(putBatch(actors[index]!.actorId, 0, {}, { alarmTs }));
			}
			expect(await store.nextAlarmTs()).toBe(10);
			expect(await store.dueAlarms(9, 10)).toEqual([]);
			const due = await store.dueAlarms(20, 10);
			expect(due.map((alarm) => alarm.alarmTs)).toEqual([10, 10, 20]);
			expect(new Set(due.map((alarm) => alarm.actorId))).toEqual(
				new Set([actors[1]!.actorId, actors[3]!.actorId, actors[2]!.actorId]),
			);
			expect(await store.dueAlarms(30, 2)).toHaveLength(2);
		});

		it("goes through alarms page by page, with ties by id", async () => {
			const store = await open({});
			const times = [20, 10, 20, 20, 30, 10];
			const actors = await Promise.all(times.map(() => acquiredActor(store)));
			for (const [index, alarmTs] of times.entries()) {
				await store.commit(putBatch(actors[index]!.actorId, 0, {}, { alarmTs }));
			}
			const all = await store.dueAlarms(100, 100);
			expect(all.map(({ alarmTs }) => alarmTs)).toEqual([10, 10, 20, 20, 20, 30]);
			for (const limit of [1, 2, 4]) {
				const paged = await store.dueAlarms(100, limit);
				for (let page = paged; page.length > 0; ) {
					page = await store.dueAlarms(100, limit, paged.at(-1));
					paged.push(...page);
				}
				expect(paged).toEqual(all);
			}
			expect(await store.dueAlarms(20, 10, { alarmTs: 15, actorId: "" })).toEqual(all.slice(2, 5));
			expect(await store.dueAlarms(100, 10, all.at(-1))).toEqual([]);
		});

		it("goes through the actors that store connections page by page, by id", async () => {
			const store = await open({});
			const actors = await Promise.all(Array.from({ length: 7 }, () => acquiredActor(store)));
			const ids = actors.map(({ actorId }) => actorId).sort();
			const commit = (actorId: string, batch: object) =>
				store.commit(putBatch(actorId, 0, {}, batch));
			for (const id of ids) await commit(id, { record: { connected: true } });
			await commit(ids[1]!, { record: { connected: false } });
			await commit(ids[3]!, { destroyTs: 5 });
			await commit(ids[4]!, { record: { sleepTs: 9 } });
			const left = [0, 2, 4, 5, 6].map((index) => ids[index]!);
			expect(await store.actorsToResume(100)).toEqual(left);
			expect(await store.actorsToResume(2)).toEqual(left.slice(0, 2));
			expect(await store.actorsToResume(2, left[1])).toEqual(left.slice(2, 4));
			expect(await store.actorsToResume(2, left[3])).toEqual(left.slice(4));
			expect(await store.actorsToResume(0)).toEqual([]);
			expect((await store.actorById(ids[1]!))?.connected).toBe(false);
			expect((await store.actorById(ids[4]!))?.connected).toBe(true);
		});

		it("goes through the actors that are to run again with them, each once", async () => {
			const store = await open({});
			const commit = (actorId: string, batch: object) =>
				store.commit(putBatch(actorId, 0, {}, batch));
			const make = async (crashPolicy: string, ...batches: object[]) => {
				const { actorId } = await acquiredActor(store, { crashPolicy });
				for (const batch of batches) await commit(actorId, batch);
				return actorId;
			};
			const ran = { record: { initialised: true, startTs: 1, connectableTs: 1, sleepTs: null } };
			const slept = { record: { sleepTs: 2, connectableTs: null } };
			const connected = { record: { connected: true } };
			const left = [
				await make("restart", ran),
				await make("sleep", ran, connected),
				await make("restart", ran, connected),
				await make("restart", ran, slept, ran),
				await make("restart", ran, slept, connected),
				await make("restart", ran, { record: { connectableTs: null } }),
			];
			await make("restart");
			await make("sleep", ran);
			await make("destroy", ran);
			const asleep = await make("restart", ran, slept);
			await make("restart", ran, connected, { destroyTs: 5 });
			await store.insertActor(newActor({ crashPolicy: "restart" }));
			expect(await store.actorsToResume(100)).toEqual(left);
			for (const limit of [1, 2, 4]) {
				const paged = await store.actorsToResume(limit);
				for (let page = paged; page.length > 0; ) {
					page = await store.actorsToResume(limit, paged.at(-1));
					paged.push(...page);
				}
				expect(paged).toEqual(left);
			}
			await commit(left[0]!, slept);
			await commit(left[2]!, slept);
			await commit(left[2]!, { record: { connected: false } });
			await commit(asleep, { record: { sleepTs: null } });
			expect(await store.actorsToResume(100)).toEqual([left[1], ...left.slice(3), asleep]);
		});

		it("moves and clears an alarm with the batch that says so", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const set = (alarmTs: number | null) =>
				store.commit(putBatch(actor.actorId, 0, {}, { alarmTs }));
			await set(50);
			await set(70);
			expect(await store.nextAlarmTs()).toBe(70);
			expect(await store.dueAlarms(60, 10)).toEqual([]);
			await store.commit(putBatch(actor.actorId, 0, { a: "no word about alarms" }));
			expect(await store.nextAlarmTs()).toBe(70);
			await set(null);
			expect(await store.nextAlarmTs()).toBeNull();
			await set(0);
			expect(await store.dueAlarms(0, 10)).toEqual([{ actorId: actor.actorId, alarmTs: 0 }]);
		});
	});
}
