import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { setupTest } from "rivetkit/test";
import { expect, it } from "vitest";
import { registry } from "../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, ".."));

const QUERY = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default";

/** An open socket of a station, and what came on it. */
async function open(url: string, station: string) {
	const address = `${url.replace("http", "ws")}/gateway/station/websocket/?${QUERY}&rvt-key=${station}`;
	const socket = new WebSocket(address);
	const heard: { sensor: string; value: number }[] = [];
	socket.addEventListener("message", ({ data }) => heard.push(JSON.parse(data)));
	const closed = new Promise<number>((resolve) =>
		socket.addEventListener("close", ({ code }) => resolve(code)),
	);
	await new Promise((resolve, reject) => {
		socket.addEventListener("open", resolve);
		socket.addEventListener("error", reject);
	});
	const send = (sensor: string, value: number) => socket.send(JSON.stringify({ sensor, value }));
	return { socket, heard, closed, send };
}

it("does what its README shows", () => expectTranscript(server));

it("keeps readings over kill -9, and its sockets close", async () => {
	const roof = await open(server.url, "crash");
	roof.send("roof", 20);
	await eventually(() => expect(roof.heard).toMatchObject([{ sensor: "roof", value: 20 }]));
	await server.stop("SIGKILL");
	expect(await roof.closed).toBe(1006);
	await server.start();
	const again = await open(server.url, "crash");
	await eventually(() => expect(again.heard).toMatchObject([{ sensor: "roof", value: 20 }]));
	again.socket.close();
});

it.each([
	["no JSON", "hello", 1007],
	["bytes", new Uint8Array([1, 2, 3]), 1007],
	["a sensor with a strange name", '{"sensor":"__proto__ ","value":1}', 1007],
	["a message that is too long", `{"sensor":"${"x".repeat(2_000)}","value":1}`, 1009],
])("closes the socket of who sends %s, and nobody else's", async (_what, data, code) => {
	const [well, ill] = [await open(server.url, "strict"), await open(server.url, "strict")];
	ill.socket.send(data);
	expect(await ill.closed).toBe(code);
	well.send("roof", 1);
	await eventually(() => expect(well.heard.at(-1)).toMatchObject({ sensor: "roof", value: 1 }));
	well.socket.close();
});

it("sleeps while its sockets stay open, and is woken by a message", async (context) => {
	const { client, endpoint, time } = await setupTest(context, registry, { fakeTime: true });
	const [roof, watcher] = [await open(endpoint, "quiet"), await open(endpoint, "quiet")];
	roof.send("roof", 1);
	await eventually(() => expect(watcher.heard).toHaveLength(1));
	const listed = `${endpoint}/actors?namespace=default&name=station&key=quiet`;
	await eventually(async () => {
		await time.advance(60_000);
		const { actors } = await (await fetch(listed)).json();
		expect(actors).toMatchObject([{ sleep_ts: expect.any(Number) }]);
	});
	roof.send("roof", 2);
	await eventually(() => expect(watcher.heard).toMatchObject([{ value: 1 }, { value: 2 }]));
	expect(await client.station.getOrCreate(["quiet"]).wakes()).toBe(2);
	roof.socket.close();
	watcher.socket.close();
});
