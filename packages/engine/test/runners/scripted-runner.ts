import { once } from "node:events";
import {
	decodeRunnerToClient,
	encodeRunnerToServer,
	HEADER_RUNNER_PROCESS,
	type KvRequestData,
	type KvResponseData,
	type RunnerToClient,
	type RunnerToServer,
	type RunnerVersion,
	type ToServerTunnelMessageKind,
} from "@rivetkit/protocol/runner";
import { WebSocket } from "ws";

type Command = Extract<RunnerToClient, { tag: "ToClientCommands" }>["val"][number];
type Event = Extract<RunnerToServer, { tag: "ToServerEvents" }>["val"][number]["inner"];
type Tunnel = Extract<RunnerToClient, { tag: "ToClientTunnelMessage" }>["val"];

export interface RunnerOptions {
	readonly version?: number;
	readonly namespace?: string;
	readonly key?: string;
	readonly pool?: string;
	readonly slots?: number;
	readonly codeVersion?: number;
	/** Names that it announces, with their metadata. */
	readonly names?: Readonly<Record<string, string>>;
	readonly metadata?: string;
	readonly token?: string | null;
	/** What it calls its process. Default: it does not tell. */
	readonly processId?: string;
	/** Sends no Init. */
	readonly isSilent?: boolean;
	/** Answers pings. Default true. */
	readonly answersPings?: boolean;
	/** Says that an actor runs as soon as it is told to start it. Default true. */
	readonly runsAtOnce?: boolean;
	/** Says that an actor has stopped as soon as it is told to stop it. Default false. */
	readonly stopsAtOnce?: boolean;
}

/** What a runner tells of an actor. */
type Told = "running" | "Ok" | "Error" | "wantsSleep" | "wantsStop";

/** The runner's end of the protocol, that says what a test wants. */
export class ScriptedRunner {
	readonly socket: WebSocket;
	readonly received: RunnerToClient[] = [];
	readonly closed: Promise<{ code: number; reason: string }>;
	readonly #version: RunnerVersion;
	readonly #indexes = new Map<string, number>();
	#stopsAtOnce: boolean;
	#requestId = 0;

	private constructor(socket: WebSocket, version: number, options: RunnerOptions) {
		this.socket = socket;
		this.#version = version as RunnerVersion;
		this.#stopsAtOnce = options.stopsAtOnce ?? false;
		this.closed = new Promise((resolve) => {
			socket.on("close", (code, reason) =>
				resolve({ code, reason: String(reason).replace(/#.*/, "") }),
			);
		});
		socket.on("error", () => {});
		socket.on("message", (data) => {
			const message = decodeRunnerToClient(this.#version, data as Buffer);
			this.received.push(message);
			if (message.tag === "ToClientPing" && options.answersPings !== false) {
				this.send({ tag: "ToServerPong", val: { ts: message.val.ts } });
			}
			if (message.tag === "ToClientCommands") {
				for (const { checkpoint, inner } of message.val) {
					const isStart = inner.tag === "CommandStartActor";
					const { actorId, generation } = checkpoint;
					if (isStart && options.runsAtOnce !== false) this.state(actorId, generation, "running");
					if (!isStart && this.#stopsAtOnce) this.state(actorId, generation, "Ok");
				}
			}
		});
	}

	static async connect(url: string, options: RunnerOptions = {}): Promise<ScriptedRunner> {
		const { version = 7, namespace = "default", key = "key", token = "admin" } = options;
		const query = new URLSearchParams({
			protocol_version: String(version),
			namespace,
			runner_key: key,
		});
		const protocols = ["rivet", ...(token === null ? [] : [`rivet_token.${token}`])];
		const socket = new WebSocket(
			`${url.replace(/^http/, "ws")}/runners/connect?${query}`,
			protocols,
			{
				...(options.processId !== undefined && {
					headers: { [HEADER_RUNNER_PROCESS]: options.processId },
				}),
			},
		);
		const runner = new ScriptedRunner(socket, version, options);
		await once(socket, "open");
		if (!options.isSilent) {
			runner.send({
				tag: "ToServerInit",
				val: {
					name: options.pool ?? "default",
					version: options.codeVersion ?? 1,
					totalSlots: options.slots ?? 100,
					prepopulateActorNames:
						options.names &&
						new Map(Object.entries(options.names).map(([name, metadata]) => [name, { metadata }])),
					metadata: options.metadata,
				},
			});
		}
		return runner;
	}

	get init(): Extract<RunnerToClient, { tag: "ToClientInit" }>["val"] | undefined {
		const [first] = this.received;
		return first?.tag === "ToClientInit" ? first.val : undefined;
	}

	get commands(): Command[] {
		return this.received.flatMap((message) =>
			message.tag === "ToClientCommands" ? message.val : [],
		);
	}

	get tunnel(): Tunnel[] {
		return this.received.flatMap((message) =>
			message.tag === "ToClientTunnelMessage" ? [message.val] : [],
		);
	}

	send(message: RunnerToServer): void {
		this.socket.send(encodeRunnerToServer(this.#version, message));
	}

	/** An answer on the exchange of a message. */
	answer({ messageId }: Tunnel, messageKind: ToServerTunnelMessageKind): void {
		this.send({ tag: "ToServerTunnelMessage", val: { messageId, messageKind } });
	}

	state(actorId: string, generation: number, state: Told): void {
		const id = `${generation}:${actorId}`;
		const index = this.#indexes.get(id) ?? 0;
		this.#indexes.set(id, index + 1);
		this.event(actorId, generation, index, state);
	}

	event(actorId: string, generation: number, index: number, state: Told): void {
		const inner = eventOf(state);
		this.send({
			tag: "ToServerEvents",
			val: [{ checkpoint: { actorId, generation, index }, inner }],
		});
	}

	/** One KV request and its answer. */
	async kv(actorId: string, data: KvRequestData): Promise<KvResponseData> {
		const requestId = ++this.#requestId;
		this.send({ tag: "ToServerKvRequest", val: { actorId, requestId, data } });
		for (;;) {
			const answer = this.received.find(
				(message) => message.tag === "ToClientKvResponse" && message.val.requestId === requestId,
			);
			if (answer?.tag === "ToClientKvResponse") return answer.val.data;
			await once(this.socket, "message");
		}
	}

	async close(): Promise<void> {
		this.socket.terminate();
		await this.closed;
	}

	/** From now on it stops what it is told to stop, and at once what it was told to. */
	obey(): void {
		this.#stopsAtOnce = true;
		for (const { checkpoint, inner } of this.commands) {
			if (inner.tag !== "CommandStopActor" || this.socket.readyState !== WebSocket.OPEN) continue;
			this.state(checkpoint.actorId, checkpoint.generation, "Ok");
		}
	}
}

function eventOf(told: Told): Event {
	switch (told) {
		case "wantsSleep":
			return intent("ActorIntentSleep");
		case "wantsStop":
			return intent("ActorIntentStop");
		case "running":
			return {
				tag: "EventActorStateUpdate",
				val: { state: { tag: "ActorStateRunning", val: undefined } },
			};
		default:
			return {
				tag: "EventActorStateUpdate",
				val: { state: { tag: "ActorStateStopped", val: { code: told, message: undefined } } },
			};
	}
}

function intent(tag: "ActorIntentSleep" | "ActorIntentStop"): Event {
	return { tag: "EventActorIntent", val: { intent: { tag, val: undefined } } };
}
