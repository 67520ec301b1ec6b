import { describe, expect, it } from "vitest";
import { newActor } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function directoryConformance(open: MakeStore): void {
	describe("directory", () => {
		it("inserts an actor and finds it by id and by key", async () => {
			const store = await open({});
			const actor = newActor({ input: new Uint8Array([1, 0, 255]) });
			const expected = {
				...actor,
				generation: -1,
				initialised: false,
				startTs: null,
				connectableTs: null,
				sleepTs: null,
				destroyTs: null,
				alarmTs: null,
				connected: false,
			};
			expect(await store.insertActor(actor)).toEqual({ created: true, actor: expected });
			expect(await store.actorById(actor.actorId)).toEqual(expected);
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toEqual(expected);
		});

		it("answers undefined for an unknown id, key, name or namespace", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor);
			expect(await store.actorById("nobody")).toBeUndefined();
			expect(await store.actorByKey("other", actor.name, actor.key)).toBeUndefined();
			expect(await store.actorByKey(actor.namespace, "other", actor.key)).toBeUndefined();
			expect(await store.actorByKey(actor.namespace, actor.name, "other")).toBeUndefined();
		});

		it("tells which live actor holds a key (S5)", async () => {
			const store = await open({});
			const first = newActor();
			await store.insertActor(first);
			const second = await store.insertActor({ ...newActor(), key: first.key });
			expect(second.created).toBe(false);
			expect(second.actor.actorId).toBe(first.actorId);
		});

		it("gives a hundred concurrent creators of one key one actor", async () => {
			const store = await open({});
			const results = await Promise.all(
				Array.from({ length: 100 }, () => store.insertActor({ ...newActor(), key: "same" })),
			);
			expect(results.filter((result) => result.created)).toHaveLength(1);
			expect(new Set(results.map((result) => result.actor.actorId)).size).toBe(1);
		});

		it("refuses an actor id that another key's actor has", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor);
			await expect(store.insertActor({ ...actor, key: "elsewhere" })).rejects.toThrow(
				actor.actorId,
			);
			expect(await store.actorByKey(actor.namespace, actor.name, "elsewhere")).toBeUndefined();
		});

		it("keeps keys apart that differ only in odd characters", async () => {
			const store = await open({});
			const keys = [
				"",
				"/",
				"\\0",
				"a\0b",
				"a\0c",
				"a",
				"a\u0001",
				"a\u00010",
				"ä",
				"a\u0308",
				"𝒳",
			];
			for (const key of keys) {
				await store.insertActor(newActor({ actorId: `id of ${key}`, key }));
			}
			for (const key of keys) {
				const record = await store.actorByKey("default", "counter", key);
				expect(record?.actorId).toBe(`id of ${key}`);
				expect(record?.key).toBe(key);
			}
		});

		it("refuses a text with a lone surrogate, which has no stored form", async () => {
			const store = await open({});
			await expect(store.insertActor(newActor({ key: "a\ud800" }))).rejects.toThrow(TypeError);
		});
	});
}
