import {
	type ActorAssignment,
	ActorGone,
	type ActorSocket,
	catalogueError,
	isActorError,
} from "@rivetkit/protocol";
import { describe, expect, test, vi } from "vitest";
import { createEngine } from "../../src/engine.ts";
import type { Engine } from "../../src/engine.types.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { testEngine } from "../helpers/engine.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { plainRequest } from "../helpers/plain-request.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { temporaryDirectory } from "../store/temporary-directory.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

const call = async (t: { readonly engine: Engine }, actorId: string) => {
	const answer = await t.engine.request(actorId, plainRequest("GET", "/x"));
	return `${answer.status} ${answer.body}`;
};

/** Its actors are ready without a wait once they exist. */
class PromptHost extends FakeHost {
	override start(
		assignment: ActorAssignment,
		sockets: readonly ActorSocket[],
	): undefined | Promise<void> {
		if (!assignment.initialised) return super.start(assignment, sockets);
		this.starts.push(assignment);
		this.onStart(assignment, sockets);
		this.live.set(assignment.actorId, assignment);
		return undefined;
	}
}

/** An engine on a store that reads without waiting, with an actor that sleeps. */
async function promptEngine() {
	const store = await openSqliteStore({ directory: temporaryDirectory() });
	const clock = new TestClock();
	const engine = createEngine({ store, clock, version: "0.0.0-test", logger: silent });
	const host = new PromptHost(store);
	host.events = engine.attachHost(host, { actorNames: { counter: {} } });
	const creation = { kind: "getOrCreate", name: "counter", key: ["k"], input: null } as const;
	const { actorId } = (await engine.resolve(creation)).actor;
	await host.stop(actorId, "sleep");
	return {
		engine,
		host,
		clock,
		actorId,
		async [Symbol.asyncDispose]() {
			await engine.close();
			await store.close();
		},
	};
}

describe("starting", () => {
	test("50 concurrent calls to a sleeping actor cause one start and all get their answer", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		const gate = new Gate();
		t.host.onStart = () => gate.opened;
		const calls = Array.from({ length: 50 }, () => call(t, actorId));
		gate.open();
		expect(await Promise.all(calls)).toEqual(Array(50).fill("200 GET /x"));
		expect(t.host.starts.map(({ generation }) => generation)).toEqual([0, 1]);
	});

	test("a creation is acquired as it is inserted, and its host need not ask what it is", async () => {
		await using t = testEngine();
		const acquire = vi.spyOn(t.store, "acquire");
		const actorId = await t.create();
		expect(acquire).not.toHaveBeenCalled();
		expect(t.host.starts[0]).toMatchObject({ actorId, generation: 0, initialised: false });
		await t.host.stop(actorId, "sleep");
		await call(t, actorId);
		expect(acquire).toHaveBeenCalledOnce();
		expect(t.host.starts[1]).toMatchObject({ actorId, generation: 1, initialised: true });
	});

	test("a failed creation acquires again at its next start", async () => {
		await using t = testEngine();
		t.host.onStart = () => {
			throw new Error("not this time");
		};
		const creation = { kind: "getOrCreate", name: "counter", key: ["k"], input: null } as const;
		await expect(t.engine.resolve(creation)).rejects.toThrow();
		t.host.onStart = () => {};
		await t.engine.resolve(creation);
		expect(t.host.starts.map(({ generation }) => generation)).toEqual([0, 1]);
	});

	test("a call to an actor that is ready at once waits for no change, so it sets no timer", async () => {
		await using t = await promptEngine();
		const after = vi.spyOn(t.clock, "after");
		expect(await call(t, t.actorId)).toBe("200 GET /x");
		expect(t.host.starts.map(({ generation }) => generation)).toEqual([0, 1]);
		expect(after).not.toHaveBeenCalled();
	});

	test("the caller of a start is through with what it does before users' code runs", async () => {
		await using t = await promptEngine();
		const answered = call(t, t.actorId);
		expect(t.host.starts).toHaveLength(1);
		expect(await answered).toBe("200 GET /x");
		expect(t.host.starts).toHaveLength(2);
	});

	test("many that are ready at once leave turns to others, in the order in which they were asked for", async () => {
		await using t = await promptEngine();
		const actorIds = await Promise.all(
			Array.from({ length: 300 }, async (_, index) => {
				const query = {
					kind: "getOrCreate",
					name: "counter",
					key: [`${index}`],
					input: null,
				} as const;
				const { actorId } = (await t.engine.resolve(query)).actor;
				await t.host.stop(actorId, "sleep");
				return actorId;
			}),
		);
		t.host.starts.length = 0;
		const turns: number[] = [];
		let isOver = false;
		const look = () => {
			turns.push(t.host.starts.length);
			if (!isOver) setImmediate(look);
		};
		setImmediate(look);
		const answers = await Promise.all(actorIds.map((actorId) => call(t, actorId)));
		isOver = true;
		expect(new Set(answers)).toEqual(new Set(["200 GET /x"]));
		expect(t.host.starts.map(({ actorId }) => actorId)).toEqual(actorIds);
		const perTurn = turns.map((count, turn) => count - (turns[turn - 1] ?? 0));
		expect(Math.max(...perTurn)).toBeLessThanOrEqual(64);
		expect(perTurn.filter((count) => count > 0).length).toBeGreaterThanOrEqual(4);
	});

	test("an incarnation that is over before its start returns is followed by another", async () => {
		await using t = await promptEngine();
		t.host.onStart = ({ actorId, generation }) => {
			if (generation === 1) t.host.events.stopped(actorId, generation, "sleep");
		};
		expect(await call(t, t.actorId)).toBe("200 GET /x");
		expect(t.host.starts.map(({ generation }) => generation)).toEqual([0, 1, 2]);
	});

	test("an unknown id is 404 actor.not_found", async () => {
		await using t = testEngine();
		const answer = await t.engine.request("nobody", plainRequest("GET", "/x"));
		expect(answer.status).toBe(404);
		expect(JSON.parse(String(answer.body))).toMatchObject({ group: "actor", code: "not_found" });
	});

	test("a start fails alone when the store cannot even say what is left of the actor", async () => {
		await using t = testEngine({ exposeErrors: () => true });
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		t.host.onStart = () => {
			throw new Error("the disk is gone");
		};
		const { actorById } = t.store;
		t.store.actorById = async () => {
			throw new Error("input/output error");
		};
		const answer = await call(t, actorId);
		expect(answer).toContain("the disk is gone");
		expect(t.engine.liveCount).toBe(0);
		t.store.actorById = actorById;
		t.host.onStart = () => {};
		expect(await call(t, actorId)).toBe("200 GET /x");
	});

	test("a call gives up after the ready limit, and the start goes on", async () => {
		const clock = new TestClock();
		await using t = testEngine({ clock });
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		const gate = new Gate();
		t.host.onStart = () => gate.opened;
		const late = call(t, actorId);
		await clock.armed(30_000);
		clock.advance(30_000);
		expect(await late).toContain("actor_ready_timeout");
		const second = call(t, actorId);
		gate.open();
		expect(await second).toBe("200 GET /x");
		expect(t.host.starts).toHaveLength(2);
	});

	test("an actor that falls asleep whenever it is woken is given up", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		t.host.onStart = ({ generation }) => {
			t.host.events.stopped(actorId, generation, "sleep");
		};
		const answer = await t.engine.request(actorId, plainRequest("GET", "/x"));
		expect(answer.status).toBe(503);
		expect(String(answer.body)).toContain("actor_wake_retries_exceeded");
	});

	test("is refused with 503 before a host is attached", async () => {
		const engine = createEngine({ store: createMemoryStore(), version: "0", logger: silent });
		expect((await engine.request("a", plainRequest("GET", "/x"))).status).toBe(503);
	});

	test("is refused with 503 after close", async () => {
		const t = testEngine();
		const actorId = await t.create();
		await t.engine.close();
		expect((await t.engine.request(actorId, plainRequest("GET", "/x"))).status).toBe(503);
	});
});

describe("a start that fails", () => {
	const failing = (error: unknown) => {
		const t = testEngine({ exposeErrors: () => false });
		t.host.onStart = async ({ actorId, generation }) => {
			await t.store.discard(actorId, generation);
			throw error;
		};
		return t;
	};

	test("while creating passes a public error on, frees the key and has no back-off", async () => {
		await using t = failing(catalogueError("queue.full", { limit: 1 }));
		for (let attempt = 0; attempt < 3; attempt++) {
			const error = await t.create(["a"]).catch((e: unknown) => e);
			expect(isActorError(error) && error.code).toBe("full");
		}
		expect(t.host.starts).toHaveLength(3);
		expect(await t.store.actorByKey("default", "counter", "a")).toBeUndefined();
	});

	test("while waking masks even a public error", async () => {
		await using t = testEngine({ exposeErrors: () => false });
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		t.host.onStart = () => {
			throw catalogueError("queue.full", { limit: 1 });
		};
		expect(await call(t, actorId)).toMatch(/^500 .*"code":"internal_error"/);
		expect(t.log.find(({ level }) => level === "error")?.fields).toMatchObject({
			actorId,
			name: "counter",
		});
	});

	test("is tried again at once, then after 100, 200, 400 ms; meanwhile callers get the last error", async () => {
		const clock = new TestClock();
		await using t = testEngine({ clock, exposeErrors: () => true });
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		let failures = 0;
		t.host.onStart = () => {
			throw new Error(`failure ${++failures}`);
		};
		const starts = () => t.host.starts.length - 1;
		expect(await call(t, actorId)).toContain("failure 1");
		expect(await call(t, actorId)).toContain("failure 2");
		expect(await call(t, actorId)).toContain("failure 2");
		clock.advance(99);
		expect(await call(t, actorId)).toContain("failure 2");
		expect(starts()).toBe(2);
		clock.advance(1);
		expect(await call(t, actorId)).toContain("failure 3");
		clock.advance(199);
		expect(await call(t, actorId)).toContain("failure 3");
		clock.advance(1);
		expect(await call(t, actorId)).toContain("failure 4");
		t.host.onStart = () => {};
		clock.advance(400);
		expect(await call(t, actorId)).toBe("200 GET /x");
	});

	test("fails all who wait for it, once", async () => {
		await using t = testEngine({ exposeErrors: () => true });
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		const gate = new Gate();
		t.host.onStart = () => gate.opened;
		const calls = [call(t, actorId), call(t, actorId), call(t, actorId)];
		gate.fail(new Error("broken"));
		for (const answer of await Promise.all(calls)) {
			expect(answer).toMatch(/^500 .*broken/);
		}
		expect(t.host.starts).toHaveLength(2);
	});
});

describe("stopping", () => {
	test("a call to an actor that falls asleep waits and is answered by the next incarnation", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const gate = new Gate();
		t.host.onStop = () => gate.opened;
		t.host.onRequest = (_request, { generation }) => ({
			status: 200,
			headers: {},
			body: `generation ${generation}`,
		});
		const stopped = t.host.stop(actorId, "sleep");
		const answer = call(t, actorId);
		gate.open();
		await stopped;
		expect(await answer).toBe("200 generation 1");
	});

	test("a call that waits goes from incarnation to incarnation, however often and however late", async () => {
		const clock = new TestClock();
		await using t = testEngine({ clock });
		const actorId = await t.create();
		const seen: unknown[] = [];
		t.host.onRequest = async ({ method, path, headers, body }) => {
			const text = new TextDecoder().decode(await body.bytes(100));
			const own = ["x-rivet-call-id", "x-rivet-wait-until", "x-own"].map((name) =>
				headers.get(name),
			);
			seen.push([method, path, text, ...own]);
			expect(Object.fromEntries(headers.entries())).toMatchObject({ "x-own": "1" });
			if (seen.length > 8) return { status: 200, headers: {}, body: "at last" };
			// Longer than one call may look for its actor.
			clock.advance(50_000);
			void t.host.stop(actorId, "sleep");
			throw new ActorGone(actorId, {
				callId: `call ${seen.length}`,
				deadlineTs: seen.length % 2 ? 5 : null,
			});
		};
		const request = plainRequest("POST", "/queue/x", "payload", { "x-own": "1" });
		const answer = await t.engine.request(actorId, request);
		expect(answer.body).toBe("at last");
		expect(seen.slice(0, 4)).toEqual([
			["POST", "/queue/x", "payload", null, null, "1"],
			["POST", "/queue/x", "payload", "call 1", "5", "1"],
			["POST", "/queue/x", "payload", "call 2", null, "1"],
			["POST", "/queue/x", "payload", "call 3", "5", "1"],
		]);
		expect(t.host.starts).toHaveLength(9);
	});

	test("a call that meets ActorGone goes to the next incarnation, body unread", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const assignment = t.host.live.get(actorId)!;
		// Gone without a word: the placement only learns of it by the answer.
		t.host.live.delete(actorId);
		t.host.onRequest = async (request, { generation }) => ({
			status: 200,
			headers: {},
			body: `${generation} ${new TextDecoder().decode(await request.body.bytes(100))}`,
		});
		const answer = t.engine.request(actorId, plainRequest("POST", "/x", "payload"));
		await Promise.resolve();
		t.host.events.stopped(actorId, assignment.generation, "sleep");
		expect((await answer).body).toBe("1 payload");
	});

	test("an id that is being destroyed is actor.stopping, then actor.not_found", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const gate = new Gate();
		t.host.onStop = () => gate.opened;
		const destroyed = t.engine.destroy(actorId);
		await expect.poll(() => t.host.stops.length).toBe(1);
		expect(await call(t, actorId)).toMatch(/^400 .*"code":"stopping"/);
		gate.open();
		await destroyed;
		expect(await call(t, actorId)).toMatch(/^404 .*"code":"not_found"/);
	});

	test("a report about an older incarnation changes nothing", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		await call(t, actorId);
		t.host.events.stopped(actorId, 0, "sleep");
		t.host.events.stopping(actorId, 0, "destroy");
		expect(await call(t, actorId)).toBe("200 GET /x");
		expect(t.host.starts).toHaveLength(2);
	});

	test("gives up after three incarnations that all say they are gone", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		t.host.onRequest = (_request, { generation }) => {
			setImmediate(() => t.host.events.stopped(actorId, generation, "sleep"));
			throw new ActorGone(actorId);
		};
		const answer = await t.engine.request(actorId, plainRequest("GET", "/x"));
		expect(answer.status).toBe(502);
		expect(JSON.parse(String(answer.body))).toMatchObject({
			group: "guard",
			code: "retry_attempts_exceeded",
			metadata: { attempts: 3 },
		});
		expect(t.host.starts).toHaveLength(3);
	});

	test("close stops every actor with sleep and starts no more", async () => {
		const t = testEngine();
		const ids = await Promise.all([t.create(), t.create(), t.create()]);
		await t.engine.close();
		expect(t.host.stops.sort()).toEqual(ids.map((id) => [id, "sleep"]).sort());
		expect(t.engine.liveCount).toBe(0);
	});

	test("close gives up on a start that never ends, and says so", async () => {
		const clock = new TestClock();
		const t = testEngine({ clock });
		t.host.onStart = () => new Promise(() => {});
		const made = t.create().catch(() => {});
		await expect.poll(() => t.host.starts.length).toBe(1);
		const closed = t.engine.close();
		await clock.armed(30_000);
		clock.advance(30_000);
		await expect(closed).rejects.toThrow("1 actors could not be stopped cleanly");
		await made;
	});

	test("costs nothing once the actor sleeps", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		expect(t.engine.liveCount).toBe(1);
		await t.host.stop(actorId, "sleep");
		expect(t.engine.liveCount).toBe(0);
	});
});
