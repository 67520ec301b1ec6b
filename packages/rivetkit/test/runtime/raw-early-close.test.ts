import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { BareHost } from "../support/bare-host.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { ScriptedSocket } from "../support/scripted-socket.ts";

/** An actor that lets clients in, and listens to them, when the test says so. */
function late(options: object = {}) {
	const seen: string[] = [];
	const door = { letIn: new Gate(), listen: new Gate() };
	const subject = actor({
		options,
		onBeforeConnect: async () => {
			seen.push("onBeforeConnect");
			await door.letIn.passed;
		},
		onDisconnect: () => void seen.push("onDisconnect"),
		onWebSocket: async (_c, socket) => {
			seen.push("onWebSocket");
			socket.addEventListener("close", () => void seen.push("close"));
			await door.listen.passed;
			socket.addEventListener("message", ({ data }) => void seen.push(data as string));
		},
		actions: {},
	});
	return { subject, seen, door };
}

const HANDLED = ["one", "two", "close", "onDisconnect"];

/** What a client sends that has nothing more to say. */
function sayAndLeave(socket: ScriptedSocket): void {
	socket.deliver(1, "one");
	socket.deliver(2, "two");
	socket.leave();
}

describe("W-RAW-3 a client that sends something and closes at once", () => {
	it("is heard when onBeforeConnect takes time", async () => {
		const { subject, seen, door } = late();
		const host = new BareHost(subject);
		await host.start();
		const socket = new ScriptedSocket("client", false);
		const opened = host.open(socket, "/websocket");
		await eventually(() => expect(seen).toEqual(["onBeforeConnect"]));
		sayAndLeave(socket);
		door.listen.open();
		door.letIn.open();
		await soon(opened);
		await eventually(() => expect(seen).toContain("onDisconnect"));
		expect(seen).toEqual(["onBeforeConnect", "onWebSocket", ...HANDLED]);
	});

	it("is heard when onWebSocket takes time before it listens", async () => {
		const { subject, seen, door } = late();
		door.letIn.open();
		const host = new BareHost(subject);
		await host.start();
		const socket = new ScriptedSocket("client", false);
		await soon(host.open(socket, "/websocket"));
		sayAndLeave(socket);
		expect(seen).toEqual(["onBeforeConnect", "onWebSocket"]);
		door.listen.open();
		await eventually(() => expect(seen).toContain("onDisconnect"));
		expect(seen).toEqual(["onBeforeConnect", "onWebSocket", ...HANDLED]);
	});

	it("is heard by the incarnation that it has woken", async () => {
		const { subject, seen, door } = late({ canHibernateWebSocket: true });
		door.letIn.open();
		const host = new BareHost(subject);
		await host.start();
		const socket = new ScriptedSocket("client", false);
		await soon(host.open(socket, "/websocket"));
		await soon(host.stop());
		seen.length = 0;
		const next = socket.next();
		await host.start([next]);
		sayAndLeave(next);
		expect(seen).toEqual(["onWebSocket"]);
		door.listen.open();
		await eventually(() => expect(next.deeds).toContain("release"));
		expect(seen).toEqual(["onWebSocket", ...HANDLED]);
		expect(next.acknowledged).toBe(2);
	});

	it("is left to the next incarnation when the actor stops before its handler listens", async () => {
		const { subject, seen, door } = late({ canHibernateWebSocket: true, onConnectTimeout: 50 });
		door.letIn.open();
		const host = new BareHost(subject);
		await host.start();
		const socket = new ScriptedSocket("client", false);
		await soon(host.open(socket, "/websocket"));
		sayAndLeave(socket);
		await soon(host.stop());
		expect(seen).toEqual(["onBeforeConnect", "onWebSocket"]);
		expect(socket.deeds).toEqual(["hold"]);
		seen.length = 0;
		const next = socket.next();
		await host.start([next]);
		door.listen.open();
		sayAndLeave(next);
		await eventually(() => expect(next.deeds).toContain("release"));
		expect(seen).toEqual(["onWebSocket", ...HANDLED]);
	});

	it("has left after options.onConnectTimeout for a handler that does not listen", async () => {
		const clock = new FakeClock();
		const { subject, seen, door } = late({ onConnectTimeout: 3_000 });
		door.letIn.open();
		const host = new BareHost(subject, undefined, clock);
		await host.start();
		const socket = new ScriptedSocket("client", false);
		await soon(host.open(socket, "/websocket"));
		sayAndLeave(socket);
		await clock.advance(2_900);
		expect(seen).toEqual(["onBeforeConnect", "onWebSocket"]);
		await clock.advance(200);
		expect(seen.slice(2)).toEqual(["close", "onDisconnect"]);
	});
});

it("a client that closes without having sent anything has left at once, whatever its handler waits for", async () => {
	const { subject, seen, door } = late();
	door.letIn.open();
	// A clock that stands still.
	const host = new BareHost(subject, undefined, new FakeClock());
	await host.start();
	const socket = new ScriptedSocket("client", false);
	await soon(host.open(socket, "/websocket"));
	socket.leave();
	await eventually(() => expect(seen.slice(2)).toEqual(["close", "onDisconnect"]));
});
