import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@rivetkit/protocol";
import { expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { RunnerDoor } from "../../src/runners/runner-door.ts";
import { RUNNER_LIMITS } from "../../src/runners/runner-limits.ts";
import type { RunnersHost } from "../../src/runners/runners-host.ts";
import { until } from "../helpers/until.ts";
import { ScriptedRunner } from "./scripted-runner.ts";

/** A door to what a test puts behind it. */
async function door(host: Pick<RunnersHost, "connected" | "received" | "disconnected">) {
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
		accepts: undefined,
	});
	const server = createServer().on("upgrade", (...upgrade) => runnerDoor.upgrade(...upgrade));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	onTestFinished(() => void server.close());
	const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	return { url, connect: () => ScriptedRunner.connect(url, { token: null }), logged };
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
