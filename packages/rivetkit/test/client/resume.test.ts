import { describe, expect, test } from "vitest";
import { ScriptedServer } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

async function setUp(capabilities: string[]) {
	const server = await ScriptedServer.start();
	server.metadata = { capabilities };
	const { client } = clientOf(server);
	const connection = client.room!.getOrCreate("k").connect();
	const told: unknown[] = [];
	connection.onResync(() => told.push("resync"));
	connection.onOpen(() => told.push("open"));
	connection.on("news", (news: unknown) => told.push(news));
	return {
		server,
		connection,
		told,
		/** The next socket, with its Init sent. */
		async opened(connectionId: string) {
			const socket = await server.sockets.next();
			return socket.init(connectionId);
		},
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

const resumeEntry = (socket: { protocols: readonly string[] }) =>
	socket.protocols.find((entry) => entry.startsWith("rivet_resume."));
const subscription = (eventName: string, subscribe: boolean) => ({
	body: { tag: "SubscriptionRequest", val: { eventName, subscribe } },
});

describe("to a server that keeps events", () => {
	const capable = ["call-ids", "resume-events"];

	test("each socket says where the last one broke: its connection, and the frames that came", async () => {
		await using t = await setUp(capable);
		const first = await t.opened("conn-1");
		expect(resumeEntry(first)).toBe("rivet_resume.new");
		first.event("news", 1).event("unheard", 2).answer(["$BigInt", "7"], "nobody asked");
		await expect.poll(() => t.told).toEqual(["open", 1]);
		await expect.poll(() => t.connection.connStatus).toBe("connected");
		first.cut();
		const second = await t.server.sockets.next();
		expect(resumeEntry(second)).toBe("rivet_resume.conn-1.4");
		// This one never gets as far as Init, so there is nothing new to say.
		second.cut();
		const third = await t.opened("conn-3");
		expect(resumeEntry(third)).toBe("rivet_resume.conn-1.4");
		third.event("news", 2);
		await expect.poll(() => t.told).toEqual(["open", 1, "open", 2]);
	});

	test("hears from it that events were missed, before what is newer, once", async () => {
		await using t = await setUp(capable);
		(await t.opened("conn-1")).cut();
		const second = await t.opened("conn-2");
		second.event("$rivet.resync").event("news", 5);
		await expect.poll(() => t.told).toEqual(["open", "open", "resync", 5]);
	});

	test("takes back the subscriptions of listeners that went while it was away", async () => {
		await using t = await setUp(capable);
		const off = t.connection.on("old", () => {});
		const first = await t.opened("conn-1");
		expect(await first.frames.next()).toEqual(subscription("news", true));
		expect(await first.frames.next()).toEqual(subscription("old", true));
		first.cut();
		await expect.poll(() => t.connection.connStatus).not.toBe("connected");
		off();
		t.connection.on("new", () => {});
		const second = await t.opened("conn-2");
		expect(await second.frames.next()).toEqual(subscription("old", false));
		expect(await second.frames.next()).toEqual(subscription("news", true));
		expect(await second.frames.next()).toEqual(subscription("new", true));
		second.cut();
		const third = await t.opened("conn-3");
		expect(await third.frames.next()).toEqual(subscription("news", true));
	});

	test("a callback that throws or is taken out does not keep others from hearing", async () => {
		await using t = await setUp(capable);
		const heard: string[] = [];
		t.connection.onResync(() => {
			throw new Error("a bug");
		});
		const off = t.connection.onResync(() => heard.push("taken out"));
		t.connection.onResync(() => heard.push("stays"));
		off();
		const first = await t.opened("conn-1");
		first.event("$rivet.resync");
		await expect.poll(() => heard).toEqual(["stays"]);
	});
});

describe.each([
	["a server without the capability", ["call-ids"]],
	["a published server", []],
])("to %s", (_what, capabilities) => {
	test("nothing is offered, and each socket but the first may have missed events", async () => {
		await using t = await setUp(capabilities);
		const first = await t.opened("conn-1");
		expect(resumeEntry(first)).toBeUndefined();
		await expect.poll(() => t.told).toEqual(["open"]);
		first.cut();
		const second = await t.opened("conn-2");
		expect(resumeEntry(second)).toBeUndefined();
		// Whoever reads anew in the callback does so behind its subscriptions.
		expect(await second.frames.next()).toEqual(subscription("news", true));
		await expect.poll(() => t.told).toEqual(["open", "open", "resync"]);
	});
});
