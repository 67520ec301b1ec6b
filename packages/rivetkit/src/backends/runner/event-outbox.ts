import type { Clock } from "@rivetkit/protocol";
import {
	type ActorCheckpoint,
	type EventWrapper,
	type RunnerToServer,
	UNKNOWN_GENERATION,
} from "@rivetkit/protocol/runner";
import type { Incarnation } from "../backend.ts";

type Event = EventWrapper["inner"];

/** Engines acknowledge rarely: what an actor still alive has sent is kept up to here, oldest forgotten first. */
export const EVENTS_KEPT_PER_ACTOR_MAX = 1_024;
/** Actors that have ended, of which the engine may not know it yet (Q12). */
export const ENDED_ACTORS_KEPT_MAX = 16_384;
/** What was sent on a socket that then lived for as long has arrived. */
const ARRIVED_MS = 30_000;

interface Log {
	readonly actorId: string;
	readonly generation: number;
	nextIndex: number;
	unacknowledged: EventWrapper[];
	/** When the last event of an actor that has ended was sent on the socket of now; null for not yet. */
	endSentTs: number | null;
}

/**
 * What this runner tells about its actors, numbered per incarnation, until the engine has it: after a
 * reconnect it is sent again, the end of an actor included.
 */
export class EventOutbox {
	readonly #clock: Clock;
	readonly #send: (message: RunnerToServer) => boolean;
	/** By actor and generation. */
	readonly #live = new Map<string, Log>();
	/** The same of those that have ended, in the order of their ends. */
	readonly #ended = new Map<string, Log>();

	constructor(clock: Clock, send: (message: RunnerToServer) => boolean) {
		this.#clock = clock;
		this.#send = send;
	}

	running(actor: Incarnation): void {
		this.#add(actor, {
			tag: "EventActorStateUpdate",
			val: { state: { tag: "ActorStateRunning", val: undefined } },
		});
	}

	intends(actor: Incarnation, what: "sleep" | "stop"): void {
		const tag = what === "sleep" ? "ActorIntentSleep" : "ActorIntentStop";
		this.#add(actor, { tag: "EventActorIntent", val: { intent: { tag, val: undefined } } });
	}

	setAlarm(actor: Incarnation, alarmTs: number | null): void {
		this.#add(actor, { tag: "EventActorSetAlarm", val: { alarmTs: alarmTs ?? undefined } });
	}

	/** The last one of an incarnation. */
	stopped(actor: Incarnation, code: "Ok" | "Error", message?: string): void {
		const log = this.#add(actor, {
			tag: "EventActorStateUpdate",
			val: { state: { tag: "ActorStateStopped", val: { code, message } } },
		});
		const id = idOf(actor);
		this.#live.delete(id);
		this.#ended.set(id, log);
		this.#forget();
	}

	/** Whether something was told of this incarnation that the engine may not have yet. */
	knows(actor: Incarnation): boolean {
		const id = idOf(actor);
		return this.#live.has(id) || this.#ended.has(id);
	}

	acknowledged(checkpoints: readonly ActorCheckpoint[]): void {
		for (const { actorId, generation, index } of checkpoints) {
			for (const [id, log] of this.#logsOf(actorId, generation)) {
				log.unacknowledged = log.unacknowledged.filter((event) => event.checkpoint.index > index);
				if (log.unacknowledged.length === 0) this.#ended.delete(id);
			}
		}
	}

	/** A new socket of the same runner: everything that may not have arrived, in one message. */
	resend(): void {
		const logs = [...this.#ended.values(), ...this.#live.values()];
		const events = logs.flatMap(({ unacknowledged }) => unacknowledged);
		if (events.length === 0 || !this.#send({ tag: "ToServerEvents", val: events })) return;
		const now = this.#clock.now();
		for (const log of this.#ended.values()) log.endSentTs = now;
	}

	/** The socket is gone, and what was on its way with it. */
	disconnected(): void {
		this.#forget();
		for (const log of this.#ended.values()) log.endSentTs = null;
	}

	/** The engine does not know this runner any more: it has given up all that was here. */
	clear(): void {
		this.#live.clear();
		this.#ended.clear();
	}

	#add(actor: Incarnation, inner: Event): Log {
		const { actorId, generation } = actor;
		const id = idOf(actor);
		let log = this.#live.get(id);
		if (!log) {
			log = { actorId, generation, nextIndex: 0, unacknowledged: [], endSentTs: null };
			this.#live.set(id, log);
		}
		const event: EventWrapper = {
			checkpoint: { actorId, generation, index: log.nextIndex++ },
			inner,
		};
		log.unacknowledged.push(event);
		if (log.unacknowledged.length > EVENTS_KEPT_PER_ACTOR_MAX) log.unacknowledged.shift();
		if (this.#send({ tag: "ToServerEvents", val: [event] })) log.endSentTs = this.#clock.now();
		return log;
	}

	#logsOf(actorId: string, generation: number): [string, Log][] {
		if (generation !== UNKNOWN_GENERATION) {
			const id = idOf({ actorId, generation });
			const log = this.#live.get(id) ?? this.#ended.get(id);
			return log ? [[id, log]] : [];
		}
		const all = [...this.#ended, ...this.#live].filter(([, log]) => log.actorId === actorId);
		return all.slice(-1);
	}

	/** Ends that have arrived for sure, and the oldest of too many. */
	#forget(): void {
		const arrivedTs = this.#clock.now() - ARRIVED_MS;
		for (const [id, { endSentTs }] of this.#ended) {
			const hasArrived = endSentTs !== null && endSentTs <= arrivedTs;
			if (!hasArrived && this.#ended.size <= ENDED_ACTORS_KEPT_MAX) return;
			this.#ended.delete(id);
		}
	}
}

function idOf({ actorId, generation }: Incarnation): string {
	return `${generation}:${actorId}`;
}
