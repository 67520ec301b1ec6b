import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	type Clock,
	isLogged,
	noteLogged,
	parseKey,
	type Random,
	type StopIntent,
	type Timer,
} from "@rivetkit/protocol";
import type {
	ActorCheckpoint,
	CommandWrapper,
	RunnerToClient,
	RunnerToServer,
} from "@rivetkit/protocol/runner";
import type { Logger } from "../../log/logger.ts";
import { FencedOff, type Incarnation } from "../backend.ts";
import { CommandLog } from "./command-log.ts";
import { EventOutbox } from "./event-outbox.ts";
import { KvRequests } from "./kv-requests.ts";
import { RunnerBackend } from "./runner-backend.ts";
import {
	type EngineMemory,
	RunnerLink,
	type RunnerLinkConfig,
	type RunnerLinkHandler,
	type Welcome,
} from "./runner-link.ts";
import { Tunnel, type TunnelTarget } from "./tunnel.ts";
import type { TunnelSocket } from "./tunnel-socket.ts";

/**
 * How long an actor whose start failed answers with the reason, before the engine is told: whoever calls it in
 * a row hears why, and no engine starts it faster than that.
 */
const START_FAILURE_LINGER_MS = 1_000;
/** How long a runner that stops waits for the engine's stop commands before it stops its actors by itself. */
const STOP_COMMAND_WAIT_MS = 2_000;

type StartCommand = Extract<CommandWrapper["inner"], { tag: "CommandStartActor" }>["val"];

/** One incarnation here. */
interface Placed extends Incarnation {
	readonly name: string;
	/** Settles when it takes calls, or never will. */
	ready: Promise<void>;
	/** What its start failed with; null for one that has not. */
	failure: { readonly error: unknown } | null;
	/** The engine wants it to stop, or was told that it does: its end is no failure. */
	isExpectedToStop: boolean;
	/** Runs while one whose start failed answers with the reason. */
	linger: Timer | null;
}

export interface RunnerConfig extends RunnerLinkConfig {
	readonly region: string;
}

export interface RunnerServices {
	readonly clock: Clock;
	readonly random: Random;
	readonly log: Logger;
	/** An error as an answer in the encoding the request asked for. */
	errorResponse(error: unknown, request: ActorRequest): ActorResponse;
}

/**
 * This process as a runner of an engine (contract: engine 4): what the engine commands goes to the host, what
 * the host tells goes to the engine.
 *
 * - R1. A command is carried out once, however often it comes.
 * - R2. What an actor became is told until the engine has it.
 * - R3. When the engine may have given the actors to others, they are stopped here first, and write nothing.
 */
export class Runner implements RunnerLinkHandler, TunnelTarget {
	readonly backend: RunnerBackend;
	readonly #config: RunnerConfig;
	readonly #services: RunnerServices;
	readonly #link: RunnerLink;
	readonly #kv: KvRequests;
	readonly #outbox: EventOutbox;
	readonly #commands: CommandLog;
	readonly #tunnel: Tunnel;
	readonly #actors = new Map<string, Placed>();
	#host: ActorHost | null = null;
	#whenEmpty: (() => void) | null = null;
	#isStopping = false;
	#welcomed: ((welcome: Welcome) => void)[] = [];
	#stopped: Promise<void> | null = null;
	#ended!: () => void;
	/** Resolves when the runner is gone for good: stopped, or its place taken. */
	readonly ended: Promise<void> = new Promise((resolve) => {
		this.#ended = resolve;
	});

	constructor(config: RunnerConfig, services: RunnerServices) {
		this.#config = config;
		this.#services = services;
		const { clock, log } = services;
		const send = (message: RunnerToServer) => this.#link.send(message);
		this.#link = new RunnerLink(config, this, services);
		this.#kv = new KvRequests(clock, log, send);
		this.#outbox = new EventOutbox(clock, send);
		this.#commands = new CommandLog(clock, send);
		this.#tunnel = new Tunnel(this, send, () => this.#link.bufferedBytes, services);
		const link = this.#link;
		this.backend = new RunnerBackend(
			(actorId) => ({
				actorId,
				get deletesRanges() {
					return link.version >= 7;
				},
				request: (data) => this.#kv.request(actorId, data),
			}),
			(actor, alarmTs) => this.#outbox.setAlarm(actor, alarmTs),
		);
	}

	/** Connects, and stays connected until {@link stop}. */
	start(host: ActorHost): void {
		this.#host = host;
		this.#link.start();
	}

	/** How many incarnations are here. */
	get actorCount(): number {
		return this.#actors.size;
	}

	/** Resolves with what the engine says first, now or later. */
	welcome(): Promise<Welcome> {
		const { welcome } = this.#link;
		if (welcome !== null) return Promise.resolve(welcome);
		return new Promise((resolve) => this.#welcomed.push(resolve));
	}

	/** Lets the actors sleep, elsewhere awake again if they have to be, and leaves the engine. Idempotent. */
	stop(): Promise<void> {
		this.#stopped ??= this.#stop();
		return this.#stopped;
	}

	async #stop(): Promise<void> {
		this.#isStopping = true;
		const isTold = this.#link.send({ tag: "ToServerStopping", val: undefined });
		if (isTold && this.#actors.size > 0) await this.#emptyWithin(STOP_COMMAND_WAIT_MS);
		await Promise.all([...this.#actors.values()].map((placed) => this.#stopActor(placed)));
		this.#commands.acknowledge();
		await this.#link.shutDown();
		this.#kv.close(new Error("The runner was stopped"));
		this.#ended();
	}

	welcomed(welcome: Welcome, { isSameRunner, isSameProcess }: EngineMemory): void {
		if (!isSameRunner) {
			this.#abandon("the engine does not know this runner any more");
			this.#outbox.clear();
			this.#commands.clear();
		}
		// Clients and callers were those of the process that is gone.
		if (!isSameRunner || !isSameProcess) this.#tunnel.clear();
		// Before the requests: those of an incarnation are taken from the one that the engine knows to run (record 0051).
		this.#outbox.resend();
		this.#kv.resend();
		this.#commands.acknowledge();
		this.#tunnel.flush();
		if (this.#isStopping) this.#link.send({ tag: "ToServerStopping", val: undefined });
		for (const resolve of this.#welcomed.splice(0)) resolve(welcome);
	}

	received(message: Exclude<RunnerToClient, { tag: "ToClientInit" | "ToClientPing" }>): void {
		switch (message.tag) {
			case "ToClientCommands":
				for (const command of message.val) this.#command(command);
				break;
			case "ToClientAckEvents":
				this.#outbox.acknowledged(message.val.lastEventCheckpoints);
				break;
			case "ToClientKvResponse":
				this.#kv.answered(message.val.requestId, message.val.data);
				break;
			case "ToClientTunnelMessage":
				this.#tunnel.received(message.val.messageId, message.val.messageKind);
				break;
			default:
				message satisfies never;
		}
	}

	caughtUp(): void {
		this.#tunnel.caughtUp();
	}

	disconnected(): void {
		this.#tunnel.disconnected();
		this.#kv.disconnected();
		this.#outbox.disconnected();
	}

	gaveUp(): void {
		this.#abandon("the engine was not heard of for too long");
		this.#tunnel.clear();
	}

	evicted(): void {
		this.#isStopping = true;
		this.#abandon("another process has taken this runner's place");
		this.#tunnel.clear();
		void this.stop();
	}

	/** As `HostEvents`. */
	stopping(actorId: string, generation: number, intent: StopIntent): void {
		const placed = this.#actors.get(actorId);
		if (placed?.generation !== generation) return;
		if (placed.isExpectedToStop && intent === "sleep") return;
		placed.isExpectedToStop = true;
		this.#outbox.intends(placed, intent === "sleep" ? "sleep" : "stop");
	}

	/** As `HostEvents`. */
	hostStopped(actorId: string, generation: number): void {
		const placed = this.#actors.get(actorId);
		if (placed?.generation !== generation) return;
		if (placed.isExpectedToStop && !this.backend.isFenced(placed)) this.#leave(placed, "Ok");
		else this.#leave(placed, "Error", "the actor was lost by its runner");
	}

	async request(actorId: string, request: ActorRequest): Promise<ActorResponse | null> {
		const placed = this.#actors.get(actorId);
		if (!placed) return null;
		await placed.ready;
		if (placed.failure) return this.errorResponse(placed.failure.error, request);
		try {
			return await this.#host!.request(actorId, request);
		} catch (error) {
			if (error instanceof ActorGone) return null;
			throw error;
		}
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: TunnelSocket): Promise<boolean> {
		const placed = this.#actors.get(actorId);
		if (!placed) return false;
		await placed.ready;
		if (placed.failure) return false;
		try {
			await this.#host!.openSocket(actorId, upgrade, socket);
			return true;
		} catch (error) {
			if (error instanceof ActorGone) return false;
			throw error;
		}
	}

	errorResponse(error: unknown, request: ActorRequest): ActorResponse {
		return this.#services.errorResponse(error, request);
	}

	#command({ checkpoint, inner }: CommandWrapper): void {
		if (!this.#commands.take(checkpoint)) return;
		switch (inner.tag) {
			case "CommandStartActor":
				this.#startActor(checkpoint, inner.val);
				break;
			case "CommandStopActor":
				this.#stopCommanded(checkpoint);
				break;
			default:
				inner satisfies never;
		}
	}

	#startActor({ actorId, generation }: ActorCheckpoint, command: StartCommand): void {
		const previous = this.#actors.get(actorId);
		const placed: Placed = {
			actorId,
			generation,
			name: command.config.name,
			ready: Promise.resolve(),
			failure: null,
			isExpectedToStop: false,
			linger: null,
		};
		this.#actors.set(actorId, placed);
		if (previous) {
			previous.linger?.stop();
			this.backend.close(actorId);
			this.#kv.fail(actorId, new FencedOff(actorId));
			this.#tunnel.actorEnded(actorId);
		}
		const sockets = this.#tunnel.restore(actorId, command.hibernatingRequests);
		// Calls may come from now on: they wait here.
		this.#outbox.running(placed);
		const running = this.#run(placed, command, sockets, previous !== undefined);
		placed.ready = running.catch((error: unknown) => this.#startFailed(placed, error));
	}

	async #run(
		placed: Placed,
		command: StartCommand,
		sockets: readonly TunnelSocket[],
		isReplacing: boolean,
	): Promise<void> {
		const { actorId, generation } = placed;
		const host = this.#host!;
		if (isReplacing) await host.stop(actorId, "sleep");
		const { config } = command;
		const record = await this.backend.open(placed);
		if (record.destroyTs !== null) {
			// The engine did not hear of it before the end of the incarnation that did it.
			this.stopping(actorId, generation, "destroy");
			this.hostStopped(actorId, generation);
			throw new ActorGone(actorId);
		}
		if (record.alarmTs !== null) this.#outbox.setAlarm(placed, record.alarmTs);
		const assignment: ActorAssignment = {
			actorId,
			generation,
			name: config.name,
			key: config.key === undefined ? [] : parseKey(config.key),
			namespace: this.#config.namespace,
			region: this.#config.region,
			input: config.input === undefined ? null : new Uint8Array(config.input),
			createTs: config.createTs,
			alarmTs: record.alarmTs,
			initialised: record.initialised,
		};
		const isInterrupted = record.initialised && record.sleepTs === null;
		for (const socket of sockets) socket.isInterrupted = isInterrupted;
		await host.start(assignment, sockets);
	}

	#startFailed(placed: Placed, error: unknown): void {
		if (this.#actors.get(placed.actorId) !== placed) return;
		placed.failure = { error };
		const { actorId, name, generation } = placed;
		// The actor's own log has what went wrong in it.
		if (!isLogged(error)) {
			this.#services.log.error(
				{ actorId, name, generation, err: error },
				"an actor could not be started",
			);
			noteLogged(error);
		}
		const isRemoved = this.backend.isDiscarded(actorId);
		placed.linger = this.#services.clock.after(START_FAILURE_LINGER_MS, () => {
			if (this.#actors.get(actorId) !== placed) return;
			if (isRemoved) {
				this.#outbox.intends(placed, "stop");
				this.#leave(placed, "Ok");
			} else {
				this.#leave(placed, "Error", error instanceof Error ? error.message : String(error));
			}
		});
	}

	#stopCommanded({ actorId, generation }: ActorCheckpoint): void {
		const placed = this.#actors.get(actorId);
		if (placed?.generation === generation) {
			placed.isExpectedToStop = true;
			void this.#stopActor(placed);
		} else if (!this.#outbox.knows({ actorId, generation })) {
			// Not a clean end, which would destroy it: nobody knows what became of it.
			this.#outbox.stopped({ actorId, generation }, "Error", "the runner does not have this actor");
		}
	}

	/** Resolves when the incarnation is gone. Never rejects. */
	async #stopActor(placed: Placed): Promise<void> {
		await placed.ready;
		if (this.#actors.get(placed.actorId) !== placed) return;
		if (placed.failure) {
			const { error } = placed.failure;
			this.#leave(placed, "Error", error instanceof Error ? error.message : String(error));
			return;
		}
		await this.#host!.stop(placed.actorId, "sleep");
	}

	#leave(placed: Placed, code: "Ok" | "Error", message?: string): void {
		const { actorId } = placed;
		placed.linger?.stop();
		// First the sockets: the engine keeps those it hears nothing of.
		this.#tunnel.actorEnded(actorId);
		// A clean end has waited for its answers.
		if (this.backend.isFenced(placed)) this.#kv.fail(actorId, new FencedOff(actorId));
		this.backend.close(actorId);
		this.#actors.delete(actorId);
		this.#outbox.stopped(placed, code, message);
		if (this.#actors.size === 0) this.#whenEmpty?.();
	}

	/** Stops everything here without a further write (R3). */
	#abandon(reason: string): void {
		if (this.#actors.size === 0) return;
		this.#services.log.error({ reason, count: this.#actors.size }, "the actors are given up");
		for (const placed of this.#actors.values()) this.backend.fence(placed);
		this.#kv.failAll(new FencedOff("of this runner"));
		for (const placed of this.#actors.values()) void this.#stopActor(placed);
	}

	#emptyWithin(limitMs: number): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#services.clock.after(limitMs, resolve);
			this.#whenEmpty = () => {
				timer.stop();
				resolve();
			};
		});
	}
}
