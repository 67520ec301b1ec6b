import type { RunnerToServer, ToClientTunnelMessageKind } from "@rivetkit/protocol/runner";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { setup } from "../../src/registry/registry.ts";
import { eventually } from "../support/eventually.ts";
import { type RunnerSocket, ScriptedEngine, toldOf } from "../support/scripted-engine.ts";

/** Our runner against an engine that does what a test wants (engine 11, nos. 36 to 40, 42). */

let starts = 0;
const counter = actor({
	state: { count: 0, left: 0 },
	onWake: () => {
		starts++;
	},
	onDisconnect: (c, connection) => {
		if (connection.params !== undefined) c.state.left++;
	},
	actions: {
		add: (c, by: number) => (c.state.count += by),
		left: (c) => c.state.left,
		nap: (c) => c.sleep(),
	},
});
let closeCount = 0;
const closer = actor({
	onWebSocket: (_c, socket) => {
		socket.addEventListener("message", () => {
			socket.close(4_001, "as you wish");
			closeCount++;
		});
	},
	actions: {},
});
const broken = actor({
	onWake: () => {
		throw new Error("not today");
	},
	actions: {},
});

let engine: ScriptedEngine;
let registry: ReturnType<typeof behind>;
const behind = (endpoint: string, logging: object = { level: "silent" }) =>
	setup({
		use: { counter, closer, broken },
		endpoint,
		token: "secret",
		namespace: "lab",
		runner: { runnerKey: "key-1", version: 3, totalSlots: 7 },
		handleSignals: false,
		logging,
	});

beforeEach(async () => {
	starts = 0;
	closeCount = 0;
	engine = await ScriptedEngine.start();
	registry = behind(engine.endpoint);
});

afterEach(async () => {
	await registry.shutdown();
	await engine.close();
});

const until = (runner: RunnerSocket, actorId: string, what: string, generation = 0) =>
	eventually(() => {
		const told = toldOf(runner.received, actorId);
		expect(told).toContainEqual(expect.objectContaining({ what, generation }));
		return told;
	});

const exchange = (requestId: number) => ({
	gatewayId: Uint8Array.of(1, 2, 3, 4),
	requestId: Uint8Array.of(0, 0, 0, requestId),
	messageIndex: 0,
});

function request(
	actorId: string,
	requestId: number,
	headers = new Map<string, string>(),
	action = "add",
): void {
	engine.send({
		tag: "ToClientTunnelMessage",
		val: {
			messageId: exchange(requestId),
			messageKind: {
				tag: "ToClientRequestStart",
				val: {
					actorId,
					method: "POST",
					path: `/action/${action}`,
					headers: new Map([["x-rivet-encoding", "json"], ...headers]),
					body: Buffer.from('{"args":[1]}'),
					stream: false,
				},
			},
		},
	});
}

const answers = (received: readonly RunnerToServer[], requestId: number) =>
	received.flatMap((message) =>
		message.tag === "ToServerTunnelMessage" && message.val.messageId.requestId[3] === requestId
			? [message.val.messageKind]
			: [],
	);

describe("connecting", () => {
	it.each(["a/b=", "a b", "a,b", "ü", "d%e/v"])(
		"refuses the token %j, which no subprotocol can carry, in words",
		async (token) => {
			const refused = setup({
				use: { counter },
				endpoint: engine.endpoint,
				token,
				handleSignals: false,
			});
			expect(() => refused.startRunner()).toThrow(/- token: runners send .*RIVET_TOKEN/);
			const headers = {
				"x-rivet-endpoint": engine.endpoint,
				"x-rivet-total-slots": "1",
				"x-rivet-runner-name": "default",
				"x-rivet-namespace-name": "default",
			};
			const start = new Request("http://app.example/api/rivet/start", { headers });
			await expect(refused.handler(start)).rejects.toThrow(/RIVET_TOKEN/);
			await refused.shutdown();
		},
	);

	it("refuses a token that an engine hands over and nobody can bring back", async () => {
		const open = setup({ use: { counter }, endpoint: engine.endpoint, handleSignals: false });
		const headers = {
			"x-rivet-endpoint": engine.endpoint,
			"x-rivet-total-slots": "1",
			"x-rivet-runner-name": "default",
			"x-rivet-namespace-name": "default",
			"x-rivet-token": "a/b=",
		};
		const answer = await open.handler(
			new Request("http://app.example/api/rivet/start", { headers }),
		);
		expect(answer.status).toBe(400);
		expect(await answer.json()).toMatchObject({
			code: "invalid",
			message: expect.stringContaining("x-rivet-token: runners send"),
		});
		await open.shutdown();
	});

	it("says who it is, and offers version 7 first", async () => {
		registry.startRunner();
		const { version, query, protocols, received } = await engine.socket();
		expect(version).toBe(7);
		expect([query.get("namespace"), query.get("runner_key")]).toEqual(["lab", "key-1"]);
		expect(protocols).toBe("rivet,rivet_token.secret");
		expect(received[0]).toMatchObject({
			val: { name: "default", version: 3, totalSlots: 7 },
		});
	});

	it("goes down to the version an older engine speaks (no. 36)", async () => {
		const refused: number[] = [];
		engine.refuses = (version) => {
			if (version <= 5) return null;
			refused.push(version);
			return "ws.invalid_packet";
		};
		registry.startRunner();
		expect((await engine.socket()).version).toBe(5);
		expect(refused).toEqual([7, 6]);
	});

	it("comes back after a loss with the same key, and not after an eviction (no. 38)", async () => {
		registry.startRunner();
		const first = await engine.socket();
		first.socket.terminate();
		const second = await engine.socket(2);
		expect(first.processId).toMatch(/./);
		expect(second.processId).toBe(first.processId);
		expect(second.query.get("runner_key")).toBe("key-1");
		second.socket.close(1000, "ws.eviction#ray");
		await eventually(() => expect(second.socket.readyState).toBe(second.socket.CLOSED));
		// It would be back after a second and a quarter.
		await new Promise((resolve) => setTimeout(resolve, 1_500));
		expect(engine.sockets).toHaveLength(2);
	});

	it("answers pings, and leaves with a word", async () => {
		registry.startRunner();
		const { received, socket } = await engine.socket();
		engine.send({ tag: "ToClientPing", val: { ts: 77 } });
		await eventually(() =>
			expect(received).toContainEqual({ tag: "ToServerPong", val: { ts: 77 } }),
		);
		const closed = new Promise<string>((resolve) =>
			socket.on("close", (_code, reason) => resolve(String(reason))),
		);
		await registry.shutdown();
		expect(received).toContainEqual({ tag: "ToServerStopping", val: undefined });
		expect(await closed).toBe("pegboard.runner_shutdown");
	});
});

describe("commands and events", () => {
	it("a command that comes again is acknowledged, not carried out again (no. 39)", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.start("a", 0);
		await until(first, "a", "running");
		await eventually(() =>
			expect(first.received).toContainEqual({
				tag: "ToServerAckCommands",
				val: { lastCommandCheckpoints: [{ actorId: "a", generation: 0, index: 0 }] },
			}),
		);
		first.socket.terminate();
		const second = await engine.socket(2);
		engine.start("a", 0);
		await eventually(() =>
			expect(second.received.some(({ tag }) => tag === "ToServerAckCommands")).toBe(true),
		);
		expect(starts).toBe(1);
	});

	it("an end that was told into a cut socket is told again, until it is acknowledged (nos. 40, 42)", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.start("a", 0);
		await until(first, "a", "running");
		engine.stop("a", 0);
		const told = await until(first, "a", "Ok");
		first.socket.terminate();
		const second = await engine.socket(2);
		expect(await until(second, "a", "Ok")).toEqual(told);
		const { generation, index } = told.at(-1)!;
		engine.send({
			tag: "ToClientAckEvents",
			val: { lastEventCheckpoints: [{ actorId: "a", generation, index }] },
		});
		// Behind the acknowledgement on the same socket.
		engine.send({ tag: "ToClientPing", val: { ts: 1 } });
		await eventually(() => expect(second.received.at(-1)?.tag).toBe("ToServerPong"));
		second.socket.terminate();
		const third = await engine.socket(3);
		engine.send({ tag: "ToClientPing", val: { ts: 2 } });
		await eventually(() => expect(third.received.at(-1)?.tag).toBe("ToServerPong"));
		expect(toldOf(third.received, "a")).toEqual([]);
	});

	it("an actor that falls asleep says so before it has stopped", async () => {
		engine.stopsActors = false;
		registry.startRunner();
		const { received } = await engine.socket();
		engine.start("a", 0);
		request("a", 1);
		await eventually(() => expect(answers(received, 1)).toHaveLength(1));
		await registry.shutdown();
		const told = toldOf(received, "a").map(({ what }) => what);
		expect(told).toEqual(["running", "wantsSleep", "Ok"]);
	});

	it("a start that fails ends with an error, so that the engine keeps the actor (Q1)", async () => {
		registry.startRunner();
		const runner = await engine.socket();
		engine.start("b", 0, 0, "broken");
		const told = await until(runner, "b", "Error");
		expect(told.map(({ what }) => what)).toEqual(["running", "Error"]);
	});

	it("a start that fails is one error in the log, whoever is told of it", async () => {
		const lines: Record<string, unknown>[] = [];
		const write = (line: string) => void lines.push(JSON.parse(line));
		await registry.shutdown();
		registry = behind(engine.endpoint, { baseLogger: pino({ level: "error" }, { write }) });
		registry.startRunner();
		const runner = await engine.socket();
		engine.start("b", 0, 0, "broken");
		request("b", 1);
		await eventually(() => expect(answers(runner.received, 1)).not.toEqual([]));
		await until(runner, "b", "Error");
		expect(lines).toMatchObject([
			{ msg: "start failed", actor: "broken", actorId: "b", generation: 0, phase: "onWake" },
		]);
	});

	it("a stop of an actor that is not here ends with an error, which destroys nothing", async () => {
		registry.startRunner();
		const runner = await engine.socket();
		engine.stop("unknown", 4);
		await until(runner, "unknown", "Error", 4);
	});

	it("another runner id means that all actors are given up (no. 37)", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.start("a", 0);
		request("a", 1);
		await eventually(() => expect(answers(first.received, 1)).toHaveLength(1));
		engine.runnerId = "runner-2";
		first.socket.terminate();
		const second = await engine.socket(2);
		// It is not there any more: who asks is sent elsewhere.
		await eventually(() => {
			request("a", 2);
			expect(answers(second.received, 2)[0]?.tag).toBe("ToServerResponseAbort");
		});
		expect(engine.kv.keysOf("a").length).toBeGreaterThan(0);
	});

	it("an engine that is silent for most of its threshold loses the actors here first (Q13)", async () => {
		engine.lostThresholdMs = 3_000;
		registry.startRunner();
		const first = await engine.socket();
		engine.start("a", 0);
		await until(first, "a", "running");
		// The socket is closed by the runner at 2,400 ms, and opened again.
		const second = await engine.socket(2);
		await until(second, "a", "Error");
	});
});

describe("the tunnel", () => {
	it("an actor that is not here is answered with an abort at once (Q15)", async () => {
		registry.startRunner();
		const { received } = await engine.socket();
		request("nobody", 9);
		await eventually(() =>
			expect(answers(received, 9)).toEqual([{ tag: "ToServerResponseAbort", val: undefined }]),
		);
	});

	it("a close that went into a socket that nobody reads is told again, unless its client is offered again", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.start("c", 0, 0, "closer");
		const tell = (requestId: number, messageKind: ToClientTunnelMessageKind) =>
			engine.send({
				tag: "ToClientTunnelMessage",
				val: { messageId: exchange(requestId), messageKind },
			});
		const open = (requestId: number) =>
			tell(requestId, {
				tag: "ToClientWebSocketOpen",
				val: { actorId: "c", path: "/websocket", headers: new Map() },
			});
		const ids = [7, 8, 9];
		for (const id of ids) open(id);
		await eventually(() => {
			for (const id of ids) expect(answers(first.received, id)).toHaveLength(1);
		});
		const hello = { data: Buffer.from("x"), binary: false };
		const message = (requestId: number) =>
			engine.send({
				tag: "ToClientTunnelMessage",
				val: {
					messageId: { ...exchange(requestId), messageIndex: 1 },
					messageKind: { tag: "ToClientWebSocketMessage", val: hello },
				},
			});
		// The engine answers what it hears.
		message(9);
		await eventually(() => expect(answers(first.received, 9)).toHaveLength(2));
		tell(9, { tag: "ToClientWebSocketClose", val: { code: 1000, reason: undefined } });
		first.socket.pause();
		message(7);
		message(8);
		await eventually(() => expect(closeCount).toBe(3));
		first.socket.terminate();

		const second = await engine.socket(2);
		const told = ({ received }: RunnerSocket) =>
			ids.map((id) => answers(received, id).map(({ tag }) => tag));
		open(8);
		await eventually(() => expect(told(second)).toEqual([[], ["ToServerWebSocketOpen"], []]));
		const ping = () => engine.send({ tag: "ToClientPing", val: { ts: 1 } });
		ping();
		await eventually(() =>
			expect(answers(second.received, 7)).toEqual([
				{
					tag: "ToServerWebSocketClose",
					val: { code: 4_001, reason: "as you wish", hibernate: false },
				},
			]),
		);
		// Nothing more of the others comes before what follows.
		request("nobody", 10);
		await eventually(() => expect(answers(second.received, 10)).toHaveLength(1));
		expect(told(second)).toEqual([["ToServerWebSocketClose"], ["ToServerWebSocketOpen"], []]);

		// It may have been lost again; once it is answered, it was not.
		second.socket.terminate();
		const third = await engine.socket(3);
		ping();
		await eventually(() => expect(answers(third.received, 7)).toHaveLength(1));
		tell(7, { tag: "ToClientWebSocketClose", val: { code: 1000, reason: undefined } });
		request("nobody", 11);
		await eventually(() => expect(answers(third.received, 11)).toHaveLength(1));
		third.socket.terminate();
		const fourth = await engine.socket(4);
		ping();
		request("nobody", 12);
		await eventually(() => expect(answers(fourth.received, 12)).toHaveLength(1));
		expect(told(fourth)).toEqual([[], [], []]);
	});

	it("a client whose connection is not stored is closed when its actor wakes (no. 57)", async () => {
		registry.startRunner();
		const { received } = await engine.socket();
		engine.start("a", 0, 0, "counter", [exchange(5)]);
		await eventually(() =>
			expect(answers(received, 5)).toEqual([
				{
					tag: "ToServerWebSocketClose",
					val: { code: 1000, reason: "ws.meta_not_found_during_restore", hibernate: false },
				},
			]),
		);
	});

	/** A client with parameters, whose leaving the actor counts, connects to it. */
	async function connects(received: readonly RunnerToServer[]): Promise<void> {
		const protocols = ["rivet", "rivet_encoding.json", "rivet_conn_params.%7B%22a%22%3A1%7D"];
		engine.send({
			tag: "ToClientTunnelMessage",
			val: {
				messageId: exchange(5),
				messageKind: {
					tag: "ToClientWebSocketOpen",
					val: {
						actorId: "a",
						path: "/connect",
						headers: new Map([["sec-websocket-protocol", protocols.join(", ")]]),
					},
				},
			},
		});
		await eventually(() =>
			// Open, and the frame that says so to the client.
			expect(answers(received, 5).map(({ tag }) => tag)).toEqual([
				"ToServerWebSocketOpen",
				"ToServerWebSocketMessage",
			]),
		);
	}

	/** How many have left. */
	async function countsLeft(received: readonly RunnerToServer[], requestId: number) {
		request("a", requestId, new Map(), "left");
		return eventually(() => {
			const [answer] = answers(received, requestId);
			const body = answer?.tag === "ToServerResponseStart" ? answer.val.body : undefined;
			return JSON.parse(String(Buffer.from(body!))) as unknown;
		});
	}

	it("a connection whose client the engine does not list has left: its actor is told, and nobody else (no. 57)", async () => {
		registry.startRunner();
		const runner = await engine.socket();
		const { received } = runner;
		engine.start("a", 0);
		await connects(received);
		expect(answers(received, 5)[0]!.val).toEqual({ canHibernate: true });
		engine.stop("a", 0);
		await until(runner, "a", "Ok");
		engine.start("a", 1);
		expect(await countsLeft(received, 6)).toEqual({ output: 1 });
		expect(answers(received, 5)).toHaveLength(2);
	});

	it.each([
		["the next process", "2", 1],
		["the same process", "1", 0],
	])(
		"the clients of a runner that comes back to %s of its engine: so many have left",
		async (_which, processId, left) => {
			engine.processId = "1";
			registry.startRunner();
			const first = await engine.socket();
			engine.start("a", 0);
			await connects(first.received);
			engine.processId = processId;
			first.socket.terminate();
			const { received } = await engine.socket(2);
			let requestId = 7;
			await eventually(async () => {
				expect(await countsLeft(received, requestId++)).toEqual({ output: left });
			});
			// The actor is the one that it was.
			expect(starts).toBe(1);
			expect(toldOf(received, "a").map(({ what }) => what)).not.toContain("Error");
		},
	);

	it("a request that the gateway repeats is answered, not done again", async () => {
		registry.startRunner();
		const { received } = await engine.socket();
		engine.start("a", 0);
		const ray = new Map([["x-rivet-ray-id", "ray-1"]]);
		for (const count of [1, 2]) {
			request("a", 1, ray);
			await eventually(() => expect(answers(received, 1)).toHaveLength(count));
		}
		request("a", 2, new Map([["x-rivet-ray-id", "ray-2"]]));
		await eventually(() => expect(answers(received, 2)).toHaveLength(1));
		const bodies = [...answers(received, 1), ...answers(received, 2)].map((kind) =>
			kind.tag === "ToServerResponseStart" ? JSON.parse(String(Buffer.from(kind.val.body!))) : null,
		);
		expect(bodies).toEqual([{ output: 1 }, { output: 1 }, { output: 2 }]);
	});

	it("those of an incarnation that another one has replaced are not", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.start("a", 0);
		request("a", 1);
		await eventually(() => expect(answers(first.received, 1)).toHaveLength(1));
		engine.answersKv = false;
		const asked = ({ received }: RunnerSocket) =>
			received.flatMap(({ tag, val }) => (tag === "ToServerKvRequest" ? [val.requestId] : []));
		const before = asked(first).length;
		request("a", 2);
		const [unanswered] = await eventually(() => {
			expect(asked(first).length).toBeGreaterThan(before);
			return asked(first).slice(before);
		});
		engine.start("a", 1);
		await until(first, "a", "running", 1);
		engine.answersKv = true;
		first.socket.terminate();
		const second = await engine.socket(2);
		request("a", 3);
		await eventually(() =>
			expect(answers(second.received, 3)[0]).toMatchObject({ val: { status: 200 } }),
		);
		expect(asked(second)).not.toContain(unanswered);
	});

	it("writes that were not answered when the socket broke are sent again", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.start("a", 0);
		request("a", 1);
		await eventually(() => expect(answers(first.received, 1)).toHaveLength(1));
		engine.answersKv = false;
		const before = first.received.length;
		request("a", 2);
		await eventually(() =>
			expect(first.received.slice(before).some(({ tag }) => tag === "ToServerKvRequest")).toBe(
				true,
			),
		);
		engine.answersKv = true;
		first.socket.terminate();
		const second = await engine.socket(2);
		await eventually(() =>
			expect(answers(second.received, 2)[0]).toMatchObject({
				tag: "ToServerResponseStart",
				val: { status: 200 },
			}),
		);
	});

	it("behind what the runner has told of their incarnation, which an engine may not know yet", async () => {
		registry.startRunner();
		const first = await engine.socket();
		engine.answersKv = false;
		engine.start("a", 0);
		await eventually(() =>
			expect(first.received.some(({ tag }) => tag === "ToServerKvRequest")).toBe(true),
		);
		engine.answersKv = true;
		first.socket.terminate();
		const second = await engine.socket(2);
		request("a", 1);
		await eventually(() => expect(answers(second.received, 1)).toHaveLength(1));
		const tags = second.received.map(({ tag }) => tag);
		expect(tags.slice(0, 3)).toEqual(["ToServerInit", "ToServerEvents", "ToServerKvRequest"]);
		expect(toldOf(second.received, "a")[0]).toMatchObject({ what: "running", generation: 0 });
	});
});
