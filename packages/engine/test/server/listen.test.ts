import { fork } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ListenError, listenError, PortTakenError } from "../../src/server/port-taken.ts";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";
import { exchange, open, untilReceived } from "../helpers/raw-http.ts";
import { until } from "../helpers/until.ts";
import { TestSocket } from "../helpers/web-socket.ts";
import { ScriptedRunner } from "../runners/scripted-runner.ts";

async function bound(server: Server): Promise<number> {
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return (server.address() as AddressInfo).port;
}

const HOUR_MS = 3_600_000;

const taken = async (
	t: ReturnType<typeof testEngine>,
	port: number,
	basePath = "/",
): Promise<PortTakenError> => {
	const error = await t.engine
		.listen({ port, basePath, portSetting: "managerPort" })
		.catch((thrown: unknown) => thrown);
	expect(error).toBeInstanceOf(PortTakenError);
	return error as PortTakenError;
};

describe("listen", () => {
	test("takes the loopback address unless told otherwise, and says where it is", async () => {
		await using t = testEngine();
		const server = await t.engine.listen({ port: 0 });
		expect(server.host).toBe("127.0.0.1");
		expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
		expect((await fetch(`${server.url}/health`)).status).toBe(200);
	});

	test("names an address clients can reach when it listens on all of them", async () => {
		await using t = testEngine();
		const server = await t.engine.listen({ port: 0, host: "0.0.0.0", basePath: "x" });
		expect(server.url).toBe(`http://127.0.0.1:${server.port}/x`);
	});

	test("drops connections over connectionsMax", async () => {
		await using t = testEngine({ limits: { connectionsMax: 1 } });
		const { port } = await t.listen();
		const first = await open(port);
		expect(await exchange(port, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n")).toBe("");
		const answered = untilReceived(first, "ok");
		first.write("GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
		await answered;
		first.destroy();
	});

	test.each([[-1], [Number.NaN], ["1" as never]])("refuses a limit of %s", (requestTimeoutMs) => {
		expect(() => testEngine({ limits: { requestTimeoutMs } })).toThrow(
			/^limits\.requestTimeoutMs must be a number of at least 0/,
		);
	});

	test("serves one engine at several addresses", async () => {
		await using t = testEngine();
		const [first, second] = [await t.listen(), await t.listen("/b")];
		const actorId = await t.create();
		expect((await fetch(`${first.url}/gateway/${actorId}/x`)).status).toBe(200);
		expect((await fetch(`${second.url}/gateway/${actorId}/x`)).status).toBe(200);
	});
});

describe("a port that is taken", () => {
	test("by a server with the same data names its process and address", async () => {
		const directory = await mkdtemp(join(tmpdir(), "rivetkit-listen-"));
		const link = `${directory}-link`;
		await symlink(directory, link);
		await using first = testEngine({ dataDirectory: directory });
		await using second = testEngine({ dataDirectory: link });
		const { port } = await first.listen("/base");
		const error = await taken(second, port, "/base");
		expect(error.occupant).toEqual({ kind: "same-data", pid: process.pid });
		expect(error.message).toBe(
			`Port ${port} on 127.0.0.1 is taken by a RivetKit server that already serves this data directory (process ${process.pid}). Use that one at http://127.0.0.1:${port}/base, or stop it first: kill ${process.pid}`,
		);
		expect(error.code).toBe("EADDRINUSE");
		await rm(link);
		await rm(directory, { recursive: true });
	});

	test("by a server with other data, or none, is told apart", async () => {
		await using first = testEngine({ dataDirectory: "/nowhere/a" });
		await using second = testEngine({ dataDirectory: "/nowhere/b" });
		await using memory = testEngine();
		const { port } = await first.listen();
		for (const t of [second, memory]) {
			const error = await taken(t, port);
			expect(error.occupant.kind).toBe("rivetkit");
			expect(error.message).toBe(
				`Port ${port} on 127.0.0.1 is taken by another RivetKit server (process ${process.pid}) with other data. Either stop it, or choose another port (managerPort).`,
			);
		}
	});

	test("by another HTTP server names the two ways out", async () => {
		await using t = testEngine();
		const other = createServer((_message, response) => response.end("hello"));
		const port = await bound(other);
		const error = await taken(t, port);
		expect(error.occupant).toEqual({ kind: "other" });
		expect(error.message).toBe(
			`Port ${port} on 127.0.0.1 is taken by another program. Either stop it, or choose another port (managerPort).`,
		);
		other.close();
		other.closeAllConnections();
	});

	test("by something that never answers is said within the probe's time", async () => {
		await using t = testEngine();
		const sockets: { destroy(): void }[] = [];
		const other = createTcpServer((socket) => sockets.push(socket));
		const port = await bound(other);
		expect((await taken(t, port)).occupant).toEqual({ kind: "other" });
		for (const socket of sockets) {
			socket.destroy();
		}
		other.close();
	});

	test("leaves the engine usable at another port", async () => {
		await using first = testEngine();
		await using second = testEngine();
		const { port } = await first.listen();
		await taken(second, port);
		const server = await second.listen();
		expect((await fetch(`${server.url}/health`)).status).toBe(200);
	});
});

describe("an address that cannot be listened on", () => {
	test("is refused with what to do", async () => {
		await using t = testEngine();
		const error = await t.engine
			.listen({ host: "203.0.113.7", port: 0, hostSetting: "managerHost" })
			.catch((thrown: unknown) => thrown);
		expect(error).toBeInstanceOf(ListenError);
		expect((error as Error).message).toMatch(/EADDRNOTAVAIL.* \(managerHost\), such as 127/);
	});

	test("is refused for the port when that is what the user may not use", () => {
		const wanted = { host: "h", port: 80, basePath: "", portSetting: "p", hostSetting: "h" };
		const cause = Object.assign(new Error("listen EACCES"), { code: "EACCES" });
		expect(listenError(wanted, cause).message).toBe(
			"Cannot listen on h, port 80: listen EACCES. This user may not use that port: choose one above 1023 (p).",
		);
	});
});

describe("close", () => {
	test("lets calls in flight end, stops actors, closes sockets with 1001, frees the port", async () => {
		const t = testEngine();
		const server = await t.listen();
		const actorId = await t.create();
		const [running, gate] = [new Gate(), new Gate()];
		t.host.onRequest = async () => {
			running.open();
			await gate.opened;
			return { status: 200, headers: {}, body: "done" };
		};
		// The host drains what it runs before it stops an actor.
		t.host.onStop = () => gate.opened;
		const client = new TestSocket(`${server.url}/gateway/${actorId}/websocket`);
		await client.opened;
		const idle = await open(server.port);
		const answer = fetch(`${server.url}/gateway/${actorId}/x`);
		await running.opened;
		const closed = t.engine.close();
		await expect(open(server.port)).rejects.toThrow("ECONNREFUSED");
		expect(t.host.stops).toEqual([[actorId, "sleep"]]);
		expect(client.ws.readyState).toBe(1);
		gate.open();
		expect(await (await answer).text()).toBe("done");
		expect(await client.closed).toEqual({ code: 1001, reason: "" });
		await closed;
		expect(server.socketCount).toBe(0);
		await new Promise((resolve) => idle.resume().once("close", resolve));
		await t.engine.close();
	});

	test("cuts a peer that does not answer the close frame", async () => {
		const t = testEngine({ limits: { closeGraceMs: 50 } });
		const server = await t.listen();
		const actorId = await t.create();
		const socket = await open(server.port);
		const upgraded = untilReceived(socket, "\r\n\r\n");
		socket.write(
			`GET /gateway/${actorId}/websocket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
		);
		await upgraded;
		const gone = new Promise((resolve) => socket.once("close", resolve));
		await t.engine.close();
		await gone;
	});

	test("cuts a runner that does not answer, and one that never said who it is", async () => {
		const t = testEngine({ limits: { closeGraceMs: 50 } });
		t.engine.attachRunners();
		const server = await t.listen();
		const frozen = await ScriptedRunner.connect(server.url);
		await until(() => expect(frozen.init).toBeDefined());
		const silent = await ScriptedRunner.connect(server.url, { isSilent: true });
		for (const { socket } of [frozen, silent]) socket.pause();
		// It takes the end of the limit, not the half minute that a close may take.
		await t.engine.close();
		for (const { socket } of [frozen, silent]) socket.terminate();
	});

	test("a call that comes while actors are being stopped is 503", async () => {
		const t = testEngine();
		const actorId = await t.create();
		const [stopping, gate] = [new Gate(), new Gate()];
		t.host.onStop = () => {
			stopping.open();
			return gate.opened;
		};
		const closed = t.engine.close();
		await stopping.opened;
		const answer = t.engine.fetch(new Request(`http://host/gateway/${actorId}/x`));
		gate.open();
		expect((await answer).status).toBe(503);
		await closed;
	});
});

describe("nodeListeners", () => {
	test("put the whole API into somebody else's server", async () => {
		await using t = testEngine();
		const { onRequest, onUpgrade } = t.engine.nodeListeners({ basePath: "/api/rivet" });
		const server = createServer(onRequest).on("upgrade", onUpgrade);
		const port = await bound(server);
		const actorId = await t.create();
		t.host.onSocket = (_upgrade, socket) => socket.send("hello");
		const base = `http://127.0.0.1:${port}/api/rivet/gateway/${actorId}`;
		expect(await (await fetch(`${base}/x`)).text()).toBe("GET /x");
		const client = new TestSocket(`${base}/connect`);
		expect(await client.received(1)).toEqual(["hello"]);
		server.close();
		await t.engine.close();
		expect((await client.closed).code).toBe(1001);
		server.closeAllConnections();
	});
});

describe("bad input", () => {
	test.each([
		["no HTTP at all", "hello\r\n\r\n", "400"],
		["a broken request line", "GET / HTTP/9.9\r\n\r\n", "400"],
		[
			"a header with a control character",
			"GET / HTTP/1.1\r\nhost: x\r\nx-a: \u0001\r\n\r\n",
			"400",
		],
		[
			"two lengths",
			"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
			"400",
		],
		[
			"a length and chunks",
			"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
			"400",
		],
		[
			"a broken chunk",
			"POST /actors HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
			"400",
		],
		[
			"too many header bytes",
			`GET / HTTP/1.1\r\nhost: x\r\nx-a: ${"a".repeat(40_000)}\r\n\r\n`,
			"431",
		],
	])("%s is answered with an error, and the server goes on", async (_what, text, status) => {
		await using t = testEngine();
		const server = await t.listen();
		expect(await exchange(server.port, text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
		expect((await fetch(`${server.url}/health`)).status).toBe(200);
	});

	test("headers that never end are cut", async () => {
		await using t = testEngine({ limits: { headersTimeoutMs: 50 } });
		const server = await t.listen();
		expect(await exchange(server.port, "GET / HTTP/1.1\r\nhost: x\r\n")).toMatch(
			/^(?:HTTP\/1.1 408 |$)/,
		);
	});

	test("10,000 half-open connections of all kinds leave the server usable", async () => {
		// None of them is cut while there are still some to come.
		const limits = { headersTimeoutMs: HOUR_MS, readyTimeoutMs: HOUR_MS, routeTimeoutMs: HOUR_MS };
		await using t = testEngine({ limits });
		const server = await t.listen();
		const actorId = await t.create();
		const gate = new Gate();
		await t.host.stop(actorId, "sleep");
		t.host.onStart = () => gate.opened;
		const upgrade = `GET /gateway/${actorId}/connect HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`;
		const kinds = [
			"",
			"GET / HTTP/1.1\r\nx-",
			`POST /gateway/${actorId}/x HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf`,
			upgrade,
			`${upgrade}\u0081\u00ff`,
		];
		t.host.onSocket = (_upgrade, socket) => socket.listen({ onMessage() {}, onClose() {} });
		const clients = fork(
			fileURLToPath(new URL("../helpers/half-open-client.ts", import.meta.url)),
			[String(server.port), "10000", JSON.stringify(kinds)],
			{ execArgv: ["--no-warnings", "--experimental-strip-types"] },
		);
		const exited = new Promise((resolve) => clients.once("exit", resolve));
		await new Promise((resolve) => clients.once("message", resolve));
		await expect.poll(() => server.socketCount).toBe(4_000);
		const other = t.create(["other"]);
		gate.open();
		const answer = await fetch(`${server.url}/gateway/${await other}/action/x`, { method: "POST" });
		expect(await answer.text()).toBe("POST /action/x");
		const live = new TestSocket(`${server.url}/gateway/${await other}/websocket`);
		await live.opened;
		live.ws.terminate();
		clients.send("go");
		await exited;
		await expect.poll(() => server.socketCount).toBe(0);
	});
});
