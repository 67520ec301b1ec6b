import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { createClient } from "rivetkit/client";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import type { registry } from "../src/registry.ts";

const server = exampleServer(join(import.meta.dirname, ".."));
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

const providers: WebsocketProvider[] = [];
afterEach(() => {
	for (const provider of providers.splice(0)) provider.destroy();
});

const socketUrl = async (name: string) =>
	(await client.document.getOrCreate([name]).getGatewayUrl()).replace("http", "ws");

/** An editor as the page has one. */
async function edit(name: string) {
	const doc = new Y.Doc();
	const provider = new WebsocketProvider(await socketUrl(name), "websocket", doc, {
		WebSocketPolyfill: WebSocket,
		disableBc: true,
		maxBackoffTime: 100,
	});
	providers.push(provider);
	await eventually(() => expect(provider.synced).toBe(true));
	return { provider, doc, text: doc.getText("text") };
}

it("puts together what two write at once, and shows who is there until they leave", async () => {
	const [ada, grace] = [await edit("both"), await edit("both")];
	ada.provider.awareness.setLocalStateField("user", { name: "Ada" });
	ada.text.insert(0, "Hello");
	grace.text.insert(0, "World");
	await eventually(() => {
		expect(ada.text.length).toBe(10);
		expect(grace.text.toString()).toBe(ada.text.toString());
	});
	const present = () =>
		[...grace.provider.awareness.getStates().values()].map((state) => state.user?.name);
	await eventually(() => expect(present()).toContain("Ada"));
	ada.provider.disconnect();
	await eventually(() => expect(present()).not.toContain("Ada"));
});

it("has it all after kill -9, and brings together what was written meanwhile", async () => {
	const [ada, grace] = [await edit("crash"), await edit("crash")];
	ada.text.insert(0, "before ");
	// What the other sees is on disk.
	await eventually(() => expect(grace.text.toString()).toBe("before "));
	await server.stop("SIGKILL");
	ada.text.insert(ada.text.length, "meanwhile ");
	await server.start();
	expect((await edit("crash")).text.toString()).toContain("before ");
	await eventually(() => expect(grace.text.toString()).toBe("before meanwhile "));
});

it("puts increments together into a snapshot", async () => {
	const ada = await edit("long");
	for (let index = 0; index < 250; index++) ada.text.insert(ada.text.length, `${index} `);
	const handle = client.document.getOrCreate(["long"]);
	await eventually(async () => expect(await handle.text()).toBe(ada.text.toString()));
	const { rows, bytes } = await handle.stored();
	expect(rows).toBeLessThan(60);
	expect(bytes).toBeLessThan(4_000);
	await server.stop("SIGKILL");
	await server.start();
	expect(await handle.text()).toBe(ada.text.toString());
});

it("closes the socket of who sends something else, and nobody else's", async () => {
	const ada = await edit("garbage");
	const closed = async (data: string | Uint8Array<ArrayBuffer>) => {
		const socket = new WebSocket(`${await socketUrl("garbage")}/websocket`);
		socket.addEventListener("open", () => socket.send(data));
		return new Promise<number>((resolve) =>
			socket.addEventListener("close", ({ code }) => resolve(code)),
		);
	};
	expect(await closed("text")).toBe(1003);
	expect(await closed(new Uint8Array([0, 2, 9, 255, 255]))).toBe(1011);
	ada.text.insert(0, "still here");
	const handle = client.document.getOrCreate(["garbage"]);
	await eventually(async () => expect(await handle.text()).toBe("still here"));
});
