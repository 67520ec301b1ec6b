import { expect, it } from "vitest";
import { engineWithRunners } from "./engine-with-runners.ts";

/** Key/value requests over time; one by one they are in runners.test.ts (engine 4.8). */

const served = engineWithRunners();
const { serve, connect, create, isAwake } = served;

it("an actor stores no more than its share; what it replaces and deletes is room again (engine 4.8)", async () => {
	await serve({ kvBytesMax: 1_000 });
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const put = (key: number, bytes: number) =>
		runner.kv(actorId, {
			tag: "KvPutRequest",
			val: { keys: [Uint8Array.of(key)], values: [new Uint8Array(bytes)] },
		});
	const full = {
		tag: "KvErrorResponse",
		val: { message: expect.stringMatching(/^kv\.quota_exceeded: .*1000 bytes/) },
	};
	for (let times = 0; times < 20; times++) {
		expect((await put(1, 100)).tag).toBe("KvPutResponse");
	}
	for (let key = 2; key <= 9; key++) {
		expect((await put(key, 100)).tag).toBe("KvPutResponse");
	}
	expect(await put(10, 100)).toEqual(full);
	await runner.kv(actorId, { tag: "KvDeleteRequest", val: { keys: [Uint8Array.of(1)] } });
	expect((await put(10, 100)).tag).toBe("KvPutResponse");
	expect(await served.store.storedBytes(actorId)).toBe(909);
});

it("key/value requests of one actor are done in the order in which they came (engine 4.8)", async () => {
	await serve();
	const runner = await connect();
	const actorId = await create();
	await isAwake(actorId);
	const keys = [Uint8Array.of(1)];
	const [, read, , gone] = await Promise.all([
		runner.kv(actorId, { tag: "KvPutRequest", val: { keys, values: [Uint8Array.of(7)] } }),
		runner.kv(actorId, { tag: "KvGetRequest", val: { keys } }),
		runner.kv(actorId, { tag: "KvDeleteRequest", val: { keys } }),
		runner.kv(actorId, { tag: "KvGetRequest", val: { keys } }),
	]);
	expect(read).toMatchObject({ tag: "KvGetResponse", val: { keys: [expect.anything()] } });
	expect(gone).toMatchObject({ tag: "KvGetResponse", val: { keys: [] } });
});
