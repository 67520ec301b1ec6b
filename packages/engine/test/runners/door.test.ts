import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createConnection, type Socket } from "node:net";
import { systemClock } from "@rivetkit/protocol";
import { expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { RunnerDoor } from "../../src/runners/runner-door.ts";
import { RUNNER_LIMITS } from "../../src/runners/runner-limits.ts";
import type { RunnerSocket } from "../../src/runners/runner-record.ts";
import type { RunnersHost } from "../../src/runners/runners-host.ts";
import { until } from "../helpers/until.ts";
import { ScriptedRunner } from "./scripted-runner.ts";

/** A door to what a test puts behind it. */
async function door(
	host: Pick<RunnersHost, "connected" | "received" | "disconnected">,
	accepts?: (token: string) => boolean,
) {
	const logged: object[] = [];
	const log = (fields: object) => void logged.push(fields);
	const runnerDoor = new RunnerDoor({
		host: host as RunnersHost,
		processId: "process",
		clock: systemClock(),
		newId: () => "ray",
		logger: { debug() {}, info() {}, warn() {}, error: log },
		limits: RUNNER_LIMITS,
		hasNamespace: async () => true,
		accepts,
	});
	const server = createServer().on("upgrade", (...upgrade) => runnerDoor.upgrade(...upgrade));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(() => void server.close());
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return { server, url, connect: () => ScriptedRunner.connect(url, { token: null }), logged };
}

const broken = new Error("cannot be dealt with");
const fails = () => {
	throw broken;
};

it("a message that cannot be dealt with closes its runner's socket and nothing else, and is logged", async () => {
	const disconnected = vi.fn();
	const received = vi.fn(fails);
	const connected = () => ({ runnerId: "r" }) as ReturnType<RunnersHost["connected"]>;
	const { connect, logged } = await door({ connected, received, disconnected });
	const [bad, other] = [await connect(), await connect()];
	bad.send({ tag: "ToServerStopping", val: undefined });
	expect(await bad.closed).toEqual({ code: 1011, reason: "core.internal_error" });
	expect(logged).toEqual([
		{
			namespace: "default",
			key: "key",
			runnerId: "r",
			message: "ToServerStopping",
			err: broken,
		},
	]);
	await until(() => expect(disconnected).toHaveBeenCalledOnce());
	expect(other.socket.readyState).toBe(other.socket.OPEN);
	await other.close();
});

it("so does a first message", async () => {
	const { connect, logged } = await door({
		connected: fails,
		received: () => {},
		disconnected: () => {},
	});
	const runner = await connect();
	expect(await runner.closed).toEqual({ code: 1011, reason: "core.internal_error" });
	expect(logged).toEqual([expect.objectContaining({ message: "ToServerInit", err: broken })]);
});

it("one that cannot be decoded is told from it", async () => {
	const received = vi.fn();
	const { connect } = await door({
		connected: () => ({ runnerId: "r" }) as ReturnType<RunnersHost["connected"]>,
		received,
		disconnected: () => {},
	});
	const runner = await connect();
	runner.socket.send(Uint8Array.of(99));
	expect(await runner.closed).toEqual({ code: 1011, reason: "ws.invalid_packet" });
	expect(received).not.toHaveBeenCalled();
});

it.each([
	["", "ws.invalid_url"],
	["?protocol_version=7&namespace=default&runner_key=key", "ws.invalid_initial_packet"],
])("a request target that is no URL does no harm (query %j)", async (query, reason) => {
	const { url } = await door({
		connected: () => ({ runnerId: "r" }) as ReturnType<RunnersHost["connected"]>,
		received: () => {},
		disconnected: () => {},
	});
	const socket = new WebSocket(`${url}/runners/connect`, "rivet", {
		finishRequest: (request) => {
			request.path = `http://a:99999/runners/connect${query}`;
			request.end();
		},
	});
	await once(socket, "open");
	socket.send("text");
	const [code, told] = await once(socket, "close");
	expect([code, String(told)]).toEqual([1011, `${reason}#ray`]);
});

it("nothing is kept of what a refused runner sends, and it hears why", async () => {
	const nothing = { connected: fails, received: fails, disconnected: fails };
	const { server, url } = await door(nothing, () => true);
	const taken = once(server, "connection") as Promise<[Socket]>;
	const stranger = createConnection(Number(new URL(url).port), "127.0.0.1");
	let told = "";
	stranger.on("data", (data) => {
		told += data.toString("latin1");
	});
	stranger.write(
		"GET /runners/connect HTTP/1.1\r\nHost: any\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
	);
	await until(() => expect(told).toContain("guard.missing_header#ray"));
	const [socket] = await taken;
	const frame = Buffer.alloc(1024 * 1024);
	// A masked binary frame of 255 MiB, of which this is the beginning.
	frame.set([0x82, 0xff, 0, 0, 0, 0, 0x0f, 0xf0, 0, 0]);
	stranger.write(frame);
	await until(() => expect(socket.bytesRead).toBeGreaterThan(frame.byteLength));
	// It waits for no end of the frame.
	expect(socket.writableEnded).toBe(true);
	stranger.destroy();
});

it("a refused runner hears why though it has said who it is already", async () => {
	const nothing = { connected: fails, received: fails, disconnected: fails };
	const { connect } = await door(nothing, () => true);
	const runner = await connect();
	expect(await runner.closed).toEqual({ code: 1011, reason: "guard.missing_header" });
});

it("what a runner does not read is told as buffered, until it does", async () => {
	let socket!: RunnerSocket;
	const connected = vi.fn((_who: unknown, _init: unknown, given: RunnerSocket) => {
		socket = given;
		return { runnerId: "r" } as ReturnType<RunnersHost["connected"]>;
	});
	const { connect } = await door({ connected, received: () => {}, disconnected: () => {} });
	const runner = await connect();
	await until(() => expect(connected).toHaveBeenCalledOnce());
	expect(socket.bufferedBytes).toBe(0);
	const sent = vi.fn();
	runner.socket.pause();
	const id = { gatewayId: new Uint8Array(4), requestId: new Uint8Array(4) };
	const val = { data: new Uint8Array(1024 * 1024), binary: true };
	for (let messageIndex = 0; messageIndex < 32; messageIndex++) {
		const messageId = { ...id, messageIndex };
		const messageKind = { tag: "ToClientWebSocketMessage", val } as const;
		socket.send({ tag: "ToClientTunnelMessage", val: { messageId, messageKind } }, sent);
	}
	expect(socket.bufferedBytes).toBeGreaterThan(1024 * 1024);
	expect(sent.mock.calls.length).toBeLessThan(32);
	runner.socket.resume();
	await until(() => expect(socket.bufferedBytes).toBe(0));
	expect(sent).toHaveBeenCalledTimes(32);
	await runner.close();
});
