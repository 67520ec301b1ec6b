import { isActorError } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import { engineLimits } from "../../src/common/limits.ts";
import type { Directory } from "../../src/directory/directory.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { Transfers } from "../../src/transfer/transfers.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { acquiredActor, putBatch } from "../store/fixtures.ts";

/** Exports of one initialised actor with 200 entries; one at a time, for one second each. */
async function exporting() {
	const store = createMemoryStore();
	const clock = new TestClock();
	const transfers = new Transfers({
		store,
		clock,
		directory: undefined as unknown as Directory,
		limits: engineLimits({ exportsAtOnceMax: 1, exportTimeoutMs: 1_000 }),
		version: "0.0.0",
		layout: { version: 1, staysBehind: () => false },
		destroy: async () => {},
		imported: () => {},
	});
	const { actorId } = await acquiredActor(store);
	const entries = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`k${n}`, "v"]));
	await store.commit(putBatch(actorId, 0, entries, { record: { initialised: true } }));
	return { store, clock, transfers, actorId };
}

const codeOf = (error: unknown) => (isActorError(error) ? error.code : error);

it("no more than the limit are exported at once; one that ends, or is given up, makes room", async () => {
	const { transfers, actorId } = await exporting();
	const first = await transfers.export(actorId);
	expect(await transfers.export(actorId).catch(codeOf)).toBe("too_many");
	await first.cancel();
	const second = await transfers.export(actorId);
	expect(await transfers.export(actorId).catch(codeOf)).toBe("too_many");
	for await (const _chunk of second);
	await (await transfers.export(actorId)).cancel();
	expect(await transfers.export("nobody").catch(codeOf)).toBe("not_found");
	await (await transfers.export(actorId)).cancel();
});

it("one that takes too long breaks off, and makes room", async () => {
	const { transfers, actorId, clock } = await exporting();
	const reader = (await transfers.export(actorId)).getReader();
	await reader.read();
	await reader.read();
	clock.advance(1_000);
	await expect(
		(async () => {
			while (!(await reader.read()).done);
		})(),
	).rejects.toThrow("limits.exportTimeoutMs");
	await (await transfers.export(actorId)).cancel();
});

it("an actor that is not initialised yet is none", async () => {
	const { transfers, store } = await exporting();
	const { actorId } = await acquiredActor(store);
	expect(await transfers.export(actorId).catch(codeOf)).toBe("not_found");
});
