import { describe, expect, test } from "vitest";
import { ManualClock } from "./support/manual-clock.ts";
import { ScriptedServer, type ScriptedSocket } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

const bigint = (id: number) => ["$BigInt", String(id)];

async function setUp(capabilities = ["call-ids"]) {
	const server = await ScriptedServer.start();
	server.metadata = { capabilities };
	const clock = new ManualClock();
	const { client, logged } = clientOf(server, {}, { clock });
	const connection = client.room!.getOrCreate("k").connect();
	return {
		server,
		clock,
		connection,
		logged,
		client,
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

async function namesOf(socket: ScriptedSocket, count: number): Promise<unknown[]> {
	const names = [];
	for (let i = 0; i < count; i++) {
		const { val } = (await socket.frames.next()).body;
		names.push(val.eventName ?? [val.name, val.id]);
	}
	return names;
}

describe("calls over a connection to a peer that recognises repetitions", () => {
	test("the session is the connection's own, offered to each of its sockets", async () => {
		await using scene = await setUp();
		const first = await scene.server.sockets.next();
		first.init().close(1000);
		const second = await scene.server.sockets.next();
		expect(first.session).toMatch(/^[\w-]{24}$/);
		expect(second.session).toBe(first.session);
	});

	test("two connections have two sessions", async () => {
		await using scene = await setUp();
		const first = await scene.server.sockets.next();
		scene.client.room!.getOrCreate("k").connect();
		expect((await scene.server.sockets.next()).session).not.toBe(first.session);
	});

	test("after a drop: subscriptions, then calls in flight with their ids, then queued calls", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		connection.on("tick", () => {});
		const inFlight = [connection.a(1), connection.b(2)];
		const first = await server.sockets.next();
		first.init();
		await namesOf(first, 3);
		const down = new Promise<void>((resolve) => connection.onClose(resolve));
		first.cut();
		await down;
		const queued = connection.c(3);
		const second = await server.sockets.next();
		second.init();
		expect(await namesOf(second, 4)).toEqual([
			"tick",
			["a", bigint(0)],
			["b", bigint(1)],
			["c", bigint(2)],
		]);
		second.answer(bigint(2), "C").answer(bigint(1), "B").answer(bigint(0), "A");
		expect(await Promise.all([...inFlight, queued])).toEqual(["A", "B", "C"]);
	});

	test("an answered call is not repeated", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const answered = connection.a();
		const open = connection.b();
		const first = await server.sockets.next();
		first.init();
		await namesOf(first, 2);
		first.answer(bigint(0), "A");
		await answered;
		first.cut();
		const second = await server.sockets.next();
		second.init();
		expect(await namesOf(second, 1)).toEqual([["b", bigint(1)]]);
		second.answer(bigint(1), "B");
		expect(await open).toBe("B");
	});

	test("an aborted call is not repeated", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const abort = new AbortController();
		const aborted = connection.action({ name: "a", args: [], signal: abort.signal });
		const open = connection.b();
		const first = await server.sockets.next();
		first.init();
		await namesOf(first, 2);
		abort.abort();
		await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
		first.cut();
		const second = await server.sockets.next();
		second.init();
		expect(await namesOf(second, 1)).toEqual([["b", bigint(1)]]);
		second.answer(bigint(1), "B");
		expect(await open).toBe("B");
	});

	test("a close before Init keeps queued calls for the next attempt", async () => {
		await using scene = await setUp();
		const { server, connection, clock } = scene;
		const call = connection.a();
		(await server.sockets.next()).close(1001, "restarting");
		await clock.fire(250);
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.answer(bigint(0), "A");
		expect(await call).toBe("A");
	});

	test("a call is given up when it was sent more than 60 seconds ago", async () => {
		await using scene = await setUp();
		const { server, connection, clock } = scene;
		const old = connection.old();
		const first = await server.sockets.next();
		first.init();
		await namesOf(first, 1);
		clock.advance(60_001);
		const young = connection.young();
		await namesOf(first, 1);
		first.cut();
		await expect(old).rejects.toThrow("Connection lost");
		const second = await server.sockets.next();
		second.init();
		expect(await namesOf(second, 1)).toEqual([["young", bigint(1)]]);
		second.answer(bigint(1), "still good");
		expect(await young).toBe("still good");
	});

	test("a refusal in the close reason rejects the call instead of repeating it", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const call = connection.tooLong();
		const first = await server.sockets.next();
		first.init();
		await namesOf(first, 1);
		first.close(1011, "message.incoming_too_long");
		await expect(call).rejects.toMatchObject({ group: "message", code: "incoming_too_long" });
		const second = await server.sockets.next();
		second.init();
		const next = connection.next();
		expect(await namesOf(second, 1)).toEqual([["next", bigint(1)]]);
		second.answer(bigint(1), null);
		await next;
	});

	test("a masked refusal rejects every call that waits, sent or queued, and is tried again", async () => {
		await using scene = await setUp();
		const { server, clock, connection } = scene;
		const told: string[] = [];
		connection.onError((error) => told.push(error.message));
		const first = await server.sockets.next();
		first.init();
		const sent = connection.sent();
		await namesOf(first, 1);
		first.close(1000);
		const second = await server.sockets.next();
		const queued = connection.queued();
		second.fail(null, "rivetkit", "internal_error", "a hook failed").close(1011);
		for (const call of [sent, queued]) {
			await expect(call).rejects.toMatchObject({
				group: "rivetkit",
				code: "internal_error",
				message: "a hook failed",
			});
		}
		expect(told).toEqual(["a hook failed"]);
		await clock.fire(250);
		(await server.sockets.next()).close(1011, "rivetkit.internal_error");
		await clock.fire(500);
		const last = await server.sockets.next();
		last.init();
		const next = connection.next();
		expect(await namesOf(last, 1)).toEqual([["next", bigint(2)]]);
		last.answer(bigint(2), "works again");
		expect(await next).toBe("works again");
	});

	test("a masked answer to the look-up rejects the calls that wait, too", async () => {
		await using server = await ScriptedServer.start();
		server.metadata = { capabilities: ["call-ids"] };
		const failure = { group: "rivetkit", code: "internal_error", message: "cannot start" };
		server.script = ({ path }) =>
			path.endsWith("/actors") ? { status: 500, body: failure } : undefined;
		const clock = new ManualClock();
		const { client } = clientOf(server, {}, { clock });
		const connection = client.room!.getOrCreate("k").connect();
		await expect(connection.early()).rejects.toMatchObject(failure);
		server.script = () => undefined;
		await clock.fire(250);
		(await server.sockets.next()).init();
		await client.dispose();
	});

	test.each(["guard.service_unavailable", "actor.stopping"])(
		"%s before Init keeps queued calls for the next attempt",
		async (reason) => {
			await using scene = await setUp();
			const { server, clock, connection } = scene;
			const call = connection.early();
			(await server.sockets.next()).close(1011, reason);
			await clock.fire(250);
			const socket = await server.sockets.next();
			socket.init();
			expect(await namesOf(socket, 1)).toEqual([["early", bigint(0)]]);
			socket.answer(bigint(0), "served");
			expect(await call).toBe("served");
		},
	);

	test("a connection-level error leaves calls in flight to their own answers", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const errors: string[] = [];
		connection.onError((error) => errors.push(`${error.group}.${error.code}`));
		const call = connection.a();
		const socket = await server.sockets.next();
		socket.init();
		await namesOf(socket, 1);
		socket.fail(null, "some", "trouble").answer(bigint(0), "A");
		expect(await call).toBe("A");
		expect(errors).toEqual(["some.trouble"]);
	});
});
