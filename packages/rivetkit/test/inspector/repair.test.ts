// Changes of an actor that does not start: they are made in what is stored of it.
import type { StorageOp } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { SUBSPACE_STATE } from "../../src/runtime/commit/storage-layout.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireSend } from "../support/wire-http.ts";
import { inspect } from "./support/inspect.ts";

const STATE_KEY = Uint8Array.of(SUBSPACE_STATE);
const chunk = (index: number) => Uint8Array.of(SUBSPACE_STATE, 0, 0, 0, index);

/** Fails to start while its state says so, or always; a wake waits for the gate, if there is one. */
function scene() {
	const seen = { fails: false, hasChanged: 0, wakes: 0, gate: null as Gate | null };
	const subject = actor({
		state: { isBroken: false, n: 1 } as Record<string, unknown>,
		queues: {
			jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead", maxSize: 2 }),
			dead: queue<number>(),
		},
		onStateChange: () => {
			seen.hasChanged++;
		},
		onWake: async (c) => {
			seen.wakes++;
			if (seen.gate) await seen.gate.passed;
			if (seen.fails || c.state.isBroken) throw new Error("it does not start");
		},
		actions: {
			breakIt: (c) => {
				c.state.isBroken = true;
			},
			n: (c) => c.state.n,
			grow: (c) => {
				c.state.big = "x".repeat(300_000);
			},
			giveUp: async (c) => {
				for (;;) {
					const message = await c.queue.next({ names: ["jobs"], completable: true, timeout: 0 });
					if (!message) return;
					await message.release();
				}
			},
		},
	});
	return { seen, subject };
}

async function failing() {
	const { seen, subject } = scene();
	const runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const send = (body: number) => wireSend(runtime, id, "jobs", body);
	const breakIt = async () => {
		await runtime.action(id, "breakIt");
		await runtime.embedded.host.stop(id, "sleep");
		seen.hasChanged = 0;
		for (let times = 0; times < 4; times++) {
			expect((await runtime.action(id, "n")).status).toBe(500);
		}
		expect((await inspect(runtime, id, "lifecycle")).body.status).toBe("failing");
	};
	const change = async (method: string, path: string, body?: object, headers = {}) => {
		const answer = await inspect(runtime, id, path, { method, headers, ...(body && { body }) });
		return [answer.status, answer.body.code ?? answer.body];
	};
	return { runtime, id, seen, send, breakIt, change };
}

it("replaces a state that keeps an actor from starting, and starts it", async () => {
	const { runtime, id, seen, breakIt, change } = await failing();
	await using _runtime = runtime;
	await breakIt();
	const etag = (await inspect(runtime, id, "state")).headers.get("etag")!;
	expect(
		await change("PATCH", "state", { state: { isBroken: false, n: 7 } }, { "if-match": '"old"' }),
	).toEqual([412, "state_changed"]);
	expect(await change("PATCH", "state", {})).toEqual([400, "invalid"]);
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ isBroken: true, n: 1 });
	expect(
		await change("PATCH", "state", { state: { isBroken: false, n: 7 } }, { "if-match": etag }),
	).toEqual([200, { ok: true }]);
	expect(seen.hasChanged).toBe(0);
	expect(await (await runtime.action(id, "n")).json()).toEqual({ output: 7 });
	expect((await inspect(runtime, id, "lifecycle")).body.status).toBe("awake");
	// As any other change from here on.
	expect(await change("PATCH", "state", { state: { n: 8 } })).toEqual([200, { ok: true }]);
	expect(seen.hasChanged).toBe(1);
});

it("changes what is stored of an actor that does not start afterwards, either", async () => {
	const { runtime, id, seen, send, breakIt, change } = await failing();
	await using _runtime = runtime;
	for (const body of [1, 2]) await send(body);
	await runtime.action(id, "giveUp");
	for (const body of [3, 4]) await send(body);
	await breakIt();
	seen.fails = true;
	const listed = async () => {
		const { body } = await inspect(runtime, id, "queue/messages");
		return body.messages.map((one: { name: string; body: number }) => `${one.name} ${one.body}`);
	};
	expect(await listed()).toEqual(["dead 1", "dead 2", "jobs 3", "jobs 4"]);
	expect(await change("POST", "queue/redrive", { ids: [1] })).toEqual([400, "full"]);
	expect(await change("DELETE", "queue/messages/3")).toEqual([200, { dropped: true }]);
	expect(await change("DELETE", "queue/messages/3")).toEqual([200, { dropped: false }]);
	expect(await change("POST", "queue/redrive", { ids: [1] })).toEqual([200, { redriven: 1 }]);
	expect(await change("POST", "queue/redrive", { ids: [99] })).toEqual([400, "message_not_found"]);
	expect(await listed()).toEqual(["jobs 1", "dead 2", "jobs 4"]);
	expect(await change("DELETE", "queue?name=dead")).toEqual([200, {}]);
	expect(await listed()).toEqual(["jobs 1", "jobs 4"]);
	expect(await change("PATCH", "state", { state: { big: "x".repeat(200_000) } })).toEqual([
		200,
		{ ok: true },
	]);
	expect((await inspect(runtime, id, "state")).body.state.big).toHaveLength(200_000);
	expect(await change("PATCH", "state", { state: { n: 2 } })).toEqual([200, { ok: true }]);
	await eventually(async () =>
		expect((await inspect(runtime, id, "lifecycle")).body.status).toBe("failing"),
	);
	seen.fails = false;
	await eventually(async () =>
		expect(await (await runtime.action(id, "n")).json()).toEqual({ output: 2 }),
	);
	expect(await listed()).toEqual(["jobs 1", "jobs 4"]);
});

it("several at the same time are done one after the other, before one start", async () => {
	const { runtime, id, seen, breakIt, change } = await failing();
	await using _runtime = runtime;
	await breakIt();
	const etag = (await inspect(runtime, id, "state")).headers.get("etag")!;
	seen.fails = true;
	const patches = await Promise.all(
		[1, 2, 3].map((n) => change("PATCH", "state", { state: { n } }, { "if-match": etag })),
	);
	expect(patches.map(([status]) => status).sort()).toEqual([200, 412, 412]);
});

it("says that there is nothing to change of an actor that was never created", async () => {
	const subject = actor({
		createState: () => {
			throw new Error("never");
		},
		actions: { n: () => 1 },
	});
	await using runtime = await TestRuntime.start({ subject });
	await expect(runtime.actorId("subject")).rejects.toThrow();
	const listed = await fetch(`${runtime.url}/actors?namespace=default&name=subject`);
	const [{ actor_id: id }] = ((await listed.json()) as { actors: [{ actor_id: string }] }).actors;
	const answer = await inspect(runtime, id, "state", {
		method: "PATCH",
		body: { state: { n: 1 } },
	});
	expect(answer).toMatchObject({
		status: 400,
		body: { message: expect.stringContaining("never created") },
	});
});

it("what is wrong with a request, or slow, is no matter of the actor", async () => {
	const { runtime, id, seen, breakIt, change } = await failing();
	await using _runtime = runtime;
	await breakIt();
	const { wakes } = seen;
	const large = { state: { of: [{ deep: "x".repeat(20 * 1024 * 1024) }] } };
	expect(await change("PATCH", "state", {})).toEqual([400, "invalid"]);
	expect(await change("PATCH", "state", large)).toEqual([400, "too_large"]);
	expect(await change("POST", "queue/redrive", { limit: -1 })).toEqual([400, "invalid"]);
	const head = new Gate();
	const rest = new Gate();
	const body = new ReadableStream<Uint8Array>({
		async start(controller) {
			controller.enqueue(new TextEncoder().encode('{"state":{"isBroken":false,'));
			head.open();
			await rest.passed;
			controller.enqueue(new TextEncoder().encode('"n":5}}'));
			controller.close();
		},
	});
	const init = { method: "PATCH", body, duplex: "half" } as RequestInit;
	const patching = fetch(`${runtime.url}/gateway/${id}/inspector/state`, init);
	await head.passed;
	await eventually(async () => {
		expect((await inspect(runtime, id, "lifecycle")).body.status).toBe("failing");
	});
	expect(seen.wakes).toBe(wakes);
	rest.open();
	expect(await (await patching).json()).toEqual({ ok: true });
	expect(await (await runtime.action(id, "n")).json()).toEqual({ output: 5 });
});

it("answers when it is durable, while the actor still starts; another one then waits for that start", async () => {
	const { runtime, id, seen, breakIt, change } = await failing();
	await using _runtime = runtime;
	await breakIt();
	seen.fails = true;
	seen.gate = new Gate();
	expect(await change("PATCH", "state", { state: { n: 3 } })).toEqual([200, { ok: true }]);
	const { body } = await inspect(runtime, id, "lifecycle");
	expect(body.status).toBe("starting");
	const second = change("PATCH", "state", { state: { n: 4 } });
	seen.gate.open();
	expect(await second).toEqual([200, { ok: true }]);
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ n: 4 });
});

it.each([
	["that cannot be decoded", () => ({ op: "put", key: STATE_KEY, value: Uint8Array.of(0, 0xff) })],
	["whose chunks are missing", (at) => ({ op: "deleteRange", start: chunk(at), end: chunk(9) })],
] satisfies [string, (at: number) => StorageOp][])("replaces a state %s", async (_, damage) => {
	const { runtime, id, change } = await failing();
	await using _runtime = runtime;
	await runtime.action(id, "grow");
	await runtime.embedded.host.stop(id, "sleep");
	const { generation } = (await runtime.store.actorById(id))!;
	await runtime.store.commit({ actorId: id, generation, ops: [damage(1)] });
	expect((await runtime.action(id, "n")).status).toBe(500);
	expect(await change("PATCH", "state", { state: { n: 9 } })).toEqual([200, { ok: true }]);
	expect(await (await runtime.action(id, "n")).json()).toEqual({ output: 9 });
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ n: 9 });
});

it("says that it changes nothing where another node may have the actor", async () => {
	const { runtime, id, seen, breakIt } = await failing();
	await using _runtime = runtime;
	await breakIt();
	const { wakes } = seen;
	const { host } = runtime.embedded;
	const record = (await runtime.store.actorById(id))!;
	const patch = (start: () => Promise<void>) => {
		const bytes = async () => new TextEncoder().encode('{"state":{"n":7}}');
		const request = {
			method: "PATCH",
			path: "/inspector/state",
			headers: { get: () => null, entries: () => [] },
			body: { bytes, stream: () => null },
			signal: new AbortController().signal,
			peerAddress: "127.0.0.1",
		};
		const actor = {
			assignment: { ...record, key: [], keyText: null, region: "", pool: "default" },
			placement: "resting",
			startTs: null,
			sleepTs: null,
			retryTs: 0,
		} as const;
		return host.inspect(actor, request, { place: "anywhere", isFailing: () => true, start });
	};
	const refused = await patch(() => Promise.reject(new Error("it does not start there, either")));
	expect(refused).toMatchObject({
		status: 500,
		body: expect.stringContaining("Nothing was changed: where several nodes share a store"),
	});
	// It is changed as any other when it does start.
	expect(await patch(async () => {})).toBeNull();
	expect(seen.wakes).toBe(wakes);
	expect((await inspect(runtime, id, "state")).body.state.n).toBe(1);
});
