import { once } from "node:events";
import { type ActorSocket, type ActorSocketHandler, systemRandom } from "@rivetkit/protocol";
import type { ToServerInit } from "@rivetkit/protocol/runner";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { RunnerLimits } from "../../src/index.ts";
import { RunnerExchanges } from "../../src/runners/runner-exchanges.ts";
import { RUNNER_LIMITS } from "../../src/runners/runner-limits.ts";
import { RunnerRecord } from "../../src/runners/runner-record.ts";
import { TestClock } from "../helpers/test-clock.ts";
import { until } from "../helpers/until.ts";
import { engineWithRunners, startsOn } from "./engine-with-runners.ts";
import type { ScriptedRunner } from "./scripted-runner.ts";

/** WebSockets of actors on runners (engine 11: numbers behind the names). */

const served = engineWithRunners();
const { serve, connect, call, create, isAwake, answerNext } = served;

describe("a WebSocket of an actor on a runner (engine 3.8, 3.9, 4.11)", () => {
	const opened = async () => {
		await serve();
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const client = new WebSocket(
			`${served.url.replace("http", "ws")}/gateway/${actorId}/websocket`,
			"rivet",
		);
		const closed = new Promise<[number, string]>((resolve) => {
			client.on("close", (code, reason) => resolve([code, String(reason)]));
		});
		await until(() => expect(runner.tunnel).toHaveLength(1));
		const answer = (kind: Parameters<ScriptedRunner["answer"]>[1]) =>
			runner.answer(runner.tunnel[0]!, kind);
		answer({ tag: "ToServerWebSocketOpen", val: { canHibernate: false } });
		if (client.readyState !== client.OPEN) await once(client, "open");
		const ends = () =>
			runner.tunnel.flatMap(({ messageKind }) =>
				messageKind.tag === "ToClientWebSocketClose" ? [messageKind.val] : [],
			);
		return { client, closed, answer, ends };
	};

	it("that its client closes without a code is closed for the actor with 1000 and no reason (no. 29)", async () => {
		const { client, ends } = await opened();
		client.close();
		await until(() => expect(ends()).toEqual([{ code: 1_000, reason: undefined }]));
	});

	it("that the actor closes is closed back", async () => {
		const { closed, answer, ends } = await opened();
		const val = { code: 4_321, reason: "enough", hibernate: false };
		answer({ tag: "ToServerWebSocketClose", val });
		expect(await closed).toEqual([4_321, "enough"]);
		await until(() => expect(ends()).toEqual([{ code: 1_000, reason: undefined }]));
	});

	it("carries messages of the actor of 32 MiB; a longer one ends it, and nothing else", async () => {
		const { client, closed, answer, ends } = await opened();
		const limit = 32 * 1024 * 1024;
		const received = once(client, "message");
		const message = (bytes: number) =>
			answer({
				tag: "ToServerWebSocketMessage",
				val: { data: new Uint8Array(bytes), binary: true },
			});
		message(limit);
		expect((await received)[0]).toHaveLength(limit);
		message(limit + 1);
		const reason = "message.outgoing_too_long";
		expect(await closed).toEqual([1_011, reason]);
		await until(() => expect(ends()).toEqual([{ code: 1_011, reason }]));
	});
});

describe("a WebSocket that no actor takes (engine 3.8, 4.11)", () => {
	const hour = 3_600_000;
	const still = {
		runnerEligibleThresholdMs: hour,
		runnerLostThresholdMs: hour,
		pingIntervalMs: hour,
	};
	const pausesMs = [150, 300, 600, 1_200, 2_400, 4_800];

	/** A client on its way to an actor, and the offers of it. */
	const offering = async () => {
		const time = new TestClock();
		await serve(still, time);
		const runner = await connect({ stopsAtOnce: true });
		const actorId = await create();
		await isAwake(actorId);
		const client = new WebSocket(
			`${served.url.replace("http", "ws")}/gateway/${actorId}/websocket`,
			["rivet"],
		);
		const closed = new Promise<string>((resolve) =>
			client.on("close", (code, reason) => resolve(`${code} ${String(reason).replace(/#.*/, "")}`)),
		);
		const offers = () =>
			runner.tunnel.filter(({ messageKind }) => messageKind.tag === "ToClientWebSocketOpen");
		const offer = (nth: number) =>
			until(() => {
				expect(offers()).toHaveLength(nth);
				return offers()[nth - 1]!;
			});
		const pause = async (nth: number) => {
			await time.armed(pausesMs[nth - 1]!);
			time.advance(pausesMs[nth - 1]!);
		};
		const isWell = async () => {
			expect(startsOn(runner)).toEqual([0]);
			const before = runner.tunnel.length;
			const answered = call("GET", `/gateway/${actorId}/x`);
			await until(() => expect(runner.tunnel.length).toBeGreaterThan(before));
			await answerNext(runner, "{}");
			expect((await answered).status).toBe(200);
		};
		return { time, runner, client, closed, offer, pause, isWell };
	};

	it.each<[number | undefined, string | undefined]>([
		[undefined, undefined],
		[1000, "bye"],
		[1011, "internal"],
		[4000, "no"],
	])(
		"closed by its runner with %s, it is offered seven times and closed; its actor is as well as before",
		async (code, reason) => {
			const { runner, closed, offer, pause, isWell } = await offering();
			for (let nth = 1; nth <= 7; nth++) {
				const val = { code, reason, hibernate: nth % 2 === 0 };
				runner.answer(await offer(nth), { tag: "ToServerWebSocketClose", val });
				if (nth < 7) await pause(nth);
			}
			expect(await closed).toBe("1011 guard.retry_attempts_exceeded");
			await isWell();
		},
	);

	it("taken at last, its client has noticed nothing", async () => {
		const { runner, client, offer, pause, isWell } = await offering();
		const val = { code: 1011, reason: "not yet", hibernate: false };
		runner.answer(await offer(1), { tag: "ToServerWebSocketClose", val });
		await pause(1);
		const taken = await offer(2);
		runner.answer(taken, { tag: "ToServerWebSocketOpen", val: { canHibernate: false } });
		const heard = new Promise((resolve) => client.once("message", (data) => resolve(String(data))));
		const hello = { data: Buffer.from("hello"), binary: false };
		runner.answer(taken, { tag: "ToServerWebSocketMessage", val: hello });
		expect(await heard).toBe("hello");
		await isWell();
		client.close();
	});

	it("left without an answer for 15 s, it is offered again, and the runner told that the first offer is over", async () => {
		const { time, runner, closed, offer, pause, isWell } = await offering();
		for (let nth = 1; nth <= 7; nth++) {
			await offer(nth);
			await time.armed(15_000);
			time.advance(15_000);
			if (nth < 7) await pause(nth);
		}
		expect(await closed).toBe("1011 guard.retry_attempts_exceeded");
		await until(() =>
			expect(runner.tunnel.map(({ messageKind }) => messageKind.tag)).toEqual(
				Array.from({ length: 7 }, () => ["ToClientWebSocketOpen", "ToClientWebSocketClose"]).flat(),
			),
		);
		await isWell();
	});
});

describe("messages of clients that are held", () => {
	/** A client whose socket the actor holds. */
	const held = async (limits: Partial<RunnerLimits>, time?: TestClock) => {
		await serve(limits, time);
		const runner = await connect();
		const actorId = await create();
		await isAwake(actorId);
		const socket = new WebSocket(
			`${served.url.replace("http", "ws")}/gateway/${actorId}/websocket`,
			["rivet"],
		);
		const closed = new Promise<string>((resolve) =>
			socket.on("close", (code, reason) => resolve(`${code} ${reason}`)),
		);
		const open = await until(() => {
			expect(runner.tunnel).toHaveLength(1);
			return runner.tunnel[0]!;
		});
		runner.answer(open, { tag: "ToServerWebSocketOpen", val: { canHibernate: true } });
		await until(() => expect(socket.readyState).toBe(WebSocket.OPEN));
		return { runner, actorId, socket, closed, open };
	};

	/** What came to a runner from the client of an exchange: index and text. */
	const messagesOf = (runner: ScriptedRunner) =>
		runner.tunnel.flatMap(({ messageId, messageKind }) =>
			messageKind.tag === "ToClientWebSocketMessage"
				? [[messageId.messageIndex, String(Buffer.from(messageKind.val.data))]]
				: [],
		);
	const listedOn = (runner: ScriptedRunner) =>
		runner.commands.flatMap(({ inner }) =>
			inner.tag === "CommandStartActor"
				? inner.val.hibernatingRequests.map(({ gatewayId, requestId }) =>
						Buffer.concat([gatewayId, requestId]).toString("hex"),
					)
				: [],
		);

	it("outlive a runner that is killed: the next one has the client, and what was not acknowledged (nos. 53, 58)", async () => {
		const { runner, socket, open } = await held({ runnerLostThresholdMs: 300 });
		for (const text of ["one", "two"]) socket.send(text);
		await until(() => expect(messagesOf(runner)).toHaveLength(2));
		runner.answer(open, { tag: "ToServerWebSocketMessageAck", val: { index: 1 } });
		// Behind the acknowledgement on the same socket.
		const echo = { data: Buffer.from("echo"), binary: false };
		const heard = new Promise((resolve) => socket.once("message", resolve));
		runner.answer(open, { tag: "ToServerWebSocketMessage", val: echo });
		await heard;
		await runner.close();
		// Nobody calls it: its client's message is what wakes it.
		const next = await connect({ key: "next" });
		await until(() => expect(messagesOf(next)).toEqual([[2, "two"]]));
		const { gatewayId, requestId } = open.messageId;
		expect(listedOn(next)).toEqual([Buffer.concat([gatewayId, requestId]).toString("hex")]);
		socket.send("three");
		await until(() =>
			expect(messagesOf(next)).toEqual([
				[2, "two"],
				[3, "three"],
			]),
		);
		expect(next.tunnel.some(({ messageKind }) => messageKind.tag === "ToClientWebSocketOpen")).toBe(
			false,
		);
		expect(socket.readyState).toBe(WebSocket.OPEN);
		socket.close();
	});

	it("an acknowledgement that does not come closes the client (no. 55)", async () => {
		const { socket, closed, runner } = await held({
			messageAckTimeoutMs: 200,
			messageAckLookMs: 20,
		});
		socket.send("never acknowledged");
		expect(await closed).toBe("1011 guard.websocket_garbage_collected");
		await until(() => {
			expect(runner.tunnel.at(-1)!.messageKind).toMatchObject({ tag: "ToClientWebSocketClose" });
		});
	});

	it("a close with a code that no endpoint may send is a plain one, and the engine goes on", async () => {
		const { closed, runner, open } = await held({});
		runner.answer(open, {
			tag: "ToServerWebSocketClose",
			val: { code: 1006, reason: "broke behind the actor", hibernate: false },
		});
		expect(await closed).toBe("1000 broke behind the actor");
		expect((await call("GET", "/health")).status).toBe(200);
	});

	it("one that is acknowledged does not, however long it stays open (no. 55)", async () => {
		const time = new TestClock();
		const { socket, runner, open, actorId } = await held(
			{ messageAckTimeoutMs: 100, messageAckLookMs: 10 },
			time,
		);
		for (let index = 1; index <= 5; index++) {
			socket.send(`${index}`);
			await until(() => expect(runner.tunnel).toHaveLength(index + 1));
			runner.answer(open, { tag: "ToServerWebSocketMessageAck", val: { index } });
			// Behind it on the same socket.
			await runner.kv(actorId, { tag: "KvGetRequest", val: { keys: [] } });
			time.advance(60);
		}
		expect(socket.readyState).toBe(WebSocket.OPEN);
		socket.close();
	});

	it("acknowledgements 65535, 0, 1 release in this order (no. 54)", () => {
		const init: ToServerInit = {
			name: "default",
			version: 1,
			totalSlots: 1,
			prepopulateActorNames: undefined,
			metadata: undefined,
		};
		const runner = new RunnerRecord(
			{ runnerId: "r", namespace: "n", key: "k", processId: null },
			init,
			0,
			RUNNER_LIMITS,
		);
		const random = systemRandom();
		const exchanges = new RunnerExchanges(
			random.bytes(4),
			() => random.bytes(4),
			new TestClock(),
			15_000,
		);
		const released: number[] = [];
		let handler: ActorSocketHandler | undefined;
		const socket = {
			id: random.uuid(),
			listen: (given: ActorSocketHandler) => {
				handler = given;
			},
			acknowledge: (index: number) => released.push(index),
		} as Partial<ActorSocket> as ActorSocket;
		exchanges.resume(runner, "actor", [socket]);
		const [id] = RunnerExchanges.idsOf([socket]);
		for (let index = 65_534; index <= 65_538; index++) handler!.onMessage("m", index);
		for (const index of [65_535, 0, 1]) {
			exchanges.received(
				runner,
				{ ...id!, messageIndex: 0 },
				{ tag: "ToServerWebSocketMessageAck", val: { index } },
			);
		}
		expect(released).toEqual([65_535, 65_536, 65_537]);
	});
});
