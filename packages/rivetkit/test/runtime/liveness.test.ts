import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";
import { WireSocket, type WireSocketOptions } from "../support/wire-socket.ts";

async function connected(clientOptions: WireSocketOptions, options: object = {}) {
	const clock = new FakeClock();
	const left: string[] = [];
	const subject = actor({
		options: { connectionLivenessInterval: 1_000, connectionLivenessTimeout: 400, ...options },
		onDisconnect: (_c, conn) => {
			if (conn.kind === "websocket") left.push(conn.id);
		},
		actions: {
			ping: () => "pong",
			flood: (c, times: number) => {
				const chunk = "x".repeat(100_000);
				for (let sent = 0; sent < times; sent++) c.broadcast("flood", chunk);
			},
			conns: (c) => c.conns.size,
		},
	});
	const runtime = await TestRuntime.start({ subject }, { clock });
	const id = await runtime.actorId("subject");
	const socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, clientOptions);
	return { runtime, id, clock, socket, left };
}

describe("L34 liveness", () => {
	it("a peer that answers pings stays connected", async () => {
		const { runtime, clock, socket, left } = await connected({});
		await using _ = runtime;
		let pings = 0;
		socket.ws.on("ping", () => pings++);
		for (let round = 1; round <= 5; round++) {
			await clock.advance(1_000);
			await eventually(() => expect(pings).toBe(round));
			// The answer has to be here before its time is up.
			await soon(socket.roundTrip());
			await clock.advance(0);
		}
		expect(await soon(socket.call(0, "ping"))).toMatchObject({ output: "pong" });
		expect(left).toEqual([]);
	});

	it("one that misses two pings in a row is closed with 1001, and onDisconnect runs", async () => {
		const { runtime, clock, socket, left } = await connected({ autoPong: false });
		await using _ = runtime;
		let pings = 0;
		socket.ws.on("ping", () => pings++);
		await clock.advance(1_000);
		await clock.advance(420);
		await eventually(() => expect(pings).toBe(1));
		expect(left).toEqual([]);
		await clock.advance(600);
		await eventually(() => expect(pings).toBe(2));
		expect(left).toEqual([]);
		await clock.advance(420);
		expect(await soon(socket.closed)).toEqual({
			code: 1001,
			reason: "connection.liveness_timeout",
		});
		await eventually(() => expect(left).toHaveLength(1));
		await clock.advance(10_000);
		expect(left).toHaveLength(1);
		expect(runtime.log.some(({ message }) => message.includes("did not answer pings"))).toBe(true);
	});

	it("one missed ping is forgiven", async () => {
		const { runtime, clock, socket, left } = await connected({ autoPong: false });
		await using _ = runtime;
		for (let round = 0; round < 4; round++) {
			const pinged = new Promise((resolve) => socket.ws.once("ping", resolve));
			await clock.advance(round === 0 ? 1_000 : 600);
			await soon(pinged);
			if (round % 2 === 1) {
				socket.ws.pong();
				await soon(socket.roundTrip());
			}
			await clock.advance(420);
		}
		expect(left).toEqual([]);
		expect(await soon(socket.call(0, "ping"))).toMatchObject({ output: "pong" });
	});

	it("no ping is sent to a connection that is closed", async () => {
		const { runtime, clock, socket, left } = await connected({});
		await using _ = runtime;
		socket.ws.close();
		await eventually(() => expect(left).toHaveLength(1));
		const armed = clock.armed;
		await clock.advance(5_000);
		expect(clock.armed).toBeLessThanOrEqual(armed);
	});
});

describe("W-CONN-6 slow readers", () => {
	it("are closed when more than options.maxConnectionBufferSize waits for them", async () => {
		const { runtime, id, socket, left } = await connected(
			{},
			{ maxConnectionBufferSize: 1_000_000 },
		);
		await using _ = runtime;
		socket.subscribe("flood");
		await soon(socket.call(0, "ping"));
		socket.ws.pause();
		await wireAction(runtime, id, "flood", [400]);
		await eventually(() => expect(left).toHaveLength(1));
		const lines = runtime.log.filter(({ message }) => message.includes("reads too slowly"));
		expect(lines).toHaveLength(1);
		expect(lines[0]?.fields).toMatchObject({ limit: 1_000_000 });
		expect((await wireAction(runtime, id, "conns")).output).toBe(1);
		socket.ws.terminate();
	});
});
