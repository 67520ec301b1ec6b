import { once } from "node:events";
import {
	decodeRunnerToServer,
	encodeRunnerToClient,
	HEADER_ENGINE_PROCESS,
	HEADER_RUNNER_PROCESS,
	type HibernatingRequest,
	isRunnerVersion,
	type RunnerToClient,
	type RunnerToServer,
	type RunnerVersion,
} from "@rivetkit/protocol/runner";
import { type WebSocket, WebSocketServer } from "ws";
import { KvDouble } from "../backends/support/kv-double.ts";
import { eventually } from "./eventually.ts";

/** One socket of a runner, as the engine has it. */
export interface RunnerSocket {
	readonly socket: WebSocket;
	readonly version: RunnerVersion;
	readonly received: RunnerToServer[];
	readonly query: URLSearchParams;
	readonly protocols: string;
	/** What the runner calls its process. */
	readonly processId: string | undefined;
}

/** The engine's end of the runner protocol: says what a test wants, keeps what comes, and answers KV requests. */
export class ScriptedEngine {
	readonly sockets: RunnerSocket[] = [];
	readonly kv = new KvDouble(true);
	/** What a new runner is called; null: it is not answered. */
	runnerId: string | null = "runner-1";
	lostThresholdMs = 60_000;
	/** Which process of the engine it says to be; null: it does not say. */
	processId: string | null = null;
	/** Close reason for a version, instead of an Init. */
	refuses: (version: number) => string | null = () => null;
	answersKv = true;
	/** Tells a runner that says it stops to stop its actors; otherwise it waits for that, and then does so by itself. */
	stopsActors = true;
	readonly #started: { readonly actorId: string; readonly generation: number }[] = [];
	readonly #server: WebSocketServer;

	private constructor(server: WebSocketServer) {
		this.#server = server;
		server.on("headers", (headers) => {
			if (this.processId !== null) headers.push(`${HEADER_ENGINE_PROCESS}: ${this.processId}`);
		});
		server.on("connection", (socket, { url, headers }) => {
			const query = new URL(url!, "http://any").searchParams;
			const version = Number(query.get("protocol_version"));
			const refusal = this.refuses(version);
			if (refusal !== null || !isRunnerVersion(version)) {
				socket.close(1011, `${refusal ?? "ws.invalid_packet"}#ray`);
				return;
			}
			const received: RunnerToServer[] = [];
			const protocols = headers["sec-websocket-protocol"] ?? "";
			const processId = headers[HEADER_RUNNER_PROCESS]?.toString();
			const runner = { socket, version, received, query, protocols, processId };
			this.sockets.push(runner);
			socket.on("message", (data) => {
				const message = decodeRunnerToServer(version, data as Buffer);
				received.push(message);
				if (message.tag === "ToServerInit") this.#welcome(runner);
				if (message.tag === "ToServerStopping" && this.stopsActors) {
					for (const { actorId, generation } of this.#started) this.stop(actorId, generation);
				}
				if (message.tag === "ToServerKvRequest" && this.answersKv) {
					const { actorId, requestId, data: request } = message.val;
					void this.kv
						.kvOf(actorId)
						.request(request)
						.then((answer) =>
							this.send({ tag: "ToClientKvResponse", val: { requestId, data: answer } }, runner),
						);
				}
			});
		});
	}

	static async start(): Promise<ScriptedEngine> {
		const server = new WebSocketServer({
			host: "127.0.0.1",
			port: 0,
			handleProtocols: () => "rivet",
		});
		await once(server, "listening");
		return new ScriptedEngine(server);
	}

	get endpoint(): string {
		return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
	}

	/** The newest socket, when there are at least `count` that have said Init. */
	async socket(count = 1): Promise<RunnerSocket> {
		return eventually(() => {
			const runner = this.sockets[count - 1];
			if (runner?.received[0]?.tag !== "ToServerInit") throw new Error("no such socket");
			return runner;
		});
	}

	send(message: RunnerToClient, runner = this.sockets.at(-1)!): void {
		runner.socket.send(encodeRunnerToClient(runner.version, message));
	}

	start(
		actorId: string,
		generation: number,
		index = 0,
		name = "counter",
		hibernatingRequests: readonly HibernatingRequest[] = [],
	): void {
		this.#started.push({ actorId, generation });
		this.send({
			tag: "ToClientCommands",
			val: [
				{
					checkpoint: { actorId, generation, index },
					inner: {
						tag: "CommandStartActor",
						val: {
							config: { name, key: actorId, createTs: 1, input: undefined },
							hibernatingRequests,
						},
					},
				},
			],
		});
	}

	stop(actorId: string, generation: number, index = 1): void {
		this.send({
			tag: "ToClientCommands",
			val: [
				{
					checkpoint: { actorId, generation, index },
					inner: { tag: "CommandStopActor", val: undefined },
				},
			],
		});
	}

	async close(): Promise<void> {
		for (const client of this.#server.clients) client.terminate();
		this.#server.close();
		await once(this.#server, "close");
	}

	#welcome(runner: RunnerSocket): void {
		if (this.runnerId === null) return;
		this.send(
			{
				tag: "ToClientInit",
				val: {
					runnerId: this.runnerId,
					metadata: {
						runnerLostThreshold: this.lostThresholdMs,
						actorStopThreshold: 30_000,
						serverlessDrainGracePeriod: undefined,
					},
				},
			},
			runner,
		);
	}
}

/** What a runner has told about an actor, in order: `running`, `sleep`, `stop`, `alarm`, `Ok`, `Error`. */
export function toldOf(
	received: readonly RunnerToServer[],
	actorId: string,
): { readonly what: string; readonly generation: number; readonly index: number }[] {
	return received.flatMap((message) => {
		if (message.tag !== "ToServerEvents") return [];
		return message.val.flatMap(({ checkpoint, inner }) => {
			if (checkpoint.actorId !== actorId) return [];
			const { generation, index } = checkpoint;
			switch (inner.tag) {
				case "EventActorIntent":
					return [
						{ what: inner.val.intent.tag.replace("ActorIntent", "wants"), generation, index },
					];
				case "EventActorSetAlarm":
					return [{ what: "alarm", generation, index }];
				default: {
					const { state } = inner.val;
					const what = state.tag === "ActorStateRunning" ? "running" : state.val.code;
					return [{ what, generation, index }];
				}
			}
		});
	});
}
