import { describe, expect, test } from "vitest";
import { ManualClock } from "./support/manual-clock.ts";
import { ScriptedServer } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

const SCHEDULE = [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];

function setUp(server: ScriptedServer) {
	const clock = new ManualClock();
	const { client } = clientOf(server, { disableMetadataLookup: true }, { clock });
	const connection = client.room!.getOrCreate("k").connect();
	const attempts: number[] = [];
	const startedAt = clock.now();
	connection.onStatusChange((status) => {
		if (status === "connecting") attempts.push(clock.now() - startedAt);
	});
	return { clock, client, connection, attempts };
}

describe("timing of reconnects", () => {
	test("after a drop, a refusing server sees attempts at 0, 250, 750, 1750, 3750 ms …", async () => {
		const server = await ScriptedServer.start();
		const { clock, client, connection, attempts } = setUp(server);
		const opened = new Promise<void>((resolve) => connection.onOpen(resolve));
		(await server.sockets.next()).init();
		await opened;
		await server.stop();
		for (const delayMs of SCHEDULE) await clock.fire(delayMs);
		expect(attempts).toEqual([0, 250, 750, 1750, 3750, 7750, 15_750, 31_750, 61_750, 91_750]);
		await client.dispose();
	});

	test("a server that closes every connection at once sees the same schedule", async () => {
		await using server = await ScriptedServer.start();
		const { clock, client, attempts } = setUp(server);
		(await server.sockets.next()).init().close(1000);
		for (const delayMs of SCHEDULE.slice(0, 5)) {
			(await server.sockets.next()).init().close(1000);
			await clock.fire(delayMs);
		}
		expect(attempts).toEqual([0, 250, 750, 1750, 3750, 7750]);
		await client.dispose();
	});

	test("five seconds of health start the schedule over", async () => {
		await using server = await ScriptedServer.start();
		const { clock, client, connection } = setUp(server);
		for (const delayMs of [250, 500, 1000]) {
			(await server.sockets.next()).close(1001);
			await clock.fire(delayMs);
		}
		const opened = new Promise<void>((resolve) => connection.onOpen(resolve));
		const healthy = await server.sockets.next();
		healthy.init();
		await opened;
		clock.advance(5_000);
		healthy.close(1001);
		(await server.sockets.next()).close(1001);
		await clock.timerOf(250);
		await client.dispose();
	});

	test("every failed attempt is told to the error handler and leaves the status disconnected", async () => {
		const server = await ScriptedServer.start();
		const { endpoint } = server;
		await server.stop();
		const clock = new ManualClock();
		const { client } = clientOf({ endpoint }, { disableMetadataLookup: true }, { clock });
		const connection = client.room!.getOrCreate("k").connect();
		const seen: string[] = [];
		connection.onError((error) => seen.push(`${error.group}.${error.code} ${error.message}`));
		connection.onStatusChange((status) => seen.push(status));
		await clock.fire(250);
		await clock.fire(500);
		await clock.timerOf(1000);
		const refused = expect.stringMatching(
			/^rivetkit\.internal_error HTTP request error: Request failed: .*ECONNREFUSED/,
		);
		expect(seen).toEqual([
			"disconnected",
			refused,
			"connecting",
			"disconnected",
			refused,
			"connecting",
			"disconnected",
			refused,
		]);
		await client.dispose();
		expect(clock.runningDelays).toEqual([]);
	});

	test("calls made while the server is away are sent when it is back", async () => {
		const server = await ScriptedServer.start();
		const { port } = server;
		const { clock, client, connection } = setUp(server);
		await server.stop();
		await clock.fire(250);
		const call = connection.later("x");
		await clock.timerOf(500);
		await using back = await ScriptedServer.start(port);
		clock.advance(500);
		const socket = await back.sockets.next();
		socket.init();
		const { id } = (await socket.frames.next()).body.val;
		socket.answer(id, "answered");
		expect(await call).toBe("answered");
		await client.dispose();
	});

	test("each attempt looks the actor up again, so a recreated one is found", async () => {
		await using server = await ScriptedServer.start();
		const { client, connection } = setUp(server);
		let actorId = "first";
		server.script = ({ path }) =>
			path === "/actors"
				? { body: { actor: { actor_id: actorId, name: "room" }, created: true } }
				: undefined;
		const first = await server.sockets.next();
		actorId = "second";
		const opened = new Promise<void>((resolve) => connection.onOpen(resolve));
		first.init();
		await opened;
		first.close(1000);
		expect((await server.sockets.next()).path).toBe("/gateway/second/connect");
		await client.dispose();
	});

	test("a server that never sends Init is given up after 60 seconds", async () => {
		await using server = await ScriptedServer.start();
		const { clock, client, connection } = setUp(server);
		const errors: string[] = [];
		connection.onError((error) => errors.push(error.message));
		const socket = await server.sockets.next();
		await clock.fire(60_000);
		await clock.fire(250);
		expect(errors).toEqual(["No Init within 60000 ms"]);
		(await server.sockets.next()).init();
		await socket.closed;
		await client.dispose();
	});
});
