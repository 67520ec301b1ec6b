import type { Timer } from "@rivetkit/protocol";
import type {
	CommandWrapper,
	RunnerToClient,
	RunnerVersion,
	ToServerInit,
} from "@rivetkit/protocol/runner";
import { ClientEnds } from "./client-ends.ts";
import type { RunnerLimits } from "./runner-limits.ts";
import { TunnelBacklog, type TunnelMessage } from "./tunnel-backlog.ts";

/** A runner's socket, as the engine sends on it. */
export interface RunnerSocket {
	readonly version: RunnerVersion;
	/** Bytes that were given to `send` and have not left this process. */
	readonly bufferedBytes: number;
	/** False when it is closed, or about to be. @param sent - called when it has left this process, or never will */
	send(message: RunnerToClient, sent?: () => void): boolean;
	close(code: number, reason: string): void;
}

/** Who connects. */
export interface ConnectingRunner {
	readonly namespace: string;
	readonly key: string;
	/** What it calls its process; null for one that does not tell. */
	readonly processId: string | null;
}

/** Room for one start of an actor on a runner; given back by who took it, whatever was taken since. */
export interface Slot {
	readonly runner: RunnerRecord;
	readonly actorId: string;
}

/**
 * One runner: a process that hosts actors of a pool. Outlives its socket for a while; what its first Init
 * said stays (contract: engine 4.4, 7.1).
 */
export class RunnerRecord {
	readonly runnerId: string;
	readonly namespace: string;
	readonly key: string;
	readonly processId: string | null;
	readonly pool: string;
	readonly version: number;
	readonly totalSlots: number;
	readonly createTs: number;
	metadata: unknown;
	socket: RunnerSocket | null = null;
	lastPongTs: number;
	lastRttMs = 0;
	/** When its newest socket came. */
	lastConnectedTs: number;
	/** Takes no actors any more. */
	drainTs: number | null = null;
	/** When one that drains is over, whatever it still has. */
	drainEnd: Timer | null = null;
	/** The engine sends it away: it is over as soon as it is empty. */
	isDismissed = false;
	/** It is gone for good. */
	stopTs: number | null = null;
	/** Whether the engine's next process is to know it; see `RunnerLedger`. */
	isKept = false;
	/** An earlier process of this engine has told it what to run. */
	readonly isResumed: boolean;
	/** With the slot that was taken for each last. */
	readonly actors = new Map<string, Slot>();
	/**
	 * Actors that were given up before the runner said that they had stopped, with their newest such generation: what
	 * it asks for them may be of that.
	 */
	readonly givenUp = new Map<string, number>();
	/** Sent or to be sent, not acknowledged; in order per actor. */
	commands: CommandWrapper[] = [];
	readonly limits: RunnerLimits;
	/** Of its exchanges, while it has no socket. */
	readonly backlog: TunnelBacklog;
	/** Of its exchanges, told or to be told. */
	readonly ends: ClientEnds;

	constructor(
		{ runnerId, namespace, key, processId }: ConnectingRunner & Pick<RunnerRecord, "runnerId">,
		init: ToServerInit,
		now: number,
		limits: RunnerLimits,
		/** When it came to an earlier process of this engine. */
		resumedSinceTs: number | null = null,
	) {
		this.limits = limits;
		this.backlog = new TunnelBacklog(limits);
		this.ends = new ClientEnds(limits);
		this.runnerId = runnerId;
		this.namespace = namespace;
		this.key = key;
		this.processId = processId;
		this.pool = init.name;
		this.version = init.version;
		this.totalSlots = init.totalSlots;
		this.createTs = resumedSinceTs ?? now;
		this.isResumed = resumedSinceTs !== null;
		this.lastPongTs = now;
		this.lastConnectedTs = now;
	}

	get freeSlots(): number {
		return this.totalSlots - this.actors.size;
	}

	take(actorId: string): Slot {
		const slot: Slot = { runner: this, actorId };
		this.actors.set(actorId, slot);
		return slot;
	}

	/** Does nothing once another start of the actor has taken it. */
	giveBack(slot: Slot): void {
		if (this.actors.get(slot.actorId) === slot) this.actors.delete(slot.actorId);
	}

	command(command: CommandWrapper): void {
		this.commands.push(command);
		this.socket?.send({ tag: "ToClientCommands", val: [command] });
	}

	/** Whether it takes more slowly what it is sent than that comes, and too much waits in its socket. */
	get isCongested(): boolean {
		return (this.socket?.bufferedBytes ?? 0) > this.limits.tunnelBacklogBytesMax;
	}

	/**
	 * Sends it now, or as soon as the runner is back. False when too much waits for that already.
	 *
	 * @param sent - called when it does not wait in the runner's socket any more
	 */
	tell(message: TunnelMessage, sent?: () => void): boolean {
		if (this.socket?.send(message, sent)) return true;
		sent?.();
		return this.backlog.keep(message);
	}

	/** The runner has told that this incarnation has stopped, or that it runs in place of earlier ones. */
	leftBehind(actorId: string, generation: number): void {
		const givenUp = this.givenUp.get(actorId);
		if (givenUp !== undefined && givenUp <= generation) this.givenUp.delete(actorId);
	}

	/** Everything up to this index of the incarnation has arrived. */
	acknowledged(actorId: string, generation: number, index: number): void {
		this.commands = this.commands.filter(
			({ checkpoint }) =>
				checkpoint.actorId !== actorId ||
				checkpoint.generation !== generation ||
				checkpoint.index > index,
		);
	}
}
