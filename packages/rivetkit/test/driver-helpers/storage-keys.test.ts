import { createMemoryStore } from "@rivetkit/engine";
import { decodeCbor } from "@rivetkit/protocol";
import { getInitialActorKvState, KEYS, makeConnKey } from "rivetkit/driver-helpers";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import * as layout from "../../src/runtime/commit/storage-layout.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

describe("KEYS", () => {
	it("has every subspace of the layout, and the inspector token", () => {
		const subspaces = Object.entries(layout).filter(([name]) => name.startsWith("SUBSPACE_"));
		expect(subspaces.length).toBeGreaterThan(1);
		expect(KEYS).toEqual({
			...Object.fromEntries(
				subspaces.map(([name, byte]) => [
					name.slice("SUBSPACE_".length),
					Uint8Array.of(byte as number),
				]),
			),
			INSPECTOR_TOKEN: Uint8Array.of(3),
		});
	});

	it("says where the state of an actor is", async () => {
		const store = createMemoryStore();
		const subject = actor({ state: { word: "found" }, actions: { hello: () => 1 } });
		await using runtime = await TestRuntime.start({ subject }, { store });
		const actorId = await runtime.actorId("subject");
		await runtime.action(actorId, "hello");
		const start = KEYS.STATE;
		const stored = await store.scan(actorId, { start, end: Uint8Array.of(start[0]! + 1) });
		expect(stored.map(([, value]) => new TextDecoder().decode(value)).join()).toContain("found");
	});
});

describe("makeConnKey", () => {
	it("finds what an actor stores of a connection that hibernates", async () => {
		const store = createMemoryStore();
		const subject = actor({ connState: { mark: "mine" }, actions: { hello: () => 1 } });
		await using runtime = await TestRuntime.start({ subject }, { store });
		const actorId = await runtime.actorId("subject");
		await using socket = new WireSocket(`${runtime.url}/gateway/${actorId}/connect`);
		const { connectionId } = await soon(socket.expect("Init"));
		await soon(socket.call(0, "hello"));
		const start = makeConnKey(connectionId);
		const end = Uint8Array.of(...start, 0xff);
		const parts = await store.scan(actorId, { start, end });
		expect(parts.length).toBeGreaterThan(0);
		expect(parts.map(([, value]) => new TextDecoder().decode(value)).join()).toContain("mine");
		const others = await store.scan(actorId, { start: KEYS.CONNECTIONS, end: start });
		expect(others).toEqual([]);
	});

	it("refuses what is no id", () => {
		for (const id of ["", "x", "00000000-0000-0000-0000-00000000000g"]) {
			expect(() => makeConnKey(id)).toThrow(TypeError);
		}
	});
});

describe("getInitialActorKvState", () => {
	it("has the input for the record, and leaves the store empty", () => {
		const { input, entries } = getInitialActorKvState({ size: 3 });
		expect(entries).toEqual([]);
		expect(decodeCbor(input!)).toEqual({ size: 3 });
		expect(getInitialActorKvState(undefined)).toEqual({ input: null, entries: [] });
		expect(decodeCbor(getInitialActorKvState(null).input!)).toBeNull();
	});

	it("refuses what cannot be stored, with its path", () => {
		expect(() => getInitialActorKvState({ bad: [() => 1] })).toThrow(
			expect.objectContaining({ path: ".bad[0]" }),
		);
	});
});
