import { describe, expect, test } from "vitest";
import { TRIES_MAX } from "../../src/client/transport/http/repeat.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { type Script, ScriptedServer } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

/** Waits as long as the schedule allows, so that delays are exact. As in pages that are not secure, no UUIDs. */
const random = {
	bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
	fraction: () => 0,
	uuid: () => expect.unreachable(),
};

async function setUp(script: Script, capabilities = ["call-ids", "query-gateway"]) {
	const server = await ScriptedServer.start();
	server.metadata = { capabilities };
	server.script = script;
	const clock = new ManualClock();
	const { client } = clientOf(server, {}, { clock, random });
	return {
		server,
		clock,
		handle: client.room!.getOrCreate("k"),
		ids: (pathPart: string) =>
			server.requestsTo(pathPart).map(({ headers }) => headers["x-rivet-call-id"]),
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

const ID = /^[\w-]{24}$/;

/** Answers the first `count` requests to a path with a failure. */
function failing(count: number, pathPart: string, fail: Script): Script {
	let left = count;
	return (request) => (request.path.includes(pathPart) && left-- > 0 ? fail(request) : undefined);
}

const cut: Script = (request) => {
	request.cut();
	return {};
};

describe("HTTP calls to a peer that remembers call ids", () => {
	test("each call carries an id of its own", async () => {
		await using scene = await setUp(() => undefined);
		await scene.handle.act();
		await scene.handle.act();
		const [first, second] = scene.ids("/action/");
		expect(first).toMatch(ID);
		expect(second).toMatch(ID);
		expect(second).not.toBe(first);
	});

	test("a call whose connection broke is repeated with the same id until it is answered", async () => {
		await using scene = await setUp(failing(3, "/action/", cut));
		const call = scene.handle.act();
		for (const delayMs of [50, 100, 200]) await scene.clock.fire(delayMs);
		expect(await call).toBe("done");
		expect(new Set(scene.ids("/action/")).size).toBe(1);
		expect(scene.ids("/action/")).toHaveLength(4);
	});

	test("so is a queue message", async () => {
		const stored: Script = ({ path }) =>
			path.includes("/queue/") ? { body: { status: "completed" } } : undefined;
		const flaky = failing(1, "/queue/", cut);
		await using scene = await setUp((request) => flaky(request) ?? stored(request));
		const call = scene.handle.send("work", 1);
		await scene.clock.fire(50);
		await call;
		expect(new Set(scene.ids("/queue/")).size).toBe(1);
		expect(scene.ids("/queue/")).toHaveLength(2);
	});

	test("a sender that waits is repeated over as many connections as it takes, with the time that is left", async () => {
		let tries = 0;
		const clockOf = { advance: (_ms: number) => {} };
		await using scene = await setUp((request) => {
			if (!request.path.includes("/queue/")) return undefined;
			if (++tries > TRIES_MAX + 3) return { body: { status: "completed", response: 7 } };
			// It was under way for a while before its connection broke, or the gateway ended it.
			clockOf.advance(10_000);
			if (tries % 2 === 0) {
				const error = { group: "guard", code: "request_timeout", message: "m" };
				return { status: 504, body: error };
			}
			return cut(request);
		});
		clockOf.advance = (ms) => scene.clock.advance(ms);
		const body = { n: 1 };
		const call = scene.handle.send("work", body, { wait: true, timeout: 1_000_000 });
		for (let failed = 0; failed < TRIES_MAX + 3; failed++) {
			await scene.clock.fire(50);
			// What is repeated is what was sent.
			body.n++;
		}
		expect(await call).toEqual({ status: "completed", response: 7 });
		const sent = scene.server.requestsTo("/queue/").map(({ body }) => JSON.parse(String(body)));
		expect(sent).toHaveLength(TRIES_MAX + 4);
		expect(new Set(scene.ids("/queue/")).size).toBe(1);
		expect(sent.map(({ body }) => body)).toEqual(sent.map(() => ({ n: 1 })));
		expect(sent.slice(0, 3).map(({ timeout }) => timeout)).toEqual([1_000_000, 989_950, 979_900]);
	});

	test("a sender whose time is over meanwhile still asks, so that its message is stored", async () => {
		const flaky = failing(1, "/queue/", cut);
		await using scene = await setUp(
			(request) =>
				flaky(request) ??
				(request.path.includes("/queue/") ? { body: { status: "timedOut" } } : undefined),
		);
		const call = scene.handle.send("work", 1, { wait: true, timeout: 40 });
		await scene.clock.fire(50);
		expect(await call).toEqual({ status: "timedOut" });
		const [, second] = scene.server.requestsTo("/queue/");
		expect(JSON.parse(String(second?.body))).toMatchObject({ timeout: 1 });
	});

	test.each([0, -1])(
		"a message that is not to be stored (timeout %i) is not by a repetition",
		async (timeout) => {
			const flaky = failing(1, "/queue/", cut);
			await using scene = await setUp(
				(request) =>
					flaky(request) ??
					(request.path.includes("/queue/") ? { body: { status: "timedOut" } } : undefined),
			);
			const call = scene.handle.send("work", 1, { wait: true, timeout });
			await scene.clock.fire(50);
			expect(await call).toEqual({ status: "timedOut" });
			const sent = scene.server.requestsTo("/queue/").map(({ body }) => JSON.parse(String(body)));
			expect(sent.map((body) => body.timeout)).toEqual([timeout, timeout]);
		},
	);

	test("one that finds nobody gives up as any other call", async () => {
		await using scene = await setUp((request) =>
			request.path.includes("/queue/") ? cut(request) : undefined,
		);
		const call = scene.handle.send("work", 1, { wait: true });
		call.catch(() => {});
		for (let failed = 1; failed < TRIES_MAX; failed++) {
			await scene.clock.fire(Math.min(2_000, 50 * 2 ** (failed - 1)));
		}
		await expect(call).rejects.toThrow(/Request failed/);
		expect(scene.ids("/queue/")).toHaveLength(TRIES_MAX);
	});

	test.each([502, 503, 504])(
		"a %i of a gateway in between is a reason to repeat",
		async (status) => {
			await using scene = await setUp(
				failing(1, "/action/", () => ({ status, body: "upstream is away" })),
			);
			const call = scene.handle.act();
			await scene.clock.fire(50);
			expect(await call).toBe("done");
		},
	);

	test("a structured answer is an answer, but for those of hosts that come and go", async () => {
		const error = (group: string, code: string) => () => ({
			status: 500,
			body: { group, code, message: "m" },
		});
		await using scene = await setUp(
			failing(1, "/action/", error("guard", "tunnel_response_closed")),
		);
		const call = scene.handle.act();
		await scene.clock.fire(50);
		expect(await call).toBe("done");
		scene.server.script = failing(1, "/action/", error("rivetkit", "internal_error"));
		await expect(scene.handle.act()).rejects.toMatchObject({ code: "internal_error" });
	});

	test("tries are bounded, and the last failure is the one that is thrown", async () => {
		await using scene = await setUp(failing(Number.POSITIVE_INFINITY, "/action/", cut));
		const call = scene.handle.act();
		for (const delayMs of [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]) {
			await scene.clock.fire(delayMs);
		}
		await expect(call).rejects.toMatchObject({
			group: "rivetkit",
			code: "internal_error",
			message: expect.stringMatching(/Request failed/),
		});
		expect(scene.ids("/action/")).toHaveLength(TRIES_MAX);
	});

	test("an abort ends the tries with the signal's reason", async () => {
		await using scene = await setUp(failing(Number.POSITIVE_INFINITY, "/action/", cut));
		const abort = new AbortController();
		const call = scene.handle.action({ name: "act", args: [], signal: abort.signal });
		await scene.clock.timerOf(50);
		abort.abort(new Error("that is enough"));
		await expect(call).rejects.toThrow("that is enough");
		expect(scene.clock.runningDelays).toEqual([]);
	});

	test("raw requests carry no id and are not repeated", async () => {
		await using scene = await setUp(failing(1, "/request/", cut));
		await expect(scene.handle.fetch("/x", { method: "POST" })).rejects.toThrow();
		expect(scene.ids("/request/")).toEqual([undefined]);
	});
});
