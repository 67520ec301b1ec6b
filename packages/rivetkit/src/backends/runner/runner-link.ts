import {
	type Clock,
	joinUrl,
	type Random,
	SUBPROTOCOL_RIVET,
	SUBPROTOCOL_TOKEN,
	type Timer,
} from "@rivetkit/protocol";
import {
	decodeRunnerToClient,
	encodeRunnerToServer,
	HEADER_ENGINE_PROCESS,
	HEADER_RUNNER_PROCESS,
	PATH_RUNNER_CONNECT,
	RUNNER_COMPATIBLE_VERSION,
	RUNNER_SHUTDOWN,
	RUNNER_VERSIONS,
	type RunnerToClient,
	type RunnerToServer,
	type RunnerVersion,
	type ToServerInit,
} from "@rivetkit/protocol/runner";
import { WebSocket } from "ws";
import type { Logger } from "../../log/logger.ts";
import {
	adviceOn,
	bareReason,
	endOf,
	type LinkEvent,
	type LinkState,
	nextLinkState,
} from "./link-state.ts";

/** Pauses between tries: doubled from the first to the last, with up to a quarter more (engine 4.7). */
const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_LAST_MS = 30_000;
/** How long an engine may take from the first byte to its Init. */
const OPEN_TIMEOUT_MS = 15_000;
/** Of the engine's threshold: behind it this side gives its actors up, before the engine does (Q13). */
const GIVE_UP_SHARE = 0.8;
/** Bytes of one message of an engine: a request body and its frame. */
const MESSAGE_BYTES_MAX = 160 * 1024 * 1024;
/** How long a closing socket may take. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Where the engine is and who connects. */
export interface RunnerLinkConfig {
	/** `http` or `https`, without credentials. */
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	readonly headers: Readonly<Record<string, string>>;
	/** Names this process across reconnects. */
	readonly runnerKey: string;
	/** The first message of every socket. */
	readonly init: ToServerInit;
}

/** What the engine says about this runner. */
export interface Welcome {
	readonly runnerId: string;
	readonly version: RunnerVersion;
	/** ms without a sign of life after which the engine takes this runner for lost. */
	readonly lostThresholdMs: number;
	readonly actorStopThresholdMs: number;
}

/** What an engine that answers knows from an earlier socket. */
export interface EngineMemory {
	/** It is the runner that it was: what it has goes on. */
	readonly isSameRunner: boolean;
	/** As far as is known, the process that answers is the one of before, and has the clients and callers that it had. */
	readonly isSameProcess: boolean;
}

export interface RunnerLinkHandler {
	/** The engine has answered Init. */
	welcomed(welcome: Welcome, memory: EngineMemory): void;
	/** Every message but Init and Ping. Not before {@link welcomed}. */
	received(message: Exclude<RunnerToClient, { tag: "ToClientInit" | "ToClientPing" }>): void;
	/** The first ping on a socket: what the engine tells again on it came before. */
	caughtUp(): void;
	disconnected(): void;
	/** Nothing was heard for so long that the engine is about to give the actors to others. */
	gaveUp(): void;
	/** Another process has taken this runner's place: there is no way back. */
	evicted(): void;
}

/**
 * A runner's one socket to its engine, opened again without end: the newest version first, one lower each
 * time an engine refuses it.
 */
export class RunnerLink {
	readonly #config: RunnerLinkConfig;
	readonly #handler: RunnerLinkHandler;
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #log: Logger;
	readonly #processId: string;
	#state: LinkState = "waiting";
	#socket: WebSocket | null = null;
	#version: RunnerVersion = RUNNER_VERSIONS[0]!;
	#failures = 0;
	#runnerId: string | null = null;
	/** Of the engine that has answered last; null for one that does not tell. */
	#engineProcess: string | null = null;
	#welcome: Welcome | null = null;
	#timer: Timer | null = null;
	#giveUpTimer: Timer | null = null;
	/** Whether the engine has said all on the socket of now that it says first. */
	#isCaughtUp = false;

	constructor(
		config: RunnerLinkConfig,
		handler: RunnerLinkHandler,
		{
			clock,
			random,
			log,
		}: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
	) {
		this.#config = config;
		this.#handler = handler;
		this.#clock = clock;
		this.#random = random;
		this.#processId = random.uuid();
		this.#log = log;
	}

	get state(): LinkState {
		return this.#state;
	}

	/** Of the open socket, or of the last one. */
	get version(): RunnerVersion {
		return this.#version;
	}

	/** What the engine said last; null before it has said anything. */
	get welcome(): Welcome | null {
		return this.#welcome;
	}

	/** Bytes that have not left this process. */
	get bufferedBytes(): number {
		return this.#socket?.bufferedAmount ?? 0;
	}

	start(): void {
		this.#dispatch("due");
		this.#connect();
	}

	/** False when there is no open socket: nothing was sent. */
	send(message: RunnerToServer): boolean {
		if (this.#state !== "open") return false;
		this.#socket!.send(encodeRunnerToServer(this.#version, message));
		return true;
	}

	/** Closes for good. Resolves when the socket is gone. */
	async shutDown(): Promise<void> {
		this.#dispatch("shutDown");
		this.#stopTimers();
		const socket = this.#socket;
		if (!socket || socket.readyState === WebSocket.CLOSED) return;
		await new Promise<void>((resolve) => {
			const timer = this.#clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
			socket.once("close", () => {
				timer.stop();
				resolve();
			});
			if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
			else socket.close(1000, RUNNER_SHUTDOWN);
		});
	}

	#dispatch(event: LinkEvent): void {
		this.#state = nextLinkState(this.#state, event);
	}

	#connect(): void {
		const { endpoint, namespace, token, headers, runnerKey, init } = this.#config;
		const url = joinUrl(endpoint, PATH_RUNNER_CONNECT, {
			protocol_version: String(this.#version),
			namespace,
			runner_key: runnerKey,
		}).replace(/^http/, "ws");
		const protocols = [
			SUBPROTOCOL_RIVET,
			...(token === undefined ? [] : [SUBPROTOCOL_TOKEN + token]),
		];
		const socket = new WebSocket(url, protocols, {
			headers: { ...headers, [HEADER_RUNNER_PROCESS]: this.#processId },
			perMessageDeflate: false,
			maxPayload: MESSAGE_BYTES_MAX,
			skipUTF8Validation: true,
		});
		this.#socket = socket;
		let failure: Error | null = null;
		this.#timer = this.#clock.after(OPEN_TIMEOUT_MS, () => {
			failure = new Error(`the engine did not answer within ${OPEN_TIMEOUT_MS} ms`);
			socket.terminate();
		});
		let engineProcess: string | null = null;
		socket.on("upgrade", ({ headers: told }) => {
			engineProcess = told[HEADER_ENGINE_PROCESS]?.toString() ?? null;
		});
		socket.on("open", () => {
			socket.send(encodeRunnerToServer(this.#version, { tag: "ToServerInit", val: init }));
		});
		socket.on("message", (data, isBinary) => {
			if (socket !== this.#socket) return;
			if (isBinary) this.#received(data as Buffer, engineProcess);
			else this.#log.warn("the engine sent a text message to this runner; it is ignored");
		});
		socket.on("error", (error) => {
			failure = error;
		});
		socket.on("close", (_code, reason) => {
			if (socket === this.#socket) this.#ended(reason.toString(), failure);
		});
	}

	#received(data: Buffer, engineProcess: string | null): void {
		let message: RunnerToClient;
		try {
			message = decodeRunnerToClient(this.#version, data);
		} catch (error) {
			this.#log.error({ err: error }, "a message of the engine cannot be read; it is ignored");
			return;
		}
		if (message.tag === "ToClientInit") {
			this.#accepted(message.val, engineProcess);
		} else if (this.#state !== "open") {
			this.#log.warn({ tag: message.tag }, "a message of the engine came before its init");
		} else if (message.tag === "ToClientPing") {
			this.#heard();
			this.send({ tag: "ToServerPong", val: { ts: message.val.ts } });
			if (this.#isCaughtUp) return;
			this.#isCaughtUp = true;
			this.#handler.caughtUp();
		} else {
			this.#handler.received(message);
		}
	}

	#accepted(
		{ runnerId, metadata }: Extract<RunnerToClient, { tag: "ToClientInit" }>["val"],
		engineProcess: string | null,
	): void {
		if (this.#state !== "opening") return;
		this.#dispatch("accepted");
		this.#timer?.stop();
		this.#timer = null;
		this.#failures = 0;
		this.#isCaughtUp = false;
		const memory: EngineMemory = {
			isSameRunner: runnerId === this.#runnerId,
			isSameProcess: engineProcess === this.#engineProcess,
		};
		this.#runnerId = runnerId;
		this.#engineProcess = engineProcess;
		this.#welcome = {
			runnerId,
			version: this.#version,
			lostThresholdMs: metadata.runnerLostThreshold,
			actorStopThresholdMs: metadata.actorStopThreshold,
		};
		this.#heard();
		this.#log.info({ runnerId, version: this.#version }, "connected to the engine");
		this.#handler.welcomed(this.#welcome, memory);
	}

	/** The engine counts from its last ping that was answered, which was no later than this. */
	#heard(): void {
		this.#giveUpTimer?.stop();
		const { lostThresholdMs } = this.#welcome!;
		this.#giveUpTimer = this.#clock.after(lostThresholdMs * GIVE_UP_SHARE, () => {
			this.#giveUpTimer = null;
			this.#log.error(
				{ thresholdMs: lostThresholdMs },
				"the engine was not heard of for too long; the actors of this runner are stopped",
			);
			this.#handler.gaveUp();
			this.#socket?.terminate();
		});
	}

	#ended(reason: string, failure: Error | null): void {
		this.#timer?.stop();
		this.#timer = null;
		this.#socket = null;
		const before = this.#state;
		if (before === "closed") return;
		const end = endOf(reason, before === "open");
		if (end === "evicted") {
			this.#dispatch("evicted");
			this.#stopTimers();
			this.#log.error("another process has connected with this runner's key; this one stops");
			this.#handler.evicted();
			return;
		}
		this.#dispatch("dropped");
		if (before === "open") this.#handler.disconnected();
		if (end === "versionRefused" && this.#version > RUNNER_COMPATIBLE_VERSION) {
			this.#version = (this.#version - 1) as RunnerVersion;
			this.#log.info({ version: this.#version }, "the engine is older; a lower version is tried");
			this.#dispatch("due");
			this.#connect();
			return;
		}
		this.#retryLater(bareReason(reason), failure);
	}

	#retryLater(reason: string, failure: Error | null): void {
		const doubled = RECONNECT_FIRST_MS * 2 ** Math.min(this.#failures, 16);
		const pauseMs = Math.min(doubled, RECONNECT_LAST_MS) * (1 + this.#random.fraction() / 4);
		const { endpoint, namespace } = this.#config;
		this.#log[this.#failures === 0 ? "warn" : "error"](
			{ endpoint, namespace, reason, err: failure ?? undefined, retryMs: Math.round(pauseMs) },
			`not connected to the engine${adviceOn(reason)}`,
		);
		this.#failures++;
		this.#version = RUNNER_VERSIONS[0]!;
		this.#timer = this.#clock.after(pauseMs, () => {
			this.#timer = null;
			this.#dispatch("due");
			if (this.#state === "opening") this.#connect();
		});
	}

	#stopTimers(): void {
		this.#timer?.stop();
		this.#timer = null;
		this.#giveUpTimer?.stop();
		this.#giveUpTimer = null;
	}
}
