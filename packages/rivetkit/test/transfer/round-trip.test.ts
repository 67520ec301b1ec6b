// Actors as files: what an export has, and what an import makes of it.
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { db } from "../../src/db/index.ts";
import { workflow } from "../../src/workflow/index.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { tokenOf } from "../inspector/support/inspector-socket.ts";
import { eventually } from "../support/eventually.ts";
import { STORES } from "../support/stores.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction, wireSend } from "../support/wire-http.ts";

type Headers = Record<string, string>;

async function exported(
	{ url }: TestRuntime,
	actorId: string,
	headers: Headers = {},
): Promise<{ status: number; bytes: Uint8Array }> {
	const response = await fetch(`${url}/actors/${actorId}/export`, { headers });
	return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
}

async function imported(
	{ url }: TestRuntime,
	bytes: Uint8Array,
	query: Record<string, string> = {},
	headers: Headers = {},
) {
	const response = await fetch(`${url}/actors/import?${new URLSearchParams(query)}`, {
		method: "POST",
		headers,
		body: bytes as BodyInit,
	});
	return {
		status: response.status,
		// biome-ignore lint/suspicious/noExplicitAny: whatever the route answers
		body: (await response.json()) as any,
	};
}

/** Exports an actor, imports it under another key, and gives the id of the copy. */
async function copied(runtime: TestRuntime, actorId: string, key = "copy"): Promise<string> {
	const { status, bytes } = await exported(runtime, actorId);
	expect(status).toBe(200);
	const answer = await imported(runtime, bytes, { key });
	expect(answer).toMatchObject({
		status: 200,
		body: { actor: { key, status: "sleeping" }, replaced: null },
	});
	expect(answer.body.actor.actor_id).not.toBe(actorId);
	return answer.body.actor.actor_id;
}

const HOUR = 3_600_000;

const keeper = actor({
	createState: (_c, input: { seed: number }) => ({
		seed: input.seed,
		at: new Date(5),
		map: new Map([[1n, Uint8Array.of(7)]]),
		fired: [] as string[],
	}),
	queues: {
		jobs: queue<string>({ maxAttempts: 1, deadLetter: "dead" }),
		dead: queue<string>(),
	},
	db: db({ onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a, b)")) }),
	actions: {
		fill: async (c) => {
			await c.kv.put("text", "value");
			await c.kv.put(Uint8Array.of(0, 255), Uint8Array.of(1, 2));
			await c.schedule.after(HOUR, "fire", "once");
			await c.cron.set({ name: "daily", expression: "0 3 * * *", action: "fire", args: ["cron"] });
			await c.cron.every({ name: "often", interval: HOUR, action: "fire", args: ["every"] });
			await c.db.transaction(async (tx) => {
				for (let n = 0; n < 500; n++) {
					await tx.execute("INSERT INTO t VALUES (?, ?)", n, "x".repeat(200));
				}
			});
			const failed = await c.queue.next({ names: ["jobs"], completable: true });
			await (failed as { release(): Promise<void> }).release();
		},
		fire: (c, what: string) => void c.state.fired.push(what),
		fireSoon: async (c) => void (await c.schedule.after(100, "fire", "soon")),
		rows: async (c) => (await c.db.execute("SELECT count(*) AS n, sum(a) AS s FROM t"))[0],
		check: async (c) => (await c.db.execute("PRAGMA integrity_check"))[0],
		value: async (c) => await c.kv.get("text"),
		add: async (c, n: number) => void (await c.db.execute("INSERT INTO t VALUES (?, 'new')", n)),
	},
});

const INPUT = Buffer.from([0xa1, 0x64, 0x73, 0x65, 0x65, 0x64, 0x09]).toString("base64");

describe.each(STORES)("on the %s store", (_name, open) => {
	it("everything an actor keeps is in its copy, and neither is woken for it", async () => {
		await using stored = await open();
		await using runtime = await TestRuntime.start({ keeper }, { store: stored.store });
		const id = await runtime.actorId("keeper", "original", INPUT);
		await wireSend(runtime, id, "jobs", "fails");
		expect((await wireAction(runtime, id, "fill")).error).toBeUndefined();
		await wireSend(runtime, id, "jobs", "waits");
		await wireSend(runtime, id, "jobs", "later", {
			headers: { "x-rivet-queue-options": JSON.stringify({ delay: HOUR, priority: 3 }) },
		});
		await runtime.embedded.host.stop(id, "sleep");
		const copy = await copied(runtime, id);
		expect(runtime.embedded.host.liveActorIds).toEqual([]);
		for (const path of [
			"state",
			"kv",
			"queue/messages",
			"queue/dead-letters",
			"schedules",
			"summary",
		]) {
			const [of, from] = await Promise.all([
				inspect(runtime, copy, path, { cbor: true }),
				inspect(runtime, id, path, { cbor: true }),
			]);
			expect(of.body, path).toEqual(from.body);
		}
		const letters = (await inspect(runtime, copy, "queue/dead-letters")).body.deadLetters;
		expect(letters).toMatchObject([{ body: "fails" }]);
		const [mine, its] = await Promise.all([
			stored.store.actorById(copy),
			stored.store.actorById(id),
		]);
		expect(mine!.alarmTs).toBe(its!.alarmTs);
		expect(mine!.alarmTs).toBeTypeOf("number");
		expect(mine!.input).toEqual(its!.input);
		// And it is an actor of its own.
		const output = async (actorId: string, action: string, ...args: unknown[]) =>
			(await wireAction(runtime, actorId, action, args)).output;
		expect(await output(copy, "rows")).toEqual({ n: 500, s: 124_750 });
		await output(copy, "add", 1);
		expect(await output(copy, "check")).toEqual({ integrity_check: "ok" });
		expect(await output(copy, "value")).toBe("value");
		expect(await output(copy, "rows")).toEqual({ n: 501, s: 124_751 });
		expect(await output(id, "rows")).toEqual({ n: 500, s: 124_750 });
	});

	it("a schedule fires in the copies, too, whether it is due already or later", async () => {
		await using stored = await open();
		await using runtime = await TestRuntime.start({ keeper }, { store: stored.store });
		const id = await runtime.actorId("keeper", "original", INPUT);
		await wireAction(runtime, id, "fireSoon");
		await runtime.embedded.host.stop(id, "sleep");
		const { bytes } = await exported(runtime, id);
		const importedAs = async (key: string): Promise<string> =>
			(await imported(runtime, bytes, { key })).body.actor.actor_id;
		const fired = (actorId: string) =>
			eventually(async () => {
				const { body } = await inspect(runtime, actorId, "state");
				expect(body.state.fired).toEqual(["soon"]);
			});
		const early = await importedAs("early");
		await fired(id);
		await fired(early);
		await fired(await importedAs("late"));
	});
});

it("a workflow goes on in the copy where it was, and does nothing twice", async () => {
	const done: string[] = [];
	const flow = actor({
		state: {},
		queues: { go: queue<string>() },
		run: workflow(async (ctx) => {
			const key = await ctx.step("first", (c) => {
				done.push(`first ${c.key[0]}`);
				return c.key[0];
			});
			const message = await ctx.queue.next("wait", { names: ["go"] });
			await ctx.step("last", (c) => void done.push(`last ${c.key[0]} ${key} ${message.body}`));
		}),
	});
	await using runtime = await TestRuntime.start({ flow });
	const id = await runtime.actorId("flow", "original");
	await eventually(() => expect(done).toEqual(["first original"]));
	await runtime.embedded.host.stop(id, "sleep");
	const copy = await copied(runtime, id);
	await wireSend(runtime, copy, "go", "now");
	await eventually(() => expect(done).toEqual(["first original", "last copy original now"]));
	await wireSend(runtime, id, "go", "too");
	await eventually(() => expect(done.slice(2)).toEqual(["last original original too"]));
});

const counter = actor({
	state: { count: 0 },
	events: { changed: event<number>() },
	options: { sleepTimeout: 60_000 },
	actions: {
		add: (c, n: number) => {
			c.state.count += n;
		},
	},
});

it("one that is awake is exported as its last commit left it, and goes on", async () => {
	await using runtime = await TestRuntime.start({ counter });
	const id = await runtime.actorId("counter", "a");
	await wireAction(runtime, id, "add", [5]);
	const copy = await copied(runtime, id);
	expect(runtime.embedded.host.liveActorIds).toEqual([id]);
	await wireAction(runtime, id, "add", [1]);
	const states = await Promise.all([id, copy].map((one) => inspect(runtime, one, "state")));
	expect(states.map(({ body }) => body.state.count)).toEqual([6, 5]);
});

it("connections and the actor's token stay behind", async () => {
	await using runtime = await TestRuntime.start(
		{ counter },
		{ token: "engine", inspection: { isOpen: () => true } },
	);
	const id = await runtime.actorId("counter", "a");
	const client = runtime.client();
	const connection = client.counter!.getForId(id).connect();
	await (connection as unknown as { add(n: number): Promise<void> }).add(1);
	const token = await tokenOf(runtime, id);
	await runtime.embedded.host.stop(id, "sleep");
	const stored = (await inspect(runtime, id, "connections")).body.connections;
	const copy = await copied(runtime, id);
	expect(stored).toHaveLength(1);
	expect((await inspect(runtime, copy, "connections")).body.connections).toEqual([]);
	expect(await tokenOf(runtime, copy)).not.toBe(token);
	await client.dispose();
});

describe("an import", () => {
	it("needs a free key, or leave to replace its holder", async () => {
		const ended: string[] = [];
		const subject = actor({
			state: { n: 1 },
			onDestroy: (c) => void ended.push(c.actorId),
			actions: {},
		});
		await using runtime = await TestRuntime.start({ subject, counter });
		const id = await runtime.actorId("subject", "a");
		const { bytes } = await exported(runtime, id);
		expect(await imported(runtime, bytes)).toMatchObject({
			status: 400,
			body: { group: "actor", code: "duplicate_key" },
		});
		const other = await runtime.actorId("subject", "b");
		const answer = await imported(runtime, bytes, { key: "b", replace: "true" });
		expect(answer).toMatchObject({ status: 200, body: { replaced: other } });
		expect(ended).toEqual([other]);
		expect((await inspect(runtime, answer.body.actor.actor_id, "state")).body.state).toEqual({
			n: 1,
		});
		for (const [query, message] of [
			[{ name: "nobody" }, "actor 'nobody' is not registered"],
			[{ key: "x".repeat(200) }, "the limit is 128"],
			[{ replace: "yes" }, "replace"],
		] as const) {
			const refused = await imported(runtime, bytes, query);
			expect(refused).toMatchObject({ status: 400, body: { code: "invalid" } });
			expect(refused.body.message).toContain(message);
		}
	});

	it("of a damaged, foreign or newer file is refused before anything is changed", async () => {
		await using runtime = await TestRuntime.start({ counter });
		const id = await runtime.actorId("counter", "a");
		const { bytes } = await exported(runtime, id);
		const flipped = Uint8Array.from(bytes);
		flipped[bytes.byteLength - 60]! ^= 1;
		const newer = Uint8Array.from(bytes);
		newer[8] = 99;
		const replace = { replace: "true" };
		for (const [file, code] of [
			[new Uint8Array(0), "invalid_file"],
			[Buffer.from("{}"), "invalid_file"],
			[bytes.subarray(0, -1), "invalid_file"],
			[flipped, "invalid_file"],
			[newer, "newer_file"],
		] as const) {
			expect(await imported(runtime, file, replace)).toMatchObject({
				status: 400,
				body: { group: "transfer", code },
			});
		}
		expect(runtime.embedded.host.liveActorIds).toEqual([id]);
	});
});

it("who may inspect an actor may export it; import and replace are for whoever may do that to all", async () => {
	const inspection = { token: () => "look", isOpen: () => false };
	await using runtime = await TestRuntime.start({ counter }, { inspection, token: "engine" });
	const [id, other] = [
		await runtime.actorId("counter", "a"),
		await runtime.actorId("counter", "b"),
	];
	const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });
	const own = await tokenOf(runtime, id);
	const statusOf = async (actorId: string, headers: Headers) =>
		(await exported(runtime, actorId, headers)).status;
	expect(await statusOf(id, {})).toBe(401);
	expect(await statusOf(id, bearer("engine"))).toBe(401);
	expect(await statusOf(id, bearer(own))).toBe(200);
	expect(await statusOf(other, bearer(own))).toBe(401);
	expect(await statusOf("nobody", bearer("look"))).toBe(404);
	const { status, bytes } = await exported(runtime, id, bearer("look"));
	expect(status).toBe(200);
	const importing = async (query: Record<string, string>, headers: Headers) =>
		(await imported(runtime, bytes, query, headers)).status;
	expect(await importing({ key: "c" }, {})).toBe(401);
	expect(await importing({ key: "c" }, bearer(own))).toBe(401);
	expect(await importing({ key: "c" }, bearer("look"))).toBe(200);
	expect(await importing({ replace: "true" }, bearer("look"))).toBe(403);
	const both = { ...bearer("look"), "x-rivet-token": "engine" };
	expect(await importing({ replace: "true" }, both)).toBe(200);
});

it("without an inspector there are neither", async () => {
	await using runtime = await TestRuntime.start({ counter }, { inspection: { enabled: false } });
	const id = await runtime.actorId("counter", "a");
	expect((await exported(runtime, id)).status).toBe(404);
	expect((await imported(runtime, new Uint8Array(1))).status).toBe(404);
});
