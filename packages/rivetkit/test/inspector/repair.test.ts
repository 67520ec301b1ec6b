// Changes of an actor that does not start: they are made in what is stored of it.
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireSend } from "../support/wire-http.ts";
import { inspect } from "./support/inspect.ts";

/** Fails to start while its state says so, or always. */
function scene() {
	const seen = { fails: false, hasChanged: 0, wakes: 0 };
	const subject = actor({
		state: { isBroken: false, n: 1 } as Record<string, unknown>,
		queues: {
			jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead", maxSize: 2 }),
			dead: queue<number>(),
		},
		onStateChange: () => {
			seen.hasChanged++;
		},
		onWake: (c) => {
			seen.wakes++;
			if (seen.fails || c.state.isBroken) throw new Error("it does not start");
		},
		actions: {
			breakIt: (c) => {
				c.state.isBroken = true;
			},
			n: (c) => c.state.n,
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
	expect((await inspect(runtime, id, "lifecycle")).body.status).toBe("failing");
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
