import type { ActorSocket } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";
import { inProcess, overNetwork, type Transport } from "../helpers/held-client.ts";
import { TestClock } from "../helpers/test-clock.ts";

const text = (message: string | Uint8Array) =>
	typeof message === "string" ? message : `bytes ${[...message].join(",")}`;

/** An actor that holds its sockets, and what its incarnations hear. */
async function holding(open: Transport, options: Parameters<typeof testEngine>[0] = {}) {
	const t = testEngine(options);
	const actorId = await t.create();
	const heard: string[] = [];
	/** What each incarnation was given at its start. */
	const resumed: ActorSocket[][] = [];
	const sockets: ActorSocket[] = [];
	const on = {
		message: (_socket: ActorSocket, _index: number) => {},
		close: (_socket: ActorSocket) => {},
	};
	const listen = (socket: ActorSocket) => {
		sockets.push(socket);
		socket.listen({
			onMessage: (message, index) => {
				heard.push(`${index} ${text(message)}`);
				on.message(socket, index);
			},
			onClose: (code, reason, wasClean) => {
				heard.push(`close ${code} ${reason} ${wasClean}`);
				on.close(socket);
			},
		});
	};
	t.host.onSocket = (_upgrade, socket) => {
		listen(socket);
		socket.hold();
	};
	t.host.onStart = (_assignment, held) => {
		resumed.push([...held]);
		for (const socket of held) {
			listen(socket);
		}
	};
	const client = await open(t, actorId);
	await expect.poll(() => sockets).toHaveLength(1);
	return Object.assign(t, { actorId, heard, resumed, sockets, on, client });
}

const acknowledgeAll = (socket: ActorSocket, index: number) => socket.acknowledge(index);

const transports: [string, Transport][] = [
	["over the network", overNetwork],
	["in process", inProcess],
];

describe.each(transports)("%s, a held socket", (_how, open) => {
	test("stays open while its actor sleeps; a message wakes it and arrives once, in order", async () => {
		await using t = await holding(open);
		t.on.message = acknowledgeAll;
		t.client.send("one");
		t.client.send(Uint8Array.of(2));
		await expect.poll(() => t.heard).toEqual(["1 one", "2 bytes 2"]);
		await t.host.stop(t.actorId, "sleep");
		expect(t.host.live.size).toBe(0);
		for (let index = 3; index <= 100; index++) {
			t.client.send(`message ${index}`);
		}
		await expect.poll(() => t.heard.length).toBe(100);
		expect(t.heard.slice(2)).toEqual(
			Array.from({ length: 98 }, (_, at) => `${at + 3} message ${at + 3}`),
		);
		expect(t.host.starts).toHaveLength(2);
		expect(t.resumed[0]?.map(({ id }) => id)).toEqual([t.sockets[0]!.id]);
		expect(t.client.isOpen).toBe(true);
	});

	test("gives the next incarnation what was not acknowledged, and wakes it for that", async () => {
		await using t = await holding(open);
		for (const message of ["one", "two", "three"]) {
			t.client.send(message);
		}
		await expect.poll(() => t.heard).toHaveLength(3);
		t.sockets[0]!.acknowledge(1);
		await t.host.stop(t.actorId, "sleep");
		await expect.poll(() => t.heard.slice(3)).toEqual(["2 two", "3 three"]);
		t.sockets[1]!.acknowledge(3);
		await t.host.stop(t.actorId, "sleep");
		await t.create();
		t.client.send("four");
		await expect.poll(() => t.heard.slice(5)).toEqual(["4 four"]);
	});

	test("carries what the next incarnation sends, and nothing of the one before", async () => {
		await using t = await holding(open);
		t.on.message = (socket, index) => {
			socket.send(`to ${index}`);
			socket.acknowledge(index);
		};
		t.client.send("one");
		expect(await t.client.received(1)).toEqual(["to 1"]);
		expect(t.sockets[0]!.sentCount).toBe(1);
		await t.host.stop(t.actorId, "sleep");
		const [old] = t.sockets;
		old!.send("from the dead");
		old!.sendPrepared(old!.prepare("from the dead"));
		old!.close(1011, "from the dead");
		old!.acknowledge(100);
		old!.release();
		expect(old!.canHibernate).toBe(false);
		t.client.send("two");
		expect(await t.client.received(2)).toEqual(["to 1", "to 2"]);
		expect(t.sockets[1]!.sentCount).toBe(2);
	});

	test("closes with what an incarnation closes it with", async () => {
		await using t = await holding(open);
		t.client.send("one");
		await expect.poll(() => t.heard).toHaveLength(1);
		t.sockets[0]!.close(4001, "enough");
		expect(await t.client.closed).toEqual({ code: 4001, reason: "enough" });
		await t.host.stop(t.actorId, "sleep");
		await t.engine.request(t.actorId, wakeUp);
		expect(t.resumed.at(-1)).toEqual([]);
	});

	test("whose client leaves while the actor sleeps wakes it, until the actor has dealt with it", async () => {
		await using t = await holding(open, { limits: { closeWakeDelayMs: 0 } });
		await t.host.stop(t.actorId, "sleep");
		t.client.close(4002, "bye");
		await expect.poll(() => t.heard).toEqual(["close 4002 bye true"]);
		// It stops before it is through: the next one hears of it again.
		await t.host.stop(t.actorId, "sleep");
		await expect.poll(() => t.heard).toHaveLength(2);
		t.sockets.at(-1)!.release();
		await t.host.stop(t.actorId, "sleep");
		await t.engine.request(t.actorId, wakeUp);
		expect(t.resumed.at(-1)).toEqual([]);
		expect(t.heard).toHaveLength(2);
	});

	test("delivers what its client sent before it left", async () => {
		await using t = await holding(open, { limits: { closeWakeDelayMs: 0 } });
		await t.host.stop(t.actorId, "sleep");
		const gate = new Gate();
		const { onStart } = t.host;
		t.host.onStart = async (...args) => {
			await gate.opened;
			await onStart(...args);
		};
		t.client.send("last words");
		t.client.close(1000, "");
		await t.client.closed;
		gate.open();
		await expect.poll(() => t.heard).toEqual(["1 last words", "close 1000  true"]);
	});

	test("whose client leaves while an incarnation has it is told of at once", async () => {
		await using t = await holding(open);
		t.on.close = (socket) => socket.release();
		t.client.close(4003, "gone");
		await expect.poll(() => t.heard).toEqual(["close 4003 gone true"]);
		await t.host.stop(t.actorId, "sleep");
		await t.engine.request(t.actorId, wakeUp);
		expect(t.resumed.at(-1)).toEqual([]);
	});

	test("is closed with 1000 when the actor is destroyed, asleep or not", async () => {
		await using t = await holding(open);
		await t.host.stop(t.actorId, "sleep");
		await t.engine.destroy(t.actorId);
		expect(await t.client.closed).toEqual({ code: 1000, reason: "" });
	});

	test("that nobody holds ends with its incarnation", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const heard: unknown[] = [];
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen({ onMessage: (message) => heard.push(message), onClose: () => {} });
		const client = await open(t, actorId);
		client.send("heard");
		await expect.poll(() => heard).toEqual(["heard"]);
		await t.host.stop(actorId, "sleep");
		expect(await client.closed).toEqual({ code: 1000, reason: "actor.stopped" });
		expect(t.host.starts).toHaveLength(1);
	});

	test("that hibernates when the engine closes gets 1001", async () => {
		const t = await holding(open);
		await t.host.stop(t.actorId, "sleep");
		await t.engine.close();
		expect((await t.client.closed).code).toBe(1001);
	});

	test("cannot be held any more once the engine closes", async () => {
		const t = await holding(open);
		let couldHibernate: boolean | undefined;
		t.host.onStop = () => {
			couldHibernate = t.sockets[0]!.canHibernate;
		};
		expect(t.sockets[0]!.canHibernate).toBe(true);
		await t.engine.close();
		expect(couldHibernate).toBe(false);
		expect((await t.client.closed).code).toBe(1001);
	});

	test("is offered to the next incarnation when the first one was lost before it took it", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		const heard: string[] = [];
		const taken = new Gate();
		t.host.onSocket = (_upgrade, socket, { generation }) => {
			socket.listen({
				onMessage: (message, index) => heard.push(`${generation}: ${index} ${text(message)}`),
				onClose: () => {},
			});
			return generation === 0 ? taken.opened : undefined;
		};
		const client = await open(t, actorId);
		client.send("early");
		await expect.poll(() => heard).toEqual(["0: 1 early"]);
		t.host.live.delete(actorId);
		t.host.events.stopped(actorId, 0, "sleep");
		taken.open();
		await expect.poll(() => heard).toEqual(["0: 1 early", "1: 1 early"]);
		client.send("late");
		await expect.poll(() => heard.at(-1)).toBe("1: 2 late");
	});
});

const wakeUp = {
	method: "GET",
	path: "/x",
	headers: { get: () => null, entries: () => [] },
	body: { bytes: async () => new Uint8Array(), stream: () => null },
	signal: new AbortController().signal,
};

describe("limits", () => {
	test("more messages than webSocketPendingMessagesMax for a sleeping actor close the socket", async () => {
		await using t = await holding(overNetwork, { limits: { webSocketPendingMessagesMax: 3 } });
		// Awake, it may be behind with any number.
		for (let index = 0; index < 4; index++) {
			t.client.send("x");
		}
		await expect.poll(() => t.heard).toHaveLength(4);
		t.sockets[0]!.acknowledge(4);
		const gate = new Gate();
		await t.host.stop(t.actorId, "sleep");
		t.host.onStart = () => gate.opened;
		for (let index = 0; index < 4; index++) {
			t.client.send("y");
		}
		expect(await t.client.closed).toEqual({
			code: 1011,
			reason: "guard.websocket_pending_limit_reached",
		});
		expect(t.log.filter(({ message }) => message.includes("webSocketPendingBytesMax"))).toEqual([
			expect.objectContaining({ fields: expect.objectContaining({ count: 3 }) }),
		]);
		gate.open();
	});

	test("more bytes than webSocketPendingBytesMax close it, awake or asleep", async () => {
		await using t = await holding(overNetwork, { limits: { webSocketPendingBytesMax: 10_000 } });
		t.client.send("x".repeat(5_000));
		await expect.poll(() => t.heard).toHaveLength(1);
		t.sockets[0]!.acknowledge(1);
		t.client.send("x".repeat(5_000));
		t.client.send("x".repeat(5_000));
		expect(await t.client.closed).toEqual({
			code: 1011,
			reason: "guard.websocket_pending_limit_reached",
		});
		await expect.poll(() => t.heard.map((line) => line.slice(0, 3))).toContain("clo");
		expect(t.heard).toHaveLength(3);
	});

	test("a client whose actor does not wake within webSocketWakeTimeoutMs is closed", async () => {
		const clock = new TestClock();
		await using t = await holding(inProcess, { clock });
		await t.host.stop(t.actorId, "sleep");
		t.host.onStart = () => {
			throw new Error("no");
		};
		const before = t.host.starts.length;
		const turn = () => new Promise((resolve) => setImmediate(resolve));
		t.client.send("anybody?");
		while (t.host.starts.length === before) {
			await turn();
		}
		for (let second = 0; second < 90; second++) {
			await turn();
			expect(t.client.isOpen).toBe(true);
			clock.advance(1_000);
		}
		while (t.client.isOpen) {
			await turn();
			clock.advance(0);
		}
		expect(await t.client.closed).toEqual({ code: 1011, reason: "guard.actor_ready_timeout" });
		const starts = t.host.starts.length;
		clock.advance(600_000);
		expect(t.host.starts.length).toBe(starts);
	});

	test("an actor that wakes after some failures has its client still", async () => {
		const clock = new TestClock();
		await using t = await holding(inProcess, { clock });
		await t.host.stop(t.actorId, "sleep");
		let failures = 0;
		const { onStart } = t.host;
		t.host.onStart = (...args) => {
			if (++failures < 4) {
				throw new Error("not yet");
			}
			return onStart(...args);
		};
		t.client.send("anybody?");
		while (t.heard.length === 0) {
			clock.advance(1_000);
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
		expect(t.heard).toEqual(["1 anybody?"]);
	});

	test("many clients that leave wake their actor once, after closeWakeDelayMs", async () => {
		const clock = new TestClock();
		await using t = await holding(inProcess, { clock });
		t.on.close = (socket) => socket.release();
		const clients = [t.client];
		for (let index = 1; index < 50; index++) {
			clients.push(await inProcess(t, t.actorId));
		}
		await t.host.stop(t.actorId, "sleep");
		for (const client of clients) {
			client.close(1000, "");
		}
		await Promise.all(clients.map(({ closed }) => closed));
		await clock.armed(1_000);
		expect(t.host.starts).toHaveLength(1);
		clock.advance(1_000);
		await expect.poll(() => t.heard).toHaveLength(50);
		expect(t.host.starts).toHaveLength(2);
	});

	test("messages to many sleeping actors start at most wakesAtOnceMax of them at a time", async () => {
		const clock = new TestClock();
		await using t = await holding(inProcess, { clock, limits: { wakesAtOnceMax: 4 } });
		const actorIds = [t.actorId];
		const clients = [t.client];
		for (let index = 1; index < 20; index++) {
			actorIds.push(await t.create());
			clients.push(await inProcess(t, actorIds[index]!));
		}
		await expect.poll(() => t.sockets).toHaveLength(20);
		for (const actorId of actorIds) await t.host.stop(actorId, "sleep");
		const { onStart } = t.host;
		let [running, most] = [0, 0];
		t.host.onStart = async (...args) => {
			running++;
			most = Math.max(most, running);
			await new Promise((resolve) => setImmediate(resolve));
			running--;
			await onStart(...args);
		};
		for (const client of clients) client.send("wake up");
		await expect.poll(() => t.heard).toHaveLength(20);
		expect(most).toBe(4);
	});

	test("a client whose actor stands in line for webSocketWakeTimeoutMs is closed", async () => {
		const clock = new TestClock();
		const limits = { wakesAtOnceMax: 1, readyTimeoutMs: 3_600_000 };
		await using t = await holding(inProcess, { clock, limits });
		const second = await t.create();
		const behind = await inProcess(t, second);
		await expect.poll(() => t.sockets).toHaveLength(2);
		for (const actorId of [t.actorId, second]) await t.host.stop(actorId, "sleep");
		const gate = new Gate();
		t.host.onStart = () => gate.opened;
		const before = t.host.starts.length;
		t.client.send("first");
		await expect.poll(() => t.host.starts.length).toBe(before + 1);
		clock.advance(1_000);
		behind.send("second");
		await new Promise((resolve) => setImmediate(resolve));
		clock.advance(91_000);
		expect(await behind.closed).toEqual({ code: 1011, reason: "guard.actor_ready_timeout" });
		expect(t.host.starts.length).toBe(before + 1);
		gate.open();
	});
});
