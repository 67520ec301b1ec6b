import { describe, expect, test } from "vitest";
import { type TestEngine, testEngine } from "../helpers/engine.ts";
import { FakeHost } from "../helpers/fake-host.ts";
import { Gate } from "../helpers/gate.ts";
import { type HeldClient, inProcess } from "../helpers/held-client.ts";
import { plainRequest } from "../helpers/plain-request.ts";
import { TestClock } from "../helpers/test-clock.ts";

const call = async (t: TestEngine, actorId: string) => {
	const answer = await t.engine.request(actorId, plainRequest("GET", "/x"));
	return `${answer.status} ${answer.body}`;
};

function attach(t: TestEngine, name: string, heard: string[]): FakeHost {
	const host = new FakeHost(t.store);
	host.onStart = (_assignment, sockets) => {
		for (const socket of sockets) {
			socket.listen({
				onMessage: (message) => {
					heard.push(`${name} ${message}`);
					socket.send(`${name} ${message}`);
				},
				onClose: () => {},
			});
		}
	};
	host.onRequest = () => ({ status: 200, headers: {}, body: name });
	host.events = t.engine.attachHost(host, { actorNames: { counter: {} } });
	return host;
}

describe("a host that is lost", () => {
	test("takes no held client with it: the next host gets them, with what was not acknowledged", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const got: unknown[] = [];
		t.host.onSocket = ({ path }, socket) => {
			socket.listen({ onMessage: (message) => got.push(message), onClose: () => {} });
			if (path === "/websocket") {
				socket.hold();
			}
		};
		const held: HeldClient = await inProcess(t, actorId);
		const other = t.engine.connect(actorId, { ...upgrade, path: "/websocket/other" }, "");
		const otherClosed = new Promise((resolve) => other.addEventListener("close", resolve));
		held.send("one");
		await expect.poll(() => got).toEqual(["one"]);
		t.host.events.lost();
		expect(await otherClosed).toMatchObject({ code: 1000, reason: "actor.stopped" });
		expect(t.engine.liveCount).toBe(0);
		held.send("two");
		const heard: string[] = [];
		const next = attach(t, "next", heard);
		expect(await held.received(2)).toEqual(["next one", "next two"]);
		expect(next.starts.map(({ generation }) => generation)).toEqual([1]);
	});

	test("leaves calls waiting for the next one", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		t.host.events.lost();
		const waiting = call(t, actorId);
		await new Promise((resolve) => setImmediate(resolve));
		attach(t, "next", []);
		expect(await waiting).toBe("200 next");
	});

	test("in the middle of a start leaves those who wait for it to the next one", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		const started = new Gate();
		const broken = new Gate();
		t.host.onStart = () => {
			started.open();
			return broken.opened;
		};
		const waiting = call(t, actorId);
		await started.opened;
		t.host.events.lost();
		broken.fail(new Error("the link broke"));
		attach(t, "next", []);
		expect(await waiting).toBe("200 next");
		expect(t.log.filter(({ level }) => level === "error")).toEqual([]);
	});

	test("is waited for no longer than an actor: then calls are refused with 503", async () => {
		const clock = new TestClock();
		await using t = testEngine({ clock });
		const actorId = await t.create();
		t.host.events.lost();
		const waiting = call(t, actorId);
		await clock.armed(30_000);
		clock.advance(30_000);
		expect(await waiting).toMatch(/^503 .*service_unavailable/);
	});

	test("does not keep the engine from closing", async () => {
		const t = testEngine();
		const actorId = await t.create();
		t.host.events.lost();
		const waiting = call(t, actorId);
		await new Promise((resolve) => setImmediate(resolve));
		await t.engine.close();
		expect(await waiting).toMatch(/^503 /);
	});
});

describe("a host that is replaced", () => {
	test("is drained: its actors go to sleep there and wake on the new one, clients included", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		t.host.onSocket = (_upgrade, socket) => {
			socket.listen({ onMessage: () => {}, onClose: () => {} });
			socket.hold();
		};
		const client = await inProcess(t, actorId);
		await expect.poll(() => t.host.live.size).toBe(1);
		const stopping = new Gate();
		t.host.onStop = () => stopping.opened;
		const heard: string[] = [];
		attach(t, "next", heard);
		await expect.poll(() => t.host.stops).toEqual([[actorId, "sleep"]]);
		const waiting = call(t, actorId);
		client.send("moved?");
		stopping.open();
		expect(await waiting).toBe("200 next");
		expect(await client.received(1)).toEqual(["next moved?"]);
	});

	test("and cannot stop an actor is logged; the others move", async () => {
		await using t = testEngine();
		const [stuck, other] = [await t.create(), await t.create()];
		t.host.onStop = (actorId) => {
			if (actorId === stuck) {
				throw new Error("stuck");
			}
		};
		attach(t, "next", []);
		await expect.poll(() => t.log.filter(({ level }) => level === "error")).toHaveLength(1);
		expect(await call(t, other)).toBe("200 next");
		t.host.onStop = () => {};
		t.host.events.stopped(stuck, 0, "sleep");
		expect(await call(t, stuck)).toBe("200 next");
	});
});

const upgrade = {
	path: "/websocket",
	headers: { get: () => null, entries: () => [] },
	protocols: [],
};
